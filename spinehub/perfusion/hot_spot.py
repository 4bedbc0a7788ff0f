"""The hot spot of a lesion: where the two parameters are read, and the two parameters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.perfusion.body import in_plane_neighbours
from spinehub.perfusion.connected import best_connected_set, connected_pieces
from spinehub.perfusion.curves import region_curve
from spinehub.perfusion.kinetics import (
    EARLY_S,
    KERNELS,
    WASHOUT_S,
    Array,
    Clock,
    curve_noise,
    curve_type,
    enhancement_floor,
)
from spinehub.perfusion.lesion import Surroundings, lesion_surroundings, vessels
from spinehub.perfusion.timing import Timing, body_signal
from spinehub.series import Curve, DynamicSeries
from spinehub.volume import Mask, Volume

__all__ = ["HotSpot", "Parameter", "find_hot_spot", "hot_spot_parameters"]

_LEAST_VOXELS = 9
_LEAST_AREA_MM2 = 50.0
_LEAST_SHARE = 0.05
_MOST_SHARE = 0.5
_DARK_SHARE = 0.2
"""Voxels whose S0 is below this share of the body's median signal are left out: noise rules there."""
_NOISE_WIDTH = 2.0
"""Standard deviations of noise in a stated uncertainty: about 95 %."""
_LATEST_S = {"early_enhancement": EARLY_S, "washout": WASHOUT_S}
"""The two parameters, with the seconds after arrival each is read at."""


@dataclass(frozen=True, eq=False)
class HotSpot:
    """The connected voxels of one slice that enhance most.

    Parameters
    ----------
    mask
        The voxels.
    slice_index
        Their slice, along ``grid.slice_axis``.
    curve
        Mean curve of the voxels.
    curve_type
        0 does not enhance, 1 persistent, 2 plateau, 3 wash-out; None where the scan cannot tell 1 to 3.
    enhances
        Whether the peak of the curve reaches max(20 %, 5 SD of its baseline); with one baseline frame 20 %.
    """

    mask: Mask
    slice_index: int
    curve: Curve
    curve_type: int | None
    enhances: bool


@dataclass(frozen=True)
class Parameter:
    """One number read from the hot spot's mean curve.

    Parameters
    ----------
    value
        In `unit`; None where it cannot be read.
    uncertainty
        Half width of about 95 %, in `unit`: half a frame of doubt about arrival, and noise of the curve.
    unit
        ``"%"``.
    reason
        ``"code: sentence"`` where the value is None.
    """

    value: float | None
    uncertainty: float | None
    unit: str
    reason: str | None = None


def find_hot_spot(series: DynamicSeries | Volume, mask: Mask, timing: Timing) -> HotSpot | None:
    """Find where a lesion enhances most.

    The hot spot is the connected set of voxels in one slice with the highest mean enhancement between t0 + 30 s and
    t0 + 120 s (without usable times: over the frames after the baseline), after 3 x 3 smoothing in plane among the
    lesion's own voxels. All eight neighbours in plane lie in the lesion; voxels with S0 under 20 % of the body's median
    and vessels are left out. Its size is max(9 voxels, 50 mm2, 5 % of the lesion), at most half the lesion; where no
    slice offers that many connected voxels, as many as the best one does.

    Parameters
    ----------
    series
        The series; a volume has no hot spot.
    mask
        The lesion, on the grid of the series.
    timing
        From :func:`spinehub.perfusion.assess_timing` on the same series.

    Returns
    -------
    HotSpot or None
        None for a volume, and where fewer than 9 connected voxels are eligible (``small_lesion``).

    Raises
    ------
    GridMismatchError
        If the mask lies on another grid.
    InvalidArgumentError
        If the series holds no signal above 0.
    """
    series.grid.require_match(mask.grid)
    if isinstance(series, Volume) or timing.regime == "single" or mask.is_empty:
        return None
    axis = series.grid.slice_axis
    around = lesion_surroundings(series, mask, timing, _DARK_SHARE * body_signal(series, timing))
    inside_edge = ndimage.binary_erosion(around.lesion, in_plane_neighbours(axis))
    eligible = inside_edge & around.sound & ~vessels(around, series, timing)
    found = _best_slice(around, eligible, axis, _wanted_size(mask))
    if found is None:
        return None
    voxels = np.zeros(series.grid.shape, np.bool_)
    voxels[around.box] = found
    return _hot_spot(series, Mask(voxels, series.grid), timing)


def hot_spot_parameters(hot_spot: HotSpot | None, timing: Timing) -> dict[str, Parameter]:
    """Read the two parameters, ``"early_enhancement"`` and ``"washout"``, from the hot spot's mean curve.

    Both are always present. The uncertainty joins (in quadrature) the largest change of the value when arrival moves
    by half a frame either way, and two standard deviations of the curve's noise carried through the definition.

    Parameters
    ----------
    hot_spot
        From :func:`find_hot_spot`, None where there is none.
    timing
        From :func:`spinehub.perfusion.assess_timing` on the same series.
    """
    return {name: _parameter(name, hot_spot, timing) for name in _LATEST_S}


def _hot_spot(series: DynamicSeries, hot: Mask, timing: Timing) -> HotSpot:
    curve = region_curve(series, hot, timing)
    enhances = _enhances(curve, timing)
    slice_index = int(np.argwhere(hot.voxels)[0, series.grid.slice_axis])
    return HotSpot(hot, slice_index, curve, _curve_type(curve, timing, enhances), enhances)


