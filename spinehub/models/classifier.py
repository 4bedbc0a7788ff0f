"""The Inception-ResNet route: a timm network on slices of the lesion crop, pooled with attention."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.case import DIAGNOSES
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec, SliceStack, mask_slices
from spinehub.models.calibration import Answer, log_odds
from spinehub.models.folder import section_of
from spinehub.models.network import NetworkModel, NetworkResult, checked_name, load_strictly, read_spec, use_device
from spinehub.models.zero_gpu import run_network
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Mask, Volume

__all__ = ["CROP", "AttentionPooling", "LesionClassifier", "PooledNetwork", "largest_slices"]

CROP = PreprocessingSpec(spacing_mm=1.0, size=128)
"""Default crop: 128 mm wide, at the in-plane spacing of a good acquisition."""

ARCHITECTURE = "inception_resnet_v2"
_POOLING = "pooling."


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


class PooledNetwork(nn.Module):
    """A timm classifier whose slices are pooled before its last layer.

    That layer is linear, so the logits are the weighted mean of the logits stock timm gives for each slice.

    Parameters
    ----------
    network
        timm model.
    pooling
        Weights of the slices.
    """

    def __init__(self, network: nn.Module, pooling: AttentionPooling) -> None:
        super().__init__()
        self.network = network
        self.pooling = pooling

    def forward(self, slices: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Judge a batch of cases.

        Parameters
        ----------
        slices
            ``(B, S, C, H, W)``.
        valid
            ``(B, S)`` bool: False for padding.

        Returns
        -------
        tuple of Tensor
            Logits ``(B, 2)`` over :data:`spinehub.case.DIAGNOSES` and pooled activations ``(B, F)``.
        """
        network: Any = self.network
        flat = slices.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        activations = network.forward_head(network.forward_features(flat), pre_logits=True).unflatten(0, valid.shape)
        pooled = torch.einsum("bs,bsf->bf", self.pooling(activations, valid), activations.float())
        return network.get_classifier()(pooled), pooled


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
        **parts: Any,
    ) -> None:
        super().__init__(network, spec, **parts)
        if slices < 1:
            raise InvalidArgumentError(f"slices must be at least 1, got {slices}")
        self.pooled = PooledNetwork(network, pooling)
        self.architecture = architecture
        self.slices = slices

    @classmethod
    def create(cls, spec: PreprocessingSpec = CROP, *, architecture: str = ARCHITECTURE, slices: int = 8) -> Self:
        """Make an untrained classifier; nothing is downloaded."""
        network = _build(architecture, len(spec.channel_names) + 1)
        return cls(network, spec, pooling=_pooling(network), architecture=architecture, slices=slices)

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
            logits, pooled = self.pooled(self.tensor_of(slices)[None], valid)
            probabilities = torch.softmax(logits.float(), dim=1)[0].cpu().numpy().astype(np.float64)
            return probabilities, pooled[0].float().cpu().numpy()

    def _run(self, stack: SliceStack, inside: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        self.check_stack(stack)
        chosen = largest_slices(inside.sum(axis=(1, 2)), self.slices)
        slices = np.concatenate([stack.values[chosen], inside[chosen, None]], axis=1)
        probabilities, activations = run_network(self, slices)
        return probabilities, activations

    def side_tensors(self) -> dict[str, NDArray[Any]]:
        """Pooling head and domain."""
        head = self.pooled.pooling.state_dict()
        return {_POOLING + name: value.detach().cpu().numpy() for name, value in head.items()} | super().side_tensors()

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
        model = cls(network, spec, pooling=_pooling(network), architecture=architecture, slices=slices)
        weights = {n: v for n, v in tensors.items() if not n.startswith(("domain.", _POOLING))}
        head = {n.removeprefix(_POOLING): v for n, v in tensors.items() if n.startswith(_POOLING)}
        load_strictly(network, weights, "classifier")
        load_strictly(model.pooled.pooling, head, "pooling head")
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
