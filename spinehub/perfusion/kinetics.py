"""The arithmetic of kinetics: one set of functions for the curve of a voxel and for the mean curve of a region.

Every function takes signal of any leading shape with time on the last axis, ``(..., T)`` float64, so that a map and a
hot spot can never follow different definitions. A curve is linear between the centres of its frames.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import TimingError

__all__ = [
    "AREA_S",
    "EARLY_S",
    "KERNELS",
    "PLATEAU_PERCENT",
    "REFERENCE_S",
    "WASHOUT_S",
    "Clock",
    "area_weights",
    "curve_noise",
    "enhancement_floor",
    "instant_weights",
]

Array: TypeAlias = NDArray[np.float64]

EARLY_S = 45.0
"""Seconds after arrival at which early enhancement is read."""
REFERENCE_S = 67.0
"""Seconds after arrival wash-out is measured from (Lang et al., Acad Radiol 2017;24(7), name this time point)."""
WASHOUT_S = 240.0
"""Seconds after arrival wash-out is measured at."""
AREA_S = 90.0
"""Length in seconds of the initial area under the enhancement curve."""
PLATEAU_PERCENT = 10.0
"""A curve is a plateau while its wash-out lies within this many % of zero."""
ENHANCES_PERCENT = 20.0
"""Least peak enhancement in % of a curve that is said to enhance."""
ENHANCES_SD = 5.0
"""Least peak enhancement in standard deviations of the curve's own baseline."""


@dataclass(frozen=True, eq=False)
class Clock:
    """When the frames were taken and when contrast arrived.

    Parameters
    ----------
    times_s
        ``(T,)`` float64, centre of each frame in seconds.
    arrival_s
        Contrast arrival t0 on the same axis.
    baseline_frames
        Number of frames that end before t0.
    """

    times_s: Array
    arrival_s: float
    baseline_frames: int

    def covers(self, after_arrival_s: float) -> bool:
        """Whether the last frame centre lies at or after t0 + `after_arrival_s`."""
        return bool(self.times_s[-1] >= self.arrival_s + after_arrival_s)


def instant_weights(times_s: Array, at_s: float) -> Array:
    """Weights ``(T,)`` that read a curve at one moment, linear between frame centres.

    Raises
    ------
    TimingError
        If the moment lies before the first or after the last frame centre.
    """
    if not times_s[0] <= at_s <= times_s[-1]:
        raise TimingError(
            f"a curve can be read between its first and last frame, {times_s[0]:.1f} to {times_s[-1]:.1f} s, "
            f"got {at_s:.1f} s; a longer scan is needed"
        )
    after = min(max(int(np.searchsorted(times_s, at_s)), 1), len(times_s) - 1)
    share = (at_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1])
    weights = np.zeros(len(times_s))
    weights[after - 1], weights[after] = 1.0 - share, share
    return weights


def area_weights(times_s: Array, start_s: float, stop_s: float) -> Array:
    """Weights ``(T,)`` whose product with a curve is its exact integral (trapezoids) from `start_s` to `stop_s`.

    Raises
    ------
    TimingError
        If the interval is not covered by the frame centres.
    """
    inside = times_s[(times_s > start_s) & (times_s < stop_s)]
    knots = np.concatenate(([start_s], inside, [stop_s]))
    widths = np.diff(knots)
    shares = np.concatenate(([0.0], widths)) / 2.0 + np.concatenate((widths, [0.0])) / 2.0
    readings = np.stack([instant_weights(times_s, float(knot)) for knot in knots])
    return np.asarray(shares @ readings)


def peak_enhancement(signal: Array, s0: Array, clock: Clock | None = None) -> Array:
    """100 (Smax - S0) / S0 in %, Smax over all frames."""
    return 100.0 * (signal.max(axis=-1) - s0) / s0


def early_enhancement(signal: Array, s0: Array, clock: Clock) -> Array:
    """100 (S(t0 + 45 s) - S0) / S0 in %."""
    return 100.0 * (signal @ instant_weights(clock.times_s, clock.arrival_s + EARLY_S) - s0) / s0


