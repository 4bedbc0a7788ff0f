"""Seeded growing: the arrival map of a front that starts at the foreground seeds."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing.channels import GrowableImage, cut_channels, grid_of
from spinehub.growing.domain import SeedVoxels, box_around, distance_from, seed_voxels
from spinehub.growing.evidence import Palette, log_ratio, principal_channels, slowness_of
from spinehub.growing.front import march
from spinehub.growing.growth import GrowingWarning, Growth
from spinehub.growing.leak import find_leak
from spinehub.growing.limits import Limits
from spinehub.growing.plain import why_plain
from spinehub.growing.tolerance import suggest_tolerance
from spinehub.series import ParametricMap
from spinehub.volume import Grid, Index, Mask, Position, Seed

__all__ = ["grow"]

_SEED_BALL_MM = 6.0
"""Voxels this near a seed are the first examples of the lesion (or of its surroundings, for background seeds)."""
_FAR_MM = 25.0
"""From here on a voxel counts in full as a first example of the surroundings."""
_AROUND_MM = 40.0
"""Intensities within this distance set the range of the histogram bins."""
_ROUNDS = 2


def grow(
    image: GrowableImage,
    seeds: Sequence[Seed],
    *,
    reach_mm: float = 60.0,
    within_slice: bool = False,
    intensity_range: tuple[float, float] | None = None,
    box: tuple[Index, Index] | None = None,
    keep_out: Mask | None = None,
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
    intensity_range, box, keep_out
        Limits, see :class:`spinehub.growing.Limits`: lowest and highest intensity allowed (of a series, of the mean
        of its frames after the baseline; of several maps, of the first); two opposite corners as voxel indices,
        both inside; a mask not to enter.

    Returns
    -------
    Growth
        Arrival map and suggested tolerance. Where nothing tells the lesion from its surroundings (a constant
        region, fewer than 27 voxels within reach and limits) the suggested tolerance is 0, the seeds alone,
        :attr:`Growth.warning` says why, and so does a :class:`GrowingWarning`.

    Notes
    -----
    Each voxel's slowness follows the likelihood ratio of its intensities under two smoothed joint histograms, one of
    examples of the lesion and one of its surroundings (the statistics of interactive segmentation by graph cuts, Boykov
    and Jolly, ICCV 2001). The first examples are a ball around the foreground seeds and what lies far from them; the
    region found with these gives the examples of the second and last round. A front marched through that slowness
    (Sethian, PNAS 1996;93:1591) keeps every level set connected to a seed. Nothing depends on the scale or offset of
    the intensities, and no parameter is set per case.

    Raises
    ------
    InvalidArgumentError
        If the image is of another type, the reach is not a positive number, no seed is in the foreground, a seed
        lies outside the volume, or a foreground seed on a voxel without a value or outside a limit.
    GridMismatchError
        If maps, or the mask `keep_out`, lie on different grids.
    """
    grid = grid_of(image)
    if not np.isfinite(reach_mm) or reach_mm <= 0:
        raise InvalidArgumentError(f"reach_mm must be a finite number above 0, got {reach_mm}")
    limits = Limits(intensity_range, box, keep_out)
    voxels = seed_voxels(seeds, grid)
    part = limits.cut(box_around(voxels.foreground, grid, reach_mm), grid)
    limits.require_seeds(image, voxels.foreground)
    local = voxels.within(part)
    channels = cut_channels(image, part)
    _require_valid_seeds(channels, local.foreground, voxels.foreground)
    distance = distance_from(local.foreground, channels.shape[1:], grid.spacing_mm)
    within = np.isfinite(channels).all(axis=0) & (distance <= reach_mm)
    allowed = limits.allowed(image, part)
    within = within if allowed is None else within & allowed
    leak, warning = None, why_plain(channels, within, distance, grid, reach_mm)
    if warning is not None:
        warnings.warn(warning, GrowingWarning, stacklevel=2)
        even = np.where(within, 1.0, np.inf).astype(np.float32)
        arrival, suggested = _arrival(even, grid, local, within_slice), 0.0
    else:
        arrival, evidence, suggested = _grown(channels, within, distance, local, grid, within_slice)
        leak = find_leak(arrival, evidence > 0.0, grid, part, suggested)
        if leak is not None and leak.tolerance <= suggested:  # the region came through a neck: stay before it
            before = np.where(arrival < np.float32(leak.tolerance), arrival, np.inf).astype(np.float32)
            suggested = suggest_tolerance(before, evidence, grid.spacing_mm)
    whole = np.full(grid.shape, np.inf, dtype=np.float32)
    whole[part] = arrival
    domain = np.zeros(grid.shape, dtype=bool)
    domain[part] = within
    return Growth(
        ParametricMap("arrival", "mm", whole, grid),
        tuple(seeds),
        float(reach_mm),
        suggested,
        leak_tolerance=None if leak is None else leak.tolerance,
        leak=leak,
        limits=limits,
        within_slice=within_slice,
        domain=Mask(domain, grid),
        warning=warning,
    )


def _grown(
    channels: NDArray[np.float32],
    within: NDArray[np.bool_],
    distance: NDArray[np.float32],
    local: SeedVoxels,
    grid: Grid,
    within_slice: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Arrival and evidence inside the box around the seeds, and the suggested tolerance."""
    around = within & (distance <= _AROUND_MM)
    palette = Palette.of(principal_channels(channels, around), around, grid.spacing_mm)
    inside, outside = _first_examples(distance, within, local, grid)
    for _ in range(_ROUNDS):
        evidence = log_ratio(palette, inside, outside)
        slowness = np.where(within, slowness_of(evidence), np.inf).astype(np.float32)
        arrival = _arrival(slowness, grid, local, within_slice)
        suggested = suggest_tolerance(arrival, evidence, grid.spacing_mm)
        # What was found describes the lesion better than a ball around the click does.
        inside = (arrival <= suggested).astype(np.float32)
        outside = (within & (arrival > suggested)).astype(np.float32)
    return arrival, evidence, suggested


def _require_valid_seeds(channels: NDArray[np.float32], local: Sequence[Index], on_image: Sequence[Index]) -> None:
    for voxel, index in zip(local, on_image, strict=True):
        if not np.isfinite(channels[(slice(None), *voxel)]).all():
            raise InvalidArgumentError(
                f"seed {index} lies on a voxel without a value (NaN or infinite in the image); "
                "choose a voxel inside the tissue"
            )


def _first_examples(
    distance: NDArray[np.float32], within: NDArray[np.bool_], seeds: SeedVoxels, grid: Grid
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights of the voxels as examples of the lesion and of its surroundings, before anything is known."""
    inside = np.clip(_SEED_BALL_MM + 1.0 - distance, 0.0, 1.0) * within
    outside = np.clip(distance / _FAR_MM, 0.0, 1.0) ** 3 * within
    if seeds.background:
        from_background = distance_from(seeds.background, distance.shape, grid.spacing_mm)
        held = np.clip(_SEED_BALL_MM + 1.0 - from_background, 0.0, 1.0) * within * (from_background < distance)
        inside = inside * (from_background > distance)
        outside = outside + held * float(outside.sum() / max(held.sum(), 1.0))
    return inside.astype(np.float32), outside.astype(np.float32)


def _arrival(slowness: NDArray[np.float32], grid: Grid, seeds: SeedVoxels, within_slice: bool) -> NDArray[np.float32]:
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
