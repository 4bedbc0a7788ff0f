"""Limits of a growing, and regions that hold nothing to grow on."""

import numpy as np
import pytest

from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.growing import GrowingWarning, Growth, Limits, grow
from spinehub.growing.channels import GrowableImage
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Seed, Volume

GRID = Grid((24, 22, 8), np.diag([1.5, 1.5, 4.0, 1.0]))
CENTRE = (11, 10, 4)
INDEX = np.indices(GRID.shape)
DISTANCE = np.linalg.norm(
    (np.moveaxis(INDEX, 0, -1) - np.array(CENTRE)) * np.array(GRID.spacing_mm),
    axis=-1,
)
NOISE = np.random.default_rng(4).normal(0.0, 5.0, GRID.shape)
IMAGE = Volume(200.0 + 100.0 * (DISTANCE <= 9.0) + NOISE, GRID)
SEED = Seed.at_index(CENTRE, GRID)


def reached(growth: Growth) -> np.ndarray:
    return np.asarray(growth.arrival.valid)


def test_without_limits_everything_within_reach_is_reached() -> None:
    np.testing.assert_array_equal(reached(grow(IMAGE, [SEED], reach_mm=12.0)), DISTANCE <= 12.0)


@pytest.mark.parametrize("corners", [((3, 2, 3), (15, 14, 6)), ((15, 2, 6), (3, 14, 3))])
def test_the_region_stays_in_a_box_whose_corners_both_belong_to_it(corners) -> None:
    growth = grow(IMAGE, [SEED], box=corners)
    inside = np.zeros(GRID.shape, bool)
    inside[3:16, 2:15, 3:7] = True
    np.testing.assert_array_equal(reached(growth), inside)
    assert growth.limits.box == ((3, 2, 3), (15, 14, 6))
    assert growth.warning is None


def test_a_box_larger_than_the_reach_changes_nothing() -> None:
    free = grow(IMAGE, [SEED], reach_mm=10.0)
    boxed = grow(IMAGE, [SEED], reach_mm=10.0, box=((0, 0, 0), (23, 21, 7)))
    np.testing.assert_array_equal(free.arrival.values, boxed.arrival.values)
    assert free.suggested_tolerance == boxed.suggested_tolerance


def test_the_region_does_not_enter_a_mask_and_cannot_pass_a_wall() -> None:
    wall = np.zeros(GRID.shape, bool)
    wall[15] = True
    growth = grow(IMAGE, [SEED], keep_out=Mask(wall, GRID))
    np.testing.assert_array_equal(reached(growth), (INDEX[0] < 15) & (DISTANCE <= 60.0))


def test_the_region_keeps_to_an_intensity_range() -> None:
    growth = grow(IMAGE, [SEED], intensity_range=(250.0, float("inf")))
    assert IMAGE.voxels[reached(growth)].min() >= 250.0
    assert reached(growth).sum() > 0.95 * (DISTANCE <= 9.0).sum()


@pytest.mark.parametrize("kind", ["map", "maps", "series"])
def test_what_the_intensity_range_means_for_other_images(kind: str) -> None:
    """A map by its values, several maps by the first, a series by the mean of its frames after the baseline."""
    other = ParametricMap("washout", "%", -IMAGE.voxels, GRID)
    first = ParametricMap("peak_enhancement", "%", IMAGE.voxels, GRID)
    frames = np.stack([NOISE, NOISE, IMAGE.voxels - 40.0, IMAGE.voxels + 40.0], axis=-1)
    images: dict[str, GrowableImage] = {
        "map": first,
        "maps": [first, other],
        "series": DynamicSeries(frames, GRID, baseline_frames=2),
    }
    growth = grow(images[kind], [SEED], intensity_range=(250.0, 400.0))
    np.testing.assert_array_equal(reached(growth), reached(grow(IMAGE, [SEED], intensity_range=(250.0, 400.0))))


def test_limits_that_all_hold_meet() -> None:
    keep_out = Mask(INDEX[1] > 12, GRID)
    growth = grow(IMAGE, [SEED], intensity_range=(250.0, 400.0), box=((0, 0, 0), (12, 21, 7)), keep_out=keep_out)
    allowed = (IMAGE.voxels >= 250.0) & (IMAGE.voxels <= 400.0) & (INDEX[0] <= 12) & (INDEX[1] <= 12)
    assert not (reached(growth) & ~allowed).any()
    assert reached(growth)[CENTRE]


