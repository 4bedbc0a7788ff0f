"""Where the front of the foreground arrives, and when: background seeds hold their side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing.domain import SeedVoxels
from spinehub.growing.front import march
from spinehub.volume import Grid, Index, Position

__all__ = ["arrival_around", "arrival_of"]


def arrival_of(slowness: NDArray[np.float32], grid: Grid, seeds: SeedVoxels, within_slice: bool) -> NDArray[np.float32]:
    """Arrival ``(i, j, k)`` float32 of the front of the foreground seeds on the voxels it reaches first.

    Parameters
    ----------
    slowness
        ``(i, j, k)`` float32 in a box, ``+inf`` where the front cannot enter.
    grid
        Grid of the image, for its spacing and slice axis.
    seeds
        Seeds counted from the corner of the box.
    within_slice
        Stay in the acquired slices of the foreground seeds.
    """
    if not within_slice:
        return _compete(slowness, grid.spacing_mm, seeds)
    arrival = np.full_like(slowness, np.inf)
    axis = grid.slice_axis
    for position in sorted({voxel[axis] for voxel in seeds.foreground}):
        cut = (slice(None),) * axis + (slice(position, position + 1),)
        flat = SeedVoxels(_in_slice(seeds.foreground, axis, position), _in_slice(seeds.background, axis, position))
        arrival[cut] = _compete(slowness[cut], grid.spacing_mm, flat)
    return arrival


def arrival_around(
    region: NDArray[np.bool_], slowness: NDArray[np.float32], grid: Grid, seeds: SeedVoxels, within_slice: bool
) -> tuple[NDArray[np.float32], float]:
    """Arrival of a front that fills a region before it leaves it, and the tolerance at which the region is full.

    Parameters
    ----------
    region
        ``(i, j, k)`` bool, holds the foreground seeds; what is not connected to one is left out.
    slowness, grid, seeds, within_slice
        As in :func:`arrival_of`. Background seeds compete for what lies outside the region.
    """
    closed = np.where(region, slowness, np.inf).astype(np.float32)
    arrival = arrival_of(closed, grid, SeedVoxels(seeds.foreground, ()), within_slice)
    filled = np.isfinite(arrival)
    full = arrival[filled].max()
    border = filled & ndimage.binary_dilation(~filled)
    starts = tuple((int(i), int(j), int(k)) for i, j, k in np.argwhere(border if border.any() else filled))
    open_ = np.where(filled & ~border, np.inf, slowness).astype(np.float32)
    beyond = arrival_of(open_, grid, SeedVoxels(starts, seeds.background), within_slice)
    return np.where(filled, arrival, full + beyond).astype(np.float32), float(full)


def _in_slice(voxels: Sequence[Index], axis: int, position: int) -> tuple[Index, ...]:
    kept = [list(voxel) for voxel in voxels if voxel[axis] == position]
    for voxel in kept:
        voxel[axis] = 0
    return tuple((voxel[0], voxel[1], voxel[2]) for voxel in kept)


def _compete(slowness: NDArray[np.float32], spacing_mm: Position, seeds: SeedVoxels) -> NDArray[np.float32]:
    if not seeds.background:
        return march(slowness, spacing_mm, seeds.foreground)
    blocked = slowness.copy()
    for voxel in seeds.background:
        blocked[voxel] = np.inf
    arrival = march(blocked, spacing_mm, seeds.foreground)
    open_slowness = slowness.copy()
    for voxel in seeds.background:
        open_slowness[voxel] = 1.0
    held = march(open_slowness, spacing_mm, seeds.background) <= arrival
    # A second front on the own territory alone keeps every level set connected to a seed.
    return march(np.where(held, np.inf, slowness).astype(np.float32), spacing_mm, seeds.foreground)
