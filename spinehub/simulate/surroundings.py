"""Painting what surrounds the spine: air, skin and fat, back muscles, vessels, and what lies in front by region."""

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.block import Block
from spinehub.simulate.canvas import soft
from spinehub.simulate.spine import Located

__all__ = ["paint_front", "paint_head", "paint_muscles", "paint_outside", "paint_vessels"]

_Array = NDArray[np.float32]
_SKIN_MM = 2.0
_T1, _T4, _T11, _L1, _L4, _S1 = (LEVELS.index(name) for name in ("T1", "T4", "T11", "L1", "L4", "S1"))


def paint_outside(block: Block) -> None:
    """Air around the patient, and the skin."""
    p, tables, row = block.points, block.geometry.tables, block.geometry.rows(block.points.z)
    outside = np.maximum(tables["skin_back"][row] - p.y, p.y - tables["skin_front"][row])
    block.canvas.paint(1.0 - soft(outside, block.width_mm), {})
    block.canvas.paint(1.0 - soft(outside + _SKIN_MM, block.width_mm), {"skin": 0.9, "fat": 0.1})


def paint_vessels(block: Block) -> None:
    """Aorta, vena cava and azygos vein in front of thoracic and lumbar bodies; carotids beside cervical ones."""
    points, geometry = block.points, block.geometry
    depth = geometry.tables["depth"][points.index]
    where = block.choose((points.u > depth - 12.0) & (points.u < depth + 50.0) & (np.abs(points.x) < 45.0))
    if not where.size:
        return
    p, depth = points.take(where), depth[where]
    aorta_x, gap, radius = geometry.anatomy.aorta_mm
    s = geometry.level_s.tolist()
    chest = np.interp(p.s, [s[_L1], s[_T11], s[_T4]], [0.0, 0.6, 1.0]).astype(np.float32)
    split = np.clip((s[_L4] - 8.0 - p.s) / 30.0, 0.0, 4.0).astype(np.float32)
    in_trunk = p.s < s[_T4] + 8.0
    trunk = aorta_x * (1.0 + 0.5 * chest)
    size = radius * (1.0 + 0.25 * chest) * (1.0 - 0.4 * np.clip(2.0 * split, 0.0, 1.0))
    u_aorta = depth + gap + size - 4.0 * chest
    across = np.minimum((p.x - trunk + 9.0 * split) ** 2, (p.x - trunk - 22.0 * split) ** 2)
    aorta = np.sqrt(across + (p.u - u_aorta) ** 2) - size
    cava_x = aorta_x + 26.0 + 6.0 * split
    cava = np.sqrt(((p.x - cava_x) / 1.25) ** 2 + ((p.u - depth - gap - 7.0) / 0.85) ** 2) - 8.5
    cava = np.where(chest > 0.3, np.sqrt((p.x - 6.0) ** 2 + (p.u - depth - 4.0) ** 2) - 3.2, cava)
    neck = p.s > s[_T1]
    carotid = np.sqrt((np.abs(p.x) - 24.0) ** 2 + (p.u - depth - 6.0) ** 2) - 3.2
    jugular = np.sqrt((np.abs(p.x) - 32.0) ** 2 + (p.u - depth - 4.0) ** 2) - 5.0
    artery = np.where(neck, carotid, np.where(in_trunk, aorta, 50.0)).astype(np.float32)
    vein = np.where(neck, jugular, np.where(in_trunk, cava, 50.0)).astype(np.float32)
    block.canvas.paint(soft(artery, block.width_mm), {"artery": 1.0}, where)
    block.canvas.paint(soft(vein, block.width_mm), {"vein": 1.0}, where)
    wall = soft(np.minimum(artery, vein) - 1.0, block.width_mm)
    block.canvas.paint(wall, {"wall": 0.8, "ligament": 0.2}, where)


def paint_head(block: Block) -> None:
    """Back of the skull with cerebellum and brain stem, where the field of view reaches above C2."""
    points, geometry = block.points, block.geometry
    where = block.choose(points.s > float(geometry.level_s[0]) + 22.0)
    if not where.size:
        return
    p = points.take(where)
    up = p.s - float(geometry.level_s[0])
    skull = np.sqrt((p.x / 1.05) ** 2 + ((p.u + 30.0) * 0.92) ** 2 + (up - 108.0) ** 2) - 74.0
    folds = np.clip(0.12 + 0.12 * block.fields["fine"][where] + 0.08 * block.fields["muscle"][where], 0.0, 0.6)
    block.canvas.paint(soft(skull, block.width_mm), {"cord": 1.0 - folds, "csf": folds}, where)
    block.canvas.paint(soft(skull - 1.5, block.width_mm), {"bone": 1.0}, where)
    block.canvas.paint(soft(skull - 6.0, block.width_mm), block.marrow(where, geometry.level_at[p.index]), where)
    block.canvas.paint(soft(skull - 7.5, block.width_mm), {"bone": 1.0}, where)


