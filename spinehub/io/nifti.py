"""NIfTI-1 and NIfTI-2 headers: single files and pairs, plain or gzipped.

Only the fixed 348 (NIfTI-2: 540) bytes are parsed. Extensions are stepped over, never read: one that claims
hundreds of megabytes would otherwise be loaded whole.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from spinehub.errors import InputRefusedError
from spinehub.io.guard import MAX_DATA_OFFSET, open_stream, require_file, starts_with_gzip
from spinehub.io.header import FileHeader, not_scalar, spatial_grid

__all__ = ["read_nifti_header"]

_SIZE_1, _SIZE_2 = 348, 540
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_REFUSED_TYPES = {
    1: "one-bit", 32: "complex", 128: "RGB colour", 1536: "128-bit float", 1792: "complex", 2048: "complex",
    2304: "RGBA colour",
}  # fmt: skip
_SECONDS_PER_UNIT = {8: 1.0, 16: 1e-3, 24: 1e-6}
_TEXT_FIELDS = ("descrip", "aux_file", "intent_name", "db_name", "data_type")
_SILENT = logging.Logger("spinehub.io.nifti", level=logging.CRITICAL + 1)
"""nibabel reports header repairs to a logger that prints; what it would print may quote the header."""


def read_nifti_header(path: Path, image_path: Path | None = None) -> FileHeader:
    """Read and check the header of a NIfTI file.

    Parameters
    ----------
    path
        ``.nii``, ``.nii.gz``, or the ``.hdr`` of a pair.
    image_path
        The ``.img`` of a pair, None for a single file.

    Raises
    ------
    InputRefusedError
        If the file is not NIfTI, is cut off, or states something outside the limits or not readable.
    """
    name = path.name
    gzipped = starts_with_gzip(path)
    with open_stream(path, "deflate" if gzipped else "none") as stream:
        block = stream.read(_SIZE_2 + 4)
    header = _parsed(name, block, paired=image_path is not None)
    dtype = _dtype(name, header)
    shape, frames = _shape(name, [int(n) for n in header["dim"]])
    offset = _data_offset(name, header, paired=image_path is not None)
    affine = np.asarray(_repaired(name, header).get_best_affine(), dtype=np.float64)
    slope, intercept = _scaling(name, header)
    data_path = path if image_path is None else require_file(image_path)
    return FileHeader(
        name=name,
        data_path=data_path,
        codec="deflate" if starts_with_gzip(data_path) else "none",
        packed_offset=0,
        data_offset=offset,
        dtype=dtype,
        grid=spatial_grid(name, shape, frames, affine),
        frame_count=frames,
        slope=slope,
        intercept=intercept,
        interval_s=_interval(header),
        identifying=_identifying(header, block),
    )


def _parsed(name: str, block: bytes, *, paired: bool) -> Any:
    """Return nibabel's view of the fixed header bytes; nothing beyond them is touched."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    sizes = {_SIZE_1.to_bytes(4, "little"): (_SIZE_1, "<"), _SIZE_1.to_bytes(4, "big"): (_SIZE_1, ">")}
    sizes |= {_SIZE_2.to_bytes(4, "little"): (_SIZE_2, "<"), _SIZE_2.to_bytes(4, "big"): (_SIZE_2, ">")}
    if block[:4] not in sizes:
        raise InputRefusedError(f"{name} is not a NIfTI, NRRD or MHA file; convert it to NIfTI first")
    size, order = sizes[block[:4]]
    if len(block) < size:
        raise InputRefusedError(f"{name} is cut off inside its header; copy or export it again")
    kind = Nifti1Header if size == _SIZE_1 else Nifti2Header
    header = kind(binaryblock=block[:size], endianness=order, check=False)
    magic = header["magic"].item()[:3]
    if magic not in (b"n+1", b"ni1", b"n+2", b"ni2"):
        raise InputRefusedError(
            f"{name} is an Analyze 7.5 file, which does not say where left and right are; convert it to NIfTI first"
        )
    if paired != magic.startswith(b"ni"):
        kind_stated = "one of a pair" if not paired else "a single file"
        raise InputRefusedError(f"{name} says it is {kind_stated}, and its name says otherwise; export it again")
    return header


