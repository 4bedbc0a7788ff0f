"""Parametric maps against closed forms, an independent oracle, and properties every map must keep."""

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion import Timing, assess_timing, baseline, compute_maps, enhancement, why_not
from spinehub.series import DynamicSeries
from spinehub.volume import Grid

DYNAMIC_NAMES = {
    "peak_enhancement",
    "early_enhancement",
    "washout",
    "washin_ratio",
    "time_to_peak",
    "iauc90",
    "curve_type",
}


def grid_of(shape: tuple[int, int, int]) -> Grid:
    return Grid(shape, np.diag([1.0, 1.0, 4.0, 1.0]))


def series_of(curves: Sequence[Sequence[float]], times: Sequence[float] | None) -> DynamicSeries:
    """One voxel per curve, along the first axis."""
    frames = np.asarray(curves, dtype=float)[:, None, None, :]
    return DynamicSeries(frames, grid_of((len(frames), 1, 1)), None if times is None else np.asarray(times, float))


def dynamic(arrival_s: float, baseline_frames: int, end_s: float = 300.0) -> Timing:
    return Timing("dynamic", arrival_s, 5.0, baseline_frames, end_s, True)


def values_of(series: DynamicSeries, timing: Timing) -> dict[str, NDArray[np.float32]]:
    return {name: found.values.ravel() for name, found in compute_maps(series, timing).items()}


TIMES = np.arange(0.0, 301.0, 10.0)


def curve(points: dict[float, float]) -> NDArray[np.float64]:
    """Signal on TIMES, linear between the given points."""
    return np.interp(TIMES, list(points), list(points.values()))


def test_a_linear_ramp_has_the_values_of_its_formula() -> None:
    # 100 until 20 s, then 2 a second: S(t0 + s) = 100 + 2 s with t0 = 20.
    maps = values_of(series_of([curve({0: 100, 20: 100, 300: 660})], TIMES), dynamic(20.0, 2))
    assert maps["peak_enhancement"] == pytest.approx(560.0)
    assert maps["early_enhancement"] == pytest.approx(90.0)
    assert maps["washin_ratio"] == pytest.approx(20.0)
    assert maps["time_to_peak"] == pytest.approx(280.0)  # censored: the last frame
    assert maps["iauc90"] == pytest.approx(90.0 * 180.0 / 2.0)
    # The moving average peaks at the last window, so Sref = S(t0 + 67) = 234; S(t0 + 240) = 580.
    assert maps["washout"] == pytest.approx(100.0 * (580.0 - 234.0) / 234.0)
    assert maps["curve_type"] == 1


def test_a_step_is_a_plateau() -> None:
    step = np.where(TIMES < 30.0, 100.0, 250.0)
    maps = values_of(series_of([step], TIMES), dynamic(25.0, 3))
    assert maps["peak_enhancement"] == pytest.approx(150.0)
    assert maps["early_enhancement"] == pytest.approx(150.0)
    assert maps["washin_ratio"] == pytest.approx(150.0)
    assert maps["time_to_peak"] == pytest.approx(5.0)
    assert maps["washout"] == pytest.approx(0.0)
    assert maps["curve_type"] == 2
    # Linear between the last baseline frame (20 s) and the first enhanced one (30 s): half the step at t0.
    assert maps["iauc90"] == pytest.approx(150.0 * 85.0 + 5.0 * (75.0 + 150.0) / 2.0)


def test_washout_starts_at_an_early_peak_of_the_moving_average() -> None:
    peaked = curve({0: 100, 20: 100, 50: 400, 60: 400, 70: 400, 300: 170})
    maps = values_of(series_of([peaked], TIMES), dynamic(20.0, 2))
    # Peak of the 3-frame average at 60 s = t0 + 40 s; S(t0 + 240) = S(260) = 210.
    assert maps["washout"] == pytest.approx(100.0 * (210.0 - 400.0) / 400.0)
    assert maps["curve_type"] == 3


