"""The regression behind radiomics: what it learns from labels and from probabilities."""

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from spinehub.metrics import auc
from spinehub.models.elastic_net import ElasticNet, Rows, out_of_fold
from spinehub.models.linear import held_deviations


def drawn(n: int, seed: int, slope: float = 2.0) -> tuple[Rows, np.ndarray]:
    """Rows of which only the first of eight columns matters, and the log-odds their labels are drawn from."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 8))
    log_odds = slope * values[:, 0]
    classes = (rng.random(n) < special.expit(log_odds)).astype(int)
    return Rows(values, classes, np.arange(n), classes.astype(float)), log_odds


def test_labels_are_learned_as_a_balanced_regression_would() -> None:
    rows, _ = drawn(150, 1)
    rows = rows[np.sort(np.concatenate([np.flatnonzero(rows.classes == 0), np.flatnonzero(rows.classes == 1)[:30]]))]
    fit = ElasticNet.fit(rows, seed=0)
    mean, scale = rows.values.mean(axis=0), rows.values.std(axis=0)
    plain = LogisticRegression(
        C=fit.strength, l1_ratio=fit.l1_ratio, solver="saga", class_weight="balanced", tol=1e-8, max_iter=20000
    ).fit(held_deviations(rows.values, mean, scale), rows.classes)
    expected = plain.decision_function(held_deviations(rows.values, mean, scale))
    np.testing.assert_allclose(fit.log_odds(rows.values), expected, atol=5e-3)


def test_probabilities_say_more_than_the_labels_drawn_from_them() -> None:
    rows, log_odds = drawn(80, 2)
    told = Rows(rows.values, rows.classes, rows.patients, special.expit(log_odds))
    fresh, truth = drawn(2000, 3)
    errors = [np.abs(ElasticNet.fit(each, 0).log_odds(fresh.values) - truth).mean() for each in (told, rows)]
    assert errors[0] < 0.6 * errors[1]
    assert np.corrcoef(ElasticNet.fit(told, 0).log_odds(fresh.values), truth)[0, 1] > 0.99


def test_undecided_probabilities_teach_nothing() -> None:
    rows, _ = drawn(100, 4)
    fit = ElasticNet.fit(Rows(rows.values, rows.classes, rows.patients, np.full(100, 0.5)), 0)
    assert np.abs(fit.log_odds(rows.values)).max() == pytest.approx(0.0, abs=0.02)


def test_rows_are_scored_without_their_patients() -> None:
    # Column 1 names the patient, whose rows share a random label: only a fit that saw the patient could use it.
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(30), 4)
    classes = rng.permutation(np.repeat([0, 1], 15))[patients]
    values = np.column_stack([rng.normal(size=120), rng.normal(size=(30, 20))[patients]])
    scores = out_of_fold(Rows(values, classes, patients, classes.astype(float)), 0)
    assert 0.15 < auc(classes, scores) < 0.85
