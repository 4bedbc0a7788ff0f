"""Regime, contrast arrival and baseline: known arrivals are found, noise and falls are not taken for contrast."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion import Timing, assess_timing, body_mask, body_signal, find_hot_spot
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask, Volume

SHAPE = (28, 24, 3)
GRID = Grid(SHAPE, np.diag([1.5, 1.5, 4.0, 1.0]))


def enhancement_after(seconds: NDArray[np.float64], tissue: str) -> NDArray[np.float64]:
    """Relative enhancement so many seconds after arrival, averaged over nothing yet."""
    s = np.maximum(seconds, 0.0)
    if tissue == "vessel":
        return 5.0 * (s / 6.0) * np.exp(1.0 - s / 6.0) + 2.0 * (1.0 - np.exp(-s / 6.0))
    delayed = np.maximum(s - 4.0, 0.0)
    return {"muscle": 0.4, "marrow": 0.3, "fat": 0.02}[tissue] * (1.0 - np.exp(-delayed / 40.0))


def simulated(
    interval_s: float,
    arrival_s: float,
    *,
    snr: float = 25.0,
    seed: int = 0,
    contrast: bool = True,
    end_s: float = 300.0,
) -> DynamicSeries:
    """Body of four tissues in air; each frame is the mean over its window, with Rician noise."""
    rng = np.random.default_rng(seed)
    times = np.arange(0.0, end_s, interval_s)
    window = (np.arange(20) + 0.5) / 20.0 - 0.5
    frames = np.zeros((*SHAPE, len(times)))
    rows = {"fat": slice(2, 8), "muscle": slice(8, 14), "vessel": slice(14, 16), "marrow": slice(16, 26)}
    level = {"vessel": 500.0, "fat": 900.0, "muscle": 600.0, "marrow": 700.0}
    for tissue, where in rows.items():
        seconds = times[:, None] + window * interval_s - arrival_s
        rise = enhancement_after(seconds, tissue).mean(axis=1) if contrast else 0.0
        frames[where] = level[tissue] * (1.0 + rise)
    noise = rng.normal(0.0, 600.0 / snr, (2, *frames.shape))
    return DynamicSeries(np.hypot(frames + noise[0], noise[1]), GRID, times)


@pytest.mark.parametrize("interval_s", [5.0, 8.0, 12.0, 18.0, 25.0])
def test_arrival_lies_within_half_a_frame_of_the_truth(interval_s: float) -> None:
    rng = np.random.default_rng(int(interval_s))
    errors = []
    for seed in range(12):
        arrival_s = float(rng.uniform(0.6, 3.5) * interval_s)
        timing = assess_timing(simulated(interval_s, arrival_s, snr=float(rng.uniform(8, 40)), seed=seed))
        assert timing.regime == "dynamic"
        assert timing.arrival_s is not None
        assert timing.contrast_enhanced
        assert timing.uncertainty_s == pytest.approx(interval_s / 2)
        errors.append((timing.arrival_s - arrival_s) / interval_s)
    assert np.count_nonzero(np.abs(errors) > 0.5) <= 1
    assert np.abs(np.mean(errors)) < 0.35


def test_baseline_frames_are_those_that_end_before_arrival() -> None:
    series = simulated(10.0, 37.0)
    timing = assess_timing(series)
    assert timing.arrival_s is not None
    assert series.times_s is not None
    assert timing.baseline_frames == np.count_nonzero(series.times_s + 5.0 <= timing.arrival_s) == 4
    assert timing.end_s == 290.0


def test_a_bolus_after_the_first_frame_leaves_one_baseline_frame() -> None:
    timing = assess_timing(simulated(20.0, 14.0))
    assert timing.baseline_frames == 1
    assert timing.regime == "dynamic"
    assert timing.arrival_s == pytest.approx(14.0, abs=10.0)


@pytest.mark.parametrize("snr", [3.0, 8.0, 30.0])
@pytest.mark.parametrize("interval_s", [5.0, 20.0])
def test_noise_alone_shows_no_arrival(snr: float, interval_s: float) -> None:
    for seed in range(3):
        timing = assess_timing(simulated(interval_s, 30.0, snr=snr, seed=seed, contrast=False))
        assert timing.regime == "pre_post"
        assert timing.arrival_s is None
        assert timing.contrast_enhanced is False
        assert "does not show when contrast arrives" in timing.reasons[0]


def test_a_patient_who_moves_before_the_bolus_is_not_taken_for_it() -> None:
    series = simulated(10.0, 64.0)
    frames = series.frames.copy()
    frames[..., 2:] = np.roll(frames[..., 2:], 1, axis=0)
    timing = assess_timing(dataclasses.replace(series, frames=frames))
    assert timing.arrival_s == pytest.approx(64.0, abs=5.0)


def test_arrival_does_not_depend_on_scale_or_orientation() -> None:
    series = simulated(12.0, 40.0)
    arrival_s = assess_timing(series).arrival_s
    scaled = DynamicSeries(series.frames * np.float32(0.01), GRID, series.times_s)
    flipped = DynamicSeries(series.frames[::-1, :, ::-1], GRID, series.times_s)
    turned = DynamicSeries(
        np.moveaxis(series.frames, 2, 0), Grid((3, 28, 24), np.diag([4.0, 1.5, 1.5, 1.0])), series.times_s
    )
    for other in (scaled, flipped, turned):
        assert assess_timing(other).arrival_s == pytest.approx(arrival_s, abs=1e-3)  # float32 sums in another order


def test_stated_baseline_frames_override_the_signal() -> None:
    series = dataclasses.replace(simulated(12.0, 40.0), baseline_frames=2)
    timing = assess_timing(series)
    assert timing.regime == "dynamic"
    assert timing.baseline_frames == 2
    assert timing.arrival_s == 18.0  # nothing arrives in frame 2: half way between the frames at 12 and 24 s
    assert timing.uncertainty_s == 6.0


def test_stated_baseline_frames_that_agree_with_the_signal_keep_the_interpolated_arrival() -> None:
    series = simulated(12.0, 40.0)
    found = assess_timing(series)
    stated = assess_timing(dataclasses.replace(series, baseline_frames=found.baseline_frames))
    assert stated.arrival_s == found.arrival_s


def test_a_stated_baseline_up_to_the_last_frame_but_one_is_half_way() -> None:
    frames = np.full((*SHAPE, 8), 100.0)
    series = DynamicSeries(frames, GRID, np.arange(8) * 20.0, baseline_frames=7)
    timing = assess_timing(series)
    assert timing.regime == "pre_post"
    assert timing.baseline_frames == 7
    assert "ends 10 s after contrast arrives" in timing.reasons[0]


def test_without_times_nothing_is_timed_and_the_reason_says_how_to_give_them() -> None:
    timing = assess_timing(simulated(12.0, 40.0).without_times())
    assert (timing.regime, timing.arrival_s, timing.end_s, timing.baseline_frames) == ("pre_post", None, None, 1)
    assert timing.contrast_enhanced
    assert all(option in timing.reasons[0] for option in ("--times-s", "--frame-interval-s", "times_s="))


def test_stated_baseline_frames_hold_without_times() -> None:
    series = dataclasses.replace(simulated(12.0, 40.0).without_times(), baseline_frames=3)
    assert assess_timing(series).baseline_frames == 3


def test_long_intervals_and_short_scans_are_not_dynamic() -> None:
    slow = assess_timing(simulated(40.0, 70.0, end_s=500.0))
    short = assess_timing(simulated(10.0, 40.0, end_s=120.0))
    assert (slow.regime, short.regime) == ("pre_post", "pre_post")
    assert "median frame interval is 40 s" in slow.reasons[0]
    assert "kinetics need 120 s or more" in short.reasons[0]
    assert slow.arrival_s is None
    assert short.end_s == 110.0


def test_a_scan_that_ends_120_seconds_after_arrival_can_be_used_to_its_end() -> None:
    """Whatever rounding does: what is called long enough can be read to that moment."""
    for offset in np.linspace(0.0, 1.0, 23):
        regular = 20.0 + offset + np.arange(0.0, 101.0, 10.0)
        times = np.concatenate(([0.0], regular, [regular[0] / 2.0 + 120.0]))  # arrival is half way to the second frame
        frames = np.full((10, 10, 1, len(times)), 100.0)
        frames[..., -1] = 200.0
        grid = Grid((10, 10, 1), np.diag([3.0, 3.0, 5.0, 1.0]))
        series = DynamicSeries(frames, grid, times, baseline_frames=1)
        timing = assess_timing(series)
        assert timing.regime == "dynamic"
        assert find_hot_spot(series, Mask(np.ones((10, 10, 1), bool), grid), timing) is not None


def test_a_volume_is_single_and_proves_nothing() -> None:
    timing = assess_timing(Volume(np.ones(SHAPE), GRID))
    assert (timing.regime, timing.baseline_frames, timing.contrast_enhanced) == ("single", 0, None)
    assert "cannot prove" in timing.reasons[0]


def test_a_fall_of_signal_is_no_contrast() -> None:
    frames = np.full((*SHAPE, 4), 100.0)
    frames[..., 1:] = [40.0, 35.0, 30.0]
    assert assess_timing(DynamicSeries(frames, GRID)).contrast_enhanced is False


@pytest.mark.parametrize(("percent", "enhanced"), [(4.0, False), (6.0, True)])
def test_the_body_must_brighten_by_five_percent(percent: float, enhanced: bool) -> None:
    frames = np.full((*SHAPE, 3), 200.0)
    frames[..., 2] *= 1.0 + percent / 100.0
    assert assess_timing(DynamicSeries(frames, GRID)).contrast_enhanced is enhanced


def test_vessels_that_brighten_prove_contrast_where_the_body_hardly_changes() -> None:
    series = simulated(12.0, 40.0)
    frames = series.frames.copy()
    frames[:14], frames[16:] = frames[:14, :, :, :1], frames[16:, :, :, :1]
    assert assess_timing(dataclasses.replace(series, frames=frames)).contrast_enhanced


def test_frames_without_signal_have_no_arrival_and_no_body() -> None:
    series = DynamicSeries(np.zeros((*SHAPE, 6)), GRID, np.arange(6) * 30.0)
    timing = assess_timing(series)
    assert timing.regime == "pre_post"
    assert not timing.contrast_enhanced
    assert not body_mask(series).any()
    with pytest.raises(InvalidArgumentError, match="must hold signal above 0"):
        body_signal(series, timing)
    stated = assess_timing(dataclasses.replace(series, baseline_frames=1))
    assert stated.arrival_s == 15.0


def test_the_body_is_tissue_with_its_holes_filled_and_without_air() -> None:
    rng = np.random.default_rng(3)
    voxels = np.hypot(*rng.normal(0.0, 5.0, (2, 40, 40, 4)))
    voxels[8:32, 8:32] += 300.0
    voxels[18:22, 18:22] = 0.0
    body = body_mask(Volume(voxels, Grid((40, 40, 4), np.diag([1.0, 1.0, 4.0, 1.0]))))
    assert body[9:31, 9:31].all()
    assert not body[:6].any()
    assert not body[:, 34:].any()


def test_body_signal_is_the_median_of_the_baseline() -> None:
    frames = np.full((*SHAPE, 4), 300.0)
    frames[..., 2:] = 900.0
    series = DynamicSeries(frames, GRID, baseline_frames=2)
    assert body_signal(series, assess_timing(series)) == 300.0
    volume = Volume(np.full(SHAPE, 40.0), GRID)
    assert body_signal(volume, assess_timing(volume)) == 40.0


@pytest.mark.parametrize("view", [lambda series: series, lambda series: series.frame(3)])
def test_the_body_signal_that_timing_keeps_is_the_one_that_would_be_worked_out(view) -> None:
    image = view(simulated(12.0, 60.0))
    timing = assess_timing(image)
    assert timing.body_signal is not None
    assert body_signal(image, dataclasses.replace(timing, body_signal=None)) == timing.body_signal
    assert body_signal(image, dataclasses.replace(timing, body_signal=7.0)) == 7.0


def test_voxels_that_are_not_finite_are_ignored() -> None:
    series = simulated(12.0, 40.0)
    frames = series.frames.copy()
    frames[5, 5, :, 3] = np.nan
    frames[6, 6, :, 4] = np.inf
    timing = assess_timing(dataclasses.replace(series, frames=frames))
    assert timing.arrival_s == pytest.approx(40.0, abs=6.0)


@pytest.mark.parametrize(
    ("regime", "arrival_s", "baseline_frames", "message"),
    [
        ("static", None, 1, "regime must be dynamic, pre_post or single, got 'static'"),
        ("dynamic", None, 1, "arrival_s must be a time for a dynamic series"),
        ("pre_post", 30.0, 1, "and None otherwise, got 30.0"),
        ("pre_post", None, 0, "baseline_frames must be at least 1"),
        ("single", None, -1, "baseline_frames must be at least 0"),
    ],
)
def test_timing_refuses_contradictions(
    regime: str, arrival_s: float | None, baseline_frames: int, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Timing(regime, arrival_s, None, baseline_frames, None, None)  # type: ignore[arg-type]
