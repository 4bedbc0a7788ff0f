"""What every painter of tissue is given: points in spine coordinates, textures, and the canvas."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import LEVELS, region_of
from spinehub.simulate.canvas import Canvas
from spinehub.simulate.spine import Located, SpineGeometry

__all__ = ["Block", "per_level"]

_Array = NDArray[np.float32]
_REGION_OF_LEVEL = [region_of(level) for level in LEVELS]
_COVERED = 1e-3
"""A point with less than this share left is done."""


@dataclass(eq=False)
class Block:
    """What a painter needs: points, geometry, textures, and the canvas it changes.

    Parameters
    ----------
    points
        ``(N,)`` points of one slice, sub-slices one after the other.
    geometry
        The spine.
    width_mm
        Width of a soft edge.
    fields
        Name to ``(N,)`` smooth random field of about unit variance.
    canvas
        Receives the tissues.
    bone, disc, canal
        ``(N,)`` shares kept for the lesion: where bone, disc, canal are.
    depth
        ``(N,)`` mm under the skin.
    """

    points: Located
    geometry: SpineGeometry
    width_mm: float
    fields: dict[str, _Array]
    canvas: Canvas
    bone: _Array
    disc: _Array
    canal: _Array
    depth: _Array

    def choose(self, condition: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Points that meet a condition and that nothing in front covers yet."""
        return np.flatnonzero(condition & (self.canvas.free > _COVERED))

    def table(self, name: str, where: NDArray[np.intp]) -> _Array:
        """Values of a table of the spine at some of the points."""
        values: _Array = self.geometry.tables[name][self.points.index[where]]
        return values

    def marrow(self, where: NDArray[np.intp], level: NDArray[np.int16]) -> dict[str, _Array | float]:
        """Marrow as fat and water by age, level and texture."""
        anatomy = self.geometry.anatomy
        shift = np.array(anatomy.marrow_fat_shift, dtype=np.float32)[level]
        texture = np.float32(anatomy.marrow_texture) * (self.fields["marrow"][where] + 0.7 * self.fields["fine"][where])
        fat = np.clip(np.float32(anatomy.marrow_fat) + shift + texture, 0.03, 0.92)
        return {"fat": fat, "marrow": 1.0 - fat}


def per_level(values: dict[str, float]) -> _Array:
    """One value per level from one per region (C, T, L, S)."""
    return np.array([values[region] for region in _REGION_OF_LEVEL], dtype=np.float32)
