"""When contrast arrives: the one number every time in seconds is counted from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrival", "contrast_change", "find_arrival", "stated_arrival"]

_SD_COUNT = 5.0
"""The curve must exceed its baseline by this many robust standard deviations."""
_SD_FLOOR_PERCENT = 1.0
_SD_FLOOR_SHARE = 0.1
"""Least standard deviation of the curve, in % and as a share of its baseline: one to three frames cannot tell."""
_LEVEL_FRAMES = 8
"""Most recent baseline frames the level is taken from."""
_RISE_S = 8.0
"""Time a bolus takes to rise: first pass of the population curve of Parker et al., Magn Reson Med 2006;56:993."""


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


def find_arrival(samples: NDArray[np.float32], times_s: NDArray[np.float64]) -> Arrival | None:
    """Find the first frame with contrast, and t0 within it; None where nothing arrives.

    The baseline is bootstrapped: for n = 1, 2, ... the first n frames are taken as baseline, until the 99th
    percentile of enhancement exceeds the baseline's level by 5 robust SD in the next two frames. The level of
    a baseline frame is measured against the *other* baseline frames (against itself noise would vanish); with a
    single one, the mirrored first percentile of the next frame stands for it, since noise and motion brighten as
    much as they darken. For the same reason a frame's own mirrored first percentile is never exceeded by noise.

    Parameters
    ----------
    samples
        ``(T, N)`` smoothed signal in the body.
    times_s
        ``(T,)`` frame centres in seconds.
    """
    if samples.shape[1] == 0:
        return None
    for count in range(1, len(samples) - 1):
        level, threshold, upper = _upper_tail(samples, count)
        if (upper > threshold).all():
            return _within_frame(level, upper, times_s, count)
    return None


def stated_arrival(samples: NDArray[np.float32], times_s: NDArray[np.float64], count: int) -> Arrival:
    """t0 where the user states the number of baseline frames.

    Interpolated as in :func:`find_arrival` where the signal agrees that contrast arrives in frame `count`; else half
    way between the last baseline frame and the next one.
    """
    if count < len(samples) - 1 and samples.shape[1] > 0:
        level, threshold, upper = _upper_tail(samples, count)
        if (upper > threshold).all():
            return _within_frame(level, upper, times_s, count)
    before, after = float(times_s[count - 1]), float(times_s[count])
    return Arrival((before + after) / 2.0, (after - before) / 2.0, count)


def contrast_change(samples: NDArray[np.float32], baseline_frames: int) -> float:
    """Largest rise in % of the body's median over the frames after the baseline; 0 where there is no body.

    For each frame the median over the body of the enhancement: noise cancels in a median over many voxels, while a
    maximum per voxel would grow with it. A fall (diffusion weighting, echoes) is no contrast.
    """
    if samples.shape[1] == 0:
        return 0.0
    s0 = _reference(samples, list(range(baseline_frames)))
    medians = [float(np.median(100.0 * (frame - s0) / s0)) for frame in samples[baseline_frames:]]
    return max(medians)


def _upper_tail(samples: NDArray[np.float32], count: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Baseline level, threshold and 99th percentile of enhancement of frames `count` and `count` + 1, all in %."""
    s0 = _reference(samples, list(range(count)))
    tails = np.array([_percentiles(samples[frame], s0) for frame in (count, count + 1)])
    # Two equally noisy frames are exchanged by turning their ratio over, so its lower tail, turned over, is its upper
    # one. A tail below -50 % is signal lost to something else than noise and is not turned over further.
    lower, upper = np.clip(tails[:, 0], -50.0, 0.0), tails[:, 1]
    mirrored = -lower / (1.0 + lower / 100.0)
    if count == 1:
        levels = mirrored[:1]
    else:
        recent = range(max(0, count - _LEVEL_FRAMES), count)
        levels = np.array([_level_without(samples, frame, count) for frame in recent])
    level = float(levels.mean())
    spread = 1.4826 * float(np.median(np.abs(levels - np.median(levels))))
    spread = max(spread, _SD_FLOOR_PERCENT, _SD_FLOOR_SHARE * level)
    return level, np.maximum(level, mirrored) + _SD_COUNT * spread, upper


def _level_without(samples: NDArray[np.float32], frame: int, count: int) -> float:
    others = [other for other in range(count) if other != frame]
    return _percentiles(samples[frame], _reference(samples, others))[1]


def _reference(samples: NDArray[np.float32], frames: list[int]) -> NDArray[np.float32]:
    """Mean of some frames, NaN where not above 0."""
    mean = samples[frames].mean(axis=0)
    return np.where(mean > 0, mean, np.float32(np.nan))


def _percentiles(frame: NDArray[np.float32], s0: NDArray[np.float32]) -> tuple[float, float]:
    """First and 99th percentile of enhancement in %."""
    low, high = np.nanpercentile(100.0 * (frame - s0) / s0, (1.0, 99.0))
    return float(low), float(high)


def _within_frame(level: float, upper: NDArray[np.float64], times_s: NDArray[np.float64], count: int) -> Arrival:
    """Place t0 inside the window of frame `count`, the first one with contrast.

    A frame shows the mean over its window, so contrast that arrives late in the window lifts it only a little. The
    line between frame *centres* would therefore cross the threshold about three quarters of an interval before the
    contrast comes. Instead a rise over 8 s that goes on is averaged over two frames; the share of the first one's lift
    in the second one's says how much of the window was left. That share also depends on what rises (vessel, tissue), so
    the estimate is drawn half way to the centre of the window, which halves its error at short intervals.
    """
    interval = float(times_s[count] - times_s[count - 1])
    window = min(interval, float(times_s[count + 1] - times_s[count]))
    left = np.linspace(0.0, window, 201)
    share = _risen(left) / (_risen(left + window) - _risen(left))
    lift = float(np.clip((upper[0] - level) / (upper[1] - level), 0.0, 1.0))
    remaining = (float(np.interp(lift, share, left)) + window / 2.0) / 2.0
    return Arrival(float(times_s[count]) + window / 2.0 - remaining, interval / 2.0, count)


def _risen(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of a rise that is linear for 8 s and flat afterwards."""
    return np.where(seconds < _RISE_S, seconds**2 / (2.0 * _RISE_S), seconds - _RISE_S / 2.0)
