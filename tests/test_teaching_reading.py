"""Scores of readings: true by construction, and by a lottery that is played."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinehub.errors import InvalidArgumentError
from spinehub.metrics import brier, brier_regret, expected_brier
from spinehub.teaching import ANSWERS, Reading, points_lost, probability_said, tally, teaching_cases
from spinehub.teaching.reading import GOOD_POINTS

SHARES = st.floats(0.0, 1.0)


@given(SHARES, SHARES)
def test_nothing_beats_the_posterior(posterior: float, said: float) -> None:
    best = expected_brier(posterior, posterior)
    assert best == pytest.approx(posterior * (1 - posterior))
    assert expected_brier(posterior, said) >= best - 1e-12
    assert brier_regret(posterior, said) == pytest.approx((said - posterior) ** 2, abs=1e-12)


@given(SHARES, SHARES)
def test_both_classes_are_treated_alike(posterior: float, said: float) -> None:
    assert brier_regret(posterior, said) == pytest.approx(brier_regret(1 - posterior, 1 - said), abs=1e-12)


def test_the_expected_score_is_the_mean_brier_score_of_many_such_cases(rng: np.random.Generator) -> None:
    truth = rng.random(200_000) < 0.3
    for said in (0.0, 0.3, 0.8):
        assert expected_brier(0.3, said) == pytest.approx(brier(truth, np.full(truth.size, said)), abs=0.005)


def test_a_case_of_which_the_label_is_certain_has_its_brier_score() -> None:
    assert expected_brier(1.0, 0.8) == pytest.approx(brier([1], [0.8]))
    assert expected_brier(0.0, 0.8) == pytest.approx(brier([0], [0.8]))


@pytest.mark.parametrize(("posterior", "said"), [(1.2, 0.5), (0.5, -0.1), (float("nan"), 0.5), (0.5, 80.0)])
def test_what_is_no_probability_is_refused(posterior: float, said: float) -> None:
    with pytest.raises(InvalidArgumentError, match=r"0 to 1"):
        expected_brier(posterior, said)


def test_nobody_is_wrong_on_an_undecidable_case() -> None:
    for answer in ("metastasis", "primary_malignant"):
        assert points_lost(0.5, probability_said(answer, 0.55)) < GOOD_POINTS
        assert points_lost(0.5, probability_said(answer, 1.0)) == pytest.approx(25.0)
    assert points_lost(0.5, probability_said("undecidable")) == 0.0


def test_certainty_pays_on_a_certain_case_only() -> None:
    assert points_lost(1.0, probability_said("primary_malignant", 1.0)) == 0.0
    assert points_lost(1.0, probability_said("metastasis", 1.0)) == pytest.approx(100.0)
    assert points_lost(1.0, probability_said("undecidable")) == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("posterior", "said", "points"), [(0.5, 0.5, 0), (0.5, 1, 25), (0.99, 0.8, 4), (0.99, 0.5, 24), (0.99, 0, 98)]
)
def test_the_examples_of_the_docs(posterior: float, said: float, points: int) -> None:
    assert round(points_lost(posterior, said)) == points


def test_confidence_becomes_a_probability_of_a_primary_tumour() -> None:
    assert probability_said("primary_malignant", 0.8) == 0.8
    assert probability_said("metastasis", 0.8) == pytest.approx(0.2)
    assert probability_said("undecidable", 0.9) == 0.5
    assert probability_said("neither", 0.9) is None
    with pytest.raises(InvalidArgumentError, match="name the other class"):
        probability_said("metastasis", 0.3)
    with pytest.raises(InvalidArgumentError, match="choose one"):
        probability_said(None)  # type: ignore[arg-type]


def test_a_lesion_of_neither_class_has_no_score_but_can_be_recognised() -> None:
    for answer in ANSWERS:
        reading = Reading(6, answer, probability_said(answer), None, 0.5)
        assert reading.lost is None
        assert reading.recognised == (answer == "neither")
    assert Reading(1, "neither", None, 0.1, 0.5).lost is None
    assert Reading(1, "neither", None, 0.1, 0.5).recognised is None


def test_the_tally_holds_means_of_what_can_be_scored() -> None:
    readings = (
        Reading(1, "metastasis", 0.1, 0.1, 0.8, {"unet": 0.3, "hotspot": None}),
        Reading(2, "metastasis", 0.2, 0.6, 0.6, {"unet": 0.6, "hotspot": 0.1}),
        Reading(6, "neither", None, None, 0.4, {"unet": 0.9}),
    )
    total = tally(readings)
    assert (total.read, total.scored, total.neither, total.recognised) == (3, 2, 1, 1)
    assert total.lost == pytest.approx(8.0)
    assert total.dice == pytest.approx(0.6)
    assert total.routes == {"unet": (pytest.approx(2.0), 2), "hotspot": (pytest.approx(25.0), 1)}
    empty = tally(())
    assert (empty.read, empty.lost, empty.dice, empty.routes) == (0, None, None, {})


def test_on_the_contrary_cases_the_truth_itself_loses_points() -> None:
    for case in teaching_cases():
        if case.name.startswith("contrary"):
            right = float(case.diagnosis == "primary_malignant")
            assert points_lost(case.posterior, right) > 70.0
            assert points_lost(case.posterior, case.posterior) == 0.0
