"""The file guard: what is checked before, and while, a file is read.

A file is distrusted. Its first bytes are checked against the limits below before anything is allocated, and its
voxels are streamed, so that a tiny file that promises (or unpacks to) gigabytes costs nothing. Messages name the
file without its folder, because folder names often hold patient names.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InputRefusedError

__all__ = [
    "MAX_AXIS",
    "MAX_DATA_OFFSET",
    "MAX_FRAMES",
    "MAX_SAMPLES",
    "MAX_SPACING_MM",
    "MAX_TEXT_HEADER",
    "MIN_SPACING_MM",
    "ByteReader",
    "Codec",
    "check_affine",
    "check_size",
    "first_bytes",
    "open_stream",
    "refused_on_damage",
    "require_file",
    "starts_with_gzip",
]

MAX_AXIS = 2048
"""Most voxels along one axis."""
MAX_FRAMES = 200
"""Most frames in a series."""
MAX_SAMPLES = 200_000_000
"""Most voxels times frames: 800 MB as float32."""
MAX_DATA_OFFSET = 2**20
"""Most bytes between the start of a file and its voxels: a NIfTI header extension can claim hundreds of MB."""
MAX_TEXT_HEADER = 2**18
"""Most bytes of an NRRD or MHA header."""
MIN_SPACING_MM, MAX_SPACING_MM = 0.01, 100.0
"""Voxel spacings outside this range are a wrong unit (metres, micrometres), not a scan."""

_CHUNK = 2**16
_GZIP_MAGIC = b"\x1f\x8b"
_EITHER_FORMAT = 47
"""zlib's window code for "gzip or zlib, whichever the first bytes say"."""

Codec: TypeAlias = Literal["none", "deflate"]
"""How the voxels are packed: not at all, or as gzip or zlib."""


class ByteReader(Protocol):
    """Anything that hands out at most `count` bytes at a time, fewer only at the end."""

    def read(self, count: int, /) -> bytes:
        """Return the next bytes."""


class _Unpacker:
    """Unpacked bytes of gzip members or of one zlib stream; holds no more than was asked for and one packed chunk.

    What follows the last member is ignored, as the gzip command does: some writers leave a line break there.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._engine = zlib.decompressobj(_EITHER_FORMAT)
        self._waiting = b""

    def read(self, count: int, /) -> bytes:
        pieces: list[bytes] = []
        while count > 0:
            packed = self._waiting or self._packed.read(_CHUNK)
            if self._engine.eof:
                if len(packed) < len(_GZIP_MAGIC):
                    packed += self._packed.read(_CHUNK)
                if not packed.startswith(_GZIP_MAGIC):
                    break
                self._engine = zlib.decompressobj(_EITHER_FORMAT)
            piece = self._engine.decompress(packed, count)
            self._waiting = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            if not piece and not packed:
                break
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)


def require_file(path: str | Path) -> Path:
    """Return `path` as a `Path` if it is a regular, non-empty file.

    Raises
    ------
    InputRefusedError
        If it is missing, a folder, empty, or not a regular file.
    """
    path = Path(path)
    if path.is_dir():
        raise InputRefusedError(
            f"{path.name} is a folder; give the image file itself, and convert a folder of DICOM files to NIfTI "
            "first, for example with dcm2niix"
        )
    if not path.exists():
        raise InputRefusedError(f"{path.name} does not exist; check the file name and the folder")
    if not path.is_file():
        raise InputRefusedError(f"{path.name} is not a regular file; give a NIfTI, NRRD or MHA file")
    if path.stat().st_size == 0:
        raise InputRefusedError(f"{path.name} is empty (0 bytes); copy or export it again")
    return path


@contextmanager
def refused_on_damage(name: str) -> Iterator[None]:
    """Turn the errors of unpacking and of the disk into one sentence about the file `name`."""
    try:
        yield
    except zlib.error as error:
        raise InputRefusedError(
            f"{name} is damaged or cut off: its compressed data cannot be unpacked; copy or export it again"
        ) from error
    except OSError as error:
        raise InputRefusedError(f"{name} cannot be read ({error.strerror}); check its permissions") from error


def first_bytes(path: Path, count: int) -> bytes:
    """Return up to `count` bytes from the start of a file, as stored."""
    with refused_on_damage(path.name), path.open("rb") as stream:
        return stream.read(count)


def starts_with_gzip(path: Path) -> bool:
    """Whether the whole file is gzip, judged by its first bytes and not by its name."""
    return first_bytes(path, 2) == _GZIP_MAGIC


@contextmanager
def open_stream(path: Path, codec: Codec, packed_offset: int = 0) -> Iterator[ByteReader]:
    """Open the bytes of a file that start at `packed_offset`, unpacking them as they are asked for."""
    with refused_on_damage(path.name), path.open("rb") as raw:
        raw.seek(packed_offset)
        yield _Unpacker(raw) if codec == "deflate" else raw


def check_size(name: str, shape: tuple[int, ...], frames: int) -> None:
    """Refuse sizes beyond the limits, with the limits in the message.

    Raises
    ------
    InputRefusedError
        If an axis is below 1 or above ``MAX_AXIS``, or frames or samples are too many.
    """
    if min(shape) < 1 or frames < 1:
        raise InputRefusedError(f"{name} states a size of {(*shape, frames)}, and every size must be at least 1")
    if max(shape) > MAX_AXIS:
        raise InputRefusedError(
            f"{name} states {max(shape)} voxels along one axis, more than the limit of {MAX_AXIS}; crop it first"
        )
    if frames > MAX_FRAMES:
        raise InputRefusedError(
            f"{name} states {frames} frames, more than the limit of {MAX_FRAMES}; keep the dynamic part only"
        )
    samples = frames * int(np.prod(shape, dtype=np.int64))
    if samples > MAX_SAMPLES:
        raise InputRefusedError(
            f"{name} states {samples / 1e6:.0f} million voxels over all frames, more than the limit of "
            f"{MAX_SAMPLES / 1e6:.0f} million ({MAX_SAMPLES * 4 / 1e6:.0f} MB); crop it or drop frames first"
        )


def check_affine(name: str, affine: NDArray[np.float64]) -> None:
    """Refuse a voxel-to-mm matrix that is not finite, not invertible, or not in mm.

    Raises
    ------
    InputRefusedError
        If it is.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise InputRefusedError(f"{name} states an orientation that is not finite; export it again with its geometry")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() < MIN_SPACING_MM or spacing.max() > MAX_SPACING_MM:
        raise InputRefusedError(
            f"{name} states a voxel spacing of {tuple(float(f'{v:.4g}') for v in spacing)} mm, outside "
            f"{MIN_SPACING_MM} to {MAX_SPACING_MM:.0f} mm; save it with its geometry in millimetres"
        )
    # The volume of a cell of unit edges: 0 where two axes coincide, 1 where they are perpendicular.
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-3:
        raise InputRefusedError(f"{name} states an orientation whose axes coincide; export it again with its geometry")
