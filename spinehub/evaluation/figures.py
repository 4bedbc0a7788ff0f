"""From judgements to the figures of ``evaluation.json``, with bootstrap intervals over patients."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.evaluation.judging import Judgement
from spinehub.metrics import (
    accuracy,
    auc,
    balanced_accuracy,
    bootstrap_interval,
    brier,
    calibration_slope_intercept,
    sensitivity,
    specificity,
)
from spinehub.models import Calibration
from spinehub.series import Regime

__all__ = ["answer_figures", "figure", "mask_figures"]

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


def answer_figures(rows: Sequence[Judgement], calibration: Calibration | None) -> dict[str, Any]:
    """Figures of the answers of one route in one regime.

    Parameters
    ----------
    rows
        All cases, also those without an answer.
    calibration
        Of the model: which classes stay possible.

    Returns
    -------
    dict
        ``n``, ``n_answered`` and one figure per name; ``undecided_share`` and ``coverage`` are of the conformal sets.
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
    return figures | {"gap_closed": figure(_gap_closed, *both, groups=groups)}


_UNDEFINED: Mapping[str, None] = {"value": None, "low": None, "high": None}


def _possible(rows: Sequence[Judgement], calibration: Calibration | None) -> NDArray[np.bool_]:
    """``(n, 2)``: which classes stay possible."""
    sets = np.zeros((len(rows), 2), dtype=bool)
    for place, row in enumerate(rows):
        regime: Regime = row.regime
        if calibration is None or row.probability is None or regime not in calibration.regimes:
            sets[place] = True
            continue
        for diagnosis in calibration.possible(row.probability, regime):
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
