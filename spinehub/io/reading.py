"""Files in, volumes, series and masks out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import GridMismatchError, InputRefusedError
from spinehub.io.formats import pair_paths, read_header
from spinehub.io.guard import check_size
from spinehub.io.header import FileHeader
from spinehub.io.timing import checked_arguments, frame_times, protocol_of, read_sidecar
from spinehub.io.voxels import check_content, load_frames, load_inside
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask, Volume

__all__ = ["inspect_series", "read_mask", "read_series"]


def read_series(
    *paths: str | Path,
    times_s: Sequence[float] | None = None,
    frame_interval_s: float | None = None,
    baseline_frames: int | None = None,
) -> DynamicSeries | Volume:
    """Read a volume or a series from NIfTI-1/2 (single files and pairs, plain or gzipped), NRRD or MHA files.

    Every file is checked before its voxels are touched. Arrays keep the order of the file; positions are RAS+ mm;
    trailing axes of size 1 are dropped. A voxel that is NaN or infinite in any frame becomes 0 in every frame, which
    no map uses; a file with more than half of such voxels is refused.

    Parameters
    ----------
    *paths
        One 3-D file, one 4-D file, or several 3-D files on one grid, which become the frames in the order given.
    times_s
        Centre of each frame's acquisition in seconds. Not given: the JSON sidecar ``x.json`` beside one 4-D file
        ``x.nii.gz`` (``VolumeTiming``, ``FrameTimesStart``, ``RepetitionTime``), then its header.
    frame_interval_s
        Constant interval in seconds, instead of `times_s`.
    baseline_frames
        Number of frames before contrast arrives; not given: found from the signal.

    Returns
    -------
    DynamicSeries or Volume
        A `Volume` for one 3-D file or one frame: what was said about times and baseline is then ignored. A series
        whose times nothing credible states has ``times_s`` None.

    Raises
    ------
    InputRefusedError
        If a file (or its sidecar) is damaged, outside the limits, or not something spinehub can use.
    GridMismatchError
        If several 3-D files do not share one grid.
    InvalidArgumentError
        If an argument breaks its rule.
    """
    times, interval = checked_arguments(times_s, frame_interval_s)
    pairs = pair_paths(paths)
    headers = [read_header(*pair) for pair in pairs]
    first = headers[0]
    if len(headers) > 1:
        _require_frames_of_one_series(headers)
    for header in headers:
        check_content(header)
    if len(headers) == 1 and first.frame_count == 1:
        return Volume(load_frames(first)[..., 0], first.grid, name=first.name)
    sidecar = read_sidecar(pairs[0][0])
    if len(headers) == 1:
        frames, found = load_frames(first), frame_times(first, sidecar, times, interval)
    else:
        # A sidecar or header of one 3-D file says nothing about the others, so only the arguments count.
        frames = np.empty((*first.grid.shape, len(headers)), dtype=np.float32)
        for index, header in enumerate(headers):
            frames[..., index] = load_frames(header)[..., 0]
        found = frame_times(replace(first, frame_count=len(headers), interval_s=None), {}, times, interval)
    return DynamicSeries(frames, first.grid, found, baseline_frames, protocol_of(first, sidecar), first.name)


def inspect_series(path: str | Path) -> tuple[FileHeader, NDArray[np.float64] | None]:
    """Return the header of one file and its ``(T,)`` frame times (None: not stated) without reading a voxel.

    Raises
    ------
    InputRefusedError
        If the header or the sidecar is refused.
    """
    pair = pair_paths([path])[0]
    header = read_header(*pair)
    return header, frame_times(header, read_sidecar(pair[0]), None, None)


def _require_frames_of_one_series(headers: Sequence[FileHeader]) -> None:
    """Refuse several files that are not 3-D volumes on one grid."""
    first = headers[0]
    for header in headers:
        if header.frame_count > 1:
            raise InputRefusedError(
                f"{header.name} is a series of {header.frame_count} frames; give one 4-D file alone, or several 3-D "
                "files as its frames"
            )
        if not header.grid.matches(first.grid):
            raise GridMismatchError(
                f"{header.name} does not lie on the grid of {first.name}: shape {header.grid.shape} against "
                f"{first.grid.shape}, or another position or spacing; resample the frames onto one grid first"
            )
    check_size(first.name, first.grid.shape, len(headers))


def read_mask(path: str | Path, grid: Grid | None = None) -> Mask:
    """Read a mask: every voxel that is a number other than 0 lies inside, whatever its label.

    Parameters
    ----------
    path
        A 3-D file in any format :func:`read_series` reads.
    grid
        Grid of the image the mask belongs to; None: not checked.

    Raises
    ------
    InputRefusedError
        If the file cannot be read, is 4-D, or holds no voxel.
    GridMismatchError
        If it does not lie on `grid`.
    """
    header = read_header(*pair_paths([path])[0])
    if header.frame_count > 1:
        raise InputRefusedError(f"{header.name} has {header.frame_count} frames, and a mask must be one 3-D volume")
    if grid is not None:
        grid.require_match(header.grid, f"mask {header.name}")
    mask = Mask(load_inside(header), header.grid if grid is None else grid)
    if mask.is_empty:
        raise InputRefusedError(f"{header.name} is an empty mask; draw the lesion in it first")
    return mask
