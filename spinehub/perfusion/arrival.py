"""When contrast arrives: the one number every time in seconds is counted from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrival", "body_rise", "find_arrival", "stated_arrival", "vessel_rise"]

_SD_COUNT = 5.0
"""The curve must exceed its baseline by this many robust standard deviations."""
_SD_FLOOR_PERCENT = 1.0
_SD_FLOOR_SHARE = 0.1
"""Least standard deviation of the curve, in % and as a share of its baseline: one to three frames cannot tell."""
_SD_MOST_RISE = 0.1
"""Five standard deviations count for at most this share of the largest rise: a patient who moves before contrast
comes must not hide it."""
_RISING = 1.5
_RISEN = 0.3
"""Contrast that has not reached this share of the largest rise yet rises on by this factor in the next frame; what
stays as it is (the patient moved) is no arrival."""
_LEVEL_FRAMES = 8
"""Most recent baseline frames the level is taken from."""
_LATENT_S = 1.0
_RISE_S = 8.0
"""Seconds from arrival until the signal shows it, and that it then takes to rise: first pass of the population curve
of Parker et al., Magn Reson Med 2006;56:993, and T1-weighted signal, which follows small concentrations steeply."""


@dataclass(frozen=True)
class Arrival:
    """Contrast arrival on the time axis of the series.

    Parameters
    ----------
    time_s
        t0 in seconds.
    uncertainty_s
        Half the interval between the last baseline frame and the next one.
    baseline_frames
        Frames that end before t0.
    """

    time_s: float
    uncertainty_s: float
    baseline_frames: int


@dataclass(frozen=True)
class _Tail:
    """99th percentile of enhancement against a baseline of some frames, and what it must exceed; all in %.

    `upper` and `threshold` are those of the two frames after the baseline, ``(2,)`` each.
    """

    level: float
    threshold: NDArray[np.float64]
    upper: NDArray[np.float64]

    def shows_arrival(self, largest_rise: float) -> bool:
        lift, next_lift = self.upper - self.level
        goes_on = lift >= _RISEN * largest_rise or next_lift >= _RISING * lift
        return bool((self.upper > self.threshold).all() and goes_on)


def find_arrival(samples: NDArray[np.float32], times_s: NDArray[np.float64]) -> Arrival | None:
    """Find the first frame with contrast, and t0 within it; None where nothing arrives.

    The baseline is bootstrapped: for n = 1, 2, ... the first n frames are taken as baseline, until the 99th
    percentile of enhancement exceeds the baseline's level by 5 robust SD in the next two frames. The level of
    a baseline frame is measured against the *other* baseline frames (against itself noise would vanish); with a
    single one, the mirrored first percentile of the next frame stands for it, since noise and motion brighten as
    much as they darken. For the same reason a frame must exceed its own mirrored first percentile.

    Parameters
    ----------
    samples
        ``(T, N)`` smoothed signal in the body.
    times_s
        ``(T,)`` frame centres in seconds.
    """
    if samples.shape[1] == 0:
        return None
    largest_rise = _largest_rise(samples)
    for count in range(1, len(samples) - 1):
        tail = _tail(samples, count, largest_rise)
        if tail.shows_arrival(largest_rise):
            return _within_frame(tail, times_s, count)
    return None


def stated_arrival(samples: NDArray[np.float32], times_s: NDArray[np.float64], count: int) -> Arrival:
    """t0 where the user states the number of baseline frames.

    Interpolated as in :func:`find_arrival` where the signal agrees that contrast arrives in frame `count`; else half
    way between the last baseline frame and the next one.
    """
    if count < len(samples) - 1 and samples.shape[1] > 0:
        largest_rise = _largest_rise(samples)
        tail = _tail(samples, count, largest_rise)
        if tail.shows_arrival(largest_rise):
            return _within_frame(tail, times_s, count)
    before, after = float(times_s[count - 1]), float(times_s[count])
    return Arrival((before + after) / 2.0, (after - before) / 2.0, count)


def body_rise(samples: NDArray[np.float32], baseline_frames: int) -> float:
    """Largest of the body's median enhancements in % over the frames after the baseline; 0 where there is no body.

    For each frame the median over the body: noise cancels in a median over many voxels, while a maximum per voxel
    would grow with it. A fall (diffusion weighting, echoes) is no rise.
    """
    return _largest_percentile(samples, baseline_frames, 50.0)


def vessel_rise(samples: NDArray[np.float32], baseline_frames: int) -> float:
    """Largest 99th percentile of enhancement in % over the frames after the baseline; 0 where there is no body."""
    return _largest_percentile(samples, baseline_frames, 99.0)


def _largest_percentile(samples: NDArray[np.float32], baseline_frames: int, percentile: float) -> float:
    if samples.shape[1] == 0:
        return 0.0
    s0 = _reference(samples, baseline_frames)
    return max(float(np.nanpercentile(100.0 * (frame - s0) / s0, percentile)) for frame in samples[baseline_frames:])


def _largest_rise(samples: NDArray[np.float32]) -> float:
    """Range in % of the 99th percentile of enhancement against the first frame."""
    s0 = _reference(samples, 1)
    upper = [_percentiles(frame, s0)[1] for frame in samples[1:]]
    return max(upper) - min(upper)


def _tail(samples: NDArray[np.float32], count: int, largest_rise: float) -> _Tail:
    s0 = _reference(samples, count)
    tails = np.array([_percentiles(samples[frame], s0) for frame in (count, count + 1)])
    # Two equally noisy frames are exchanged by turning their ratio over, so its lower tail, turned over, is its upper
    # one. A tail below -75 % is signal lost to something else than noise and is not turned over further.
    lower = np.clip(tails[:, 0], -75.0, 0.0)
    mirrored = -lower / (1.0 + lower / 100.0)
    if count == 1:
        levels = mirrored[:1]
    else:
        total = samples[:count].sum(axis=0, dtype=np.float64)
        recent = samples[max(0, count - _LEVEL_FRAMES) : count]
        levels = np.array([_percentiles(frame, _above_zero((total - frame) / (count - 1)))[1] for frame in recent])
    level = float(np.median(levels))
    spread = 1.4826 * float(np.median(np.abs(levels - level)))
    least = _SD_COUNT * max(_SD_FLOOR_PERCENT, _SD_FLOOR_SHARE * level)
    margin = max(least, min(_SD_COUNT * spread, _SD_MOST_RISE * largest_rise))
    return _Tail(level, np.maximum(level, mirrored) + margin, tails[:, 1])


def _reference(samples: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Mean ``(N,)`` of the first `count` frames, NaN where not above 0."""
    return _above_zero(samples[:count].mean(axis=0, dtype=np.float64))


