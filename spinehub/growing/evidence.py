"""How much each voxel looks like the lesion: intensities near the seeds against those of the surroundings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.volume import Position

__all__ = ["Palette", "log_ratio", "principal_channels", "slowness_of", "smoothed"]

_SMOOTHING_MM = 0.5
_BINS = {1: 64, 2: 32, 3: 18}
"""Bins per channel, fewer where channels are joint, so that the histogram stays filled."""
_MOST_CHANNELS = 3
_PARZEN_BINS = 1.0
_EMPTY = 0.1
"""Weight of a voxel that was never seen: keeps the ratio of empty bins near 1."""
_SURE = 4.0
_DOUBT = 0.5
"""A voxel must be this much (natural logarithm) more like the lesion than like its surroundings."""
_HARDEST = 60.0


@dataclass(frozen=True, eq=False)
class Palette:
    """Voxels sorted into joint intensity bins; unchanged by scaling and offset of the channels.

    Parameters
    ----------
    bins
        ``(i, j, k)`` int64, flat index of each voxel's bin.
    shape
        Bins per channel.
    """

    bins: NDArray[np.int64]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, channels: NDArray[np.float32], around: NDArray[np.bool_], spacing_mm: Position) -> "Palette":
        """Sort the channels ``(C, i, j, k)`` by their 1st to 99th percentile over the voxels `around` the seeds."""
        count = _BINS[len(channels)]
        bins = np.zeros(channels.shape[1:], dtype=np.int64)
        for channel in channels:
            smooth = smoothed(channel, np.isfinite(channel), spacing_mm, _SMOOTHING_MM)
            low, high = np.percentile(smooth[around], (1, 99))
            share = (smooth - low) / (high - low) if high > low else np.zeros_like(smooth)
            bins = bins * count + np.clip((share * count).astype(np.int64), 0, count - 1)
        return cls(bins, (count,) * len(channels))


def smoothed(
    channel: NDArray[np.float32], valid: NDArray[np.bool_], spacing_mm: Position, sigma_mm: float
) -> NDArray[np.float32]:
    """Channel after a Gaussian filter over its valid voxels, ``(i, j, k)`` float32; 0 elsewhere."""
    # Across thick slices a narrow kernel would only add rounding.
    sigmas = [sigma_mm / step if 0.3 * step < sigma_mm else 0.0 for step in spacing_mm]
    if valid.all():
        return ndimage.gaussian_filter(channel, sigmas)
    weights = ndimage.gaussian_filter(valid.astype(np.float32), sigmas)
    smooth = ndimage.gaussian_filter(np.where(valid, channel, 0.0).astype(np.float32), sigmas)
    return np.where(valid, smooth / np.maximum(weights, 1e-6), 0.0).astype(np.float32)


def log_ratio(palette: Palette, inside: NDArray[np.float32], outside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log likelihood ratio of lesion against surroundings, bounded, less a margin of doubt.

    Parameters
    ----------
    palette
        Binned voxels.
    inside, outside
        ``(i, j, k)`` weight of each voxel as an example of the lesion and of its surroundings.

    Returns
    -------
    NDArray
        ``(i, j, k)`` float32, natural logarithm.
    """
    floor = _EMPTY / np.prod(palette.shape)
    ratio = np.log((_density(palette, inside) + floor) / (_density(palette, outside) + floor))
    return (np.clip(ratio, -_SURE, _SURE) - _DOUBT).astype(np.float32)[palette.bins]


def _density(palette: Palette, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    histogram = np.bincount(palette.bins.ravel(), weights.ravel(), int(np.prod(palette.shape)))
    smooth = ndimage.gaussian_filter(histogram.reshape(palette.shape), _PARZEN_BINS, mode="constant").ravel()
    return smooth / max(float(smooth.sum()), 1e-12)


def slowness_of(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slowness of the front: 1 where the lesion is certain, up to 61 where it is out of the question."""
    return (1.0 + _HARDEST / (1.0 + np.exp(evidence))).astype(np.float32)


def principal_channels(channels: NDArray[np.float32], around: NDArray[np.bool_]) -> NDArray[np.float32]:
    """At most three channels: more are replaced by their first principal components over the voxels `around`.

    A joint histogram of many channels would be empty almost everywhere. Each channel counts by its inter-quartile
    range, so that units do not matter; not finite where any channel is not valid.
    """
    if len(channels) <= _MOST_CHANNELS:
        return channels
    samples = channels[:, around]
    low, middle, high = np.percentile(samples, (25, 50, 75), axis=1)
    span = np.where(high > low, high - low, 1.0)
    scaled = np.arcsinh((samples - middle[:, None]) / span[:, None])  # outliers must not become the components
    axes = np.linalg.svd(np.cov(scaled))[0][:, :_MOST_CHANNELS]
    axes = axes * np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(_MOST_CHANNELS)])
    spread = np.arcsinh((channels - middle[:, None, None, None]) / span[:, None, None, None])
    return np.einsum("cn,cijk->nijk", axes, spread).astype(np.float32)