def paint_muscles(block: Block) -> None:
    """Back muscles with streaks of fat up to their fascia, psoas beside lumbar bodies, prevertebral neck muscles."""
    points, geometry = block.points, block.geometry
    where = block.choose(points.u < 0.0)
    if where.size:
        p = points.take(where)
        fascia = block.table("canal_depth", where) + block.table("fascia", where)
        muscle = soft(-p.u - fascia, block.width_mm)
        rim = soft(np.abs(-p.u - fascia - 0.6) - 0.6, block.width_mm)
        block.canvas.paint(rim, {"ligament": 0.8, "fat": 0.2}, where)
        _paint_streaked(block, muscle, where, geometry.anatomy.muscle_fat)
    depth = geometry.tables["depth"][points.index]
    half_width = geometry.tables["width"][points.index] * 0.5
    s = geometry.level_s.tolist()
    lumbar = (points.s < s[_L1] + 10.0) & (points.s > s[_S1] - 60.0)
    where = block.choose(lumbar & (points.u >= -12.0) & (points.u < depth + 6.0) & (np.abs(points.x) > half_width))
    if where.size:
        p = points.take(where)
        out = np.clip((s[_L1] + 10.0 - p.s) / 120.0, 0.15, 1.0)
        middle = np.sqrt(
            ((np.abs(p.x) - half_width[where] - 16.0 * out) / 1.0) ** 2 + ((p.u - 0.42 * depth[where]) / 1.05) ** 2
        )
        _paint_streaked(block, soft((middle - 16.0 * out).astype(np.float32), block.width_mm), where, 0.05)
    where = block.choose((points.s > s[_T1] - 20.0) & (points.u > 0.0) & (points.u < depth + 5.0))
    if where.size:
        p = points.take(where)
        ahead = p.u - depth[where] - 2.0 - 0.12 * np.minimum(np.abs(p.x), 20.0)
        _paint_streaked(block, soft(np.maximum(ahead, np.abs(p.x) - 34.0), block.width_mm), where, 0.05)


def _paint_streaked(block: Block, share: _Array, where: NDArray[np.intp], fat: float) -> None:
    streak = block.fields["muscle"][where] + 0.4 * block.fields["fine"][where]
    lipid = np.clip(np.float32(fat) * np.exp(0.95 * streak - 0.4), 0.01, 0.85)
    block.canvas.paint(share, {"fat": lipid, "muscle": 1.0 - lipid}, where)


def paint_front(block: Block) -> None:
    """Everything that is left: fat of the back, and by region neck, lungs and heart, bowel, or pelvis in front."""
    points, geometry = block.points, block.geometry
    behind = block.choose(points.u < 0.0)
    septum = np.clip(0.06 + 0.05 * block.fields["muscle"][behind], 0.02, 0.25)
    block.canvas.paint(np.ones(behind.size, dtype=np.float32), {"fat": 1.0 - septum, "ligament": septum}, behind)
    where = block.choose(points.u >= 0.0)
    if not where.size:
        return
    p = points.take(where)
    ahead = p.u - block.table("depth", where)
    field = block.fields["organ"][where]
    shifted = p.s + 0.35 * np.minimum(ahead, 60.0) - 9.0 * field
    neck = shifted > float(geometry.level_s[_T1])
    chest = ~neck & (p.s + 0.25 * np.minimum(ahead, 70.0) > float(geometry.level_s[_T11]) - 5.0)
    _paint_wall(block, where)
    for region, painter in ((neck, _paint_neck), (chest, _paint_chest), (~neck & ~chest, _paint_abdomen)):
        chosen = np.flatnonzero(region)
        if chosen.size:
            painter(block, p.take(chosen), ahead[chosen], where[chosen])


def _paint_wall(block: Block, where: NDArray[np.intp]) -> None:
    """Muscle and fat of the body's front wall."""
    geometry, p = block.geometry, block.points.take(where)
    inward = geometry.tables["skin_front"][geometry.rows(p.z)] - p.y
    fat = np.float32(0.6 * geometry.anatomy.subcutaneous_mm)
    block.canvas.paint(soft(inward - fat, block.width_mm), {"fat": 0.95, "ligament": 0.05}, where)
    _paint_streaked(block, soft(inward - fat - 9.0, block.width_mm), where, 0.08)


