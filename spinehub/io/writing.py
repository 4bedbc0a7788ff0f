"""Volumes, masks, maps and series out, as NIfTI-1 with a fresh header.

Nothing is copied from an input file: no description, no extension, no free text that could hold an identifier. The
same data give the same bytes: the gzip header holds neither time nor name.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.io.timing import sidecar_path, sidecar_text
from spinehub.series import DynamicSeries, ParametricMap, Protocol
from spinehub.volume import Grid, Mask, Volume

__all__ = ["write_labels", "write_map", "write_mask", "write_series", "write_text", "write_volume"]

_LEVEL = 2
"""gzip level: about three times faster than the usual 6 to 9, for files a few per cent larger."""
_GZIP_WINDOW = 31
"""zlib's word for a gzip file with the largest window; its header holds neither time nor name."""
_LARGEST_INT16 = 32767
_REPRESENTABLE_MM = 1e-3
"""A quaternion stands for the affine where it moves no corner voxel by more than this."""


def write_mask(mask: Mask, path: str | Path) -> None:
    """Write a mask as uint8 (1 inside, 0 outside) on its own grid.

    Raises
    ------
    InvalidArgumentError
        If `path` does not end in ``.nii.gz`` or ``.nii``, or its folder does not exist (as for all writers here).
    """
    write_labels(mask.voxels.astype(np.uint8), mask.grid, path)


def write_labels(labels: NDArray[np.uint8], grid: Grid, path: str | Path) -> None:
    """Write ``(I, J, K)`` uint8 labels, one number per region, 0 outside."""
    _write(path, _header(grid, np.uint8), [labels])


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write a volume as float32."""
    _write(path, _header(volume.grid, np.float32), [volume.voxels])


def write_map(parametric_map: ParametricMap, path: str | Path) -> None:
    """Write a parametric map as float32; NaN (not valid) and infinity (out of reach) stay as they are."""
    _write(path, _header(parametric_map.grid, np.float32), [parametric_map.values])


def write_series(series: DynamicSeries, path: str | Path, *, dtype: Literal["float32", "int16"] = "float32") -> None:
    """Write a series, and beside it the JSON sidecar with its times and sequence parameters, where it has any.

    Parameters
    ----------
    series
        What to write. The header states the frame interval too where the times are evenly spaced.
    path
        File ending in ``.nii.gz`` or ``.nii``; the sidecar is ``x.json`` for ``x.nii.gz``.
    dtype
        ``"int16"`` halves the file: values are rounded to 1/32767 of the largest one, with the scale in the header.
        Whole numbers within the range of int16 are written as they are.

    Raises
    ------
    InvalidArgumentError
        If a value is not finite and `dtype` is ``"int16"``, or `path` breaks its rule.
    """
    frames: Iterator[NDArray[Any]] = (series.frames[..., t] for t in range(series.frame_count))
    slope = 1.0
    if dtype == "int16":
        slope = _int16_slope(series.frames)
        frames = (np.rint(frame.astype(np.float64) / slope).astype(np.int16) for frame in frames)
    stored_type = np.int16 if dtype == "int16" else np.float32
    header = _header(series.grid, stored_type, series.frame_count, _even_interval(series), slope)
    _write(path, header, frames, noisy=dtype == "int16")
    if series.times_s is not None or series.protocol != Protocol():
        write_text(sidecar_path(Path(path)), sidecar_text(series.times_s, series.protocol))


def write_text(path: Path, text: str) -> None:
    """Write a text file; it appears under its name only when it is complete."""
    with _replacing(path) as stream:
        stream.write(text.encode("utf-8"))


def _int16_slope(frames: NDArray[np.float32]) -> float:
    """Return the value of one step: 1 where all are whole numbers in range, so that nothing is lost."""
    largest = max(abs(float(frames.max())), abs(float(frames.min())))
    if not np.isfinite(largest):
        raise InvalidArgumentError('frames must be finite to be written as "int16"; write them as "float32"')
    if largest <= _LARGEST_INT16 and np.array_equal(frames, np.rint(frames)):
        return 1.0
    # The header keeps the slope as float32, so the rounding must use that very number.
    return float(np.float32(largest / _LARGEST_INT16)) or 1.0


def _even_interval(series: DynamicSeries) -> float | None:
    if series.times_s is None or series.frame_interval_s is None:
        return None
    interval = series.frame_interval_s
    return interval if np.allclose(np.diff(series.times_s), interval, rtol=1e-6, atol=0) else None


def _header(grid: Grid, dtype: Any, frames: int = 1, interval_s: float | None = None, slope: float = 1.0) -> bytes:
    """Return a NIfTI-1 header and its empty extension flag, 352 bytes."""
    from nibabel.nifti1 import Nifti1Header

    header = Nifti1Header(endianness="<")
    header.set_data_shape(grid.shape if frames == 1 else (*grid.shape, frames))
    header.set_data_dtype(dtype)
    header.set_sform(grid.affine, code=1)
    header.set_qform(grid.affine, code=1)
    if _largest_move_mm(grid, header.get_qform()) > _REPRESENTABLE_MM:
        # A sheared grid (gantry tilt) has no quaternion: the sform alone is right.
        header["qform_code"] = 0
    header.set_xyzt_units("mm", "sec" if interval_s is not None else "unknown")
    if frames > 1:
        header["pixdim"][4] = interval_s or 0.0
    header.set_slope_inter(slope, 0.0)
    header["vox_offset"] = header.single_vox_offset
    return header.binaryblock + bytes(4)


def _largest_move_mm(grid: Grid, affine: NDArray[np.float64]) -> float:
    """Return how far `affine` puts the corner voxel of `grid` that it misplaces most."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape], [1], indexing="ij")).reshape(4, -1)
    return float(np.abs((affine - grid.affine) @ corners).max())


class _Packer:
    """Writes gzip quickly: codes the bytes by how often they occur, and looks for no repeats but runs.

    Noise repeats nothing, so searching it for repeats takes three times as long and saves 3 %.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._deflate = zlib.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW, 9, zlib.Z_RLE)

    def write(self, block: bytes) -> None:
        self._stream.write(self._deflate.compress(block))

    def close(self) -> None:
        self._stream.write(self._deflate.flush())


def _write(path: str | Path, header: bytes, volumes: Iterable[NDArray[Any]], *, noisy: bool = False) -> None:
    """Write volumes one after the other, first axis fastest, one at a time."""
    path = Path(path)
    name = path.name.lower()
    if not name.endswith((".nii", ".nii.gz")):
        raise InvalidArgumentError(f"path must end in .nii.gz or .nii, got {path.name}")
    if not path.parent.is_dir():
        raise InvalidArgumentError(f"path must lie in a folder that exists; create the folder of {path.name} first")
    with _replacing(path) as raw:
        if name.endswith(".gz") and noisy:
            with closing(_Packer(raw)) as packer:
                _write_blocks(packer, header, volumes)
        elif name.endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed:
                _write_blocks(packed, header, volumes)
        else:
            _write_blocks(raw, header, volumes)


def _write_blocks(stream: Any, header: bytes, volumes: Iterable[NDArray[Any]]) -> None:
    stream.write(header)
    for volume in volumes:
        stream.write(volume.astype(volume.dtype.newbyteorder("<"), copy=False).tobytes(order="F"))


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside `path` that takes its name at the end, so that an interrupted write leaves nothing behind."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
