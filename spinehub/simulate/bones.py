"""Painting the spine itself: canal and cord, vertebral bodies and discs."""

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.block import Block, per_level
from spinehub.simulate.canvas import rounded, soft
from spinehub.simulate.spine import Located, SpineGeometry

__all__ = ["body_distance", "paint_bodies", "paint_canal", "paint_discs"]

_Array = NDArray[np.float32]
_CORTEX_MM = 0.7
_ENDPLATE_DIP_MM = {"C": 0.6, "T": 1.2, "L": 2.0, "S": 0.3}


def paint_canal(block: Block) -> None:
    """Cord or cauda, CSF, and what lies between the thecal sac and the canal's wall."""
    points, geometry = block.points, block.geometry
    where = block.choose((points.u < 3.0) & (points.u > -34.0) & (np.abs(points.x) < 22.0))
    if not where.size:
        return
    p, width = points.take(where), block.width_mm
    half_depth = block.table("canal_depth", where) / 2.0
    half_width = block.table("canal_width", where) / 2.0
    behind = p.u + half_depth + 1.0
    radial = np.sqrt((p.x / half_width) ** 2 + (behind / half_depth) ** 2)
    inside = soft((radial - 1.0) * half_depth, width)
    block.canal[where] = inside
    fat = np.float32(geometry.anatomy.epidural_fat)
    sac_depth, sac_width = half_depth * (0.92 - 0.16 * fat), half_width * 0.86
    ahead = behind - half_depth * 0.10 * fat
    sac = soft((np.sqrt((p.x / sac_width) ** 2 + (ahead / sac_depth) ** 2) - 1.0) * sac_depth, width) * inside
    sac *= p.s > float(geometry.level_s[LEVELS.index("S2")])
    cord_depth, cord_width = block.table("cord_depth", where) / 2.0, block.table("cord_width", where) / 2.0
    has_cord = cord_depth > 0.6
    cord_depth, cord_width = np.maximum(cord_depth, 0.6), np.maximum(cord_width, 0.6)
    cord_radial = np.sqrt((p.x / cord_width) ** 2 + (ahead / cord_depth) ** 2)
    cord = soft((cord_radial - 1.0) * cord_depth, width) * has_cord * sac
    block.canvas.paint(cord, {"cord": 1.0}, where)
    roots = np.where(has_cord, 0.04, 0.42 * np.clip(0.6 - ahead / sac_depth, 0.0, 1.0)).astype(np.float32)
    roots = np.clip(roots * (1.0 + 0.5 * block.fields["streak"][where]), 0.0, 0.9)
    block.canvas.paint(sac, {"csf": 1.0 - roots, "cord": roots}, where)
    plexus = np.where(p.u > -half_depth, 0.45, 0.12).astype(np.float32)
    filling = np.clip(fat * (1.0 - plexus), 0.1, 1.0)
    rest = 1.0 - filling
    block.canvas.paint(inside, {"fat": filling, "vein": rest * plexus, "ligament": rest * (0.9 - plexus)}, where)


def body_distance(geometry: SpineGeometry, p: Located, level: NDArray[np.int16]) -> tuple[_Array, _Array, _Array]:
    """Signed distance to the vertebral body of `level`, with height and depth in the body's own frame.

    Returns
    -------
    distance, up, forward
        Each ``(N,)`` float32 mm; `up` from the body's middle, `forward` from its back wall.
    """
    wall = geometry.wall_yz.astype(np.float32)
    sin, cos = (np.asarray(f(geometry.tilt), dtype=np.float32)[level] for f in (np.sin, np.cos))
    dy, dz = p.y - wall[level, 0], p.z - wall[level, 1]
    up, forward = dy * sin + dz * cos, dy * cos - dz * sin
    half_height = (geometry.height / 2.0).astype(np.float32)[level]
    half_depth = (geometry.depth / 2.0).astype(np.float32)[level]
    half_width = (geometry.width / 2.0).astype(np.float32)[level]
    relative = np.clip(up / half_height, -1.2, 1.2)
    waist = 1.0 - 0.09 * (1.0 - relative**2)
    lateral2 = (p.x / (half_width * waist)) ** 2
    # The back wall is slightly hollow; the front wall is waisted.
    hollow = 0.10 * half_depth * np.maximum(1.0 - 2.0 * lateral2, 0.0)
    middle = forward - half_depth - 0.5 * hollow
    depth2 = (middle / (half_depth * np.where(middle > 0, waist, 1.0) - 0.5 * hollow)) ** 2
    radial = np.sqrt(np.maximum(lateral2 + depth2 - 0.55 * np.minimum(lateral2 * depth2, 1.0), 0.0))
    dip = per_level(_ENDPLATE_DIP_MM)[level] * np.maximum(1.0 - radial**2, 0.0)
    front = np.clip(middle / half_depth, -1.0, 1.0)
    wedge = np.where(level == geometry.index_level, 0.4 * geometry.anatomy.collapse, 0.0).astype(np.float32)
    end = np.abs(up) - half_height * (1.0 - wedge * front) + dip
    distance = rounded((radial - 1.0) * half_depth, end, 1.6)
    if (level == 0).any():
        distance = np.where(level == 0, np.minimum(distance, _dens_distance(p.x, up, forward, half_height)), distance)
    return distance, up, forward


