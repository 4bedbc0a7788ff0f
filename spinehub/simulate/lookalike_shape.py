"""Where things that enhance but are no tumour lie, voxel by voxel: each bound to its part of the vertebra.

Every shape is a signed distance in mm, negative inside, in the frame of the vertebra, times the share of the tissue it
cannot leave.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.canvas import smooth_field, soft
from spinehub.simulate.lesion_box import (
    Box,
    LesionMaps,
    box_around,
    box_points,
    inside_view,
    patches,
    to_spine_frame,
    to_vertebra_frame,
)
from spinehub.simulate.lesion_parts import LesionRecipe
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.scene import Scene
from spinehub.simulate.spine import SpineGeometry

__all__ = ["LOOKALIKES", "lookalike_maps"]

_Array = NDArray[np.float32]
_TRABECULA_MM = (2.6, 40.0, 4.0)
_FRACTURE_LINE_MM = 0.8
_PHLEGMON_MM, _PHLEGMON_REACH_MM = 4.5, 11.0
_VEIN_HALF_WIDTH_MM, _VEIN_DEPTH = 5.0, 0.7
_MODIC_SHARE = 0.7
_ENDPLATE_MM = 1.0
_NO_ABSCESS_MM = 3.0


@dataclass(frozen=True, eq=False)
class _Place:
    """A box of points around the index vertebra; arrays ``(I, J, K, SUB_SLICES)`` unless told otherwise."""

    lesion: LesionRecipe
    geometry: SpineGeometry
    level: int
    points: _Array
    bumps: _Array
    bone: _Array
    disc: _Array
    canal: _Array

    def frame(self, level: int | None = None) -> tuple[_Array, _Array, _Array]:
        """Right, forward, up in a vertebra's frame."""
        return to_vertebra_frame(self.points, self.level if level is None else level, self.geometry)

    def under_endplate(self, level: int, side: float) -> _Array:
        """Depth in mm below the upper (`side` 1) or lower (-1) endplate of a vertebra, negative outside."""
        _, forward, up = self.frame(level)
        collapse = self.geometry.anatomy.collapse if level == self.geometry.index_level else 0.0
        half_depth = np.float32(self.geometry.depth[level] / 2.0)
        front = np.clip((forward - half_depth) / half_depth, -1.0, 1.0)
        end = np.float32(self.geometry.height[level] / 2.0) * (1.0 - np.float32(0.4 * collapse) * front)
        return np.asarray(end - np.float32(side) * up, dtype=np.float32)

    def band(self, level: int, side: float) -> _Array:
        """Signed distance to an uneven band under an endplate, as thick as the recipe says."""
        depth = self.under_endplate(level, side)
        thickness = np.float32(self.lesion.rim_mm) + np.float32(self.lesion.lobulation_mm) * self.bumps
        return np.asarray(np.maximum(depth - thickness, -depth - 4.0), dtype=np.float32)

    def inside_body(self, level: int | None = None) -> _Array:
        """Bone of one vertebral body, without posterior elements and neighbours."""
        level = self.level if level is None else level
        own = np.minimum(self.under_endplate(level, 1.0), self.under_endplate(level, -1.0)) > -_ENDPLATE_MM
        return np.asarray(self.bone * (own & (self.frame(level)[1] > 0.0)), dtype=np.float32)

    def centre(self) -> tuple[float, float, float]:
        """Drawn centre in the vertebra's frame."""
        a, b, c = self.lesion.offset
        geometry = self.geometry
        width, depth, height = (size[self.level] for size in (geometry.width, geometry.depth, geometry.height))
        return 0.18 * width * a, depth * (0.52 + 0.18 * b), 0.16 * height * c


def _haemangioma(place: _Place) -> tuple[_Array, _Array]:
    right, forward, up = place.frame()
    x, y, z = place.centre()
    stretch = place.lesion.elongation
    parts = ((right - x) / stretch[0], (forward - y) / stretch[1], (up - z) / stretch[2])
    distance = np.sqrt(np.sum([part**2 for part in parts], axis=0)) - 0.5 * place.lesion.diameter_mm
    return distance + place.lesion.lobulation_mm * place.bumps, place.inside_body()


def _schmorl_node(place: _Place) -> tuple[_Array, _Array]:
    return _node_distance(place) - np.float32(place.lesion.rim_mm), place.inside_body()


def _node_distance(place: _Place) -> _Array:
    """Distance to the pocket of disc that has sunk into the endplate."""
    right, forward, _ = place.frame()
    x, y, z = place.centre()
    depth = place.under_endplate(place.level, 1.0 if z >= 0 else -1.0)
    radius = np.float32(0.5 * place.lesion.diameter_mm)
    distance = np.sqrt((right - 0.5 * x) ** 2 + (forward - y) ** 2 + (depth - 0.25 * radius) ** 2) - radius
    return np.asarray(distance, dtype=np.float32)


def _modic_change(place: _Place) -> tuple[_Array, _Array]:
    above, below = place.band(place.level, -1.0), place.band(place.level + 1, 1.0)
    forward, depth = place.frame()[1], place.geometry.depth[place.level]
    start, stop = (-2.0, _MODIC_SHARE * depth) if place.lesion.offset[1] < 0 else ((1.0 - _MODIC_SHARE) * depth, 99.0)
    distance = np.maximum(np.minimum(above, below), np.maximum(start - forward, forward - stop))
    bodies = np.maximum(place.inside_body(), place.inside_body(place.level + 1))
    return np.asarray(distance, dtype=np.float32), bodies


def _osteoporotic_fracture(place: _Place) -> tuple[_Array, _Array]:
    return place.band(place.level, 1.0), place.inside_body()


