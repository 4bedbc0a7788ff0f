"""The curved spine as a coordinate system: along it, in front of it, beside it.

The reference line runs down the back walls of the vertebral bodies in the sagittal plane. A point has an arc
coordinate `s` (mm, up), a distance `u` in front of the line (mm, negative in the canal and behind it) and `x` (mm,
right of the line, which sways a little sideways).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from spinehub.simulate.anatomy import LEVEL_SIZES, LEVELS, region_of
from spinehub.simulate.parts import AnatomyRecipe

__all__ = ["Located", "SpineGeometry"]

_Array = NDArray[np.float32]
_STEP_MM = 0.25
_MARGIN_MM = 330.0
_SWAY_WAVE_MM = 400.0
_NEWTON_STEPS = 3
_FOLD_LIMIT = 0.35
"""Beyond the centre of curvature the coordinates fold; the Newton step is kept from dividing by less than this."""
_BEHIND_MM = -60.0
_SIDE_MM = {"C": 62.0, "T": 165.0, "L": 158.0, "S": 172.0}
"""Distance from the midline to the skin at the side (assumed)."""
_FRONT_MM = {"C": 62.0, "T": 128.0, "L": 132.0, "S": 125.0}
"""Distance from the reference line to the skin in front (assumed)."""


@dataclass(frozen=True, eq=False)
class Located:
    """Points in spine coordinates; every array ``(N,)``.

    Parameters
    ----------
    x, y, z
        Position in the spine frame in mm, `x` counted from the swaying line.
    u, s
        Distance in front of the reference line and arc coordinate in mm.
    index
        Row of the point in the tables of :class:`SpineGeometry`.
    """

    x: _Array
    y: _Array
    z: _Array
    u: _Array
    s: _Array
    index: NDArray[np.int32]

    def take(self, where: NDArray[np.intp]) -> "Located":
        """Some of the points."""
        return Located(self.x[where], self.y[where], self.z[where], self.u[where], self.s[where], self.index[where])


class SpineGeometry:
    """Vertebrae in place, and tables along the spine in steps of 0.25 mm from the bottom up.

    Parameters
    ----------
    anatomy
        The person's drawn anatomy.

    Attributes
    ----------
    height, depth, width, disc
        ``(30,)`` mm per level; the disc is the one below.
    wall_yz, tilt
        Middle of each body's back wall ``(30, 2)`` in mm and its tilt ``(30,)`` in radian.
    level_s, disc_s
        Arc coordinate of the middle of each body and of the disc below it, ``(30,)``.
    tables
        Name to ``(N,)`` float32 along the line: `y`, `x`, `sin`, `cos`, `bend`, `s`, and sizes between the levels.
    level_at
        ``(N,)`` int16: nearest level.
    """

    def __init__(self, anatomy: AnatomyRecipe) -> None:
        self.anatomy = anatomy
        size, sizes = anatomy.size, LEVEL_SIZES
        grade = np.array(anatomy.disc_grade)
        self.index_level = LEVELS.index(anatomy.level)
        self.height = sizes.height * size
        self.height[self.index_level] *= 1.0 - 0.6 * anatomy.collapse
        self.depth, self.width = sizes.depth * size, sizes.width * size
        self.disc = sizes.disc * size * (1.0 - 0.45 * grade)
        middle = sizes.tilt_deg[self.index_level]
        tilt_deg = middle + anatomy.curvature * (sizes.tilt_deg - middle) + np.array(anatomy.tilt_jitter_deg)
        self.tilt = np.deg2rad(np.clip(tilt_deg, -50.0, 52.0))
        self.wall_yz = self._stack_bodies()
        self._fill_tables()

    def _stack_bodies(self) -> NDArray[np.float64]:
        up = np.stack([np.sin(self.tilt), np.cos(self.tilt)], axis=1)
        steps = -(up[:-1] * (self.height[:-1] + self.disc[:-1])[:, None]) / 2.0
        steps -= up[1:] * (self.height[1:] + self.disc[:-1])[:, None] / 2.0
        walls = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        k = self.index_level
        forward = np.array([np.cos(self.tilt[k]), -np.sin(self.tilt[k])])
        return walls - walls[k] - forward * self.depth[k] / 2.0

    def _fill_tables(self) -> None:
        up = np.stack([np.sin(self.tilt), np.cos(self.tilt)], axis=1)
        ends = self.wall_yz[[0, -1]] + np.array([[1.0], [-1.0]]) * up[[0, -1]] * _MARGIN_MM
        nodes = np.concatenate([ends[1:], self.wall_yz[::-1], ends[:1]])
        spline = CubicSpline(nodes[:, 1], nodes[:, 0], bc_type="natural")
        z = np.arange(nodes[0, 1] + _STEP_MM, nodes[-1, 1], _STEP_MM)
        y, slope = spline(z), spline(z, 1)
        cos = 1.0 / np.sqrt(1.0 + slope**2)
        s = np.cumsum(_STEP_MM / cos)
        self.z0, self.size = float(z[0]), z.size
        self.level_s = np.interp(self.wall_yz[:, 1], z, s)
        offset = self.level_s[self.index_level]
        s, self.level_s = s - offset, self.level_s - offset
        self.disc_s = np.append(
            self.level_s[1:] + (self.height[1:] + self.disc[:-1]) / 2.0, self.level_s[-1] - self.height[-1]
        )
        sway = 2.0 * np.pi * z / _SWAY_WAVE_MM + self.anatomy.scoliosis_phase
        x = self.anatomy.scoliosis_mm * (np.sin(sway) - np.sin(self.anatomy.scoliosis_phase))
        columns = {"y": y, "x": x, "sin": slope * cos, "cos": cos, "bend": np.gradient(np.arctan(slope), s), "s": s}
        self._arc = s
        even = np.arange(s[0], s[-1], _STEP_MM)
        self._row_at_arc = np.interp(even, s, np.arange(self.size)).astype(np.int32)
        self.tables = {name: column.astype(np.float32) for name, column in (columns | self._sizes_along(s)).items()}
        self.level_at = (len(LEVELS) - 1 - np.searchsorted(np.sort(self.disc_s[:-1]), s)).astype(np.int16)
        self._fill_skin(z, y)

    def _sizes_along(self, s: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        size, sizes = self.anatomy.size, LEVEL_SIZES
        tips = np.array([max(self.anatomy.back_mm, n) for n in sizes.spinous_length * size * 1.05 + 3.0])
        rows = {
            "depth": self.depth,
            "width": self.width,
            "canal_depth": sizes.canal_depth * size,
            "canal_width": sizes.canal_width * size,
            "drop": sizes.spinous_drop,
            "cord_depth": sizes.cord_depth * self.anatomy.cord_size,
            "cord_width": sizes.cord_width * self.anatomy.cord_size,
            "fascia": tips,
        }
        order = np.argsort(self.level_s)
        return {name: np.interp(s, self.level_s[order], row[order]) for name, row in rows.items()}

    def _fill_skin(self, z: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        tables, anatomy = self.tables, self.anatomy
        fascia = y - (tables["canal_depth"] + tables["fascia"]) / tables["cos"]
        skin = gaussian_filter1d(fascia, 45.0 / _STEP_MM, mode="nearest")
        near = slice(*np.searchsorted(z, [self.wall_yz[-1, 1], self.wall_yz[0, 1]]))
        skin = skin - max(0.0, float((skin - fascia)[near].max())) - anatomy.subcutaneous_mm
        front = np.array([_FRONT_MM[region_of(level)] for level in LEVELS]) + 0.6 * anatomy.subcutaneous_mm
        order = np.argsort(self.level_s)
        wall = np.interp(self._arc, self.level_s[order], front[order])
        side = np.array([_SIDE_MM[region_of(level)] for level in LEVELS]) + 0.6 * anatomy.subcutaneous_mm
        beside = np.interp(self._arc, self.level_s[order], side[order])
        self.tables["skin_side"] = gaussian_filter1d(beside, 25.0 / _STEP_MM, mode="nearest").astype(np.float32)
        self.tables["skin_back"] = skin.astype(np.float32)
        self.tables["skin_front"] = gaussian_filter1d(y + wall, 30.0 / _STEP_MM, mode="nearest").astype(np.float32)

    def rows(self, z: _Array) -> NDArray[np.int32]:
        """Row of the tables nearest to each height `z` in mm."""
        row = ((z - np.float32(self.z0)) * np.float32(1.0 / _STEP_MM) + np.float32(0.5)).astype(np.int32)
        return np.clip(row, 0, self.size - 1, out=row)

    def rows_at_arc(self, s: _Array) -> NDArray[np.int32]:
        """Row of the tables nearest to each arc coordinate `s` in mm."""
        place = ((s - np.float32(self._arc[0])) * np.float32(1.0 / _STEP_MM)).astype(np.int32)
        return self._row_at_arc[np.clip(place, 0, self._row_at_arc.size - 1)]

    def locate(self, x: _Array, y: _Array, z: _Array, *, planes: int = 1) -> Located:
        """Spine coordinates of points in the spine frame, all arrays ``(N,)`` float32 mm.

        Parameters
        ----------
        x, y, z
            Positions.
        planes
            Number of equal parts that lie close together, as the sub-slices of a slice do: the middle one is located
            first, the others start from it.
        """
        tables, count = self.tables, z.size // planes
        middle = slice(planes // 2 * count, (planes // 2 + 1) * count)
        foot = self._nearer(y[middle], z[middle], z[middle].copy(), _NEWTON_STEPS)
        if planes > 1:
            foot = self._nearer(y, z, np.tile(foot - z[middle], planes) + z, 1)
        index = self.rows(foot)
        sin, cos = tables["sin"][index], tables["cos"][index]
        dy, dz = y - tables["y"][index], z - foot
        u = dy * cos - dz * sin
        # Behind a strongly bent spine the coordinates fold over: there, straight distance decides.
        level_y = y - tables["y"][self.rows(z)]
        u = np.where(level_y < _BEHIND_MM, np.minimum(u, level_y), u)
        s = tables["s"][index] + dy * sin + dz * cos
        return Located(x - tables["x"][index], y, z, u, s, index)

    def _nearer(self, y: _Array, z: _Array, foot: _Array, steps: int) -> _Array:
        """Height of each point's foot on the reference line after some Newton steps from `foot`."""
        tables = self.tables
        for _ in range(steps):
            index = self.rows(foot)
            sin, cos = tables["sin"][index], tables["cos"][index]
            dy, dz = y - tables["y"][index], z - foot
            along = dy * sin + dz * cos
            forward = np.clip(dy * cos - dz * sin, -55.0, 60.0)
            foot = foot + along * cos / np.maximum(1.0 - forward * tables["bend"][index], _FOLD_LIMIT)
        return foot
