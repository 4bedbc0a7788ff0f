"""A dynamic series and what it is reduced to: parametric maps and curves."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.volume import Grid, Mask, Volume, frozen_array

__all__ = ["Curve", "DynamicSeries", "ParametricMap", "Protocol", "Regime"]

Regime: TypeAlias = Literal["dynamic", "pre_post", "single"]
"""What the timing of an input supports; decided once by :func:`spinehub.perfusion.assess_timing`."""


@dataclass(frozen=True)
class Protocol:
    """Sequence parameters that set how concentration becomes signal; None where the file does not say.

    Parameters
    ----------
    repetition_time_s, echo_time_s
        TR and TE of the sequence in seconds (0.0045, not the frame interval).
    flip_angle_deg
        Flip angle in degrees.
    field_strength_t
        1.5 or 3 as a rule.
    """

    repetition_time_s: float | None = None
    echo_time_s: float | None = None
    flip_angle_deg: float | None = None
    field_strength_t: float | None = None


@dataclass(frozen=True, eq=False)
class DynamicSeries:
    """One 4-D acquisition: the same volume at two or more time points.

    Parameters
    ----------
    frames
        ``(I, J, K, T)`` float32 signal in a.u., T at least 2.
    grid
        Where the voxels are.
    times_s
        ``(T,)`` float64, centre of each frame's acquisition, first is 0, strictly increasing; None where no
        credible times are known: then nothing in seconds is computed.
    baseline_frames
        Number of frames before contrast arrives, where the user states it; None: found from the signal.
    protocol
        Sequence parameters, as far as known.
    name
        File name without folders; else empty.
    """

    frames: NDArray[np.float32]
    grid: Grid
    times_s: NDArray[np.float64] | None = None
    baseline_frames: int | None = None
    protocol: Protocol = Protocol()
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", frozen_array(self.frames, np.float32))
        if self.frames.ndim != 4 or self.frames.shape[:3] != self.grid.shape or self.frames.shape[3] < 2:
            raise InvalidArgumentError(
                f"frames must have the shape of the grid {self.grid.shape} and at least 2 frames on the last "
                f"axis, got {self.frames.shape}"
            )
        if self.times_s is not None:
            object.__setattr__(self, "times_s", _checked_times(self.times_s, self.frame_count))
        if self.baseline_frames is not None and not 1 <= self.baseline_frames < self.frame_count:
            raise InvalidArgumentError(
                f"baseline_frames must be between 1 and {self.frame_count - 1}, got {self.baseline_frames}"
            )

    @property
    def frame_count(self) -> int:
        """Number of frames T."""
        return int(self.frames.shape[3])

    @property
    def frame_interval_s(self) -> float | None:
        """Median interval between frames in seconds, None without times."""
        return None if self.times_s is None else float(np.median(np.diff(self.times_s)))

    def frame(self, frame_index: int) -> Volume:
        """One frame as a volume."""
        if not 0 <= frame_index < self.frame_count:
            raise InvalidArgumentError(f"frame_index must be between 0 and {self.frame_count - 1}, got {frame_index}")
        return Volume(self.frames[..., frame_index], self.grid, name=self.name)

    def without_times(self) -> "DynamicSeries":
        """The same frames with their times forgotten."""
        return replace(self, times_s=None)


def _checked_times(times_s: NDArray[np.float64], frame_count: int) -> NDArray[np.float64]:
    times = np.asarray(times_s, dtype=np.float64)
    if times.shape != (frame_count,):
        raise InvalidArgumentError(
            f"times_s must hold one time per frame: the series has {frame_count} frames, got {times.size} times"
        )
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InvalidArgumentError(f"times_s must be finite and strictly increasing, got {times.tolist()}")
    return frozen_array(times - times[0], np.float64)


@dataclass(frozen=True, eq=False)
class ParametricMap:
    """One number per voxel, computed from a series.

    Parameters
    ----------
    name
        Such as ``"peak_enhancement"``.
    unit
        Such as ``"%"``; ``""`` for a plain number.
    values
        ``(I, J, K)`` float32, NaN (or infinite, for an arrival map out of reach) where not valid.
    grid
        Where the voxels are.
    """

    name: str
    unit: str
    values: NDArray[np.float32]
    grid: Grid

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen_array(self.values, np.float32))
        if self.values.shape != self.grid.shape:
            raise InvalidArgumentError(
                f"values must have the shape of the grid {self.grid.shape}, got {self.values.shape}"
            )

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """``(I, J, K)`` bool: where the value is finite."""
        return frozen_array(np.isfinite(self.values), np.bool_)


@dataclass(frozen=True, eq=False)
class Curve:
    """Mean of a region over time.

    Parameters
    ----------
    signal
        ``(T,)`` float64, mean signal of the region in a.u.
    enhancement
        ``(T,)`` float64, 100 (signal - S0) / S0 of the mean signal in %; NaN where S0 is not above 0.
    lower_quartile, upper_quartile
        ``(T,)`` float64, quartiles over the region's voxels of their enhancement in %.
    times_s
        ``(T,)`` seconds from the first frame, or None.
    region
        The voxels, or None for a curve not taken from a mask.
    """

    signal: NDArray[np.float64]
    enhancement: NDArray[np.float64]
    lower_quartile: NDArray[np.float64]
    upper_quartile: NDArray[np.float64]
    times_s: NDArray[np.float64] | None = None
    region: Mask | None = None
