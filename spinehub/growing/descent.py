"""The way a front came: from a voxel back to its seed."""

import numpy as np
from numpy.typing import NDArray

from spinehub.volume import Index

__all__ = ["way_back"]


def way_back(arrival: NDArray[np.float32], index: Index) -> list[Index]:
    """Voxels from `index` down to a foreground seed, each the earliest face neighbour of the one before.

    Parameters
    ----------
    arrival
        ``(I, J, K)`` float32, see :class:`spinehub.growing.Growth`.
    index
        A voxel of finite arrival.
    """
    way = [index]
    while True:
        here = way[-1]
        earliest = min(_face_neighbours(here, arrival.shape), key=lambda voxel: float(arrival[voxel]), default=here)
        if not arrival[earliest] < arrival[here]:
            return way
        way.append(earliest)


def _face_neighbours(index: Index, shape: tuple[int, ...]) -> list[Index]:
    i, j, k = index
    around = [(i - 1, j, k), (i + 1, j, k), (i, j - 1, k), (i, j + 1, k), (i, j, k - 1), (i, j, k + 1)]
    return [voxel for voxel in around if all(0 <= n < size for n, size in zip(voxel, shape, strict=True))]
