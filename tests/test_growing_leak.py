"""Two balls joined by a thin bridge: the neck lies in the bridge, and a cut there parts them."""

from dataclasses import dataclass

import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.growing import Growth, cut_at_neck, grow
from spinehub.growing.section import Section, plate, sections_across
from spinehub.volume import Grid, Mask, Seed, Volume

SHAPE = (52, 76, 16)
SPACING = (1.2, 1.2, 4.0)
GRID = Grid(SHAPE, np.diag([*SPACING, 1.0]))
FIRST, SECOND = (26, 19, 8), (26, 55, 8)


def away_mm(centre: tuple[int, int, int]) -> np.ndarray:
    offsets = np.moveaxis(np.indices(SHAPE), 0, -1) - np.array(centre)
    return np.asarray(np.linalg.norm(offsets * np.array(SPACING), axis=-1))


@dataclass(frozen=True, eq=False)
class Dumbbell:
    """Ball of the seed, the other ball, the bridge outside both, and the image of the three."""

    first: np.ndarray
    second: np.ndarray
    bridge: np.ndarray
    image: Volume


def dumbbell(first_mm: float, second_mm: float, width: int, noise: float) -> Dumbbell:
    first, second = away_mm(FIRST) <= first_mm, away_mm(SECOND) <= second_mm
    bridge = np.zeros(SHAPE, bool)
    bridge[26 - width // 2 : 26 - width // 2 + width, FIRST[1] : SECOND[1], 7:9] = True
    bright = first | second | bridge
    signal = 200.0 + 100.0 * bright + np.random.default_rng(1).normal(0.0, noise, SHAPE)
    return Dumbbell(first, second, bridge & ~first & ~second, Volume(signal, GRID))


CASES = [(13.0, 13.0, 4, 10.0), (13.0, 13.0, 4, 40.0), (14.0, 20.0, 6, 20.0), (18.0, 14.0, 4, 5.0)]


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[Dumbbell, Growth]:
    phantom = dumbbell(*request.param)
    return phantom, grow(phantom.image, [Seed.at_index(FIRST, GRID)])


def test_the_neck_lies_in_the_bridge(case: tuple[Dumbbell, Growth]) -> None:
    phantom, growth = case
    leak = growth.leak
    assert leak is not None
    i, j, k = leak.neck
    assert phantom.bridge[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2].any()
    assert leak.neck_mm == pytest.approx(GRID.position_of(leak.neck))
    assert leak.direction[1] > 0.8, "the bridge runs along the second axis"
    across = phantom.bridge[:, 37, :].sum() * SPACING[0] * SPACING[2]
    assert leak.neck_area_mm2 < 2.0 * across


def test_the_region_leaks_at_the_tolerance_named_and_is_suggested_below_it(case: tuple[Dumbbell, Growth]) -> None:
    phantom, growth = case
    leak = growth.leak
    assert growth.leak_tolerance == leak.tolerance == growth.arrival.values[leak.neck]
    assert growth.suggested_tolerance < growth.leak_tolerance
    before = growth.mask(growth.leak_tolerance).voxels
    assert (before & phantom.first).sum() > 0.9 * phantom.first.sum()
    assert not (before & phantom.second).any()
    assert 1.2 * leak.volume_before_ml < leak.volume_after_ml
    assert leak.volume_before_ml == pytest.approx(before.sum() * GRID.voxel_volume_ml, abs=0.1)


def test_grown_again_with_the_cut_the_other_ball_stays_out(case: tuple[Dumbbell, Growth]) -> None:
    phantom, growth = case
    cut = cut_at_neck(growth)
    assert cut.count < 300
    assert not cut.voxels[FIRST]
    again = grow(phantom.image, [Seed.at_index(FIRST, GRID)], keep_out=cut)
    region = again.mask(again.suggested_tolerance).voxels
    assert 2.0 * (region & phantom.first).sum() / (region.sum() + phantom.first.sum()) > 0.85
    assert not (region & phantom.second).any()
    filled = float(np.quantile(growth.arrival.values[phantom.second], 0.5))
    assert (growth.mask(filled).voxels & phantom.second).sum() >= 0.5 * phantom.second.sum()
    assert not (again.mask(filled).voxels & phantom.second).any()


def test_cuts_add_up() -> None:
    phantom = dumbbell(*CASES[0])
    corner = Mask(np.indices(SHAPE).sum(axis=0) < 3, GRID)
    growth = grow(phantom.image, [Seed.at_index(FIRST, GRID)], keep_out=corner)
    cut = cut_at_neck(growth).voxels
    assert cut[corner.voxels].all()
    assert cut.sum() > corner.count


@pytest.mark.parametrize("noise", [1.0, 20.0, 60.0])
def test_a_ball_alone_does_not_leak(noise: float) -> None:
    signal = 200.0 + 100.0 * (away_mm(FIRST) <= 14.0) + np.random.default_rng(3).normal(0.0, noise, SHAPE)
    growth = grow(Volume(signal, GRID), [Seed.at_index(FIRST, GRID)])
    assert growth.leak is None
    assert growth.leak_tolerance is None
    with pytest.raises(InvalidArgumentError, match="growth must leak to be cut"):
        cut_at_neck(growth)


def test_a_waist_is_no_neck() -> None:
    """Two balls that overlap widely are one lobed lesion."""
    lobes = (away_mm((26, 30, 8)) <= 14.0) | (away_mm((26, 45, 8)) <= 14.0)
    signal = 200.0 + 100.0 * lobes + np.random.default_rng(3).normal(0.0, 10.0, SHAPE)
    growth = grow(Volume(signal, GRID), [Seed.at_index((26, 30, 8), GRID)])
    region = growth.mask(growth.suggested_tolerance).voxels
    assert 2.0 * (region & lobes).sum() / (region.sum() + lobes.sum()) > 0.9


def test_seeds_on_both_sides_are_no_leak() -> None:
    phantom = dumbbell(*CASES[0])
    growth = grow(phantom.image, [Seed.at_index(FIRST, GRID), Seed.at_index(SECOND, GRID)])
    region = growth.mask(growth.suggested_tolerance).voxels
    assert (region & phantom.second).sum() > 0.9 * phantom.second.sum()
    assert growth.leak is None


@pytest.mark.parametrize("way", ["along", "oblique"])
def test_a_section_of_a_bar_has_the_area_of_the_bar(way: str) -> None:
    region = np.zeros((40, 40, 8), bool)
    region[14:22, :, 3:5] = True
    voxels = [(18, j, 3) for j in range(5, 35)]
    if way == "oblique":
        region = np.zeros((40, 40, 8), bool)
        i, j, _ = np.indices(region.shape)
        region[np.abs(i - j) <= 5] = True
        voxels = [(5 + n // 2, 5 + (n + 1) // 2, 3) for n in range(50)]
    (section,) = sections_across(region, voxels, (1.0, 1.0, 4.0), [len(voxels) // 2])
    expected = 8.0 * 8.0 if way == "along" else (11.0 / np.sqrt(2.0)) * 8 * 4.0
    assert section.area_mm2 == pytest.approx(expected, rel=0.15)
    assert np.linalg.norm(section.normal) == pytest.approx(1.0)


@pytest.mark.parametrize("normal", [(0.0, 1.0, 0.0), (0.6, 0.8, 0.0), (0.36, 0.48, 0.8), (0.0, 0.0, 1.0)])
def test_no_way_through_faces_passes_a_plate(normal: tuple[float, float, float]) -> None:
    from scipy import ndimage

    shape, centre = (30, 30, 10), (15, 15, 5)
    free = np.ones(shape, bool)
    free[plate(shape, (1.0, 1.0, 4.0), Section(centre, normal, 1.0), radius_mm=200.0)] = False
    parts, count = ndimage.label(free)
    assert count == 2
    offsets = (np.moveaxis(np.indices(shape), 0, -1) - np.array(centre)) * np.array([1.0, 1.0, 4.0])
    height = offsets @ np.array(normal)
    before, after = set(parts[free & (height < -5)].tolist()), set(parts[free & (height > 5)].tolist())
    assert len(before) == len(after) == 1
    assert before != after
