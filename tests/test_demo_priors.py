"""The prior dial: Bayes' rule by hand, ages from the published distributions, the same arithmetic in the browser."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinehub.demo.priors import AGES, age_ratios, prior_card, with_prior

SHARES = st.floats(0.01, 0.99)


@given(SHARES)
def test_equal_priors_change_nothing(share: float) -> None:
    assert with_prior(share, 50.0) == pytest.approx(share)


@given(SHARES, st.floats(1.0, 99.0), st.floats(0.1, 10.0))
def test_odds_are_multiplied(share: float, primaries: float, ratio: float) -> None:
    after = with_prior(share, primaries, ratio)
    expected = share / (1 - share) * (100 - primaries) / primaries / ratio
    assert after / (1 - after) == pytest.approx(expected, rel=1e-6)


def test_rare_primaries_make_metastasis_likelier() -> None:
    assert with_prior(0.86, 5.0) == pytest.approx(0.86 * 0.95 / (0.86 * 0.95 + 0.14 * 0.05))


def test_the_young_have_primary_tumours_and_no_age_says_more_than_ten_to_one() -> None:
    ratios = dict(zip(AGES, age_ratios(), strict=True))
    assert ratios[20] > 5
    assert ratios[65] < 1
    assert all(0.1 <= ratio <= 10.0 + 1e-6 for ratio in ratios.values())


def test_the_card_holds_the_ratios_for_the_browser() -> None:
    card = prior_card()
    written = json.loads(re.search(r'data-ratios="([^"]+)"', card).group(1))
    assert written == pytest.approx(list(age_ratios()), abs=1e-4)
    assert 'value="50"' in card
    assert "p / (1 − p)" in card
