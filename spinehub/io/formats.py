"""Which format a file has, judged by its bytes and not by its name, and its checked header."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.io.guard import first_bytes, require_file
from spinehub.io.header import FileHeader
from spinehub.io.metaimage import looks_like_metaimage, read_metaimage_header
from spinehub.io.nifti import read_nifti_header
from spinehub.io.nrrd import MAGIC, read_nrrd_header

__all__ = ["file_stem", "files_of", "pair_paths", "read_header"]

_IMAGE_ENDINGS = (".nii", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd")
_DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
_PREFIX = 256
_PairedPath = tuple[Path, Path | None]


def file_stem(path: Path) -> str:
    """Return the file name without its image ending: ``"x"`` for ``x.nii.gz``."""
    name = path.name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    for ending in _IMAGE_ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _half(path: Path) -> str | None:
    """Return ``"hdr"`` or ``"img"`` for one file of a NIfTI pair, else None."""
    name = path.name.lower().removesuffix(".gz")
    return name[-3:] if name.endswith((".hdr", ".img")) else None


def pair_paths(paths: Sequence[str | Path]) -> list[_PairedPath]:
    """Join each ``.hdr`` with its ``.img``, whichever of the two was given, and keep the order.

    The other half is looked for among `paths` first (uploads land in folders of their own), then beside the file.

    Returns
    -------
    list of (Path, Path or None)
        Header and image file; None where one file holds both.

    Raises
    ------
    InvalidArgumentError
        If `paths` is empty.
    InputRefusedError
        If a half is missing.
    """
    if not paths:
        raise InvalidArgumentError("paths must name at least one file, got none")
    given = [Path(path) for path in paths]
    joined: list[_PairedPath] = []
    for path in given:
        half = _half(path)
        if half is None:
            joined.append((path, None))
            continue
        other = _other_half(path, "img" if half == "hdr" else "hdr", given)
        pair = (path, other) if half == "hdr" else (other, path)
        if pair not in joined:
            joined.append(pair)
    return joined


def _other_half(path: Path, half: str, given: Sequence[Path]) -> Path:
    for other in given:
        if _half(other) == half and file_stem(other) == file_stem(path):
            return other
    for ending in (f".{half}", f".{half}.gz"):
        beside = path.with_name(file_stem(path) + ending)
        if beside.is_file():
            return beside
    require_file(path)
    raise InputRefusedError(f"{path.name} is one half of a pair; put {file_stem(path)}.{half} beside it")


def files_of(paths: Sequence[str | Path]) -> tuple[Path, ...]:
    """Return every file that will be read for `paths`, in order, each checked to exist."""
    return tuple(require_file(file) for pair in pair_paths(paths) for file in pair if file is not None)


def read_header(path: Path, image_path: Path | None = None) -> FileHeader:
    """Read and check the header of one file (or NIfTI pair) without touching its voxels.

    Raises
    ------
    InputRefusedError
        With one sentence that says what is wrong and what to do.
    """
    require_file(path)
    block = first_bytes(path, _PREFIX)
    if _is_dicom(path, block):
        raise InputRefusedError(
            f"{path.name} is a DICOM file; convert the whole DICOM series to NIfTI first, for example with dcm2niix"
        )
    # Absurd numbers overflow on their way to the checks that refuse them; that needs no warning of its own.
    with np.errstate(all="ignore"):
        if block.startswith(MAGIC):
            return read_nrrd_header(path)
        if looks_like_metaimage(block):
            return read_metaimage_header(path)
        return read_nifti_header(path, image_path)


def _is_dicom(path: Path, block: bytes) -> bool:
    """Whether a file is DICOM: by its mark at byte 128, its ending, or a first element of group 8 or 2."""
    if block[128:132] == b"DICM" or path.name.lower().endswith(_DICOM_ENDINGS):
        return True
    return block[:2] in (b"\x08\x00", b"\x02\x00") and block[4:6].isalpha() and block[4:6].isupper()
