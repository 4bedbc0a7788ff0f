"""The curve of a region: mean signal over time, its enhancement, and how far the voxels spread."""

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion.maps import baseline
from spinehub.perfusion.timing import Timing
from spinehub.series import Curve, DynamicSeries
from spinehub.volume import Mask

__all__ = ["region_curve"]


def region_curve(series: DynamicSeries, mask: Mask, timing: Timing) -> Curve:
    """Mean signal of a region over time, with enhancement and quartiles.

    The enhancement is that of the *mean* signal; the quartiles are over the voxels' own enhancement. Voxels whose
    S0 is not above 0, or that are not finite in some frame, take no part.

    Parameters
    ----------
    series
        The series.
    mask
        The region, at least one voxel, on the grid of the series.
    timing
        From :func:`spinehub.perfusion.assess_timing` on the same series.

    Returns
    -------
    Curve
        All NaN where no voxel of the region is usable.

    Raises
    ------
    InvalidArgumentError
        If the mask is empty.
    GridMismatchError
        If the mask lies on another grid.
    """
    series.grid.require_match(mask.grid)
    if mask.is_empty:
        raise InvalidArgumentError("mask must hold at least one voxel to have a curve, got an empty mask")
    s0 = baseline(series, timing)[mask.voxels].astype(np.float64)
    signal = series.frames[mask.voxels].astype(np.float64)
    usable = np.isfinite(s0) & np.isfinite(signal).all(axis=1)
    if not usable.any():
        nothing = np.full(series.frame_count, np.nan)
        return Curve(nothing, nothing, nothing, nothing, series.times_s, mask)
    signal, s0 = signal[usable], s0[usable, None]
    mean = signal.mean(axis=0)
    lower, upper = np.percentile(100.0 * (signal - s0) / s0, (25.0, 75.0), axis=0)
    return Curve(mean, _percent(mean, timing.baseline_frames), lower, upper, series.times_s, mask)


def _percent(mean: NDArray[np.float64], baseline_frames: int) -> NDArray[np.float64]:
    s0 = mean[:baseline_frames].mean()
    return 100.0 * (mean - s0) / s0