def test_washout_starts_at_67_seconds_where_the_peak_comes_later() -> None:
    late = curve({0: 100, 20: 100, 120: 300, 300: 120})
    maps = values_of(series_of([late], TIMES), dynamic(20.0, 2))
    assert maps["washout"] == pytest.approx(100.0 * (160.0 - 234.0) / 234.0)


@pytest.mark.parametrize(("change", "kind"), [(11.0, 1), (9.0, 2), (-9.0, 2), (-11.0, 3)])
def test_curve_types_change_at_ten_percent(change: float, kind: int) -> None:
    # Flat at 200 from 80 to 90 s (t0 + 67 = 87 s, no earlier peak), then to the change at 260 s = t0 + 240 s.
    points = {0.0: 100.0, 20.0: 100.0, 80.0: 200.0, 90.0: 200.0, 260.0: 200.0 + 2 * change, 300.0: 200.0 + 2 * change}
    late_peak = curve(points)
    late_peak[9] += 1e-3
    late_peak[10] += 1.0
    maps = values_of(series_of([late_peak], TIMES), dynamic(20.0, 2))
    assert maps["curve_type"] == kind


def test_a_curve_below_twenty_percent_or_within_its_baseline_noise_does_not_enhance() -> None:
    weak = curve({0: 100, 20: 100, 60: 119, 300: 119})
    noisy = curve({0: 100, 20: 100, 60: 140, 300: 140})
    noisy[:3] = [90.0, 110.0, 100.0]  # SD 10 %, five of them 50 %
    clear = curve({0: 100, 20: 100, 60: 160, 300: 160})
    maps = values_of(series_of([weak, noisy, clear], TIMES), dynamic(25.0, 3))
    assert maps["curve_type"].tolist() == [0.0, 0.0, 2.0]


def test_a_single_baseline_frame_decides_by_twenty_percent_alone() -> None:
    maps = values_of(series_of([curve({0: 100, 20: 130, 300: 130})], TIMES), dynamic(5.0, 1))
    assert maps["curve_type"] == 2


def test_a_peak_before_arrival_has_no_time() -> None:
    falling = curve({0: 120, 10: 120, 20: 100, 300: 90})
    maps = values_of(series_of([falling], TIMES), dynamic(15.0, 2))
    assert np.isnan(maps["time_to_peak"]).all()
    assert maps["peak_enhancement"] == pytest.approx(0.0)


