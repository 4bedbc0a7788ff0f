"""Routes beside each other and cases apart: subgroups, paired differences, agreement, decision curve."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import REGIMES
from spinehub.evaluation.figures import figure
from spinehub.evaluation.judging import GROWING, Judgement
from spinehub.metrics import accuracy, auc, net_benefit, paired_difference
from spinehub.report import ROUTES

__all__ = ["agreement", "decision_curve", "differences", "subgroups", "worst_histology"]

_RESAMPLES = 500
_LEAST = 5
"""Fewer patients make no subgroup."""
_AGES = ((0.0, 40.0, "under 40 years"), (40.0, 60.0, "40 to 59 years"), (60.0, np.inf, "60 years and over"))
_SIZES = ((0.0, 5.0, "under 5 ml"), (5.0, 20.0, "5 to 20 ml"), (20.0, np.inf, "20 ml and over"))
_REGIONS = {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral"}
_THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))


def subgroups(rows: Sequence[Judgement]) -> dict[str, dict[str, Any]]:
    """Figures of the answers of one route in one regime, by histology, level, age, size and field strength.

    Parameters
    ----------
    rows
        Judgements of one route, regime and mask source.

    Returns
    -------
    dict
        Kind of subgroup to its name to ``n``, ``n_answered``, ``accuracy`` and ``auc``. A histology belongs to one
        class: its ``auc`` is that of telling it from every case of the other class, its ``accuracy`` that of its own
        cases.
    """
    found: dict[str, dict[str, Any]] = {}
    for kind, name_of in _KINDS.items():
        members: dict[str, list[Judgement]] = defaultdict(list)
        for row in rows:
            name = name_of(row)
            if name is not None:
                members[name].append(row)
        found[kind] = {
            name: _group_figures(kind, own, rows)
            for name, own in sorted(members.items())
            if len({row.patient_id for row in own}) >= _LEAST
        }
    return {kind: groups for kind, groups in found.items() if groups}


def _group_figures(kind: str, own: Sequence[Judgement], everyone: Sequence[Judgement]) -> dict[str, Any]:
    answered = [row for row in own if row.probability is not None]
    other = [row for row in everyone if row.label != own[0].label and row.probability is not None]
    ranked = [*answered, *other] if kind == "histology" else answered
    figures: dict[str, Any] = {"n": len(own), "n_answered": len(answered)}
    for name, statistic, members in (("accuracy", _accuracy, answered), ("auc", auc, ranked)):
        if answered:
            truth, share = _columns(members)
            groups = [row.patient_id for row in members]
            figures[name] = figure(statistic, truth, share, groups=groups, resamples=_RESAMPLES)
        else:
            figures[name] = {"value": None, "low": None, "high": None}
    return figures


def worst_histology(groups: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Histology of the lowest accuracy among :func:`subgroups`; None where none is known."""
    known = {
        name: figures["accuracy"]["value"]
        for name, figures in groups.get("histology", {}).items()
        if figures["accuracy"]["value"] is not None
    }
    return min(known, key=lambda name: known[name]) if known else None


