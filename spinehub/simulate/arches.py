"""Painting the vertebral arches: pedicles, laminae, joints, processes, their ligaments, and the nerve roots between."""

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import LEVEL_SIZES, LEVELS
from spinehub.simulate.block import Block, per_level
from spinehub.simulate.canvas import rounded, soft
from spinehub.simulate.spine import Located

__all__ = ["paint_posterior"]

_Array = NDArray[np.float32]
_PEDICLE_MM = {"C": 5.5, "T": 6.5, "L": 10.0, "S": 12.0}


def paint_posterior(block: Block) -> None:
    """Pedicles, laminae, articular pillars, transverse and spinous processes, and the ligaments between them."""
    points, geometry = block.points, block.geometry
    where = block.choose((points.u < 6.0) & (points.u > -75.0) & (np.abs(points.x) < 46.0))
    if not where.size:
        return
    distance, joint, level = _posterior_distance(block, where)
    whole, inner = soft(distance, block.width_mm), soft(distance + 1.2, block.width_mm)
    block.bone[where] = np.maximum(block.bone[where], whole)
    block.canvas.paint(inner, block.marrow(where, level), where)
    block.canvas.paint(whole, {"bone": 0.8, "ligament": 0.2}, where)
    block.canvas.paint(soft(joint, block.width_mm), {"disc_young": 0.5, "csf": 0.15, "ligament": 0.35}, where)
    p = points.take(where)
    canal_depth = block.table("canal_depth", where)
    behind = -p.u - canal_depth
    tip = np.interp(level, np.arange(len(LEVELS)), LEVEL_SIZES.spinous_length * geometry.anatomy.size)
    midline = soft(np.maximum(np.abs(p.x) - 2.2, np.maximum(behind - tip.astype(np.float32), -behind)), block.width_mm)
    streak = np.clip(0.45 + 0.2 * block.fields["muscle"][where], 0.1, 0.8)
    block.canvas.paint(
        midline, {"ligament": 0.8 * (1.0 - streak), "fat": streak, "muscle": 0.2 * (1.0 - streak)}, where
    )
    flavum = soft(np.maximum(np.abs(behind - 2.5) - 2.0, np.abs(p.x) - 9.0), block.width_mm)
    block.canvas.paint(flavum, {"ligament": 0.7, "fat": 0.3}, where)
    _paint_foramen(block, p, where, level)


def _paint_foramen(block: Block, p: Located, where: NDArray[np.intp], level: NDArray[np.int16]) -> None:
    """Nerve root under its pedicle, in fat with small veins; thin at the level of the joint."""
    geometry = block.geometry
    canal_depth = block.table("canal_depth", where)
    half_width = block.table("canal_width", where) * 0.5
    height = geometry.height.astype(np.float32)[level]
    phase = p.s - geometry.level_s.astype(np.float32)[level]
    side = np.abs(p.x)
    drift = 0.35 * (side - half_width)
    root = np.sqrt((p.u + 0.35 * canal_depth) ** 2 + ((phase + 0.22 * height + drift) * 0.85) ** 2) - 2.6
    root = np.maximum(root, half_width * 0.7 - side)
    block.canvas.paint(soft(root, block.width_mm), {"cord": 0.85, "fat": 0.15}, where)
    gap = np.maximum(np.maximum(p.u - 1.0, -p.u - canal_depth * 0.72), side - 20.0)
    streak = np.clip(
        0.7 + 0.12 * block.fields["fine"][where] - 0.02 * np.maximum(-phase - 0.3 * height, 0.0), 0.3, 0.95
    )
    rest = 1.0 - streak
    block.canvas.paint(soft(gap, block.width_mm), {"fat": streak, "vein": 0.5 * rest, "ligament": 0.5 * rest}, where)


def _posterior_distance(block: Block, where: NDArray[np.intp]) -> tuple[_Array, _Array, NDArray[np.int16]]:
    geometry, p = block.geometry, block.points.take(where)
    half_depth = block.table("canal_depth", where) * 0.5
    half_width = block.table("canal_width", where) * 0.5
    behind = -p.u - 2.0 * half_depth - 1.0
    drop = block.table("drop", where)
    lift = np.where(np.abs(p.x) < 6.0, drop, 0.35) * np.maximum(behind, 0.0)
    row = geometry.rows_at_arc(p.s + lift)
    level = geometry.level_at[row]
    rows = {
        "length": LEVEL_SIZES.spinous_length * geometry.anatomy.size,
        "tall": LEVEL_SIZES.spinous_height * geometry.anatomy.size * 0.5,
        "height": geometry.height,
        "pitch": geometry.height + geometry.disc,
        "s": geometry.level_s,
    }
    at = {name: values.astype(np.float32)[level] for name, values in rows.items()}
    phase = p.s + lift - at["s"]
    side = np.abs(p.x)
    # Spinous process: a plate that widens to its tip.
    plate = np.maximum(side - 2.6 - 0.05 * behind, np.abs(phase + 0.22 * at["height"]) - at["tall"] - 0.04 * behind)
    spinous = np.maximum(rounded(plate, behind - at["length"], 2.0), -behind - 1.0)
    # Lamina: back half of a ring around the canal, one shingle per level.
    ring = np.sqrt((p.x / half_width) ** 2 + ((p.u + half_depth + 1.0) / half_depth) ** 2)
    outward = (ring - 1.0) * half_depth
    shell = np.abs(outward - 3.2) - 2.8
    lamina = np.maximum(shell, np.abs(phase + 0.2 * at["height"] + 0.5 * (outward - 3.0)) - 0.33 * at["pitch"])
    lamina = np.maximum(lamina, p.u + 1.3 * half_depth)
    thick = per_level(_PEDICLE_MM)[level]
    pillar_side = np.abs(side - half_width - 0.5 * thick) - 0.5 * thick
    pedicle = rounded(pillar_side, np.abs(phase - 0.2 * at["height"]) - 0.26 * at["height"], 1.5)
    pedicle = np.maximum(pedicle, np.maximum(p.u - 4.0, -p.u - 1.6 * half_depth))
    pillar = np.maximum(pillar_side - 2.0, np.abs(p.u + 1.9 * half_depth + 3.0) - 5.0)
    joint = np.abs(phase + 0.5 * at["pitch"] + 0.9 * (p.u + 1.9 * half_depth + 3.0))
    facet = np.maximum(pillar, joint - 1.0)
    pillar = np.maximum(pillar, 1.0 - joint)
    transverse = np.maximum(
        np.sqrt((p.u + 1.6 * half_depth) ** 2 + (phase - 0.15 * at["height"]) ** 2) - 4.5,
        np.maximum(half_width + thick - side, side - half_width - thick - 18.0),
    )
    distance = np.minimum(np.minimum(spinous, lamina), np.minimum(pedicle, np.minimum(pillar, transverse)))
    return np.asarray(distance, dtype=np.float32), np.asarray(facet, dtype=np.float32), level
