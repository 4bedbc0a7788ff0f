"""The tolerance to start from, and the one at which a region leaks."""

import numpy as np
from numpy.typing import NDArray

from spinehub.volume import Position

__all__ = ["leak_tolerance", "suggest_tolerance"]

_LEVELS = 256
_EVIDENCE_BOUND = 3.0
_SIZE_POWER = 0.3
"""0 would reward every likely voxel alike, 1 only the mean evidence; between them the border is found."""
_USUAL_RADIUS_MM, _RADIUS_SPREAD = 12.0, 2.0
"""A mild prior on size: one spread is a factor of e^2 in radius."""
_SMALLEST_MM3 = 100.0
_JUMP = 4.0
_FEWEST_STEPS = 8


def _levels(arrival: NDArray[np.float32]) -> NDArray[np.float64]:
    """Tolerances ``(N,)`` spaced evenly in the region's radius."""
    finite = np.sort(arrival[np.isfinite(arrival)]).astype(np.float64)
    ranks = np.linspace(1.0, finite.size ** (1 / 3), _LEVELS) ** 3
    return np.unique(finite[np.minimum(ranks.astype(int), finite.size) - 1])


def _sums(
    arrival: NDArray[np.float32], tolerances: NDArray[np.float64], weights: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """Sum of the weights (or count) of the voxels within each tolerance."""
    level = np.searchsorted(tolerances, arrival.astype(np.float64)).ravel()
    flat = None if weights is None else weights.ravel()
    return np.cumsum(np.bincount(level, flat, tolerances.size + 1)[: tolerances.size])


def suggest_tolerance(arrival: NDArray[np.float32], evidence: NDArray[np.float32], spacing_mm: Position) -> float:
    """Tolerance whose region gathers the most evidence for its size.

    Parameters
    ----------
    arrival
        ``(i, j, k)`` float32, ``+inf`` where never reached.
    evidence
        Log likelihood ratio of each voxel, see :func:`spinehub.growing.evidence.log_ratio`.
    spacing_mm
        Voxel spacing in mm.
    """
    tolerances = _levels(arrival)
    voxel_mm3 = float(np.prod(spacing_mm))
    volume = voxel_mm3 * _sums(arrival, tolerances)
    gathered = voxel_mm3 * _sums(arrival, tolerances, np.clip(evidence, -_EVIDENCE_BOUND, _EVIDENCE_BOUND))
    radius = np.cbrt(volume * 3.0 / (4.0 * np.pi))
    score = np.log(np.maximum(gathered / volume**_SIZE_POWER, 1e-2))
    score -= 0.5 * (np.log(radius / _USUAL_RADIUS_MM) / _RADIUS_SPREAD) ** 2
    allowed = volume >= min(_SMALLEST_MM3, float(volume[-1]))
    return float(tolerances[int(np.argmax(np.where(allowed, score, -np.inf)))])


def leak_tolerance(arrival: NDArray[np.float32], spacing_mm: Position, above: float) -> float | None:
    """Tolerance at which the region, grown beyond `above`, jumps in size; None where it never does.

    A jump is where the radius of a sphere of the region's volume grows at least four times faster than before.
    """
    tolerances = _levels(arrival)
    beyond = np.flatnonzero(tolerances[:-1] > above)
    if beyond.size < _FEWEST_STEPS:
        return None
    radius = np.cbrt(_sums(arrival, tolerances) * float(np.prod(spacing_mm)))
    rate = np.diff(radius) / np.maximum(np.diff(tolerances), 1e-9)
    worst = int(beyond[np.argmax(rate[beyond])])
    before = rate[max(0, worst - 32) : worst + 1]
    return float(tolerances[worst]) if rate[worst] > _JUMP * np.median(before) else None
