"""Calibration, conformal decisions and domains: closed forms, simulation with known probabilities, properties."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from spinehub import metrics
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models.calibration import Answer, Calibration, RegimeCalibration, fit_calibration, log_odds
from spinehub.models.domain import Domain, fit_domain


def cohort(n, seed, slope=1.0, shift=0.0, share=0.5):
    """Scores that are a known distortion of the true log-odds at equal priors, and labels; `share` is of class 1."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < share).astype(int)
    logit = rng.normal(np.where(labels == 1, 1.0, -1.0), math.sqrt(2.0))  # log-likelihood ratio is the value itself
    return (logit - shift) / slope, labels


def fitted(**fields):
    values = {"slope": 1.0, "intercept": 0.0, "thresholds": (0.3, 0.3), "cases": (50, 50)} | fields
    return Calibration({"dynamic": RegimeCalibration(**values)}, 0.9)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_platt_recovers_a_known_distortion_at_equal_priors(share):
    scores, labels = cohort(20_000, 0, slope=2.5, shift=0.7, share=share)
    slope, intercept = fit_calibration(scores, labels, ["dynamic"] * 20_000).line("dynamic")
    assert slope == pytest.approx(2.5, rel=0.06)  # about 3 standard errors
    assert intercept == pytest.approx(0.7, abs=0.1)


def test_calibrated_probabilities_are_calibrated_on_fresh_cases():
    calibration = fit_calibration(*cohort(4000, 1, slope=0.3, shift=-1.0), ["single"] * 4000)
    scores, labels = cohort(20_000, 2, slope=0.3, shift=-1.0)
    fresh = np.array([calibration.probability(s, "single") for s in scores])
    slope, intercept = metrics.calibration_slope_intercept(labels, fresh)
    assert slope == pytest.approx(1, abs=0.12)
    assert intercept == pytest.approx(0, abs=0.12)


def test_a_score_that_ranks_the_wrong_way_is_worth_nothing():
    scores, labels = cohort(400, 3)
    calibration = fit_calibration(-scores, labels, ["dynamic"] * 400)
    assert calibration.line("dynamic")[0] == 0.0
    assert calibration.answer(5.0, "dynamic").decision == "undecided"


def test_separated_classes_and_wild_scores_stay_finite():
    scores = np.array([-800.0, -900.0, 700.0, 900.0] * 5)
    calibration = fit_calibration(scores, [0, 0, 1, 1] * 5, ["dynamic"] * 20)
    assert np.isfinite(calibration.line("dynamic")).all()
    assert 0 < calibration.probability(-900.0, "dynamic") < 0.5 < calibration.probability(900.0, "dynamic") < 1


def test_coverage_of_each_class_follows_the_beta_binomial():
    coverage, n, fresh = 0.8, 99, 400
    rank = 20  # floor(0.2 x 100): the coverage is Beta(n + 1 - rank, rank)
    covered = []
    for seed in range(60):
        scores, labels = cohort(4 * n, seed)
        rows = np.concatenate([np.flatnonzero(labels == c)[:n] for c in (0, 1)])
        calibration = fit_calibration(scores[rows], labels[rows], ["dynamic"] * (2 * n), coverage=coverage)
        assert calibration.regimes["dynamic"].cases == (n, n)
        tests = cohort(4 * fresh, 1000 + seed)[0][cohort(4 * fresh, 1000 + seed)[1] == 1][:fresh]
        possible = [calibration.possible(calibration.probability(s, "dynamic"), "dynamic") for s in tests]
        covered.append(sum("primary_malignant" in each for each in possible))
    expected = stats.betabinom(fresh, n + 1 - rank, rank)
    assert np.mean(covered) == pytest.approx(expected.mean(), abs=3 * expected.std() / math.sqrt(60))
    assert 0.7 < np.std(covered) / expected.std() < 1.35


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=4, max_size=40), st.floats(0.55, 0.95))
def test_calibration_cases_are_covered_and_a_monotone_map_changes_no_set(values, coverage):
    labels, regimes = [k % 2 for k in range(len(values))], ["dynamic"] * len(values)

    def possible(scores):
        fit = fit_calibration(scores, labels, regimes, coverage=coverage)
        flat = fit.line("dynamic")[0] < 1e-6
        return flat, [fit.possible(fit.probability(s, "dynamic"), "dynamic") for s in scores]

    flat, sets = possible([v / 10 for v in values])
    for label, diagnosis in enumerate(("metastasis", "primary_malignant")):
        inside = [diagnosis in each for each, truth in zip(sets, labels, strict=True) if truth == label]
        assert sum(inside) >= coverage * len(inside) - 1 - 1e-9  # 1: the plus-one of a finite sample
    if not flat:
        assert sets == possible([v / 4 + 1 for v in values])[1]


def test_few_cases_never_exclude_a_class():
    calibration = fit_calibration([-1.0, 1.0] * 4, [0, 1] * 4, ["dynamic"] * 8, coverage=0.9)
    assert calibration.thresholds == {"dynamic": {"metastasis": 0.0, "primary_malignant": 0.0}}
    assert calibration.decide(0.999, "dynamic") == "undecided"


