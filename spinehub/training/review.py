"""Look at a cohort before anything is trained on it: what forbids it, and what would make its figures worth little."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.case import DIAGNOSES
from spinehub.cohort import check_cohort
from spinehub.errors import SpineHubError
from spinehub.io import CohortRow, inspect_series, read_mask
from spinehub.metrics import auc, bootstrap_interval
from spinehub.simulate import CaseRecipe

__all__ = ["CohortReview", "review_cohort", "review_recipes"]

_SHORTCUT = 0.6
"""A fact that tells the classes apart better than this, beyond chance, is named."""
_CALIBRATION_SHARE = 0.2
_LEAST_CALIBRATION = 9
"""Cases of a class below which a class-conditional set of 90 % coverage holds everything: 1 / (1 - 0.9) - 1."""
_LATE_S = 270.0
"""Wash-out is read 240 s after arrival, which comes some 30 s after the start."""
_RESAMPLES = 500
_LEAST_RECIPES = 2


@dataclass(frozen=True)
class CohortReview:
    """What was found.

    Parameters
    ----------
    problems
        Sentences; each forbids training.
    notes
        Sentences; each says what a figure from this cohort may not mean.
    shortcuts
        AUC of single facts that need no image of the lesion, in the better direction, with 95 % intervals.
    counts
        Cases and patients of each class.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    shortcuts: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "problems": list(self.problems),
            "notes": list(self.notes),
            "shortcuts": {name: dict(figure) for name, figure in self.shortcuts.items()},
            "counts": {name: dict(count) for name, count in self.counts.items()},
        }

    def lines(self) -> list[str]:
        """Everything for people, one line each."""
        found = [f"{name}: {count['cases']} cases, {count['patients']} patients" for name, count in self.counts.items()]
        found += [f"problem: {text}" for text in self.problems]
        found += [f"note: {text}" for text in self.notes]
        found += [
            f"{name} alone: AUC {figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"
            for name, figure in self.shortcuts.items()
        ]
        return found


def review_cohort(rows: Sequence[CohortRow]) -> CohortReview:
    """Check files, grids, times, patients and class counts, and look for shortcuts.

    Parameters
    ----------
    rows
        From :func:`spinehub.io.read_cohort`.
    """
    facts = _facts(rows)
    shortcuts = dict(_shortcuts(rows, facts))
    counts: dict[str, dict[str, int]] = {
        diagnosis: {
            "cases": sum(row.diagnosis == diagnosis for row in rows),
            "patients": len({row.patient_id for row in rows if row.diagnosis == diagnosis}),
        }
        for diagnosis in DIAGNOSES
    }
    notes = [*_patient_notes(rows), *_size_notes(counts), *_time_notes(rows, facts), *_shortcut_notes(shortcuts)]
    problems = (*check_cohort(rows), *_shared_files(rows))
    return CohortReview(problems, tuple(notes), shortcuts, counts)


def review_recipes(recipes: Sequence[CaseRecipe]) -> CohortReview:
    """What is true of simulated cases that are rendered as they are needed: there are no files to be wrong."""
    counts: dict[str, dict[str, int]] = {}
    problems = []
    for diagnosis in DIAGNOSES:
        count = sum(recipe.diagnosis == diagnosis for recipe in recipes)
        counts[diagnosis] = {"cases": count, "patients": count}
        if count < _LEAST_RECIPES:
            problems.append(f"class {diagnosis} has {count} recipe(s); at least {_LEAST_RECIPES} are needed")
    return CohortReview(tuple(problems), tuple(_size_notes(counts)), {}, counts)


def _facts(rows: Sequence[CohortRow]) -> dict[str, NDArray[np.float64]]:
    """Facts of each case that no diagnosis should follow from; NaN where not known."""
    table = np.array([_facts_of(row) for row in rows], dtype=np.float64).reshape(len(rows), len(_FACTS))
    return {name: table[:, place] for place, name in enumerate(_FACTS)}


_FACTS = ("age", "lesion size", "level", "file size", "frames", "voxel size", "sex", "last frame time")


