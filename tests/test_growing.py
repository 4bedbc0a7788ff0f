"""Growing: what must hold for any image, and regions that are known by construction."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.growing import Growth, grow
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Seed, Volume

GRID = Grid((40, 36, 12), np.diag([1.5, 1.5, 4.0, 1.0]))
CENTRE = (18, 17, 6)


def distance_mm(centre: tuple[int, int, int] = CENTRE, grid: Grid = GRID) -> np.ndarray:
    offsets = np.moveaxis(np.indices(grid.shape), 0, -1) - np.asarray(centre)
    return np.asarray(np.linalg.norm(offsets * np.asarray(grid.spacing_mm), axis=-1))


BALL = distance_mm() <= 11.0


def ball_volume(contrast: float = 100.0, noise: float = 8.0, seed: int = 3) -> Volume:
    voxels = 200.0 + contrast * BALL + np.random.default_rng(seed).normal(0.0, noise, GRID.shape)
    return Volume(voxels, GRID)


def dice(one: np.ndarray, two: np.ndarray) -> float:
    return float(2.0 * (one & two).sum() / (one.sum() + two.sum()))


def click(index: tuple[int, int, int] = CENTRE, *, background: bool = False) -> Seed:
    return Seed.at_index(index, GRID, background=background)


def regrown(growth: Growth) -> np.ndarray:
    return growth.mask(growth.suggested_tolerance).voxels


def test_one_click_finds_a_ball() -> None:
    assert dice(regrown(grow(ball_volume(), [click()])), BALL) > 0.9


@pytest.mark.parametrize("index", [(18, 17, 6), (22, 15, 6), (15, 20, 7)])
def test_a_click_elsewhere_in_the_ball_finds_the_same_ball(index: tuple[int, int, int]) -> None:
    assert dice(regrown(grow(ball_volume(), [click(index)])), BALL) > 0.9


def test_frames_separate_what_one_frame_cannot() -> None:
    """Lesion and neighbour look alike before and late after contrast; only the early frames tell them apart."""
    rng = np.random.default_rng(5)
    neighbour = (distance_mm((18, 27, 6)) <= 14.0) & ~BALL
    frames = np.full((*GRID.shape, 9), 200.0)
    frames[BALL, 1:] += np.array([150, 150, 150, 150, 100, 100, 100, 100])
    frames[neighbour, 1:] += np.array([10, 20, 30, 60, 100, 100, 100, 100])
    frames += rng.normal(0.0, 6.0, frames.shape)
    series = DynamicSeries(frames, GRID, baseline_frames=1)
    assert dice(regrown(grow(series, [click()])), BALL) > 0.85
    assert dice(regrown(grow(series.frame(8), [click()])), BALL) < 0.75


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000))
def test_invariants_on_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    volume = Volume(ndimage.gaussian_filter(rng.normal(size=GRID.shape), 1.5), GRID)
    voxels = rng.permutation(np.argwhere(distance_mm() <= 25.0))[:4]
    foreground = [click(tuple(int(n) for n in v)) for v in voxels[:2]]
    background = [click(tuple(int(n) for n in v), background=True) for v in voxels[2:]]
    growth = grow(volume, [*foreground, *background], reach_mm=30.0)
    tolerances, volumes = growth.volume_curve()
    assert (np.diff(volumes) >= 0).all()
    previous = np.zeros(GRID.shape, bool)
    starts = {tuple(v) for v in voxels[:2].tolist()}
    for tolerance in (0.0, growth.suggested_tolerance, float(tolerances[-1])):
        mask = growth.mask(tolerance).voxels
        assert (mask | previous == mask).all()
        assert all(mask[start] for start in starts)
        assert not any(mask[tuple(v)] for v in voxels[2:])
        components, count = ndimage.label(mask)
        assert {components[start] for start in starts} == set(range(1, count + 1))
        previous = mask
    assert growth.mask(0.0).count == 2
    assert not previous[distance_mm_to(voxels[:2]) > 30.0].any()
    if growth.leak_tolerance is not None:
        assert growth.suggested_tolerance < growth.leak_tolerance


def distance_mm_to(voxels: np.ndarray) -> np.ndarray:
    return np.minimum(*(distance_mm(tuple(int(n) for n in v)) for v in voxels))


def test_scale_and_offset_of_the_signal_change_nothing() -> None:
    volume = ball_volume()
    first = grow(volume, [click()])
    second = grow(Volume(volume.voxels * 4.0 + 1024.0, GRID), [click()])
    assert dice(regrown(first), regrown(second)) > 0.99
    assert second.suggested_tolerance == pytest.approx(first.suggested_tolerance, rel=0.02)


def test_the_order_of_seeds_changes_nothing() -> None:
    seeds = [click(), click((21, 17, 6)), click((5, 5, 2), background=True), click((30, 30, 9), background=True)]
    first, second = grow(ball_volume(), seeds), grow(ball_volume(), seeds[::-1])
    np.testing.assert_array_equal(first.arrival.values, second.arrival.values)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_axis_order_and_flips_of_the_file_change_nothing(order: tuple[int, int, int]) -> None:
    volume = ball_volume()
    turned = np.flip(volume.voxels.transpose(order), axis=1)
    affine = GRID.affine[:, [*order, 3]].copy()
    size = turned.shape[1]
    affine[:3, 3] += affine[:3, 1] * (size - 1)
    affine[:3, 1] *= -1.0
    other = grow(Volume(turned, Grid(turned.shape, affine)), [click()])
    back = np.flip(other.arrival.values, axis=1).transpose(np.argsort(order))
    arrival = grow(volume, [click()]).arrival.values
    np.testing.assert_allclose(back, arrival, rtol=1e-3)  # float32 sums in another order


def test_a_background_seed_holds_back_a_neighbour_that_looks_the_same() -> None:
    twin = distance_mm((18, 30, 6)) <= 9.0
    bridge = np.zeros(GRID.shape, bool)
    bridge[17:20, 17:31, 6] = True
    noise = np.random.default_rng(2).normal(0.0, 5.0, GRID.shape)
    volume = Volume(200.0 + 100.0 * (BALL | twin | bridge) + noise, GRID)
    alone = grow(volume, [click()])
    filled = float(np.quantile(alone.arrival.values[twin], 0.9))
    held = grow(volume, [click(), click((18, 30, 6), background=True)])
    assert (alone.mask(filled).voxels & twin).sum() > 0.8 * twin.sum()
    assert (held.mask(filled).voxels & twin & ~BALL).sum() < 0.25 * twin.sum()
    assert (regrown(held) & twin & ~BALL).sum() < 0.25 * twin.sum()


def test_within_slice_stays_in_the_slice_of_the_seed() -> None:
    growth = grow(ball_volume(), [click()], within_slice=True)
    reached = np.flatnonzero(growth.arrival.valid.any(axis=(0, 1)))
    assert reached.tolist() == [6]


def test_voxels_without_a_value_are_never_entered() -> None:
    values = ball_volume().voxels.copy()
    values[22:, :, :] = np.nan
    growth = grow(ParametricMap("peak_enhancement", "%", values, GRID), [click()])
    assert not growth.arrival.valid[22:].any()


def test_tolerances_and_masks_agree_with_the_volume_curve() -> None:
    growth = grow(ball_volume(), [click()])
    tolerances, volumes = growth.volume_curve()
    for k in (0, 100, -1):
        assert growth.mask(float(tolerances[k])).volume_ml == pytest.approx(volumes[k], abs=0.02)


@pytest.mark.parametrize("tolerance", [-1.0, float("nan"), float("inf")])
def test_impossible_tolerances_are_refused(tolerance: float) -> None:
    with pytest.raises(InvalidArgumentError, match="at least 0"):
        grow(ball_volume(), [click()]).mask(tolerance)


def test_impossible_requests_are_refused() -> None:
    volume = ball_volume()
    hole = volume.voxels.copy()
    hole[CENTRE] = np.nan
    with pytest.raises(InvalidArgumentError, match="at least one foreground seed"):
        grow(volume, [click(background=True)])
    with pytest.raises(InvalidArgumentError, match="both at"):
        grow(volume, [click(), click(background=True)])
    with pytest.raises(InvalidArgumentError, match="outside the volume"):
        grow(volume, [Seed.at_position((500.0, 0.0, 0.0))])
    with pytest.raises(InvalidArgumentError, match="voxel without a value"):
        grow(ParametricMap("washout", "%", hole, GRID), [click()])
    with pytest.raises(InvalidArgumentError, match="reach_mm must be a finite number above 0, got 0"):
        grow(volume, [click()], reach_mm=0.0)
    with pytest.raises(InvalidArgumentError, match="must be a Volume"):
        grow(volume.voxels, [click()])  # type: ignore[arg-type]
    other = Grid(GRID.shape, np.diag([1.0, 1.0, 4.0, 1.0]))
    maps = [ParametricMap(name, "%", volume.voxels, grid) for name, grid in (("a", GRID), ("washout", other))]
    with pytest.raises(GridMismatchError, match="map washout"):
        grow(maps, [click()])
