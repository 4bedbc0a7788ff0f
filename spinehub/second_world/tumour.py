"""A lesion of the second world: star-shaped bodies held back by tissue, patchy inside, cut to the drawn volume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from spinehub.second_world.anatomy import Anatomy
from spinehub.second_world.fields import power_law_field, surface_radius, worley_borders
from spinehub.second_world.recipe import SecondRecipe, TumourRecipe
from spinehub.second_world.scan import slab_affine
from spinehub.second_world.spine import Spine

__all__ = ["TumourMaps", "grow_tumour"]

_Array = NDArray[np.float32]
_LEAVING_BONE = {"none": 0.8, "small": 0.3, "large": 0.05}
_MASS_RADIUS = {"none": 0.0, "small": 0.55, "large": 0.9}
_DISC, _CANAL, _CORD, _VESSEL, _AIR = 0.6, 0.7, 4.0, 3.0, 30.0
_SEPTUM_MM, _SEPTUM_LOG_FLOW, _SEPTUM_DENSITY = 1.3, -1.3, 0.6
_HOT_QUANTILE = 0.75
"""The drawn perfusion is that of the hot tissue: this quantile of the patches."""


@dataclass(frozen=True, eq=False)
class TumourMaps:
    """A lesion on a box of the grid; arrays have the shape of the box.

    Parameters
    ----------
    box
        Slices of the volume.
    share
        Share of each voxel that is lesion.
    log_flow
        Logarithm of perfusion over that of the hot tissue.
    necrosis, density
        Share without perfusion; factor on the water.
    """

    box: tuple[slice, slice, slice]
    share: _Array
    log_flow: _Array
    necrosis: _Array
    density: _Array


def grow_tumour(recipe: SecondRecipe, tumour: TumourRecipe, spine: Spine, anatomy: Anatomy) -> TumourMaps:
    """Shape and inner structure of the index lesion in its anatomy."""
    rng = np.random.default_rng(tumour.shape_seed)
    scan = recipe.protocol
    stars = _stars(tumour, spine)
    box, points = _box(recipe, stars)
    shape = points.shape[1:]
    flat = points.reshape(3, -1).T
    score = np.full(len(flat), np.inf)
    for centre, radius in stars:
        offset = flat - centre
        distance = np.linalg.norm(offset, axis=1)
        surface = surface_radius(rng, offset / np.maximum(distance, 1e-6)[:, None], tumour.roughness)
        score = np.minimum(score, distance / (radius * surface))
    lumps, patches, dead = (power_law_field(rng, shape, scan.spacing_mm, slope) for slope in (3.0, 3.0, 4.0))
    score3 = score.reshape(shape) * (1.0 + 0.5 * tumour.roughness * lumps) * _resistance(tumour, anatomy, box)
    radius_mm = tumour.diameter_mm / 2.0
    share, depth = _cut(score3, tumour, float(np.prod(scan.spacing_mm)))
    depth *= radius_mm
    solid = share >= 0.5
    top = np.quantile(patches[solid], _HOT_QUANTILE) if solid.any() else 0.0
    log_flow = tumour.patchiness * (patches - top)
    shell = np.clip((0.2 * tumour.diameter_mm - depth) / (0.08 * tumour.diameter_mm), 0.0, 1.0)
    log_flow += np.minimum(tumour.rim, 0.0) * shell - np.maximum(tumour.rim, 0.0) * (1.0 - shell)
    density = np.ones(shape)
    if tumour.septa == "yes":
        borders = worley_borders(rng, flat, 0.3 * tumour.diameter_mm + 3.0).reshape(shape)
        septum = np.clip(1.5 - borders / _SEPTUM_MM, 0.0, 1.0)
        log_flow += _SEPTUM_LOG_FLOW * septum
        density -= (1.0 - _SEPTUM_DENSITY) * septum
    necrosis = _dead_core(dead + 2.0 * depth / radius_mm, solid & (depth > 0.08 * tumour.diameter_mm), tumour.necrosis)
    return TumourMaps(box, *(part.astype(np.float32) for part in (share, log_flow, necrosis, density)))


def _stars(tumour: TumourRecipe, spine: Spine) -> list[tuple[NDArray[np.float64], float]]:
    """Centre in the spine frame and radius of each star-shaped body, the main one first."""
    depth, width, height, canal = (
        float(spine.sizes[name][spine.index]) for name in ("depth", "width", "height", "canal")
    )
    a, b, c = tumour.offset
    side, radius = float(np.copysign(1.0, a)), tumour.diameter_mm / 2.0
    across = {"body": 0.15 * a, "side": side * (0.4 + 0.15 * abs(a)), "back": side * 0.4, "arch": 0.0}[tumour.site]
    ahead = depth * ((0.2 if tumour.site == "back" else 0.5) + 0.18 * b)
    main = (across * 0.5 * width, ahead, 0.2 * height * c)
    if tumour.site == "arch":
        main = (9.0 * a, -canal - 8.0 - 4.0 * b, -0.15 * height)
    stars = [(spine.position(*main), radius)]
    if tumour.site == "back":
        stars.append((spine.position(side * (0.65 * canal + 5.0), -0.6 * canal, 0.0), 0.75 * radius))
    reach = _MASS_RADIUS[tumour.mass]
    if reach:
        angle = np.deg2rad(tumour.mass_deg)
        middle = main if tumour.site == "arch" else (0.0, 0.5 * depth, main[2])
        out_x, out_y = np.cos(angle) * (0.45 * width + 0.3 * radius), np.sin(angle) * (0.5 * depth + 0.3 * radius)
        target = spine.position(middle[0] + out_x, middle[1] + out_y, middle[2])
        stars += [(target, reach * radius), (0.5 * (target + stars[0][0]), 0.6 * radius)]
    return stars


def _box(
    recipe: SecondRecipe, stars: list[tuple[NDArray[np.float64], float]]
) -> tuple[tuple[slice, slice, slice], NDArray[np.float64]]:
    """Part of the grid around the bodies, and the positions ``(3, ...)`` of its voxels in the spine frame."""
    affine = slab_affine(recipe.protocol)
    inverse = np.linalg.inv(affine)
    reach = 1.7 * recipe.lesions[0].diameter_mm / 2.0 + 6.0
    centres = np.array([inverse[:3, :3] @ centre + inverse[:3, 3] for centre, _ in stars])
    steps = reach / np.array(recipe.protocol.spacing_mm)
    last = np.array(recipe.protocol.matrix) - 1
    low = np.clip(np.floor(centres.min(axis=0) - steps), 0, last).astype(int)
    high = np.clip(np.ceil(centres.max(axis=0) + steps), low, last).astype(int)
    a, b, c = (slice(int(start), int(stop) + 1) for start, stop in zip(low, high, strict=True))
    index = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in (a, b, c)), indexing="ij"))
    points = np.einsum("ab,b...->a...", affine[:3, :3], index) + affine[:3, 3][:, None, None, None]
    return (a, b, c), points


def _resistance(tumour: TumourRecipe, anatomy: Anatomy, box: tuple[slice, slice, slice]) -> NDArray[np.float64]:
    """Factor on the distance by the normal tissue in the way."""
    shares = {name: share[box].astype(np.float64) for name, share in anatomy.shares.items()}
    bone, disc = anatomy.bone[box], shares["disc"]
    air = np.clip(1.0 - np.sum(list(shares.values()), axis=0), 0.0, 1.0)
    factor = 1.0 + _LEAVING_BONE[tumour.mass] * np.clip(1.0 - bone - disc, 0.0, 1.0) + _DISC * disc
    factor += _CANAL * shares["csf"] + _CORD * shares["cord"] + _VESSEL * shares["artery"]
    return np.asarray(factor + _AIR * (air + shares["lung"]))


def _cut(
    score: NDArray[np.float64], tumour: TumourRecipe, voxel_mm3: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of each voxel, and depth below the surface over the radius, for the drawn volume in one piece.

    Islands are pushed out and the cut is made again, so that the volume stays what was drawn.
    """
    count = min(round(np.pi / 6.0 * tumour.diameter_mm**3 / voxel_mm3), score.size // 2)
    width = max(tumour.edge_mm / (tumour.diameter_mm / 2.0), 1e-3)
    level = 0.0
    for _ in range(4):
        level = float(np.partition(score.ravel(), count)[count])
        pieces, found = label(score < level)
        if found <= 1:
            break
        largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
        score = np.where((pieces > 0) & (pieces != largest), 10.0 * score, score)
    return np.clip(0.5 - (score - level) / width, 0.0, 1.0), np.maximum(level - score, 0.0)


def _dead_core(field: NDArray[np.float64], where: NDArray[np.bool_], share: float) -> NDArray[np.float64]:
    """The highest part of a field, `share` of `where`, with soft edges."""
    if share <= 0 or not where.any():
        return np.zeros_like(field)
    level = np.quantile(field[where], 1.0 - share)
    return np.asarray(np.clip((field - level) * 3.0 + 0.5, 0.0, 1.0) * where)