def _paint_neck(block: Block, p: Located, ahead: _Array, where: NDArray[np.intp]) -> None:
    airway = np.sqrt((p.x / 1.3) ** 2 + (ahead - 20.0) ** 2) - 8.0
    block.canvas.paint(soft(airway, block.width_mm), {}, where)
    gullet = np.maximum(np.abs(ahead - 8.0) - 3.5, np.abs(p.x) - 10.0)
    block.canvas.paint(soft(np.minimum(gullet, airway - 2.5), block.width_mm), {"wall": 0.9, "fat": 0.1}, where)
    flesh = np.clip(0.55 + 0.35 * block.fields["organ"][where], 0.0, 1.0)
    block.canvas.paint(
        np.ones(where.size, dtype=np.float32), {"muscle": 0.8 * flesh, "organ": 0.2 * flesh, "fat": 1.0 - flesh}, where
    )


def _paint_chest(block: Block, p: Located, ahead: _Array, where: NDArray[np.intp]) -> None:
    s = block.geometry.level_s.tolist()
    field = block.fields["organ"][where]
    high = p.s > s[_T4] - 10.0
    gullet = np.sqrt(((p.x + 3.0) / 1.5) ** 2 + (ahead - 7.0) ** 2) - 4.0
    block.canvas.paint(soft(gullet, block.width_mm), {"wall": 0.9, "fat": 0.1}, where)
    trachea = np.where(high, np.sqrt(p.x**2 + (ahead - 19.0) ** 2) - 8.0, 50.0).astype(np.float32)
    block.canvas.paint(soft(trachea, block.width_mm), {}, where)
    block.canvas.paint(soft(trachea - 2.0, block.width_mm), {"wall": 0.8, "ligament": 0.2}, where)
    middle = (s[_T4] + s[_T11]) / 2.0 - 10.0
    heart = np.sqrt(((p.x + 14.0) / 48.0) ** 2 + ((ahead - 52.0) / 36.0) ** 2 + ((p.s - middle) / 56.0) ** 2)
    edge = (heart - 1.0) * 36.0 + 3.0 * field
    block.canvas.paint(soft(edge + 8.0, block.width_mm), {"vein": 1.0}, where)
    block.canvas.paint(soft(edge, block.width_mm), {"organ": 0.9, "fat": 0.1}, where)
    mediastinum = np.maximum(ahead - 16.0 - 3.0 * field, np.abs(p.x) - 20.0)
    block.canvas.paint(soft(mediastinum, block.width_mm), {"fat": 0.75, "wall": 0.25}, where)
    vessel = np.clip(block.fields["fine"][where] - 1.6, 0.0, 0.6)
    block.canvas.paint(
        np.ones(where.size, dtype=np.float32), {"lung": 1.0 - vessel, "vein": vessel.astype(np.float32)}, where
    )


def _paint_abdomen(block: Block, p: Located, ahead: _Array, where: NDArray[np.intp]) -> None:
    field, loops, fine = (block.fields[name][where] for name in ("organ", "bowel", "fine"))
    deep = np.clip((ahead - 7.0 - 4.0 * field) / 5.0, 0.0, 1.0)
    bowel = deep * np.clip((loops + 0.25 * fine + 0.2) * 1.6 + 0.5, 0.0, 1.0)
    gas = bowel * np.clip((loops - 1.4 + 0.3 * field) * 2.0, 0.0, 1.0) * np.clip((ahead - 25.0) / 10.0, 0.0, 1.0)
    block.canvas.paint(gas, {}, where)
    lumen = np.clip((loops - 0.5) * 1.2, 0.0, 0.8)
    solid = np.clip((field - 0.5) * 2.0 + 0.5, 0.0, 1.0)
    mixture = {
        "organ": 0.9 * solid,
        "wall": (1.0 - solid) * (1.0 - lumen),
        "muscle": (1.0 - solid) * lumen * 0.8,
        "csf": (1.0 - solid) * lumen * 0.2,
        "fat": 0.1 * solid,
    }
    block.canvas.paint(bowel, mixture, where)
    vein = np.clip(block.fields["fine"][where] - 1.8, 0.0, 0.5).astype(np.float32)
    block.canvas.paint(np.ones(where.size, dtype=np.float32), {"fat": 1.0 - vein, "vein": vein}, where)
