"""Where a lesion lies and what it is made of inside, voxel by voxel.

The lesion is the set of points with the lowest *cost*: distance from its lobes in mm, bumps, and penalties where it
would have to leave bone, cross a disc or enter the canal. The cut is set so that the drawn volume is met exactly,
whatever the shape, so that volume cannot tell the classes apart.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, label

from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.canvas import smooth_field
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
from spinehub.simulate.lesion_parts import LesionRecipe, septum_log_factors, zone_factors
from spinehub.simulate.lookalike_shape import LOOKALIKES, lookalike_maps
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.scene import SUB_SLICES, Scene
from spinehub.simulate.spine import SpineGeometry

__all__ = ["lesion_maps"]

_Array = NDArray[np.float32]
_LEAVING_BONE_MM = {"none": 12.0, "small": 4.0, "large": 0.5}
_DISC_MM, _CORD_MM, _VESSEL_MM, _AIR_MM = 14.0, 60.0, 20.0, 400.0
_CANAL_WALL_MM, _CANAL_SLOPE, _EPIDURAL_MM = 10.0, 2.0, 1.0
_STRETCH = 0.9
_ISLAND_MM, _CUTS = 40.0, 8
_MASS_RADIUS = {"none": 0.0, "small": 0.5, "large": 0.9}
_SEAT = {"none": 1.0, "small": 0.9, "large": 0.7}
_SEPTUM = 0.16
_FIBROUS_DENSITY = 0.6
_MATRIX_LUMP_MM = 6.0
_TEXTURE_TOP = 0.75
"""The drawn Ktrans is that of the hot-spot tissue: this quantile of the texture."""


def lesion_maps(recipe: CaseRecipe, lesion: LesionRecipe, geometry: SpineGeometry, scene: Scene) -> LesionMaps:
    """Shape and inner structure of one lesion in its scene."""
    if lesion.histology in LOOKALIKES:
        return lookalike_maps(recipe, lesion, geometry, scene)
    centres, radii = _lobes(lesion, geometry)
    whole = box_around(recipe, centres, radii + 0.45 * lesion.diameter_mm + 8.0)
    points = box_points(recipe, whole)
    rng = np.random.default_rng(lesion.shape_seed)
    cost = _lobe_cost(points, centres, radii, lesion)
    rows, columns, slices, _ = cost.shape
    length = lesion.lobulation_length_mm
    bumps = smooth_field(rng, (rows, columns, slices), recipe.protocol.spacing_mm, (length, length, length))
    cost += lesion.lobulation_mm * bumps[..., None]
    cost += _penalty(points, lesion, geometry, scene, whole)
    cost += _stretch_penalty(points, lesion, geometry)
    share = _cut(cost, lesion, recipe.protocol.spacing_mm)
    box, kept = inside_view(whole, recipe.protocol.matrix)
    seen = share[kept]
    if not seen.size:  # a further lesion may lie beyond the field of view; the box is then an empty voxel at its edge
        seen = np.zeros([part.stop - part.start for part in box], dtype=np.float32)
    return _inside(recipe, lesion, box, seen)


def lesion_centre(lesion: LesionRecipe, geometry: SpineGeometry) -> NDArray[np.float64]:
    """Centre of the lesion's main lobe in the vertebra's frame: right, in front of the back wall, up; mm."""
    level = LEVELS.index(lesion.level)
    half_width, depth, height = geometry.width[level] / 2.0, geometry.depth[level], geometry.height[level]
    canal = float(np.interp(geometry.level_s[level], *_rising(geometry, "canal_depth")))
    a, b, c = lesion.offset
    side = np.copysign(1.0, a)
    if lesion.signs.site == "posterior":
        return np.array([9.0 * a, -canal - 8.0 - 5.0 * b, -0.2 * height + 4.0 * c])
    if lesion.signs.site == "body_posterior":
        return np.array([side * 0.45 * half_width, depth * (0.22 + 0.12 * b), 0.15 * height * c])
    across = 0.18 * a if lesion.signs.site == "body_central" else side * (0.42 + 0.13 * abs(a))
    return np.array([across * half_width, depth * (0.5 + 0.2 * b), 0.22 * height * c])


def _rising(geometry: SpineGeometry, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return geometry.tables["s"], geometry.tables[name]


def _lobes(lesion: LesionRecipe, geometry: SpineGeometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres ``(n, 3)`` in the spine frame and radii ``(n,)`` of the lobes, the main one first."""
    rng = np.random.default_rng(lesion.shape_seed ^ 1)
    radius = lesion.diameter_mm / 2.0
    main = lesion_centre(lesion, geometry)
    directions = rng.normal(size=(5, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    sizes = rng.uniform(0.5, 0.8, 5)
    centres = [main, *(main + 0.5 * radius * direction for direction in directions[: lesion.lobes - 1])]
    radii = [radius, *(radius * size for size in sizes[: lesion.lobes - 1])]
    level = LEVELS.index(lesion.level)
    side = np.copysign(1.0, lesion.offset[0])
    if lesion.signs.site == "body_posterior":
        canal = float(np.interp(geometry.level_s[level], *_rising(geometry, "canal_width")))
        centres.append(np.array([side * (0.5 * canal + 4.0), -0.6 * radius - 4.0, 0.1 * geometry.height[level]]))
        radii.append(0.75 * radius)
    if lesion.canal_reach > 0:
        target, size = _epidural_lobe(lesion, geometry, main)
        centres += [target, (main + target) / 2.0]
        radii += [size, 0.4 * radius]
    reach = _MASS_RADIUS[lesion.signs.soft_tissue_mass]
    if reach > 0:
        angle = np.deg2rad(lesion.mass_direction_deg)
        outward = np.array([np.cos(angle), np.sin(angle), 0.0])
        edge = np.array([0.9 * geometry.width[level] / 2.0, 0.6 * geometry.depth[level], 0.0])
        middle = np.array([0.0, 0.5 * geometry.depth[level], main[2]])
        if lesion.signs.site == "posterior":
            middle, edge = main, np.array([radius, radius, 0.0])
        target = middle + outward * (edge + 0.35 * reach * radius)
        centres += [target, main + (target - main) / 3.0, main + (target - main) * 2.0 / 3.0]
        radii += [reach * radius, 0.45 * radius, 0.45 * radius]
        radii[0] *= _SEAT[lesion.signs.soft_tissue_mass]
    return to_spine_frame(np.array(centres), level, geometry), np.array(radii)


def _epidural_lobe(
    lesion: LesionRecipe, geometry: SpineGeometry, main: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Centre and radius of the part that enters the canal from the lesion's side of it."""
    canal = float(np.interp(geometry.level_s[LEVELS.index(lesion.level)], *_rising(geometry, "canal_depth")))
    depth = lesion.canal_reach * canal
    forward = -canal + 0.3 * depth if lesion.signs.site == "posterior" else -0.3 * depth
    return np.array([0.35 * main[0], forward, main[2]]), 0.5 * depth + 3.0


def _lobe_cost(
    points: _Array, centres: NDArray[np.float64], radii: NDArray[np.float64], lesion: LesionRecipe
) -> _Array:
    """Smooth union of ellipsoids: distance from the surface of the nearest lobe in mm."""
    blend = np.float32(0.12 * lesion.diameter_mm)
    total = np.zeros(points.shape[1:], dtype=np.float32)
    stretch = np.array(lesion.elongation, dtype=np.float32)[:, None, None, None, None]
    for centre, radius in zip(centres.astype(np.float32), radii.astype(np.float32), strict=True):
        scaled = (points - centre[:, None, None, None, None]) / stretch
        distance = np.sqrt(np.einsum("a...,a...->...", scaled, scaled)) - radius
        total += np.exp(-np.clip(distance / blend, -12.0, 30.0))
    return np.asarray(-blend * np.log(np.maximum(total, 1e-30)), dtype=np.float32)


def _penalty(points: _Array, lesion: LesionRecipe, geometry: SpineGeometry, scene: Scene, box: Box) -> _Array:
    """Cost of the tissue in the way; beyond the field of view the nearest voxel stands in."""
    size = scene.bone.shape[:3]
    at = np.ix_(*(np.clip(np.arange(part.start, part.stop), 0, n - 1) for part, n in zip(box, size, strict=True)))
    bone, disc, canal = (part[at].astype(np.float32) for part in (scene.bone, scene.disc, scene.canal))
    shares = scene.shares
    tissue = np.sum([share[at] for share in shares.values()], axis=0)
    # Nerve roots of the cauda give way; the cord does not.
    cord = np.clip(2.0 * shares["cord"][at] - 1.0, 0.0, 1.0) if lesion.canal_reach > 0 else shares["cord"][at]
    flat = _CORD_MM * cord + _VESSEL_MM * shares["artery"][at] + _AIR_MM * np.clip(0.9 - tissue, 0.0, 1.0)
    seat, wall = np.maximum(bone, disc), np.float32(_CANAL_WALL_MM)
    if lesion.canal_reach > 0:
        seat = np.maximum(seat, canal)
        wall = np.clip(_CANAL_SLOPE * _beyond_reach(points, lesion, geometry), -_EPIDURAL_MM, _CANAL_WALL_MM)
    penalty = _LEAVING_BONE_MM[lesion.signs.soft_tissue_mass] * (1.0 - seat)
    penalty += _DISC_MM * lesion.disc_sparing * disc + wall * canal + flat[..., None]
    return np.asarray(penalty, dtype=np.float32)


def _beyond_reach(points: _Array, lesion: LesionRecipe, geometry: SpineGeometry) -> _Array:
    """How far points lie deeper in the canal than the lesion reaches, mm."""
    level = LEVELS.index(lesion.level)
    canal = float(np.interp(geometry.level_s[level], *_rising(geometry, "canal_depth")))
    forward = to_vertebra_frame(points, level, geometry)[1]
    depth = forward + canal if lesion.signs.site == "posterior" else -forward
    return np.asarray(depth - np.float32(lesion.canal_reach * canal), dtype=np.float32)


def _stretch_penalty(points: _Array, lesion: LesionRecipe, geometry: SpineGeometry) -> _Array:
    """Reaching beyond the middle of the neighbouring discs costs, so that one vertebra stays the seat."""
    level = LEVELS.index(lesion.level)
    beyond = np.abs(to_vertebra_frame(points, level, geometry)[2])
    beyond -= np.float32(0.5 * (geometry.height[level] + geometry.disc[level]) + 2.0)
    return np.asarray(np.clip(_STRETCH * beyond, 0.0, 14.0), dtype=np.float32)


def _cut(cost: _Array, lesion: LesionRecipe, spacing_mm: tuple[float, float, float]) -> _Array:
    """Share of each voxel below the cost that gives the drawn volume; islands are refilled elsewhere."""
    volume = np.pi / 6.0 * lesion.diameter_mm**3
    points = min(round(volume * SUB_SLICES / float(np.prod(spacing_mm))), cost.size - 1)
    width = np.float32(max(lesion.margin_mm, 0.8 * spacing_mm[0]))
    for _ in range(_CUTS):
        level = np.partition(cost.ravel(), points)[points]
        share = np.clip(0.5 - (cost - level) / width, 0.0, 1.0).mean(axis=3)
        pieces, count = label(share >= 0.5)
        if count <= 1:
            break
        sizes = np.bincount(pieces.ravel())[1:]
        island = (pieces > 0) & (pieces != 1 + int(np.argmax(sizes)))
        cost[binary_dilation(island, iterations=2)] += np.float32(_ISLAND_MM)
    return np.asarray(share, dtype=np.float32)


def _inside(recipe: CaseRecipe, lesion: LesionRecipe, box: Box, share: _Array) -> LesionMaps:
    rng = np.random.default_rng(lesion.texture_seed)
    spacing = recipe.protocol.spacing_mm
    solid = share >= 0.5
    depth = distance_transform_edt(solid, sampling=spacing).astype(np.float32)
    grain = float(rng.uniform(5.0, 11.0))
    coarse = max(0.35 * lesion.diameter_mm, 8.0)
    texture, lumps, dead, sheets = (
        smooth_field(rng, share.shape, spacing, (length,) * 3) for length in (grain, _MATRIX_LUMP_MM, coarse, 11.0)
    )
    top = np.quantile(texture[solid], _TEXTURE_TOP) if solid.any() else 0.0
    zones = zone_factors(lesion.signs)
    rim = np.clip((lesion.rim_mm - depth) / (0.5 * lesion.rim_mm) + 0.5, 0.0, 1.0)
    log_ktrans = lesion.signs.unevenness * (texture - top)
    log_ktrans += rim * np.float32(np.log(zones["rim"])) + (1.0 - rim) * np.float32(np.log(zones["core"]))
    density = np.ones_like(share)
    if lesion.signs.septa != "none":
        septum = np.clip(1.5 - np.abs(sheets) / _SEPTUM, 0.0, 1.0)
        in_septa, in_lobules = septum_log_factors(lesion.signs)
        log_ktrans += np.float32(in_septa) * septum + np.float32(in_lobules) * (1.0 - septum)
        if lesion.signs.septa == "fibrous":
            density -= np.float32(1.0 - _FIBROUS_DENSITY) * septum
    core = solid & (depth > 0.5 * lesion.rim_mm)
    necrosis = patches(dead + depth / np.float32(coarse), core, lesion.necrosis) * (depth > 0.4 * lesion.rim_mm)
    matrix = patches(lumps, solid, lesion.matrix)
    return LesionMaps(box, share, log_ktrans.astype(np.float32), necrosis.astype(np.float32), matrix, density)
