"""From voxels in file order to the points features are computed on, the same for every order of the file's axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.volume import Grid, Mask

__all__ = ["HALF", "Lattice"]

HALF = 0.5 - 1e-9
"""Half of the weight, safe from rounding: points midway between two voxels are common."""
_SAME_SPACING = 0.99
"""Spacings that differ by less than 1 % count as equal when the slice axis is looked for."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Points the features are computed on: axes right, front, head; in-plane spacing fixed, slices kept.

    Centred on the mask's bounding box, so that moving or mirroring the mask in the volume changes nothing.
    """

    grid: Grid
    box: tuple[slice, slice, slice]  # of the canonical array: the mask and two points around it in the slice
    weights: tuple[NDArray[np.float64], ...]  # per axis: (points, voxels of the box), each row sums to 1
    spacing_mm: NDArray[np.float64]
    slice_axis: int

    @classmethod
    def around(cls, mask: Mask, in_plane_mm: float) -> "Lattice | None":
        """Points over the mask, `in_plane_mm` apart within slices; None for an empty mask."""
        if mask.is_empty:
            return None
        canonical = _canonical(mask.voxels, mask.grid)
        spacing = np.asarray(mask.grid.spacing_mm)[np.argsort(mask.grid.patient_axes)]
        # The widest spacing is across slices; sagittal, the first axis, where there is no widest one.
        slice_axis = int(np.argmax(spacing >= _SAME_SPACING * spacing.max()))
        target = np.full(3, float(in_plane_mm))
        target[slice_axis] = spacing[slice_axis]
        box, weights = [], []
        for axis in range(3):
            occupied = np.flatnonzero(canonical.any(axis=tuple(a for a in range(3) if a != axis)))
            first, last = int(occupied[0]), int(occupied[-1])
            margin = 0 if axis == slice_axis else int(np.ceil(2 * target[axis] / spacing[axis]))
            low, high = max(0, first - margin), min(canonical.shape[axis], last + 1 + margin)
            box.append(slice(low, high))
            weights.append(_weights(np.arange(low, high), first, last, spacing[axis], target[axis]))
        return cls(mask.grid, (box[0], box[1], box[2]), tuple(weights), target, slice_axis)

    def resample(self, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weighted mean of the finite voxels around each point, and the share of the weight that was finite.

        Parameters
        ----------
        values
            ``(I, J, K)`` on the mask's grid, in file order; not finite where not valid.
        """
        numbers = _canonical(values, self.grid)[self.box].astype(np.float64)
        known = np.isfinite(numbers)
        share = self._apply(known.astype(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._apply(np.where(known, numbers, 0.0)) / share, share

    def resample_mask(self, mask: Mask) -> NDArray[np.bool_]:
        """Points of which at least half the weight lies inside the mask."""
        return self._apply(_canonical(mask.voxels, self.grid)[self.box].astype(np.float64)) >= HALF

    def _apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = np.einsum("xi,yj,zk,ijk->xyz", *self.weights, values, optimize=True)
        return result


def _canonical(values: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """``(I, J, K)`` in file order to axes that grow to the right, the front and the head."""
    order = np.argsort(grid.patient_axes)
    flipped = tuple(patient for patient in range(3) if grid.affine[patient, order[patient]] < 0)
    return np.flip(values.transpose(order), flipped)


def _weights(indices: NDArray[np.intp], first: int, last: int, spacing: float, target: float) -> NDArray[np.float64]:
    """Triangle filter from voxels to points `target` mm apart, centred between voxels `first` and `last`.

    As wide as the coarser of the two spacings: linear interpolation when points are denser than voxels, a weighted
    mean of the voxels in between when they are sparser, so that the noise does not depend on the matrix of the scan.
    """
    points = int(np.ceil((last - first + 1) * spacing / target))
    centre = (first + last) / 2
    position = centre + (np.arange(points) - (points - 1) / 2) * target / spacing
    distance = np.abs(position[:, None] - indices[None]) * spacing / max(spacing, target)
    weight = np.maximum(0.0, 1.0 - distance)
    # A point up to half a spacing beyond the last voxel of the volume takes that voxel.
    lost = weight.sum(axis=1) < 1e-9
    weight[lost, np.abs(position[lost, None] - indices[None]).argmin(axis=1)] = 1.0
    return weight / weight.sum(axis=1, keepdims=True)
