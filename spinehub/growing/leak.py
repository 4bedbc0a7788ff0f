"""Where a region leaks: the narrow neck through which it runs into something else, and a plate that closes it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing.channels import Box
from spinehub.growing.descent import way_back
from spinehub.growing.section import Section, plate, sections_across
from spinehub.growing.tolerance import leak_tolerance
from spinehub.volume import Grid, Index, Position

__all__ = ["Leak", "closing_plate", "find_leak"]

_SIZES = (1.25, 2.0, 4.0)
"""The region is looked at as suggested, and grown until its likely voxels are these multiples of their number."""
_LATE = 0.4
"""What leaks comes last: only this share of the likely voxels is followed back."""
_BEHIND = 0.2
"""What lies behind a neck is at least this share of what lies before it; less is a bay of the border."""
_ALIKE = 1.5
_PLATE_MARGIN_MM = 5.0
_WELL_BEFORE = 0.8
"""What was reached before this share of the neck's arrival belongs to the lesion: no plate cuts it."""


@dataclass(frozen=True)
class _Rule:
    """When a narrow section is a neck.

    Parameters
    ----------
    narrow
        Its area is at most this share of the widest section on either side and of a ball of the volume behind it.
    before
        What lies before it is at least this multiple of what lies behind it (else the neck is at the seed).
    filled
        At least this share of what lies before it was reached before it.
    """

    narrow: float
    before: float
    filled: float


_BEYOND = _Rule(narrow=0.5, before=0.2, filled=0.2)
_INSIDE = _Rule(narrow=0.15, before=1.0, filled=0.8)
"""Inside the suggested region the evidence speaks for what lies behind, and lesions have waists."""


@dataclass(frozen=True)
class Leak:
    """The place where a region leaks.

    Parameters
    ----------
    tolerance
        Tolerance at which the front reaches the neck, in mm of arrival.
    neck, neck_mm
        The voxel, and its position in mm, RAS+.
    direction
        Unit vector along the array axes (in mm, not voxels): the way the region runs through the neck.
    neck_area_mm2
        Area of the section through the region at the neck, perpendicular to `direction`.
    volume_before_ml
        Volume of the region when the front reaches the neck.
    volume_after_ml
        Volume of the region at the tolerance at which the leak was seen.
    """

    tolerance: float
    neck: Index
    neck_mm: Position
    direction: Position
    neck_area_mm2: float
    volume_before_ml: float
    volume_after_ml: float


@dataclass(frozen=True, eq=False)
class _Field:
    """What is looked at: arrival and likely voxels in a box of a grid."""

    arrival: NDArray[np.float32]
    likely: NDArray[np.bool_]
    grid: Grid
    part: Box

    @property
    def voxel_mm3(self) -> float:
        return float(np.prod(self.grid.spacing_mm))


def find_leak(
    arrival: NDArray[np.float32], likely: NDArray[np.bool_], grid: Grid, part: Box, suggested: float
) -> Leak | None:
    """Find the neck of a region, at its suggested size or grown to up to four times of it.

    Parameters
    ----------
    arrival
        ``(i, j, k)`` float32 in the box `part` of the grid.
    likely
        ``(i, j, k)`` bool, voxels that look more like the lesion than like its surroundings.
    grid
        Grid of the image.
    part
        The box.
    suggested
        Tolerance of the region to look at first.

    Returns
    -------
    Leak or None
        The first neck found; else the place where the volume jumps with the tolerance, see
        :func:`spinehub.growing.tolerance.leak_tolerance`; None where it does neither.

    Notes
    -----
    What leaks into tissue that looks like the lesion comes last, and through the neck. So the way to the largest
    connected part of the latest likely voxels is followed, the region is cut across that way, and the narrowest section
    is a neck if it is narrow beside the sections on both sides of it and beside the volume behind it, and if a plate
    across it does part the region in two.
    """
    field = _Field(arrival, likely, grid, part)
    across = tuple(axis for axis in range(3) if axis != grid.slice_axis)
    if np.count_nonzero(np.isfinite(arrival).any(axis=across)) > 1:  # in one slice nothing has an area
        for tolerance, late in _levels(field, suggested):
            region = arrival <= np.float32(tolerance)
            if tolerance == suggested:
                neck = _neck(field, region, late, _INSIDE)
            else:  # grown beyond its size the region has a shell of unlikely voxels, which would hide the neck
                neck = _neck(field, region & likely, late, _BEYOND)
            if neck is not None and (tolerance == suggested or arrival[neck.centre] > np.float32(suggested)):
                return _leak(field, neck, after=tolerance)
    return _jump(field, suggested)


def _levels(field: _Field, suggested: float) -> Iterator[tuple[float, float]]:
    """Tolerances to look at, each with the one from which on voxels count as late."""
    reached = np.sort(field.arrival[field.likely & np.isfinite(field.arrival)])
    size = int(np.searchsorted(reached, np.float32(suggested), side="right"))
    if size > 0:
        yield suggested, float(reached[int((1.0 - _LATE) * size)])
    sizes = [min(int(times * size), reached.size) for times in _SIZES]
    for larger in dict.fromkeys(number for number in sizes if number >= _SIZES[0] * size - 1.0 and number > 0):
        yield float(reached[larger - 1]), float(reached[int((1.0 - _LATE) * larger)])


