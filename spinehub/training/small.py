"""Fit the two small models, rule and radiomics, on the tables of prepared cases."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from spinehub.dataset import REGIMES, PreparedCase
from spinehub.errors import InvalidArgumentError
from spinehub.features import FeatureRow
from spinehub.models import HotspotRule, RadiomicsClassifier
from spinehub.models.feature_fitting import fit_radiomics
from spinehub.models.hotspot_fitting import fit_rule
from spinehub.series import Protocol, Regime

__all__ = ["train_radiomics", "train_rule"]


def train_rule(cases: Sequence[PreparedCase], seed: int) -> HotspotRule:
    """Fit the two-parameter rule on the dynamic cases.

    Calibration uses out-of-fold scores, so every case is both learned from and calibrated on.
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
    return fit.rule


def train_radiomics(cases: Sequence[PreparedCase], seed: int) -> RadiomicsClassifier:
    """Fit one radiomics model per regime; calibrated on out-of-fold scores."""
    regimes: list[Regime] = [regime for regime in REGIMES if all(regime in case.tables for case in cases)]
    if not regimes:
        raise InvalidArgumentError("cases must share at least one regime to be learned from, got none")
    rows = {regime: [_row(case.tables[regime]["features"]) for case in cases] for regime in regimes}
    return fit_radiomics(rows, [case.label for case in cases], [case.patient_id for case in cases], seed=seed)


def _column(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if row[name] is None else float(row[name]) for row in rows]


def _interval(case: PreparedCase) -> float:
    interval = case.facts["frame_interval_s"]
    return float("nan") if interval is None else float(interval)


def _row(features: dict[str, Any]) -> FeatureRow:
    values = tuple(float(np.nan) if value is None else float(value) for value in features["values"])
    return FeatureRow(tuple(features["names"]), values, dict(features["provenance"]))