def _above_zero(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mean > 0, mean, np.nan)


def _percentiles(frame: NDArray[np.float32], s0: NDArray[np.float64]) -> tuple[float, float]:
    """First and 99th percentile of enhancement in %."""
    low, high = np.nanpercentile(100.0 * (frame - s0) / s0, (1.0, 99.0))
    return float(low), float(high)


def _within_frame(tail: _Tail, times_s: NDArray[np.float64], count: int) -> Arrival:
    """Place t0 inside the window of frame `count`, the first one with contrast.

    A frame shows the mean over its window, so contrast that arrives late in the window lifts it only a little. The
    line between frame *centres* would therefore cross the threshold about three quarters of an interval before the
    contrast comes. Instead a rise over 8 s that stays is averaged over two frames: the share of the first one's lift in
    the second one's says how much of the window was left.
    """
    interval = float(times_s[count] - times_s[count - 1])
    window = min(interval, float(times_s[count + 1] - times_s[count]))
    left = np.linspace(0.0, window, 201)
    share = _risen(left) / (_risen(left + window) - _risen(left))
    lift, next_lift = tail.upper - tail.level
    shown = float(np.interp(np.clip(lift / next_lift, 0.0, 1.0), share, left))
    start = float(times_s[count]) - window / 2.0
    return Arrival(max(start, start + window - shown - _LATENT_S), interval / 2.0, count)


def _risen(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of a rise that is linear for 8 s and flat afterwards."""
    return np.where(seconds < _RISE_S, seconds**2 / (2.0 * _RISE_S), seconds - _RISE_S / 2.0)
