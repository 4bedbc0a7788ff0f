"""How well two masks agree: overlap, pixel accuracy beside its floor, distances between surfaces in mm, volume."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from spinehub.errors import InvalidArgumentError

__all__ = [
    "dice",
    "empty_mask_pixel_accuracy",
    "gap_closed",
    "hd95_mm",
    "iou",
    "pixel_accuracy",
    "surface_distance_mm",
    "volume_error",
]


def _two_masks(truth: ArrayLike, found: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    first, second = np.asarray(truth, dtype=bool), np.asarray(found, dtype=bool)
    if first.shape != second.shape or first.size == 0:
        raise InvalidArgumentError(
            f"truth and found must be masks of one shape with at least one voxel, got {first.shape} and {second.shape}"
        )
    return first, second


def dice(truth: ArrayLike, found: ArrayLike) -> float:
    """Dice overlap 2 |A and B| / (|A| + |B|) of two boolean masks of one shape; 1 where both are empty."""
    first, second = _two_masks(truth, found)
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 1.0 if total == 0 else 2.0 * np.count_nonzero(first & second) / total


def iou(truth: ArrayLike, found: ArrayLike) -> float:
    """Intersection over union (Jaccard) of two boolean masks of one shape; 1 where both are empty."""
    first, second = _two_masks(truth, found)
    union = np.count_nonzero(first | second)
    return 1.0 if union == 0 else np.count_nonzero(first & second) / union


def pixel_accuracy(truth: ArrayLike, found: ArrayLike) -> float:
    """Share of voxels that carry the right label; meaningless without :func:`empty_mask_pixel_accuracy` beside it."""
    first, second = _two_masks(truth, found)
    return float(np.mean(first == second))


def empty_mask_pixel_accuracy(truth: ArrayLike) -> float:
    """Pixel accuracy that an empty mask would reach: the share of voxels outside the lesion."""
    first, _ = _two_masks(truth, truth)
    return 1.0 - float(np.mean(first))


def gap_closed(truth: ArrayLike, found: ArrayLike) -> float:
    """Share of the gap between the empty mask's pixel accuracy and 1 that a mask closes.

    Returns
    -------
    float
        1 for the truth itself, 0 for an empty mask, negative for a mask worse than none; NaN where the truth is empty.
    """
    floor = empty_mask_pixel_accuracy(truth)
    return float("nan") if floor == 1.0 else (pixel_accuracy(truth, found) - floor) / (1.0 - floor)


def volume_error(truth: ArrayLike, found: ArrayLike, spacing_mm: Sequence[float]) -> float:
    """Signed error of the volume in ml: found minus true.

    Parameters
    ----------
    truth, found
        Boolean masks of one shape.
    spacing_mm
        Voxel size along each axis in mm.
    """
    first, second = _two_masks(truth, found)
    voxel_ml = float(np.prod(_spacing(spacing_mm, first.ndim))) / 1000.0
    return float((np.count_nonzero(second) - np.count_nonzero(first)) * voxel_ml)


def hd95_mm(truth: ArrayLike, found: ArrayLike, spacing_mm: Sequence[float]) -> float:
    """95th percentile Hausdorff distance between two surfaces in mm.

    The larger of the two directed 95th percentiles. A surface is the set of mask voxels with a face neighbour outside
    (the edge of the array counts as outside); distances run between voxel centres.

    Parameters
    ----------
    truth, found
        Boolean masks of one shape.
    spacing_mm
        Voxel size along each axis in mm; may differ between the axes.

    Returns
    -------
    float
        0 where both masks are empty, infinite where only one is: report a median, or count such cases apart.
    """
    there, back = _surface_distances(truth, found, spacing_mm)
    return float(max(_percentile95(there), _percentile95(back)))


def surface_distance_mm(truth: ArrayLike, found: ArrayLike, spacing_mm: Sequence[float]) -> float:
    """Mean symmetric surface distance in mm: the mean over all surface voxels of both masks.

    Surfaces, distances, parameters and empty masks as in :func:`hd95_mm`.
    """
    return float(np.concatenate(_surface_distances(truth, found, spacing_mm)).mean())


def _percentile95(distances: NDArray[np.float64]) -> float:
    # One infinite distance stands for an empty mask; numpy would subtract infinities to interpolate.
    return float(np.percentile(distances, 95)) if np.isfinite(distances).all() else float("inf")


def _spacing(spacing_mm: Sequence[float], ndim: int) -> NDArray[np.float64]:
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    if spacing.shape != (ndim,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InvalidArgumentError(f"spacing_mm must hold {ndim} sizes above 0, one per axis, got {spacing_mm}")
    return spacing


def _surface_distances(
    truth: ArrayLike, found: ArrayLike, spacing_mm: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances (mm) from each surface voxel of one mask to the surface of the other, both ways."""
    first, second = _two_masks(truth, found)
    spacing = _spacing(spacing_mm, first.ndim)
    if not first.any() or not second.any():
        distance = np.array([0.0 if not first.any() and not second.any() else np.inf])
        return distance, distance
    # Cropped to both masks and one voxel around: the distance transform is the cost, and nothing beyond matters.
    box = ndimage.find_objects((first | second).astype(np.uint8))[0]
    surfaces = [np.pad(mask[box], 1) for mask in (first, second)]
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in surfaces]
    to_first, to_second = (ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces)
    return to_second[surfaces[0]], to_first[surfaces[1]]
