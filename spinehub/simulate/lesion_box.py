"""A box of voxels around a lesion, and what is known about each of its voxels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.protocol import spine_affine
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.scene import SUB_SLICES
from spinehub.simulate.spine import SpineGeometry

__all__ = [
    "Box",
    "LesionMaps",
    "box_around",
    "box_points",
    "inside_view",
    "patches",
    "to_spine_frame",
    "to_vertebra_frame",
]

Box = tuple[slice, slice, slice]
_Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LesionMaps:
    """A lesion on a box of the voxel grid; arrays have the shape of the box.

    Parameters
    ----------
    box
        Slices of the volume.
    share
        Share of each voxel that is lesion.
    log_ktrans
        Logarithm of Ktrans over that of the hot-spot tissue.
    necrosis, matrix
        Shares of the lesion's part.
    density
        Factor on the proton density: below 1 in fibrous septa.
    """

    box: Box
    share: _Array
    log_ktrans: _Array
    necrosis: _Array
    matrix: _Array
    density: _Array


def to_spine_frame(local: NDArray[np.float64], level: int, geometry: SpineGeometry) -> NDArray[np.float64]:
    """Points ``(n, 3)`` of a vertebra's frame in the spine frame."""
    sin, cos = np.sin(geometry.tilt[level]), np.cos(geometry.tilt[level])
    y = geometry.wall_yz[level, 0] + local[:, 1] * cos + local[:, 2] * sin
    z = geometry.wall_yz[level, 1] - local[:, 1] * sin + local[:, 2] * cos
    return np.stack([local[:, 0], y, z], axis=1)


def to_vertebra_frame(points: _Array, level: int, geometry: SpineGeometry) -> tuple[_Array, _Array, _Array]:
    """Right, in front of the back wall, up from the body's middle: mm, each of the shape of ``points[0]``."""
    sin, cos = np.float32(np.sin(geometry.tilt[level])), np.float32(np.cos(geometry.tilt[level]))
    y, z = (np.float32(value) for value in geometry.wall_yz[level])
    dy, dz = points[1] - y, points[2] - z
    return points[0], dy * cos - dz * sin, dy * sin + dz * cos


def box_around(recipe: CaseRecipe, centres: NDArray[np.float64], reach: NDArray[np.float64]) -> Box:
    """Voxels around spheres: centres ``(n, 3)`` in the spine frame, reach ``(n,)`` mm; may leave the field of view."""
    inverse = np.linalg.inv(spine_affine(recipe.protocol))
    corners = np.concatenate([centres + sign * reach[:, None] for sign in (-1.0, 1.0)])
    low_high = np.array([[*corners.min(axis=0)], [*corners.max(axis=0)]])
    eight = np.array(np.meshgrid(*low_high.T, indexing="ij")).reshape(3, -1)
    voxels = inverse[:3, :3] @ eight + inverse[:3, 3:]
    first, last = np.floor(voxels.min(axis=1)).astype(int), np.ceil(voxels.max(axis=1)).astype(int) + 1
    a, b, c = (slice(int(start), int(stop)) for start, stop in zip(first, last, strict=True))
    return a, b, c


def inside_view(box: Box, matrix: tuple[int, int, int]) -> tuple[Box, Box]:
    """The part of a box that lies on the grid, as slices of the volume and of the box."""
    starts = [min(max(part.start, 0), size - 1) for part, size in zip(box, matrix, strict=True)]
    stops = [max(min(part.stop, size), start + 1) for part, size, start in zip(box, matrix, starts, strict=True)]
    a, b, c = (slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    d, e, f = (
        slice(start - part.start, stop - part.start) for part, start, stop in zip(box, starts, stops, strict=True)
    )
    return (a, b, c), (d, e, f)


def box_points(recipe: CaseRecipe, box: Box) -> _Array:
    """``(3, I, J, K, SUB_SLICES)`` positions in the spine frame; the box may reach beyond the field of view."""
    affine = spine_affine(recipe.protocol)
    i, j, k = (np.arange(part.start, part.stop, dtype=np.float64) for part in box)
    depth = k[:, None] + (np.arange(SUB_SLICES) + 0.5) / SUB_SLICES - 0.5
    return np.stack(
        [
            affine[axis, 0] * i[:, None, None, None]
            + affine[axis, 1] * j[None, :, None, None]
            + affine[axis, 2] * depth[None, None]
            + affine[axis, 3]
            for axis in range(3)
        ]
    ).astype(np.float32)


def patches(field: _Array, where: NDArray[np.bool_], share: float) -> _Array:
    """Soft patches over the highest part of a field, covering `share` of `where`."""
    if share <= 0 or not where.any():
        return np.zeros_like(field)
    level = np.quantile(field[where], 1.0 - share)
    return np.asarray(np.clip((field - level) * 4.0 + 0.5, 0.0, 1.0), dtype=np.float32)
