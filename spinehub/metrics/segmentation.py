"""Semantic segmentation figures from one confusion matrix of voxels (Long et al. 2015, arXiv 1411.4038, section 5)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import InvalidArgumentError

__all__ = ["class_iou", "confusion_matrix", "frequency_weighted_iou", "mean_iou", "mean_pixel_accuracy"]


def confusion_matrix(truth: ArrayLike, found: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count voxels by true class (rows) and found class (columns).

    Parameters
    ----------
    truth, found
        Arrays of one shape with class numbers from 0 to `classes` - 1.
    classes
        How many there are.

    Returns
    -------
    NDArray
        ``(classes, classes)`` int64. Sum those of many cases for figures of a whole cohort.
    """
    first, second = np.asarray(truth).ravel(), np.asarray(found).ravel()
    if first.size != second.size or first.size == 0:
        raise InvalidArgumentError(
            f"truth and found must have one shape with at least one voxel, got {first.size} and {second.size} voxels"
        )
    for name, values in (("truth", first), ("found", second)):
        if values.min() < 0 or values.max() >= classes:
            raise InvalidArgumentError(
                f"{name} must hold classes 0 to {classes - 1}, got {values.min()} to {values.max()}"
            )
    counts = np.bincount(first.astype(np.int64) * classes + second.astype(np.int64), minlength=classes**2)
    return counts.reshape(classes, classes)


def class_iou(confusion: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each class, ``(classes,)``; NaN for a class that neither is there nor was found."""
    counts = _square(confusion)
    hits = np.diag(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hits
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)


def mean_iou(confusion: ArrayLike) -> float:
    """Mean of :func:`class_iou` over the classes that occur."""
    return float(np.nanmean(class_iou(confusion)))


def mean_pixel_accuracy(confusion: ArrayLike) -> float:
    """Share of the voxels of a class that carry its label, averaged over the classes that are there."""
    counts = _square(confusion)
    true = counts.sum(axis=1)
    return float((np.diag(counts)[true > 0] / true[true > 0]).mean())


def frequency_weighted_iou(confusion: ArrayLike) -> float:
    """Mean of :func:`class_iou`, each class weighing as much as it has voxels."""
    counts = _square(confusion)
    true = counts.sum(axis=1)
    return float((true[true > 0] * class_iou(counts)[true > 0]).sum() / true.sum())


def _square(confusion: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(confusion, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() <= 0:
        raise InvalidArgumentError(f"confusion must be a square matrix of counts, got shape {counts.shape}")
    return counts
