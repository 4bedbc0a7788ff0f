"""The networks' lesion head: one score for a region, from what every stage of the network sees in and around it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from spinehub.errors import ModelError

__all__ = [
    "REGIONS",
    "LesionHead",
    "caught_stages",
    "covered",
    "covered_share",
    "read_head",
    "region_moments",
    "region_sums",
    "regions_of",
    "slice_means",
    "stage_features",
    "stages_of",
]

REGIONS = ("whole", "core", "ring")
"""Where a head looks: the region, its depth, and what lies close around it.

Rim against core and the soft-tissue mass tell the classes apart, and a mean over the whole region shows neither.
"""

_WIDEST_HEAD = 4096
_LEAST_AREA = 1e-3
_LEAST_VARIANCE = 1e-6
_LOG_FLOOR = 0.02
"""Added to moments of the input before their logarithm: 2 % enhancement, about the noise of a mean."""
_DEPTH = 7
"""Width in pixels of the blur that tells depth from rim and finds the ring; it is applied twice."""


def regions_of(inside: torch.Tensor, names: Sequence[str] = REGIONS) -> torch.Tensor:
    """Weights of the pixels where a head looks.

    Parameters
    ----------
    inside
        ``(N, H, W)`` share of each pixel in the region.
    names
        Of :data:`REGIONS`.

    Returns
    -------
    Tensor
        ``(N, R, H, W)`` float32, 0 to 1: the region; the same, its depth weighing most; its surroundings, those close
        by weighing most.
    """
    whole = inside.float()
    blurred = whole[:, None]
    for _ in range(2):
        blurred = nn.functional.avg_pool2d(blurred, _DEPTH, stride=1, padding=_DEPTH // 2)
    near = blurred[:, 0]
    found = {"whole": whole, "core": whole * near**4, "ring": (1.0 - whole) * near}
    return torch.stack([found[name] for name in names], dim=1)


def covered_share(pixels: int, places: int) -> float:
    """Share of the input's width that the places of a stage cover, in its middle.

    Convolutions without padding, as those of Inception-ResNet-v2, see no places at the edges: 9 places of 8 pixels are
    the middle 72 of 96. Strides are powers of two.
    """
    return places * 2 ** int(math.log2(pixels / places)) / pixels


def covered(regions: torch.Tensor, places: torch.Size) -> torch.Tensor:
    """Mean ``(N, R, h, w)`` of ``(N, R, H, W)`` over the pixels of each place of a stage."""
    trims = []
    for pixels, count in zip(regions.shape[-2:], places, strict=True):
        kept = round(pixels * covered_share(pixels, count))
        trims.append(slice((pixels - kept) // 2, (pixels - kept) // 2 + kept))
    return nn.functional.adaptive_avg_pool2d(regions[..., trims[0], trims[1]].float(), places)


def region_sums(stages: Sequence[torch.Tensor], regions: torch.Tensor) -> list[torch.Tensor]:
    """Area, sum and sum of squares of each stage's features in each region; those of several slices add up.

    Parameters
    ----------
    stages
        ``(N, F, h, w)`` each, at any resolution.
    regions
        ``(N, R, H, W)`` weights of the pixels.

    Returns
    -------
    list of Tensor
        ``(N, R, 1 + 2 F)`` float32 for each stage.
    """
    sums = []
    for features in stages:
        values = features.float().flatten(2)
        share = covered(regions, features.shape[-2:]).flatten(2) / values.shape[2]
        area = share.sum(dim=2, keepdim=True)
        parts = [area, share @ values.transpose(1, 2), share @ values.square().transpose(1, 2)]
        sums.append(torch.cat(parts, dim=2))
    return sums


def region_moments(sums: torch.Tensor) -> torch.Tensor:
    """Mean and standard deviation ``(..., 2 F)`` of ``(..., 1 + 2 F)`` of :func:`region_sums`; near 0 without area."""
    features = (sums.shape[-1] - 1) // 2
    area = sums[..., :1].clamp(min=_LEAST_AREA / features)
    mean = sums[..., 1 : 1 + features] / area
    variance = sums[..., 1 + features :] / area - mean.square()
    return torch.cat([mean, variance.clamp(min=0.0).add(_LEAST_VARIANCE).sqrt()], dim=-1)


def slice_means(features: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
    """Mean ``(N, F)`` of ``(N, F, h, w)`` inside a region ``(N, H, W)`` of each slice; over all of a slice without."""
    features = features.float()
    everywhere = features.mean(dim=(2, 3))
    if inside is None:
        return everywhere
    sums = region_sums([features], inside[:, None])[0][:, 0]
    return torch.where(
        inside.flatten(1).any(dim=1, keepdim=True), sums[:, 1 : 1 + features.shape[1]] / sums[:, :1], everywhere
    )


class LesionHead(nn.Module):
    """Log-odds of ``primary_malignant`` from the moments of every stage inside a region.

    Parameters
    ----------
    features
        Features of each stage, the network's own input first. That one keeps its scale, since how much a lesion takes
        up is told by it; the others are normalised, and squeezed to the same width, or a stage of a thousand features
        that says nothing yet would drown the rest.
    hidden
        Width of the hidden layer.
    stage_width
        Width each stage but the first is squeezed to.
    regions
        Where it looks, of :data:`REGIONS`.
    log_input
        Whether it reads the logarithms of the input's moments too, in which ratios (rim to core, early to late,
        deviation to mean) are differences.
    """

    def __init__(
        self,
        features: Sequence[int],
        hidden: int = 96,
        stage_width: int = 24,
        regions: Sequence[str] = REGIONS,
        log_input: bool = True,
    ) -> None:
        super().__init__()
        self.features = tuple(features)
        self.hidden = hidden
        self.stage_width = stage_width
        self.regions = tuple(regions)
        self.log_input = log_input
        self.norms = nn.ModuleList([nn.LayerNorm(2 * count) for count in features[1:]])
        self.squeezes = nn.ModuleList([nn.Linear(2 * count, stage_width) for count in features[1:]])
        for squeeze in self.squeezes:  # silent until a stage has something to say
            nn.init.zeros_(squeeze.weight)
            nn.init.zeros_(squeeze.bias)
        width = (4 if log_input else 2) * features[0] + stage_width * (len(self.features) - 1)
        self.inner = nn.Linear(len(self.regions) * width, hidden)
        self.score = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(0.2)

    @property
    def about(self) -> dict[str, Any]:
        """What a configuration states of it."""
        widths = {"hidden": self.hidden, "stage_width": self.stage_width}
        return {**widths, "regions": list(self.regions), "log_input": self.log_input}

    def hidden_of(self, sums: Sequence[torch.Tensor]) -> torch.Tensor:
        """Hidden layer ``(L, hidden)`` of the sums of each stage, ``(L, R, 1 + 2 F)``."""
        moments = [region_moments(part) for part in sums]
        if self.log_input:
            moments[0] = torch.cat([moments[0], (moments[0].abs() + _LOG_FLOOR).log()], dim=-1)
        layers = zip(self.norms, self.squeezes, moments[1:], strict=True)
        moments[1:] = [squeeze(self.dropout(norm(part))) for norm, squeeze, part in layers]
        flat = torch.cat([part.flatten(1) for part in moments], dim=1)
        hidden: torch.Tensor = nn.functional.gelu(self.inner(flat))
        return hidden

    def forward(self, sums: Sequence[torch.Tensor]) -> torch.Tensor:
        """Log-odds ``(L,)``."""
        score: torch.Tensor = self.score(self.hidden_of(sums)).squeeze(1)
        return score


def read_head(section: Mapping[str, Any], features: Sequence[int]) -> LesionHead | None:
    """Untrained head as a configuration states it, for stages of so many features; None where it states none."""
    about = section.get("lesion_head")
    if about is None:
        return None
    about = about if isinstance(about, dict) else {}
    hidden, stage_width = (_width(about, name) for name in ("hidden", "stage_width"))
    regions = about.get("regions")
    if not isinstance(regions, list) or not regions or not set(map(str, regions)) <= set(REGIONS):
        raise ModelError(f"regions of the lesion head must be some of {list(REGIONS)}, got {regions!r}")
    log_input = about.get("log_input")
    if not isinstance(log_input, bool):
        raise ModelError(f"log_input of the lesion head must be true or false, got {log_input!r}")
    return LesionHead(features, hidden, stage_width, regions, log_input)


def _width(about: Mapping[str, Any], name: str) -> int:
    width = about.get(name)
    if not isinstance(width, int) or not 1 <= width <= _WIDEST_HEAD:
        raise ModelError(f"{name} of the lesion head must be a whole number from 1 to {_WIDEST_HEAD}, got {width!r}")
    return width


def stages_of(network: Any, values: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits ``(N, 3, H, W)``, and what the lesion head looks at: input, stages of the encoder, end of the decoder."""
    features = network.encoder(values)
    decoded = network.decoder(features)
    return network.segmentation_head(decoded), [values, *features[1:], decoded]


def stage_features(network: Any) -> tuple[int, ...]:
    """Features of each of the stages :func:`stages_of` gives."""
    decoded = network.segmentation_head[0].in_channels
    return (*network.encoder.out_channels, decoded)


def caught_stages(network: Any, values: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Last features of a timm classifier, and its input with every stage of its ``feature_info``."""
    caught: list[torch.Tensor] = [values]
    hooks = [
        network.get_submodule(stage["module"]).register_forward_hook(lambda _, __, found: caught.append(found))
        for stage in network.feature_info
    ]
    try:
        features = network.forward_features(values)
    finally:
        for hook in hooks:
            hook.remove()
    return features, caught
