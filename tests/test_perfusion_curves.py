"""Region curves, and motion between frames."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.perfusion import Timing, assess_timing, estimate_motion, region_curve
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask

PRE_POST = Timing("pre_post", None, None, 2, None, True)
GRID = Grid((4, 3, 2), np.diag([1.0, 1.0, 4.0, 1.0]))


def mask_of(*voxels: tuple[int, int, int]) -> Mask:
    inside = np.zeros(GRID.shape, bool)
    for voxel in voxels:
        inside[voxel] = True
    return Mask(inside, GRID)


def test_the_curve_is_the_mean_signal_and_its_own_enhancement(rng: np.random.Generator) -> None:
    frames = rng.uniform(50.0, 300.0, (*GRID.shape, 6)).astype(np.float32).astype(float)
    times = np.arange(6) * 12.0
    mask = Mask(rng.random(GRID.shape) < 0.5, GRID)
    curve = region_curve(DynamicSeries(frames, GRID, times), mask, PRE_POST)
    signal = frames[mask.voxels]
    np.testing.assert_allclose(curve.signal, signal.mean(axis=0))
    s0 = signal.mean(axis=0)[:2].mean()
    np.testing.assert_allclose(curve.enhancement, 100 * (signal.mean(axis=0) - s0) / s0)
    voxel_s0 = signal[:, :2].mean(axis=1, keepdims=True)
    quartiles = np.quantile(100 * (signal - voxel_s0) / voxel_s0, (0.25, 0.75), axis=0)
    np.testing.assert_allclose(curve.lower_quartile, quartiles[0], rtol=1e-5, atol=1e-4)  # float32 S0
    np.testing.assert_allclose(curve.upper_quartile, quartiles[1], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(curve.times_s, times)
    assert curve.region is mask


def test_unusable_voxels_take_no_part() -> None:
    frames = np.full((*GRID.shape, 4), 100.0)
    frames[..., 2:] = 150.0
    frames[0, 0, 0] = [0.0, 0.0, 900.0, 900.0]
    frames[1, 0, 0, 3] = np.nan
    series = DynamicSeries(frames, GRID)
    curve = region_curve(series, mask_of((0, 0, 0), (1, 0, 0), (2, 0, 0)), PRE_POST)
    np.testing.assert_allclose(curve.signal, [100, 100, 150, 150])
    np.testing.assert_allclose(curve.enhancement, [0, 0, 50, 50])
    nothing = region_curve(series, mask_of((0, 0, 0)), PRE_POST)
    assert np.isnan(nothing.enhancement).all()
    assert np.isnan(nothing.upper_quartile).all()


def test_curves_refuse_empty_masks_other_grids_and_volumes() -> None:
    series = DynamicSeries(np.ones((*GRID.shape, 3)), GRID)
    with pytest.raises(InvalidArgumentError, match="at least one voxel to have a curve"):
        region_curve(series, mask_of(), PRE_POST)
    with pytest.raises(GridMismatchError, match="mask must lie on the grid"):
        region_curve(series, Mask(np.ones((2, 2, 2), bool), Grid((2, 2, 2), np.eye(4))), PRE_POST)
    volume = series.frame(0)
    with pytest.raises(InvalidArgumentError, match="got the regime single"):
        region_curve(series, mask_of((0, 0, 0)), assess_timing(volume))


def scene(rng: np.random.Generator, shape: tuple[int, int, int] = (72, 64, 5)) -> NDArray[np.float64]:
    """Shapes with edges, on a background of air."""
    fields = ndimage.gaussian_filter(rng.normal(size=shape), (4, 4, 0))
    tissue = 300.0 + 200.0 * (fields > 0) + 300.0 * (fields > 0.08)
    tissue[:6], tissue[:, :6], tissue[-6:], tissue[:, -6:] = 0.0, 0.0, 0.0, 0.0
    return ndimage.gaussian_filter(tissue, (0.7, 0.7, 0))


def shifted(scene_values: NDArray[np.float64], shift: tuple[float, float, float]) -> NDArray[np.float64]:
    return ndimage.shift(scene_values, shift, order=3, mode="nearest")


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.25), (1.3, 0.8), (-4.0, 2.5)])
@pytest.mark.parametrize("noise", [0.0, 40.0])
def test_motion_is_found_through_contrast_and_noise(
    shift: tuple[float, float], noise: float, rng: np.random.Generator
) -> None:
    still = scene(rng)
    uptake = np.clip(1.0 + 20.0 * ndimage.gaussian_filter(rng.normal(size=still.shape), (8, 8, 0)), 0.8, 3.0)
    frames = np.stack([still, still, shifted(still * uptake, (*shift, 0.0))], axis=-1)
    frames = np.hypot(frames + rng.normal(0.0, noise, frames.shape), rng.normal(0.0, noise, frames.shape))
    grid = Grid(still.shape, np.diag([1.2, 0.9, 4.0, 1.0]))
    expected_mm = np.hypot(1.2 * shift[0], 0.9 * shift[1])
    assert estimate_motion(DynamicSeries(frames, grid), PRE_POST) == pytest.approx(expected_mm, abs=0.2)


def test_motion_is_the_largest_step_between_consecutive_frames_in_the_slice_plane(rng: np.random.Generator) -> None:
    still = scene(rng)
    places = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 3.0), (2.0, 3.0)]
    frames = np.stack([shifted(still, (*place, 0.0)) for place in places], axis=-1)
    series = DynamicSeries(frames, Grid(still.shape, np.diag([1.0, 1.0, 4.0, 1.0])))
    assert estimate_motion(series, PRE_POST) == pytest.approx(3.0, abs=0.15)
    turned = DynamicSeries(np.moveaxis(frames, 2, 0), Grid((5, 72, 64), np.diag([4.0, 1.0, 1.0, 1.0])))
    assert estimate_motion(turned, PRE_POST) == pytest.approx(estimate_motion(series, PRE_POST), abs=1e-3)


def test_unrelated_empty_and_tiny_frames_do_not_move(rng: np.random.Generator) -> None:
    noise = np.hypot(*rng.normal(size=(2, 40, 40, 3, 4)))
    grid = Grid((40, 40, 3), np.diag([1.0, 1.0, 4.0, 1.0]))
    assert estimate_motion(DynamicSeries(noise, grid), PRE_POST) == 0.0
    assert estimate_motion(DynamicSeries(np.zeros_like(noise), grid), PRE_POST) == 0.0
    assert estimate_motion(DynamicSeries(np.full_like(noise, 7.0), grid), PRE_POST) == 0.0
    tiny = DynamicSeries(noise[:1, :2, :1], Grid((1, 2, 1), np.eye(4)))
    assert estimate_motion(tiny, PRE_POST) == 0.0


def test_frames_with_holes_still_move(rng: np.random.Generator) -> None:
    still = scene(rng)
    frames = np.stack([still, shifted(still, (2.0, 0.0, 0.0))], axis=-1)
    frames[30, 30, :, 1] = np.nan
    series = DynamicSeries(frames, Grid(still.shape, np.diag([1.0, 1.0, 4.0, 1.0])))
    assert estimate_motion(series, PRE_POST) == pytest.approx(2.0, abs=0.2)


def test_a_volume_does_not_move(rng: np.random.Generator) -> None:
    series = DynamicSeries(rng.random((*GRID.shape, 2)), GRID)
    assert estimate_motion(series, assess_timing(series.frame(0))) == 0.0
