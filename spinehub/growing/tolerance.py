"""The tolerance to start from, and the one at which a region leaks."""

import numpy as np
from numpy.typing import NDArray

from spinehub.volume import Position

__all__ = ["leak_tolerance", "overlap_odds", "suggest_tolerance"]

_LEVELS = 256
_FIND_MORE = 1.3
"""Weight of sensitivity against precision (the beta of the F-measure)."""
_JUMP = 4.0
_FEWEST_STEPS = 8
_SUREST = 1000.0
"""Odds are limited to this: without a doubt they are infinite, and none could be told from another."""


def _levels(finite: NDArray[np.float32]) -> NDArray[np.float64]:
    """Tolerances ``(N,)`` spaced evenly in the region's radius, of sorted arrivals."""
    ranks = np.linspace(1.0, finite.size ** (1 / 3), _LEVELS) ** 3
    return np.unique(finite[np.minimum(ranks.astype(int), finite.size) - 1].astype(np.float64))


def suggest_tolerance(arrival: NDArray[np.float32], probability: NDArray[np.float32]) -> float:
    """Tolerance of the region with the best expected overlap with the lesion.

    The overlap is the F-measure of the region against the probabilities; finding more counts a little more than
    finding little else, since experts draw the border on the far side of an edge and a front stalls on the near one.

    Parameters
    ----------
    arrival
        ``(i, j, k)`` float32, ``+inf`` where never reached.
    probability
        ``(i, j, k)`` float32, how likely each voxel belongs to the lesion.
    """
    reached = np.isfinite(arrival)
    times = arrival[reached]
    # Non-negative floats order as their bits: sorted with the place behind, they give a stable order in a fifth of the
    # time of a stable argsort.
    keys = np.sort((times.view(np.uint32).astype(np.uint64) << np.uint64(32)) | np.arange(times.size, dtype=np.uint64))
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.intp)
    found = np.cumsum(probability[reached][order], dtype=np.float64)
    overlap = found / (np.arange(1.0, found.size + 1.0) + _FIND_MORE**2 * float(probability.sum()))
    return float(times[order[int(np.argmax(overlap))]])


def overlap_odds(region: NDArray[np.bool_], probability: NDArray[np.float32]) -> float:
    """Odds of the expected Dice of a region that is not empty, as ``D / (1 - D)``; at most 1000.

    Parameters
    ----------
    region
        ``(i, j, k)`` bool.
    probability
        ``(i, j, k)`` float32, how likely each voxel belongs to the lesion.
    """
    shared = 2.0 * float(probability[region].sum(dtype=np.float64))
    rest = float(probability.sum(dtype=np.float64)) + float(np.count_nonzero(region)) - shared
    return shared / max(rest, shared / _SUREST)


def leak_tolerance(arrival: NDArray[np.float32], spacing_mm: Position, above: float) -> float | None:
    """Tolerance at which the region, grown beyond `above`, jumps in size; None where it never does.

    A jump is where the radius of a sphere of the region's volume grows at least four times faster than before.
    """
    finite = np.sort(arrival[np.isfinite(arrival)])
    tolerances = _levels(finite)
    beyond = np.flatnonzero(tolerances[:-1] > above)
    if beyond.size < _FEWEST_STEPS:
        return None
    counts = np.searchsorted(finite, tolerances.astype(np.float32), side="right")
    radius = np.cbrt(counts * float(np.prod(spacing_mm)))
    rate = np.diff(radius) / np.maximum(np.diff(tolerances), 1e-9)
    worst = int(beyond[np.argmax(rate[beyond])])
    before = rate[max(0, worst - 32) : worst + 1]
    return float(tolerances[worst]) if rate[worst] > _JUMP * np.median(before) else None
