"""Painting what surrounds the spine: air, skin and fat, back muscles, vessels, and what lies in front by region."""

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.block import Block
from spinehub.simulate.canvas import soft
from spinehub.simulate.spine import Located
from spinehub.simulate.thorax import paint_chest

__all__ = ["paint_front", "paint_head", "paint_muscles", "paint_neck_arteries", "paint_outside", "paint_vessels"]

_Array = NDArray[np.float32]
_SKIN_MM = 2.0
_C6, _T1, _T4, _T11, _L1, _L4, _S1 = (LEVELS.index(name) for name in ("C6", "T1", "T4", "T11", "L1", "L4", "S1"))
_ARCH_MM = 24.0
"""Radius of the aortic arch (assumed)."""


def paint_outside(block: Block) -> None:
    """Air around the patient, and the skin; notes how deep under the skin each point lies."""
    p, tables, row = block.points, block.geometry.tables, block.geometry.rows(block.points.z)
    back, front = tables["skin_back"][row], tables["skin_front"][row]
    aside = np.abs(p.x) / tables["skin_side"][row]
    outside = np.maximum(back - p.y, p.y - front) + 0.5 * (front - back) * aside * aside * aside
    block.depth[:] = -outside
    block.canvas.paint(1.0 - soft(outside, block.width_mm), {})
    where = np.flatnonzero((outside > -_SKIN_MM - block.width_mm) & (block.canvas.free > 0))
    block.canvas.paint(1.0 - soft(outside[where] + _SKIN_MM, block.width_mm), {"skin": 0.9, "fat": 0.1}, where)


def paint_neck_arteries(block: Block) -> None:
    """Vertebral arteries in the transverse foramina of the cervical vertebrae."""
    points, geometry = block.points, block.geometry
    half_width = geometry.tables["canal_width"][points.index] * 0.5
    where = block.choose(
        (points.s > float(geometry.level_s[_C6]) - 6.0) & (np.abs(points.u - 3.0) < 6.0)
        & (np.abs(np.abs(points.x) - half_width - 4.0) < 6.0)
    )  # fmt: skip
    if where.size:
        p = points.take(where)
        tube = np.sqrt((np.abs(p.x) - half_width[where] - 4.0) ** 2 + (p.u - 3.0) ** 2)
        block.canvas.paint(soft(tube - 1.8, block.width_mm), {"artery": 1.0}, where)
        block.canvas.paint(soft(tube - 2.6, block.width_mm), {"fat": 0.5, "vein": 0.5}, where)


