"""Where the activations of training cases lie: a few principal components and what they leave over, by regime."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models.domain import Domain, fit_domain
from spinehub.series import Regime

__all__ = ["ActivationSpace", "fit_activations"]

_COMPONENTS = 32
_SHARE = 0.99
"""Share of fresh cases like the training cases that count as usual."""


@dataclass(frozen=True, eq=False)
class ActivationSpace:
    """Principal axes of the activations of all training cases, and the domain of each regime in them.

    A network has hundreds of activations and few patients: a distance in all of them would follow noise. The last
    feature, the length of what the axes leave over, catches inputs that differ in a direction training never showed.

    Parameters
    ----------
    mean
        ``(F,)`` of the training cases.
    axes
        ``(F, P)``, orthonormal columns.
    domains
        Domain of each regime in the P components and the rest.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    domains: Mapping[Regime, Domain]

    def __post_init__(self) -> None:
        if self.axes.ndim != 2 or self.mean.shape != self.axes.shape[:1]:
            raise ModelError(f"axes must have one row per activation, got {self.axes.shape} for {self.mean.shape}")
        names = _names(self.axes.shape[1])
        if any(domain.names != names for domain in self.domains.values()):
            raise ModelError(f"the domain of a network must hold the features {names[0]} to {names[-1]}, got others")

    def features(self, activations: ArrayLike) -> NDArray[np.float64]:
        """``(..., F)`` -> ``(..., P + 1)``: components and the length of the rest."""
        return _features(np.asarray(activations, dtype=np.float64), self.mean, self.axes)

    def unusual(self, activations: ArrayLike, regime: Regime) -> tuple[str, ...]:
        """Sentences that say what is unusual about one case; empty where nothing is or the regime is not known."""
        if regime not in self.domains:
            return ()
        return self.domains[regime].unusual(self.features(activations))

    def to_dict(self) -> dict[str, Any]:
        """JSON part; the arrays are in :meth:`tensors`."""
        return {regime: domain.to_dict() for regime, domain in self.domains.items()}

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Arrays by name, each starting with ``domain.``."""
        arrays: dict[str, NDArray[Any]] = {"domain.mean": self.mean, "domain.axes": self.axes}
        for regime, domain in self.domains.items():
            arrays |= domain.tensors(f"domain.{regime}.")
        return {name: np.asarray(values, dtype=np.float32) for name, values in arrays.items()}

    @classmethod
    def from_parts(cls, data: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> "ActivationSpace":
        """Inverse of :meth:`to_dict` and :meth:`tensors`; :class:`ModelError` where a part is missing."""
        domains: dict[Regime, Domain] = {}
        for name, part in data.items():
            regime: Any = name
            domains[regime] = Domain.from_parts(part, tensors, f"domain.{name}.")
        try:
            return cls(tensors["domain.mean"], tensors["domain.axes"], domains)
        except KeyError as error:
            raise ModelError(f"the domain in the model's files lacks {error}; fetch the model again") from error


def fit_activations(
    training: Mapping[Regime, NDArray[np.float32]], held_out: Mapping[Regime, NDArray[np.float32]]
) -> ActivationSpace:
    """Describe the activations of training cases; limits from cases the network was not fitted on.

    Parameters
    ----------
    training
        ``(n, F)`` of each regime, n at least 20: axes, mean and correlation.
    held_out
        ``(m, F)`` of each regime, m at least 1: the limits. A network is surer of what it was fitted on.
    """
    everything = np.concatenate([np.asarray(rows, dtype=np.float64) for rows in training.values()])
    mean = everything.mean(axis=0)
    count = min(_COMPONENTS, everything.shape[1], len(everything) // 5)
    if count < 1 or not np.isfinite(everything).all():
        raise InvalidArgumentError(
            f"training activations must be finite and of 20 cases at least, got {everything.shape}"
        )
    axes = np.linalg.svd(everything - mean, full_matrices=False)[2][:count].T
    domains: dict[Regime, Domain] = {}
    for regime, rows in training.items():
        fitted = fit_domain(_features(rows, mean, axes), _names(count))
        fresh = [fitted.distance(row) for row in _features(held_out[regime], mean, axes)]
        limit = max(fitted.distance_limit, float(np.quantile(fresh, _SHARE, method="higher")))
        # A range per component says nothing to a reader, so only the distance counts.
        domains[regime] = replace(fitted, distance_limit=limit, count_limit=len(fitted.names))
    return ActivationSpace(mean.astype(np.float32), axes.astype(np.float32), domains)


def _names(count: int) -> tuple[str, ...]:
    return (*(f"component {k + 1}" for k in range(count)), "rest")


def _features(rows: ArrayLike, mean: NDArray[Any], axes: NDArray[Any]) -> NDArray[np.float64]:
    offset = np.asarray(rows, dtype=np.float64) - mean
    components = offset @ axes
    rest = np.linalg.norm(offset - components @ axes.T, axis=-1, keepdims=True)
    return np.concatenate([components, rest], axis=-1)
