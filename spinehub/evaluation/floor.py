"""What stands beside every route: the exact posterior above it, single facts below it, the grown region's overlap."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spinehub.case import DIAGNOSES
from spinehub.cohort import exact_posterior
from spinehub.errors import InvalidArgumentError
from spinehub.evaluation.figures import figure, mask_figures
from spinehub.evaluation.judging import GROWING, Judgement
from spinehub.evaluation.sources import recipe_of
from spinehub.io import CohortRow
from spinehub.metrics import auc

__all__ = ["CEILING", "baselines", "exact_posteriors"]

CEILING = "ceiling: exact posterior of the simulator"
_LEVELS = tuple(
    f"{region}{number}" for region, count in (("C", 7), ("T", 12), ("L", 5), ("S", 5)) for number in range(1, count + 1)
)


def exact_posteriors(rows: Sequence[CohortRow]) -> dict[str, float] | None:
    """Exact probability of ``primary_malignant`` given what each simulated case shows, by ``case_id``.

    None where a case was not simulated, or by another version of the simulator.
    """
    found = {}
    for row in rows:
        try:
            found[row.case_id] = exact_posterior(recipe_of(row) or {})
        except InvalidArgumentError:
            return None
    return found


def baselines(
    judgements: Sequence[Judgement], rows: Sequence[CohortRow], posterior: Mapping[str, float] | None
) -> dict[str, Any]:
    """Grown region, single facts and ceiling, each with its figures.

    The AUC of a single fact is taken in the better direction on these very cases, so that it is a little too high:
    in the matched cohort it must still stay near 0.5.
    """
    grown = [row for row in judgements if row.route == GROWING and row.regime == "dynamic"]
    grown = grown or [row for row in judgements if row.route == GROWING]
    found: dict[str, Any] = {"region growing from one click": mask_figures(grown)}
    size = {row.case_id: row.volume_ml for row in grown}
    facts: dict[str, Callable[[CohortRow], float]] = {
        "age alone": lambda row: np.nan if row.age_years is None else row.age_years,
        "level alone": lambda row: _place(row.extra.get("level")),
        "size alone": lambda row: size.get(row.case_id, np.nan),
    }
    truth = np.array([DIAGNOSES.index(row.diagnosis) for row in rows])
    patients = np.array([row.patient_id for row in rows])
    for name, value_of in facts.items():
        column = np.array([value_of(row) for row in rows], dtype=float)
        known = np.isfinite(column)
        if known.sum() >= 2 and np.unique(truth[known]).size == 2:
            signed = column if auc(truth[known], column[known]) >= 0.5 else -column
            found[name] = {"auc": figure(auc, truth[known], signed[known], groups=patients[known].tolist())}
    if posterior is not None:
        exact = [posterior[row.case_id] for row in rows]
        found[CEILING] = {"auc": figure(auc, truth, exact, groups=patients.tolist())}
    return {name: figures for name, figures in found.items() if figures}


def _place(level: str | None) -> float:
    """Number of a vertebra counted from the head; NaN where it is not known."""
    return float(_LEVELS.index(level)) if level in _LEVELS else float("nan")