def _shape(name: str, dim: list[int]) -> tuple[tuple[int, int, int], int]:
    """Return the three sizes and the number of frames; trailing axes of size 1 are dropped."""
    if not 1 <= dim[0] <= 7:
        raise InputRefusedError(f"{name} states {dim[0]} dimensions, which is not NIfTI; export it again")
    sizes = dim[1 : dim[0] + 1]
    while len(sizes) > 3 and sizes[-1] in (0, 1):
        sizes.pop()
    if len(sizes) < 3:
        raise InputRefusedError(f"{name} is a {len(sizes)}-D image of size {tuple(sizes)}; give the whole 3-D volume")
    if len(sizes) > 4:
        raise InputRefusedError(
            f"{name} has {len(sizes)} dimensions of size {tuple(sizes)}; give a 3-D volume or a 4-D series with the "
            "frames on the fourth axis"
        )
    return (sizes[0], sizes[1], sizes[2]), sizes[3] if len(sizes) == 4 else 1


def _dtype(name: str, header: Any) -> np.dtype[Any]:
    code, bits = int(header["datatype"]), int(header["bitpix"])
    if code in _REFUSED_TYPES:
        raise not_scalar(name, _REFUSED_TYPES[code])
    if code not in _TYPES:
        raise InputRefusedError(f"{name} states voxel type {code}, which NIfTI does not define; export it again")
    dtype = np.dtype(_TYPES[code]).newbyteorder(header.endianness)
    if bits not in (0, dtype.itemsize * 8):
        raise InputRefusedError(
            f"{name} states {bits} bits per voxel, and its voxel type has {dtype.itemsize * 8}; export it again"
        )
    return dtype


def _data_offset(name: str, header: Any, *, paired: bool) -> int:
    offset = float(header["vox_offset"])
    lowest = 0 if paired else int(header["sizeof_hdr"]) + 4
    if not (np.isfinite(offset) and offset == int(offset) and lowest <= offset <= MAX_DATA_OFFSET):
        raise InputRefusedError(
            f"{name} states that its voxels start at byte {offset:.6g}, outside {lowest} to {MAX_DATA_OFFSET}; save "
            "it again without header extensions"
        )
    return int(offset)


def _repaired(name: str, header: Any) -> Any:
    """Apply nibabel's own repairs (negative voxel sizes, a missing handedness) so that affines agree with it."""
    from nibabel.spatialimages import HeaderDataError

    header = header.copy()
    try:
        header.check_fix(logger=_SILENT, error_level=40)
        header.get_best_affine()
    except (HeaderDataError, ValueError) as error:
        raise InputRefusedError(f"{name} states an orientation that cannot be read; export it again") from error
    return header


def _scaling(name: str, header: Any) -> tuple[float, float]:
    """Return slope and intercept; a slope of 0 means that the stored values are the values."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    if not np.isfinite(intercept):
        raise InputRefusedError(f"{name} states an intensity offset that is not finite; export it again")
    return slope, intercept


def _interval(header: Any) -> float | None:
    """Return ``pixdim[4]`` in seconds where the header states its unit."""
    factor = _SECONDS_PER_UNIT.get(int(header["xyzt_units"]) & 0x38)
    interval = float(header["pixdim"][4])
    if factor is None or not np.isfinite(interval):
        return None
    # Stored as float32: seven digits bring back the 2.54 that was meant from 2.5399999618.
    return float(f"{interval * factor:.7g}")


def _identifying(header: Any, block: bytes) -> tuple[str, ...]:
    names = [field for field in _TEXT_FIELDS if field in header and header[field].item().strip(b"\0 ")]
    flag = block[int(header["sizeof_hdr"]) : int(header["sizeof_hdr"]) + 1]
    return (*names, "extensions") if flag.strip(b"\0") else tuple(names)
