"""Voxels and where they are: grid, volume, mask, seed.

Arrays stay in the order of the file they came from, ``(I, J, K)``. Positions are millimetres in RAS+:
x grows to the patient's right, y to the front (anterior), z to the head (superior). Nothing here reads files.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import GridMismatchError, InvalidArgumentError

__all__ = ["Grid", "Index", "Mask", "Plane", "Position", "Seed", "Volume", "frozen_array"]

Index: TypeAlias = tuple[int, int, int]
"""Voxel ``(i, j, k)``, zero-based, in the array order of the file."""
Position: TypeAlias = tuple[float, float, float]
"""Point ``(x, y, z)`` in mm, RAS+."""
Plane: TypeAlias = Literal["sagittal", "coronal", "axial"]
"""A plane of display, named by the patient axis it is perpendicular to."""

_PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
_DIRECTIONS = (("R", "L"), ("A", "P"), ("S", "I"))
_AFFINE_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner voxel moves by more than this."""


def frozen_array(values: ArrayLike, dtype: Any) -> NDArray[Any]:
    """Return `values` as a read-only contiguous array of `dtype`; copies only where it must."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array is values:
        array = array.view()
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels are, without any voxels.

    Parameters
    ----------
    shape
        Voxels along ``(i, j, k)``, each at least 1.
    affine
        ``(4, 4)`` float64, voxel index to mm, RAS+; finite and invertible.
    """

    shape: Index
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise InvalidArgumentError(f"shape must hold three sizes of at least 1, got {self.shape}")
        affine = frozen_array(self.affine, np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise InvalidArgumentError(f"affine must be a finite 4 x 4 matrix, got shape {affine.shape}")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise InvalidArgumentError("affine must be invertible, got a matrix of determinant 0")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """``(4, 4)`` float64, mm RAS+ to voxel index."""
        return frozen_array(np.linalg.inv(self.affine), np.float64)

    @cached_property
    def spacing_mm(self) -> Position:
        """Distance between neighbouring voxel centres along i, j, k in mm."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in ml (exact for sheared grids too)."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) / 1000.0)

    @cached_property
    def patient_axes(self) -> Index:
        """For each array axis the patient axis (0 = R-L, 1 = A-P, 2 = S-I) it runs along best; a permutation."""
        cosines = np.abs(self.affine[:3, :3]) / np.asarray(self.spacing_mm)
        axes = [-1, -1, -1]
        for _ in range(3):
            patient, array = np.unravel_index(int(np.argmax(cosines)), (3, 3))
            axes[int(array)] = int(patient)
            cosines[patient, :] = -1.0
            cosines[:, array] = -1.0
        return axes[0], axes[1], axes[2]

    @cached_property
    def axis_codes(self) -> tuple[str, str, str]:
        """Letter each array axis grows towards, as nibabel's ``aff2axcodes``: ``("P", "S", "R")``."""
        codes = []
        for array, patient in enumerate(self.patient_axes):
            plus, minus = _DIRECTIONS[patient]
            codes.append(plus if self.affine[patient, array] > 0 else minus)
        return codes[0], codes[1], codes[2]

    def array_axis(self, plane: Plane) -> int:
        """Array axis that steps through the slices of `plane`."""
        return self.patient_axes.index(_PLANES.index(plane))

    @property
    def slice_axis(self) -> int:
        """Array axis of the widest spacing: the one the slices were acquired along (the last one on a tie)."""
        spacing = np.round(self.spacing_mm, 3)
        return int(2 - np.argmax(spacing[::-1]))

    @property
    def acquired_plane(self) -> Plane:
        """Plane of the acquired slices."""
        return _PLANES[self.patient_axes[self.slice_axis]]

    def contains(self, index: Index) -> bool:
        """Whether voxel `index` lies on the grid."""
        return all(0 <= n < size for n, size in zip(index, self.shape, strict=True))

    def position_of(self, index: tuple[float, float, float]) -> Position:
        """Position in mm (RAS+) of a voxel centre; fractional indices are allowed."""
        x, y, z = self.affine[:3, :3] @ np.asarray(index, dtype=float) + self.affine[:3, 3]
        return float(x), float(y), float(z)

    def index_of(self, position_mm: tuple[float, float, float]) -> Index:
        """Voxel whose centre is nearest to a position.

        Raises
        ------
        InvalidArgumentError
            If the position lies outside the volume.
        """
        point = np.asarray(position_mm, dtype=float)
        if point.shape != (3,) or not np.isfinite(point).all():
            raise InvalidArgumentError(f"position must be three finite numbers in mm, got {position_mm}")
        i, j, k = np.floor(self.inverse[:3, :3] @ point + self.inverse[:3, 3] + 0.5).astype(int)
        index = (int(i), int(j), int(k))
        if not self.contains(index):
            low, high = self.bounds_mm
            raise InvalidArgumentError(
                f"position {tuple(round(float(v), 1) for v in point)} mm lies outside the volume, which spans "
                f"{low} to {high} mm (x, y, z in RAS+); choose a point inside it"
            )
        return index

    @property
    def bounds_mm(self) -> tuple[Position, Position]:
        """Lowest and highest x, y, z of the voxel centres, rounded to 0.1 mm."""
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], indexing="ij")).reshape(3, -1)
        points = self.affine[:3, :3] @ corners + self.affine[:3, 3:]
        low, high = np.round(points.min(axis=1), 1), np.round(points.max(axis=1), 1)
        return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))

    def matches(self, other: "Grid") -> bool:
        """Whether both grids have the same shape and put every voxel at the same place (1 um at the corners)."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], indexing="ij")).reshape(3, -1)
        difference = self.affine - other.affine
        moved = difference[:3, :3] @ corners + difference[:3, 3:]
        return bool(np.abs(moved).max() <= _AFFINE_TOLERANCE_MM)

    def require_match(self, other: "Grid", what: str = "mask") -> None:
        """Raise :class:`GridMismatchError` unless `other`, the grid of `what`, equals this grid."""
        if not self.matches(other):
            raise GridMismatchError(
                f"{what} must lie on the grid of the image: the image has shape {self.shape} and spacing "
                f"{_rounded(self.spacing_mm)} mm, the {what} {other.shape} and {_rounded(other.spacing_mm)} mm; "
                f"resample the {what} onto the image first"
            )


def _rounded(values: Position) -> tuple[float, ...]:
    return tuple(round(v, 3) for v in values)


def _require_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InvalidArgumentError(f"{name} must have the shape of the grid {shape}, got {array.shape}")


@dataclass(frozen=True, eq=False)
class Volume:
    """One 3-D scalar image.

    Parameters
    ----------
    voxels
        ``(I, J, K)`` float32.
    grid
        Where the voxels are.
    unit
        MR signal has none: ``"a.u."``.
    name
        File name without folders, where the volume came from a file; else empty.
    """

    voxels: NDArray[np.float32]
    grid: Grid
    unit: str = "a.u."
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "voxels", frozen_array(self.voxels, np.float32))
        _require_shape("voxels", self.voxels, self.grid.shape)


@dataclass(frozen=True, eq=False)
class Mask:
    """One region: ``(I, J, K)`` bool on a grid."""

    voxels: NDArray[np.bool_]
    grid: Grid

    def __post_init__(self) -> None:
        object.__setattr__(self, "voxels", frozen_array(self.voxels, np.bool_))
        _require_shape("voxels", self.voxels, self.grid.shape)

    @cached_property
    def count(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.voxels))

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return self.count == 0

    @property
    def volume_ml(self) -> float:
        """Volume in ml: voxel count times voxel volume."""
        return self.count * self.grid.voxel_volume_ml

    @property
    def centroid_mm(self) -> Position:
        """Mean position of the voxels in mm, RAS+.

        Raises
        ------
        InvalidArgumentError
            If the mask is empty.
        """
        if self.is_empty:
            raise InvalidArgumentError("mask must hold at least one voxel to have a centroid, got an empty mask")
        mean = np.argwhere(self.voxels).mean(axis=0)
        return self.grid.position_of((float(mean[0]), float(mean[1]), float(mean[2])))


@dataclass(frozen=True)
class Seed:
    """Where the user clicked: a foreground seed in the lesion or a background seed outside it.

    Parameters
    ----------
    position_mm
        ``(x, y, z)`` in mm, RAS+.
    background
        True for a place that must stay outside.
    """

    position_mm: Position
    background: bool = False

    @classmethod
    def at_index(cls, index: Index, grid: Grid, *, background: bool = False) -> "Seed":
        """Seed at the centre of a voxel; refuses an index outside the grid (negative ones are not wrapped)."""
        if len(index) != 3 or any(int(n) != n for n in index):
            raise InvalidArgumentError(f"seed index must be three whole numbers i, j, k, got {index}")
        i, j, k = (int(n) for n in index)
        if not grid.contains((i, j, k)):
            last = tuple(n - 1 for n in grid.shape)
            raise InvalidArgumentError(
                f"seed {(i, j, k)} lies outside the volume, whose voxels run from (0, 0, 0) to {last}; "
                "choose an index inside it"
            )
        return cls(grid.position_of((i, j, k)), background)

    @classmethod
    def at_position(cls, position_mm: Position, *, background: bool = False) -> "Seed":
        """Seed at a position in mm, RAS+; whether it lies inside is checked where it meets a grid."""
        values = tuple(float(v) for v in position_mm)
        if len(values) != 3 or not np.isfinite(values).all():
            raise InvalidArgumentError(f"seed position must be three finite numbers in mm, got {position_mm}")
        return cls((values[0], values[1], values[2]), background)

    def index_on(self, grid: Grid) -> Index:
        """Voxel of `grid` the seed falls into; raises :class:`InvalidArgumentError` if it lies outside."""
        return grid.index_of(self.position_mm)
