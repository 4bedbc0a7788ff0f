"""Why a voxel is in the region or not: the way to it, its weakest link, and the reasons of voxels never reached."""

import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.growing import Growth, grow, path_to
from spinehub.series import ParametricMap
from spinehub.volume import Grid, Mask, Seed, Volume

GRID = Grid((30, 28, 8), np.array([[-1.5, 0, 0, 20], [0, 1.5, 0, -15], [0, 0, 4.0, 3], [0, 0, 0, 1.0]]))
CENTRE = (12, 13, 4)
INDEX = np.indices(GRID.shape)
DISTANCE = np.linalg.norm((np.moveaxis(INDEX, 0, -1) - np.array(CENTRE)) * np.array(GRID.spacing_mm), axis=-1)
NOISE = np.random.default_rng(4).normal(0.0, 5.0, GRID.shape)
IMAGE = Volume(200.0 + 100.0 * (DISTANCE <= 10.0) + NOISE, GRID)
SEED = Seed.at_index(CENTRE, GRID)


@pytest.fixture(scope="module")
def growth() -> Growth:
    return grow(IMAGE, [SEED], reach_mm=25.0)


@pytest.mark.parametrize("index", [(12, 25, 4), (2, 13, 4), (20, 20, 6), (13, 13, 4)])
def test_the_way_rises_from_the_seed_to_the_voxel_by_faces(growth: Growth, index: tuple[int, int, int]) -> None:
    path = path_to(growth, index)
    assert path.voxels[0] == CENTRE
    assert path.voxels[-1] == index
    assert (np.abs(np.diff(path.voxels, axis=0)).sum(axis=1) == 1).all()
    arrivals = [float(growth.arrival.values[voxel]) for voxel in path.voxels]
    assert (np.diff(arrivals) > 0).all()


def test_the_needed_tolerance_is_the_smallest_that_includes_the_voxel(growth: Growth) -> None:
    path = path_to(growth, (12, 25, 4))
    assert growth.mask(path.needed_tolerance).voxels[12, 25, 4]
    assert not growth.mask(np.nextafter(np.float32(path.needed_tolerance), np.float32(0))).voxels[12, 25, 4]


def test_the_weakest_link_is_at_the_border_of_the_lesion(growth: Growth) -> None:
    path = path_to(growth, (12, 25, 4))
    assert DISTANCE[path.weakest_link] > 8.0
    assert path.weakest_link_mm == pytest.approx(GRID.position_of(path.weakest_link))
    place = path.voxels.index(path.weakest_link)
    values = growth.arrival.values
    ways = np.abs(np.diff(path.voxels, axis=0)) @ np.array(GRID.spacing_mm)
    rises = np.diff([float(values[voxel]) for voxel in path.voxels]) / ways
    assert place == int(np.argmax(rises)) + 1
    assert path.steepest_rise == pytest.approx(rises.max())


def test_the_sentence_says_what_is_asked(growth: Growth) -> None:
    outside = path_to(growth, (12, 25, 4))
    assert not outside.inside
    assert outside.sentence().startswith("Voxel (12, 25, 4) is not in the region: it needs a tolerance of ")
    assert f"{growth.suggested_tolerance:.4g} is used" in outside.sentence()
    inside = path_to(growth, (13, 14, 4))
    assert inside.inside
    assert inside.sentence().startswith("Voxel (13, 14, 4) is in the region from tolerance ")
    raised = path_to(growth, (12, 25, 4), tolerance=outside.needed_tolerance)
    assert raised.inside
    assert path_to(growth, CENTRE).sentence() == "Voxel (12, 13, 4) is a foreground seed."
    assert path_to(growth, CENTRE).weakest_link is None


def reason(growth: Growth, index: tuple[int, int, int]) -> str | None:
    path = path_to(growth, index)
    assert path.needed_tolerance is None
    assert path.voxels == ()
    assert path.sentence().startswith(f"No tolerance includes voxel {index}: ")
    return path.unreached


def test_each_reason_of_a_voxel_never_reached() -> None:
    assert reason(grow(IMAGE, [SEED], reach_mm=12.0), (29, 27, 0)) == "beyond_reach"
    assert "reach of 12 mm" in path_to(grow(IMAGE, [SEED], reach_mm=12.0), (29, 27, 0)).sentence()
    assert reason(grow(IMAGE, [SEED], within_slice=True), (12, 13, 5)) == "other_slice"
    assert reason(grow(IMAGE, [SEED], box=((5, 5, 2), (20, 20, 6))), (21, 13, 4)) == "outside_box"
    assert reason(grow(IMAGE, [SEED], keep_out=Mask(INDEX[0] > 20, GRID)), (21, 13, 4)) == "kept_out"
    assert reason(grow(IMAGE, [SEED], intensity_range=(250.0, 400.0)), (2, 2, 4)) == "no_value"
    values = np.where(INDEX[0] > 20, np.nan, IMAGE.voxels)
    assert reason(grow(ParametricMap("washout", "%", values, GRID), [SEED]), (21, 13, 4)) == "no_value"
    wall = Mask(INDEX[0] == 20, GRID)
    assert reason(grow(IMAGE, [SEED], keep_out=wall), (22, 13, 4)) == "cut_off"


def test_a_voxel_held_by_a_background_seed() -> None:
    background = Seed.at_index((22, 13, 4), GRID, background=True)
    growth = grow(IMAGE, [SEED, background])
    assert reason(growth, (22, 13, 4)) == "background_seed"
    assert reason(growth, (23, 13, 4)) == "background_seed"
    walled = grow(IMAGE, [SEED, background], keep_out=Mask(INDEX[0] == 25, GRID))
    assert reason(walled, (27, 13, 4)) == "cut_off"


def test_a_growth_whose_domain_is_not_known() -> None:
    """As one read back from an arrival map alone."""
    whole = grow(IMAGE, [SEED], keep_out=Mask(INDEX[0] == 20, GRID))
    bare = Growth(whole.arrival, (SEED,), 60.0, whole.suggested_tolerance, None)
    assert reason(bare, (22, 13, 4)) == "cut_off"


def test_a_voxel_outside_the_volume_is_refused(growth: Growth) -> None:
    with pytest.raises(InvalidArgumentError, match=r"index must lie inside the volume, from \(0, 0, 0\)"):
        path_to(growth, (30, 0, 0))
