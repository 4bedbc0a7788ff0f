"""The U-Net route: sagittal slices are marked as background, metastasis or primary malignant tumour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec, SliceStack, mask_slices
from spinehub.models.calibration import Answer, log_odds
from spinehub.models.folder import section_of
from spinehub.models.lesion_head import LesionHead, read_head, region_sums, stage_features, stages_of
from spinehub.models.network import NetworkModel, NetworkResult, checked_name, load_strictly, read_spec, use_device
from spinehub.models.zero_gpu import run_network
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Mask, Volume

__all__ = [
    "CLASSES",
    "MODIFIED_UNET",
    "PLAIN_UNET",
    "LesionSegmenter",
    "LesionVote",
    "SliceReading",
    "mean_over_region",
]

CLASSES = ("background", "metastasis", "primary_malignant")
"""Channels of the softmax."""

PLAIN_UNET: dict[str, Any] = {
    "encoder_name": "tu-resnet18",
    "encoder_depth": 4,
    "decoder_channels": [128, 64, 32, 16],
}
"""The U-Net without modifications, for the comparison: 3.6 million parameters."""

MODIFIED_UNET: dict[str, Any] = {**PLAIN_UNET, "decoder_attention_type": "scse"}
"""What is modified: concurrent spatial and channel squeeze-and-excitation in the decoder (Roy et al. 2018).

