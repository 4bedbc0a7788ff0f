"""Seeded growing: the arrival map of a front that starts at the foreground seeds."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing.belief import believe
from spinehub.growing.channels import GrowableImage, cut_channels, grid_of
from spinehub.growing.domain import box_around, distance_from, seed_voxels
from spinehub.growing.growth import GrowingWarning, Growth
from spinehub.growing.limits import Limits
from spinehub.growing.plain import why_plain
from spinehub.growing.reached import reach
from spinehub.growing.scene import seen_mm
from spinehub.growing.shaping import shape_by_one
from spinehub.growing.territory import arrival_of
from spinehub.series import ParametricMap
from spinehub.volume import Index, Mask, Seed

__all__ = ["grow"]


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
    A front is marched from the seeds through a field of slowness (Sethian, PNAS 1996;93:1591), so that every level set
    is connected to a seed. Two things slow it. One is the likelihood ratio of the intensities under two smoothed joint
    histograms, of examples of the lesion and of its surroundings (the statistics of interactive segmentation by graph
    cuts, Boykov and Jolly, ICCV 2001). The other is the squared gradient beyond the usual one near the click (the
    stopping term of geodesic active contours, Caselles et al., Int J Comput Vis 1997;22:61): it closes borders between
    tissues that look alike, and is silent in noise.

    The size of the lesion is not known, so several are tried: the examples are a ball around the seeds and what lies
    beyond a radius; the level sets of all radii vote, and the votes give a probability that each voxel belongs to the
    lesion. The probability weighs the examples of the last march, and the suggested tolerance has the best expected
    overlap with it. A short reach states the size: what lies beyond it is then the example of the surroundings.
    Of several clicks the one that the others correct grows the region (:func:`spinehub.growing.shaping.shape_by_one`),
    and the others move its border next to them (:func:`spinehub.growing.correction.correct`); the arrival map fills
    that region first, so that the suggested tolerance gives it, and goes on from its border. Where that region flooded,
    or nothing contradicts it but clicks beside it that say where not to go, all clicks vote
    (:func:`spinehub.growing.belief.believe`). Nothing depends on the scale or offset of the
    intensities, and no parameter is set per case.
    `benchmarks/growing_real_tumours.md` has the comparison.

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
    part = limits.cut(box_around(voxels.foreground, grid, max(reach_mm, seen_mm(reach_mm))), grid)
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
        arrival, suggested = arrival_of(even, grid, local, within_slice), 0.0
    else:
        reached = shape_by_one(channels, within, local, grid, part, reach_mm, within_slice)
        if reached is None:
            belief = believe(channels, within, distance, local, grid, reach_mm, within_slice)
            reached = reach(belief, grid, part, local, within_slice)
        arrival, suggested, leak = reached.arrival, reached.tolerance, reached.leak
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


def _require_valid_seeds(channels: NDArray[np.float32], local: Sequence[Index], on_image: Sequence[Index]) -> None:
    for voxel, index in zip(local, on_image, strict=True):
        if not np.isfinite(channels[(slice(None), *voxel)]).all():
            raise InvalidArgumentError(
                f"seed {index} lies on a voxel without a value (NaN or infinite in the image); "
                "choose a voxel inside the tissue"
            )
