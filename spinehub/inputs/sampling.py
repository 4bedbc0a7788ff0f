"""Separable resampling of a file onto sagittal slices that run along the file's own axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.inputs.spec import PreprocessingSpec
from spinehub.volume import Grid, Position

__all__ = ["Sampler"]

_KEEP_SLICES_FROM = 2.0 / 3.0
"""Slices this share of the wanted spacing apart, or more, stay as acquired."""
_STACK_AXES = (0, 2, 1)
"""Patient axis of slices, rows and columns; each runs against the RAS+ direction (to the left, feet, back)."""


@dataclass(frozen=True, eq=False)
class Sampler:
    """Separable interpolation from a file's grid onto a stack whose axes run along the file's axes.

    `weights` holds one matrix per stack axis, ``(pixels, voxels of the file inside the box)``; `axes` the file axis of
    each stack axis.
    """

    grid: Grid
    axes: tuple[int, int, int]
    box: tuple[slice, slice, slice]
    weights: tuple[NDArray[np.float32], ...]

    @classmethod
    def around(cls, grid: Grid, spec: PreprocessingSpec, center_mm: Position) -> "Sampler":
        """Crop of `spec` around a position, cut from a file on `grid`."""
        center = grid.inverse[:3, :3] @ np.asarray(center_mm) + grid.inverse[:3, 3]
        axes = tuple(grid.patient_axes.index(patient) for patient in _STACK_AXES)
        affine = np.eye(4)
        first = np.array(center)
        shape = [0, spec.size, spec.size]
        for stack_axis, (axis, patient) in enumerate(zip(axes, _STACK_AXES, strict=True)):
            towards = -np.sign(grid.affine[patient, axis])
            spacing = grid.spacing_mm[axis]
            if stack_axis == 0:
                positions = _slice_positions(grid.shape[axis], spacing, center[axis], spec)
                positions = positions if towards > 0 else positions[::-1]
                step = (positions[1] - positions[0]) if positions.size > 1 else towards
                first[axis], shape[0] = positions[0], positions.size
            else:
                step = towards * spec.spacing_mm / spacing
                first[axis] = center[axis] - step * (spec.size - 1) / 2.0
            affine[:3, stack_axis] = grid.affine[:3, axis] * step
        affine[:3, 3] = grid.position_of((first[0], first[1], first[2]))
        return cls.between(grid, Grid((shape[0], shape[1], shape[2]), affine))

    @classmethod
    def between(cls, grid: Grid, stack_grid: Grid) -> "Sampler":
        """From a file on `grid` onto a stack that was made from a file with the same axes."""
        matrix = grid.inverse @ stack_grid.affine
        axes = [int(np.argmax(np.abs(matrix[:3, stack_axis]))) for stack_axis in range(3)]
        off_axis = matrix[:3, :3].copy()
        off_axis[axes, range(3)] = 0.0
        if sorted(axes) != [0, 1, 2] or np.abs(off_axis * stack_grid.shape).max() > 0.01:
            raise InvalidArgumentError("stack must run along the axes of the file it was made from, got another grid")
        box: list[slice] = [slice(0, 0)] * 3
        weights = []
        for stack_axis, axis in enumerate(axes):
            points = matrix[axis, 3] + matrix[axis, stack_axis] * np.arange(stack_grid.shape[stack_axis])
            full = _linear_weights(points, abs(matrix[axis, stack_axis]), grid.shape[axis])
            used = np.flatnonzero(full.any(axis=0))
            box[axis] = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)
            weights.append(full[:, box[axis]])
        return cls(stack_grid, (axes[0], axes[1], axes[2]), (box[0], box[1], box[2]), tuple(weights))

    def __call__(self, voxels: NDArray[Any]) -> NDArray[np.float32]:
        """``(I, J, K)`` of the whole file -> ``(N, H, W)``."""
        return self.apply(voxels[self.box].astype(np.float32))

    def apply(self, inside: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for voxels already cut to the box."""
        slices, rows, columns = self.weights
        values = np.tensordot(slices, inside.transpose(self.axes), axes=1)
        return np.matmul(np.matmul(rows, values), columns.T)


def _slice_positions(count: int, spacing_mm: float, center: float, spec: PreprocessingSpec) -> NDArray[np.float64]:
    """File indices along right-left at which slices are taken, ascending; at least one."""
    half = spec.depth_mm / 2.0 / spacing_mm
    if spacing_mm >= _KEEP_SLICES_FROM * spec.slice_spacing_mm:
        low, high = max(0, int(np.ceil(center - half))), min(count - 1, int(np.floor(center + half)))
        nearest = float(np.clip(np.round(center), 0, count - 1))
        return np.arange(low, high + 1, dtype=float) if high >= low else np.array([nearest])
    step = spec.slice_spacing_mm / spacing_mm
    steps = np.arange(-int(half / step), int(half / step) + 1)
    positions = np.asarray(center + steps * step, dtype=np.float64)
    return positions[(positions >= -0.5) & (positions <= count - 0.5)]


def _linear_weights(points: NDArray[np.float64], step: float, count: int) -> NDArray[np.float32]:
    """Weights ``(points, count)``: linear interpolation, widened to the step where pixels are coarser than voxels.

    The widened triangle averages what a coarse pixel covers (no aliasing). A point outside the file gets no weight.
    """
    width = max(1.0, step)
    weights = np.maximum(0.0, 1.0 - np.abs(points[:, None] - np.arange(count)) / width)
    weights[np.abs(weights) < 1e-6] = 0.0
    total = weights.sum(axis=1, keepdims=True)
    outside = (points < -0.5) | (points > count - 0.5)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    weights[outside] = 0.0
    return weights.astype(np.float32)