def washout(signal: Array, s0: Array, clock: Clock) -> Array:
    """100 (S(t0 + 240 s) - Sref) / Sref in %; NaN where Sref is not above 0.

    Sref is the peak of the three-frame moving average where that peak, searched over the windows centred on frames
    after the baseline, lies earlier than t0 + 67 s; else S(t0 + 67 s).
    """
    reference = signal @ instant_weights(clock.times_s, clock.arrival_s + REFERENCE_S)
    late = signal @ instant_weights(clock.times_s, clock.arrival_s + WASHOUT_S)
    first = max(clock.baseline_frames, 1)
    averaged = (signal[..., first - 1 : -2] + signal[..., first:-1] + signal[..., first + 1 :]) / 3.0
    centres = clock.times_s[first:-1]
    is_early = centres[averaged.argmax(axis=-1)] < clock.arrival_s + REFERENCE_S
    reference = np.where(is_early, averaged.max(axis=-1), reference)
    return np.where(reference > 0, 100.0 * (late - reference) / reference, np.nan)


def washin_ratio(signal: Array, s0: Array, clock: Clock | None = None) -> Array:
    """100 max(S[n+1] - S[n]) / S0 in %: depends on the frame interval, never compared across intervals."""
    steepest = signal[..., 1] - signal[..., 0]
    for frame in range(1, signal.shape[-1] - 1):
        steepest = np.maximum(steepest, signal[..., frame + 1] - signal[..., frame])
    return 100.0 * steepest / s0


def time_to_peak(signal: Array, s0: Array, clock: Clock) -> Array:
    """Time of the highest frame minus t0 in s, at least 0; NaN where the highest frame is a baseline frame.

    A peak in the last frame is censored: the true one may come later.
    """
    frame = signal.argmax(axis=-1)
    late_enough = (frame >= clock.baseline_frames) & np.isfinite(signal.max(axis=-1))
    return np.where(late_enough, np.maximum(clock.times_s[frame] - clock.arrival_s, 0.0), np.nan)


def iauc90(signal: Array, s0: Array, clock: Clock) -> Array:
    """Area under the enhancement in the first 90 s after t0, in % times s."""
    area = signal @ area_weights(clock.times_s, clock.arrival_s, clock.arrival_s + AREA_S)
    return 100.0 * (area - AREA_S * s0) / s0


def enhancement_floor(signal: Array, s0: Array, baseline_frames: int) -> Array:
    """Peak enhancement in % a curve must reach to be called enhancing: max(20 %, 5 SD of its baseline).

    The SD is that of the sample (n - 1); with a single baseline frame there is none, and 20 % alone decides.
    """
    if baseline_frames < 2:
        return np.full(signal.shape[:-1], ENHANCES_PERCENT)
    spread = 100.0 * signal[..., :baseline_frames].std(axis=-1, ddof=1) / s0
    return np.maximum(ENHANCES_PERCENT, ENHANCES_SD * spread)


def curve_type(signal: Array, s0: Array, clock: Clock) -> Array:
    """0 does not enhance, 1 persistent (wash-out above +10 %), 2 plateau, 3 wash-out (below -10 %)."""
    change = washout(signal, s0, clock)
    kind = np.where(change > PLATEAU_PERCENT, 1.0, np.where(change < -PLATEAU_PERCENT, 3.0, 2.0))
    kind = np.where(np.isnan(change), np.nan, kind)
    peak = peak_enhancement(signal, s0)
    return np.where(peak < enhancement_floor(signal, s0, clock.baseline_frames), 0.0, kind)


def curve_noise(signal: Array, clock: Clock) -> float:
    """Standard deviation of the frame-to-frame noise of one curve ``(T,)``, in the unit of the curve.

    Robust spread of each frame about the line through its two neighbours, from t0 + 67 s on, where the curve is
    smooth; what is left of its bend only makes the figure larger. 0 where fewer than three frames are late enough.
    """
    late = clock.times_s >= clock.arrival_s + REFERENCE_S
    values, times = signal[late], clock.times_s[late]
    if len(values) < 3:
        return 0.0
    share = (times[1:-1] - times[:-2]) / (times[2:] - times[:-2])
    residual = values[1:-1] - (1.0 - share) * values[:-2] - share * values[2:]
    scale = np.sqrt(1.0 + share**2 + (1.0 - share) ** 2)
    # 1.4826 turns the median deviation of a normal variable into its standard deviation.
    return float(1.4826 * np.median(np.abs(residual / scale)))


KERNELS: Mapping[str, tuple[str, Callable[[Array, Array, Clock], Array]]] = MappingProxyType(
    {
        "peak_enhancement": ("%", peak_enhancement),
        "early_enhancement": ("%", early_enhancement),
        "washout": ("%", washout),
        "washin_ratio": ("%", washin_ratio),
        "time_to_peak": ("s", time_to_peak),
        "iauc90": ("%·s", iauc90),
        "curve_type": ("", curve_type),
    }
)
"""Unit and function of every map of a dynamic series."""
