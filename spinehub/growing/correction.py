"""What corrective clicks make of a region: each moves the border next to it, as far as the click says."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spinehub.growing.channels import Box
from spinehub.growing.compiled import compiled
from spinehub.growing.domain import SeedVoxels, distance_from
from spinehub.volume import Grid, Index, Position

__all__ = ["border_distance", "correct", "depth_in", "region_radius_mm"]

_WIDTH = 2.5
"""A border moves by 1/e of the most at this many times the distance from it to the click."""
_HEIGHT = 2.0 * math.exp(_WIDTH**-2.0)
"""The most, as a multiple of that distance: the border passes the click by as much as it ended before it."""
_FAR = 0.75
"""A click farther from the region than this share of its radius is about another part of the lesion."""
_APART = 0.5
"""Such a click adds what it gives by itself, up to this share of the way to the region: the rest stays between them."""
_SHARED = 0.5
"""A click speaks for what lies up to this share of the way to the nearest click of the other kind."""
_AROUND_MM = 25.0
_ROUNDS = 3
"""Clicks that undo each other are taken up at most this often each."""
_TIE_MM = 1e-3
"""Clicks whose distances from the border differ by less are equally far: rounding must not order them."""


def correct(
    region: NDArray[np.bool_], clicks: SeedVoxels, grid: Grid, parts: Mapping[Index, NDArray[np.bool_]] | None = None
) -> NDArray[np.bool_]:
    """Region after clicks that contradict it.

    Parameters
    ----------
    region
        ``(i, j, k)`` bool in a box of the grid, not empty.
    clicks
        Foreground clicks it should hold and background clicks it should not, counted from the corner of the box.
    grid
        Grid of the image, for its spacing and axes.
    parts
        Region of a foreground click by itself, which says what of the shift is lesion; without it all of it is.

    Returns
    -------
    NDArray
        ``(i, j, k)`` bool; it holds all foreground clicks and no background click.

    Notes
    -----
    Who clicks in what is missed or too much clicks in its middle. The border then lies about as far beyond the click
    as the region ends before it. A click at the distance ``d`` from the border therefore shifts the signed distance
    from the border by ``2.35 d exp(-(x / 2.5 d)^2)``, where ``x`` is the distance from the click: the border passes
    the click by ``d``, smoothly, and nothing moves a few ``d`` away. The clicks nearest to the border come first and
    the distances are taken anew after each, so clicks farther out build on it and their order does not matter.
    """
    box = _box_around(region, clicks, grid.spacing_mm)
    inside, local = region[box].copy(), clicks.within(box)
    far_mm = _FAR * region_radius_mm(region, grid.spacing_mm)
    sides = [(voxel, True) for voxel in local.foreground] + [(voxel, False) for voxel in local.background]
    shape = (inside.shape[0], inside.shape[1], inside.shape[2])
    for _ in range(_ROUNDS * len(sides)):
        wrong = [(voxel, held) for voxel, held in sides if inside[voxel] != held]
        if not wrong:
            break
        signed = border_distance(inside, grid.spacing_mm)
        away_mm, voxel, held = _nearest([(abs(float(signed[voxel])), voxel, held) for voxel, held in wrong], grid)
        away = distance_from([voxel], shape, grid.spacing_mm)
        own = _own(voxel, box, parts) if held else None
        if held and away_mm > far_mm:
            near = away <= _APART * away_mm
            inside |= near if own is None else near & own
        else:
            others = local.background if held else local.foreground
            width_mm = min(away_mm, _SHARED * _gap(voxel, others, grid.spacing_mm))
            moved = signed + _shift(away, width_mm) * np.float32(-1.0 if held else 1.0) < 0.0
            inside = moved if own is None else inside | (moved & (own | (away <= away_mm)))
        if not inside.any():  # a click that takes everything away leaves the clicks in the lesion
            inside[tuple(np.transpose(local.foreground))] = True
    for voxel, held in sides:
        inside[voxel] = held
    corrected = np.zeros(region.shape, dtype=bool)
    corrected[box] = inside
    return corrected


def region_radius_mm(region: NDArray[np.bool_], spacing_mm: Position) -> float:
    """Radius of a ball of the volume of a region."""
    return math.cbrt(float(np.count_nonzero(region)) * math.prod(spacing_mm) * 0.75 / math.pi)


def border_distance(inside: NDArray[np.bool_], spacing_mm: Position) -> NDArray[np.float32]:
    """Distance of voxel centres from the border of a region in mm, below 0 inside; the edge of the box is no border.

    Distances are counted to the faces of voxels, for half of a thick slice is much.
    """
    return _distance_to(inside, spacing_mm) - _distance_to(~inside, spacing_mm)


def depth_in(region: NDArray[np.bool_], spacing_mm: Position) -> NDArray[np.float32]:
    """Distance of voxel centres in a region, not empty, from its border in mm; 0 outside it."""
    places = np.argwhere(region)
    # what lies farther out than the next layer is never nearer
    low, high = np.maximum(places.min(axis=0) - 1, 0), places.max(axis=0) + 2
    i, j, k = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    depth = np.zeros(region.shape, dtype=np.float32)
    depth[i, j, k] = _distance_to(~region[i, j, k], spacing_mm)
    return depth


def _nearest(wrong: Sequence[tuple[float, Index, bool]], grid: Grid) -> tuple[float, Index, bool]:
    """Click nearest to the border; of several, by their places in mm, which no flip of the file changes."""
    least = min(away_mm for away_mm, _, _ in wrong)
    axes = grid.affine[:3, :3]
    return min(
        (click for click in wrong if click[0] <= least + _TIE_MM), key=lambda click: tuple((axes @ click[1]).round(3))
    )


def _own(voxel: Index, box: Box, parts: Mapping[Index, NDArray[np.bool_]] | None) -> NDArray[np.bool_] | None:
    """Region of a click by itself, in a box, from whose corner the click is counted; None where it is not known."""
    if parts is None:
        return None
    i, j, k = (n + side.start for n, side in zip(voxel, box, strict=True))
    part = parts.get((i, j, k))
    return None if part is None else part[box]


def _gap(voxel: Index, others: tuple[Index, ...], spacing_mm: Position) -> float:
    """Distance from the nearest click of the other kind in mm."""
    ways = (np.subtract(other, voxel) * spacing_mm for other in others)
    return min((float(np.linalg.norm(way)) for way in ways), default=math.inf)


def _shift(away: NDArray[np.float32], width_mm: float) -> NDArray[np.float32]:
    return np.float32(_HEIGHT * width_mm) * np.exp(-((away / np.float32(_WIDTH * width_mm)) ** 2))


def _distance_to(region: NDArray[np.bool_], spacing_mm: Position) -> NDArray[np.float32]:
    """Distance of voxel centres from the nearest voxel of a region, as a box with faces; 0 in it, infinite without one.

    The square of the distance from a box is a sum over the axes, so it is taken one axis after the other
    (Felzenszwalb and Huttenlocher, Theory of Computing 2012;8:415, whose parabolas are flat at the bottom here).
    """
    squares = np.where(region, np.float32(0.0), np.float32(np.inf))
    for axis, step_mm in enumerate(spacing_mm):
        steps = np.maximum(np.arange(region.shape[axis], dtype=np.float32) - np.float32(0.5), np.float32(0.0))
        lines = np.ascontiguousarray(np.moveaxis(squares, axis, -1))
        lowered = _lowered(lines.reshape(-1, region.shape[axis]), (steps * np.float32(step_mm)) ** 2)
        squares = np.moveaxis(lowered.reshape(lines.shape), -1, axis)
    return np.sqrt(squares)


@compiled
def _lowered(lines: NDArray[np.float32], costs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Least sum, over the places of each line, of the value there and the rising cost of the steps to it."""
    count, size = lines.shape
    result = lines.copy()
    for line in range(count):
        if np.isinf(lines[line].min()):
            continue
        for place in range(size):
            least = lines[line, place]
            for away in range(1, size):
                if costs[away] >= least:
                    break
                if place >= away:
                    least = min(least, lines[line, place - away] + costs[away])
                if place + away < size:
                    least = min(least, lines[line, place + away] + costs[away])
            result[line, place] = least
    return result


def _box_around(region: NDArray[np.bool_], clicks: SeedVoxels, spacing_mm: Position) -> Box:
    """Box that holds the region and the clicks, and what a click can move."""
    places = np.argwhere(region)
    marked = np.array([*clicks.foreground, *clicks.background, places.min(axis=0), places.max(axis=0)])
    margin = np.ceil(_AROUND_MM / np.asarray(spacing_mm)).astype(int)
    low, high = np.maximum(marked.min(axis=0) - margin, 0), marked.max(axis=0) + margin + 1
    i, j, k = (slice(int(start), int(stop)) for start, stop in zip(low, np.minimum(high, region.shape), strict=True))
    return i, j, k
