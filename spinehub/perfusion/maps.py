"""Parametric maps of a series: baseline, enhancement, and one number per voxel for each definition."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion.body import mean_of_frames, slabs
from spinehub.perfusion.kinetics import AREA_S, EARLY_S, KERNELS, WASHOUT_S, Array, Clock, peak_enhancement
from spinehub.perfusion.timing import Timing, assess_timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Volume

__all__ = ["baseline", "compute_maps", "enhancement", "series_clock", "why_not"]

_LATEST_S = {"early_enhancement": EARLY_S, "iauc90": AREA_S, "washout": WASHOUT_S, "curve_type": WASHOUT_S}
"""Seconds after arrival the scan must reach for a map to exist."""
_PRE_POST_UNITS = {"peak_enhancement": "%", "percent_enhancement": "%", "signal_enhancement_ratio": ""}
_MAP_NAMES = tuple(dict.fromkeys((*KERNELS, *_PRE_POST_UNITS)))


def baseline(series: DynamicSeries, timing: Timing) -> NDArray[np.float32]:
    """S0: mean of the frames that end before contrast arrival.

    Parameters
    ----------
    series
        The series.
    timing
        From :func:`assess_timing` on the same series.

    Returns
    -------
    NDArray
        ``(I, J, K)`` float32 in a.u., NaN where it is not finite or not above 0.

    Raises
    ------
    InvalidArgumentError
        If `timing` belongs to a volume or to a shorter series.
    """
    _require_frames(series, timing)
    s0 = mean_of_frames(series, timing.baseline_frames)
    s0[~(np.isfinite(s0) & (s0 > 0))] = np.nan
    return s0


def enhancement(series: DynamicSeries, timing: Timing) -> NDArray[np.float32]:
    """Enhancement of every frame, 100 (S - S0) / S0.

    Parameters
    ----------
    series
        The series.
    timing
        From :func:`assess_timing` on the same series.

    Returns
    -------
    NDArray
        ``(I, J, K, T)`` float32 in %, NaN where S0 is unusable.
    """
    s0 = baseline(series, timing)
    percent = np.empty(series.frames.shape, np.float32)
    for slab in slabs(series):
        reference = s0[slab, ..., None].astype(np.float64)
        percent[slab] = 100.0 * (series.frames[slab] - reference) / reference
    return percent


def compute_maps(
    series: DynamicSeries, timing: Timing | None = None, *, names: Collection[str] | None = None
) -> dict[str, ParametricMap]:
    """Every parametric map the timing of a series supports.

    A dynamic series gives ``peak_enhancement``, ``early_enhancement``, ``washin_ratio``, ``time_to_peak``, ``iauc90``
    and, where the scan reaches 240 s after arrival, ``washout`` and ``curve_type``. Frames before and after contrast
    without usable times give ``peak_enhancement``, ``percent_enhancement`` (the first frame after the baseline
    against it) and, for exactly one frame before and two after, ``signal_enhancement_ratio``. :func:`why_not` says
    why a map is absent.

    Parameters
    ----------
    series
        The series.
    timing
        From :func:`assess_timing`; worked out when not given.
    names
        Only these maps, where a few are enough; None: all of them.

    Returns
    -------
    dict
        Map by name. Values are NaN where S0 is not finite or not above 0; noise never changes which voxels have one.

    Raises
    ------
    InvalidArgumentError
        If `series` is a volume, `timing` does not belong to it, or there is no map of a name.
    """
    if isinstance(series, Volume):
        raise InvalidArgumentError(
            "series must hold two or more frames to compute parametric maps, got a single volume; "
            "give the frames before and after contrast together"
        )
    timing = assess_timing(series) if timing is None else timing
    _require_frames(series, timing)
    unknown = sorted(set(names or ()) - set(_MAP_NAMES))
    if unknown:
        raise InvalidArgumentError(f"names must be among {', '.join(_MAP_NAMES)}, got {unknown[0]!r}")
    wanted = [name for name in _MAP_NAMES if names is None or name in names]
    wanted = [name for name in wanted if why_not(name, series, timing) is None]
    values = _all_values(wanted, series, timing)
    return {name: ParametricMap(name, _unit(name), values[name], series.grid) for name in wanted}


def why_not(name: str, series: DynamicSeries | Volume, timing: Timing) -> str | None:
    """Why a map cannot be computed, as ``"code: sentence"``; None where it can.

    Parameters
    ----------
    name
        Name of a map, such as ``"washout"``.
    series, timing
        The input and its timing.

    Raises
    ------
    InvalidArgumentError
        If there is no map of that name.
    """
    if name not in _MAP_NAMES:
        raise InvalidArgumentError(f"name must be one of {', '.join(_MAP_NAMES)}, got {name!r}")
    if isinstance(series, Volume) or timing.regime == "single":
        return "single_volume: Enhancement needs frames before and after contrast, and this is one volume."
    if timing.regime == "dynamic":
        return _why_not_dynamic(name, series, timing)
    if name == "signal_enhancement_ratio" and (series.frame_count, timing.baseline_frames) != (3, 1):
        return (
            "three_phases_only: The signal enhancement ratio needs exactly one frame before and two after contrast, "
            f"and here {timing.baseline_frames} of {series.frame_count} frames lie before it."
        )
    if name in _PRE_POST_UNITS:
        return None
    code = "timing_missing" if series.times_s is None else "timing_insufficient"
    return f"{code}: {' '.join(timing.reasons)}"


def _why_not_dynamic(name: str, series: DynamicSeries, timing: Timing) -> str | None:
    if name not in KERNELS:
        return (
            "three_phases_only: This figure is for one frame before and two after contrast; "
            "a dynamic series has early_enhancement and washout instead."
        )
    clock = series_clock(series, timing)
    needed_s = _LATEST_S.get(name, 0.0)
    if not clock.covers(needed_s):
        return (
            f"timing_insufficient: The scan ends {clock.times_s[-1] - clock.arrival_s:.0f} s after contrast arrives, "
            f"and {name} is read up to {needed_s:.0f} s after it."
        )
    return None


def series_clock(series: DynamicSeries, timing: Timing) -> Clock:
    """Frame times, arrival and baseline of a dynamic series in one record.

    Raises
    ------
    InvalidArgumentError
        If the series has no times or no arrival.
    """
    if series.times_s is None or timing.arrival_s is None:
        raise InvalidArgumentError(
            f"timing must be that of a dynamic series with times, got the regime {timing.regime}; "
            "assess the timing of this series again"
        )
    return Clock(series.times_s, timing.arrival_s, timing.baseline_frames)


def _all_values(names: list[str], series: DynamicSeries, timing: Timing) -> dict[str, NDArray[np.float32]]:
    """Values ``(I, J, K)`` float32 of some maps, a slab at a time."""
    values = {name: np.empty(series.grid.shape, np.float32) for name in names}
    s0 = baseline(series, timing)
    clock = series_clock(series, timing) if timing.regime == "dynamic" else None
    for slab in slabs(series):
        signal, reference = series.frames[slab].astype(np.float64), s0[slab].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            for name in names:
                result = _map_values(name, signal, reference, timing, clock)
                # A kernel such as wash-out does not divide by S0, so the unusable voxels are marked here for all.
                values[name][slab] = np.where(np.isnan(reference), np.nan, result)
    return values


def _map_values(name: str, signal: Array, s0: Array, timing: Timing, clock: Clock | None) -> Array:
    if clock is not None:
        return KERNELS[name][1](signal, s0, clock)
    if name == "peak_enhancement":
        return peak_enhancement(signal, s0)
    first = signal[..., timing.baseline_frames] - s0
    if name == "percent_enhancement":
        return 100.0 * first / s0
    last = signal[..., timing.baseline_frames + 1] - s0
    return np.where(last != 0, first / last, np.nan)


def _unit(name: str) -> str:
    return KERNELS[name][0] if name in KERNELS else _PRE_POST_UNITS[name]


def _require_frames(series: DynamicSeries, timing: Timing) -> None:
    if timing.regime == "single" or timing.baseline_frames >= series.frame_count:
        raise InvalidArgumentError(
            f"timing must be that of this series of {series.frame_count} frames, got the regime {timing.regime} with "
            f"{timing.baseline_frames} baseline frames; assess the timing of this series again"
        )
