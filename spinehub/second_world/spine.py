"""Where the second world's spine lies: a bent centreline, and sizes that run smoothly from neck to sacrum.

Sizes are rounded textbook values at nine levels, joined by straight lines (assumed to 10 %); the first simulator has a
table per vertebra instead.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.second_world.recipe import BodyRecipe

__all__ = ["LEVELS", "Place", "Spine"]

_Array = NDArray[np.float32]
LEVELS = (
    *(f"C{n}" for n in range(3, 8)), *(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)),
    *(f"S{n}" for n in range(1, 6)),
)  # fmt: skip
"""Vertebrae of the second world, from the top down."""
_ANCHORS = tuple(LEVELS.index(name) for name in ("C4", "T1", "T6", "T12", "L3", "L5", "S1", "S3", "S5"))
_SIZES_MM: dict[str, tuple[float, ...]] = {
    "height": (14, 17, 20, 25, 28, 27, 28, 18, 12),
    "depth": (16, 18, 27, 32, 35, 35, 30, 16, 9),
    "width": (18, 28, 29, 40, 46, 50, 54, 40, 26),
    "disc": (5, 4, 4, 6.5, 10, 10.5, 3, 1.5, 1),
    "canal": (14, 15, 15.5, 16, 17, 17, 14, 8, 5),
}
_LEAN_DEG = (2, 22, 5, -12, -4, 18, 38, 25, -15)
_STEP_MM = 0.5
_SWAY_WAVE_MM = 300.0


@dataclass(frozen=True, eq=False)
class Place:
    """Points in the coordinates of the spine; each ``(N,)``.

    Parameters
    ----------
    v, u
        To the right of the middle plane; in front of the back wall of the bodies.
    s
        Upwards along the back wall, 0 at the middle of the index vertebra.
    level
        Index into :data:`LEVELS` of the nearest body.
    h
        Upwards from the middle of that body.
    y
        Anterior coordinate of the spine frame.
    """

    v: _Array
    u: _Array
    s: _Array
    level: NDArray[np.intp]
    h: _Array
    y: _Array


class Spine:
    """The spine of one person.

    Parameters
    ----------
    body
        Anatomy as drawn.

    Attributes
    ----------
    sizes
        Name (height, depth, width, disc, canal) to ``(levels,)`` mm.
    middle_s
        ``(levels,)`` mm: middle of each body along the spine.
    """

    def __init__(self, body: BodyRecipe) -> None:
        every = np.arange(len(LEVELS))
        self.body = body
        self.index = LEVELS.index(body.level)
        self.sizes = {name: body.size * np.interp(every, _ANCHORS, values) for name, values in _SIZES_MM.items()}
        height, disc = self.sizes["height"], self.sizes["disc"]
        steps = 0.5 * (height[:-1] + height[1:]) + disc[:-1]
        below = np.concatenate([[0.0], np.cumsum(steps)])
        self.middle_s = below[self.index] - below
        low, high = self.middle_s[-1] - 60.0, self.middle_s[0] + 60.0
        self._s = np.arange(low, high, _STEP_MM)
        lean = np.deg2rad(body.bend * np.interp(every, _ANCHORS, _LEAN_DEG))
        self._lean = np.interp(self._s, self.middle_s[::-1], lean[::-1])
        zero = int(np.argmin(np.abs(self._s)))
        self._y, self._z = (np.cumsum(part) * _STEP_MM for part in (np.sin(self._lean), np.cos(self._lean)))
        self._y, self._z = self._y - self._y[zero], self._z - self._z[zero]
        self._between = 0.5 * (self.middle_s[:-1] - 0.5 * height[:-1] + self.middle_s[1:] + 0.5 * height[1:])

    def along(self, name: str, place: Place) -> _Array:
        """A size at points, joined linearly between the bodies."""
        return np.interp(place.s, self.middle_s[::-1], self.sizes[name][::-1]).astype(np.float32)

    def at_body(self, name: str, place: Place) -> _Array:
        """A size of the nearest body at points."""
        return self.sizes[name][place.level].astype(np.float32)

    def locate(self, points_mm: NDArray[Any]) -> Place:
        """Points ``(3, N)`` of the spine frame in the spine's own coordinates.

        The foot of the perpendicular on the centreline is found by one step from the point of equal height.
        """
        x, y, z = points_mm
        s = np.interp(z, self._z, self._s)
        s += (y - np.interp(s, self._s, self._y)) * np.sin(np.interp(s, self._s, self._lean))
        lean = np.interp(s, self._s, self._lean)
        ahead, up = y - np.interp(s, self._s, self._y), z - np.interp(s, self._s, self._z)
        u = ahead * np.cos(lean) - up * np.sin(lean)
        level = np.searchsorted(-self._between, -s)
        v = x - self.sway(s)
        h = s - self.middle_s[level]
        v, u, s, h, y = (np.asarray(part, dtype=np.float32) for part in (v, u, s, h, y))
        return Place(v=v, u=u, s=s, level=level, h=h, y=y)

    def sway(self, s: NDArray[Any]) -> NDArray[Any]:
        """Sideways place of the middle plane along the spine; 0 at the index vertebra."""
        return np.asarray(self.body.sway_mm * np.sin(2.0 * np.pi * s / _SWAY_WAVE_MM))

    def position(self, v: float, u: float, h: float) -> NDArray[np.float64]:
        """Position ``(3,)`` in the spine frame of a point given in the frame of the index vertebra."""
        lean = float(np.interp(0.0, self._s, self._lean))
        return np.array([v, u * np.cos(lean) + h * np.sin(lean), h * np.cos(lean) - u * np.sin(lean)])
