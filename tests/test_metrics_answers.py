"""Scores, probabilities, decisions and intervals against scikit-learn, closed forms and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from sklearn import linear_model
from sklearn import metrics as oracle

from spinehub import metrics
from spinehub.errors import InvalidArgumentError

CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=4, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def cohort(n, seed=0, slope=1.0, shift=0.0):
    """Labels drawn from known probabilities, and the same probabilities distorted on the logit scale."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1.5, n)
    truth = rng.random(n) < special.expit(logit)
    return truth.astype(int), special.expit((logit - shift) / slope)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_auc_with_ties_equals_counting_pairs_and_sklearn(rows):
    truth = np.array([label for label, _ in rows])
    score = np.array([value for _, value in rows], dtype=float)
    pairs = [(p > n) + 0.5 * (p == n) for p in score[truth] for n in score[~truth]]
    assert metrics.auc(truth, score) == pytest.approx(np.mean(pairs))
    assert metrics.auc(truth, score) == pytest.approx(oracle.roc_auc_score(truth, score))
    decision = (score >= 3).astype(int)
    assert metrics.accuracy(truth, decision) == pytest.approx(oracle.accuracy_score(truth, decision))
    assert metrics.balanced_accuracy(truth, decision) == pytest.approx(oracle.balanced_accuracy_score(truth, decision))
    assert metrics.sensitivity(truth, decision) == pytest.approx(oracle.recall_score(truth, decision))
    assert metrics.specificity(truth, decision) == pytest.approx(oracle.recall_score(truth, decision, pos_label=0))
    assert metrics.brier(truth, score / 5) == pytest.approx(oracle.brier_score_loss(truth, score / 5))


def test_one_class_only_is_undefined_not_a_guess():
    assert math.isnan(metrics.auc([1, 1], [0.2, 0.3]))
    assert math.isnan(metrics.sensitivity([0, 0], [0, 1]))
    assert math.isnan(metrics.specificity([1, 1], [0, 1]))
    assert math.isnan(metrics.balanced_accuracy([1, 1], [0, 1]))
    assert all(math.isnan(v) for v in metrics.calibration_slope_intercept([1, 1], [0.2, 0.3]))


def test_calibration_equals_unpenalised_logistic_regression():
    truth, probability = cohort(500, seed=3, slope=1.7, shift=0.4)
    logit = special.logit(probability)
    fit = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit[:, None], truth)
    slope, intercept = metrics.calibration_slope_intercept(truth, probability)
    assert slope == pytest.approx(fit.coef_[0, 0], abs=1e-4)
    shift = optimize.minimize_scalar(lambda a: -np.sum(stats.bernoulli.logpmf(truth, special.expit(logit + a))))
    assert intercept == pytest.approx(shift.x, abs=1e-5)


@pytest.mark.parametrize(("stretch", "shift"), [(1.0, 0.0), (2.0, 0.0), (0.5, 0.0), (1.0, 0.8)])
def test_calibration_recovers_a_known_distortion(stretch, shift):
    slope, intercept = metrics.calibration_slope_intercept(*cohort(20_000, seed=1, slope=stretch, shift=shift))
    assert slope == pytest.approx(stretch, rel=0.06)  # about 3 standard errors at this n
    if stretch == 1.0:
        assert intercept == pytest.approx(shift, abs=0.06)


def test_calibration_slope_does_not_exist_without_overlap():
    slope, intercept = metrics.calibration_slope_intercept([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert math.isnan(slope)
    assert intercept == pytest.approx(0, abs=1e-9)
    assert math.isnan(metrics.calibration_slope_intercept([0, 1, 1], [0.5, 0.5, 0.5])[0])


def test_bootstrap_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = metrics.bootstrap_interval(np.mean, values, n=4000, seed=1)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert (low, high) == metrics.bootstrap_interval(np.mean, values, n=4000, seed=1)


def test_bootstrap_draws_whole_patients():
    # Ten copies of each patient's value tell no more than one: the interval must not shrink.
    values = np.random.default_rng(0).normal(0, 1, 60)
    once = metrics.bootstrap_interval(np.mean, values, n=500, seed=4)
    copies, patients = np.repeat(values, 10), np.repeat([f"p{k:02d}" for k in range(60)], 10)
    assert metrics.bootstrap_interval(np.mean, copies, groups=patients, n=500, seed=4) == pytest.approx(once)
    naive = metrics.bootstrap_interval(np.mean, copies, n=500, seed=4)
    assert naive[1] - naive[0] < 0.5 * (once[1] - once[0])


def test_bootstrap_leaves_out_undefined_samples():
    low, high = metrics.bootstrap_interval(metrics.auc, [0, 1, 1], [0.1, 0.8, 0.9], n=50)
    assert (low, high) == (1.0, 1.0)
    assert all(math.isnan(v) for v in metrics.bootstrap_interval(metrics.auc, [1, 1], [0.1, 0.8], n=20))


def test_paired_difference_sees_what_separate_intervals_cannot():
    truth, probability = cohort(300, seed=2)
    noise = np.random.default_rng(5).normal(0, 1.0, 300)
    worse = special.expit(special.logit(probability) + noise)
    result = metrics.paired_difference(metrics.auc, truth, probability, worse, n=800, seed=0)
    assert result.value == pytest.approx(metrics.auc(truth, probability) - metrics.auc(truth, worse))
    assert 0 < result.low < result.value < result.high
    assert result.p_value < 0.05
    mirrored = metrics.paired_difference(metrics.auc, truth, worse, probability, n=800, seed=0)
    assert (mirrored.low, mirrored.high) == pytest.approx((-result.high, -result.low))
    same = metrics.paired_difference(metrics.auc, truth, probability, probability, n=50)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.auc([0, 1], [0.1]), "one length"),
        (lambda: metrics.auc([0, 2], [0.1, 0.2]), "0 and 1 only"),
        (lambda: metrics.auc([0, 1], [0.1, math.nan]), "must be finite"),
        (lambda: metrics.accuracy([0, 1], [0.1, 0.2]), r"cut a probability at 0\.5"),
        (lambda: metrics.brier([0, 1], [0.1, 1.2]), "0 to 1"),
        (lambda: metrics.bootstrap_interval(np.mean, [1.0, 2.0], groups=["a"]), "one length"),
        (lambda: metrics.bootstrap_interval(np.mean, [1.0, 2.0], level=95), "level"),
        (lambda: metrics.bootstrap_interval(np.mean, [1.0, 2.0], n=0), "at least 1 bootstrap sample"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InvalidArgumentError, match=message):
        call()
