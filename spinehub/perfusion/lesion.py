"""What the search for the hot spot needs to know about a lesion's voxels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.perfusion.kinetics import area_weights
from spinehub.perfusion.maps import baseline, series_clock
from spinehub.perfusion.timing import Timing
from spinehub.series import DynamicSeries
from spinehub.volume import Mask

__all__ = ["Surroundings", "lesion_surroundings", "vessels"]

_WINDOW_S = (30.0, 120.0)
"""Seconds after arrival over which a hot spot is hot."""
_FOOT_SHARES = (0.2, 0.6)
"""Shares of a voxel's mean enhancement its rise passes; the line through them leads back to where it starts."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The box around a lesion, with what is known in it.

    Parameters
    ----------
    box
        Slices of the three array axes.
    lesion, sound
        ``(box)`` bool: inside the mask; inside it and bright enough to be trusted in every frame.
    percent
        ``(box, T)`` float64, enhancement in % after smoothing among the sound voxels; 0 elsewhere.
    score
        ``(box)`` float64, mean of `percent` over the window a hot spot is judged by.
    """

    box: tuple[slice, slice, slice]
    lesion: NDArray[np.bool_]
    sound: NDArray[np.bool_]
    percent: NDArray[np.float64]
    score: NDArray[np.float64]


def lesion_surroundings(series: DynamicSeries, mask: Mask, timing: Timing, darkest: float) -> Surroundings:
    """Smoothed enhancement and score around a lesion.

    Parameters
    ----------
    series
        The series.
    mask
        The lesion, at least one voxel.
    timing
        Of the series; sets the window of the score.
    darkest
        Lowest S0 of a sound voxel, in a.u.
    """
    box = ndimage.find_objects(mask.voxels.astype(np.uint8))[0]
    lesion = mask.voxels[box]
    frames = series.frames[box]
    s0 = baseline(series, timing)[box].astype(np.float64)
    sound = lesion & (s0 >= darkest) & np.isfinite(frames).all(axis=-1)
    percent = np.zeros(frames.shape)
    percent[sound] = 100.0 * (frames[sound] - s0[sound, None]) / s0[sound, None]
    percent = _smooth_among(percent, sound, series.grid.slice_axis)
    return Surroundings(box, lesion, sound, percent, percent @ _window_weights(series, timing))


def vessels(around: Surroundings, series: DynamicSeries, timing: Timing) -> NDArray[np.bool_]:
    """Vessels ``(box)`` bool: voxels that arrive a frame or more before the lesion's median arrival.

    A voxel arrives at the foot of its rise: the line through the moments it passes 20 % and 60 % of its score, led
    back to zero. A threshold alone would call every strongly enhancing voxel early. Without usable times nothing
    arrives early.
    """
    early = np.zeros(around.sound.shape, np.bool_)
    if timing.regime != "dynamic":
        return early
    clock = series_clock(series, timing)
    rising = around.sound & (around.score > 0)
    curves, score = around.percent[rising], around.score[rising]
    low, high = (_first_passage(curves, share * score, clock.times_s, clock.baseline_frames) for share in _FOOT_SHARES)
    foot = low - (high - low) * _FOOT_SHARES[0] / (_FOOT_SHARES[1] - _FOOT_SHARES[0])
    if np.isfinite(foot).any():
        early[rising] = foot <= np.nanmedian(foot) - float(np.median(np.diff(clock.times_s)))
    return early


def _window_weights(series: DynamicSeries, timing: Timing) -> NDArray[np.float64]:
    """Weights ``(T,)`` of the mean over the window: a time integral, or the frames after the baseline."""
    if timing.regime == "dynamic":
        clock = series_clock(series, timing)
        start_s, stop_s = (clock.arrival_s + seconds for seconds in _WINDOW_S)
        return area_weights(clock.times_s, start_s, stop_s) / (stop_s - start_s)
    after = np.arange(series.frame_count) >= timing.baseline_frames
    return after / np.count_nonzero(after)


def _smooth_among(percent: NDArray[np.float64], sound: NDArray[np.bool_], slice_axis: int) -> NDArray[np.float64]:
    """3 x 3 mean in plane over the sound voxels only; 0 where the voxel itself is not sound."""
    size = [1 if axis == slice_axis else 3 for axis in range(3)]
    weight = ndimage.uniform_filter(sound.astype(np.float64), size, mode="constant")
    total = ndimage.uniform_filter(percent, [*size, 1], mode="constant")
    return np.where(sound[..., None], total / np.where(sound, weight, 1.0)[..., None], 0.0)


def _first_passage(
    curves: NDArray[np.float64], level: NDArray[np.float64], times_s: NDArray[np.float64], first: int
) -> NDArray[np.float64]:
    """Interpolated time ``(V,)`` at which curves ``(V, T)`` first reach a level from frame `first` on; NaN if never."""
    above = curves[:, first:] >= level[:, None]
    frame = first + above.argmax(axis=1)
    rows = np.arange(len(curves))
    before, after = curves[rows, frame - 1], curves[rows, frame]
    share = np.clip((level - before) / np.where(after > before, after - before, np.inf), 0.0, 1.0)
    passage = times_s[frame - 1] + share * (times_s[frame] - times_s[frame - 1])
    return np.where(above.any(axis=1), passage, np.nan)
