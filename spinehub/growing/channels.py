"""What the front sees: one or several images on one grid, cut to a box around the seeds."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Volume

__all__ = ["Box", "GrowableImage", "cut_channels", "grid_of"]

GrowableImage: TypeAlias = Volume | ParametricMap | Sequence[ParametricMap] | DynamicSeries
"""What :func:`spinehub.growing.grow` accepts."""
Box: TypeAlias = tuple[slice, slice, slice]
"""Part of a volume, one slice of indices per axis."""

_SERIES_PARTS = 2
"""A series is reduced to its baseline and the mean changes of its early and its late half."""


def grid_of(image: GrowableImage) -> Grid:
    """Grid of an image to grow on.

    Raises
    ------
    InvalidArgumentError
        If the image is of another type or an empty sequence.
    GridMismatchError
        If maps of a sequence lie on different grids.
    """
    if isinstance(image, Volume | ParametricMap | DynamicSeries):
        return image.grid
    if not isinstance(image, Sequence) or not image or not all(isinstance(item, ParametricMap) for item in image):
        raise InvalidArgumentError(
            "image must be a Volume, a DynamicSeries, a ParametricMap or a list of at least one ParametricMap, "
            f"got {type(image).__name__}"
        )
    for item in image[1:]:
        image[0].grid.require_match(item.grid, f"map {item.name}")
    return image[0].grid


def cut_channels(image: GrowableImage, box: Box) -> NDArray[np.float32]:
    """Channels of an image inside a box.

    Parameters
    ----------
    image
        A volume or map gives one channel, several maps one each, a series three: the mean of its baseline frames
        (the first frame where none are stated) and the mean change from it over the first and the second half
        of the other frames.
    box
        Part of the volume to cut.

    Returns
    -------
    NDArray
        ``(C, i, j, k)`` float32 copy; not finite where the image is not valid.
    """
    if isinstance(image, Volume):
        return image.voxels[box][None].copy()
    if isinstance(image, ParametricMap):
        return image.values[box][None].copy()
    if isinstance(image, DynamicSeries):
        return _series_channels(image, box)
    return np.stack([item.values[box] for item in image])


def _series_channels(series: DynamicSeries, box: Box) -> NDArray[np.float32]:
    frames = series.frames[box]
    count = series.baseline_frames or 1
    baseline = frames[..., :count].mean(axis=-1)
    parts = np.array_split(np.arange(count, series.frame_count), _SERIES_PARTS)
    changes = [frames[..., part].mean(axis=-1) - baseline for part in parts if part.size]
    return np.stack([baseline, *changes])