def _facts_of(row: CohortRow) -> list[float]:
    known = dict.fromkeys(_FACTS, float("nan"))
    known["age"] = float("nan") if row.age_years is None else row.age_years
    known["sex"] = {"female": 0.0, "male": 1.0}.get(row.sex or "", float("nan"))
    known["level"] = _level(row.extra.get("level") or "")
    try:
        header, times_s = inspect_series(row.series)
        known["file size"] = float(row.series.stat().st_size)
        known["frames"] = float(header.frame_count)
        known["voxel size"] = float(np.prod(header.grid.spacing_mm))
        known["last frame time"] = float("nan") if times_s is None else float(times_s[-1])
        if row.lesion_mask is not None:
            known["lesion size"] = read_mask(row.lesion_mask, header.grid).volume_ml
    except (SpineHubError, OSError):  # named among the problems
        return [known[name] for name in _FACTS]
    return [known[name] for name in _FACTS]


def _level(text: str) -> float:
    """Place of a vertebra such as T7 from the head down; NaN where it is not of this form."""
    regions = {"C": 0, "T": 7, "L": 19, "S": 24}
    if text[:1] not in regions or not text[1:].isdigit():
        return float("nan")
    return float(regions[text[0]] + int(text[1:]))


def _shortcuts(
    rows: Sequence[CohortRow], facts: Mapping[str, NDArray[np.float64]]
) -> Iterator[tuple[str, dict[str, float]]]:
    truth = np.array([row.diagnosis == DIAGNOSES[1] for row in rows], dtype=int)
    patients = np.array([row.patient_id for row in rows])
    for name, values in facts.items():
        known = np.isfinite(values)
        if np.unique(truth[known]).size < 2:
            continue
        signed = values[known] if auc(truth[known], values[known]) >= 0.5 else -values[known]
        low, high = bootstrap_interval(auc, truth[known], signed, groups=patients[known], n=_RESAMPLES)
        yield name, {"value": auc(truth[known], signed), "low": low, "high": high}


def _shortcut_notes(shortcuts: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for name, figure in shortcuts.items():
        if figure["value"] >= _SHORTCUT and figure["low"] > 0.5:
            yield (
                f"{name} alone tells the classes apart with AUC {figure['value']:.2f}; a model can use it as a "
                "shortcut, so match the classes for it or report this figure beside every score"
            )


def _shared_files(rows: Sequence[CohortRow]) -> Iterator[str]:
    """One file under two names would lie on both sides of a split."""
    owners: dict[Any, list[CohortRow]] = {}
    for row in rows:
        owners.setdefault(row.series.resolve(), []).append(row)
    for shared in owners.values():
        if len({row.patient_id for row in shared}) > 1:
            names = ", ".join(row.case_id for row in shared)
            yield f"cases {names} have the same series but different patients; give them one patient_id"


def _patient_notes(rows: Sequence[CohortRow]) -> Iterator[str]:
    repeated = [patient for patient, count in Counter(row.patient_id for row in rows).items() if count > 1]
    if repeated:
        yield (
            f"{len(repeated)} patients have more than one row (such as {repeated[0]}); all rows of a patient stay on "
            "one side of every split"
        )


def _size_notes(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    least = min(count["patients"] for count in counts.values())
    if least == 0:
        return
    held_out = int(_CALIBRATION_SHARE * least)
    if held_out < _LEAST_CALIBRATION:
        yield (
            f"about {held_out} patients of the smaller class are left for calibration; below {_LEAST_CALIBRATION} "
            "every answer of a network stays undecided, since no smaller set can keep 90 % of a class"
        )
    error = _auc_error(0.75, least)
    if error > 0.03:
        yield (
            f"with {least} patients of the smaller class an AUC of 0.75 is known to plus or minus "
            f"{1.96 * error:.2f} at best, when all of them are scored out of fold"
        )
    most = max(count["patients"] for count in counts.values())
    if most > 3 * least:
        yield f"one class has {most / least:.1f} times the patients of the other; probabilities are for equal priors"


def _auc_error(area: float, patients: int) -> float:
    """Standard error of an AUC for so many patients of each class (Hanley and McNeil 1982)."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (patients - 1) * (first + second - 2 * area**2)
    return float(np.sqrt(spread)) / patients


def _time_notes(rows: Sequence[CohortRow], facts: Mapping[str, NDArray[np.float64]]) -> Iterator[str]:
    short = [row for row, end in zip(rows, facts["last frame time"], strict=True) if end < _LATE_S]
    if short:
        yield (
            f"{len(short)} series end before {_LATE_S:.0f} s (such as {short[0].case_id}); the wash-out of these may "
            "not be measurable, and the rule leaves them out"
        )
