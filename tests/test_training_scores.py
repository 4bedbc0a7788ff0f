"""Calibration of a network on the cases it would answer."""

from dataclasses import replace

import numpy as np
import pytest

from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter, fit_calibration
from spinehub.series import Regime
from spinehub.training.scores import LesionScores, calibrate

TINY = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}


def scores(count: int, share: float, informed: bool, seed: int, regime: Regime = "dynamic") -> LesionScores:
    """Cases of both classes whose log-odds are right, or say nothing."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0.0, 1.5, count)
    label = (rng.random(count) < (1.0 / (1.0 + np.exp(-score)) if informed else 0.5)).astype(np.int64)
    names = tuple(f"{regime}-{seed}-{k}" for k in range(count))
    activations = rng.normal(size=(count, 4)).astype(np.float32)
    return LesionScores(score, label, (regime,) * count, np.full(count, share), activations, names, names)


def joined(one: LesionScores, other: LesionScores) -> LesionScores:
    return LesionScores(
        np.concatenate([one.score, other.score]),
        np.concatenate([one.label, other.label]),
        one.regime + other.regime,
        np.concatenate([one.lesion_share, other.lesion_share]),
        np.concatenate([one.activations, other.activations]),
        one.case_id + other.case_id,
        one.patient_id + other.patient_id,
    )


@pytest.fixture
def segmenter() -> LesionSegmenter:
    return LesionSegmenter.create(PreprocessingSpec(size=32), **TINY)


def test_cases_that_get_no_answer_do_not_make_the_answers_timid(segmenter: LesionSegmenter) -> None:
    seen, unseen = scores(300, 0.8, True, 1), scores(200, 0.1, False, 2)
    calibrate(segmenter, joined(seen, unseen), seen)
    alone = fit_calibration(seen.score, seen.label, seen.regime)
    assert segmenter.calibration is not None
    assert segmenter.calibration.regimes == alone.regimes
    both = fit_calibration(*(np.concatenate([getattr(s, n) for s in (seen, unseen)]) for n in ("score", "label")),
                           seen.regime + unseen.regime)  # fmt: skip
    assert both.regimes["dynamic"].slope < 0.8 * alone.regimes["dynamic"].slope


def test_a_regime_with_too_few_answers_keeps_all_of_its_cases(segmenter: LesionSegmenter) -> None:
    seen, blind = scores(300, 0.8, True, 1), scores(60, 0.1, True, 2, "single")
    few = replace(blind, lesion_share=np.where(np.arange(60) < 20, 0.9, 0.1))
    calibrate(segmenter, joined(seen, few), seen)
    assert segmenter.calibration is not None
    assert (
        segmenter.calibration.regimes["single"] == fit_calibration(few.score, few.label, few.regime).regimes["single"]
    )
