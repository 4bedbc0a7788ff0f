"""Where a user would click: near the deepest point of a lesion, never quite the same place."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from spinehub.errors import InvalidArgumentError
from spinehub.volume import Mask, Seed

__all__ = ["simulated_click"]

_DEPTH_SHARE = 0.7
"""A click falls anywhere at least this share of the largest depth under the surface."""


def simulated_click(mask: Mask, rng: np.random.Generator) -> Seed:
    """Draw one foreground seed inside a lesion.

    Parameters
    ----------
    mask
        The true lesion.
    rng
        Draws among the voxels whose distance to the surface, in mm, is at least 0.7 of the largest one.

    Raises
    ------
    InvalidArgumentError
        If the mask is empty.
    """
    if mask.is_empty:
        raise InvalidArgumentError("mask must hold at least one voxel to be clicked, got an empty mask")
    # A border of background, so that the edge of the volume is a surface too.
    depth = distance_transform_edt(np.pad(mask.voxels, 1), sampling=mask.grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    deep = np.argwhere(depth >= _DEPTH_SHARE * depth.max())
    i, j, k = deep[int(rng.integers(len(deep)))]
    return Seed.at_index((int(i), int(j), int(k)), mask.grid)
