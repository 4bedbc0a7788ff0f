"""Regions that hold nothing to grow on: too few voxels, or all of one value."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.volume import Grid

__all__ = ["FEWEST_VOXELS", "why_plain"]

FEWEST_VOXELS = 27
"""Fewer voxels than this (a cube of three) hold no statistics of a lesion and of its surroundings."""
_TOUCH_MM = 3.0
"""Voxels this near a seed must be equal before the rest is looked at."""


def why_plain(
    channels: NDArray[np.float32],
    within: NDArray[np.bool_],
    distance: NDArray[np.float32],
    grid: Grid,
    reach_mm: float,
) -> str | None:
    """Say why no border can be found, None where one can.

    Parameters
    ----------
    channels
        ``(C, i, j, k)`` values in the box around the seeds.
    within
        ``(i, j, k)`` bool, where the region may go.
    distance
        ``(i, j, k)`` from the nearest foreground seed in mm.
    grid
        For the voxel spacing.
    reach_mm
        Reach of the growing.

    Notes
    -----
    A region of one value counts as plain where it fills all there is or runs on to the reach (padding, air): its border
    would be an artefact. A region of one value that ends before is a noiseless object and is grown as any other.
    """
    count = int(np.count_nonzero(within))
    if count < FEWEST_VOXELS:
        return (
            f"only {count} voxels lie within reach and limits of the seeds (at least {FEWEST_VOXELS} are needed), "
            "so the region is the seeds alone; raise reach_mm or widen the limits"
        )
    equal = _equal_to_seeds(channels, within, distance, max(_TOUCH_MM, min(grid.spacing_mm)))
    if equal is None:
        return None
    if equal[within].all() or _runs_on(equal, distance, reach_mm - max(grid.spacing_mm)):
        return (
            "the image has one and the same value around the seeds, so no border can be found and the region is the "
            "seeds alone; click inside tissue"
        )
    return None


def _equal_to_seeds(
    channels: NDArray[np.float32], within: NDArray[np.bool_], distance: NDArray[np.float32], near_mm: float
) -> NDArray[np.bool_] | None:
    """Voxels equal to the seeds in every channel; None where voxels near a seed differ, as in any real image."""
    seeds = distance == 0.0
    value = channels[:, seeds][:, :1]
    near = within & (distance <= near_mm)
    if (channels[:, near] != value).any():
        return None
    return within & (channels == value[:, :, None, None]).all(axis=0)


def _runs_on(equal: NDArray[np.bool_], distance: NDArray[np.float32], far_mm: float) -> bool:
    """Whether the connected voxels of one value around the seeds come as far as `far_mm`."""
    parts, _ = ndimage.label(equal)
    own = np.unique(parts[(distance == 0.0) & equal])
    return bool((distance[np.isin(parts, own[own > 0])] > far_mm).any())
