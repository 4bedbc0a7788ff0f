"""Painting the second world's body: shares of tissue in each voxel, slice by slice, from the canal outwards."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.second_world.fields import power_law_field
from spinehub.second_world.recipe import SecondRecipe
from spinehub.second_world.scan import slab_affine
from spinehub.second_world.spine import LEVELS, Place, Spine

__all__ = ["WATERS", "Anatomy", "paint"]

_Array = NDArray[np.float32]
WATERS = ("marrow", "cortex", "disc", "csf", "cord", "muscle", "organ", "artery", "vein", "lung", "skin")
"""Components with water; fat stands beside them."""
_NAMES = (*WATERS, "fat")
_POWER = 2.6
_CORTEX_MM, _SKIN_MM = 1.0, 2.5
_FRONT_MM = 135.0
_CONUS, _NECK_END, _CHEST_END, _LUMBAR_START = (LEVELS.index(name) for name in ("L2", "T2", "T11", "T12"))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissue of a lesion-free body.

    Parameters
    ----------
    shares
        Name of each of :data:`WATERS` and ``fat`` to ``(I, J, K)`` float32, 0 to 1; the rest is air.
    bone
        ``(I, J, K)`` share of vertebral bone, marrow or cortex.
    """

    shares: dict[str, _Array]
    bone: _Array


def paint(recipe: SecondRecipe, spine: Spine) -> Anatomy:
    """Tissue in every voxel of the slab."""
    scan, body = recipe.protocol, recipe.anatomy
    rng = np.random.default_rng(body.texture_seed)
    fields = [power_law_field(rng, scan.matrix, scan.spacing_mm, body.texture_slope) for _ in range(3)]
    shares = {name: np.zeros(scan.matrix, dtype=np.float32) for name in _NAMES}
    bone = np.zeros(scan.matrix, dtype=np.float32)
    affine = slab_affine(scan)
    rows, columns = np.meshgrid(np.arange(scan.matrix[0]), np.arange(scan.matrix[1]), indexing="ij")
    flat = np.stack([rows.ravel(), columns.ravel()])
    for k in range(scan.matrix[2]):
        points = affine[:3, :2] @ flat + (affine[:3, 2] * k + affine[:3, 3])[:, None]
        brush = _Brush(spine, spine.locate(points), [field[:, :, k].ravel() for field in fields], scan.spacing_mm[0])
        brush.everything()
        for name, share in brush.shares.items():
            shares[name][:, :, k] = share.reshape(scan.matrix[:2])
        bone[:, :, k] = brush.bone.reshape(scan.matrix[:2])
    return Anatomy(shares, bone)


