"""From acquired frames to the fixed times a network sees, and how a fuller input is reduced to a poorer one."""

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.inputs.spec import PreprocessingSpec
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, Regime
from spinehub.volume import Volume

__all__ = ["frame_weights", "reduce_regime"]

POST_CONTRAST_S = (40.0, 200.0)
"""When a single post-contrast acquisition is usually taken, seconds after arrival: hidden inputs are drawn from it."""


def frame_weights(
    image: DynamicSeries | Volume, timing: Timing, spec: PreprocessingSpec, box: tuple[slice, slice, slice]
) -> NDArray[np.float64]:
    """How much of each acquired frame goes into each of the fixed times.

    Parameters
    ----------
    image
        Series or volume.
    timing
        Of the whole series.
    spec
        Holds the fixed times.
    box
        Voxels of the crop: without times, the brightest post-contrast frame inside it stands in the 67 s slot.

    Returns
    -------
    NDArray
        ``(T, slots)``; a column of zeros where the time was not acquired.
    """
    slots = len(spec.frame_times_s)
    if isinstance(image, Volume):
        weights = np.zeros((1, slots))
        weights[0, spec.peak_slot] = 1.0
        return weights
    weights = np.zeros((image.frame_count, slots))
    baseline = np.asarray(spec.frame_times_s) < 0.0
    weights[: timing.baseline_frames, baseline] = 1.0 / max(1, timing.baseline_frames)
    if timing.regime == "dynamic" and timing.arrival_s is not None and image.times_s is not None:
        after_s = image.times_s - timing.arrival_s
        reach_s = after_s[-1] + (after_s[-1] - after_s[-2]) / 2.0
        for slot, time_s in enumerate(spec.frame_times_s):
            if 0.0 <= time_s <= reach_s:
                weights[:, slot] = [np.interp(time_s, after_s, row) for row in np.eye(image.frame_count)]
        return weights
    post = range(timing.baseline_frames, image.frame_count)
    means = [float(np.nanmean(image.frames[(*box, frame)])) for frame in post]
    weights[timing.baseline_frames + int(np.argmax(means)), spec.peak_slot] = 1.0
    return weights


def reduce_regime(
    series: DynamicSeries, regime: Regime, rng: np.random.Generator, *, timing: Timing
) -> DynamicSeries | Volume:
    """Hide frames and times of a dynamic series, as if less had been acquired.

    Parameters
    ----------
    series
        A dynamic series.
    regime
        ``"dynamic"`` returns the series; ``"pre_post"`` one baseline and one post-contrast frame without times;
        ``"single"`` one post-contrast frame.
    rng
        Draws the frames: the post-contrast one between 40 and 200 s after arrival.
    timing
        Of the series.

    Raises
    ------
    InvalidArgumentError
        If the series holds no baseline or no post-contrast frame, or the regime is unknown.
    """
    if regime == "dynamic":
        return series
    if regime not in {"pre_post", "single"}:
        raise InvalidArgumentError(f"regime must be 'dynamic', 'pre_post' or 'single', got {regime!r}")
    if not 1 <= timing.baseline_frames < series.frame_count:
        raise InvalidArgumentError(
            "series must hold a baseline and a post-contrast frame to be reduced, got "
            f"{timing.baseline_frames} baseline frames of {series.frame_count}"
        )
    post = np.arange(timing.baseline_frames, series.frame_count)
    if series.times_s is not None and timing.arrival_s is not None:
        after_s = series.times_s[post] - timing.arrival_s
        usual = post[(after_s >= POST_CONTRAST_S[0]) & (after_s <= POST_CONTRAST_S[1])]
        post = usual if usual.size else post[-1:]
    chosen = int(rng.choice(post))
    if regime == "single":
        return series.frame(chosen)
    first = int(rng.integers(timing.baseline_frames))
    return DynamicSeries(
        series.frames[..., [first, chosen]], series.grid, None, 1, protocol=series.protocol, name=series.name
    )
