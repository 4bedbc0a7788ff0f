"""What a file says about itself once it has passed the guard, whatever its format."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InputRefusedError
from spinehub.io.guard import Codec, check_affine, check_size
from spinehub.series import Protocol
from spinehub.volume import Grid

__all__ = ["FileHeader", "lps_to_ras", "not_scalar", "safe_text", "spatial_grid"]


@dataclass(frozen=True, eq=False)
class FileHeader:
    """Where the voxels of a file lie, how they are stored, and what else the header states.

    Parameters
    ----------
    name
        File name without folders.
    data_path
        The file that holds the voxels: the header's own, or the ``.img`` of a NIfTI pair.
    codec, packed_offset, data_offset
        The voxels start `data_offset` bytes into what `codec` unpacks from byte `packed_offset` on.
    dtype
        Stored type with its byte order.
    grid
        Shape and affine (RAS+ mm).
    frame_count
        1 for a volume.
    frames_fastest
        True where the frames of a voxel are stored side by side (vector pixels), False where volume follows volume.
    slope, intercept
        Value = stored * slope + intercept.
    interval_s
        Frame interval in seconds where the header states one with a unit (whether it is credible is not judged here).
    times_s
        Frame times in seconds where the header lists them with a unit.
    protocol
        Sequence parameters stated in the header.
    identifying
        Names of the fields that hold free text and so may hold identifiers.
    """

    name: str
    data_path: Path
    codec: Codec
    packed_offset: int
    data_offset: int
    dtype: np.dtype[Any]
    grid: Grid
    frame_count: int = 1
    frames_fastest: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    interval_s: float | None = None
    times_s: tuple[float, ...] | None = None
    protocol: Protocol = field(default_factory=Protocol)
    identifying: tuple[str, ...] = ()


def lps_to_ras(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a ``(4, 4)`` voxel-to-mm matrix from LPS (DICOM, ITK) into RAS+ (NIfTI), or back: x and y change sign."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def spatial_grid(name: str, shape: tuple[int, ...], frames: int, affine: NDArray[np.float64]) -> Grid:
    """Return the grid of a file after checking its size and geometry."""
    check_size(name, shape, frames)
    check_affine(name, affine)
    return Grid((shape[0], shape[1], shape[2]), affine)


def not_scalar(name: str, what: str) -> InputRefusedError:
    """Return the refusal of voxels that are not one real number each."""
    return InputRefusedError(
        f"{name} holds {what} voxels, and spinehub reads one real number per voxel; export the magnitude image as "
        "integers or floats"
    )


def safe_text(text: str) -> str:
    """Return the first characters of a header's value, quoted, with nothing unprintable, for a message."""
    return ascii(text[:24])
