"""What a model has seen: ranges and distance in feature space, so that the unusual can be named before any number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import InvalidArgumentError, ModelError

__all__ = ["Domain", "fit_domain"]

_RANGE = (0.001, 0.999)
_SHARE = 0.99
"""Share of the training cases that count as usual, for the number of features out of range and for the distance."""
_SHRINKAGE = 0.1
"""Weight of the unit matrix in the correlation matrix, so that nearly collinear features do not decide alone."""
_FOLDS = 5
_NAMED = 3
_ARRAYS = ("low", "high", "mean", "scale", "precision")


@dataclass(frozen=True, eq=False)
class Domain:
    """Where the training cases lie in feature space.

    Parameters
    ----------
    names
        The F features.
    low, high
        ``(F,)`` range of the training cases: their 0.1 and 99.9 % quantiles.
    mean, scale
        ``(F,)`` training mean and standard deviation.
    precision
        ``(F, F)`` inverse of the shrunken correlation matrix.
    count_limit
        So many features may lie out of range.
    distance_limit
        Largest usual Mahalanobis distance.
    """

    names: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    precision: NDArray[np.float64]
    count_limit: int
    distance_limit: float

    def __post_init__(self) -> None:
        size = len(self.names)
        for name in _ARRAYS:
            array = np.asarray(getattr(self, name), dtype=np.float64)
            shape = (size, size) if name == "precision" else (size,)
            if array.shape != shape or not np.isfinite(array).all():
                raise ModelError(f"{name} of a domain of {size} features must be finite of shape {shape}")
            object.__setattr__(self, name, array)

    def distance(self, values: ArrayLike) -> float:
        """Mahalanobis distance of one case, ``(F,)``, from the training mean."""
        return float(_distances(self._checked(values)[None], self.mean, self.scale, self.precision)[0])

    def unusual(self, values: ArrayLike) -> tuple[str, ...]:
        """Sentences that name what is unusual about one case, ``(F,)``; empty for a usual one."""
        row = self._checked(values)
        excess = np.maximum(self.low - row, row - self.high) / self.scale
        outside = np.flatnonzero(excess > 0)
        sentences = []
        if outside.size > self.count_limit:
            worst = outside[np.argsort(-excess[outside])][:_NAMED]
            named = ", ".join(
                f"{self.names[k]} {row[k]:.4g} (range {self.low[k]:.4g} to {self.high[k]:.4g})" for k in worst
            )
            sentences.append(
                f"{outside.size} of {len(self.names)} features lie outside the range of the training cases: {named}"
            )
        distance = self.distance(row)
        if distance > self.distance_limit:
            sentences.append(
                f"its distance from the training cases in feature space is {distance:.1f}, above the "
                f"{self.distance_limit:.1f} that {_SHARE:.0%} of them keep"
            )
        return tuple(sentences)

    def _checked(self, values: ArrayLike) -> NDArray[np.float64]:
        row = np.asarray(values, dtype=np.float64)
        if row.shape != (len(self.names),) or not np.isfinite(row).all():
            raise InvalidArgumentError(f"values must hold {len(self.names)} finite numbers, got shape {row.shape}")
        return row

    def to_dict(self) -> dict[str, Any]:
        """JSON part; the arrays are in :meth:`tensors`."""
        return {"names": list(self.names), "count_limit": self.count_limit, "distance_limit": self.distance_limit}

    def tensors(self, prefix: str) -> dict[str, NDArray[np.float64]]:
        """Arrays by name, each name starting with `prefix`."""
        return {f"{prefix}{name}": getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_parts(cls, data: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], prefix: str) -> "Domain":
        """Inverse of :meth:`to_dict` and :meth:`tensors`; :class:`ModelError` where a part is missing."""
        try:
            arrays = {name: tensors[f"{prefix}{name}"] for name in _ARRAYS}
            return cls(
                tuple(data["names"]),
                count_limit=int(data["count_limit"]),
                distance_limit=float(data["distance_limit"]),
                **arrays,
            )
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"the domain in the model's files lacks {error}; fetch the model again or write it with save_pretrained"
            ) from error


def _distances(
    rows: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    offset = (rows - mean) / scale
    result: NDArray[np.float64] = np.sqrt(np.einsum("nf,fg,ng->n", offset, precision, offset))
    return result


def _moments(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    offset = (rows - mean) / scale
    correlation = (1 - _SHRINKAGE) * (offset.T @ offset) / len(rows) + _SHRINKAGE * np.eye(rows.shape[1])
    return mean, scale, np.linalg.inv(correlation)


def fit_domain(rows: ArrayLike, names: tuple[str, ...]) -> Domain:
    """Describe the training cases.

    The limits are 99 % quantiles of what cases show that were left out (five folds), so that 99 % of fresh cases from
    the same source, not of the fitted ones, pass each of the two checks.

    Parameters
    ----------
    rows
        ``(n, F)`` features of the training cases, finite, n at least 20.
    names
        The F features.
    """
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(names) or len(table) < 4 * _FOLDS or not np.isfinite(table).all():
        raise InvalidArgumentError(
            f"rows must be finite, one column per name and at least {4 * _FOLDS} cases, got shape {table.shape} for "
            f"{len(names)} names"
        )
    distance, count = np.empty(len(table)), np.empty(len(table))
    for fold in range(_FOLDS):
        left_out = np.arange(len(table)) % _FOLDS == fold
        low, high = np.quantile(table[~left_out], _RANGE, axis=0)
        distance[left_out] = _distances(table[left_out], *_moments(table[~left_out]))
        count[left_out] = ((table[left_out] < low) | (table[left_out] > high)).sum(axis=1)
    low, high = np.quantile(table, _RANGE, axis=0)
    mean, scale, precision = _moments(table)
    return Domain(
        names, low, high, mean, scale, precision,
        count_limit=int(np.ceil(np.quantile(count, _SHARE))), distance_limit=float(np.quantile(distance, _SHARE)),
    )  # fmt: skip