def test_a_background_seed_outside_a_limit_does_no_harm() -> None:
    far = Seed.at_index((20, 20, 4), GRID, background=True)
    growth = grow(IMAGE, [SEED, far], box=((3, 2, 3), (15, 14, 6)))
    np.testing.assert_array_equal(
        growth.arrival.values, grow(IMAGE, [SEED], box=((3, 2, 3), (15, 14, 6))).arrival.values
    )


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"box": ((0, 0, 0), (5, 21, 7))}, r"seed \(11, 10, 4\) lies outside the box .* move the seed or widen"),
        ({"intensity_range": (0.0, 50.0)}, r"seed \(11, 10, 4\) has the intensity .*outside intensity_range 0 to 50"),
        ({"keep_out": Mask(DISTANCE < 3.0, GRID)}, r"seed \(11, 10, 4\) lies in the mask keep_out"),
        ({"box": ((0, 0, 0), (24, 21, 7))}, r"box must lie inside the volume, whose voxels run .* to \(23, 21, 7\)"),
        ({"box": ((0, 0, -1), (5, 5, 5))}, "box must be two opposite corners"),
        ({"box": ((0, 0, 0),)}, "box must be two opposite corners"),
        ({"intensity_range": (5.0, 5.0)}, "intensity_range must be two numbers, the lower first"),
        ({"intensity_range": (float("nan"), 5.0)}, "intensity_range must be two numbers"),
    ],
)
def test_impossible_limits_are_refused(limits, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        grow(IMAGE, [SEED], **limits)


def test_a_mask_on_another_grid_is_refused() -> None:
    other = Grid(GRID.shape, np.diag([1.0, 1.5, 4.0, 1.0]))
    with pytest.raises(GridMismatchError, match="mask keep_out"):
        grow(IMAGE, [SEED], keep_out=Mask(np.zeros(GRID.shape, bool), other))


def test_limits_without_any_limit_are_empty() -> None:
    growth = grow(IMAGE, [SEED])
    assert growth.limits.box is growth.limits.keep_out is growth.limits.intensity_range is None
    assert Limits().why_not(IMAGE, CENTRE) is None


def one_voxel_answer(image: Volume, index=CENTRE, **options) -> str:
    with pytest.warns(GrowingWarning) as caught:
        growth = grow(image, [Seed.at_index(index, GRID)], **options)
    mask = growth.mask(growth.suggested_tolerance)
    assert mask.count == 1
    assert mask.voxels[index]
    assert growth.leak_tolerance is None
    assert growth.warning == str(caught[0].message)
    return growth.warning


def test_a_constant_image_gives_one_voxel_and_a_warning() -> None:
    assert "one and the same value" in one_voxel_answer(Volume(np.full(GRID.shape, 7.0), GRID))


def test_a_click_in_padding_gives_one_voxel_and_a_warning() -> None:
    padded = np.where(INDEX[0] < 12, IMAGE.voxels, 0.0)
    assert "one and the same value" in one_voxel_answer(Volume(padded, GRID), index=(18, 10, 4), reach_mm=14.0)


def test_a_tiny_domain_gives_one_voxel_and_a_warning() -> None:
    warning = one_voxel_answer(IMAGE, box=((11, 10, 4), (12, 11, 5)))
    assert warning.startswith("only 8 voxels lie within reach and limits")
    one_voxel_answer(IMAGE, reach_mm=0.5)


def test_a_noiseless_object_is_grown_like_any_other() -> None:
    ball = DISTANCE <= 9.0
    growth = grow(Volume(200.0 + 100.0 * ball, GRID), [SEED])
    region = growth.mask(growth.suggested_tolerance).voxels
    assert 2.0 * (region & ball).sum() / (region.sum() + ball.sum()) > 0.95


def test_the_slider_still_moves_in_a_constant_image() -> None:
    with pytest.warns(GrowingWarning):
        growth = grow(Volume(np.full(GRID.shape, 7.0), GRID), [SEED], reach_mm=15.0)
    assert growth.mask(0.0).count == 1
    np.testing.assert_array_equal(reached(growth), DISTANCE <= 15.0)
