"""The tolerance to start from, and the one at which a region leaks."""

import numpy as np
from numpy.typing import NDArray

from spinehub.volume import Position

__all__ = ["leak_tolerance", "suggest_tolerance"]

_LEVELS = 256
_FIND_MORE = 1.3
"""Weight of sensitivity against precision (the beta of the F-measure)."""
_JUMP = 4.0
_FEWEST_STEPS = 8


def _levels(arrival: NDArray[np.float32]) -> NDArray[np.float64]:
    """Tolerances ``(N,)`` spaced evenly in the region's radius."""
    finite = np.sort(arrival[np.isfinite(arrival)]).astype(np.float64)
    ranks = np.linspace(1.0, finite.size ** (1 / 3), _LEVELS) ** 3
    return np.unique(finite[np.minimum(ranks.astype(int), finite.size) - 1])


def _counts(arrival: NDArray[np.float32], tolerances: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the voxels within each tolerance."""
    level = np.searchsorted(tolerances, arrival.astype(np.float64)).ravel()
    return np.cumsum(np.bincount(level, minlength=tolerances.size + 1)[: tolerances.size])


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
    order = np.argsort(times, kind="stable")
    found = np.cumsum(probability[reached][order], dtype=np.float64)
    overlap = found / (np.arange(1.0, found.size + 1.0) + _FIND_MORE**2 * float(probability.sum()))
    return float(times[order[int(np.argmax(overlap))]])


def leak_tolerance(arrival: NDArray[np.float32], spacing_mm: Position, above: float) -> float | None:
    """Tolerance at which the region, grown beyond `above`, jumps in size; None where it never does.

    A jump is where the radius of a sphere of the region's volume grows at least four times faster than before.
    """
    tolerances = _levels(arrival)
    beyond = np.flatnonzero(tolerances[:-1] > above)
    if beyond.size < _FEWEST_STEPS:
        return None
    radius = np.cbrt(_counts(arrival, tolerances) * float(np.prod(spacing_mm)))
    rate = np.diff(radius) / np.maximum(np.diff(tolerances), 1e-9)
    worst = int(beyond[np.argmax(rate[beyond])])
    before = rate[max(0, worst - 32) : worst + 1]
    return float(tolerances[worst]) if rate[worst] > _JUMP * np.median(before) else None
