"""Corrective clicks: a border moves next to its click, by as much as the click says, and nowhere else."""

import numpy as np
import pytest

from spinehub.growing import grow
from spinehub.growing.correction import border_distance, correct, depth_in
from spinehub.growing.domain import SeedVoxels, distance_from
from spinehub.growing.shaping import shape_by_one
from spinehub.growing.territory import arrival_around
from spinehub.growing.tolerance import overlap_odds
from spinehub.volume import Grid, Index, Seed, Volume

GRID = Grid((60, 40, 20), np.diag([1.0, 1.0, 3.0, 1.0]))
CENTRE = (22, 20, 10)


def ball(radius_mm: float, centre: Index = CENTRE) -> np.ndarray:
    return distance_from([centre], GRID.shape, GRID.spacing_mm) <= radius_mm


def corrected(region: np.ndarray, foreground: tuple[Index, ...] = (), background: tuple[Index, ...] = ()) -> np.ndarray:
    return correct(region, SeedVoxels((CENTRE, *foreground), background), GRID)


@pytest.mark.parametrize(("missed", "away"), [(True, 3), (True, 5), (True, 8), (False, 3), (False, 5)])
def test_the_border_passes_a_click_by_as_much_as_it_ended_before_it(missed: bool, away: int) -> None:
    """On the line through the centre and the click; on the other side of the ball nothing moves."""
    region = ball(10.0)
    there = (22 + 10 + away if missed else 22 + 11 - away, 20, 10)
    changed = corrected(region, (there,)) if missed else corrected(region, (), (there,))
    assert changed[there] == missed
    along = np.flatnonzero(changed[:, 20, 10])
    moved = int(along.max()) - there[0] if missed else there[0] - int(along.max())
    assert 0.6 * away <= moved <= 1.4 * away + 1
    far = distance_from([there], GRID.shape, GRID.spacing_mm) > 6.0 * away
    np.testing.assert_array_equal(changed[far], region[far])
    assert not (changed ^ region)[region == missed].any(), "a click only adds or only takes away"


def test_a_click_that_agrees_changes_nothing() -> None:
    region = ball(10.0)
    np.testing.assert_array_equal(corrected(region, ((25, 20, 10),), ((36, 20, 10),)), region)


def test_clicks_farther_out_build_on_nearer_ones() -> None:
    """Two clicks along a bar: together they reach no farther beyond the last than the gap before it."""
    changed = corrected(ball(10.0), ((36, 20, 10), (44, 20, 10)))
    assert changed[32:45, 20, 10].all()
    first = corrected(ball(10.0), ((36, 20, 10),))
    gap = 44 - int(np.flatnonzero(first[:, 20, 10]).max())
    assert 0 < gap < 11, "the nearer click brought the border closer"
    assert not changed[44 + gap + 2 :, 20, 10].any()


def test_a_click_in_the_next_thick_slice_adds_that_slice_alone() -> None:
    """Its distance from the border is half a slice: the slices before it hardly widen, the ones behind stay empty."""
    grid = Grid((40, 40, 8), np.diag([1.0, 1.0, 6.0, 1.0]))
    region = np.zeros(grid.shape, bool)
    region[..., 2:5] = distance_from([(20, 20, 0)], (40, 40, 1), (1.0, 1.0, 6.0)) <= 9.0
    changed = correct(region, SeedVoxels(((20, 20, 5),), ()), grid)
    assert changed[20, 20, 5]
    assert changed[..., 5].sum() > 30
    assert not changed[..., 6:].any()
    assert changed[..., 2:5].sum() <= 1.3 * region.sum()


def test_clicks_beside_each_other_are_all_obeyed() -> None:
    foreground, background = ((38, 20, 10), (40, 20, 10)), ((39, 20, 10), (22, 20, 11), (22, 21, 10))
    changed = corrected(ball(8.0), foreground, background)
    assert all(changed[voxel] for voxel in (CENTRE, *foreground))
    assert not any(changed[voxel] for voxel in background)


