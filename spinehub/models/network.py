"""What the two networks share: preprocessing, calibration, the domain they have seen, and their configuration."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec, SliceStack, make_stack
from spinehub.models.activations import ActivationSpace
from spinehub.models.calibration import Answer, Calibration
from spinehub.models.folder import FORMAT_VERSION
from spinehub.models.zero_gpu import is_zero_gpu
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap, Regime
from spinehub.volume import Mask, Volume

__all__ = ["NetworkModel", "NetworkResult", "checked_name", "use_device"]

_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9_.-]*")
"""Names of encoders and architectures: no colon or slash, which would make timm fetch something."""


@dataclass(frozen=True, eq=False)
class NetworkResult:
    """What a network says about one lesion.

    Parameters
    ----------
    answer
        Calibrated probabilities and decision, or why there are none.
    unusual
        What lies outside the training distribution, in sentences; empty for a usual case.
    stack
        The input it saw.
    softmax
        ``(N, 3, H, W)`` float32 of the segmenter on the pixels of `stack` (background, metastasis, primary malignant);
        None for the classifier.
    lesion_share
        Share of the marked region the segmenter itself calls lesion; None for the classifier.
    """

    answer: Answer
    unusual: tuple[str, ...]
    stack: SliceStack
    softmax: NDArray[np.float32] | None = None
    lesion_share: float | None = None


def use_device() -> torch.device:
    """A GPU where there is one, else the CPU; also with a GPU that is only borrowed."""
    if is_zero_gpu():
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def checked_name(name: Any, what: str) -> str:
    """Return the name of an encoder or architecture; :class:`ModelError` where it could point elsewhere."""
    if not isinstance(name, str) or not _ARCHITECTURE.fullmatch(name):
        raise ModelError(f"{what} must be the plain name of an architecture, got {name!r}")
    return name


class NetworkModel:
    """A network with everything needed to judge a case with it.

    Parameters
    ----------
    network
        The module of segmentation_models_pytorch or timm.
    spec
        How its inputs are made.
    calibration
        Of the lesion-level score; None while it is being trained: then it gives no answer.
    domain
        Where the activations of training cases lie; None while it is being trained.
    training
        JSON record of the training.
    """

    kind: ClassVar[str]
    network: nn.Module

    def __init__(
        self,
        network: nn.Module,
        spec: PreprocessingSpec,
        *,
        calibration: Calibration | None = None,
        domain: ActivationSpace | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network
        self.spec = spec
        self.calibration = calibration
        self.domain = domain
        self.training: dict[str, Any] = dict(training or {})
        self.evaluation: dict[str, Any] | None = None
        self.model_id = ""
        self.sha256 = ""

    @property
    def thresholds(self) -> dict[Regime, Any]:
        """Smallest probability with which a class stays possible, by regime and class."""
        return {} if self.calibration is None else dict(self.calibration.thresholds)

    def modules(self) -> tuple[nn.Module, ...]:
        """Every module with weights."""
        return (self.network,)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def to(self, device: torch.device | str) -> Self:
        """Move the weights and return the model."""
        for module in self.modules():
            module.to(device)
        return self

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Evaluation mode without gradients, restored afterwards."""
        before = [module.training for module in self.modules()]
        for module in self.modules():
            module.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            for module, training in zip(self.modules(), before, strict=True):
                module.train(training)

    def tensor_of(self, values: NDArray[np.floating[Any]]) -> torch.Tensor:
        """``(N, C, H, W)`` as a float32 tensor where the weights are, channels last in memory."""
        tensor = torch.tensor(values, dtype=torch.float32, device=self.device)
        return tensor.contiguous(memory_format=torch.channels_last)

    def stack_of(
        self, image: DynamicSeries | Volume, mask: Mask, timing: Timing, maps: Mapping[str, ParametricMap]
    ) -> SliceStack:
        """Make the network's input around the centroid of a mask."""
        image.grid.require_match(mask.grid)
        if mask.is_empty:
            raise InvalidArgumentError("mask must hold at least one voxel to be judged, got an empty mask")
        return make_stack(image, self.spec, timing=timing, maps=maps, center_mm=mask.centroid_mm)

    def unusual(self, activations: NDArray[np.float32], regime: Regime) -> tuple[str, ...]:
        """Sentences that say what is unusual about the activations of a case; empty where nothing is or is known."""
        return () if self.domain is None else self.domain.unusual(activations, regime)

    def check_stack(self, stack: SliceStack) -> None:
        """Raise :class:`ModelError` unless a stack was made by the model's own preprocessing."""
        if stack.spec != self.spec:
            raise ModelError("the stack must be made with the model's own preprocessing (model.spec), got another one")

    def section(self) -> dict[str, Any]:
        """Our part of ``config.json``."""
        return {
            "kind": self.kind,
            "format_version": FORMAT_VERSION,
            "preprocessing": self.spec.to_dict(),
            "channels": list(self.spec.channel_names),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "domain": None if self.domain is None else self.domain.to_dict(),
            "training": self.training,
        }

    def side_tensors(self) -> dict[str, NDArray[Any]]:
        """Tensors that stock tools do not know: those of the domain."""
        return {} if self.domain is None else dict(self.domain.tensors())

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Every array of the model by name, in the order of the network."""
        weights = {name: value.detach().cpu().numpy() for name, value in self.network.state_dict().items()}
        return weights | self.side_tensors()

    def load_section(self, section: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        """Take calibration, domain and training record from a configuration."""
        calibration = section.get("calibration")
        self.calibration = None if calibration is None else Calibration.from_dict(calibration)
        self.training = dict(section.get("training") or {})
        domain = section.get("domain")
        self.domain = None if domain is None else ActivationSpace.from_parts(domain, tensors)

    def push_to_hub(self, repo_id: str, *, private: bool = False) -> str:
        """Publish to the Hub; returns the address."""
        from spinehub.models import loading

        return loading.push_to_hub(self, repo_id, private=private)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the folder that spinehub and stock tools load; see :func:`spinehub.models.save_pretrained`."""
        from spinehub.models import loading

        return loading.save_pretrained(self, folder)

    @classmethod
    def from_pretrained(cls, model_id: str | Path, *, revision: str | None = None) -> Self:
        """Load by embedded name, local folder or Hub repo id; :class:`ModelError` if it is another kind of model."""
        from spinehub.models import loading

        return loading.from_pretrained(model_id, revision=revision, expected=cls)


def read_spec(section: Mapping[str, Any]) -> PreprocessingSpec:
    """Return the preprocessing a configuration states; :class:`ModelError` where it states none or a broken one."""
    try:
        return PreprocessingSpec.from_dict(section["preprocessing"])
    except (KeyError, TypeError, InvalidArgumentError) as error:
        raise ModelError(f"preprocessing in the model's config cannot be used: {error}") from error


def load_strictly(module: nn.Module, tensors: Mapping[str, NDArray[Any]], what: str) -> None:
    """Load weights of which none may be missing, left over or of another shape."""
    state = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
    expected = module.state_dict()
    wrong = sorted(set(state) ^ set(expected))
    wrong += [name for name in state if name in expected and state[name].shape != expected[name].shape]
    if wrong:
        raise ModelError(
            f"the weights of the {what} do not fit its config: {len(wrong)} tensors differ, the first is {wrong[0]!r}; "
            "fetch the model again"
        )
    module.load_state_dict(state, strict=True)
