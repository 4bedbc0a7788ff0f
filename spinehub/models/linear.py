"""Logistic regression on named features, evaluated in NumPy, and the names of features in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import ModelError
from spinehub.models.domain import Domain

__all__ = ["LinearModel", "feature_in_words", "held_deviations"]

_FARTHEST = 3.0
_ARRAYS = ("coefficients", "mean", "scale")
_WORDS = re.compile(r"\d+D|\d+|[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_IN_WORDS = {
    "shape": "shape",
    "firstorder": "histogram",
    "peak_enhancement": "peak enhancement",
    "early_enhancement": "early enhancement",
    "washout": "wash-out",
    "peak_frame": "peak frame",
}


def feature_in_words(name: str) -> str:
    """Name of a column for people: ``"washout__glcm_JointEntropy"`` becomes ``"wash-out, GLCM joint entropy"``."""
    image, _, rest = name.partition("__")
    group, _, feature = rest.rpartition("_")
    words = [word if word.isupper() else word.lower() for word in _WORDS.findall(feature)]
    if group:
        words.insert(0, _IN_WORDS.get(group, group.upper()))
    return f"{_IN_WORDS.get(image, image)}, {' '.join(words)}"


def held_deviations(values: ArrayLike, mean: ArrayLike, scale: ArrayLike) -> NDArray[np.float64]:
    """Training standard deviations above the training mean, held at 3 either way.

    Texture features have long tails: without the limit one odd lesion could outvote all other features.
    """
    numbers, middle, spread = (np.asarray(array, dtype=np.float64) for array in (values, mean, scale))
    return np.clip((numbers - middle) / spread, -_FARTHEST, _FARTHEST)


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Logistic regression on standardised features held at 3 standard deviations, for one regime.

    Parameters
    ----------
    names
        The F features it needs; every coefficient differs from 0.
    coefficients, mean, scale
        ``(F,)`` float64: log-odds per training standard deviation, training mean and standard deviation.
    intercept
        Log-odds of ``primary_malignant`` at the training mean.
    domain
        Where the training cases lie, in all features that vary and do not repeat each other, also those not needed.
    """

    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    intercept: float
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    domain: Domain

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = np.asarray(getattr(self, name), dtype=np.float64)
            if array.shape != (len(self.names),) or not np.isfinite(array).all():
                raise ModelError(
                    f"{name} of the radiomics model must be {len(self.names)} finite numbers, one per feature name, "
                    f"got shape {array.shape}"
                )
            object.__setattr__(self, name, array)
        if (self.scale <= 0).any() or not np.isfinite(self.intercept):
            raise ModelError("scale of the radiomics model must be above 0 and its intercept finite")

    def terms(self, values: ArrayLike) -> NDArray[np.float64]:
        """``(F,)`` log-odds each feature adds to the intercept."""
        return self.coefficients * held_deviations(values, self.mean, self.scale)

    def score(self, values: ArrayLike) -> float:
        """Log-odds of ``primary_malignant``, not calibrated; NaN where a value is."""
        return float(self.intercept + self.terms(values).sum())

    def in_words(self) -> list[str]:
        """What each coefficient says, the largest first."""
        order = np.argsort(-np.abs(self.coefficients), kind="stable")
        return [
            f"a standard deviation more of {feature_in_words(self.names[k])} speaks for "
            f"{'primary malignant tumour' if self.coefficients[k] > 0 else 'metastasis'} ({self.coefficients[k]:+.2f})"
            for k in order
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON part; the arrays are in :meth:`tensors`."""
        return {"features": list(self.names), "intercept": self.intercept, "domain": self.domain.to_dict()}

    def tensors(self, prefix: str) -> dict[str, NDArray[np.float64]]:
        """Arrays by name, each name starting with `prefix`."""
        own = {f"{prefix}{name}": getattr(self, name) for name in _ARRAYS}
        return own | self.domain.tensors(f"{prefix}domain.")

    @classmethod
    def from_parts(cls, data: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], prefix: str) -> "LinearModel":
        """Inverse of :meth:`to_dict` and :meth:`tensors`; KeyError where a part is missing."""
        arrays = {name: tensors[f"{prefix}{name}"] for name in _ARRAYS}
        domain = Domain.from_parts(data["domain"], tensors, f"{prefix}domain.")
        return cls(tuple(data["features"]), intercept=float(data["intercept"]), domain=domain, **arrays)
