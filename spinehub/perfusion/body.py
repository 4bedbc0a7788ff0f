"""The body in the picture: where it is, and views of the series that are small enough to hold."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.series import DynamicSeries
from spinehub.volume import Volume

__all__ = ["body_mask", "mean_of_frames", "sample_frames", "slabs", "smooth_in_plane"]

_CLIP_SHARE = 0.3
"""Tissue is what exceeds this share of the median tissue signal; below 0.4 muscle and tumour on T1 stay inside."""
_SLAB_VALUES = 1_000_000
"""Signal values worked on at once: 8 MB as float64, so temporaries stay small beside the series."""
_SAMPLED_VOXELS = 50_000
"""Voxels that stand for the body: 500 of them lie above the 99th percentile."""


def slabs(series: DynamicSeries) -> Iterator[slice]:
    """Ranges of the first array axis that hold about a million signal values each."""
    per_plane = series.frames[0].size
    step = max(1, _SLAB_VALUES // per_plane)
    for start in range(0, series.grid.shape[0], step):
        yield slice(start, start + step)


def mean_of_frames(series: DynamicSeries, count: int | None = None) -> NDArray[np.float32]:
    """Mean ``(I, J, K)`` float32 of the first `count` frames, of all frames by default."""
    mean = np.empty(series.grid.shape, np.float32)
    for slab in slabs(series):
        mean[slab] = series.frames[slab, ..., :count].mean(axis=-1, dtype=np.float64)
    return mean


def smooth_in_plane(values: NDArray[np.float32], slice_axis: int) -> NDArray[np.float32]:
    """3 x 3 mean ``(I, J, K)`` within each slice; the border repeats its nearest voxel."""
    size = [3, 3, 3]
    size[slice_axis] = 1
    return np.asarray(ndimage.uniform_filter(values, size, mode="nearest"))


def body_mask(image: DynamicSeries | Volume) -> NDArray[np.bool_]:
    """Where the patient is: tissue above the background, holes within a slice filled.

    A series is judged by the mean of its frames. The level is the fixed point at which it equals 0.3 times the
    median of what lies above it, so bright fat or fluid does not move it much.

    Parameters
    ----------
    image
        Series or volume.

    Returns
    -------
    NDArray
        ``(I, J, K)`` bool; all False where no voxel is above 0.
    """
    picture = image.voxels if isinstance(image, Volume) else mean_of_frames(image)
    axis = image.grid.slice_axis
    smooth = smooth_in_plane(np.where(np.isfinite(picture), picture, np.float32(0)), axis)
    body = smooth > _clip_level(smooth)
    structure = ndimage.generate_binary_structure(3, 1)
    # Without links between slices a hole is what is closed within its own slice.
    np.moveaxis(structure, axis, 0)[[0, 2]] = False
    return np.asarray(ndimage.binary_fill_holes(body, structure))


def _clip_level(smooth: NDArray[np.float32]) -> float:
    """Signal between background and tissue; 0 where nothing is above 0."""
    positive = smooth[smooth > 0]
    if positive.size == 0:
        return 0.0
    level = 0.5 * float(np.sqrt(np.mean(positive.astype(np.float64) ** 2)))
    for _ in range(30):
        before, level = level, _CLIP_SHARE * float(np.median(positive[positive >= level]))
        if abs(level - before) < 1e-3 * before:
            break
    return level


def sample_frames(series: DynamicSeries, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Signal ``(T, N)`` of the voxels inside, every frame smoothed 3 x 3 in plane, N at most 50,000.

    Where more voxels are inside, evenly spaced ones stand for them. Voxels that are not finite in some frame or
    not above 0 on average are left out.
    """
    voxels = np.flatnonzero(inside)
    voxels = voxels[:: max(1, -(-len(voxels) // _SAMPLED_VOXELS))]
    axis = series.grid.slice_axis
    samples = np.stack(
        [smooth_in_plane(series.frames[..., frame], axis).ravel()[voxels] for frame in range(series.frame_count)]
    )
    return samples[:, np.isfinite(samples).all(axis=0) & (samples.mean(axis=0) > 0)]
