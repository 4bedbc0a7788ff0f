"""Figures of a confusion matrix of voxels, and net benefit, by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import jaccard_score, recall_score

from spinehub import metrics
from spinehub.errors import InvalidArgumentError

COUNTS = np.array([[90, 5, 0], [2, 6, 2], [0, 0, 0]])  # nobody has the third class, two voxels were called it


def test_figures_by_hand():
    np.testing.assert_allclose(metrics.class_iou(COUNTS), [90 / 97, 6 / 15, 0.0])
    assert metrics.mean_iou(COUNTS) == pytest.approx((90 / 97 + 6 / 15) / 3)
    assert metrics.mean_pixel_accuracy(COUNTS) == pytest.approx((90 / 95 + 6 / 10) / 2)
    assert metrics.frequency_weighted_iou(COUNTS) == pytest.approx((95 * 90 / 97 + 10 * 6 / 15) / 105)


def test_a_class_that_is_nowhere_does_not_count():
    counts = np.diag([7, 3, 0])
    assert np.isnan(metrics.class_iou(counts)[2])
    assert (
        metrics.mean_iou(counts) == metrics.mean_pixel_accuracy(counts) == metrics.frequency_weighted_iou(counts) == 1
    )


def test_the_same_as_scikit_learn():
    rng = np.random.default_rng(3)
    truth, found = rng.integers(0, 3, (2, 4, 5, 6))
    counts = metrics.confusion_matrix(truth, found, 3)
    assert counts.sum() == 120
    flat = truth.ravel(), found.ravel()
    np.testing.assert_allclose(metrics.class_iou(counts), jaccard_score(*flat, average=None))
    assert metrics.mean_pixel_accuracy(counts) == pytest.approx(recall_score(*flat, average="macro"))
    assert metrics.frequency_weighted_iou(counts) == pytest.approx(jaccard_score(*flat, average="weighted"))


def test_refusals():
    with pytest.raises(InvalidArgumentError, match="one shape"):
        metrics.confusion_matrix([0, 1], [0], 2)
    with pytest.raises(InvalidArgumentError, match="found must hold classes 0 to 1, got 0 to 2"):
        metrics.confusion_matrix([0, 1], [0, 2], 2)
    with pytest.raises(InvalidArgumentError, match="square matrix"):
        metrics.mean_iou(np.zeros((2, 2)))
    with pytest.raises(InvalidArgumentError, match="threshold must lie"):
        metrics.net_benefit([0, 1], [0.2, 0.8], 1.0)


def test_net_benefit_by_hand():
    truth, share = [1, 1, 1, 0, 0], [0.9, 0.6, 0.1, 0.7, 0.1]
    # At 0.5 two of three positives and one of two negatives are acted on; the odds are 1.
    assert metrics.net_benefit(truth, share, 0.5) == pytest.approx(0.5 * 2 / 3 - 0.5 * 0.5)
    # At the cohort's own prevalence it is the textbook's TP / n - FP / n x odds.
    assert metrics.net_benefit(truth, share, 0.2, prevalence=0.6) == pytest.approx(2 / 5 - 1 / 5 * 0.25)
    assert metrics.net_benefit(truth, np.zeros(5), 0.3) == 0.0
    assert np.isnan(metrics.net_benefit([1, 1], [0.2, 0.3], 0.3))