class _Brush:
    """Paints one slice: what is painted first hides what comes later."""

    def __init__(self, spine: Spine, place: Place, fields: list[_Array], width_mm: float) -> None:
        self.spine, self.place, self.width = spine, place, np.float32(width_mm)
        self.grain, self.streaks, self.lumps = fields
        self.free = np.ones(place.u.size, dtype=np.float32)
        self.bone = np.zeros(place.u.size, dtype=np.float32)
        self.shares: dict[str, _Array] = {}

    def put(self, distance_mm: _Array | np.float32, **mixture: _Array | float) -> _Array:
        """Cover what lies inside a signed distance with a mixture of tissues (none: air); returns what was covered."""
        inside = np.clip(np.float32(0.5) - distance_mm / self.width, 0.0, 1.0)
        covered = inside * self.free
        self.free = self.free - covered
        for name, part in mixture.items():
            added = covered * np.asarray(part, dtype=np.float32)
            self.shares[name] = self.shares[name] + added if name in self.shares else added
        return np.asarray(covered, dtype=np.float32)

    def everything(self) -> None:
        """Paint all tissues in their order."""
        self._air()
        self._canal()
        self._column()
        self._arch()
        self._vessels()
        self._muscles()
        self._front()
        self.put(np.float32(-1e3), fat=0.97, skin=0.03)

    def _marrow(self) -> dict[str, _Array | float]:
        body = self.spine.body
        fat = np.clip(np.float32(body.marrow_fat) + np.float32(body.marrow_grain) * self.grain, 0.05, 0.9)
        return {"fat": fat, "marrow": 1.0 - fat}

    def _bony(self, distance_mm: _Array) -> None:
        """Marrow inside a shell of cortex."""
        self.bone += self.put(distance_mm + np.float32(_CORTEX_MM), **self._marrow())
        self.bone += self.put(distance_mm, cortex=0.9, fat=0.1)

    def _air(self) -> None:
        body, place = self.spine.body, self.place
        back = np.float32(body.back_mm + body.fat_mm + 8.0) + self.spine.along("canal", place)
        outside = np.maximum(-place.u - back, place.y - np.float32(_FRONT_MM))
        self.put(-outside)
        self.put(-outside - np.float32(_SKIN_MM), skin=0.9, fat=0.1)

    def _canal(self) -> None:
        place = self.place
        half = 0.5 * self.spine.along("canal", place)
        behind = (place.u + half + 1.0) / half
        across = place.v / (1.3 * half)
        ring = (np.sqrt(behind**2 + across**2) - 1.0) * half
        cord_half = np.where(place.level < _CONUS, 0.44 * half, 0.0)
        cord = np.sqrt((behind * half) ** 2 + (place.v / 1.25) ** 2) - cord_half
        self.put(np.where(cord_half > 0, cord, 99.0).astype(np.float32), cord=1.0)
        roots = np.where(place.level < _CONUS, 0.03, np.clip(0.25 + 0.2 * self.streaks - 0.3 * behind, 0.02, 0.7))
        self.put(ring + np.float32(1.2), csf=(1.0 - roots).astype(np.float32), cord=roots.astype(np.float32))
        self.put(ring, fat=0.8, skin=0.2)

    def _column(self) -> None:
        spine, place = self.spine, self.place
        depth, width = (spine.at_body(name, place) for name in ("depth", "width"))
        half_height = 0.5 * spine.at_body("height", place)
        ahead, aside = 2.0 * place.u / depth - 1.0, 2.0 * place.v / width
        rim = (np.abs(ahead) ** _POWER + np.abs(aside) ** _POWER) ** np.float32(1.0 / _POWER)
        rim = (rim - 1.0) * 0.5 * depth
        waist = 1.5 * (1.0 - (place.h / half_height) ** 2)
        self._bony(np.maximum(rim + waist, np.abs(place.h) - half_height))
        water = np.float32(spine.body.disc_water)
        core = np.clip(1.5 - 0.25 * rim.clip(-12.0, 0.0) - 2.5, 0.0, 1.0) * water
        self.put(rim - 0.5, disc=0.85 * core + 0.35 * (1.0 - core), skin=0.65 * (1.0 - core))

    def _arch(self) -> None:
        spine, place = self.spine, self.place
        half = 0.5 * spine.along("canal", place)
        height = spine.at_body("height", place)
        radial = np.sqrt((place.u + half + 1.0) ** 2 + (place.v / 1.3) ** 2)
        ring = np.abs(radial - half - 3.5) - 3.5
        lamina = np.maximum(ring, np.abs(place.h + 0.1 * height) - 0.36 * height)
        self._bony(np.maximum(lamina, place.u - 2.0))
        back = -place.u - 2.0 * half
        drop = place.h + 0.25 * height + 0.35 * (back - 6.0)
        spinous = np.maximum(np.maximum(np.abs(place.v) - 3.5, np.abs(drop) - 0.3 * height), back - 30.0)
        self._bony(np.maximum(spinous, 2.0 - back))
        transverse = np.maximum(np.hypot(place.u + half, place.h - 0.1 * height) - 6.0, np.abs(place.v) - 34.0)
        self._bony(np.maximum(transverse, half - np.abs(place.v)))
        interspinous = np.maximum(np.maximum(np.abs(place.v) - 2.5, back - 28.0), -back)
        self.put(interspinous, skin=0.5, fat=0.5)

    def _vessels(self) -> None:
        place = self.place
        aside, gap, radius = self.spine.body.aorta_mm
        depth = self.spine.along("depth", place)
        wobble = 2.0 * np.sin(place.s / 25.0)
        neck = place.level < _NECK_END
        artery = np.hypot(place.v - aside - wobble, place.u - depth - gap - radius) - radius
        vein = np.hypot((place.v + aside - 4.0) / 1.2, place.u - depth - gap - 7.0) - 8.0
        carotid = np.hypot(np.abs(place.v) - 26.0, place.u - depth - 8.0) - 3.5
        jugular = np.hypot(np.abs(place.v) - 34.0, place.u - depth - 6.0) - 5.0
        self.put(np.where(neck, carotid, artery).astype(np.float32), artery=1.0)
        self.put(np.where(neck, jugular, vein).astype(np.float32), vein=1.0)
        self.put(np.maximum(np.abs(place.u - depth - 1.0) - 1.0, np.abs(place.v) - 14.0), skin=0.8, fat=0.2)

    def _muscles(self) -> None:
        body, place = self.spine.body, self.place
        fat = np.clip(np.float32(body.muscle_fat) * np.exp(0.8 * self.streaks), 0.01, 0.9)
        back = (
            np.hypot((np.abs(place.v) - 28.0) / 1.3, -place.u - 14.0 - 0.35 * body.back_mm) - 0.55 * body.back_mm - 8.0
        )
        self.put(back.astype(np.float32), muscle=1.0 - fat, fat=fat)
        width, depth = self.spine.along("width", place), self.spine.along("depth", place)
        psoas = np.hypot(np.abs(place.v) - 0.5 * width - 15.0, place.u - 0.4 * depth) - 15.0
        self.put(np.where(place.level >= _LUMBAR_START, psoas, 99.0).astype(np.float32), muscle=0.94, fat=0.06)
        neck = np.maximum(np.abs(place.u - depth - 4.0) - 3.0, np.abs(place.v) - 18.0)
        self.put(np.where(place.level < _NECK_END, neck, 99.0).astype(np.float32), muscle=0.94, fat=0.06)

    def _front(self) -> None:
        place = self.place
        ahead = place.u - self.spine.along("depth", place)
        wall = np.float32(_FRONT_MM - 14.0) - place.y
        self.put(np.maximum(-np.abs(wall), wall), muscle=0.9, fat=0.1)
        top, bottom = (np.float32(self.spine.middle_s[level]) for level in (_NECK_END, _CHEST_END))
        slope = place.s + np.float32(0.3) * ahead
        chest = np.maximum(slope - top, bottom - slope) - 6.0 * self.lumps
        self.put(np.maximum(chest, 14.0 - 5.0 * self.lumps - ahead - 0.4 * np.abs(place.v)), lung=1.0)
        tube = np.where(place.level < _NECK_END, np.hypot(place.v / 1.2, ahead - 18.0) - 8.0, 99.0)
        self.put(tube.astype(np.float32))
        flesh = np.clip(0.45 + 0.35 * self.streaks, 0.05, 0.95)
        self.put(2.0 - ahead - 4.0 * self.lumps, organ=flesh, fat=1.0 - flesh)