def _neck(field: _Field, region: NDArray[np.bool_], late: float, rule: _Rule) -> Section | None:
    """Narrowest section of a region on the way to what it reached last, where it is a neck."""
    way = _way_to_latest(field.arrival, region & field.likely & (field.arrival > np.float32(late)))
    sections = sections_across(region, way, field.grid.spacing_mm, np.arange(len(way)))
    areas = np.array([section.area_mm2 for section in sections])
    before, behind = np.maximum.accumulate(areas), np.maximum.accumulate(areas[::-1])[::-1]
    narrow = areas / np.minimum(before, behind)
    # Along a neck the area hardly changes: its far end is where the region is about to leak.
    far_end = int(np.flatnonzero(narrow <= _ALIKE * narrow.min())[-1])
    if narrow[far_end] > rule.narrow:
        return None
    section = sections[far_end]
    near, far = _parted(field, region, section)
    first = int(np.count_nonzero(region & (field.arrival < field.arrival[section.centre])))
    if first < rule.filled * near or near < rule.before * far or far < _BEHIND * near:
        return None
    return section if section.area_mm2 <= rule.narrow * _ball_section(far * field.voxel_mm3) else None


def _way_to_latest(arrival: NDArray[np.float32], latest: NDArray[np.bool_]) -> list[Index]:
    """Way from a seed to the middle, in time, of the largest connected part of some voxels."""
    box = _bounds(latest)
    parts, _ = ndimage.label(latest[box])
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    chosen = np.flatnonzero(parts.ravel() == int(np.argmax(sizes)))
    times = arrival[box].ravel()[chosen]
    middle = np.unravel_index(chosen[np.argpartition(times, times.size // 2)[times.size // 2]], parts.shape)
    i, j, k = (int(n) + side.start for n, side in zip(middle, box, strict=True))
    return way_back(arrival, (i, j, k))[::-1]


def _bounds(region: NDArray[np.bool_]) -> Box:
    """Smallest box that holds a region: labelling is much faster in it."""
    i, j, k = ndimage.find_objects(region.view(np.uint8))[0]
    return i, j, k


def _ball_section(volume_mm3: float) -> float:
    """Area of the section through the middle of a ball of a volume."""
    return float(np.pi * (3.0 * volume_mm3 / (4.0 * np.pi)) ** (2.0 / 3.0))


def _parted(field: _Field, region: NDArray[np.bool_], section: Section) -> tuple[int, int]:
    """Voxels of a region that stay connected to a seed and those that no longer are, once a plate parts it."""
    whole = _seeded(field.arrival, region)
    near = _seeded(field.arrival, region & ~closing_plate(field.arrival, field.grid.spacing_mm, section))
    return near, whole - near


def _seeded(arrival: NDArray[np.float32], region: NDArray[np.bool_]) -> int:
    """Count the voxels of a region that are connected to a seed."""
    box = _bounds(region | (arrival == 0.0))
    seeds = arrival[box] == 0.0
    parts, count = ndimage.label(region[box] | seeds)
    seeded = np.zeros(count + 1, dtype=bool)
    seeded[parts[seeds]] = True
    return int(np.count_nonzero(seeded[parts]))


def closing_plate(arrival: NDArray[np.float32], spacing_mm: Position, section: Section) -> NDArray[np.bool_]:
    """Plate across a neck, twice as wide and 5 mm more; what was reached well before the neck is left out of it.

    Parameters
    ----------
    arrival
        ``(i, j, k)`` float32.
    spacing_mm
        Voxel spacing in mm.
    section
        The neck.

    Returns
    -------
    NDArray
        ``(i, j, k)`` bool.
    """
    radius_mm = 2.0 * float(np.sqrt(section.area_mm2 / np.pi)) + _PLATE_MARGIN_MM
    closed = np.zeros(arrival.shape, dtype=bool)
    closed[plate(arrival.shape, spacing_mm, section, radius_mm)] = True
    return closed & (arrival >= _WELL_BEFORE * arrival[section.centre])


def _jump(field: _Field, suggested: float) -> Leak | None:
    """Leak where the volume jumps; its place is on the way to the largest part of what is reached then."""
    tolerance = leak_tolerance(field.arrival, field.grid.spacing_mm, above=suggested)
    if tolerance is None:
        return None
    reached = np.sort(field.arrival[np.isfinite(field.arrival)])
    size = int(np.searchsorted(reached, np.float32(tolerance), side="right"))
    after = float(reached[min(2 * size, reached.size) - 1])
    region = field.arrival <= np.float32(after)
    way = _way_to_latest(field.arrival, region & (field.arrival > np.float32(tolerance)))
    place = next(number for number, voxel in enumerate(way) if field.arrival[voxel] > np.float32(tolerance))
    (section,) = sections_across(region, way, field.grid.spacing_mm, [place])
    return replace(_leak(field, section, after), tolerance=tolerance)


def _leak(field: _Field, section: Section, after: float) -> Leak:
    grid, tolerance = field.grid, float(field.arrival[section.centre])
    i, j, k = (one.start + n for one, n in zip(field.part, section.centre, strict=True))
    return Leak(
        tolerance=tolerance,
        neck=(i, j, k),
        neck_mm=grid.position_of((i, j, k)),
        direction=section.normal,
        neck_area_mm2=section.area_mm2,
        volume_before_ml=float(np.count_nonzero(field.arrival < np.float32(tolerance))) * grid.voxel_volume_ml,
        volume_after_ml=float(np.count_nonzero(field.arrival <= np.float32(after))) * grid.voxel_volume_ml,
    )