def differences(judgements: Sequence[Judgement]) -> dict[str, list[dict[str, Any]]]:
    """Paired comparison of every two routes: difference of AUC on the cases both answered, end to end.

    Returns
    -------
    dict
        Regime to a list of ``first``, ``second``, ``n``, ``value`` (first minus second), ``low``, ``high`` and
        ``p_value``. The p values are not corrected for their number.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for regime in REGIMES:
        answers = _answers(judgements, regime)
        for first, second in combinations(answers, 2):
            shared = [case for case in answers[first] if case in answers[second]]
            truth = np.array([answers[first][case].label for case in shared], dtype=int)
            if np.unique(truth).size < 2:
                continue
            shares = [np.array([answers[route][case].probability for case in shared]) for route in (first, second)]
            groups = [answers[first][case].patient_id for case in shared]
            result = paired_difference(auc, truth, *shares, groups=groups, n=1000)
            found.setdefault(regime, []).append(
                {"first": first, "second": second, "n": len(shared), "value": result.value}
                | {name: _known(getattr(result, name)) for name in ("low", "high", "p_value")}
            )
    return found


def agreement(judgements: Sequence[Judgement]) -> dict[str, list[dict[str, Any]]]:
    """How often the class that most routes lean to is right, by how many of those that answered lean to it.

    Returns
    -------
    dict
        Regime to a list of ``answered`` (routes with a probability), ``agree`` (of these, how many lean to the class
        most lean to), ``cases`` and ``accuracy``. A tie leans to no class and is left out. Routes that learned from
        one simulator share its mistakes: this is why accuracy is measured and not multiplied.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for regime in REGIMES:
        leaning: dict[str, list[Judgement]] = defaultdict(list)
        for route, answers in _answers(judgements, regime).items():
            for case, row in answers.items():
                if route in ROUTES:
                    leaning[case].append(row)
        groups: dict[tuple[int, int], list[tuple[Judgement, bool]]] = defaultdict(list)
        for rows in leaning.values():
            primary = sum((row.probability or 0.0) >= 0.5 for row in rows)
            most = max(primary, len(rows) - primary)
            if 2 * most > len(rows):
                groups[len(rows), most].append((rows[0], (2 * primary > len(rows)) == bool(rows[0].label)))
        for (answered, agree), members in sorted(groups.items(), reverse=True):
            right = np.array([correct for _, correct in members], dtype=float)
            patients = [row.patient_id for row, _ in members]
            share = figure(_mean, right, groups=patients)
            found.setdefault(regime, []).append(
                {"answered": answered, "agree": agree, "cases": len(members), "accuracy": share}
            )
    return found


def decision_curve(rows: Sequence[Judgement]) -> list[dict[str, float]]:
    """Net benefit of acting on one route's answers at each threshold, at equal priors.

    Returns
    -------
    list of dict
        ``threshold``, ``model`` and ``everyone`` (acting on every case); acting on nobody has 0. Empty where a class
        has no answer.
    """
    answered = [row for row in rows if row.probability is not None]
    truth, share = _columns(answered)
    if np.unique(truth).size < 2:
        return []
    return [
        {
            "threshold": threshold,
            "model": net_benefit(truth, share, threshold),
            "everyone": net_benefit(truth, np.ones_like(share), threshold),
        }
        for threshold in _THRESHOLDS
    ]


def _answers(judgements: Sequence[Judgement], regime: str) -> dict[str, dict[str, Judgement]]:
    """Route to case to judgement, end to end, where there is a probability."""
    found: dict[str, dict[str, Judgement]] = defaultdict(dict)
    for row in judgements:
        shown = (row.regime, row.mask_source) == (regime, "end_to_end") and row.route != GROWING
        if shown and row.probability is not None:
            found[row.route][row.case_id] = row
    return found


def _columns(rows: Sequence[Judgement]) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    return np.array([row.label for row in rows], dtype=int), np.array([row.probability for row in rows], dtype=float)


def _accuracy(truth: NDArray[np.int_], share: NDArray[np.float64]) -> float:
    return accuracy(truth, share >= 0.5)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _band(value: float | None, bands: Sequence[tuple[float, float, str]]) -> str | None:
    return None if value is None else next((name for low, high, name in bands if low <= value < high), None)


def _field(row: Judgement) -> str | None:
    return None if row.field_strength_t is None else f"{row.field_strength_t:g} T"


_KINDS: Mapping[str, Callable[[Judgement], str | None]] = {
    "histology": lambda row: row.histology,
    "level": lambda row: None if not row.level else _REGIONS.get(row.level[0]),
    "age": lambda row: _band(row.age_years, _AGES),
    "size": lambda row: _band(row.volume_ml, _SIZES),
    "field": _field,
}
