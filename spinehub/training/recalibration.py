"""Fit calibration and limits of a finished model anew on a cohort of one's own; its weights stay as they are."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spinehub.dataset import REGIMES, PreparedCase
from spinehub.errors import InvalidArgumentError
from spinehub.features import FeatureRow
from spinehub.models import HotspotRule, RadiomicsClassifier, fit_calibration
from spinehub.models.protocol import ProtocolRange
from spinehub.series import Protocol, Regime
from spinehub.training.small import feature_row

__all__ = ["recalibrate", "recalibrate_network"]


def recalibrate(model: HotspotRule | RadiomicsClassifier, cases: Sequence[PreparedCase]) -> Any:
    """Rule or radiomics model with a calibration fitted on these cases.

    A rule also takes over their protocols, since its probabilities then hold for them and no longer for others.

    Raises
    ------
    InvalidArgumentError
        If the model can score none of the cases, or only cases of one class.
    """
    if isinstance(model, HotspotRule):
        return _rule(model, cases)
    classifier = _radiomics(model, cases)
    other = model.without_washout
    return replace(classifier, without_washout=None if other is None else _radiomics(other, cases))


def _rule(rule: HotspotRule, cases: Sequence[PreparedCase]) -> HotspotRule:
    scored: list[tuple[PreparedCase, float]] = []
    for case in cases:
        parameters = case.tables.get("dynamic", {}).get("parameters", {})
        values = [parameters.get(name) for name in ("early_enhancement", "washout")]
        if None not in values:
            scored.append((case, rule.score(*values)))
    _require(scored, "both hot-spot parameters")
    calibration = fit_calibration(
        [score for _, score in scored],
        [case.label for case, _ in scored],
        ["dynamic"] * len(scored),
        coverage=rule.calibration.coverage,
    )
    protocols = [Protocol(**case.facts["protocol"]) for case, _ in scored]
    intervals = [float(case.facts["frame_interval_s"]) for case, _ in scored]
    return replace(rule, calibration=calibration, protocol=ProtocolRange.of(protocols, intervals))


def _radiomics(classifier: RadiomicsClassifier, cases: Sequence[PreparedCase]) -> RadiomicsClassifier:
    scores: list[float] = []
    labels: list[int] = []
    regimes: list[Regime] = []
    for regime, model in classifier.models.items():
        for case in cases:
            row = _features(case, regime)
            score = float("nan") if row is None else model.score(row.select(model.names))
            if np.isfinite(score):
                scores.append(score)
                labels.append(case.label)
                regimes.append(regime)
    _require(scores, "the features of the model")
    calibration = fit_calibration(scores, labels, regimes, coverage=classifier.calibration.coverage)
    served = {regime: model for regime, model in classifier.models.items() if regime in calibration.regimes}
    return replace(classifier, models=served, calibration=calibration)


def _features(case: PreparedCase, regime: Regime) -> FeatureRow | None:
    return feature_row(case.tables[regime]["features"]) if regime in case.tables else None


def _require(scored: Sequence[Any], what: str) -> None:
    if not scored:
        raise InvalidArgumentError(f"cases must have {what} to be calibrated on, got none that has")


def recalibrate_network(model: Any, cases: Sequence[PreparedCase]) -> dict[str, object]:
    """Calibration, domain and limits of a network from these cases, none of which it was fitted on; changed in place.

    Returns
    -------
    dict
        Record, as :func:`spinehub.training.scores.calibrate`.
    """
    from spinehub.models import LesionSegmenter
    from spinehub.training.classifier import classifier_scores
    from spinehub.training.scores import calibrate
    from spinehub.training.segmenter import segmenter_scores

    scores = segmenter_scores(model, cases) if isinstance(model, LesionSegmenter) else classifier_scores(model, cases)
    before = model.domain
    record = calibrate(model, scores, scores)
    if model.domain is None:  # too few cases to describe where they lie: what was known stays
        model.domain = before
    return record | {"regimes": [regime for regime in REGIMES if regime in scores.regimes]}
