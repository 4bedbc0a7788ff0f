"""How sure a figure is: bootstrap intervals and paired comparisons that draw whole patients."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import InvalidArgumentError

__all__ = ["PairedDifference", "bootstrap_interval", "paired_difference"]


def _resamples(groups: Sequence[Hashable] | NDArray[Any], n: int, seed: int) -> list[NDArray[np.intp]]:
    """Row indices of `n` bootstrap samples that draw whole groups (patients) with replacement."""
    if n < 1:
        raise InvalidArgumentError(f"n must be at least 1 bootstrap sample, got {n}")
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(member, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(member))[:-1])
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(rows), size=(n, len(rows)))
    if len(rows) == member.size:
        return list(order[draws])
    return [np.concatenate([rows[g] for g in draw]) for draw in draws]


def _bootstrap(
    statistic: Callable[..., float], arrays: Sequence[ArrayLike], groups: Any, n: int, seed: int
) -> NDArray[np.float64]:
    columns = [np.asarray(array) for array in arrays]
    lengths = {len(column) for column in columns} | ({len(groups)} if groups is not None else set())
    if len(lengths) != 1 or 0 in lengths:
        raise InvalidArgumentError(
            f"arrays and groups must have one length of at least 1, got {sorted(lengths)}: one entry per case"
        )
    members = np.arange(len(columns[0])) if groups is None else groups
    values = [statistic(*(column[rows] for column in columns)) for rows in _resamples(members, n, seed)]
    return np.asarray(values, dtype=np.float64)


def bootstrap_interval(
    statistic: Callable[..., float],
    *arrays: ArrayLike,
    groups: Sequence[Hashable] | NDArray[Any] | None = None,
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic over patients.

    Parameters
    ----------
    statistic
        Called as ``statistic(*resampled_arrays)``; returns one number.
    *arrays
        One entry per case along the first axis.
    groups
        Patient of each case: whole patients are drawn, so several cases of one patient stay together. None: each case
        is its own patient.
    n
        Number of bootstrap samples.
    seed
        Same seed, same interval.
    level
        Coverage, 0.95 as a rule.

    Returns
    -------
    low, high
        Samples in which the statistic is undefined (NaN) are left out; NaN where all are.
    """
    if not 0 < level < 1:
        raise InvalidArgumentError(f"level must lie between 0 and 1, got {level}")
    return _percentiles(_bootstrap(statistic, arrays, groups, n, seed), level)


def _percentiles(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if defined.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


@dataclass(frozen=True)
class PairedDifference:
    """Difference of one statistic between two routes on the same cases, first minus second."""

    value: float
    low: float
    high: float
    p_value: float


def paired_difference(
    statistic: Callable[[Any, Any], float],
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: Sequence[Hashable] | NDArray[Any] | None = None,
    n: int = 2000,
    seed: int = 0,
) -> PairedDifference:
    """Compare two sets of answers to the same cases: ``statistic(truth, first) - statistic(truth, second)``.

    Both are scored on the same resampled patients, so what they share cancels out. The two-sided p value is twice the
    smaller share of bootstrap differences on one side of 0, with one added to counts (Davison and Hinkley 1997, 4.2).

    Parameters
    ----------
    statistic
        Such as :func:`auc`.
    truth, first, second
        ``(n,)`` labels and the two sets of answers.
    groups, n, seed
        As in :func:`bootstrap_interval`.
    """

    def difference(labels: Any, one: Any, other: Any) -> float:
        return statistic(labels, one) - statistic(labels, other)

    value = difference(np.asarray(truth), np.asarray(first), np.asarray(second))
    values = _bootstrap(difference, (truth, first, second), groups, n, seed)
    low, high = _percentiles(values, 0.95)
    defined = values[~np.isnan(values)]
    tail = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return PairedDifference(value, low, high, float(min(1.0, 2.0 * (tail + 1) / (defined.size + 1))))
