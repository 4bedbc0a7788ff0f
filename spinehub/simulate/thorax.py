"""Painting the chest: ribs with the muscle between them, lungs, heart, gullet and windpipe."""

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.block import Block
from spinehub.simulate.canvas import soft
from spinehub.simulate.spine import Located

__all__ = ["paint_chest", "paint_ribs"]

_Array = NDArray[np.float32]
_T1, _T4, _T11, _T12 = (LEVELS.index(name) for name in ("T1", "T4", "T11", "T12"))
_BESIDE_MM = np.array([0.0, 20.0, 45.0, 75.0, 100.0, 118.0, 128.0], dtype=np.float32)
_RIB_U_MM = np.array([3.0, -17.0, -27.0, -22.0, 0.0, 35.0, 70.0], dtype=np.float32)
_RIB_COSINE = np.array([0.70, 0.80, 0.98, 0.90, 0.60, 0.40, 0.28], dtype=np.float32)
"""Course of a rib (assumed): distance from the body's side, place in front of the line, cosine of its slope."""
_RIB_MM = (3.0, 5.5)
"""Half thickness and half height of a rib (assumed)."""


def paint_ribs(block: Block) -> None:
    """Ribs from their heads at the upper edge of each thoracic body outwards, intercostal muscle, lung behind."""
    points, geometry = block.points, block.geometry
    s = geometry.level_s.tolist()
    aside = np.abs(points.x) - 0.5 * geometry.tables["width"][points.index]
    where = block.choose(
        (points.s < s[_T1] + 14.0) & (points.s > s[_T12] - 12.0) & (aside > -2.0) & (aside < 128.0) & (points.u < 72.0)
        & (points.u > -36.0)
    )  # fmt: skip
    if not where.size:
        return
    p, aside = points.take(where), aside[where]
    drop = 0.22 * aside + 0.3 * np.maximum(aside - 45.0, 0.0)
    half_pitch = np.float32(0.5 * (geometry.height[_T4] + geometry.disc[_T4]))
    level = np.clip(geometry.level_at[geometry.rows_at_arc(p.s + drop - half_pitch)], _T1, _T12)
    head = (geometry.level_s + 0.45 * geometry.height).astype(np.float32)[level]
    out = (p.u - np.interp(aside, _BESIDE_MM, _RIB_U_MM).astype(np.float32)) * np.interp(
        aside, _BESIDE_MM, _RIB_COSINE
    ).astype(np.float32)
    thick, tall = _RIB_MM
    rib = (np.sqrt((out / thick) ** 2 + ((p.s + drop - head) / tall) ** 2) - 1.0) * np.float32(thick)
    whole = soft(rib, block.width_mm) * (aside > 0)
    block.bone[where] = np.maximum(block.bone[where], whole)
    block.canvas.paint(soft(rib + 1.0, block.width_mm) * (aside > 0), block.marrow(where, level), where)
    block.canvas.paint(whole, {"bone": 0.8, "ligament": 0.2}, where)
    between = soft(np.maximum(np.abs(out) - 2.2, 14.0 - aside), block.width_mm)
    streak = np.clip(0.25 + 0.12 * block.fields["muscle"][where], 0.05, 0.6)
    block.canvas.paint(between, {"muscle": 1.0 - streak, "fat": streak}, where)
    behind = np.flatnonzero((p.u < 0.0) & (aside > 3.0) & (out > 0.0) & (p.s > s[_T11] - 12.0))
    pleura = soft(3.0 - out[behind], block.width_mm)
    block.canvas.paint(pleura, _lung(block, where[behind]), where[behind])


def _lung(block: Block, where: NDArray[np.intp]) -> dict[str, _Array]:
    vessel = np.clip(block.fields["fine"][where] - 1.6, 0.0, 0.6)
    return {"lung": 1.0 - vessel, "vein": vessel}


def paint_chest(block: Block, p: Located, ahead: _Array, where: NDArray[np.intp]) -> None:
    """What lies in front of the thoracic spine; `ahead` is the distance in mm from the front of the bodies."""
    s = block.geometry.level_s.tolist()
    field = block.fields["organ"][where]
    high = p.s > s[_T4] - 10.0
    gullet = np.sqrt(((p.x + 3.0) / 1.5) ** 2 + (ahead - 7.0) ** 2) - 4.0
    block.canvas.paint(soft(gullet, block.width_mm), {"wall": 0.9, "fat": 0.1}, where)
    trachea = np.where(high, np.sqrt(p.x**2 + (ahead - 19.0) ** 2) - 8.0, 50.0).astype(np.float32)
    block.canvas.paint(soft(trachea, block.width_mm), {}, where)
    block.canvas.paint(soft(trachea - 2.0, block.width_mm), {"wall": 0.8, "ligament": 0.2}, where)
    _paint_heart(block, p, ahead, where)
    mediastinum = np.maximum(ahead - 16.0 - 3.0 * field, np.abs(p.x) - 20.0)
    block.canvas.paint(soft(mediastinum, block.width_mm), {"fat": 0.75, "wall": 0.25}, where)
    block.canvas.paint(np.ones(where.size, dtype=np.float32), _lung(block, where), where)


def _paint_heart(block: Block, p: Located, ahead: _Array, where: NDArray[np.intp]) -> None:
    """Chambers of blood between walls of muscle that a random field bends, in a thin coat of fat."""
    s = block.geometry.level_s.tolist()
    middle = (s[_T4] + s[_T11]) / 2.0 - 10.0
    near = np.flatnonzero((np.abs(p.s - middle) < 75.0) & (ahead > 4.0))
    if not near.size:
        return
    place = where[near]
    field, coarse = block.fields["organ"][place], block.fields["bowel"][place]
    heart = np.sqrt(
        ((p.x[near] + 14.0) / 48.0) ** 2 + ((ahead[near] - 52.0) / 36.0) ** 2 + ((p.s[near] - middle) / 56.0) ** 2
    )
    edge = (heart - 1.0) * 36.0 + 5.0 * field
    septum = 1.5 - 9.0 * np.abs(field + 0.5 * coarse)
    cavity = np.maximum(edge + 7.0 + 2.0 * coarse, septum)
    block.canvas.paint(soft(cavity, 2.0 * block.width_mm), {"vein": 1.0}, place)
    block.canvas.paint(soft(edge, 1.5 * block.width_mm), {"organ": 0.7, "muscle": 0.25, "fat": 0.05}, place)
    block.canvas.paint(soft(edge - 3.0 - coarse, 1.5 * block.width_mm), {"fat": 0.85, "wall": 0.15}, place)
