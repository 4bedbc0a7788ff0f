"""How good a mask or an answer is: overlap, distances in mm, discrimination, calibration, intervals over patients.

Order of arguments as in scikit-learn: what is true first. Class labels are 0 and 1; 1 is the positive class, which is
``primary_malignant`` everywhere in spinehub. A figure that is undefined (no positive case, say) is NaN, never a guess.
"""

from spinehub.metrics.answers import (
    accuracy,
    auc,
    balanced_accuracy,
    brier,
    calibration_slope_intercept,
    net_benefit,
    sensitivity,
    specificity,
)
from spinehub.metrics.expected import brier_regret, expected_brier
from spinehub.metrics.intervals import PairedDifference, bootstrap_interval, paired_difference
from spinehub.metrics.masks import (
    dice,
    empty_mask_pixel_accuracy,
    gap_closed,
    hd95_mm,
    iou,
    pixel_accuracy,
    surface_distance_mm,
    volume_error,
)
from spinehub.metrics.reliability import intraclass_correlation
from spinehub.metrics.segmentation import (
    class_iou,
    confusion_matrix,
    frequency_weighted_iou,
    mean_iou,
    mean_pixel_accuracy,
)

__all__ = [
    "PairedDifference",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "bootstrap_interval",
    "brier",
    "brier_regret",
    "calibration_slope_intercept",
    "class_iou",
    "confusion_matrix",
    "dice",
    "empty_mask_pixel_accuracy",
    "expected_brier",
    "frequency_weighted_iou",
    "gap_closed",
    "hd95_mm",
    "intraclass_correlation",
    "iou",
    "mean_iou",
    "mean_pixel_accuracy",
    "net_benefit",
    "paired_difference",
    "pixel_accuracy",
    "sensitivity",
    "specificity",
    "surface_distance_mm",
    "volume_error",
]
