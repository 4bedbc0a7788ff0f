"""Growing on many maps: a joint histogram of all of them could not be held in memory."""

import numpy as np

from spinehub.growing import grow
from spinehub.growing.evidence import principal_channels
from spinehub.series import ParametricMap
from spinehub.volume import Grid, Seed

GRID = Grid((30, 28, 10), np.diag([1.5, 1.5, 4.0, 1.0]))
CENTRE = (14, 13, 5)
OFFSETS = (np.moveaxis(np.indices(GRID.shape), 0, -1) - np.array(CENTRE)) * np.array(GRID.spacing_mm)
BALL = np.linalg.norm(OFFSETS, axis=-1) <= 10.0


def ball_maps(count: int) -> list[ParametricMap]:
    rng = np.random.default_rng(1)
    return [
        ParametricMap(f"map {n}", "%", 10.0**n * (BALL + rng.normal(0.0, 0.2, GRID.shape)), GRID) for n in range(count)
    ]


def test_twelve_maps_of_any_unit_find_the_ball() -> None:
    growth = grow(ball_maps(12), [Seed.at_index(CENTRE, GRID)])
    region = growth.mask(growth.suggested_tolerance).voxels
    assert 2.0 * (region & BALL).sum() / (region.sum() + BALL.sum()) > 0.85


def test_a_voxel_without_a_value_in_one_of_many_maps_is_never_entered() -> None:
    maps = ball_maps(5)
    values = maps[4].values.copy()
    values[20:] = np.nan
    growth = grow([*maps[:4], ParametricMap("map 4", "%", values, GRID)], [Seed.at_index(CENTRE, GRID)])
    assert not growth.arrival.valid[20:].any()


def test_up_to_three_channels_pass_unchanged_and_units_do_not_matter() -> None:
    channels = np.random.default_rng(0).normal(size=(5, 6, 7, 4)).astype(np.float32)
    around = np.ones(channels.shape[1:], bool)
    np.testing.assert_array_equal(principal_channels(channels[:3], around), channels[:3])
    scaled = channels * np.array([1.0, 100.0, 0.01, 3.0, 7.0], np.float32)[:, None, None, None] + 5.0
    first, second = principal_channels(channels, around), principal_channels(scaled, around)
    assert first.shape == (3, 6, 7, 4)
    np.testing.assert_allclose(first, second, atol=1e-3)
