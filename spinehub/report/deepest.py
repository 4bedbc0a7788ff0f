"""The deepest voxel of a mask."""

import numpy as np
from scipy import ndimage

from spinehub.errors import InvalidArgumentError
from spinehub.volume import Index, Mask

__all__ = ["deepest_voxel"]


def deepest_voxel(mask: Mask) -> Index:
    """Voxel of a mask farthest from its edge in mm: where a reader would click.

    Raises
    ------
    InvalidArgumentError
        If the mask is empty.
    """
    if mask.is_empty:
        raise InvalidArgumentError("mask must hold at least one voxel to have a deepest one, got an empty mask")
    box = ndimage.find_objects(mask.voxels.astype(np.uint8))[0]
    # A border of background, so that the edge of the volume is an edge too.
    inside = np.pad(mask.voxels[box], 1)
    depth = ndimage.distance_transform_edt(inside, sampling=mask.grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    place = np.unravel_index(int(np.argmax(depth)), depth.shape)
    i, j, k = (int(n) + part.start for n, part in zip(place, box, strict=True))
    return i, j, k
