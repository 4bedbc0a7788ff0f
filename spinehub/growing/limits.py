"""Where a region may not go, beyond its reach: an intensity range, a box, a mask not to enter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing.channels import Box, GrowableImage
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Index, Mask, Volume

__all__ = ["Limits"]


@dataclass(frozen=True, eq=False)
class Limits:
    """Optional limits of a growing; None sets no limit.

    Parameters
    ----------
    intensity_range
        Lowest and highest intensity of a voxel, both allowed, in the unit of the image: the voxels of a volume, the
        values of a map (of the first of several maps), the mean of a series' frames after its baseline. Infinite
        ends are allowed.
    box
        Two opposite corners ``(i, j, k)``, as voxel indices in any order; both corners belong to the box.
    keep_out
        Mask on the image's grid that the region does not enter.

    Raises
    ------
    InvalidArgumentError
        If the range is not two rising numbers, or the box is not two corners of three whole numbers of at least 0.
    """

    intensity_range: tuple[float, float] | None = None
    box: tuple[Index, Index] | None = None
    keep_out: Mask | None = None

    def __post_init__(self) -> None:
        if self.intensity_range is not None:
            object.__setattr__(self, "intensity_range", _checked_range(self.intensity_range))
        if self.box is not None:
            object.__setattr__(self, "box", _checked_box(self.box))

    def cut(self, part: Box, grid: Grid) -> Box:
        """Part of a volume that also lies in the box.

        Raises
        ------
        InvalidArgumentError
            If the box reaches beyond the grid.
        GridMismatchError
            If `keep_out` lies on another grid.
        """
        if self.keep_out is not None:
            grid.require_match(self.keep_out.grid, "mask keep_out")
        if self.box is None:
            return part
        low, high = self.box
        if not grid.contains(high):
            last = tuple(n - 1 for n in grid.shape)
            raise InvalidArgumentError(
                f"box must lie inside the volume, whose voxels run from (0, 0, 0) to {last}, got {low} to {high}"
            )
        i, j, k = (
            slice(max(one.start, start), max(one.start, start, min(one.stop, stop + 1)))
            for one, start, stop in zip(part, low, high, strict=True)
        )
        return i, j, k

    def allowed(self, image: GrowableImage, part: Box) -> NDArray[np.bool_] | None:
        """Voxels of a part of the image that intensity range and mask leave, ``(i, j, k)`` bool; None: all of them."""
        free = None if self.keep_out is None else ~self.keep_out.voxels[part]
        if self.intensity_range is None:
            return free
        intensity, (low, high) = _intensity(image, part), self.intensity_range
        bright = (intensity >= low) & (intensity <= high)
        return bright if free is None else bright & free

    def why_not(self, image: GrowableImage, index: Index) -> str | None:
        """Name the limit that excludes a voxel of the image, in words; None where none does."""
        if self.box is not None:
            corner, opposite = self.box
            if not all(first <= n <= last for n, first, last in zip(index, corner, opposite, strict=True)):
                return f"lies outside the box from {corner} to {opposite}"
        if self.keep_out is not None and self.keep_out.voxels[index]:
            return "lies in the mask keep_out"
        if self.intensity_range is not None:
            i, j, k = index
            value = float(_intensity(image, (slice(i, i + 1), slice(j, j + 1), slice(k, k + 1)))[0, 0, 0])
            low, high = self.intensity_range
            if not low <= value <= high:
                return f"has the intensity {value:.4g}, outside intensity_range {low:.4g} to {high:.4g}"
        return None

    def require_seeds(self, image: GrowableImage, foreground: Sequence[Index]) -> None:
        """Raise :class:`InvalidArgumentError` if a foreground seed lies outside a limit."""
        for index in foreground:
            reason = self.why_not(image, index)
            if reason is not None:
                raise InvalidArgumentError(f"seed {index} {reason}; move the seed or widen the limit")


def _checked_range(values: tuple[float, float]) -> tuple[float, float]:
    if len(values) != 2 or not float(values[0]) < float(values[1]):
        raise InvalidArgumentError(f"intensity_range must be two numbers, the lower first, got {values}")
    return float(values[0]), float(values[1])


def _checked_box(corners: tuple[Index, Index]) -> tuple[Index, Index]:
    whole = len(corners) == 2 and all(len(one) == 3 and all(int(n) == n >= 0 for n in one) for one in corners)
    if not whole:
        raise InvalidArgumentError(
            f"box must be two opposite corners (i, j, k) of whole numbers of at least 0, got {corners}"
        )
    first, last = (tuple(int(n) for n in ends) for ends in np.sort(np.array(corners), axis=0))
    return (first[0], first[1], first[2]), (last[0], last[1], last[2])


def _intensity(image: GrowableImage, part: Box) -> NDArray[np.float32]:
    """Single intensity the range refers to."""
    if isinstance(image, Volume):
        return image.voxels[part]
    if isinstance(image, DynamicSeries):
        return np.asarray(image.frames[part][..., image.baseline_frames or 1 :].mean(axis=-1), dtype=np.float32)
    first = image if isinstance(image, ParametricMap) else image[0]
    return first.values[part]
