"""Slices as a radiologist expects them, and the one place that converts between screen and voxel.

On screen the patient's right is on the left (axial, coronal), anterior is on the left (sagittal) and at the top
(axial), superior is at the top (sagittal, coronal). A slice is cut along the array axes, never resampled: on an
oblique grid it is the acquired slice, named by the patient plane it lies in best.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.errors import InvalidArgumentError
from spinehub.volume import Grid, Index, Mask, Plane, Volume

__all__ = ["OUTLINE_RGB", "PLANES", "PlaneView", "display_window", "outline_pixels", "plane_letters", "render_slice"]

PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
OUTLINE_RGB = (255, 214, 74)
"""Colour of a mask's outline: a yellow that reads on grey with every kind of colour vision, unlike both classes."""

_ROW_AND_COLUMN: dict[Plane, tuple[tuple[int, int], tuple[int, int]]] = {
    "sagittal": ((2, -1), (1, -1)),
    "coronal": ((2, -1), (0, -1)),
    "axial": ((1, -1), (0, -1)),
}
"""Per plane, for rows (downwards) and columns (rightwards): patient axis and the sign it moves along.

Rows run to inferior (or posterior), columns to posterior (sagittal) or to the patient's left, all negative in RAS+.
"""
_LETTERS: dict[Plane, tuple[str, str, str, str]] = {
    "sagittal": ("A", "P", "S", "I"),
    "coronal": ("R", "L", "S", "I"),
    "axial": ("R", "L", "A", "P"),
}


def plane_letters(plane: Plane) -> tuple[str, str, str, str]:
    """Patient directions at the left, right, top and bottom edge of the screen."""
    return _LETTERS[plane]


@dataclass(frozen=True)
class PlaneView:
    """How the slices of one plane of a grid lie on the screen.

    A *pixel* is ``(row, column)`` of the slice image, one per voxel, rows from the top, columns from the left. A
    *screen point* is ``(x, y)`` in square screen pixels of ``pixel_mm``, x from the left, y from the top.
    """

    plane: Plane
    shape: Index
    slice_axis: int
    row_axis: int
    column_axis: int
    flip_rows: bool
    flip_columns: bool
    row_mm: float
    column_mm: float

    @classmethod
    def of(cls, grid: Grid, plane: Plane) -> "PlaneView":
        """View of `plane` on `grid`."""
        (row_patient, row_sign), (column_patient, column_sign) = _ROW_AND_COLUMN[plane]
        row_axis, column_axis = grid.patient_axes.index(row_patient), grid.patient_axes.index(column_patient)
        return cls(
            plane=plane,
            shape=grid.shape,
            slice_axis=grid.array_axis(plane),
            row_axis=row_axis,
            column_axis=column_axis,
            flip_rows=bool(np.sign(grid.affine[row_patient, row_axis]) != row_sign),
            flip_columns=bool(np.sign(grid.affine[column_patient, column_axis]) != column_sign),
            row_mm=grid.spacing_mm[row_axis],
            column_mm=grid.spacing_mm[column_axis],
        )

    @property
    def slice_count(self) -> int:
        """Number of slices of this plane."""
        return self.shape[self.slice_axis]

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of one slice image."""
        return self.shape[self.row_axis], self.shape[self.column_axis]

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Height and width of one slice in mm."""
        rows, columns = self.image_shape
        return rows * self.row_mm, columns * self.column_mm

    def cut(self, values: NDArray[Any], slice_index: int) -> NDArray[Any]:
        """Slice image ``(rows, columns)`` of an ``(I, J, K)`` array, a view where possible.

        Raises
        ------
        InvalidArgumentError
            If `slice_index` is outside the volume.
        """
        if not 0 <= slice_index < self.slice_count:
            raise InvalidArgumentError(
                f"slice_index of the {self.plane} plane must be between 0 and {self.slice_count - 1}, got {slice_index}"
            )
        image = np.take(values, slice_index, axis=self.slice_axis)
        if self.row_axis > self.column_axis:
            image = image.T
        if self.flip_rows:
            image = image[::-1]
        return image[:, ::-1] if self.flip_columns else image

    def pixel_of(self, index: Index) -> tuple[int, int, int]:
        """Slice index, row and column at which voxel `index` is shown."""
        rows, columns = self.image_shape
        row, column = index[self.row_axis], index[self.column_axis]
        row = rows - 1 - row if self.flip_rows else row
        column = columns - 1 - column if self.flip_columns else column
        return index[self.slice_axis], row, column

    def voxel_at(self, slice_index: int, row: int, column: int) -> Index:
        """Voxel shown at a pixel of a slice: the inverse of :meth:`pixel_of`."""
        rows, columns = self.image_shape
        index = [0, 0, 0]
        index[self.slice_axis] = slice_index
        index[self.row_axis] = rows - 1 - row if self.flip_rows else row
        index[self.column_axis] = columns - 1 - column if self.flip_columns else column
        return index[0], index[1], index[2]

    def screen_size(self, pixel_mm: float) -> tuple[int, int]:
        """Height and width in screen pixels at `pixel_mm` per pixel."""
        height, width = self.extent_mm
        return max(1, round(height / pixel_mm)), max(1, round(width / pixel_mm))

    def screen_point_of(self, index: Index, pixel_mm: float) -> tuple[int, float, float]:
        """Slice index and screen point (x, y) of a voxel's centre."""
        slice_index, row, column = self.pixel_of(index)
        (height, width), (rows, columns) = self.screen_size(pixel_mm), self.image_shape
        return slice_index, (column + 0.5) * width / columns, (row + 0.5) * height / rows

    def voxel_at_screen(self, slice_index: int, x: float, y: float, pixel_mm: float) -> Index:
        """Voxel under a screen point.

        Raises
        ------
        InvalidArgumentError
            If the point lies outside the slice.
        """
        (height, width), (rows, columns) = self.screen_size(pixel_mm), self.image_shape
        if not (0 <= x < width and 0 <= y < height):
            raise InvalidArgumentError(
                f"screen point must lie inside the slice of {width} x {height} pixels, got ({x}, {y})"
            )
        return self.voxel_at(slice_index, int(y * rows / height), int(x * columns / width))