def oracle(signal: NDArray[np.float64], times: NDArray[np.float64], timing: Timing) -> dict[str, float]:
    """Definitions written out for one curve, with another interpolation and integration than the package."""
    t0 = timing.arrival_s
    assert t0 is not None
    s0 = signal[: timing.baseline_frames].mean()

    def at(seconds: float) -> float:
        return float(np.interp(t0 + seconds, times, signal))

    windows = [n for n in range(1, len(signal) - 1) if n >= timing.baseline_frames]
    averages = [signal[n - 1 : n + 2].mean() for n in windows]
    best = int(np.argmax(averages))
    reference = averages[best] if times[windows[best]] < t0 + 67 else at(67)
    fine = np.unique(np.concatenate((times, t0 + np.array([0.0, 90.0]))))
    fine = fine[(fine >= t0) & (fine <= t0 + 90)]
    relative = 100 * (np.interp(fine, times, signal) - s0) / s0
    return {
        "peak_enhancement": 100 * (signal.max() - s0) / s0,
        "early_enhancement": 100 * (at(45) - s0) / s0,
        "washout": 100 * (at(240) - reference) / reference,
        "washin_ratio": 100 * np.diff(signal).max() / s0,
        "iauc90": float(np.sum(np.diff(fine) * (relative[1:] + relative[:-1]) / 2)),
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_maps_agree_with_an_independent_oracle_on_uneven_times(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(np.concatenate(([0.0], rng.uniform(4.0, 25.0, 30))))
    count = int(rng.integers(1, 5))
    timing = dynamic(float(rng.uniform(times[count - 1], times[count])), count, float(times[-1]))
    signal = rng.uniform(50.0, 400.0, (3, 31)).astype(np.float32).astype(float)
    maps = values_of(series_of(signal, times), timing)
    for voxel in range(3):
        expected = oracle(signal[voxel], times, timing)
        if times[-1] < timing.arrival_s + 240:
            del expected["washout"]
        for name, value in expected.items():
            assert maps[name][voxel] == pytest.approx(value, rel=1e-4, abs=1e-3), name  # float32 maps


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3))
def test_maps_do_not_depend_on_the_scale_of_the_signal(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    signal = rng.uniform(50.0, 400.0, (4, 31))
    timing = dynamic(25.0, 3)
    plain, scaled = (values_of(series_of(values, TIMES), timing) for values in (signal, signal * scale))
    for name in DYNAMIC_NAMES - {"curve_type", "time_to_peak"}:
        np.testing.assert_allclose(scaled[name], plain[name], rtol=1e-3, atol=1e-2)  # float32 signal


def random_series(rng: np.random.Generator, shape: tuple[int, int, int] = (5, 4, 3)) -> DynamicSeries:
    return DynamicSeries(rng.uniform(50.0, 400.0, (*shape, 31)), grid_of(shape), TIMES)


def test_maps_follow_flips_and_permutations_of_the_axes(rng: np.random.Generator) -> None:
    series, timing = random_series(rng), dynamic(25.0, 3)
    maps = compute_maps(series, timing)
    flipped = compute_maps(DynamicSeries(series.frames[::-1, :, ::-1], series.grid, TIMES), timing)
    turned = compute_maps(DynamicSeries(series.frames.transpose(2, 0, 1, 3), grid_of((3, 5, 4)), TIMES), timing)
    for name, found in maps.items():
        np.testing.assert_allclose(flipped[name].values, found.values[::-1, :, ::-1], rtol=1e-6)
        np.testing.assert_allclose(turned[name].values, found.values.transpose(2, 0, 1), rtol=1e-6)


def test_voxels_without_a_usable_baseline_are_nan_and_no_other(rng: np.random.Generator) -> None:
    series = random_series(rng)
    frames = series.frames.copy()
    frames[0, 0, 0, :3] = 0.0
    frames[1, 0, 0, :3] = [-50.0, 20.0, 10.0]
    frames[2, 0, 0, 1] = np.nan
    frames[3, 0, 0, 0] = np.inf
    frames[4, 0, 0] *= 1e-6  # faint, but usable: noise is no reason to leave a voxel out
    broken = DynamicSeries(frames, series.grid, TIMES)
    timing = dynamic(25.0, 3)
    s0 = baseline(broken, timing)
    assert s0.dtype == np.float32
    unusable = np.zeros(series.grid.shape, bool)
    unusable[:4, 0, 0] = True
    np.testing.assert_array_equal(np.isnan(s0), unusable)
    for name, found in compute_maps(broken, timing).items():
        assert found.values.dtype == np.float32
        if name != "time_to_peak":  # NaN too where the highest frame is a baseline frame
            np.testing.assert_array_equal(~found.valid, unusable, err_msg=name)
        assert not found.valid[unusable].any()
    assert np.isnan(enhancement(broken, timing)[unusable]).all()


def test_enhancement_of_every_frame_is_relative_to_the_baseline(rng: np.random.Generator) -> None:
    series, timing = random_series(rng), dynamic(25.0, 3)
    s0 = series.frames[..., :3].astype(float).mean(axis=-1, keepdims=True)
    percent = enhancement(series, timing)
    assert percent.dtype == np.float32
    np.testing.assert_allclose(percent, 100 * (series.frames - s0) / s0, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(percent.max(axis=-1), compute_maps(series, timing)["peak_enhancement"].values, rtol=1e-5)


def test_a_dynamic_series_has_seven_maps_with_their_units(rng: np.random.Generator) -> None:
    maps = compute_maps(random_series(rng), dynamic(25.0, 3))
    assert set(maps) == DYNAMIC_NAMES
    assert {name: maps[name].unit for name in ("washout", "time_to_peak", "iauc90", "curve_type")} == {
        "washout": "%",
        "time_to_peak": "s",
        "iauc90": "%·s",
        "curve_type": "",
    }
    assert all(found.name == name for name, found in maps.items())


def test_a_few_maps_alone_are_the_same_maps(rng: np.random.Generator) -> None:
    series, timing = random_series(rng), dynamic(25.0, 2)
    everything = compute_maps(series, timing)
    few = compute_maps(series, timing, names={"washout", "peak_enhancement", "percent_enhancement"})
    assert list(few) == ["peak_enhancement", "washout"]  # the third is for frames without times
    for name, found in few.items():
        assert np.array_equal(found.values, everything[name].values, equal_nan=True)
    with pytest.raises(InvalidArgumentError, match="got 'perfusion'"):
        compute_maps(series, timing, names=["perfusion"])


def test_washout_is_absent_where_the_scan_ends_before_it(rng: np.random.Generator) -> None:
    series, timing = random_series(rng), dynamic(61.0, 6)
    assert set(compute_maps(series, timing)) == DYNAMIC_NAMES - {"washout", "curve_type"}
    assert set(compute_maps(series, dynamic(60.0, 6))) == DYNAMIC_NAMES
    for name in ("washout", "curve_type"):
        reason = why_not(name, series, timing)
        assert reason is not None
        assert reason.startswith("timing_insufficient: The scan ends 239 s after")


def test_maps_find_the_timing_themselves() -> None:
    step = np.where(TIMES < 30.0, 100.0, 250.0)
    series = DynamicSeries(np.broadcast_to(step, (12, 12, 3, 31)), grid_of((12, 12, 3)), TIMES)
    maps = compute_maps(series)
    assert set(maps) == DYNAMIC_NAMES
    assert maps["peak_enhancement"].values == pytest.approx(150.0)
    assert assess_timing(series).baseline_frames == 3


def test_three_phases_give_ratios(rng: np.random.Generator) -> None:
    frames = rng.integers(1, 300, (6, 5, 4, 3)).astype(float)
    frames[0, 0, 0] = [100, 150, 100]
    frames[1, 0, 0] = [0, 150, 100]
    series = DynamicSeries(frames, grid_of((6, 5, 4)))
    maps = compute_maps(series)
    assert set(maps) == {"peak_enhancement", "percent_enhancement", "signal_enhancement_ratio"}
    assert maps["signal_enhancement_ratio"].unit == ""
    s0, s1, s2 = np.moveaxis(frames, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        percent, ratio = 100 * (s1 - s0) / s0, (s1 - s0) / (s2 - s0)
    percent[1, 0, 0] = np.nan
    ratio[(s2 == s0) | (s0 == 0)] = np.nan
    np.testing.assert_allclose(maps["percent_enhancement"].values, percent, rtol=1e-6)
    np.testing.assert_allclose(maps["signal_enhancement_ratio"].values, ratio, rtol=1e-6)
    assert np.isnan(maps["signal_enhancement_ratio"].values[0, 0, 0])


def test_pre_post_maps_follow_the_stated_baseline() -> None:
    two = compute_maps(series_of([[100.0, 160.0]], None))
    assert set(two) == {"peak_enhancement", "percent_enhancement"}
    series = series_of([[90.0, 110.0, 150.0, 200.0]], None)
    stated = DynamicSeries(series.frames, series.grid, baseline_frames=2)
    maps = values_of(stated, assess_timing(stated))
    assert maps["percent_enhancement"] == pytest.approx(50.0)
    assert maps["peak_enhancement"] == pytest.approx(100.0)
    assert "signal_enhancement_ratio" not in maps


def test_maps_of_a_long_series_take_little_memory_beside_it() -> None:
    shape = (160, 128, 6)
    frames = np.full((*shape, 60), 100.0, np.float32)
    frames[..., 6:] = 200.0
    series = DynamicSeries(frames, grid_of(shape), np.arange(60) * 5.0)
    timing = dynamic(28.0, 6, 295.0)
    tracemalloc.start()
    try:
        compute_maps(series, timing)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A float64 copy of the series alone would take twice its size.
    assert peak < 2 * series.frames.nbytes