def paint_vessels(block: Block) -> None:
    """Aorta, vena cava and azygos vein in front of thoracic and lumbar bodies; carotids beside cervical ones."""
    points, geometry = block.points, block.geometry
    depth = geometry.tables["depth"][points.index]
    where = block.choose((points.u > depth - 12.0) & (points.u < depth + 75.0) & (np.abs(points.x) < 45.0))
    if not where.size:
        return
    p, depth = points.take(where), depth[where]
    aorta_x, gap, radius = geometry.anatomy.aorta_mm
    s = geometry.level_s.tolist()
    chest = np.interp(p.s, [s[_L1], s[_T11], s[_T4]], [0.0, 0.6, 1.0]).astype(np.float32)
    split = np.clip((s[_L4] - 8.0 - p.s) / 30.0, 0.0, 4.0).astype(np.float32)
    in_trunk = p.s < s[_T4]
    trunk = aorta_x * (1.0 + 0.5 * chest)
    size = radius * (1.0 + 0.25 * chest) * (1.0 - 0.4 * np.clip(2.0 * split, 0.0, 1.0))
    u_aorta = depth + gap + size - 4.0 * chest
    across = np.minimum((p.x - trunk + 9.0 * split) ** 2, (p.x - trunk - 22.0 * split) ** 2)
    aorta = np.sqrt(across + (p.u - u_aorta) ** 2) - size
    # Above T4 the aorta turns to the front and, a little to the right, down again to the heart.
    round_arch = np.sqrt((p.u - u_aorta - _ARCH_MM) ** 2 + np.maximum(p.s - s[_T4], 0.0) ** 2) - _ARCH_MM
    forward = np.clip((p.u - u_aorta) / (2.0 * _ARCH_MM), 0.0, 1.0)
    arch = np.sqrt(round_arch**2 + (p.x - trunk - 14.0 * forward) ** 2) - size - 1.0
    arch = np.where(p.s > s[_T4] - np.where(p.u > u_aorta + _ARCH_MM, 40.0, 0.0), arch, 50.0)
    cava_x = aorta_x + 26.0 + 6.0 * split
    cava = np.sqrt(((p.x - cava_x) / 1.25) ** 2 + ((p.u - depth - gap - 7.0) / 0.85) ** 2) - 8.5
    cava = np.where(chest > 0.3, np.sqrt((p.x - 6.0) ** 2 + (p.u - depth - 4.0) ** 2) - 3.2, cava)
    neck = p.s > s[_T1]
    carotid = np.sqrt((np.abs(p.x) - 24.0) ** 2 + (p.u - depth - 6.0) ** 2) - 3.2
    jugular = np.sqrt((np.abs(p.x) - 32.0) ** 2 + (p.u - depth - 4.0) ** 2) - 5.0
    artery = np.where(neck, carotid, np.minimum(np.where(in_trunk, aorta, 50.0), arch)).astype(np.float32)
    vein = np.where(neck, jugular, cava).astype(np.float32)
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
        under_fat = 0.6 * np.float32(geometry.anatomy.subcutaneous_mm) - block.depth[where]
        muscle = soft(np.maximum(-p.u - fascia, under_fat), block.width_mm)
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
    _paint_back_fat(block, behind)
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
    for region, painter in ((neck, _paint_neck), (chest, paint_chest), (~neck & ~chest, _paint_abdomen)):
        chosen = np.flatnonzero(region)
        if chosen.size:
            painter(block, p.take(chosen), ahead[chosen], where[chosen])


def _paint_back_fat(block: Block, where: NDArray[np.intp]) -> None:
    """Fat under the skin of the back with fibrous strands, and the superficial fascia halfway down."""
    streak = block.fields["muscle"][where]
    septum = np.clip(0.07 + 0.06 * streak + 0.04 * block.fields["fine"][where], 0.02, 0.35)
    middle = np.float32(0.55 * block.geometry.anatomy.subcutaneous_mm) + 1.2 * streak
    fascia = soft(np.abs(block.depth[where] - middle) - 0.4, block.width_mm)
    block.canvas.paint(0.6 * fascia, {"ligament": 1.0}, where)
    block.canvas.paint(np.ones(where.size, dtype=np.float32), {"fat": 1.0 - septum, "ligament": septum}, where)


def _paint_wall(block: Block, where: NDArray[np.intp]) -> None:
    """Muscle and fat of the body's front and side walls."""
    fat = np.float32(0.6 * block.geometry.anatomy.subcutaneous_mm)
    inward = block.depth[where]
    near = np.flatnonzero(inward < fat + 12.0)
    where, inward = where[near], inward[near]
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


def _paint_abdomen(block: Block, p: Located, ahead: _Array, where: NDArray[np.intp]) -> None:
    field, loops, fine = (block.fields[name][where] for name in ("organ", "bowel", "fine"))
    kidney = np.sqrt(
        ((np.abs(p.x) - 58.0) / 23.0) ** 2 + ((ahead + 18.0) / 27.0) ** 2
        + ((p.s - float(block.geometry.level_s[_L1]) + 12.0) / 54.0) ** 2
    )  # fmt: skip
    edge = (kidney - 1.0) * 23.0
    block.canvas.paint(soft(edge + 11.0 + 2.0 * fine, 2.0 * block.width_mm), {"fat": 0.7, "vein": 0.3}, where)
    block.canvas.paint(soft(edge, block.width_mm), {"organ": 1.0}, where)
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
