"""How hard each voxel is to enter, judged from the neighbourhood of the seeds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing.domain import distance_from
from spinehub.volume import Index, Position

__all__ = ["slowness_field"]

_SMOOTHING_MM = 1.0
_NEIGHBOURHOOD_MM = 4.0
_DEVIATION_WEIGHT = 0.3
_GRADIENT_WEIGHT = 0.7
_FLOOR = 0.01


def slowness_field(
    channels: NDArray[np.float32], spacing_mm: Position, seeds: Sequence[Index]
) -> NDArray[np.float32]:
    """Slowness of a front from seeds: 1 in tissue like that at the seeds, more across borders and in other tissue.

    Parameters
    ----------
    channels
        ``(C, i, j, k)`` float32, not finite where not valid.
    spacing_mm
        Voxel spacing along i, j, k in mm.
    seeds
        Foreground seed voxels.

    Returns
    -------
    NDArray
        ``(i, j, k)`` float32, at least 1; ``+inf`` where a channel is not valid.
    """
    valid = np.isfinite(channels).all(axis=0)
    distance = distance_from(seeds, valid.shape, spacing_mm)
    near = valid & (distance <= _NEIGHBOURHOOD_MM)
    around = valid & (distance <= 2 * _NEIGHBOURHOOD_MM)
    deviations = np.zeros(valid.shape, dtype=np.float32)
    gradients = np.zeros(valid.shape, dtype=np.float32)
    for channel in channels:
        smooth = _smoothed(channel, valid, spacing_mm)
        centre = np.median(smooth[near])
        span = float(np.ptp(np.percentile(smooth[valid], (1, 99)))) or 1.0
        spread = 1.4826 * float(np.median(np.abs(channel[near] - centre)))
        deviations += ((smooth - centre) / max(spread, _FLOOR * span)) ** 2
        gradient = _gradient(smooth, spacing_mm)
        noise = float(np.median(gradient[around]))
        gradients += (gradient / max(noise, _FLOOR * span)) ** 2
    count = len(channels)
    slowness = 1.0 + _DEVIATION_WEIGHT * np.sqrt(deviations / count) + _GRADIENT_WEIGHT * np.sqrt(gradients / count)
    return np.where(valid, slowness, np.inf).astype(np.float32)


def _smoothed(channel: NDArray[np.float32], valid: NDArray[np.bool_], spacing_mm: Position) -> NDArray[np.float32]:
    sigmas = [_SMOOTHING_MM / step for step in spacing_mm]
    if valid.all():
        return ndimage.gaussian_filter(channel, sigmas)
    # Normalised convolution: voxels without a value weigh nothing.
    weights = ndimage.gaussian_filter(valid.astype(np.float32), sigmas)
    smooth = ndimage.gaussian_filter(np.where(valid, channel, 0.0).astype(np.float32), sigmas)
    return np.where(valid, smooth / np.maximum(weights, 1e-6), 0.0).astype(np.float32)


def _gradient(smooth: NDArray[np.float32], spacing_mm: Position) -> NDArray[np.float32]:
    square = np.zeros_like(smooth)
    for axis, step in enumerate(spacing_mm):
        if smooth.shape[axis] > 1:
            square += np.gradient(smooth, step, axis=axis) ** 2
    return np.sqrt(square)