def _spondylodiscitis(place: _Place) -> tuple[_Array, _Array]:
    above, below = place.band(place.level, -1.0), place.band(place.level + 1, 1.0)
    between = np.maximum(place.under_endplate(place.level, -1.0), place.under_endplate(place.level + 1, 1.0))
    forward = place.frame()[1]
    ahead = forward - np.float32(place.geometry.depth[place.level])
    middle = np.abs(place.under_endplate(place.level, -1.0) - place.under_endplate(place.level + 1, 1.0)) / 2.0
    phlegmon = np.maximum(np.maximum(ahead - _PHLEGMON_MM, -ahead - 6.0), middle - _PHLEGMON_REACH_MM)
    wide = np.abs(place.points[0]) - np.float32(0.4 * place.geometry.width[place.level])
    phlegmon = np.maximum(phlegmon, wide)
    distance = np.minimum(np.minimum(above, below), np.minimum(between, phlegmon))
    spine = np.maximum(place.bone, place.disc) * (forward > 0.0)
    held = np.maximum(spine, soft(phlegmon, 1.5)) * (1.0 - place.canal)
    return distance, np.asarray(held, dtype=np.float32)


def _basivertebral_vein(place: _Place) -> tuple[_Array, _Array]:
    right, forward, up = place.frame()
    taper = 1.0 - forward / np.float32(_VEIN_DEPTH * place.geometry.depth[place.level])
    wedge = np.maximum(np.abs(up) - np.float32(place.lesion.rim_mm) * taper, np.abs(right) - _VEIN_HALF_WIDTH_MM)
    return np.maximum(wedge, -forward - 1.0), place.bone


_SHAPES: dict[str, Callable[[_Place], tuple[_Array, _Array]]] = {
    "haemangioma": _haemangioma,
    "schmorl_node": _schmorl_node,
    "modic_change": _modic_change,
    "osteoporotic_fracture": _osteoporotic_fracture,
    "spondylodiscitis": _spondylodiscitis,
    "basivertebral_vein": _basivertebral_vein,
}
LOOKALIKES = tuple(_SHAPES)
"""What enhances in a spine and is no tumour."""


def lookalike_maps(recipe: CaseRecipe, lesion: LesionRecipe, geometry: SpineGeometry, scene: Scene) -> LesionMaps:
    """Shape and inner structure of a look-alike in its scene."""
    rng = np.random.default_rng(lesion.shape_seed)
    box, place = _place(recipe, lesion, geometry, scene, rng)
    distance, held = _SHAPES[lesion.histology](place)
    share = (soft(distance, max(lesion.margin_mm, recipe.protocol.spacing_mm[0])) * held).mean(axis=3)
    texture = smooth_field(rng, share.shape, recipe.protocol.spacing_mm, (6.0, 6.0, 6.0))
    necrosis, matrix = _filling(place, share, recipe, rng)
    log_ktrans = np.float32(lesion.signs.unevenness) * texture
    return LesionMaps(box, share, log_ktrans, necrosis, matrix, np.ones_like(share))


def _place(
    recipe: CaseRecipe, lesion: LesionRecipe, geometry: SpineGeometry, scene: Scene, rng: np.random.Generator
) -> tuple[Box, _Place]:
    level = LEVELS.index(lesion.level)
    middle = np.array([[0.0, geometry.depth[level] / 2.0, -0.25 * geometry.height[level]]])
    reach = (
        0.75 * max(geometry.width[level], geometry.depth[level], geometry.height[level]) + geometry.disc[level] + 8.0
    )
    whole = box_around(recipe, to_spine_frame(middle, level, geometry), np.array([reach]))
    box, _ = inside_view(whole, recipe.protocol.matrix)
    points = box_points(recipe, box)
    length = lesion.lobulation_length_mm
    bumps = smooth_field(rng, points.shape[1:4], recipe.protocol.spacing_mm, (length, length, length))
    held = [part[box].astype(np.float32) for part in (scene.bone, scene.disc, scene.canal)]
    return box, _Place(lesion, geometry, level, points, bumps[..., None], *held)


def _filling(place: _Place, share: _Array, recipe: CaseRecipe, rng: np.random.Generator) -> tuple[_Array, _Array]:
    """Shares of unperfused and of mineralised tissue: sunken disc, abscess, fracture line, thick trabeculae."""
    lesion, nothing = place.lesion, np.zeros_like(share)
    spacing = recipe.protocol.spacing_mm
    if lesion.histology == "schmorl_node":
        return soft(_node_distance(place), spacing[0]).mean(axis=3), nothing
    if lesion.histology == "spondylodiscitis":
        pus = smooth_field(rng, share.shape, spacing, (9.0, 5.0, 9.0))
        depth = np.maximum(place.under_endplate(place.level, -1.0), place.under_endplate(place.level + 1, 1.0)).mean(
            axis=3
        )
        return patches(pus - np.maximum(depth + _NO_ABSCESS_MM, 0.0), share > 0.5, lesion.necrosis), nothing
    if lesion.histology == "osteoporotic_fracture":
        line = np.abs(place.under_endplate(place.level, 1.0) - 0.45 * lesion.rim_mm + place.bumps)
        return nothing, 0.8 * soft(line - _FRACTURE_LINE_MM, spacing[0]).mean(axis=3)
    if lesion.histology == "haemangioma":
        stripes = smooth_field(rng, share.shape, spacing, _TRABECULA_MM)
        return nothing, 0.7 * patches(stripes, share > 0.5, lesion.matrix)
    return nothing, nothing