@pytest.mark.parametrize(
    ("thresholds", "probability", "decision"),
    [
        ((0.3, 0.3), 0.9, "primary_malignant"),
        ((0.3, 0.3), 0.1, "metastasis"),
        ((0.3, 0.3), 0.5, "undecided"),  # both possible
        ((0.6, 0.6), 0.5, "undecided"),  # neither possible
        ((0.3, 0.3), 0.3, "undecided"),  # a threshold belongs to its class
    ],
)
def test_decisions(thresholds, probability, decision):
    assert fitted(thresholds=thresholds).decide(probability, "dynamic") == decision


def test_an_answer_holds_both_probabilities():
    answer = fitted().answer(2.0, "dynamic")
    assert answer.probabilities["primary_malignant"] == pytest.approx(special.expit(2.0))
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.decision == "primary_malignant"
    assert answer.reason is None
    none = Answer.unavailable("too small")
    assert (none.probabilities, none.decision, none.reason) == (None, "not_available", "too small")


def test_json_round_trip_is_exact():
    scores, labels = cohort(300, 5)
    calibration = fit_calibration(scores, labels, ["dynamic", "pre_post", "single"] * 100)
    again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    assert again == calibration
    assert set(again.thresholds) == {"dynamic", "pre_post", "single"}


def test_log_odds_inverts_the_sigmoid_and_stays_finite():
    assert log_odds(special.expit([-3.0, 0.0, 2.0])) == pytest.approx([-3, 0, 2])
    assert np.isfinite(log_odds([0.0, 1.0])).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_calibration([1.0, 2.0], [1, 1], ["dynamic"] * 2), "both classes in each regime"),
        (lambda: fit_calibration([1.0, 2.0], [1, 0], ["dynamic"]), "one length"),
        (lambda: fit_calibration([1.0, math.nan], [1, 0], ["dynamic"] * 2), "finite"),
        (lambda: fit_calibration([1.0, 2.0], [1, 2], ["dynamic"] * 2), "labels must hold 0 and 1"),
        (lambda: fit_calibration([1.0, 2.0], [1, 0], ["dynamic"] * 2, coverage=90), "coverage"),
        (lambda: fitted().decide(1.2, "dynamic"), "0 to 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InvalidArgumentError, match=message):
        call()


def test_model_errors():
    with pytest.raises(ModelError, match="calibrated for"):
        fitted().probability(0.0, "single")
    with pytest.raises(ModelError, match="slope, intercept, thresholds"):
        Calibration.from_dict({"coverage": 0.9, "regimes": {"dynamic": {"slope": 1.0}}})


@pytest.fixture(scope="module")
def domain():
    rng = np.random.default_rng(0)
    first = rng.normal(100, 10, 1000)
    rows = np.column_stack([first, 2 * first + rng.normal(0, 2, 1000), rng.lognormal(0, 1, 1000)])
    return fit_domain(rows, ("a", "b", "c"))


def test_fresh_cases_pass_and_strange_ones_are_named(domain):
    rng = np.random.default_rng(1)
    first = rng.normal(100, 10, 2000)
    rows = np.column_stack([first, 2 * first + rng.normal(0, 2, 2000), rng.lognormal(0, 1, 2000)])
    accepted = np.mean([not domain.unusual(row) for row in rows])
    assert accepted > 0.95
    far = domain.unusual([1000.0, -500.0, 1.0])
    assert "2 of 3 features lie outside the range of the training cases: " in far[0]
    assert "a 1000 (range" in far[0]
    assert "distance from the training cases" in far[1]


def test_a_combination_never_seen_is_unusual_although_each_feature_is_in_range(domain):
    sentences = domain.unusual([115.0, 172.0, 1.0])  # each within 2 SD, but b should be near 230
    assert len(sentences) == 1
    assert "distance" in sentences[0]


def test_distance_equals_the_definition(domain):
    value = np.array([110.0, 190.0, 0.5])
    z = (value - domain.mean) / domain.scale
    assert domain.distance(value) == pytest.approx(math.sqrt(z @ domain.precision @ z))
    assert domain.distance(domain.mean) == 0


def test_domain_round_trip(domain):
    again = Domain.from_parts(json.loads(json.dumps(domain.to_dict())), domain.tensors("x."), "x.")
    assert again.unusual([1000.0, -500.0, 1.0]) == domain.unusual([1000.0, -500.0, 1.0])
    with pytest.raises(ModelError, match="lacks"):
        Domain.from_parts(domain.to_dict(), {}, "x.")
    with pytest.raises(ModelError, match="finite of shape"):
        Domain.from_parts(domain.to_dict() | {"names": ["a"]}, domain.tensors(""), "")


def test_domain_refusals(domain):
    with pytest.raises(InvalidArgumentError, match="3 finite numbers"):
        domain.distance([1.0, math.nan, 2.0])
    with pytest.raises(InvalidArgumentError, match="at least 20 cases"):
        fit_domain(np.ones((5, 1)), ("a",))
