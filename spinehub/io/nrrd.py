"""NRRD headers with the voxels in the same file: 3-D volumes, and 4-D with frames first or last.

Read by the format's definition (teem.sourceforge.net/nrrd/format.html). Array axes keep the order of the file, so an
index is what SimpleITK's ``GetPixel`` takes. Positions follow SimpleITK where the file names no anatomical space: LPS.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InputRefusedError
from spinehub.io.guard import MAX_TEXT_HEADER, Codec, first_bytes
from spinehub.io.header import FileHeader, lps_to_ras, not_scalar, safe_text, spatial_grid
from spinehub.series import Protocol

__all__ = ["MAGIC", "read_nrrd_header"]

MAGIC = b"NRRD000"
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_TYPE_OF = {spelling: code for code, spellings in _TYPES.items() for spelling in spellings}
_CODECS: dict[str, Codec] = {"raw": "none", "gzip": "deflate", "gz": "deflate"}
_FRAME_KINDS = {"list", "vector", "time", "domain", "space", "none", "???"}
_SIGNS_TO_LPS = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
_FRAME_TIME_TAGS = {"TriggerTime", "AcquisitionTime", "ContentTime", "SeriesTime", "Time", "time"}
_SECONDS_PER_UNIT = {"ms": 1e-3, "msec": 1e-3, "s": 1.0, "sec": 1.0}
_VECTOR = re.compile(r"none|\([^()]*\)")


def read_nrrd_header(path: Path) -> FileHeader:
    """Read and check the header of an NRRD file.

    Raises
    ------
    InputRefusedError
        If the voxels lie in another file, are packed in a way other than raw or gzip, are not scalar, or the header
        states something outside the limits.
    """
    name = path.name
    fields, pairs, comments, offset = _parsed(path)
    _refuse_detached(name, fields)
    sizes = _whole_numbers(name, fields, "sizes")
    if len(sizes) not in (3, 4) or _required(name, fields, "dimension") != str(len(sizes)):
        raise InputRefusedError(f"{name} has {len(sizes)} dimensions; give a 3-D volume or a 4-D series")
    frame_axis = _frame_axis(name, fields, len(sizes))
    shape = tuple(size for axis, size in enumerate(sizes) if axis != frame_axis)
    frames = 1 if frame_axis is None else sizes[frame_axis]
    encoding = _required(name, fields, "encoding").lower()
    if encoding not in _CODECS:
        raise InputRefusedError(f"{name} is packed as {safe_text(encoding)}; save it as raw or gzip")
    grid = spatial_grid(name, shape, frames, _affine(name, fields, len(sizes), frame_axis))
    return FileHeader(
        name=name,
        data_path=path,
        codec=_CODECS[encoding],
        packed_offset=offset,
        data_offset=0,
        dtype=_dtype(name, fields),
        grid=grid,
        frame_count=frames,
        frames_fastest=frame_axis == 0,
        times_s=_frame_times(pairs, frames),
        protocol=_protocol(pairs),
        identifying=_identifying(fields, pairs, comments),
    )


def _parsed(path: Path) -> tuple[dict[str, str], dict[str, str], bool, int]:
    """Return fields (names without spaces), key/value pairs, whether there are comments, and where the data start."""
    block = first_bytes(path, MAX_TEXT_HEADER)
    end = re.search(rb"\r?\n\r?\n", block)
    if end is None:
        # A detached header may end with the file.
        end_at = len(block)
        if end_at == MAX_TEXT_HEADER:
            raise InputRefusedError(f"{path.name} has a header of more than {MAX_TEXT_HEADER} bytes; save it again")
    else:
        end_at = end.end()
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    lines = block[:end_at].decode("latin-1").splitlines()[1:]
    for line in lines:
        key, pair_mark, value = line.partition(":=")
        if line.startswith("#") or not line.strip():
            continue
        if pair_mark and ": " not in key:
            pairs[key] = value.strip()
            continue
        key, _, value = line.partition(":")
        key = key.replace(" ", "").lower()
        if key in fields:
            raise InputRefusedError(f"{path.name} states the field {safe_text(key)} twice; save it again")
        fields[key] = value.strip()
    # The first comments are the format's own address, written by every library.
    comments = any(line.startswith("#") and "teem" not in line and "format" not in line for line in lines)
    return fields, pairs, comments, end_at


def _refuse_detached(name: str, fields: dict[str, str]) -> None:
    if "datafile" in fields:
        raise InputRefusedError(
            f"{name} keeps its voxels in another file, which is not opened; save header and voxels as one .nrrd file"
        )
    for field in ("lineskip", "byteskip"):
        if fields.get(field, "0") != "0":
            raise InputRefusedError(f"{name} skips lines or bytes before its voxels; save it again without skips")


def _required(name: str, fields: dict[str, str], field: str) -> str:
    if field not in fields:
        raise InputRefusedError(f"{name} lacks the NRRD field '{field}'; save it again")
    return fields[field]


def _floats(name: str, words: list[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise InputRefusedError(f"{name} holds a header value that is not a number; save it again") from error


def _whole_numbers(name: str, fields: dict[str, str], field: str) -> list[int]:
    values = _floats(name, _required(name, fields, field).split())
    if not all(value.is_integer() for value in values):
        raise InputRefusedError(f"{name} states {field} that are not whole numbers; save it again")
    return [int(value) for value in values]


def _dtype(name: str, fields: dict[str, str]) -> np.dtype[Any]:
    stated = _required(name, fields, "type").lower()
    if stated not in _TYPE_OF:
        raise not_scalar(name, safe_text(stated))
    dtype = np.dtype(_TYPE_OF[stated])
    order = fields.get("endian", "little" if dtype.itemsize == 1 else "").lower()
    if order not in ("little", "big"):
        raise InputRefusedError(f"{name} does not state its byte order (field 'endian'); save it again")
    return dtype.newbyteorder("<" if order == "little" else ">")


def _vectors(name: str, fields: dict[str, str], field: str, axes: int) -> list[list[float] | None]:
    """Return one vector per array axis, None where the header says ``none``."""
    words = _VECTOR.findall(fields[field].lower())
    if len(words) != axes:
        raise InputRefusedError(f"{name} states {len(words)} {field} for {axes} axes; save it again")
    return [None if word == "none" else _floats(name, word.strip("()").split(",")) for word in words]


def _frame_axis(name: str, fields: dict[str, str], axes: int) -> int | None:
    """Return the axis of the frames, None for a volume; refuse colours and other vectors that are no frames."""
    kinds = [kind.lower() for kind in fields.get("kinds", "").split()] or ["domain"] * axes
    if len(kinds) != axes or not set(kinds) <= _FRAME_KINDS:
        raise not_scalar(name, safe_text(" ".join(kinds)))
    outside: list[int] = []
    if "spacedirections" in fields:
        vectors = _vectors(name, fields, "spacedirections", axes)
        outside = [axis for axis, vector in enumerate(vectors) if vector is None]
    outside = outside or [axis for axis, kind in enumerate(kinds) if kind not in ("domain", "space")]
    if axes == 4:
        outside = outside or [3]
    if len(outside) != axes - 3:
        raise InputRefusedError(f"{name} is not a 3-D volume or a 4-D series of one; give the whole 3-D volume")
    if outside and outside[0] not in (0, 3):
        raise InputRefusedError(f"{name} keeps its frames on a middle axis; save them on the first or last axis")
    return outside[0] if outside else None


def _affine(name: str, fields: dict[str, str], axes: int, frame_axis: int | None) -> NDArray[np.float64]:
    """Return the RAS+ affine; without a named space the axes are taken as LPS, as SimpleITK does."""
    lps = np.eye(4)
    space = fields.get("space", "left-posterior-superior").lower().removesuffix("-time").removesuffix("t")
    if space not in _SIGNS_TO_LPS:
        raise InputRefusedError(
            f"{name} uses the space {safe_text(space)}, which does not say where left and front are; save it in "
            "left-posterior-superior"
        )
    spatial = [axis for axis in range(axes) if axis != frame_axis]
    if "spacedirections" in fields:
        vectors = _vectors(name, fields, "spacedirections", axes)
        along_frames = None if frame_axis is None else vectors[frame_axis]
        if along_frames is not None and any(along_frames[:3]):
            raise InputRefusedError(f"{name} moves its frames in space; save every frame on one grid")
        lps[:3, :3] = np.transpose([_three(name, vectors[axis]) for axis in spatial])
        origin = fields.get("spaceorigin")
        if origin is not None:
            lps[:3, 3] = _three(name, _floats(name, origin.strip("() ").split(","))[:3])
    elif "spacings" in fields:
        spacings = _floats(name, fields["spacings"].lower().split())
        if len(spacings) != axes:
            raise InputRefusedError(f"{name} states {len(spacings)} spacings for {axes} axes; save it again")
        lps[:3, :3] = np.diag([spacings[axis] for axis in spatial])
    else:
        raise InputRefusedError(f"{name} does not state its voxel spacing; save it with its geometry")
    lps[:3] *= np.reshape(_SIGNS_TO_LPS[space], (3, 1))
    return lps_to_ras(lps)


def _three(name: str, vector: list[float] | None) -> list[float]:
    """Return the spatial part of a vector of a 3-D space, or of a 4-D space whose fourth axis is time alone."""
    if vector is None or len(vector) not in (3, 4) or (len(vector) == 4 and vector[3] != 0):
        raise InputRefusedError(f"{name} states space directions that are not 3-D; save it with its geometry")
    return vector[:3]


def _frame_times(pairs: dict[str, str], frames: int) -> tuple[float, ...] | None:
    """Return the frame times 3D Slicer writes for a multi-volume, where they are times and state their unit."""
    tag = pairs.get("MultiVolume.FrameIdentifyingDICOMTagName", "")
    factor = _SECONDS_PER_UNIT.get(pairs.get("MultiVolume.FrameIdentifyingDICOMTagUnits", "").lower())
    if tag not in _FRAME_TIME_TAGS or factor is None:
        return None
    try:
        times = tuple(float(label) * factor for label in pairs.get("MultiVolume.FrameLabels", "").split(","))
    except ValueError:
        return None
    rising = len(times) == frames and np.isfinite(times).all() and (np.diff(times) > 0).all()
    return times if rising else None


def _protocol(pairs: dict[str, str]) -> Protocol:
    """Return the sequence parameters 3D Slicer writes for a multi-volume; DICOM gives TR and TE in ms."""

    def stated(tag: str, factor: float) -> float | None:
        try:
            value = float(pairs[f"MultiVolume.DICOM.{tag}"]) * factor
        except (KeyError, ValueError):
            return None
        return value if np.isfinite(value) and value > 0 else None

    return Protocol(stated("RepetitionTime", 1e-3), stated("EchoTime", 1e-3), stated("FlipAngle", 1.0))


def _identifying(fields: dict[str, str], pairs: dict[str, str], comments: bool) -> tuple[str, ...]:
    found = {"content": "content" in fields, "comments": comments, "key/value pairs": any(pairs.values())}
    return tuple(name for name, there in found.items() if there)
