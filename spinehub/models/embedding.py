"""The row ``embed()`` + logistic regression: a plain classifier on the activations of a network, evaluated in NumPy.

It lies in one safetensors file of its own, beside the stacked model; the folder of the network knows nothing of it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import ModelError
from spinehub.models.calibration import Answer, Calibration
from spinehub.series import Regime

__all__ = ["EMBEDDING_FORMAT", "EmbeddingModel", "Line", "embedding_file"]

EMBEDDING_FORMAT = "spinehub-embedding/1"
_ARRAYS = ("coefficients", "mean", "scale")
_SECTION = "spinehub"


def embedding_file(route: str) -> str:
    """Name of the file of one network's route."""
    return f"embedding-{route}.safetensors"


@dataclass(frozen=True, eq=False)
class Line:
    """Logistic regression on standardised activations, for one regime.

    Parameters
    ----------
    coefficients, mean, scale
        ``(F,)`` log-odds per standard deviation, mean and standard deviation of the cases it was fitted on.
    intercept
        Log-odds of ``primary_malignant`` at the mean.
    """

    coefficients: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    intercept: float

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = np.asarray(getattr(self, name), dtype=np.float64)
            if array.ndim != 1 or array.shape != np.shape(self.mean) or not np.isfinite(array).all():
                raise ModelError(f"{name} of an embedding model must be one finite number per activation")
            object.__setattr__(self, name, array)
        if (self.scale <= 0).any() or not np.isfinite(self.intercept):
            raise ModelError("scale of an embedding model must be above 0 and its intercept finite")

    def score(self, activations: ArrayLike) -> float:
        """Log-odds of ``primary_malignant``, not calibrated, of ``(F,)`` activations."""
        values = np.asarray(activations, dtype=np.float64)
        if values.shape != self.mean.shape:
            raise ModelError(f"activations must hold {self.mean.size} numbers, got shape {values.shape}")
        return float(self.intercept + self.coefficients @ ((values - self.mean) / self.scale))


@dataclass(frozen=True, eq=False)
class EmbeddingModel:
    """Logistic regression on what :meth:`embed` of one network gives.

    Parameters
    ----------
    route
        Of the network.
    network_sha256
        Hash of its weights: activations of others mean something else.
    lines
        One regression per regime.
    calibration
        Of their scores.
    training
        JSON record of the fit.
    """

    route: str
    network_sha256: str
    lines: Mapping[Regime, Line]
    calibration: Calibration
    training: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def model_id(self) -> str:
        """Name for tables."""
        return f"{self.route}-embedding"

    def require_network(self, network: Any) -> None:
        """Raise :class:`ModelError` unless it was fitted on the activations of this very network."""
        if network.sha256 != self.network_sha256:
            raise ModelError(
                f"the embedding of the route {self.route} was fitted on another network (SHA-256 "
                f"{self.network_sha256[:12]}, and this one has {network.sha256[:12]}); fit it again"
            )

    def predict(self, activations: ArrayLike, regime: Regime) -> Answer:
        """Judge one lesion by its activations; not available where the regime was not fitted."""
        if regime not in self.lines:
            return Answer.unavailable(f"the embedding was not fitted for the regime {regime}")
        return self.calibration.answer(self.lines[regime].score(activations), regime)

    def save(self, path: str | Path) -> Path:
        """Write the file and return its path."""
        from safetensors.numpy import save_file

        about = {
            "format": EMBEDDING_FORMAT,
            "route": self.route,
            "network_sha256": self.network_sha256,
            "intercepts": {regime: line.intercept for regime, line in self.lines.items()},
            "calibration": self.calibration.to_dict(),
            "training": self.training,
        }
        tensors = {f"{regime}.{name}": getattr(line, name) for regime, line in self.lines.items() for name in _ARRAYS}
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata={_SECTION: json.dumps(about, sort_keys=True)})
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote; :class:`ModelError` where it is something else."""
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {})[_SECTION])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            if about["format"] != EMBEDDING_FORMAT:
                raise ModelError(f"format of an embedding must be {EMBEDDING_FORMAT!r}, got {about['format']!r}")
            lines: dict[Regime, Line] = {
                regime: Line(**{name: tensors[f"{regime}.{name}"] for name in _ARRAYS}, intercept=float(intercept))
                for regime, intercept in about["intercepts"].items()
            }
            calibration = Calibration.from_dict(about["calibration"])
            route, network = str(about["route"]), str(about["network_sha256"])
            training = dict(about["training"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{path.name} is no embedding model of spinehub: {error!r}") from error
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(route, network, lines, calibration, training, digest)
