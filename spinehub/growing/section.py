"""Planes across a region: the section at a place on a way through it, and a plate that closes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.growing.compiled import compiled
from spinehub.volume import Index, Position

__all__ = ["Section", "plate", "sections_across"]

_Voxels: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Index arrays of some voxels."""
_DIRECTION_MM = 6.0
"""The direction of a way at a place is a chord of this length to either side."""
_HALF_SECTION_MM = 25.0


@dataclass(frozen=True)
class Section:
    """A plane through a region.

    Parameters
    ----------
    centre
        Voxel in the plane.
    normal
        Unit vector in mm along the array axes, in the direction of the way.
    area_mm2
        Area of the part of the section that is connected to its centre, up to 25 mm to each side.
    """

    centre: Index
    normal: Position
    area_mm2: float


def sections_across(
    region: NDArray[np.bool_], way: Sequence[Index], spacing_mm: Position, places: ArrayLike
) -> list[Section]:
    """Sections through a region, perpendicular to a way through it, at some of its places.

    Parameters
    ----------
    region
        ``(i, j, k)`` bool.
    way
        Voxels one after the other.
    spacing_mm
        Voxel spacing in mm.
    places
        Positions in the way, counted from 0.
    """
    spacing = np.asarray(spacing_mm)
    points = np.asarray(way) * spacing
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    chosen = np.asarray(places, dtype=np.int64)
    low = np.searchsorted(along, along[chosen] - _DIRECTION_MM)
    high = np.searchsorted(along, along[chosen] + _DIRECTION_MM + 1e-6) - 1
    chords = points[high] - points[low]
    lengths = np.linalg.norm(chords, axis=1, keepdims=True)
    normals = np.where(lengths > 0, chords / np.maximum(lengths, 1e-9), np.eye(3)[0])
    one = np.cross(normals, np.eye(3)[np.argmin(np.abs(normals), axis=1)])
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    axes = np.stack([one, np.cross(normals, one)], axis=1)
    step = float(spacing.min())
    counts = _connected_counts(region, points[chosen], axes, spacing, step, int(_HALF_SECTION_MM / step))
    found = zip(chosen.tolist(), normals.tolist(), counts.tolist(), strict=True)
    return [Section(way[place], (x, y, z), count * step**2) for place, (x, y, z), count in found]


@compiled
def _connected_counts(
    region: NDArray[np.bool_],
    centres: NDArray[np.float64],
    axes: NDArray[np.float64],
    spacing: NDArray[np.float64],
    step: float,
    half: int,
) -> NDArray[np.int64]:
    """Points of a square raster on each plane that lie in the region and are connected to its centre by their sides."""
    counts = np.zeros(len(centres), np.int64)
    size = 2 * half + 1
    stack = np.empty(size * size, np.int64)
    for number in range(len(centres)):
        seen = np.zeros((size, size), np.bool_)
        seen[half, half] = True
        stack[0] = half * size + half
        waiting = 1
        while waiting > 0:
            waiting -= 1
            row, column = stack[waiting] // size, stack[waiting] % size
            counts[number] += 1
            for side in range(4):
                r = row + (side == 0) - (side == 1)
                c = column + (side == 2) - (side == 3)
                if r < 0 or c < 0 or r >= size or c >= size or seen[r, c]:
                    continue
                seen[r, c] = True
                inside = True
                voxel = np.zeros(3, np.int64)
                for axis in range(3):
                    away = (r - half) * axes[number, 0, axis] + (c - half) * axes[number, 1, axis]
                    voxel[axis] = np.rint((centres[number, axis] + step * away) / spacing[axis])
                    inside = inside and voxel[axis] >= 0 and voxel[axis] < region.shape[axis]
                if inside and region[voxel[0], voxel[1], voxel[2]]:
                    stack[waiting] = r * size + c
                    waiting += 1
    return counts


def plate(shape: tuple[int, ...], spacing_mm: Position, section: Section, radius_mm: float) -> _Voxels:
    """Disc of voxels in the plane of a section, one layer thick, that no way through voxel faces passes.

    Parameters
    ----------
    shape, spacing_mm
        Of the volume.
    section
        Gives centre and normal; the disc lies on the far side of the plane.
    radius_mm
        Radius of the disc.

    Returns
    -------
    tuple
        Index arrays of its voxels.
    """
    low = [max(c - int(radius_mm / h) - 1, 0) for c, h in zip(section.centre, spacing_mm, strict=True)]
    high = [c + int(radius_mm / h) + 2 for c, h in zip(section.centre, spacing_mm, strict=True)]
    ends = zip(low, high, shape, section.centre, spacing_mm, strict=True)
    away = np.ix_(*[(np.arange(first, min(last, size)) - c) * h for first, last, size, c, h in ends])
    i, j, k = away
    height = i * section.normal[0] + j * section.normal[1] + k * section.normal[2]
    aside = i**2 + j**2 + k**2 - height**2
    # A step through a face changes the height by at most this much, so none passes the layer.
    thickness = max(abs(cosine) * h for cosine, h in zip(section.normal, spacing_mm, strict=True))
    layer = (height > -1e-6 * thickness) & (height < thickness * (1.0 + 1e-6)) & (aside <= radius_mm**2)
    first, second, third = np.nonzero(layer)
    return first + low[0], second + low[1], third + low[2]
