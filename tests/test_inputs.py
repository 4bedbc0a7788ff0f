"""Slices on a known phantom, in any orientation, against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.inputs import PreprocessingSpec, crop_box, make_stack, mask_slices, reduce_regime
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Volume

SMALL = PreprocessingSpec(spacing_mm=1.5, size=16, slice_spacing_mm=4.5, depth_mm=40.0)
SIGNAL = replace(SMALL, frames_as="signal")
DYNAMIC = Timing("dynamic", 20.0, 5.0, 2, 290.0, True)
PRE_POST = Timing("pre_post", None, None, 1, None, True)
SINGLE = Timing("single", None, None, 0, None, None)


def rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    x, y, z = np.deg2rad(degrees)
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return rz @ ry @ rx


def grid_of(
    codes: str = "PIL", spacing: tuple[float, ...] = (1.0, 1.2, 4.5), shape=(40, 44, 9), degrees=(0.0, 0.0, 0.0)
) -> Grid:
    """Grid whose array axes run towards `codes`, rotated by `degrees`, centred on the origin."""
    axes = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for axis, code in enumerate(codes):
        patient, sign = axes[code]
        affine[patient, axis] = sign * spacing[axis]
    affine[:3, :3] = rotation(degrees) @ affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2.0)
    return Grid(shape, affine)


def positions(grid: Grid) -> NDArray[np.float64]:
    """``(..., 3)`` mm of every voxel."""
    indices = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    return indices @ grid.affine[:3, :3].T + grid.affine[:3, 3]


ORIENTATIONS = [
    ("PIL", (1.0, 1.2, 4.5), (40, 44, 9), (0, 0, 0)),
    ("RSA", (4.5, 1.1, 1.3), (9, 40, 36), (0, 0, 0)),
    ("SLP", (1.2, 5.0, 1.0), (38, 8, 42), (8, -12, 5)),
    ("LAS", (1.1, 1.0, 4.0), (44, 40, 14), (0, 0, 0)),  # axial
    ("RIA", (1.0, 1.2, 3.5), (42, 40, 16), (6, 4, -9)),  # oblique coronal
]


@pytest.mark.parametrize(("codes", "spacing", "shape", "degrees"), ORIENTATIONS)
def test_a_linear_field_is_sampled_exactly_where_the_stack_says(codes, spacing, shape, degrees) -> None:
    # Linear interpolation of a linear field is exact, whatever the axes.
    grid = grid_of(codes, spacing, shape, degrees)
    slope = np.array([0.02, -0.03, 0.05])
    field = 5.0 + positions(grid) @ slope
    stack = make_stack(
        Volume(field.astype(np.float32), grid), SMALL, timing=SINGLE, maps={}, center_mm=(1.0, -2.0, 3.0)
    )
    shown = stack.values[:, 3 + SMALL.peak_slot, 2:-2, 2:-2]
    expected = (5.0 + positions(stack.grid) @ slope)[:, 2:-2, 2:-2]
    inner = mask_slices(Mask(np.ones(shape, bool), grid), stack)[:, 2:-2, 2:-2] > 0
    assert inner.mean() > 0.9
    # Equal up to the one number the case was divided by; 3e-3: a sampled triangle is slightly off centre.
    ratio = (shown / expected)[1:-1][inner[1:-1]]
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=3e-3)


@pytest.mark.parametrize(("codes", "spacing", "shape", "degrees"), ORIENTATIONS)
def test_slices_run_left_rows_down_and_columns_back(codes, spacing, shape, degrees) -> None:
    stack = make_stack(
        Volume(np.ones(shape, np.float32), grid_of(codes, spacing, shape, degrees)),
        SMALL, timing=SINGLE, maps={}, center_mm=(0.0, 0.0, 0.0),
    )  # fmt: skip
    assert stack.grid.axis_codes == ("L", "I", "P")
    assert stack.grid.spacing_mm[1:] == pytest.approx((1.5, 1.5))


def test_acquired_sagittal_slices_are_not_interpolated(rng: np.random.Generator) -> None:
    grid = grid_of("RSA", (4.5, 1.5, 1.5), (9, 16, 16))
    voxels = rng.uniform(1, 2, grid.shape).astype(np.float32)
    stack = make_stack(Volume(voxels, grid), SMALL, timing=SINGLE, maps={}, center_mm=(0.0, 0.0, 0.0))
    assert stack.grid.shape[0] == 9
    shown = stack.values[:, 3 + SMALL.peak_slot]
    expected = voxels[::-1, ::-1, ::-1]  # to the left, to the feet, to the back
    np.testing.assert_allclose(shown / shown.mean(), expected / expected.mean(), rtol=1e-5)  # float32


def test_fine_slices_are_averaged_to_the_slice_spacing() -> None:
    grid = grid_of("LAS", (1.0, 1.0, 4.0), (48, 20, 14))
    voxels = np.ones(grid.shape, np.float32)
    voxels[24] = 10.0  # one bright sheet, 1 mm thin
    stack = make_stack(Volume(voxels, grid), SMALL, timing=SINGLE, maps={}, center_mm=(0.5, 0.0, 0.0))
    assert stack.grid.spacing_mm[0] == pytest.approx(4.5)
    brightest = stack.values[:, 3 + SMALL.peak_slot].max()
    assert 1.5 < brightest < 5.0


@settings(max_examples=15, deadline=None)
@given(
    orientation=st.sampled_from(ORIENTATIONS),
    center=st.tuples(*[st.floats(-5.0, 5.0)] * 3),
)
def test_a_mask_survives_the_way_to_the_stack_and_back(orientation, center) -> None:
    codes, spacing, shape, degrees = orientation
    grid = grid_of(codes, spacing, shape, degrees)
    ball = np.linalg.norm(positions(grid) - np.asarray(center), axis=-1) <= 9.0
    spec = PreprocessingSpec(spacing_mm=1.0, size=40, slice_spacing_mm=2.0, depth_mm=60.0)
    stack = make_stack(Volume(np.ones(shape, np.float32), grid), spec, timing=SINGLE, maps={}, center_mm=center)
    share = mask_slices(Mask(ball, grid), stack)
    back = stack.to_grid(share > 0.5, grid)
    assert back.dtype == bool
    assert 2 * (back & ball).sum() / (back.sum() + ball.sum()) > 0.9
    soft = stack.to_grid(share, grid)
    assert soft.dtype == np.float32
    # The region is where it was, to a quarter of a pixel or slice.
    moved = Mask(back, grid).centroid_mm - np.asarray(Mask(ball, grid).centroid_mm)
    assert np.abs(moved).max() < 0.6


def test_to_grid_is_zero_outside_and_refuses_another_shape() -> None:
    grid = grid_of()
    stack = make_stack(
        Volume(np.ones(grid.shape, np.float32), grid), SMALL, timing=SINGLE, maps={}, center_mm=(0.0, 0.0, 0.0)
    )
    back = stack.to_grid(np.ones(stack.grid.shape, np.uint8), grid)
    assert back.max() == 1
    assert back[0].max() == 0
    far = Grid((4, 4, 4), np.diag([1.0, 1.0, 1.0, 1.0]) + np.array([[0, 0, 0, 900.0], *np.zeros((3, 4))]))
    assert not stack.to_grid(np.ones(stack.grid.shape, np.uint8), far).any()
    with pytest.raises(InvalidArgumentError, match="shape of the stack"):
        stack.to_grid(np.ones((2, 2, 2)), grid)


def series_of(values: list[float], times: list[float] | None) -> DynamicSeries:
    grid = grid_of("RSA", (4.5, 1.5, 1.5), (5, 20, 20))
    frames = np.ones((*grid.shape, 1), np.float32) * np.asarray(values, np.float32)
    return DynamicSeries(frames, grid, None if times is None else np.asarray(times))


def test_frames_are_read_at_fixed_times_after_arrival() -> None:
    times = np.arange(0.0, 300.0, 10.0)
    series = series_of([100.0, 100.0, *(100.0 + (times[2:] - 20.0))], list(times))
    # Baseline 1, then 1 + t / 100 at t seconds after arrival: linear in time.
    change = [t / 100.0 for t in SMALL.frame_times_s[1:]]
    for spec, expected in ((SMALL, [1.0, *change]), (SIGNAL, [1.0, *(1.0 + rise for rise in change)])):
        stack = make_stack(series, spec, timing=DYNAMIC, maps={}, center_mm=(0.0, 0.0, 0.0))
        np.testing.assert_allclose(stack.values[2, 3:, 8, 8], expected, rtol=1e-4)
    assert stack.regime == "dynamic"
    assert not stack.values[:, :3].any()


def test_times_after_the_end_are_not_available() -> None:
    times = np.arange(0.0, 150.0, 10.0)
    series = series_of([100.0, 100.0, *np.full(13, 150.0)], list(times))
    stack = make_stack(series, SMALL, timing=DYNAMIC, maps={}, center_mm=(0.0, 0.0, 0.0))
    shown = [name for name, there in zip(SMALL.channel_names, stack.available, strict=True) if there]
    assert shown[-1] == "frame_+120s"
    assert len(shown) == 8


def test_without_times_the_brightest_frame_stands_at_67_s() -> None:
    stack = make_stack(
        series_of([100.0, 180.0, 150.0], None), SMALL, timing=PRE_POST, maps={}, center_mm=(0.0, 0.0, 0.0)
    )
    assert np.flatnonzero(stack.available).tolist() == [3, 3 + SMALL.peak_slot]
    assert stack.values[2, 3 + SMALL.peak_slot, 8, 8] == pytest.approx(0.8, rel=1e-4)
    assert SMALL.frame_times_s[SMALL.peak_slot] == 67.0


def test_a_single_volume_is_signal_since_there_is_no_baseline() -> None:
    volume = series_of([100.0, 180.0], None).frame(1)
    stack = make_stack(volume, SMALL, timing=SINGLE, maps={}, center_mm=(0.0, 0.0, 0.0))
    assert stack.values[2, 3 + SMALL.peak_slot, 8, 8] == pytest.approx(1.0, rel=1e-4)


def test_maps_are_in_their_units_clipped_and_nan_becomes_zero() -> None:
    grid = grid_of("RSA", (4.5, 1.5, 1.5), (5, 20, 20))
    values = np.full(grid.shape, 250.0, np.float32)
    values[2, :10] = np.nan
    values[1] = 900.0
    maps = {
        name: ParametricMap(name, "%", values / part, grid)
        for name, part in (("early_enhancement", 1), ("washout", 20))
    }
    stack = make_stack(series_of([1.0, 2.0], None), SMALL, timing=PRE_POST, maps=maps, center_mm=(0.0, 0.0, 0.0))
    assert stack.values[0, 1].max() == pytest.approx(2.5)
    assert stack.values[2, 1, -4:].max() == 0.0  # the lower rows are the first voxels along S
    assert stack.values[3, 1].max() == 5.0
    assert stack.values[0, 2].max() == pytest.approx(2.5 / 20 * 100 / 20)
    other = {"washout": ParametricMap("washout", "%", np.zeros((2, 2, 2), np.float32), Grid((2, 2, 2), np.eye(4)))}
    with pytest.raises(GridMismatchError, match="map washout"):
        make_stack(series_of([1.0, 2.0], None), SMALL, timing=PRE_POST, maps=other, center_mm=(0.0, 0.0, 0.0))


def test_nan_in_an_unused_frame_leaves_the_others_alone() -> None:
    series = series_of([100.0, 150.0, 120.0], None)
    frames = series.frames.copy()
    frames[2, 10, 10, 1] = np.nan
    broken = DynamicSeries(frames, series.grid)
    stack = make_stack(broken, SMALL, timing=PRE_POST, maps={}, center_mm=(0.0, 0.0, 0.0))
    assert np.isfinite(stack.values).all()
    assert stack.values[:, 3].min() == pytest.approx(1.0, rel=1e-4)


def test_neighbouring_slices_replace_the_frames(rng: np.random.Generator) -> None:
    spec = PreprocessingSpec(size=16, depth_mm=80.0, channels="maps+slices")
    grid = grid_of("LSA", (4.5, 1.5, 1.5), (12, 20, 20))
    ramp = np.arange(1.0, 13.0)[:, None, None] * np.ones(grid.shape)
    stack = make_stack(Volume(ramp.astype(np.float32), grid), spec, timing=SINGLE, maps={}, center_mm=(0.0, 0.0, 0.0))
    assert stack.values.shape[1] == len(spec.channel_names) == 13
    middle = stack.values[6, 3:, 8, 8]
    np.testing.assert_allclose(middle / middle[5], np.arange(2.0, 12.0) / 7.0, rtol=1e-5)
    assert not stack.values[0, 3:8].any()


@pytest.mark.parametrize(("channels", "count"), [("maps", 3), ("frames", 10), ("maps+frames", 13)])
def test_channel_sets(channels: str, count: int) -> None:
    spec = PreprocessingSpec(size=16, channels=channels)
    stack = make_stack(series_of([1.0, 2.0], None), spec, timing=PRE_POST, maps={}, center_mm=(0.0, 0.0, 0.0))
    assert stack.values.shape[1] == len(spec.channel_names) == count


def test_centre_outside_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="outside the volume"):
        make_stack(series_of([1.0, 2.0], None), SMALL, timing=PRE_POST, maps={}, center_mm=(500.0, 0.0, 0.0))


def test_crop_beyond_the_volume_is_zero() -> None:
    series = series_of([100.0, 200.0], None)
    stack = make_stack(series, SMALL, timing=PRE_POST, maps={}, center_mm=(0.0, 14.0, 0.0))
    frame = stack.values[2, 3]
    assert frame[8, 0] == 0.0
    assert frame[8, -1] == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize(("codes", "spacing", "shape", "degrees"), ORIENTATIONS)
def test_crop_box_holds_what_the_stack_shows(codes, spacing, shape, degrees) -> None:
    grid = grid_of(codes, spacing, shape, degrees)
    box = crop_box(grid, SMALL, (1.0, 2.0, 0.0))
    held = np.zeros(shape, bool)
    held[box] = True
    stack = make_stack(Volume(held.astype(np.float32) + 1.0, grid), SMALL, timing=SINGLE, maps={}, center_mm=(1, 2, 0))
    shown = stack.values[:, 3 + SMALL.peak_slot]
    assert shown[shown > 0].min() == pytest.approx(shown.max(), rel=1e-5)  # nothing from outside the box
    # The box also holds what border pixels average.
    assert stack.to_grid(np.ones(stack.grid.shape, np.uint8), grid)[box].mean() > 0.6


def test_hidden_inputs(rng: np.random.Generator) -> None:
    times = np.arange(0.0, 300.0, 10.0)
    series = series_of([100.0, 100.0, *(100.0 + times[2:])], list(times))
    assert reduce_regime(series, "dynamic", rng, timing=DYNAMIC) is series
    for _ in range(10):
        pair = reduce_regime(series, "pre_post", rng, timing=DYNAMIC)
        assert isinstance(pair, DynamicSeries)
        assert (pair.times_s, pair.frame_count, pair.baseline_frames) == (None, 2, 1)
        assert pair.frames[0, 0, 0, 0] == 100.0
        assert 40.0 <= pair.frames[0, 0, 0, 1] - 100.0 - 20.0 <= 200.0
    single = reduce_regime(series, "single", rng, timing=DYNAMIC)
    assert isinstance(single, Volume)
    with pytest.raises(InvalidArgumentError, match="regime must be"):
        reduce_regime(series, "triple", rng, timing=DYNAMIC)
    with pytest.raises(InvalidArgumentError, match="baseline and a post-contrast"):
        reduce_regime(series, "single", rng, timing=SINGLE)


def test_spec_round_trip_and_refusals() -> None:
    assert PreprocessingSpec.from_dict(SMALL.to_dict()) == SMALL
    with pytest.raises(InvalidArgumentError, match="exactly the fields"):
        PreprocessingSpec.from_dict({**SMALL.to_dict(), "colour": 1})
    with pytest.raises(InvalidArgumentError, match="even number"):
        PreprocessingSpec(size=7)
    with pytest.raises(InvalidArgumentError, match="channels must be one of"):
        PreprocessingSpec(channels="all")
    with pytest.raises(InvalidArgumentError, match="spacing_mm must be"):
        PreprocessingSpec(spacing_mm=0.0)
    with pytest.raises(InvalidArgumentError, match="version"):
        PreprocessingSpec(version=3)
    with pytest.raises(InvalidArgumentError, match="frames_as must be one of"):
        PreprocessingSpec(frames_as="sound")
    with pytest.raises(InvalidArgumentError, match="number above 0 per map"):
        PreprocessingSpec(map_unit_percent=(1.0, 2.0))
    first = {k: v for k, v in SMALL.to_dict().items() if k not in ("frames_as", "map_unit_percent")} | {"version": 1}
    old = PreprocessingSpec.from_dict(first)
    assert (old.frames_as, old.map_unit_percent) == ("signal", (100.0, 100.0, 100.0))
    assert PreprocessingSpec.from_dict(old.to_dict()) == old
    with pytest.raises(InvalidArgumentError, match="wrong kind"):
        PreprocessingSpec.from_dict({**SMALL.to_dict(), "size": "big"})
