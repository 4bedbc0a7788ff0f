"""Intraclass correlation against the published example, its limits, and simulated components of variance."""

import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.metrics import intraclass_correlation

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Table 2 of Shrout and Fleiss 1979: six targets, four judges."""


@pytest.mark.parametrize(("form", "published"), [("1,1", 0.17), ("2,1", 0.29), ("3,1", 0.71)])
def test_the_published_example(form, published):
    assert intraclass_correlation(SHROUT_FLEISS, form) == pytest.approx(published, abs=0.005)


def test_perfect_repeats_and_a_shifted_rater():
    values = np.arange(8.0)
    for form in ("1,1", "2,1", "3,1"):
        assert intraclass_correlation(np.stack([values, values], axis=1), form) == pytest.approx(1.0)
    shifted = np.stack([values, values + 5.0], axis=1)
    assert intraclass_correlation(shifted, "3,1") == pytest.approx(1.0)  # agreement up to a shift
    assert intraclass_correlation(shifted, "2,1") < 0.5  # not in value
    assert np.isnan(intraclass_correlation(np.ones((5, 2))))


def test_share_of_the_variance_that_lies_between_targets():
    rng = np.random.default_rng(0)
    ratings = 2.0 * rng.normal(size=(4000, 1)) + rng.normal(size=(4000, 3))
    for form in ("1,1", "2,1", "3,1"):
        assert intraclass_correlation(ratings, form) == pytest.approx(4 / 5, abs=0.02)


def test_refusals():
    with pytest.raises(InvalidArgumentError, match="at least two targets measured at least twice"):
        intraclass_correlation([[1.0, 2.0]])
    with pytest.raises(InvalidArgumentError, match="finite"):
        intraclass_correlation([[1.0, np.nan], [1.0, 2.0]])
    with pytest.raises(InvalidArgumentError, match="form must be"):
        intraclass_correlation([[1.0, 2.0], [2.0, 3.0]], "4,1")
