"""Fit the two small models, rule and radiomics, on the tables of prepared cases."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import REGIMES, PreparedCase
from spinehub.errors import InvalidArgumentError
from spinehub.features import FeatureRow
from spinehub.models import HotspotRule, RadiomicsClassifier
from spinehub.models.feature_fitting import fit_radiomics
from spinehub.models.hotspot_fitting import fit_rule
from spinehub.series import Protocol, Regime

__all__ = ["Scores", "feature_row", "train_radiomics", "train_rule"]

Scores: TypeAlias = dict[Regime, dict[str, float]]
"""Log-odds by regime and ``case_id``, not calibrated; NaN where there is none."""


def train_rule(cases: Sequence[PreparedCase], seed: int) -> tuple[HotspotRule, Scores]:
    """Fit the two-parameter rule on the dynamic cases.

    Calibration uses out-of-fold scores, so every case is both learned from and calibrated on.

    Returns
    -------
    tuple
        The rule, and the out-of-fold log-odds of each case by regime and ``case_id``.
    """
    used = [case for case in cases if "dynamic" in case.tables]
    parameters = [case.tables["dynamic"]["parameters"] for case in used]
    fit = fit_rule(
        _column(parameters, "early_enhancement"),
        _column(parameters, "washout"),
        [case.label for case in used],
        [case.patient_id for case in used],
        protocols=[Protocol(**case.facts["protocol"]) for case in used],
        frame_intervals_s=[_interval(case) for case in used],
        seed=seed,
    )
    return fit.rule, {"dynamic": _by_case(used, fit.log_odds)}


def train_radiomics(cases: Sequence[PreparedCase], seed: int) -> tuple[RadiomicsClassifier, Scores]:
    """Fit one radiomics model per regime; calibrated on out-of-fold scores, which are returned beside it."""
    regimes: list[Regime] = [regime for regime in REGIMES if all(regime in case.tables for case in cases)]
    if not regimes:
        raise InvalidArgumentError("cases must share at least one regime to be learned from, got none")
    rows = {regime: [feature_row(case.tables[regime]["features"]) for case in cases] for regime in regimes}
    again = {regime: [_again(case.tables[regime]) for case in cases] for regime in regimes}
    labels, patients = [case.label for case in cases], [case.patient_id for case in cases]
    # The posterior of a simulated lesion says more than its label, which is drawn from it; see PreparedCase.target.
    targets = [case.label if case.posterior is None else case.posterior for case in cases]
    fit = fit_radiomics(rows, labels, patients, targets=targets, repeats=again, seed=seed)
    return fit.classifier, {regime: _by_case(cases, scores) for regime, scores in fit.log_odds.items()}


def _again(table: dict[str, Any]) -> FeatureRow | None:
    return feature_row(table["features_again"]) if "features_again" in table else None


def _by_case(cases: Sequence[PreparedCase], scores: NDArray[np.float64]) -> dict[str, float]:
    return {case.case_id: float(score) for case, score in zip(cases, scores, strict=True)}


def _column(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if row[name] is None else float(row[name]) for row in rows]


def _interval(case: PreparedCase) -> float:
    interval = case.facts["frame_interval_s"]
    return float("nan") if interval is None else float(interval)


def feature_row(features: dict[str, Any]) -> FeatureRow:
    """Row of features from its JSON form in a prepared table; NaN for None."""
    values = tuple(float(np.nan) if value is None else float(value) for value in features["values"])
    return FeatureRow(tuple(features["names"]), values, dict(features["provenance"]))
