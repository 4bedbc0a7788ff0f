"""From anatomy to tissue maps: one slice at a time, three sub-slices each, so that thick slices average."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.arches import paint_posterior
from spinehub.simulate.block import Block
from spinehub.simulate.bones import paint_bodies, paint_canal, paint_discs
from spinehub.simulate.canvas import Canvas, smooth_field
from spinehub.simulate.protocol import spine_affine
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.spine import Located, SpineGeometry
from spinehub.simulate.surroundings import (
    paint_front,
    paint_head,
    paint_muscles,
    paint_neck_arteries,
    paint_outside,
    paint_vessels,
)
from spinehub.simulate.thorax import paint_ribs
from spinehub.simulate.tissues import WATER_TISSUES

__all__ = ["SUB_SLICES", "Scene", "paint_scene", "slice_points"]

_Array = NDArray[np.float32]
SUB_SLICES = 3
"""Planes per slice, spread evenly over its thickness."""
_EDGE_VOXELS = 0.6
"""Width of a soft edge: narrower than a voxel, since finite sampling of k-space blurs it further (real scans agree)."""
_COMPONENTS = (*WATER_TISSUES, "fat")
_PAINTERS = (
    paint_outside, paint_canal, paint_bodies, paint_discs, paint_head, paint_neck_arteries, paint_posterior,
    paint_vessels, paint_ribs, paint_muscles, paint_front,
)  # fmt: skip
"""The frontmost first: each covers what the later ones would paint."""
_FIELD_LENGTH_MM = {
    "marrow": (5.0, 5.0, 6.0),
    "fine": (1.9, 1.9, 4.5),
    "muscle": (3.2, 14.0, 6.0),
    "streak": (1.8, 25.0, 5.0),
    "organ": (16.0, 18.0, 16.0),
    "bowel": (9.0, 9.0, 10.0),
}
"""Distance of the nodes of each random field: anterior-posterior, superior-inferior, sideways."""
_LENGTH_ORDER = {"sagittal": (0, 1, 2), "axial": (2, 0, 1)}
"""Which of these lengths belongs to each array axis."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Normal anatomy on the voxel grid.

    Parameters
    ----------
    shares
        Component to ``(I, J, K)`` float32 share of the voxel; `fat` besides the waters; the rest is air.
    bone, disc, canal
        ``(I, J, K, SUB_SLICES)`` float16 shares per sub-slice, where a lesion needs to know them.
    """

    shares: dict[str, _Array]
    bone: NDArray[np.float16]
    disc: NDArray[np.float16]
    canal: NDArray[np.float16]


def slice_points(recipe: CaseRecipe, k: int) -> tuple[_Array, _Array, _Array]:
    """Positions in the spine frame of all points of slice `k`: x, y, z, each ``(SUB_SLICES * I * J,)`` mm."""
    affine = spine_affine(recipe.protocol)
    rows, columns, _ = recipe.protocol.matrix
    depths = k + (np.arange(SUB_SLICES) + 0.5) / SUB_SLICES - 0.5
    axes = []
    for axis in range(3):
        i = (affine[axis, 0] * np.arange(rows))[None, :, None]
        j = (affine[axis, 1] * np.arange(columns))[None, None, :]
        axes.append((i + j + (affine[axis, 2] * depths + affine[axis, 3])[:, None, None]).astype(np.float32).ravel())
    return axes[0], axes[1], axes[2]


def paint_scene(recipe: CaseRecipe, geometry: SpineGeometry) -> Scene:
    """Paint the lesion-free anatomy of a recipe."""
    matrix, spacing = recipe.protocol.matrix, recipe.protocol.spacing_mm
    rng = np.random.default_rng(recipe.anatomy.texture_seed)
    order = _LENGTH_ORDER[recipe.protocol.plane]
    fields = {
        name: smooth_field(rng, matrix, spacing, (length[order[0]], length[order[1]], length[order[2]]))
        for name, length in _FIELD_LENGTH_MM.items()
    }
    textures = {name: np.ascontiguousarray(np.moveaxis(field, 2, 0)) for name, field in fields.items()}
    shares = {name: np.zeros(matrix, dtype=np.float32) for name in _COMPONENTS}
    kept = [np.zeros((*matrix, SUB_SLICES), dtype=np.float16) for _ in range(3)]
    for k in range(matrix[2]):
        block = _paint_slice(recipe, geometry, k, {name: texture[k] for name, texture in textures.items()})
        for name, layer in block.canvas.layers.items():
            planes = layer.reshape(SUB_SLICES, *matrix[:2])
            shares[name][:, :, k] = sum(planes[1:], planes[0]) * np.float32(1.0 / SUB_SLICES)
        for store, values in zip(kept, (block.bone, block.disc, block.canal), strict=True):
            store[:, :, k] = np.moveaxis(values.reshape(SUB_SLICES, *matrix[:2]), 0, 2)
    return Scene(shares, *kept)


def _paint_slice(recipe: CaseRecipe, geometry: SpineGeometry, k: int, fields: dict[str, _Array]) -> Block:
    points: Located = geometry.locate(*slice_points(recipe, k), planes=SUB_SLICES)
    count = points.u.size
    width = _EDGE_VOXELS * float(np.sqrt(recipe.protocol.spacing_mm[0] * recipe.protocol.spacing_mm[1]))
    spread = {name: np.tile(field.reshape(-1), SUB_SLICES) for name, field in fields.items()}
    empty = [np.zeros(count, dtype=np.float32) for _ in range(4)]
    block = Block(points, geometry, width, spread, Canvas(count), *empty)
    for painter in _PAINTERS:
        painter(block)
    return block
