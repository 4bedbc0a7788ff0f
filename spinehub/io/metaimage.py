"""MetaImage headers (``.mha``, voxels in the same file): 3-D volumes, 4-D series, and vector pixels as frames.

Geometry is LPS as in ITK, whatever ``AnatomicalOrientation`` says (ITK ignores it too); an index is what SimpleITK's
``GetPixel`` takes.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InputRefusedError
from spinehub.io.guard import MAX_TEXT_HEADER, first_bytes
from spinehub.io.header import FileHeader, lps_to_ras, not_scalar, safe_text, spatial_grid

__all__ = ["looks_like_metaimage", "read_metaimage_header"]

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
"""MET_LONG is missing on purpose: writers disagree on whether it has 4 or 8 bytes."""
_SYNONYMS = {
    "BinaryDataByteOrderMSB": "ElementByteOrderMSB",
    "Position": "Offset", "Origin": "Offset",
    "Rotation": "TransformMatrix", "Orientation": "TransformMatrix",
}  # fmt: skip
_KNOWN = {
    "ObjectType", "NDims", "BinaryData", "ElementByteOrderMSB", "CompressedData", "CompressedDataSize", "Offset",
    "TransformMatrix", "CenterOfRotation", "AnatomicalOrientation", "ElementSpacing", "ElementSize", "DimSize",
    "ElementNumberOfChannels", "ElementType", "ElementDataFile", "HeaderSize", "Modality", "ID", "ParentID",
    "ObjectSubType", "TransformType", "CompressionLevel", "ElementMin", "ElementMax", "DistanceUnits",
    "ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset",
}  # fmt: skip
_COLOUR_CHANNELS = (3, 4)
_LAST_LINE = re.compile(rb"^[ \t]*ElementDataFile[ \t]*=[^\n]*\n", re.MULTILINE)


def looks_like_metaimage(block: bytes) -> bool:
    """Whether the first bytes of a file read like a MetaImage header."""
    return re.match(rb"\s*(ObjectType|NDims|Comment|ObjectSubType|TransformType)\s*=", block) is not None


def read_metaimage_header(path: Path) -> FileHeader:
    """Read and check the header of a MetaImage file.

    Raises
    ------
    InputRefusedError
        If the voxels lie in another file, are text, are not scalar, or the header states something outside the limits.
    """
    name = path.name
    fields, offset = _parsed(path)
    if fields.get("ObjectType", "Image") != "Image" or fields.get("BinaryData", "True").lower() == "false":
        raise InputRefusedError(f"{name} is not a binary image; save it as a binary .mha image")
    sizes = _whole_numbers(name, fields, "DimSize")
    axes = len(sizes)
    if axes not in (3, 4) or _whole_numbers(name, fields, "NDims") != [axes]:
        raise InputRefusedError(f"{name} has {axes} dimensions; give a 3-D volume or a 4-D series")
    dtype, channels = _pixel(name, fields)
    if axes == 4 and channels > 1:
        raise InputRefusedError(f"{name} holds a 4-D series of vectors; give one real number per voxel and frame")
    frames = sizes[3] if axes == 4 else channels
    return FileHeader(
        name=name,
        data_path=path,
        codec="deflate" if fields.get("CompressedData", "False").lower() == "true" else "none",
        packed_offset=offset,
        data_offset=0,
        dtype=dtype,
        grid=spatial_grid(name, tuple(sizes[:3]), frames, _affine(name, fields, axes)),
        frame_count=frames,
        frames_fastest=channels > 1,
        identifying=("other fields",) if set(fields) - _KNOWN else (),
    )


def _parsed(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields, and where the data start: right after the line ``ElementDataFile = LOCAL``."""
    block = first_bytes(path, MAX_TEXT_HEADER)
    last = _LAST_LINE.search(block)
    if last is None:
        raise InputRefusedError(f"{path.name} lacks the MetaImage field 'ElementDataFile'; save it again")
    fields: dict[str, str] = {}
    for line in block[: last.end()].decode("latin-1").splitlines():
        key, _, value = line.partition("=")
        key = _SYNONYMS.get(key.strip(), key.strip())
        if key in fields:
            raise InputRefusedError(f"{path.name} states the field {safe_text(key)} twice; save it again")
        if key:
            fields[key] = value.strip()
    if fields["ElementDataFile"] != "LOCAL" or fields.get("HeaderSize", "0") != "0":
        raise InputRefusedError(
            f"{path.name} keeps its voxels in another file, which is not opened; save header and voxels as one .mha"
        )
    return fields, last.end()


def _floats(name: str, fields: dict[str, str], field: str, count: int) -> NDArray[np.float64]:
    try:
        values = np.array([float(word) for word in fields[field].split()])
    except (KeyError, ValueError) as error:
        raise InputRefusedError(f"{name} lacks a readable MetaImage field '{field}'; save it again") from error
    if values.size != count:
        raise InputRefusedError(f"{name} states {values.size} numbers as {field}, expected {count}; save it again")
    return values


def _whole_numbers(name: str, fields: dict[str, str], field: str) -> list[int]:
    try:
        values = [int(word) for word in fields[field].split()]
    except (KeyError, ValueError) as error:
        raise InputRefusedError(f"{name} lacks a readable MetaImage field '{field}'; save it again") from error
    if not values:
        raise InputRefusedError(f"{name} leaves the MetaImage field '{field}' empty; save it again")
    return values


def _pixel(name: str, fields: dict[str, str]) -> tuple[np.dtype[Any], int]:
    """Return the stored type and the number of channels."""
    stated = fields.get("ElementType", "").removesuffix("_ARRAY")
    if stated not in _TYPES:
        raise not_scalar(name, safe_text(stated))
    dtype = np.dtype(_TYPES[stated])
    channels = _whole_numbers(name, {"ElementNumberOfChannels": "1"} | fields, "ElementNumberOfChannels")[0]
    if channels in _COLOUR_CHANNELS and dtype.itemsize == 1:
        raise not_scalar(name, "RGB colour")
    for field, neutral in (("ElementToIntensityFunctionSlope", 1.0), ("ElementToIntensityFunctionOffset", 0.0)):
        if field in fields and _floats(name, fields, field, 1)[0] != neutral:
            raise InputRefusedError(f"{name} rescales its voxels by {field}, which readers ignore; save real values")
    big = fields.get("ElementByteOrderMSB", "False").lower() == "true"
    return dtype.newbyteorder(">" if big else "<"), channels


def _affine(name: str, fields: dict[str, str], axes: int) -> NDArray[np.float64]:
    """Return the RAS+ affine; the matrix lists the direction of each axis in turn."""
    matrix = np.eye(axes)
    if "TransformMatrix" in fields:
        matrix = _floats(name, fields, "TransformMatrix", axes * axes).reshape(axes, axes).T
    if axes == 4 and (np.any(matrix[3, :3]) or np.any(matrix[:3, 3])):
        raise InputRefusedError(f"{name} moves its frames in space; save every frame on one grid")
    spacing_field = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    spacing = _floats(name, fields, spacing_field, axes)
    lps = np.eye(4)
    lps[:3, :3] = matrix[:3, :3] * spacing[:3]
    if "Offset" in fields:
        lps[:3, 3] = _floats(name, fields, "Offset", axes)[:3]
    return lps_to_ras(lps)
