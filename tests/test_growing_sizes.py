"""Growing where the size is unknown, where only an edge parts look-alikes, and after corrective clicks."""

import numpy as np
import pytest

from spinehub.growing import grow
from spinehub.growing.belief import Belief, believe
from spinehub.growing.consensus import lesion_probability
from spinehub.growing.domain import SeedVoxels, distance_from
from spinehub.growing.edges import edge_strength
from spinehub.growing.scene import Scene, look_around
from spinehub.growing.tolerance import suggest_tolerance
from spinehub.volume import Grid, Index, Seed, Volume

GRID = Grid((48, 44, 18), np.diag([1.5, 1.5, 4.0, 1.0]))
CENTRE = (24, 22, 9)


def away_mm(centre: Index = CENTRE) -> np.ndarray:
    return distance_from([centre], GRID.shape, GRID.spacing_mm)


def noisy(bright: np.ndarray, contrast: float = 100.0, noise: float = 8.0) -> Volume:
    return Volume(200.0 + contrast * bright + np.random.default_rng(4).normal(0.0, noise, GRID.shape), GRID)


def regrown(volume: Volume, *seeds: Seed, reach_mm: float = 60.0) -> np.ndarray:
    growth = grow(volume, seeds, reach_mm=reach_mm)
    return growth.mask(growth.suggested_tolerance).voxels


def click(index: Index = CENTRE, *, background: bool = False) -> Seed:
    return Seed.at_index(index, GRID, background=background)


def dice(one: np.ndarray, two: np.ndarray) -> float:
    return float(2.0 * (one & two).sum() / (one.sum() + two.sum()))


@pytest.mark.parametrize("radius_mm", [7.0, 14.0, 26.0])
def test_one_click_finds_balls_of_any_size(radius_mm: float) -> None:
    ball = away_mm() <= radius_mm
    assert dice(regrown(noisy(ball), click()), ball) > 0.85


def test_a_thin_line_parts_two_tissues_of_one_intensity() -> None:
    """Only the line tells them apart, as a fascia parts a tumour from muscle."""
    left = np.zeros(GRID.shape, bool)
    left[10:30, 10:34, 4:14] = True
    line, right = np.zeros_like(left), np.zeros_like(left)
    line[30:32, 10:34, 4:14] = True
    right[32:44, 10:34, 4:14] = True
    volume = noisy(left | right, noise=4.0)
    region = regrown(volume, Seed.at_index((20, 22, 9), GRID))
    assert dice(region, left) > 0.9
    assert not (region & right).any()
    arrival = grow(volume, [Seed.at_index((20, 22, 9), GRID)]).arrival.values
    assert np.median(arrival[right]) > 3.0 * np.median(arrival[left])


def test_edges_are_counted_in_usual_gradients() -> None:
    step = np.where(np.arange(GRID.shape[0]) < 24, 0.0, 50.0)[:, None, None] + np.zeros(GRID.shape)
    image = (step + np.random.default_rng(0).normal(0.0, 3.0, GRID.shape)).astype(np.float32)
    known = np.ones(GRID.shape, bool)
    edges = edge_strength(image[None], known, [(10, 22, 9)], GRID.spacing_mm)
    assert edges[23:25].min() > 5.0
    assert np.median(edges[:20]) == 0.0
    rescaled = edge_strength(image[None] * 7.0 + 900.0, known, [(10, 22, 9)], GRID.spacing_mm)
    np.testing.assert_allclose(rescaled, edges, rtol=0.02, atol=0.02)
    twice = edge_strength(np.stack([image, 3.0 * image]), known, [(10, 22, 9)], GRID.spacing_mm)
    np.testing.assert_allclose(twice, edges, rtol=1e-3, atol=1e-3)


def test_a_click_on_a_border_does_not_make_borders_usual() -> None:
    image = (100.0 * (away_mm() <= 14.0) + np.random.default_rng(0).normal(0.0, 3.0, GRID.shape)).astype(np.float32)
    known = np.ones(GRID.shape, bool)
    alone = edge_strength(image[None], known, [CENTRE], GRID.spacing_mm)
    with_border = edge_strength(image[None], known, [CENTRE, (24, 31, 9)], GRID.spacing_mm)
    np.testing.assert_array_equal(alone, with_border)


def test_edges_of_a_flat_image_are_none() -> None:
    flat = np.full((1, *GRID.shape), 7.0, np.float32)
    assert not edge_strength(flat, np.ones(GRID.shape, bool), [CENTRE], GRID.spacing_mm).any()


