"""The U-Net's lesion head: one score for a region, from what every stage of the network sees inside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from spinehub.errors import ModelError

__all__ = ["LesionHead", "read_head", "region_moments", "region_sums", "stage_features", "stages_of"]

_WIDEST_HEAD = 4096
_LEAST_AREA = 1e-3
_LEAST_VARIANCE = 1e-6


def region_sums(stages: Sequence[torch.Tensor], inside: torch.Tensor) -> list[torch.Tensor]:
    """Area, sum and sum of squares of each stage's features inside a region; those of several slices add up.

    Parameters
    ----------
    stages
        ``(N, F, h, w)`` each, at any resolution.
    inside
        ``(N, H, W)`` share of each pixel in the region.

    Returns
    -------
    list of Tensor
        ``(N, 1 + 2 F)`` float32 for each stage.
    """
    sums = []
    for features in stages:
        values = features.float()
        share = nn.functional.adaptive_avg_pool2d(inside[:, None].float(), values.shape[-2:])
        area = share.mean(dim=(2, 3))
        parts = [area, (values * share).mean(dim=(2, 3)), (values.square() * share).mean(dim=(2, 3))]
        sums.append(torch.cat(parts, dim=1))
    return sums


def region_moments(sums: torch.Tensor) -> torch.Tensor:
    """Mean and standard deviation ``(L, 2 F)`` of ``(L, 1 + 2 F)`` of :func:`region_sums`; near 0 where no area is."""
    features = (sums.shape[1] - 1) // 2
    area = sums[:, :1].clamp(min=_LEAST_AREA / features)
    mean = sums[:, 1 : 1 + features] / area
    variance = sums[:, 1 + features :] / area - mean.square()
    return torch.cat([mean, variance.clamp(min=0.0).add(_LEAST_VARIANCE).sqrt()], dim=1)


class LesionHead(nn.Module):
    """Log-odds of ``primary_malignant`` from the moments of every stage inside a region.

    Parameters
    ----------
    features
        Features of each stage, the network's own input first. That one keeps its scale, since how much a lesion takes
        up is told by it; the others are normalised.
    hidden
        Width of the hidden layer.
    """

    def __init__(self, features: Sequence[int], hidden: int = 96) -> None:
        super().__init__()
        self.features = tuple(features)
        self.hidden = hidden
        self.norms = nn.ModuleList([nn.LayerNorm(2 * count) for count in features[1:]])
        self.inner = nn.Linear(2 * sum(features), hidden)
        self.score = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(0.2)

    def hidden_of(self, sums: Sequence[torch.Tensor]) -> torch.Tensor:
        """Hidden layer ``(L, hidden)`` of the sums of each stage, ``(L, 1 + 2 F)``."""
        moments = [region_moments(part) for part in sums]
        moments[1:] = [norm(part) for norm, part in zip(self.norms, moments[1:], strict=True)]
        hidden: torch.Tensor = nn.functional.gelu(self.inner(self.dropout(torch.cat(moments, dim=1))))
        return hidden

    def forward(self, sums: Sequence[torch.Tensor]) -> torch.Tensor:
        """Log-odds ``(L,)``."""
        score: torch.Tensor = self.score(self.hidden_of(sums)).squeeze(1)
        return score


def read_head(section: Mapping[str, Any], network: nn.Module) -> LesionHead | None:
    """Untrained head of the width a configuration states; None where it states none."""
    about = section.get("lesion_head")
    if about is None:
        return None
    hidden = about.get("hidden") if isinstance(about, dict) else None
    if not isinstance(hidden, int) or not 1 <= hidden <= _WIDEST_HEAD:
        raise ModelError(f"hidden of the lesion head must be a whole number from 1 to {_WIDEST_HEAD}, got {hidden!r}")
    return LesionHead(stage_features(network), hidden)


def stages_of(network: Any, values: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits ``(N, 3, H, W)``, and what the lesion head looks at: input, stages of the encoder, end of the decoder."""
    features = network.encoder(values)
    decoded = network.decoder(features)
    return network.segmentation_head(decoded), [values, *features[1:], decoded]


def stage_features(network: Any) -> tuple[int, ...]:
    """Features of each of the stages :func:`stages_of` gives."""
    decoded = network.segmentation_head[0].in_channels
    return (*network.encoder.out_channels, decoded)
