"""The hot spot: the right voxels, in the right number."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.errors import GridMismatchError
from spinehub.perfusion import Timing, assess_timing, find_hot_spot, hot_spot_parameters
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask

TIMES = np.arange(0.0, 311.0, 10.0)
TIMING = Timing("dynamic", 25.0, 5.0, 3, 310.0, True)
Array = NDArray[np.float64]


def grid_of(shape: tuple[int, int, int], pixel_mm: float = 3.0) -> Grid:
    """Pixels of 9 mm2 by default: nine voxels are more than 50 mm2."""
    return Grid(shape, np.diag([pixel_mm, pixel_mm, 5.0, 1.0]))


def uptake(amplitude: Array, *, since_s: float = 25.0) -> Array:
    """Signal ``(..., T)``: 100 before, rising with a time constant of 20 s to 100 + amplitude."""
    rise = 1.0 - np.exp(-np.maximum(TIMES - since_s, 0.0) / 20.0)
    return 100.0 + np.asarray(amplitude)[..., None] * rise


def series_of(signal: Array, grid: Grid | None = None) -> DynamicSeries:
    return DynamicSeries(signal, grid_of(signal.shape[:3]) if grid is None else grid, TIMES)


def block(shape: tuple[int, int, int], *ranges: slice, grid: Grid | None = None) -> Mask:
    voxels = np.zeros(shape, bool)
    voxels[ranges] = True
    return Mask(voxels, grid_of(shape) if grid is None else grid)


def lesion_with_hot_corner() -> tuple[DynamicSeries, Mask]:
    """Lesion of 10 x 10 x 3 voxels that enhances by 80 %; 150 % in 5 x 5 voxels of its middle slice."""
    amplitude = np.full((14, 14, 5), 80.0)
    amplitude[6:11, 6:11, 2] = 150.0
    return series_of(uptake(amplitude)), block((14, 14, 5), slice(2, 12), slice(2, 12), slice(1, 4))


def test_the_hot_spot_is_where_the_lesion_enhances_most() -> None:
    series, mask = lesion_with_hot_corner()
    hot = find_hot_spot(series, mask, TIMING)
    assert hot is not None
    assert hot.slice_index == 2
    assert hot.mask.count == 15  # 5 % of 300 voxels
    inside = np.zeros(series.grid.shape, bool)
    inside[6:11, 6:11, 2] = True
    assert inside[hot.mask.voxels].all()
    assert ndimage.label(hot.mask.voxels)[1] == 1
    assert hot.enhances
    assert hot.curve_type == 2
    assert hot.curve.region is hot.mask
    assert not (hot.mask.voxels & ~mask.voxels).any()


@pytest.mark.parametrize(
    ("size", "pixel_mm", "expected"),
    [
        (6, 3.0, 9),  # 36 voxels: nine rule
        (10, 1.0, 50),  # 50 mm2 of 1 mm2 pixels, just half the lesion
        (8, 1.5, 23),  # 50 / 2.25 = 22.2 pixels
        (20, 4.0, 20),  # 5 % of 400
        (9, 0.5, 40),  # 200 wanted, at most half of 81
    ],
)
def test_size_is_nine_voxels_fifty_mm2_or_five_percent_and_at_most_half(
    size: int, pixel_mm: float, expected: int, rng: np.random.Generator
) -> None:
    shape = (size + 4, size + 4, 1)
    grid = Grid(shape, np.diag([pixel_mm, pixel_mm, 9.0, 1.0]))
    series = series_of(uptake(rng.uniform(60.0, 120.0, shape)), grid)
    hot = find_hot_spot(series, block(shape, slice(2, -2), slice(2, -2), grid=grid), TIMING)
    assert hot is not None
    assert hot.mask.count == expected


def test_only_voxels_inside_the_edge_are_chosen(rng: np.random.Generator) -> None:
    shape = (12, 12, 3)
    mask = Mask(ndimage.binary_opening(rng.random(shape) < 0.9, np.ones((3, 3, 1))), grid_of(shape))
    amplitude = np.where(ndimage.binary_erosion(mask.voxels, np.ones((3, 3, 1))), 60.0, 300.0)
    hot = find_hot_spot(series_of(uptake(amplitude)), mask, TIMING)
    assert hot is not None
    for i, j, k in np.argwhere(hot.mask.voxels):
        assert mask.voxels[i - 1 : i + 2, j - 1 : j + 2, k].all()


def test_fewer_than_nine_voxels_inside_the_edge_are_a_small_lesion() -> None:
    shape = (9, 9, 3)
    series = series_of(uptake(np.full(shape, 100.0)))
    assert find_hot_spot(series, block(shape, slice(2, 7), slice(2, 6), slice(0, 3)), TIMING) is None  # 3 x 2 x 3
    assert find_hot_spot(series, block(shape), TIMING) is not None
    assert find_hot_spot(series, Mask(np.zeros(shape, bool), grid_of(shape)), TIMING) is None
    found = find_hot_spot(series, block(shape, slice(2, 7), slice(2, 7), slice(1, 2)), TIMING)
    assert found is not None
    assert found.mask.count == 9


def test_an_empty_slice_between_pieces_and_too_small_pieces_are_passed_over() -> None:
    shape = (20, 12, 2)
    amplitude = np.full(shape, 60.0)
    amplitude[1:6, 1:6, 0] = 200.0  # 3 x 3 inside the edge, too few for the size wanted below
    mask_voxels = np.zeros(shape, bool)
    mask_voxels[1:6, 1:6, 0] = True
    mask_voxels[8:19, 1:11, 1] = True
    grid = Grid(shape, np.diag([1.5, 1.5, 5.0, 1.0]))
    hot = find_hot_spot(series_of(uptake(amplitude), grid), Mask(mask_voxels, grid), TIMING)
    assert hot is not None
    assert hot.slice_index == 1
    assert hot.mask.count == 23


def test_where_no_slice_offers_the_size_the_largest_piece_counts() -> None:
    shape = (7, 7, 12)
    mask = block(shape, slice(1, 6), slice(1, 6))  # 300 voxels want 15, a slice offers 3 x 3
    hot = find_hot_spot(series_of(uptake(np.full(shape, 90.0))), mask, TIMING)
    assert hot is not None
    assert hot.mask.count == 9


def test_vessels_are_left_out() -> None:
    amplitude = np.full((14, 14, 3), 80.0)
    signal = uptake(amplitude, since_s=45.0)
    signal[4:7, 4:10] = uptake(np.full((3, 6, 3), 400.0), since_s=25.0)
    mask = block((14, 14, 3), slice(2, 12), slice(2, 12))
    hot = find_hot_spot(series_of(signal), mask, TIMING)
    assert hot is not None
    assert not hot.mask.voxels[4:7, 4:10].any()
    # The same voxels, arriving with the lesion, are its hot spot.
    signal[4:7, 4:10] = uptake(np.full((3, 6, 3), 400.0), since_s=45.0)
    hot = find_hot_spot(series_of(signal), mask, TIMING)
    assert hot is not None
    assert hot.mask.voxels[5, 5:9].any()


def test_a_fast_lesion_part_beside_a_slow_one_is_no_vessel() -> None:
    signal = uptake(np.full((14, 14, 3), 60.0))
    slow = 100.0 + 60.0 * np.clip((TIMES - 25.0) / 250.0, 0.0, 1.0)
    signal[...] = slow
    signal[3:8, 3:8] = uptake(np.full((5, 5, 3), 150.0))
    hot = find_hot_spot(series_of(signal), block((14, 14, 3), slice(2, 12), slice(2, 12)), TIMING)
    assert hot is not None
    assert hot.mask.voxels[3:8, 3:8].sum() == hot.mask.count


def test_dark_voxels_are_left_out() -> None:
    signal = uptake(np.full((14, 14, 3), 80.0))
    signal[4:8, 4:8] = 0.15 * uptake(np.full((4, 4, 3), 500.0))
    hot = find_hot_spot(series_of(signal), block((14, 14, 3), slice(2, 12), slice(2, 12)), TIMING)
    assert hot is not None
    assert not hot.mask.voxels[4:8, 4:8].any()


def test_the_window_is_30_to_120_seconds_after_arrival() -> None:
    early = np.where((TIMES > 30.0) & (TIMES < 50.0), 500.0, 160.0)  # bright only before t0 + 25 s
    late = np.where(TIMES > 150.0, 500.0, 160.0)  # bright only after t0 + 125 s
    signal = np.full((20, 12, 1, len(TIMES)), 170.0)
    signal[2:8, 2:10, 0], signal[12:18, 2:10, 0] = early, late
    signal[..., :3] = 100.0
    hot = find_hot_spot(series_of(signal), block((20, 12, 1)), TIMING)
    assert hot is not None
    assert not hot.mask.voxels[2:8, 2:10].any()
    assert not hot.mask.voxels[12:18, 2:10].any()


def test_without_times_the_frames_after_the_baseline_count() -> None:
    frames = np.full((10, 10, 2, 3), 100.0)
    frames[..., 1:] = 140.0
    frames[2:7, 2:7, 1, 1:] = 210.0
    series = DynamicSeries(frames, grid_of((10, 10, 2)))
    timing = assess_timing(series)
    hot = find_hot_spot(series, block((10, 10, 2)), timing)
    assert hot is not None
    assert hot.slice_index == 1
    assert hot.mask.voxels[2:7, 2:7, 1].sum() == hot.mask.count
    assert hot.enhances
    assert hot.curve_type is None
    for parameter in hot_spot_parameters(hot, timing).values():
        assert parameter.value is None
        assert str(parameter.reason).startswith("timing_missing: ")


def test_the_hot_spot_follows_flips_and_permutations(rng: np.random.Generator) -> None:
    shape = (11, 12, 3)
    amplitude = ndimage.gaussian_filter(rng.normal(size=shape), (1, 1, 0)) * 100.0 + 100.0
    series, mask = series_of(uptake(amplitude)), block(shape, slice(1, 10), slice(1, 11))
    hot = find_hot_spot(series, mask, TIMING)
    flipped = find_hot_spot(
        series_of(uptake(amplitude[::-1, :, ::-1])), Mask(mask.voxels[::-1, :, ::-1], mask.grid), TIMING
    )
    grid = Grid((3, 11, 12), np.diag([5.0, 3.0, 3.0, 1.0]))
    turned = find_hot_spot(
        series_of(uptake(np.moveaxis(amplitude, 2, 0)), grid), Mask(np.moveaxis(mask.voxels, 2, 0), grid), TIMING
    )
    assert hot is not None
    assert flipped is not None
    assert turned is not None
    np.testing.assert_array_equal(flipped.mask.voxels, hot.mask.voxels[::-1, :, ::-1])
    np.testing.assert_array_equal(turned.mask.voxels, np.moveaxis(hot.mask.voxels, 2, 0))
    assert (flipped.slice_index, turned.slice_index) == (2 - hot.slice_index, hot.slice_index)


def test_a_mask_on_another_grid_is_refused() -> None:
    series, _ = lesion_with_hot_corner()
    with pytest.raises(GridMismatchError, match="mask must lie on the grid of the image"):
        find_hot_spot(series, block((3, 3, 3)), TIMING)