def _dens_distance(x: _Array, up: _Array, forward: _Array, half_height: _Array) -> _Array:
    """Dens of C2 with the arches of C1 before and behind it."""
    peg = np.sqrt(x**2 + (forward - 9.0) ** 2 + np.maximum(up - half_height - 9.0, 0.0) ** 2) - 5.0
    arch = np.sqrt(
        np.maximum(np.abs(x) - 6.0, 0.0) ** 2 + (forward - 19.5) ** 2 + ((up - half_height - 8.0) / 1.5) ** 2
    )
    back = np.sqrt(
        np.maximum(np.abs(x) - 8.0, 0.0) ** 2 + (forward + 23.0) ** 2 + ((up - half_height - 8.0) / 1.2) ** 2
    )
    return np.asarray(np.minimum(np.maximum(peg, -up), np.minimum(arch - 3.2, back - 3.0)), dtype=np.float32)


def paint_bodies(block: Block) -> None:
    """Vertebral bodies: cortex and endplates around marrow, with the basivertebral vein."""
    points, geometry = block.points, block.geometry
    reach = geometry.tables["depth"][points.index] + 4.0
    half = geometry.tables["width"][points.index] * 0.5 + 4.0
    above = points.s > float(geometry.level_s[0])
    where = block.choose(
        (points.u > np.where(above, -30.0, -5.0)) & (points.u < reach + 8.0 * above) & (np.abs(points.x) < half)
    )
    if not where.size:
        return
    p = points.take(where)
    level = geometry.level_at[p.index]
    distance, up, forward = body_distance(geometry, p, level)
    whole = soft(distance, block.width_mm)
    inner = soft(distance + _CORTEX_MM, block.width_mm)
    block.bone[where] = np.maximum(block.bone[where], whole)
    notch = 2.6 * (1.0 - forward / (0.75 * geometry.depth.astype(np.float32)[level]))
    vein = soft(np.maximum(np.abs(up) - np.maximum(notch, 0.0), np.abs(p.x) - 4.0), block.width_mm) * (notch > 0)
    vein *= (inner > 0) & (level < LEVELS.index("S1")) & (level > 0)
    block.canvas.paint(vein * whole, {"vein": 0.45, "fat": 0.35, "ligament": 0.2}, where)
    block.canvas.paint(inner, block.marrow(where, level), where)
    block.canvas.paint(whole, {"bone": 0.85, "ligament": 0.15}, where)


def paint_discs(block: Block) -> None:
    """Discs by degeneration: watery and tall when young, dark, low and bulging when dry; ligaments around them."""
    points, geometry = block.points, block.geometry
    depth = geometry.tables["depth"][points.index]
    where = block.choose((points.u > -4.0) & (points.u < depth + 6.0) & (np.abs(points.x) < 30.0))
    if not where.size:
        return
    p, depth = points.take(where), depth[where]
    level = geometry.level_at[p.index]
    below = np.where(p.s < geometry.level_s.astype(np.float32)[level], level, level - 1)
    below = np.clip(below, 0, len(LEVELS) - 2)
    grade = np.array(geometry.anatomy.disc_grade, dtype=np.float32)[below]
    half_width = block.table("width", where) * 0.5
    middle = p.u - depth * 0.5
    lateral2, depth2 = (p.x / half_width) ** 2, (middle / (depth * 0.5)) ** 2
    radial = np.sqrt(lateral2 + depth2 - 0.55 * np.minimum(lateral2 * depth2, 1.0))
    outward = (radial - 1.0) * depth * 0.5
    along = np.abs(p.s - geometry.disc_s.astype(np.float32)[below])
    half_height = geometry.disc.astype(np.float32)[below] * 0.5
    disc = soft(rounded(outward - 0.4 - 1.4 * grade, along - half_height - 3.0, 1.5), block.width_mm)
    block.disc[where] = disc
    outer = np.clip((radial - 0.62) * 3.0, 0.0, 1.0)
    young = (1.0 - grade) * (1.0 - 0.55 * outer)
    dry = (1.0 - young) * (1.0 - 0.5 * outer)
    # Degeneration after Pfirrmann: a cleft in the nucleus from grade II on, gas in some dry discs (grade V).
    cleft = soft(np.maximum(along - 0.5, 10.0 * (radial - 0.55)), block.width_mm) * np.clip(3.0 * grade, 0.0, 0.7)
    gas = np.clip(8.0 * (grade - 0.85), 0.0, 1.0) * np.clip(0.5 + block.fields["fine"][where], 0.0, 1.0)
    block.canvas.paint(cleft * gas * disc, {}, where)
    block.canvas.paint(cleft * disc, {"disc_dry": 0.7, "ligament": 0.3}, where)
    block.canvas.paint(disc, {"disc_young": young, "disc_dry": dry, "ligament": 1.0 - young - dry}, where)
    band = soft(np.maximum(outward - 1.6, np.abs(p.x) - half_width * 0.6), block.width_mm)
    block.canvas.paint(band, {"ligament": 0.8, "fat": 0.2}, where)
