"""The tolerance to start from, and the one at which a region leaks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.volume import Position

__all__ = ["BorderCurve", "border_curve", "leak_tolerance", "suggest_tolerance"]

_LEVELS = 256


@dataclass(frozen=True, eq=False)
class BorderCurve:
    """How volume and border change with the tolerance; all ``(N,)`` float64.

    Parameters
    ----------
    tolerances
        Rising tolerances in mm of arrival.
    volume_mm3
        Volume of the region.
    area_mm2
        Area of the voxel faces between the region and its outside.
    strength
        Mean slowness of the border: 1 in plain tissue, more on edges.
    """

    tolerances: NDArray[np.float64]
    volume_mm3: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    strength: NDArray[np.float64]


def border_curve(
    arrival: NDArray[np.float32], slowness: NDArray[np.float32], spacing_mm: Position
) -> BorderCurve:
    """Volume, border area and border strength at tolerances spaced evenly in the region's radius."""
    finite = np.sort(arrival[np.isfinite(arrival)]).astype(np.float64)
    ranks = np.linspace(1.0, finite.size ** (1 / 3), _LEVELS) ** 3
    tolerances = np.unique(finite[np.minimum(ranks.astype(int), finite.size) - 1])
    # Where the region meets the edge of the image or of the reach its border counts as plain tissue.
    level = np.pad(np.searchsorted(tolerances, arrival), 1, constant_values=tolerances.size)
    counts = np.cumsum(np.bincount(level.ravel(), minlength=tolerances.size + 1)[: tolerances.size])
    voxel_mm3 = float(np.prod(spacing_mm))
    area = np.zeros(tolerances.size + 1)
    total = np.zeros(tolerances.size + 1)
    cost = np.pad(np.where(np.isfinite(slowness), slowness, 1.0), 1, constant_values=1.0)
    for axis, step in enumerate(spacing_mm):
        one, two = _neighbours(level, axis)
        cost_one, cost_two = _neighbours(cost, axis)
        low, high = np.minimum(one, two).ravel(), np.maximum(one, two).ravel()
        face = voxel_mm3 / step
        weight = (face * 0.5 * (cost_one + cost_two)).ravel()
        area += face * (np.bincount(low, minlength=area.size) - np.bincount(high, minlength=area.size))
        total += np.bincount(low, weight, area.size) - np.bincount(high, weight, area.size)
    area, total = np.cumsum(area)[:-1], np.cumsum(total)[:-1]
    strength = np.divide(total, area, out=np.ones_like(total), where=area > 0.5 * voxel_mm3 / max(spacing_mm))
    return BorderCurve(tolerances, counts * voxel_mm3, area, strength)


def _neighbours(values: NDArray[np.generic], axis: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    moved = np.moveaxis(values, axis, 0)
    return moved[:-1], moved[1:]


def leak_tolerance(curve: BorderCurve) -> float | None:
    """Tolerance of the largest jump of the volume curve: None where no step more than doubles the region."""
    radius = np.cbrt(curve.volume_mm3)
    step = np.diff(curve.tolerances)
    if step.size < 8:
        return None
    rate = np.diff(radius) / np.maximum(step, 1e-9)
    grown = curve.volume_mm3[:-1] > curve.volume_mm3[-1] / 1000
    if not grown.any():
        return None
    worst = int(np.argmax(np.where(grown, rate, 0.0)))
    before = rate[max(0, worst - 32) : worst + 1]
    return float(curve.tolerances[worst]) if rate[worst] > 4 * np.median(before) else None


def suggest_tolerance(curve: BorderCurve, leak: float | None) -> float:
    """Tolerance below the leak whose border lies on the strongest edges for its size."""
    radius = np.cbrt(curve.volume_mm3 * 3 / (4 * np.pi))
    score = curve.strength * np.exp(-0.5 * (np.log(np.maximum(radius, 1e-3) / 18.0) / 1.0) ** 2)
    if leak is not None:
        score = np.where(curve.tolerances < leak, score, -1.0)
    return float(curve.tolerances[int(np.argmax(score))])