Beside it stands a :class:`spinehub.models.lesion_head.LesionHead`, which answers for the lesion as a whole.
"""

_HEAD = "head."
_BATCH = 16
"""Slices per forward pass: bounds the memory whatever the size of the stack."""


@dataclass(frozen=True)
class LesionVote:
    """What the pixels of one region say together.

    Parameters
    ----------
    score
        Log-odds of ``primary_malignant`` against ``metastasis``: what the lesion head says; without one the mean over
        the region, each pixel weighing as much as it is lesion.
    lesion_share
        Mean probability of lesion (either class) inside the region, 0 to 1.
    """

    score: float
    lesion_share: float


class SliceReading(NamedTuple):
    """What the network makes of some slices.

    Parameters
    ----------
    softmax
        ``(N, 3, H, W)`` over :data:`CLASSES`.
    activations
        Deepest ones ``(N, F)``, averaged over each slice.
    score
        Log-odds of the lesion head for a region; None without head or region.
    """

    softmax: NDArray[np.float32]
    activations: NDArray[np.float32]
    score: float | None


class LesionSegmenter(NetworkModel):
    """Modified U-Net on segmentation_models_pytorch with a lesion-level answer.

    Parameters
    ----------
    network
        ``smp.Unet`` of three classes.
    spec
        How its inputs are made.
    architecture
        Arguments of ``smp.Unet``.
    head
        Judges a region as a whole; None: its pixels vote. Stock tools do not need it.
    least_lesion_share
        Below this share of lesion inside the marked region no class is named: the network sees no lesion there.
    **parts
        As :class:`spinehub.models.network.NetworkModel`.
    """

    kind: ClassVar[str] = "lesion-segmenter"

    def __init__(
        self,
        network: nn.Module,
        spec: PreprocessingSpec,
        *,
        architecture: Mapping[str, Any],
        head: LesionHead | None = None,
        least_lesion_share: float = 0.0,
        **parts: Any,
    ) -> None:
        super().__init__(network, spec, **parts)
        self.architecture = dict(architecture)
        self.head = head
        self.least_lesion_share = least_lesion_share

    @classmethod
    def create(cls, spec: PreprocessingSpec | None = None, **architecture: Any) -> Self:
        """Make an untrained segmenter; nothing is downloaded.

        Parameters
        ----------
        spec
            How inputs are made; its channels set ``in_channels``.
        **architecture
            Arguments of ``smp.Unet`` in place of :data:`MODIFIED_UNET`.
        """
        spec = spec or PreprocessingSpec()
        chosen = {**(architecture or MODIFIED_UNET), "in_channels": len(spec.channel_names), "classes": len(CLASSES)}
        chosen["encoder_weights"] = None
        network = _build(chosen)
        return cls(network, spec, architecture=chosen, head=LesionHead(stage_features(network)))

    def modules(self) -> tuple[nn.Module, ...]:
        """Network and lesion head."""
        return (self.network,) if self.head is None else (self.network, self.head)

    def segment(self, stack: SliceStack) -> NDArray[np.float32]:
        """Class of every pixel.

        Returns
        -------
        NDArray
            ``(N, 3, H, W)`` float32 softmax over :data:`CLASSES`.
        """
        return self._run(stack).softmax

    def embed(self, stack: SliceStack, inside: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean activation ``(F,)`` of the deepest encoder layer over the slices that hold the region.

        Parameters
        ----------
        stack
            Input of the network.
        inside
            ``(N, H, W)`` share of each pixel in the region, of :func:`spinehub.inputs.mask_slices`.
        """
        return mean_over_region(self._run(stack).activations, inside)

    def lesion_vote(
        self, softmax: NDArray[np.float32], inside: NDArray[np.float32], score: float | None = None
    ) -> LesionVote:
        """Judge a region as a whole.

        Parameters
        ----------
        softmax
            ``(N, 3, H, W)`` of :meth:`segment`.
        inside
            ``(N, H, W)`` share of each pixel in the region.
        score
            What the lesion head says of it; None: its pixels vote.

        Raises
        ------
        InvalidArgumentError
            If the shapes differ or the region holds no pixel.
        """
        if softmax.shape != (inside.shape[0], len(CLASSES), *inside.shape[1:]):
            raise InvalidArgumentError(
                f"softmax must have shape (N, 3, H, W) of the region {inside.shape}, got {softmax.shape}"
            )
        weight = float(inside.sum(dtype=np.float64))
        if weight <= 0.0:
            raise InvalidArgumentError("inside must hold at least one pixel of the region, got none")
        lesion = softmax[:, 1].astype(np.float64) + softmax[:, 2]
        weights = lesion * inside
        odds = log_odds(np.divide(softmax[:, 2], lesion, out=np.full_like(lesion, 0.5), where=lesion > 0.0))
        total = float(weights.sum())
        if score is None:
            score = float((weights * odds).sum() / total) if total > 0.0 else 0.0
        return LesionVote(score, total / weight)

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

        Returns
        -------
        NetworkResult
            Without probabilities where the network sees no lesion in the region, or was not calibrated for the regime.
        """
        stack = self.stack_of(image, mask, timing, maps)
        inside = mask_slices(mask, stack)
        softmax, activations, score = self._run(stack, inside)
        if not inside.any():
            answer = Answer.unavailable("the region lies outside the crop the U-Net sees")
            return NetworkResult(answer, (), stack, softmax)
        vote = self.lesion_vote(softmax, inside, score)
        unusual = self.unusual(mean_over_region(activations, inside), stack.regime)
        return NetworkResult(self.answer(vote, stack), unusual, stack, softmax, vote.lesion_share)

    def answer(self, vote: LesionVote, stack: SliceStack) -> Answer:
        """Turn a vote into calibrated probabilities and a decision, or a reason why not."""
        if self.calibration is None or stack.regime not in self.calibration.regimes:
            return Answer.unavailable(f"the U-Net was not calibrated for the regime {stack.regime}")
        if vote.lesion_share < self.least_lesion_share:
            return Answer.unavailable(
                f"the U-Net sees no lesion here: it calls {vote.lesion_share:.0%} of the region lesion, and at least "
                f"{self.least_lesion_share:.0%} is needed"
            )
        return self.calibration.answer(vote.score, stack.regime)

    def run(self, values: NDArray[np.floating[Any]], inside: NDArray[np.floating[Any]] | None = None) -> SliceReading:
        """Evaluate the network on any number of slices of one case.

        Parameters
        ----------
        values
            ``(N, C, H, W)`` made by the model's own preprocessing.
        inside
            ``(N, H, W)`` share of each pixel in a region the lesion head judges; None: it is not asked.
        """
        softmax, deepest, sums = [], [], []
        network: Any = self.network
        with self.ready():
            for start in range(0, len(values), _BATCH):
                logits, stages = stages_of(network, self.tensor_of(values[start : start + _BATCH]))
                softmax.append(torch.softmax(logits.float(), dim=1).cpu().numpy())
                deepest.append(stages[-2].float().mean(dim=(2, 3)).cpu().numpy())
                if self.head is not None and inside is not None:
                    region = torch.tensor(inside[start : start + _BATCH], dtype=torch.float32, device=self.device)
                    sums.append(region_sums(stages, region))
            score = self._score(sums) if inside is not None and inside.any() else None
        return SliceReading(np.concatenate(softmax), np.concatenate(deepest), score)

    def _score(self, sums: list[list[torch.Tensor]]) -> float | None:
        if self.head is None:
            return None
        return float(self.head([torch.cat(stage).sum(dim=0, keepdim=True) for stage in zip(*sums, strict=True)]))

    def _run(self, stack: SliceStack, inside: NDArray[np.float32] | None = None) -> SliceReading:
        self.check_stack(stack)
        reading: SliceReading = run_network(self, stack.values, inside)
        return reading

    def side_tensors(self) -> dict[str, NDArray[Any]]:
        """Lesion head and domain."""
        state = {} if self.head is None else self.head.state_dict()
        return {_HEAD + name: value.detach().cpu().numpy() for name, value in state.items()} | super().side_tensors()

    def to_config(self) -> dict[str, Any]:
        """Content of ``config.json``: arguments of ``smp.Unet``, as stock smp reads them, and our part."""
        section = {**self.section(), "classes": list(CLASSES), "least_lesion_share": self.least_lesion_share}
        if self.head is not None:
            section["lesion_head"] = {"hidden": self.head.hidden}
        return {**self.architecture, "encoder_weights": None, "_model_class": "Unet", "_spinehub": section}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of :meth:`to_config` and :meth:`tensors`; :class:`ModelError` where they do not fit."""
        section = section_of(config)
        if config.get("_model_class") != "Unet" or section.get("kind") != cls.kind:
            raise ModelError(f"_model_class of a segmenter must be 'Unet', got {config.get('_model_class')!r}")
        spec = read_spec(section)
        architecture = {name: value for name, value in config.items() if not name.startswith("_")}
        expected = {"in_channels": len(spec.channel_names), "classes": len(CLASSES)}
        for name, value in expected.items():
            if architecture.get(name) != value:
                raise ModelError(
                    f"{name} of the segmenter must be {value} to fit its preprocessing, got {architecture.get(name)!r}"
                )
        share = section.get("least_lesion_share")
        if not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
            raise ModelError(f"least_lesion_share must lie between 0 and 1, got {share!r}")
        network = _build(architecture)
        head = read_head(section, network)
        model = cls(network, spec, architecture=architecture, head=head, least_lesion_share=float(share))
        weights = {name: value for name, value in tensors.items() if not name.startswith(("domain.", _HEAD))}
        load_strictly(network, weights, "U-Net")
        if head is not None:
            judged = {n.removeprefix(_HEAD): value for n, value in tensors.items() if n.startswith(_HEAD)}
            load_strictly(head, judged, "lesion head")
        model.load_section(section, tensors)
        for module in model.modules():
            module.eval()
        return model.to(use_device())


def _build(architecture: Mapping[str, Any]) -> nn.Module:
    import segmentation_models_pytorch as smp

    checked_name(architecture.get("encoder_name"), "encoder_name")
    try:
        network: nn.Module = smp.Unet(**{**architecture, "encoder_weights": None})
    except (TypeError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        raise ModelError(f"segmentation_models_pytorch cannot build this U-Net: {error}") from error
    return network.to(memory_format=torch.channels_last)


def mean_over_region(activations: NDArray[np.float32], inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean ``(F,)`` of ``(N, F)`` over slices, weighted by the region's area ``(N, H, W)``; plain where it is empty."""
    area = inside.sum(axis=(1, 2))
    weights = area / area.sum() if area.sum() > 0 else np.full(len(area), 1.0 / len(area))
    return (weights @ activations).astype(np.float32)
