"""Growing again from jittered seeds: agreement, Dice and volumes, against masks known by construction."""

import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.growing import Limits, Stability, grow, stability
from spinehub.growing.stability import _compared, _jittered
from spinehub.volume import Grid, Mask, Seed, Volume

GRID = Grid((32, 30, 10), np.diag([1.5, 1.5, 4.0, 1.0]))
CENTRE = (15, 14, 5)
INDEX = np.indices(GRID.shape)
DISTANCE = np.linalg.norm((np.moveaxis(INDEX, 0, -1) - np.array(CENTRE)) * np.array(GRID.spacing_mm), axis=-1)
BALL = DISTANCE <= 11.0
SEED = Seed.at_index(CENTRE, GRID)


def ball(noise: float, contrast: float = 100.0) -> Volume:
    return Volume(200.0 + contrast * BALL + np.random.default_rng(1).normal(0.0, noise, GRID.shape), GRID)


@pytest.fixture(scope="module")
def clear() -> Stability:
    return stability(ball(6.0), [SEED], draws=3)


def test_a_clear_ball_is_found_from_anywhere_in_it(clear: Stability) -> None:
    assert clear.mean_dice > 0.9
    low, high = clear.volume_interval_ml
    assert low <= clear.volume_ml <= high
    assert high < 1.5 * low
    assert clear.repetitions == 3 * 4
    assert clear.agreement.values[DISTANCE <= 6.0].mean() > 0.97
    assert 2.0 * (clear.mask(0.5).voxels & BALL).sum() / (clear.mask(0.5).count + BALL.sum()) > 0.9


def test_agreement_is_a_share_and_holds_the_clicked_region(clear: Stability) -> None:
    values = clear.agreement.values
    np.testing.assert_allclose(values * clear.repetitions, np.rint(values * clear.repetitions), atol=1e-4)
    assert (clear.agreement.name, clear.agreement.unit) == ("agreement", "")
    growth = grow(ball(6.0), [SEED])
    clicked = growth.mask(growth.suggested_tolerance)
    assert values[clicked.voxels].min() > 0.0
    assert clear.volume_ml == pytest.approx(clicked.volume_ml)


def test_a_faint_ball_is_less_stable_than_a_clear_one(clear: Stability) -> None:
    faint = stability(ball(60.0, contrast=50.0), [SEED], draws=3)
    assert faint.mean_dice < clear.mean_dice - 0.1


def test_it_is_the_same_each_time_also_with_the_growing_given(clear: Stability) -> None:
    again = stability(ball(6.0), [SEED], draws=3, growth=grow(ball(6.0), [SEED]))
    np.testing.assert_array_equal(again.agreement.values, clear.agreement.values)
    assert again.mean_dice == clear.mean_dice
    assert again.volume_interval_ml == clear.volume_interval_ml


def test_a_stated_tolerance_is_kept() -> None:
    growth = grow(ball(6.0), [SEED])
    found = stability(ball(6.0), [SEED], tolerance=20.0, draws=2, growth=growth)
    assert found.volume_ml == pytest.approx(growth.mask(20.0).volume_ml)
    assert found.agreement.values[growth.mask(17.0).voxels & (DISTANCE < 2.0)].min() > 0.9


def test_limits_hold_in_every_repetition() -> None:
    limits = Limits(box=((0, 0, 0), (16, 29, 9)), keep_out=Mask(INDEX[1] > 18, GRID))
    found = stability(ball(6.0), [SEED], limits=limits, draws=3)
    touched = found.agreement.values > 0
    assert not touched[17:].any()
    assert not touched[:, 19:].any()


def test_seeds_stay_on_their_side_and_near() -> None:
    background = Seed.at_index((15, 24, 5), GRID, background=True)
    growth = grow(ball(6.0), [SEED, background])
    region = growth.mask(growth.suggested_tolerance)
    draws = _jittered(growth, region, 4.0, 20)
    for moved in draws:
        assert [seed.background for seed in moved] == [False, True]
        for seed, clicked in zip(moved, growth.seeds, strict=True):
            away = np.subtract(seed.position_mm, clicked.position_mm)
            assert np.linalg.norm(away) <= 4.0 + 1e-6
            assert region.voxels[seed.index_on(GRID)] != seed.background
    assert len({moved[0].position_mm for moved in draws}) > 5


def test_the_numbers_of_three_regions_known_by_construction() -> None:
    grid = Grid((4, 1, 1), np.diag([10.0, 10.0, 10.0, 1.0]))
    rows = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0]], bool).reshape(3, 4, 1, 1)
    found = _compared(list(rows), grid, 4.0)
    np.testing.assert_allclose(found.agreement.values.ravel(), [1 / 3, 1, 1 / 3, 0])
    assert found.mean_dice == pytest.approx(np.mean([1 / 2, 2 / 3, 2 / 3]))
    assert found.volume_ml == pytest.approx(2.0)
    assert found.volume_interval_ml == pytest.approx((1.1, 2.0))
    assert found.mask(1.0).voxels.ravel().tolist() == [False, True, False, False]


def test_a_constant_image_is_not_grown_again() -> None:
    image = Volume(np.full(GRID.shape, 7.0), GRID)
    with pytest.warns(UserWarning, match="one and the same value"):
        found = stability(image, [SEED])
    assert found.repetitions == 3
    assert found.agreement.values.sum() == 1.0


def test_impossible_requests_are_refused(clear: Stability) -> None:
    with pytest.raises(InvalidArgumentError, match="jitter_mm must be a finite number above 0"):
        stability(ball(6.0), [SEED], jitter_mm=0.0)
    with pytest.raises(InvalidArgumentError, match="draws at least 1"):
        stability(ball(6.0), [SEED], draws=0)
    with pytest.raises(InvalidArgumentError, match="share must be above 0"):
        clear.mask(0.0)
    with pytest.raises(InvalidArgumentError, match="at least one foreground seed"):
        stability(ball(6.0), [])
