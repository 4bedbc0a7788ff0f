"""A front that runs from seed voxels through a field of slowness (fast marching)."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from spinehub.volume import Index, Position

__all__ = ["march"]

_UNREACHED = 1e30
"""The filter marks voxels it never reached with half of the largest float."""


def march(slowness: NDArray[np.float32], spacing_mm: Position, starts: Sequence[Index]) -> NDArray[np.float32]:
    """Travel time of a front from the nearest start, by first-order fast marching.

    The front solves the eikonal equation ``|grad T| = slowness`` upwind on the six neighbours, so every voxel
    arrives later than one of its neighbours: each set ``T <= tolerance`` is connected to a start.

    Parameters
    ----------
    slowness
        ``(I, J, K)`` float32, above 0; ``+inf`` where the front cannot enter.
    spacing_mm
        Voxel spacing along i, j, k in mm.
    starts
        Voxels where the time is 0.

    Returns
    -------
    NDArray
        ``(I, J, K)`` float32 time: mm where the slowness is 1; ``+inf`` where never reached.

    References
    ----------
    J. A. Sethian, A fast marching level set method for monotonically advancing fronts, PNAS 1996;93:1591-1595.
    """
    speed = np.zeros(slowness.shape, dtype=np.float32)
    np.divide(1.0, slowness, out=speed, where=np.isfinite(slowness))
    # SimpleITK reads arrays as z, y, x: transposing keeps i, j, k for points and spacing.
    image = sitk.GetImageFromArray(np.ascontiguousarray(speed.T))
    image.SetSpacing(spacing_mm)
    fast_marching = sitk.FastMarchingImageFilter()
    fast_marching.SetTrialPoints([tuple(int(n) for n in start) for start in starts])
    marched = fast_marching.Execute(image)  # kept by name: the view below reads its memory
    times = sitk.GetArrayViewFromImage(marched).T
    return np.where(times > _UNREACHED, np.inf, times).astype(np.float32)
