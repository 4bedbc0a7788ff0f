"""The body in the picture: where it is, and views of the series that are small enough to hold."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.series import DynamicSeries
from spinehub.volume import Volume

__all__ = ["body_mask", "in_plane_neighbours", "mean_of_frames", "sample_frames", "slabs"]

_CLIP_SHARE = 0.3
"""Tissue is what exceeds this share of the median tissue signal; below 0.4 muscle and tumour on T1 stay inside."""
_SLAB_VALUES = 1_000_000
"""Signal values worked on at once: 8 MB as float64, so temporaries stay small beside the series."""
_EDGE_VOXELS = 2
_SAMPLED_VOXELS = 50_000
_SAMPLED_VALUES = 6_000_000
"""Voxels, and signal values, that stand for the body: 500 of the voxels lie above the 99th percentile."""


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


def in_plane_neighbours(slice_axis: int) -> NDArray[np.bool_]:
    """Structuring element ``(3, 3, 3)``: a voxel and its eight neighbours in the same slice."""
    return np.moveaxis(np.stack([np.full((3, 3), layer == 1) for layer in range(3)]), 0, slice_axis)


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
    finite = np.where(np.isfinite(picture), picture, np.float32(0))
    smooth = ndimage.uniform_filter(finite, [1 if n == axis else 3 for n in range(3)], mode="nearest")
    level = _clip_level(smooth)
    # The smoothed picture decides against specks in air, the picture itself against a rim that smoothing widens.
    body = (smooth > level) & (finite > level)
    # Without links between slices a hole is what is closed within its own slice.
    cross = ndimage.generate_binary_structure(3, 1) & in_plane_neighbours(axis)
    return np.asarray(ndimage.binary_fill_holes(body, cross))


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
    """Signal ``(T, N)`` of voxels well inside, every frame smoothed 3 x 3 in plane, N at most 50,000.

    Voxels within two of the edge are left out, unless most would be: where the patient moves, air becomes tissue there.
    Where more voxels are inside, evenly spaced ones stand for them. Voxels that are not finite in some frame or
    not above 0 on average are left out.
    """
    square = in_plane_neighbours(series.grid.slice_axis)
    deep = ndimage.binary_erosion(inside, square, iterations=_EDGE_VOXELS, border_value=1)
    voxels = np.flatnonzero(deep if 2 * np.count_nonzero(deep) > np.count_nonzero(inside) else inside)
    most = max(1, min(_SAMPLED_VOXELS, _SAMPLED_VALUES // series.frame_count))
    index = np.stack(np.unravel_index(voxels[:: max(1, -(-len(voxels) // most))], inside.shape))
    last = np.array(inside.shape)[:, None] - 1
    total = np.zeros((index.shape[1], series.frame_count), np.float32)
    for step in product(*[(0,) if axis == series.grid.slice_axis else (-1, 0, 1) for axis in range(3)]):
        i, j, k = np.clip(index + np.array(step)[:, None], 0, last)
        total += series.frames[i, j, k]
    samples = total.T / np.float32(9)
    return samples[:, np.isfinite(samples).all(axis=0) & (samples.mean(axis=0) > 0)]