def test_a_front_fills_a_region_before_it_leaves_it() -> None:
    region, apart = ball(8.0), ball(4.0, (45, 20, 10))
    slowness = np.where(region, 50.0, 1.0).astype(np.float32)
    held = (22, 34, 10)
    arrival, full = arrival_around(region | apart, slowness, GRID, SeedVoxels((CENTRE,), (held,)), False)
    np.testing.assert_array_equal(arrival <= np.float32(full), region)
    assert arrival[CENTRE] == 0.0
    assert not np.isfinite(arrival[held])
    beyond = distance_from([CENTRE], GRID.shape, GRID.spacing_mm)[:, 20, 10] - 8.0
    line = arrival[:, 20, 10]
    np.testing.assert_allclose((line - full)[34:44], beyond[34:44], atol=1.5)
    flat, full = arrival_around(region | apart, slowness, GRID, SeedVoxels((CENTRE,), ()), True)
    np.testing.assert_array_equal((flat <= np.float32(full))[..., 10], region[..., 10])
    assert not np.isfinite(flat[..., 9]).any()


def test_a_correction_leaves_the_rest_of_the_mask_voxel_for_voxel() -> None:
    """A part that looks like the surroundings is added where it was clicked; a click outside takes its side away."""
    rng = np.random.default_rng(3)
    volume = Volume(200.0 + 100.0 * ball(11.0) + rng.normal(0.0, 8.0, GRID.shape), GRID)
    first = Seed.at_index(CENTRE, GRID)
    alone = grow(volume, [first])
    before = alone.mask(alone.suggested_tolerance).voxels
    for there, background in (((37, 20, 10), False), ((30, 20, 10), True)):
        again = grow(volume, [first, Seed.at_index(there, GRID, background=background)])
        after = again.mask(again.suggested_tolerance).voxels
        assert after[there] != background
        near = distance_from([there], GRID.shape, GRID.spacing_mm) <= 20.0
        assert (after != before)[near].any()
        np.testing.assert_array_equal(after[~near], before[~near])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_distances_are_those_from_the_faces_of_all_voxels(order: tuple[int, int, int]) -> None:
    """Against every pair of voxels, in any order of the axes and flipped."""
    region = np.random.default_rng(1).random((7, 6, 5)) < 0.15
    spacing = (1.0, 1.5, 4.0)

    def slow(wanted: np.ndarray) -> np.ndarray:
        steps = np.abs(np.indices(region.shape)[..., None] - np.argwhere(wanted).T[:, None, None, None])
        gaps = np.maximum(steps - 0.5, 0.0) * np.reshape(spacing, (3, 1, 1, 1, 1))
        return np.sqrt((gaps**2).sum(axis=0)).min(axis=-1)

    turned = np.flip(region.transpose(order), axis=0)
    found = border_distance(turned, (spacing[order[0]], spacing[order[1]], spacing[order[2]]))
    back = np.flip(found, axis=0).transpose(np.argsort(order))
    np.testing.assert_allclose(back, slow(region) - slow(~region), atol=1e-5)
    np.testing.assert_array_equal(depth_in(region, spacing), np.maximum(-border_distance(region, spacing), 0.0))


def test_the_click_that_the_others_correct_shapes_the_region_in_any_order_and_flipped() -> None:
    """A bright ball with a dark part on its rim beside a bigger dark field: the click there must not fill the field."""
    rng = np.random.default_rng(5)
    part, field = ball(4.0, (32, 20, 10)), np.indices(GRID.shape)[0] >= 36
    values = 200.0 + 100.0 * (ball(11.0) & ~part) - 60.0 * (field | part) + rng.normal(0.0, 5.0, GRID.shape)
    clicks = [((22, 20, 10), False), ((31, 20, 10), False), ((40, 20, 10), True)]

    def region(order: tuple[int, ...], *, flipped: bool = False) -> np.ndarray:
        shown = np.flip(values, axis=0) if flipped else values
        places = [(59 - at[0], *at[1:]) if flipped else at for at, _ in clicks]
        seeds = [Seed.at_index(places[n], GRID, background=clicks[n][1]) for n in order]
        growth = grow(Volume(shown, GRID), seeds)
        mask = growth.mask(growth.suggested_tolerance).voxels
        return np.flip(mask, axis=0) if flipped else mask

    found = region((0, 1, 2))
    np.testing.assert_array_equal(found, region((2, 1, 0)))
    assert 2.0 * (found & ball(11.0)).sum() / (found.sum() + ball(11.0).sum()) > 0.85
    assert not (found & field & ~ball(16.0)).any()
    flipped = region((0, 1, 2), flipped=True)
    assert (flipped != found).mean() < 1e-3


