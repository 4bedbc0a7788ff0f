"""Size and place of a lesion: volume, three diameters, centroid, slices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.errors import InvalidArgumentError
from spinehub.volume import Mask, Plane, Position

__all__ = ["Measures", "measure"]

_DIRECTIONS = 2000
"""Directions tried over half a sphere, about 3 degrees apart: the longest diameter is found to 0.1 %."""


@dataclass(frozen=True)
class Measures:
    """What a ruler says about a lesion.

    Parameters
    ----------
    voxels
        Number of voxels.
    volume_ml
        Voxel count times voxel volume.
    diameters_mm
        The longest diameter in three dimensions, the longest one perpendicular to it, and the extent perpendicular
        to both, in falling order; caliper widths from outer edge to outer edge.
    centroid_mm
        Mean position, RAS+.
    plane
        Plane of the acquired slices.
    slices
        First and last acquired slice that hold the lesion, zero-based.
    """

    voxels: int
    volume_ml: float
    diameters_mm: tuple[float, float, float]
    centroid_mm: Position
    plane: Plane
    slices: tuple[int, int]


def measure(mask: Mask) -> Measures:
    """Measure a mask.

    Raises
    ------
    InvalidArgumentError
        If the mask is empty.
    """
    if mask.is_empty:
        raise InvalidArgumentError("mask must hold at least one voxel to be measured, got an empty mask")
    axis = mask.grid.slice_axis
    slices = np.flatnonzero(mask.voxels.any(axis=tuple(n for n in range(3) if n != axis)))
    return Measures(
        voxels=mask.count,
        volume_ml=mask.volume_ml,
        diameters_mm=_diameters(mask),
        centroid_mm=mask.centroid_mm,
        plane=mask.grid.acquired_plane,
        slices=(int(slices[0]), int(slices[-1])),
    )


def _diameters(mask: Mask) -> tuple[float, float, float]:
    """Caliper widths along three perpendicular directions, the first one the longest of all.

    The width along a unit vector u is the spread of the voxel centres plus the width ``|A^T u|`` of one voxel, taken
    as the ellipsoid that fills it (A: affine without translation): a single voxel measures its spacings.
    """
    edges = mask.grid.affine[:3, :3]
    surface = mask.voxels & ~ndimage.binary_erosion(mask.voxels)
    points = np.argwhere(surface) @ edges.T
    directions = np.vstack([_half_sphere(), (edges / np.linalg.norm(edges, axis=0)).T])
    longest = directions[int(np.argmax(_widths(points, directions, edges)))]
    angles = np.radians(np.arange(180.0))
    first = np.cross(longest, np.eye(3)[int(np.argmin(np.abs(longest)))])
    first /= np.linalg.norm(first)
    across = np.outer(np.cos(angles), first) + np.outer(np.sin(angles), np.cross(longest, first))
    second = across[int(np.argmax(_widths(points, across, edges)))]
    widths = _widths(points, np.stack([longest, second, np.cross(longest, second)]), edges)
    a, b, c = sorted((float(width) for width in widths), reverse=True)
    return a, b, c


def _widths(
    points: NDArray[np.float64], directions: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    low = np.full(len(directions), np.inf)
    high = np.full(len(directions), -np.inf)
    for start in range(0, len(points), 2048):  # in blocks: a large lesion must not cost gigabytes
        along = directions @ points[start : start + 2048].T
        low, high = np.minimum(low, along.min(axis=1)), np.maximum(high, along.max(axis=1))
    return np.asarray(high - low + np.linalg.norm(directions @ edges, axis=1))


def _half_sphere() -> NDArray[np.float64]:
    """Evenly spread unit vectors over half a sphere (golden spiral)."""
    n = np.arange(_DIRECTIONS)
    z = (n + 0.5) / _DIRECTIONS
    angle = n * np.pi * (3.0 - np.sqrt(5.0))
    radius = np.sqrt(1.0 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)
