"""Voxels from a file that passed the guard, streamed slice by slice into float32.

Two passes over the file: the first looks at every value and keeps none, so that an image that must be refused
(cut off, constant, without numbers) costs no memory, however large it claims to be; the second fills the array.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InputRefusedError
from spinehub.io.guard import ByteReader, open_stream, refused_on_damage
from spinehub.io.header import FileHeader

__all__ = ["check_content", "load_frames", "load_inside"]

_TAIL = 2**16
"""Bytes looked at behind the voxels, so that the checksum of a compressed file is verified; the rest is ignored."""
_MOST_UNUSABLE = 0.5
"""Share of voxels that may be NaN or infinite before a file is refused."""

_ALL = slice(None)
_Place: TypeAlias = tuple[slice | int, ...]


def check_content(header: FileHeader) -> None:
    """Refuse a file whose voxels are cut off, damaged, constant, or mostly not numbers; keeps nothing in memory.

    Raises
    ------
    InputRefusedError
        With what is wrong.
    """
    low, high = np.inf, -np.inf
    usable = np.zeros(header.frame_count, dtype=np.int64)
    for place, values in _slabs(header):
        finite = np.isfinite(values)
        usable[place[3]] += np.count_nonzero(finite, axis=0) if header.frames_fastest else np.count_nonzero(finite)
        numbers = values if finite.all() else values[finite]
        if numbers.size:
            low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
    voxels = int(np.prod(header.grid.shape, dtype=np.int64))
    if usable.sum() == 0:
        raise InputRefusedError(f"{header.name} holds no numbers, only NaN or infinite values; export it again")
    if (usable == 0).any():
        raise InputRefusedError(
            f"{header.name} holds no numbers in frame {int(np.argmin(usable))} (counted from 0); remove that frame"
        )
    share = 1.0 - usable.sum() / (voxels * header.frame_count)
    if share > _MOST_UNUSABLE:
        raise InputRefusedError(
            f"{header.name} is NaN or infinite in {100 * share:.0f} % of its voxels, more than the limit of "
            f"{100 * _MOST_UNUSABLE:.0f} %; crop it to the part with an image"
        )
    if low == high:
        raise InputRefusedError(
            f"{header.name} is constant (every voxel is {low:g}), so it shows nothing; check how it was exported"
        )


def load_frames(header: FileHeader) -> NDArray[np.float32]:
    """Return the voxels as ``(I, J, K, T)`` float32 in the order of the file.

    A voxel that is NaN or infinite in any frame becomes 0 in every frame: no baseline can be formed from 0, so no
    map is computed there, and no false enhancement appears beside a hole in the curve.

    Raises
    ------
    InputRefusedError
        If the data end early or cannot be unpacked.
    """
    frames = np.empty((*header.grid.shape, header.frame_count), dtype=np.float32)
    unusable = False
    for place, values in _slabs(header):
        frames[place] = values
        unusable = unusable or not np.isfinite(values).all()
    if unusable:
        for plane in frames:
            plane[~np.isfinite(plane).all(axis=-1)] = 0.0
        if not frames.any():
            raise InputRefusedError(f"{header.name} has no voxel with a number in every frame; export it again")
    return frames


def load_inside(header: FileHeader) -> NDArray[np.bool_]:
    """Return ``(I, J, K)`` bool: where the one frame of a file is a number other than 0.

    Raises
    ------
    InputRefusedError
        If the data end early or cannot be unpacked.
    """
    # Pages of zeros are not real memory until they are written to: an empty mask stays cheap at any size.
    inside = np.zeros((*header.grid.shape, 1), dtype=np.bool_)
    for place, values in _slabs(header):
        marked = np.isfinite(values) & (values != 0)
        if marked.any():
            inside[place] = marked
    return inside[..., 0]


def _slabs(header: FileHeader) -> Iterator[tuple[_Place, NDArray[np.float32]]]:
    """Yield places in the ``(I, J, K, T)`` array and their float32 values, in the order of the file."""
    columns, rows, slices = header.grid.shape
    frames = header.frame_count
    with refused_on_damage(header.name), open_stream(header.data_path, header.codec, header.packed_offset) as stream:
        _skip(header, stream)
        if header.frames_fastest:
            for k in range(slices):
                for j in range(rows):
                    yield (_ALL, j, k, _ALL), _values(header, stream, (frames, columns)).T
        else:
            for t in range(frames):
                for k in range(slices):
                    yield (_ALL, _ALL, k, t), _values(header, stream, (columns, rows))
        # Reaching the end makes the unpacker compare its checksum; a longer tail is not worth reading.
        stream.read(_TAIL)


def _skip(header: FileHeader, stream: ByteReader) -> None:
    if len(stream.read(header.data_offset)) < header.data_offset:
        raise _cut_off(header)


def _values(header: FileHeader, stream: ByteReader, shape: tuple[int, int]) -> NDArray[Any]:
    """Return the next values, scaled, as float32 in Fortran order (first axis fastest)."""
    expected = shape[0] * shape[1] * header.dtype.itemsize
    block = stream.read(expected)
    if len(block) < expected:
        raise _cut_off(header)
    stored = np.frombuffer(block, dtype=header.dtype).reshape(shape, order="F")
    with np.errstate(over="ignore", invalid="ignore"):
        if header.slope == 1.0 and header.intercept == 0.0:
            return stored.astype(np.float32)
        return (stored.astype(np.float64) * header.slope + header.intercept).astype(np.float32)


def _cut_off(header: FileHeader) -> InputRefusedError:
    megabytes = np.prod(header.grid.shape, dtype=np.int64) * header.frame_count * header.dtype.itemsize / 1e6
    return InputRefusedError(
        f"{header.name} is cut off: its header promises {megabytes:.3g} MB of voxels and fewer are there; copy or "
        "export it again"
    )
