"""The Inception-ResNet route: a timm network on slices of the lesion crop, pooled with attention."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.case import DIAGNOSES
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec, SliceStack, mask_slices
from spinehub.models.calibration import Answer, log_odds
from spinehub.models.folder import section_of
from spinehub.models.lesion_head import LesionHead, caught_stages, read_head, region_sums, regions_of
from spinehub.models.network import NetworkModel, NetworkResult, checked_name, load_strictly, read_spec, use_device
from spinehub.models.zero_gpu import run_network
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Mask, Volume

__all__ = ["CROP", "AttentionPooling", "LesionClassifier", "PooledNetwork", "largest_slices"]

CROP = PreprocessingSpec(spacing_mm=1.0, size=96)
"""Default crop: 96 mm wide, at the in-plane spacing of a good acquisition; of wider ones a lesion fills little."""

ARCHITECTURE = "inception_resnet_v2"
_POOLING = "pooling."
_HEAD = "head."


class AttentionPooling(nn.Module):
    """Weights of the slices of one case (Ilse et al. 2018): softmax over w tanh(V f).

    Parameters
    ----------
    activations
        Number F of activations per slice.
    hidden
        Rows of V.
    """

    def __init__(self, activations: int, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = nn.Linear(activations, hidden)
        self.score = nn.Linear(hidden, 1)

    def forward(self, activations: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """``(B, S, F)`` activations and ``(B, S)`` bool -> ``(B, S)`` weights that sum to 1 over the valid slices."""
        score = self.score(torch.tanh(self.hidden(activations.float()))).squeeze(-1)
        return torch.softmax(score.masked_fill(~valid, float("-inf")), dim=1)


class Reading(NamedTuple):
    """What the pooled network makes of a batch of cases.

    Parameters
    ----------
    logits
        ``(B, 2)`` over :data:`spinehub.case.DIAGNOSES`, of the last layer.
    pooled
        Its input ``(B, F)``.
    score, hidden
        Log-odds ``(B,)`` of the lesion head and its hidden layer; None without a head.
    stages
        Input and every stage of the network, slices of all cases in a row.
    """

    logits: torch.Tensor
    pooled: torch.Tensor
    score: torch.Tensor | None
    hidden: torch.Tensor | None
    stages: list[torch.Tensor]


class PooledNetwork(nn.Module):
    """A timm classifier whose slices are pooled before its last layer.

    That layer is linear, so the logits are the weighted mean of the logits stock timm gives for each slice.

    Parameters
    ----------
    network
        timm model.
    pooling
        Weights of the slices.
    head
        Judges the region as a whole, from all stages; None: the last layer does.
    """

    def __init__(self, network: nn.Module, pooling: AttentionPooling, head: LesionHead | None = None) -> None:
        super().__init__()
        self.network = network
        self.pooling = pooling
        self.head = head

    def forward(self, slices: torch.Tensor, valid: torch.Tensor) -> Reading:
        """Judge a batch of cases.

        Parameters
        ----------
        slices
            ``(B, S, C, H, W)``.
        valid
            ``(B, S)`` bool: False for padding.

        Returns
        -------
        Reading
            Of each case.
        """
        network: Any = self.network
        flat = slices.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features, stages = caught_stages(network, flat)
        activations = network.forward_head(features, pre_logits=True).unflatten(0, valid.shape)
        pooled = torch.einsum("bs,bsf->bf", self.pooling(activations, valid), activations.float())
        logits = network.get_classifier()(pooled)
        if self.head is None:
            return Reading(logits, pooled, None, None, stages)
        with torch.autocast(slices.device.type, enabled=False):
            regions = regions_of(flat[:, -1], self.head.regions) * valid.flatten()[:, None, None, None]
            sums = [part.unflatten(0, valid.shape).sum(dim=1) for part in region_sums(stages, regions)]
            hidden = self.head.hidden_of(sums)
            return Reading(logits, pooled, self.head.score(hidden).squeeze(1), hidden, stages)


class LesionClassifier(NetworkModel):
    """timm network on the slices of the lesion crop, with the region as its last channel.

    Parameters
    ----------
    network
        timm model of two classes.
    spec
        How its inputs are made; the mask channel comes on top.
    pooling
        Weights of the slices.
    architecture
        Name of the timm model.
    slices
        At most so many slices are looked at: those with the largest area of the region.
    head
        Judges the region as a whole; None: the last layer of the network does. Stock tools do not need it.
    **parts
        As :class:`spinehub.models.network.NetworkModel`.
    """

    kind: ClassVar[str] = "lesion-classifier"

    def __init__(
        self,
        network: nn.Module,
        spec: PreprocessingSpec,
        *,
        pooling: AttentionPooling,
        architecture: str,
        slices: int = 8,
        head: LesionHead | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(network, spec, **parts)
        if slices < 1:
            raise InvalidArgumentError(f"slices must be at least 1, got {slices}")
        self.pooled = PooledNetwork(network, pooling, head)
        self.architecture = architecture
        self.slices = slices

    @classmethod
    def create(cls, spec: PreprocessingSpec = CROP, *, architecture: str = ARCHITECTURE, slices: int = 8) -> Self:
        """Make an untrained classifier; nothing is downloaded."""
        network = _build(architecture, len(spec.channel_names) + 1)
        head = LesionHead(_stage_features(network, len(spec.channel_names) + 1))
        return cls(network, spec, pooling=_pooling(network), architecture=architecture, slices=slices, head=head)

    def modules(self) -> tuple[nn.Module, ...]:
        """Network and pooling head."""
        return (self.pooled,)

    def classify(self, stack: SliceStack, inside: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities ``(2,)`` over :data:`spinehub.case.DIAGNOSES`, not calibrated.

        Parameters
        ----------
        stack
            Input of the network.
        inside
            ``(N, H, W)`` share of each pixel in the region, of :func:`spinehub.inputs.mask_slices`.
        """
        return self._run(stack, inside)[0]

    def embed(self, stack: SliceStack, inside: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pooled activations ``(F,)`` of one lesion, the input of the last layer."""
        return self._run(stack, inside)[1]

    def predict(
        self, image: DynamicSeries | Volume, mask: Mask, *, timing: Timing, maps: Mapping[str, ParametricMap]
    ) -> NetworkResult:
        """Judge one lesion end to end.

        Parameters
        ----------
        image
            Series or volume.
        mask
            The marked region, on the grid of the image.
        timing, maps
            Of the image.
        """
        stack = self.stack_of(image, mask, timing, maps)
        inside = mask_slices(mask, stack)
        if not inside.any():
            return NetworkResult(Answer.unavailable("the region lies outside the crop the network sees"), (), stack)
        probabilities, activations = self._run(stack, inside)
        unusual = self.unusual(activations, stack.regime)
        if self.calibration is None or stack.regime not in self.calibration.regimes:
            answer = Answer.unavailable(f"the network was not calibrated for the regime {stack.regime}")
        else:
            answer = self.calibration.answer(float(log_odds(probabilities[1])), stack.regime)
        return NetworkResult(answer, unusual, stack)

    def run(self, slices: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Evaluate the network on the slices of one lesion.

        Parameters
        ----------
        slices
            ``(S, C + 1, H, W)`` made by the model's own preprocessing, the region last.

        Returns
        -------
        probabilities, activations
            ``(2,)`` over :data:`spinehub.case.DIAGNOSES`, not calibrated, and pooled ``(F,)``.
        """
        with self.ready():
            valid = torch.ones((1, len(slices)), dtype=torch.bool, device=self.device)
            found = self.pooled(self.tensor_of(slices)[None], valid)
            odds = found.logits[:, 1] - found.logits[:, 0] if found.score is None else found.score
            share = float(torch.sigmoid(odds.double())[0])
            return np.array([1.0 - share, share]), found.pooled[0].float().cpu().numpy()

    def _run(self, stack: SliceStack, inside: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        self.check_stack(stack)
        chosen = largest_slices(inside.sum(axis=(1, 2)), self.slices)
        slices = np.concatenate([stack.values[chosen], inside[chosen, None]], axis=1)
        probabilities, activations = run_network(self, slices)
        return probabilities, activations

    def side_tensors(self) -> dict[str, NDArray[Any]]:
        """Pooling head, lesion head and domain."""
        heads = [(_POOLING, self.pooled.pooling), (_HEAD, self.pooled.head)]
        states = [(prefix, head.state_dict()) for prefix, head in heads if head is not None]
        own = {prefix + n: value.detach().cpu().numpy() for prefix, state in states for n, value in state.items()}
        return own | super().side_tensors()

    def to_config(self) -> dict[str, Any]:
        """Content of ``config.json`` as stock timm reads it, with our part under ``spinehub``."""
        network: Any = self.network
        given = dict(network.pretrained_cfg)
        channels = len(self.spec.channel_names) + 1
        # What timm needs to build the same network and take every weight as it is, the first layer included.
        pretrained_cfg = {
            name: given[name] for name in ("first_conv", "classifier", "pool_size", "interpolation") if name in given
        } | {"input_size": [channels, self.spec.size, self.spec.size], "num_classes": len(DIAGNOSES)}
        section = {**self.section(), "slices": self.slices, "mask_channel": channels - 1}
        if self.pooled.head is not None:
            section["lesion_head"] = self.pooled.head.about
        return {
            "architecture": self.architecture,
            "num_classes": len(DIAGNOSES),
            "num_features": int(network.num_features),
            "label_names": list(DIAGNOSES),
            "model_args": {"in_chans": channels},
            "pretrained_cfg": pretrained_cfg,
            "spinehub": section,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of :meth:`to_config` and :meth:`tensors`; :class:`ModelError` where they do not fit."""
        section = section_of(config)
        spec = read_spec(section)
        slices = section.get("slices")
        if not isinstance(slices, int) or slices < 1:
            raise ModelError(f"slices of the classifier must be a whole number of at least 1, got {slices!r}")
        architecture = checked_name(config.get("architecture"), "architecture")
        network = _build(architecture, len(spec.channel_names) + 1)
        head = read_head(section, _stage_features(network, len(spec.channel_names) + 1))
        pooling = _pooling(network)
        model = cls(network, spec, pooling=pooling, architecture=architecture, slices=slices, head=head)
        weights = {n: v for n, v in tensors.items() if not n.startswith(("domain.", _POOLING, _HEAD))}
        load_strictly(network, weights, "classifier")
        for prefix, module, what in ((_POOLING, pooling, "pooling head"), (_HEAD, head, "lesion head")):
            if module is not None:
                found = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
                load_strictly(module, found, what)
        model.load_section(section, tensors)
        model.pooled.eval()
        return model.to(use_device())


def largest_slices(area: NDArray[np.floating[Any]], count: int) -> NDArray[np.intp]:
    """Indices of the `count` slices with the largest area ``(N,)`` of the region, in order; one where all are 0."""
    order = np.argsort(-area, kind="stable")[:count]
    held = order[area[order] > 0]
    return np.sort(held if held.size else order[:1])


def _build(architecture: str, channels: int) -> nn.Module:
    import timm

    checked_name(architecture, "architecture")
    try:
        network: nn.Module = timm.create_model(
            architecture, pretrained=False, in_chans=channels, num_classes=len(DIAGNOSES)
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"timm cannot build the architecture {architecture!r}: {error}") from error
    return network.to(memory_format=torch.channels_last)


def _pooling(network: Any) -> AttentionPooling:
    return AttentionPooling(int(network.get_classifier().in_features))


def _stage_features(network: Any, channels: int) -> tuple[int, ...]:
    """Features of the input and of each stage :func:`spinehub.models.lesion_head.caught_stages` gives."""
    return (channels, *(int(stage["num_chs"]) for stage in network.feature_info))
