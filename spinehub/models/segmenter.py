"""The U-Net route: sagittal slices are marked as background, metastasis or primary malignant tumour."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.errors import ModelError
from spinehub.inputs import PreprocessingSpec, SliceStack, mask_slices
from spinehub.models.calibration import Answer
from spinehub.models.folder import section_of
from spinehub.models.lesion_head import (
    LesionHead,
    read_head,
    region_sums,
    regions_of,
    slice_means,
    stage_features,
    stages_of,
)
from spinehub.models.network import NetworkModel, NetworkResult, checked_name, load_strictly, read_spec, use_device
from spinehub.models.votes import CLASSES, LesionVote, SliceReading, lesion_vote, mean_over_region
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
    reads_region
        Whether the network's last channel is the marked region, which it then outlines; 0 everywhere without one.
    least_lesion_share
        Below this share of lesion inside the marked region, seen without being shown it, no class is named: the network
        sees no lesion there.
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
        reads_region: bool = False,
        least_lesion_share: float = 0.0,
        **parts: Any,
    ) -> None:
        super().__init__(network, spec, **parts)
        self.architecture = dict(architecture)
        self.head = head
        self.reads_region = reads_region
        self.least_lesion_share = least_lesion_share

    @classmethod
    def create(cls, spec: PreprocessingSpec | None = None, *, reads_region: bool = True, **architecture: Any) -> Self:
        """Make an untrained segmenter; nothing is downloaded.

        Parameters
        ----------
        spec
            How inputs are made; its channels set ``in_channels``.
        reads_region
            Whether the marked region is one channel more.
        **architecture
            Arguments of ``smp.Unet`` in place of :data:`MODIFIED_UNET`.
        """
        spec = spec or PreprocessingSpec()
        channels = len(spec.channel_names) + reads_region
        chosen = {**(architecture or MODIFIED_UNET), "in_channels": channels, "classes": len(CLASSES)}
        chosen["encoder_weights"] = None
        network = _build(chosen)
        head = LesionHead(stage_features(network))
        return cls(network, spec, architecture=chosen, head=head, reads_region=reads_region)

    def modules(self) -> tuple[nn.Module, ...]:
        """Network and lesion head."""
        return (self.network,) if self.head is None else (self.network, self.head)

    def segment(self, stack: SliceStack, inside: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Class of every pixel.

        Parameters
        ----------
        stack
            Input of the network.
        inside
            ``(N, H, W)`` share of each pixel in the region of a click, which a network that reads regions outlines;
            None: nothing is marked.

        Returns
        -------
        NDArray
            ``(N, 3, H, W)`` float32 softmax over :data:`CLASSES`.
        """
        return self._run(stack, inside).softmax

    def embed(self, stack: SliceStack, inside: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean activation ``(F,)`` of the deepest encoder layer inside the region.

        Parameters
        ----------
        stack
            Input of the network.
        inside
            ``(N, H, W)`` share of each pixel in the region, of :func:`spinehub.inputs.mask_slices`.
        """
        return mean_over_region(self._run(stack, inside).activations, inside)

    def lesion_vote(
        self,
        softmax: NDArray[np.float32],
        inside: NDArray[np.float32],
        score: float | None = None,
        unshown: NDArray[np.float32] | None = None,
    ) -> LesionVote:
        """Judge a region as a whole: :func:`spinehub.models.votes.lesion_vote`."""
        return lesion_vote(softmax, inside, score, unshown)

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
        softmax, activations, score, unshown = self._run(stack, inside, True)
        if not inside.any():
            answer = Answer.unavailable("the region lies outside the crop the U-Net sees")
            return NetworkResult(answer, (), stack, softmax)
        vote = self.lesion_vote(softmax, inside, score, unshown)
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

    def run(
        self,
        values: NDArray[np.floating[Any]],
        inside: NDArray[np.floating[Any]] | None = None,
        unshown: bool = False,
    ) -> SliceReading:
        """Evaluate the network on any number of slices of one case.

        Parameters
        ----------
        values
            ``(N, C, H, W)`` made by the model's own preprocessing.
        inside
            ``(N, H, W)`` share of each pixel in the region that is marked; None: none is, and the lesion head is not
            asked.
        unshown
            Whether to look once more without the region, where the network reads it.
        """
        softmax, deepest, sums = [], [], []
        network: Any = self.network
        again = self.run(values).softmax if unshown and self.reads_region and inside is not None else None
        if self.reads_region:
            region = np.zeros_like(values[:, 0]) if inside is None else inside
            values = np.concatenate([values, region[:, None]], axis=1, dtype=np.float32)
        with self.ready():
            for start in range(0, len(values), _BATCH):
                logits, stages = stages_of(network, self.tensor_of(values[start : start + _BATCH]))
                softmax.append(torch.softmax(logits.float(), dim=1).cpu().numpy())
                marked = None
                if inside is not None:
                    marked = torch.tensor(inside[start : start + _BATCH], dtype=torch.float32, device=self.device)
                deepest.append(slice_means(stages[-2], marked).cpu().numpy())
                if self.head is not None and marked is not None:
                    sums.append(region_sums(stages, regions_of(marked, self.head.regions)))
            score = self._score(sums) if inside is not None and inside.any() else None
        return SliceReading(np.concatenate(softmax), np.concatenate(deepest), score, again)

    def _score(self, sums: list[list[torch.Tensor]]) -> float | None:
        if self.head is None:
            return None
        return float(self.head([torch.cat(stage).sum(dim=0, keepdim=True) for stage in zip(*sums, strict=True)]))

    def _run(self, stack: SliceStack, inside: NDArray[np.float32] | None = None, unshown: bool = False) -> SliceReading:
        self.check_stack(stack)
        reading: SliceReading = run_network(self, stack.values, inside, unshown)
        return reading

    def side_tensors(self) -> dict[str, NDArray[Any]]:
        """Lesion head and domain."""
        state = {} if self.head is None else self.head.state_dict()
        return {_HEAD + name: value.detach().cpu().numpy() for name, value in state.items()} | super().side_tensors()

    def to_config(self) -> dict[str, Any]:
        """Content of ``config.json``: arguments of ``smp.Unet``, as stock smp reads them, and our part."""
        section = {**self.section(), "classes": list(CLASSES), "least_lesion_share": self.least_lesion_share}
        section["reads_region"] = self.reads_region
        if self.head is not None:
            section["lesion_head"] = self.head.about
        return {**self.architecture, "encoder_weights": None, "_model_class": "Unet", "_spinehub": section}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of :meth:`to_config` and :meth:`tensors`; :class:`ModelError` where they do not fit."""
        section = section_of(config)
        if config.get("_model_class") != "Unet" or section.get("kind") != cls.kind:
            raise ModelError(f"_model_class of a segmenter must be 'Unet', got {config.get('_model_class')!r}")
        spec = read_spec(section)
        architecture = {name: value for name, value in config.items() if not name.startswith("_")}
        reads_region = section.get("reads_region")
        if not isinstance(reads_region, bool):
            raise ModelError(f"reads_region must be true or false, got {reads_region!r}")
        expected = {"in_channels": len(spec.channel_names) + reads_region, "classes": len(CLASSES)}
        for name, value in expected.items():
            if architecture.get(name) != value:
                raise ModelError(
                    f"{name} of the segmenter must be {value} to fit its preprocessing, got {architecture.get(name)!r}"
                )
        share = section.get("least_lesion_share")
        if not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
            raise ModelError(f"least_lesion_share must lie between 0 and 1, got {share!r}")
        network = _build(architecture)
        head = read_head(section, stage_features(network))
        model = cls(
            network, spec, architecture=architecture, head=head, reads_region=reads_region,
            least_lesion_share=float(share),
        )  # fmt: skip
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
