"""Why a voxel is not in the region: the way to it, its weakest link, and the tolerance it needs."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import ndimage

from spinehub.errors import InvalidArgumentError
from spinehub.growing.descent import way_back
from spinehub.growing.domain import seed_voxels
from spinehub.growing.growth import Growth
from spinehub.volume import Index, Position

__all__ = ["GrowthPath", "Unreached", "path_to"]

Unreached: TypeAlias = Literal[
    "beyond_reach", "other_slice", "outside_box", "kept_out", "no_value", "background_seed", "cut_off"
]
"""Why no tolerance includes a voxel."""

_SENTENCES: dict[Unreached, str] = {
    "beyond_reach": "it lies farther than the reach of {reach:g} mm from every foreground seed",
    "other_slice": "the region stays within the slices of the foreground seeds",
    "outside_box": "it lies outside the box the region stays in",
    "kept_out": "it lies in the mask the region does not enter",
    "no_value": "it has no value, or one outside the intensity range",
    "background_seed": "a background seed holds it",
    "cut_off": "no way leads to it that stays within reach and limits",
}


@dataclass(frozen=True)
class GrowthPath:
    """The way from a seed to a voxel.

    Parameters
    ----------
    index
        The voxel.
    tolerance
        Tolerance of the region that is asked about, in mm of arrival.
    needed_tolerance
        Smallest tolerance that includes the voxel, None where none does.
    voxels
        From a foreground seed to the voxel, each a face neighbour of the one before; empty where it is not reached.
    weakest_link, weakest_link_mm
        Voxel of the way, and its position in mm (RAS+), at whose entry arrival rises most per mm; None where the way
        is empty or the voxel is a seed.
    steepest_rise
        How much arrival rises there, in mm of arrival per mm; None where there is no weakest link.
    unreached
        Why no tolerance includes the voxel; None where one does.
    reach_mm
        Reach of the growing.
    """

    index: Index
    tolerance: float
    needed_tolerance: float | None
    voxels: tuple[Index, ...] = ()
    weakest_link: Index | None = None
    weakest_link_mm: Position | None = None
    steepest_rise: float | None = None
    unreached: Unreached | None = None
    reach_mm: float = np.inf

    @property
    def inside(self) -> bool:
        """Whether the region holds the voxel at the tolerance asked about."""
        return self.needed_tolerance is not None and self.needed_tolerance <= self.tolerance

    def sentence(self) -> str:
        """Say in words whether the voxel is in the region, and if not, why."""
        if self.unreached is not None:
            why = _SENTENCES[self.unreached].format(reach=self.reach_mm)
            return f"No tolerance includes voxel {self.index}: {why}."
        if self.weakest_link is None or self.weakest_link_mm is None:
            return f"Voxel {self.index} is a foreground seed."
        place = ", ".join(f"{value:.1f}" for value in self.weakest_link_mm)
        weakest = f"the weakest link of the way to it is at voxel {self.weakest_link}, ({place}) mm"
        if self.inside:
            return f"Voxel {self.index} is in the region from tolerance {self.needed_tolerance:.4g} on; {weakest}."
        return (
            f"Voxel {self.index} is not in the region: it needs a tolerance of {self.needed_tolerance:.4g}, and "
            f"{self.tolerance:.4g} is used; {weakest}."
        )


def path_to(growth: Growth, index: Index, *, tolerance: float | None = None) -> GrowthPath:
    """Follow the front from a seed to a voxel.

    Parameters
    ----------
    growth
        The growing.
    index
        Voxel ``(i, j, k)``, in the region or not.
    tolerance
        Tolerance of the region, in mm of arrival; None: the suggested one.

    Returns
    -------
    GrowthPath
        The steepest descent of the arrival map from the voxel, turned round: a front by fast marching enters every
        voxel from a face neighbour that it reached before.

    Raises
    ------
    InvalidArgumentError
        If the voxel lies outside the volume.
    """
    grid, arrival = growth.arrival.grid, growth.arrival.values
    if not grid.contains(index):
        last = tuple(n - 1 for n in grid.shape)
        raise InvalidArgumentError(f"index must lie inside the volume, from (0, 0, 0) to {last}, got {index}")
    used = growth.suggested_tolerance if tolerance is None else float(tolerance)
    if not np.isfinite(arrival[index]):
        return GrowthPath(index, used, None, unreached=_why_unreached(growth, index), reach_mm=growth.reach_mm)
    way = way_back(arrival, index)[::-1]
    needed = float(arrival[index])
    if len(way) == 1:
        return GrowthPath(index, used, needed, tuple(way), reach_mm=growth.reach_mm)
    times = np.array([arrival[voxel] for voxel in way], dtype=np.float64)
    rises = np.diff(times) / (np.abs(np.diff(way, axis=0)) @ np.asarray(grid.spacing_mm))
    steepest = int(np.argmax(rises))
    link = way[steepest + 1]
    return GrowthPath(
        index,
        used,
        needed,
        voxels=tuple(way),
        weakest_link=link,
        weakest_link_mm=grid.position_of(link),
        steepest_rise=float(rises[steepest]),
        reach_mm=growth.reach_mm,
    )


def _why_unreached(growth: Growth, index: Index) -> Unreached:
    grid, limits = growth.arrival.grid, growth.limits
    seeds = seed_voxels(growth.seeds, grid)
    offsets = (np.asarray(seeds.foreground) - np.asarray(index)) * np.asarray(grid.spacing_mm)
    if np.linalg.norm(offsets, axis=1).min() > growth.reach_mm:
        return "beyond_reach"
    if growth.within_slice and index[grid.slice_axis] not in {voxel[grid.slice_axis] for voxel in seeds.foreground}:
        return "other_slice"
    if limits.box is not None and not all(low <= n <= high for n, low, high in zip(index, *limits.box, strict=True)):
        return "outside_box"
    if limits.keep_out is not None and limits.keep_out.voxels[index]:
        return "kept_out"
    if index in seeds.background:
        return "background_seed"
    if growth.domain is not None and not growth.domain.voxels[index]:
        return "no_value"
    return "background_seed" if seeds.background and _connected(growth, index, seeds.foreground) else "cut_off"


def _connected(growth: Growth, index: Index, foreground: tuple[Index, ...]) -> bool:
    """Whether a way that stays within reach and limits leads from a foreground seed to a voxel."""
    if growth.domain is None:
        return True
    parts, _ = ndimage.label(growth.domain.voxels)
    return bool(parts[index]) and any(parts[voxel] == parts[index] for voxel in foreground)