def scene_of(volume: Volume, *foreground: Index) -> Scene:
    distance = distance_from(foreground, GRID.shape, GRID.spacing_mm)
    seeds = SeedVoxels(foreground, ())
    return look_around(volume.voxels[None], distance <= 60.0, distance, seeds, GRID.spacing_mm, 60.0)


def test_votes_are_shares_and_name_the_ball() -> None:
    ball = away_mm() <= 14.0
    probability = lesion_probability(scene_of(noisy(ball), CENTRE), 60.0)
    assert probability.min() >= 0.0
    assert probability.max() == pytest.approx(1.0, abs=1e-6)
    assert probability[CENTRE] == probability.max()
    assert dice(probability > 0.5, ball) > 0.85
    assert probability[away_mm() > 30.0].max() < 0.2


def test_the_tolerance_has_the_best_expected_overlap() -> None:
    """By hand: arrivals 0, 1, 2, 3 with probabilities 1, 0.9, 0.8, 0.05."""
    arrival = np.array([0.0, 1.0, 2.0, 3.0, np.inf], np.float32).reshape(5, 1, 1)
    probability = np.array([1.0, 0.9, 0.8, 0.05, 0.0], np.float32).reshape(5, 1, 1)
    assert suggest_tolerance(arrival, probability) == 2.0
    assert suggest_tolerance(arrival, np.where(arrival <= 0.0, probability, 0.0)) == 0.0


def test_a_short_reach_states_the_size() -> None:
    """A core in a shell in the background: a reach of little more than the core says that the core is meant."""
    core, shell = away_mm() <= 8.0, away_mm() <= 20.0
    volume = noisy(0.5 * core + shell, noise=6.0)
    assert dice(regrown(volume, click(), reach_mm=11.0), core) > 0.8


def test_corrective_clicks_change_the_region_where_they_are_made() -> None:
    """A lesion of two parts that look different: the second click adds the second part."""
    first, second = away_mm() <= 12.0, (away_mm((24, 34, 9)) <= 9.0) & (away_mm() > 12.0)
    volume = noisy(first - 0.7 * second)
    alone = regrown(volume, click())
    both = regrown(volume, click(), click((24, 36, 9)))
    assert (alone & second).sum() < 0.2 * second.sum()
    assert (both & second).sum() > 0.7 * second.sum()
    assert (both & first).sum() > 0.7 * first.sum()


def belief_of(volume: Volume, *foreground: Index, background: tuple[Index, ...] = ()) -> Belief:
    distance = distance_from(foreground, GRID.shape, GRID.spacing_mm)
    seeds = SeedVoxels(foreground, background)
    return believe(volume.voxels[None], distance <= 60.0, distance, seeds, GRID, 60.0, False)


def test_one_click_is_believed_as_it_was_voted() -> None:
    volume = noisy(away_mm() <= 14.0)
    scene = scene_of(volume, CENTRE)
    votes = lesion_probability(scene, 60.0)
    belief = belief_of(volume, CENTRE)
    np.testing.assert_array_equal(belief.probability, votes)
    np.testing.assert_array_equal(belief.slowness, scene.slowness(belief.evidence))


def test_a_correction_is_believed_near_it_and_not_far_from_it() -> None:
    """A small part of another look on one side of a ball: the click there leaves the other side as it was."""
    ball, part = away_mm() <= 14.0, away_mm((24, 33, 9)) <= 5.0
    volume = noisy(ball - 0.7 * (part & ~ball))
    seeds = SeedVoxels((CENTRE, (24, 34, 9)), ())
    base = lesion_probability(scene_of(volume, CENTRE), 60.0, seeds)
    corrected = belief_of(volume, *seeds.foreground).probability
    assert base[24, 34, 9] < 0.5 < corrected[24, 34, 9]
    far = away_mm((24, 34, 9)) > 25.0
    np.testing.assert_allclose(corrected[far], base[far], atol=0.02)


def test_level_sets_that_contradict_clicks_count_less() -> None:
    """A core in a shell: whether the shell is meant, the other click says."""
    core, shell = away_mm() <= 8.0, (away_mm() > 8.0) & (away_mm() <= 20.0)
    scene = scene_of(noisy(core + 0.6 * shell), CENTRE)
    there = (24, 32, 9)
    alone, held, joined = (
        float(lesion_probability(scene, 60.0, clicks)[shell].mean())
        for clicks in (None, SeedVoxels((CENTRE,), (there,)), SeedVoxels((CENTRE, there), ()))
    )
    assert held < alone < joined