def test_a_click_adds_what_it_gives_by_itself_and_no_ball() -> None:
    """A slab is missed: beyond it the border passes the click by no more than the region ended before it."""
    region, there = ball(10.0), (37, 20, 10)
    slab = np.zeros(GRID.shape, bool)
    slab[34:40, 10:31] = True
    clicks = SeedVoxels((CENTRE, there), ())
    free = corrected(region, (there,)) & ~region
    added = correct(region, clicks, GRID, {CENTRE: region, there: slab}) & ~region
    near = distance_from([there], GRID.shape, GRID.spacing_mm) <= 4.5
    assert (free & ~slab & ~near).any()
    np.testing.assert_array_equal(added, free & (slab | near))


def test_two_parts_of_other_looks_are_the_lesion() -> None:
    """A part of another look on the rim of a ball: the click there adds that part, whichever click came first."""
    part = ball(8.0, (34, 20, 10)) & ~ball(11.0)
    truth = ball(11.0) | part
    values = 200.0 + 100.0 * ball(11.0) - 70.0 * part + np.random.default_rng(2).normal(0.0, 5.0, GRID.shape)
    seeds = [Seed.at_index(at, GRID) for at in (CENTRE, (37, 20, 10))]
    growth = grow(Volume(values, GRID), seeds)
    found = growth.mask(growth.suggested_tolerance).voxels
    assert 2.0 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9
    again = grow(Volume(values, GRID), seeds[::-1])
    np.testing.assert_array_equal(again.mask(again.suggested_tolerance).voxels, found)


def test_a_region_that_corrections_take_apart_does_not_shape() -> None:
    """Background clicks all about the click in a bright ball leave little of it: then all clicks vote."""
    values = 200.0 + 100.0 * ball(14.0) + np.random.default_rng(4).normal(0.0, 5.0, GRID.shape)
    within, everywhere = np.ones(GRID.shape, bool), (slice(0, 60), slice(0, 40), slice(0, 20))
    channels = values[None].astype(np.float32)
    steps = ((5, 0, 0), (-5, 0, 0), (0, 5, 0), (0, -5, 0), (0, 0, 2), (0, 0, -2))
    held = tuple((22 + i, 20 + j, 10 + k) for i, j, k in steps)
    for background, shaped in ((held[:1], True), (held, False)):
        reached = shape_by_one(channels, within, SeedVoxels((CENTRE,), background), GRID, everywhere, 60.0, False)
        assert (reached is not None) == shaped
    outside = [Seed.at_index(at, GRID, background=True) for at in held]
    growth = grow(Volume(values, GRID), [Seed.at_index(CENTRE, GRID), *outside])
    found = growth.mask(growth.suggested_tolerance).voxels
    assert found[CENTRE]
    assert not any(found[at] for at in held)
    assert found.sum() < 0.5 * ball(14.0).sum()


def test_one_click_is_left_to_its_votes() -> None:
    clicks = SeedVoxels((CENTRE,), ())
    everywhere = (slice(0, 60), slice(0, 40), slice(0, 20))
    channels = ball(10.0)[None].astype(np.float32)
    assert shape_by_one(channels, np.ones(GRID.shape, bool), clicks, GRID, everywhere, 60.0, False) is None


def test_background_clicks_beside_the_region_are_left_to_the_votes() -> None:
    everywhere = (slice(0, 60), slice(0, 40), slice(0, 20))
    channels, within = ball(10.0)[None].astype(np.float32), np.ones(GRID.shape, bool)
    answers = []
    for background in ((2, 2, 2), (CENTRE[0] + 4, CENTRE[1], CENTRE[2])):
        clicks = SeedVoxels((CENTRE,), (background,))
        answers.append(shape_by_one(channels, within, clicks, GRID, everywhere, 60.0, False))
    assert answers[0] is None
    assert answers[1] is not None


def test_odds_of_the_expected_overlap_by_hand() -> None:
    """Two voxels of probability 1 and 0.5, one of 0.5 left out: 3 of 4 shared, so three to one."""
    probability = np.array([1.0, 0.5, 0.5, 0.0], np.float32).reshape(4, 1, 1)
    assert overlap_odds(np.arange(4).reshape(4, 1, 1) < 2, probability) == pytest.approx(3.0)
    assert overlap_odds(probability > 0.7, (probability > 0.7).astype(np.float32)) == pytest.approx(1000.0)
