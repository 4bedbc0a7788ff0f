"""Seeded growing: the arrival map of a front that starts at the foreground seeds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing.channels import GrowableImage, cut_channels, grid_of
from spinehub.growing.domain import SeedVoxels, box_around, distance_from, seed_voxels
from spinehub.growing.front import march
from spinehub.growing.growth import Growth
from spinehub.growing.slowness import slowness_field
from spinehub.growing.tolerance import border_curve, leak_tolerance, suggest_tolerance
from spinehub.series import ParametricMap
from spinehub.volume import Grid, Index, Position, Seed

__all__ = ["grow"]


def grow(
    image: GrowableImage, seeds: Sequence[Seed], *, reach_mm: float = 60.0, within_slice: bool = False
) -> Growth:
    """Grow a region from seeds, once, for every tolerance.

    Parameters
    ----------
    image
        Volume, parametric map, several maps on one grid, or a dynamic series.
    seeds
        At least one foreground seed; background seeds hold back the region on their side.
    reach_mm
        Largest straight distance from a foreground seed in mm, finite and above 0.
    within_slice
        Stay in the acquired slices of the foreground seeds.

    Returns
    -------
    Growth
        Arrival map and suggested tolerance.

    Raises
    ------
    InvalidArgumentError
        If the image is of another type, the reach is not a positive number, no seed is in the foreground, a seed
        lies outside the volume, or a foreground seed on a voxel without a value.
    GridMismatchError
        If maps lie on different grids.
    """
    grid = grid_of(image)
    if not np.isfinite(reach_mm) or reach_mm <= 0:
        raise InvalidArgumentError(f"reach_mm must be a finite number above 0, got {reach_mm}")
    voxels = seed_voxels(seeds, grid)
    box = box_around(voxels.foreground, grid, reach_mm)
    local = voxels.within(box)
    channels = cut_channels(image, box)
    _require_valid_seeds(channels, local.foreground, voxels.foreground)
    slowness = slowness_field(channels, grid.spacing_mm, local.foreground)
    slowness[distance_from(local.foreground, slowness.shape, grid.spacing_mm) > reach_mm] = np.inf
    for voxel in local.background:
        slowness[voxel] = np.inf
    arrival = _arrival(slowness, grid, local, within_slice)
    curve = border_curve(arrival, slowness, grid.spacing_mm)
    leak = leak_tolerance(curve)
    whole = np.full(grid.shape, np.inf, dtype=np.float32)
    whole[box] = arrival
    arrival_map = ParametricMap("arrival", "mm", whole, grid)
    return Growth(arrival_map, tuple(seeds), float(reach_mm), suggest_tolerance(curve, leak), leak)


def _require_valid_seeds(
    channels: NDArray[np.float32], local: Sequence[Index], on_image: Sequence[Index]
) -> None:
    for voxel, index in zip(local, on_image, strict=True):
        if not np.isfinite(channels[(slice(None), *voxel)]).all():
            raise InvalidArgumentError(
                f"seed {index} lies on a voxel without a value (NaN or infinite in the image); "
                "choose a voxel inside the tissue"
            )


def _arrival(
    slowness: NDArray[np.float32], grid: Grid, seeds: SeedVoxels, within_slice: bool
) -> NDArray[np.float32]:
    if not within_slice:
        return _compete(slowness, grid.spacing_mm, seeds)
    arrival = np.full_like(slowness, np.inf)
    axis = grid.slice_axis
    for position in sorted({voxel[axis] for voxel in seeds.foreground}):
        cut = (slice(None),) * axis + (slice(position, position + 1),)
        flat = SeedVoxels(_in_slice(seeds.foreground, axis, position), _in_slice(seeds.background, axis, position))
        arrival[cut] = _compete(slowness[cut], grid.spacing_mm, flat)
    return arrival


def _in_slice(voxels: Sequence[Index], axis: int, position: int) -> tuple[Index, ...]:
    kept = [list(voxel) for voxel in voxels if voxel[axis] == position]
    for voxel in kept:
        voxel[axis] = 0
    return tuple((voxel[0], voxel[1], voxel[2]) for voxel in kept)


def _compete(slowness: NDArray[np.float32], spacing_mm: Position, seeds: SeedVoxels) -> NDArray[np.float32]:
    """Front of the foreground on the voxels that the front of the background does not reach first."""
    arrival = march(slowness, spacing_mm, seeds.foreground)
    if not seeds.background:
        return arrival
    open_slowness = slowness.copy()
    for voxel in seeds.background:
        open_slowness[voxel] = 1.0
    held = march(open_slowness, spacing_mm, seeds.background) <= arrival
    # A second front on the own territory alone keeps every level set connected to a seed.
    return march(np.where(held, np.inf, slowness).astype(np.float32), spacing_mm, seeds.foreground)