def display_window(values: NDArray[np.floating]) -> tuple[float, float]:
    """Grey-level window from black to white: the 1st and 99.5th percentile of the finite values.

    A constant image gets a window of width 1 around its value, so that it shows as mid-grey.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (1.0, 99.5)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def render_slice(
    volume: Volume,
    plane: Plane,
    slice_index: int,
    *,
    mask: Mask | None = None,
    window: tuple[float, float] | None = None,
    pixel_mm: float | None = None,
) -> NDArray[np.uint8]:
    """Draw one slice in grey with the mask's outline.

    Parameters
    ----------
    volume
        What to show.
    plane, slice_index
        Which slice.
    mask
        Region to outline, on the same grid.
    window
        Signal shown black and white; None: :func:`display_window` of the whole volume.
    pixel_mm
        Side of a screen pixel in mm; None: the finer of the slice's two spacings.

    Returns
    -------
    ndarray
        ``(height, width, 3)`` uint8, square pixels.
    """
    view = PlaneView.of(volume.grid, plane)
    low, high = window or display_window(volume.voxels)
    pixel_mm = pixel_mm or min(view.row_mm, view.column_mm)
    size = view.screen_size(pixel_mm)
    grey = np.nan_to_num((view.cut(volume.voxels, slice_index).astype(np.float64) - low) / max(high - low, 1e-12))
    grey = _resized(np.clip(grey, 0.0, 1.0), size, order=1)
    image = np.repeat(np.round(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
    if mask is not None:
        volume.grid.require_match(mask.grid)
        image[outline_pixels(mask, view, slice_index, pixel_mm)] = OUTLINE_RGB
    return image


def outline_pixels(mask: Mask, view: PlaneView, slice_index: int, pixel_mm: float) -> NDArray[np.bool_]:
    """Screen pixels ``(height, width)`` just inside the border of a mask in one slice."""
    image = view.cut(mask.voxels, slice_index).astype(np.float64)
    inside = _resized(image, view.screen_size(pixel_mm), order=0) > 0.5
    return np.asarray(inside & ~ndimage.binary_erosion(inside))


def _resized(image: NDArray[np.float64], size: tuple[int, int], order: int) -> NDArray[np.float64]:
    """Sample `image` at the centres of `size` screen pixels; screen and image share their outer edges."""
    if image.shape == size:
        return image
    axes = [
        np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        for new, old in zip(size, image.shape, strict=True)
    ]
    if order == 0:
        rows, columns = (np.floor(axis + 0.5).astype(int) for axis in axes)
        return np.asarray(image[np.ix_(rows, columns)])
    return np.asarray(ndimage.map_coordinates(image, np.meshgrid(*axes, indexing="ij"), order=order, mode="nearest"))
