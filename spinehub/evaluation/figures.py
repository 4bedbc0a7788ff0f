"""From judgements to the figures of ``evaluation.json``, with bootstrap intervals over patients."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.case import DIAGNOSES
from spinehub.evaluation.judging import Judgement
from spinehub.metrics import (
    accuracy,
    auc,
    balanced_accuracy,
    bootstrap_interval,
    brier,
    calibration_slope_intercept,
    class_iou,
    frequency_weighted_iou,
    mean_iou,
    mean_pixel_accuracy,
    sensitivity,
    specificity,
)
from spinehub.models import Calibration
from spinehub.series import Regime

__all__ = ["answer_figures", "efficiency", "figure", "mask_figures"]

_RESAMPLES = 1000
_RESAMPLES_OF_FITS = 200
"""A calibration line is fitted anew in each resample, which takes its time."""

_Statistic = Callable[..., float]


def figure(
    statistic: _Statistic, *arrays: Any, groups: Sequence[str], resamples: int = _RESAMPLES
) -> dict[str, float | None]:
    """Value and 95 % interval over patients of a statistic, None where it is undefined."""
    value = float(statistic(*[np.asarray(array) for array in arrays]))
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None}
    low, high = bootstrap_interval(statistic, *arrays, groups=groups, n=resamples)
    return {"value": value, "low": _known(low), "high": _known(high)}


def answer_figures(
    rows: Sequence[Judgement],
    calibration: Calibration | Mapping[str, Calibration] | None,
    posterior: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Figures of the answers of one route in one regime.

    Parameters
    ----------
    rows
        All cases, also those without an answer.
    calibration
        Of the model: which classes stay possible; by ``case_id`` where each case was judged by another model.
    posterior
        Exact probability of ``primary_malignant`` of each simulated case by ``case_id``; None where there is none.

    Returns
    -------
    dict
        ``n``, ``n_answered`` and one figure per name; ``undecided_share`` and ``coverage`` are of the conformal sets,
        ``efficiency`` is (AUC - 0.5) / (AUC of the exact posterior on the same cases - 0.5).
    """
    answered = [row for row in rows if row.probability is not None]
    truth = np.array([row.label for row in answered], dtype=int)
    share = np.array([row.probability for row in answered], dtype=float)
    groups = [row.patient_id for row in answered]
    sets = _possible(answered, calibration)
    figures: dict[str, Any] = {"n": len(rows), "n_answered": len(answered)}
    plain: dict[str, tuple[_Statistic, tuple[NDArray[Any], ...]]] = {
        "auc": (auc, (truth, share)),
        "accuracy": (accuracy, (truth, share >= 0.5)),
        "balanced_accuracy": (balanced_accuracy, (truth, share >= 0.5)),
        "sensitivity": (sensitivity, (truth, share >= 0.5)),
        "specificity": (specificity, (truth, share >= 0.5)),
        "brier": (brier, (truth, share)),
        "undecided_share": (_mean, (sets.sum(axis=1) != 1,)),
        "coverage": (_mean, (sets[np.arange(len(truth)), truth],)),
    }
    for name, (statistic, arrays) in plain.items():
        figures[name] = figure(statistic, *arrays, groups=groups) if answered else _UNDEFINED
    if posterior is not None:
        exact = np.array([posterior[row.case_id] for row in answered])
        figures["efficiency"] = figure(efficiency, truth, share, exact, groups=groups) if answered else _UNDEFINED
    for place, name in enumerate(("calibration_slope", "calibration_intercept")):
        figures[name] = (
            figure(_line(place), truth, share, groups=groups, resamples=_RESAMPLES_OF_FITS) if answered else _UNDEFINED
        )
    return figures


def mask_figures(rows: Sequence[Judgement]) -> dict[str, Any]:
    """Figures of the masks of one route in one regime: means over cases."""
    overlaps = [row.overlap for row in rows if row.overlap is not None]
    groups = [row.patient_id for row in rows if row.overlap is not None]
    columns = {name: np.array([each[name] for each in overlaps]) for name in overlaps[0]} if overlaps else {}
    if not columns:
        return {}
    figures = {name: figure(_nan_mean, column, groups=groups) for name, column in columns.items()}
    both = (columns["pixel_accuracy"], columns["empty_mask_pixel_accuracy"])
    return figures | {"gap_closed": figure(_gap_closed, *both, groups=groups)} | _class_figures(rows)


def _class_figures(rows: Sequence[Judgement]) -> dict[str, Any]:
    """Figures of the voxels' classes, from the confusion matrices summed over cases; empty without classes."""
    counted = [row for row in rows if row.confusion is not None]
    if not counted:
        return {}
    counts = np.array([row.confusion for row in counted], dtype=np.float64).reshape(-1, 3, 3)
    groups = [row.patient_id for row in counted]
    statistics: dict[str, _Statistic] = {
        "mean_pixel_accuracy": mean_pixel_accuracy,
        "mean_iou": mean_iou,
        "frequency_weighted_iou": frequency_weighted_iou,
    }
    statistics |= {f"iou_{name}": _iou_of(k) for k, name in enumerate(("background", *DIAGNOSES))}
    return {name: figure(_summed(statistic), counts, groups=groups) for name, statistic in statistics.items()}


def _summed(statistic: _Statistic) -> _Statistic:
    return lambda counts: statistic(counts.sum(axis=0))


def _iou_of(k: int) -> _Statistic:
    return lambda confusion: float(class_iou(confusion)[k])


def efficiency(truth: NDArray[Any], share: NDArray[Any], posterior: NDArray[Any]) -> float:
    """Share of the exact posterior's AUC above chance that a route reaches; NaN where a class is missing."""
    best = auc(truth, posterior) - 0.5
    return (auc(truth, share) - 0.5) / best if best > 0 else float("nan")


_UNDEFINED: Mapping[str, None] = {"value": None, "low": None, "high": None}


def _possible(
    rows: Sequence[Judgement], calibration: Calibration | Mapping[str, Calibration] | None
) -> NDArray[np.bool_]:
    """``(n, 2)``: which classes stay possible."""
    sets = np.zeros((len(rows), 2), dtype=bool)
    for place, row in enumerate(rows):
        regime: Regime = row.regime
        own = calibration[row.case_id] if isinstance(calibration, Mapping) else calibration
        if own is None or row.probability is None or regime not in own.regimes:
            sets[place] = True
            continue
        for diagnosis in own.possible(row.probability, regime):
            sets[place, int(diagnosis == "primary_malignant")] = True
    return sets


def _line(place: int) -> _Statistic:
    return lambda truth, share: calibration_slope_intercept(truth, share)[place]


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values))


def _nan_mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _gap_closed(found: NDArray[np.float64], empty: NDArray[np.float64]) -> float:
    """Share of the gap between the empty mask's pixel accuracy and 1 that is closed, from the means over cases."""
    gap = 1.0 - empty.mean()
    return float((found.mean() - empty.mean()) / gap) if gap > 0 else float("nan")


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