def _wanted_size(mask: Mask) -> int:
    """max(9 voxels, 50 mm2, 5 % of the lesion), at most half of it."""
    first, second = np.delete(mask.grid.affine[:3, :3], mask.grid.slice_axis, axis=1).T
    pixel_mm2 = float(np.linalg.norm(np.cross(first, second)))
    # A hair below a whole number is that number: 50 mm2 of 1 mm2 pixels are 50 voxels.
    wanted = np.ceil(np.array([_LEAST_VOXELS, _LEAST_AREA_MM2 / pixel_mm2, _LEAST_SHARE * mask.count]) - 1e-9)
    return int(min(wanted.max(), _MOST_SHARE * mask.count))


def _best_slice(around: Surroundings, eligible: NDArray[np.bool_], axis: int, wanted: int) -> NDArray[np.bool_] | None:
    """Hot spot ``(box)`` bool over all slices; None where no 9 eligible voxels are connected."""
    slices = np.moveaxis(eligible, axis, 0)
    scores = np.moveaxis(around.score, axis, 0)
    pieces = [(n, piece) for n, plane in enumerate(slices) for piece in connected_pieces(plane)]
    size = min([wanted, max((int(piece.sum()) for _, piece in pieces), default=0)])
    if size < _LEAST_VOXELS:
        return None
    pieces = [(n, piece) for n, piece in pieces if np.count_nonzero(piece) >= size]
    # The mean of a piece's highest voxels, connected or not, bounds what it can offer: most promising first.
    bounds = [float(np.sort(scores[n][piece])[-size:].mean()) for n, piece in pieces]
    best, best_mean, best_slice = None, -np.inf, 0
    for order in np.argsort(-np.array(bounds), kind="stable"):
        if bounds[order] <= best_mean:
            break
        n, piece = pieces[order]
        chosen = best_connected_set(scores[n], piece, size)
        mean = float(scores[n][chosen].mean())
        if mean > best_mean:
            best, best_mean, best_slice = chosen, mean, n
    result = np.zeros(eligible.shape, np.bool_)
    np.moveaxis(result, axis, 0)[best_slice] = best
    return result


def _clock(curve: Curve, timing: Timing) -> Clock | None:
    if curve.times_s is None or timing.arrival_s is None:
        return None
    return Clock(curve.times_s, timing.arrival_s, timing.baseline_frames)


def _enhances(curve: Curve, timing: Timing) -> bool:
    s0 = curve.signal[: timing.baseline_frames].mean()
    return bool(curve.enhancement.max() >= enhancement_floor(curve.signal, s0, timing.baseline_frames))


def _curve_type(curve: Curve, timing: Timing, enhances: bool) -> int | None:
    if not enhances:
        return 0
    clock = _clock(curve, timing)
    if clock is None or not clock.covers(WASHOUT_S):
        return None
    kind = float(curve_type(curve.signal, curve.signal[: clock.baseline_frames].mean(), clock))
    return int(kind) if np.isfinite(kind) else None


def _parameter(name: str, hot_spot: HotSpot | None, timing: Timing) -> Parameter:
    unit = KERNELS[name][0]
    reason = _why_null(name, hot_spot, timing)
    clock = None if hot_spot is None else _clock(hot_spot.curve, timing)
    if hot_spot is None or clock is None or reason is not None:
        return Parameter(None, None, unit, reason)
    value = float(_read(name, hot_spot.curve.signal, clock))
    return Parameter(value, _uncertainty(name, hot_spot.curve.signal, clock, timing, value), unit)


def _why_null(name: str, hot_spot: HotSpot | None, timing: Timing) -> str | None:
    if timing.regime == "single":
        return "single_volume: One volume shows no enhancement; give the frames before and after contrast together."
    if timing.regime == "pre_post":
        code = "timing_missing" if timing.end_s is None else "timing_insufficient"
        return f"{code}: {' '.join(timing.reasons)}"
    if hot_spot is None:
        return f"small_lesion: Fewer than {_LEAST_VOXELS} connected voxels inside the lesion's edge can be used."
    if not hot_spot.enhances:
        return "no_enhancing_lesion: The lesion's brightest part stays below 20 % or within 5 SD of its baseline."
    clock = _clock(hot_spot.curve, timing)
    if clock is None or not clock.covers(_LATEST_S[name]):
        return (
            f"timing_insufficient: The scan ends before {_LATEST_S[name]:.0f} s after contrast arrives; "
            "a longer series is needed."
        )
    return None


def _read(name: str, signal: Array, clock: Clock) -> Array:
    """Parameter of curves ``(..., T)``, each against its own baseline."""
    return KERNELS[name][1](signal, signal[..., : clock.baseline_frames].mean(axis=-1), clock)


def _uncertainty(name: str, signal: Array, clock: Clock, timing: Timing, value: float) -> float:
    shifts = [0.0]
    for shift_s in (-(timing.uncertainty_s or 0.0), timing.uncertainty_s or 0.0):
        moved = Clock(clock.times_s, clock.arrival_s + shift_s, clock.baseline_frames)
        if moved.covers(_LATEST_S[name]):
            shifts.append(abs(float(_read(name, signal, moved)) - value))
    noise = curve_noise(signal, clock)
    disturbed = _read(name, signal + noise * np.eye(len(signal)), clock)
    spread = float(np.sqrt(np.sum((disturbed - value) ** 2)))
    return float(np.hypot(max(shifts), _NOISE_WIDTH * spread))
