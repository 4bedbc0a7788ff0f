"""What the timing of an input supports: regime, contrast arrival, baseline. Decided once per series."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion.arrival import Arrival, body_rise, find_arrival, stated_arrival, vessel_rise
from spinehub.perfusion.body import body_mask, mean_of_frames, sample_frames
from spinehub.series import DynamicSeries, Regime
from spinehub.volume import Volume

__all__ = ["Timing", "assess_timing", "body_signal"]

_LONGEST_INTERVAL_S = 30.0
_SHORTEST_AFTER_ARRIVAL_S = 120.0
_CONTRAST_PERCENT = 5.0
_VESSEL_PERCENT = 50.0


@dataclass(frozen=True, eq=False)
class Timing:
    """What is known about time in one input; made by :func:`assess_timing`.

    Parameters
    ----------
    regime
        ``"dynamic"``: times are credible and cover arrival and uptake. ``"pre_post"``: frames before and after contrast
        without such times; ratios work, nothing in seconds does. ``"single"``: one volume.
    arrival_s
        Contrast arrival t0 in seconds, 0 = centre of the first frame; a number for a dynamic series, else None.
    uncertainty_s
        Half a frame interval, where there is an arrival.
    baseline_frames
        Frames that end before arrival, at least 1; for ``"pre_post"`` as stated, else 1; for ``"single"`` 0.
    end_s
        Centre of the last frame in seconds; None without times.
    contrast_enhanced
        Whether the body brightens by 5 % or more: the largest of the body's median enhancements over the frames
        after the baseline. Also where contrast is seen to arrive and brightens vessels by 50 % or more, since the
        median of a body of fat and fluid hardly moves. None for a single volume, which cannot show it.
    reasons
        Plain sentences: why the regime is not dynamic, and what would make it so.
    body_signal
        Median baseline signal of the body in a.u., found on the way and kept, since every route needs it; None where
        it was not looked for or there is none. Read it with :func:`body_signal`.
    """

    regime: Regime
    arrival_s: float | None
    uncertainty_s: float | None
    baseline_frames: int
    end_s: float | None
    contrast_enhanced: bool | None
    reasons: tuple[str, ...] = ()
    body_signal: float | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.regime not in ("dynamic", "pre_post", "single"):
            raise InvalidArgumentError(f"regime must be dynamic, pre_post or single, got {self.regime!r}")
        if (self.regime == "dynamic") != (self.arrival_s is not None):
            raise InvalidArgumentError(
                f"arrival_s must be a time for a dynamic series and None otherwise, got {self.arrival_s} for "
                f"the regime {self.regime}"
            )
        lowest = 0 if self.regime == "single" else 1
        if self.baseline_frames < lowest:
            raise InvalidArgumentError(
                f"baseline_frames must be at least {lowest} for the regime {self.regime}, got {self.baseline_frames}"
            )


def assess_timing(image: DynamicSeries | Volume) -> Timing:
    """Decide once what the timing of an input supports.

    Dynamic needs credible times, a median interval of 30 s or less, at least one baseline frame and 120 s or more
    after contrast arrival. ``series.baseline_frames`` overrides what the signal shows: t0 then lies in or just
    before the frame after the stated baseline.

    Parameters
    ----------
    image
        Series or volume.
    """
    if isinstance(image, Volume):
        reason = "One volume shows no change over time, so it cannot prove that contrast was given."
        return Timing("single", None, None, 0, None, None, (reason,), _median_within(image.voxels, body_mask(image)))
    body = body_mask(image)
    samples = sample_frames(image, body)
    steps = np.arange(image.frame_count, dtype=np.float64) if image.times_s is None else image.times_s
    seen = find_arrival(samples, steps)
    arrival = _arrival(image, samples, seen)
    reasons = _reasons(image, arrival)
    if arrival is None or reasons:
        timing = Timing("pre_post", None, None, image.baseline_frames or 1, _end_s(image), None, reasons)
    else:
        time_s, uncertainty_s = arrival.time_s, arrival.uncertainty_s
        timing = Timing("dynamic", time_s, uncertainty_s, arrival.baseline_frames, _end_s(image), None)
    vessels_brighten = seen is not None and vessel_rise(samples, seen.baseline_frames) >= _VESSEL_PERCENT
    body_brightens = body_rise(samples, timing.baseline_frames) >= _CONTRAST_PERCENT
    level = _median_within(mean_of_frames(image, timing.baseline_frames), body)
    return replace(timing, contrast_enhanced=body_brightens or vessels_brighten, body_signal=level)


def body_signal(image: DynamicSeries | Volume, timing: Timing) -> float:
    """Median baseline signal of the body: the one number the raw frames of a case are divided by.

    Parameters
    ----------
    image
        Series, or volume (then the median of the volume in the body).
    timing
        From :func:`assess_timing` on the same image.

    Raises
    ------
    InvalidArgumentError
        If no voxel is above 0.
    """
    level = timing.body_signal
    if level is None:
        picture = image.voxels if isinstance(image, Volume) else mean_of_frames(image, timing.baseline_frames)
        level = _median_within(picture, body_mask(image))
    if level is None:
        raise InvalidArgumentError(
            "image must hold signal above 0 to find the body, got none; check the file and its scaling"
        )
    return level


def _median_within(picture: NDArray[np.float32], body: NDArray[np.bool_]) -> float | None:
    """Median of what is finite and above 0 within the body; None where nothing is."""
    inside = picture[body]
    inside = inside[np.isfinite(inside) & (inside > 0)]
    return float(np.median(inside)) if inside.size else None


def _arrival(series: DynamicSeries, samples: NDArray[np.float32], seen: Arrival | None) -> Arrival | None:
    """Arrival in seconds: as stated, else as seen in the signal; None without times."""
    if series.times_s is None:
        return None
    if series.baseline_frames is None:
        return seen
    return stated_arrival(samples, series.times_s, series.baseline_frames)


def _reasons(series: DynamicSeries, arrival: Arrival | None) -> tuple[str, ...]:
    """Sentences that say why the series is not dynamic; empty where it is."""
    interval_s, end_s = series.frame_interval_s, _end_s(series)
    if interval_s is None or end_s is None:
        return (
            "The frame times are not known: give them with --times-s or --frame-interval-s "
            "(times_s= or frame_interval_s= in Python).",
        )
    reasons = []
    if interval_s > _LONGEST_INTERVAL_S:
        reasons.append(
            f"The median frame interval is {interval_s:.0f} s, and kinetics need {_LONGEST_INTERVAL_S:.0f} s or less."
        )
    if arrival is None:
        reasons.append(
            "The signal does not show when contrast arrives: state the number of frames before it with "
            "--baseline-frames (baseline_frames= in Python)."
        )
    elif end_s < arrival.time_s + _SHORTEST_AFTER_ARRIVAL_S:
        reasons.append(
            f"The scan ends {end_s - arrival.time_s:.0f} s after contrast arrives (the signal shows "
            f"{arrival.baseline_frames} frames before it), and kinetics need {_SHORTEST_AFTER_ARRIVAL_S:.0f} s or more."
        )
    return tuple(reasons)


def _end_s(series: DynamicSeries) -> float | None:
    return None if series.times_s is None else float(series.times_s[-1])
