"""The two parameters: read from the hot spot's mean curve, with an honest uncertainty or a reason."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from spinehub.perfusion import (
    Timing,
    assess_timing,
    compute_maps,
    find_hot_spot,
    hot_spot_parameters,
    region_curve,
)
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask

TIMES = np.arange(0.0, 311.0, 10.0)
TIMING = Timing("dynamic", 25.0, 5.0, 3, 310.0, True)
Array = NDArray[np.float64]


def grid_of(shape: tuple[int, int, int]) -> Grid:
    """Pixels of 9 mm2: nine voxels are more than 50 mm2."""
    return Grid(shape, np.diag([3.0, 3.0, 5.0, 1.0]))


def uptake(amplitude: Array) -> Array:
    """Signal ``(..., T)``: 100 before 25 s, then rising with a time constant of 20 s to 100 + amplitude."""
    return 100.0 + np.asarray(amplitude)[..., None] * (1.0 - np.exp(-np.maximum(TIMES - 25.0, 0.0) / 20.0))


def series_of(signal: Array) -> DynamicSeries:
    return DynamicSeries(signal, grid_of(signal.shape[:3]), TIMES)


def block(shape: tuple[int, int, int]) -> Mask:
    return Mask(np.ones(shape, bool), grid_of(shape))


def test_parameters_come_from_the_mean_curve_and_equal_the_map_of_a_uniform_lesion() -> None:
    series, mask = series_of(uptake(np.full((9, 9, 2), 150.0))), block((9, 9, 2))
    hot = find_hot_spot(series, mask, TIMING)
    assert hot is not None
    parameters = hot_spot_parameters(hot, TIMING)
    maps = compute_maps(series, TIMING)
    assert set(parameters) == {"early_enhancement", "washout"}
    voxel = tuple(np.argwhere(hot.mask.voxels)[0])
    for name, parameter in parameters.items():
        assert parameter.value == pytest.approx(float(maps[name].values[voxel]), rel=1e-4)
        assert (parameter.unit, parameter.reason) == ("%", None)
        assert parameter.uncertainty is not None


def test_the_mean_of_the_curve_is_not_the_mean_of_the_voxels() -> None:
    signal = uptake(np.full((9, 9, 1), 100.0))
    signal[::2] *= 3.0  # the same enhancement, but brighter: weighs more in the mean curve
    signal[::2, :, :, 3:] *= 1.5
    series = series_of(signal)
    mask = block((9, 9, 1))
    hot = find_hot_spot(series, mask, TIMING)
    assert hot is not None
    curve = region_curve(series, hot.mask, TIMING)
    early = hot_spot_parameters(hot, TIMING)["early_enhancement"].value
    assert early == pytest.approx(float(np.interp(70.0, TIMES, curve.enhancement)))


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
def test_stated_uncertainty_covers_the_truth(noise: float, rng: np.random.Generator) -> None:
    """Arrival wrong by up to half a frame and noise: the true value lies inside about nine times in ten or more."""
    covered = {"early_enhancement": 0, "washout": 0}
    for _ in range(20):
        true_arrival_s = float(rng.uniform(20.0, 30.0))
        since = np.maximum(TIMES - true_arrival_s, 0.0)
        clean = 100.0 + 150.0 * (1.0 - np.exp(-since / 25.0)) * np.exp(-since / 900.0)
        signal = clean + rng.normal(0.0, 100.0 * noise, (9, 9, 1, len(TIMES)))
        hot = find_hot_spot(series_of(signal), block((9, 9, 1)), TIMING)
        assert hot is not None
        exact = Timing("dynamic", true_arrival_s, 5.0, 3, 310.0, True)
        truth = compute_maps(series_of(clean[None, None, None]), exact)
        for name, parameter in hot_spot_parameters(hot, TIMING).items():
            assert parameter.value is not None
            assert parameter.uncertainty is not None
            covered[name] += abs(parameter.value - float(truth[name].values.item())) <= parameter.uncertainty + 1e-3
    assert min(covered.values()) >= 17


def test_uncertainty_is_half_a_frame_of_arrival_without_noise() -> None:
    ramp = 100.0 + 2.0 * np.maximum(TIMES - 20.0, 0.0)
    series = series_of(np.broadcast_to(ramp, (9, 9, 1, len(TIMES))).copy())
    hot = find_hot_spot(series, block((9, 9, 1)), TIMING)
    early = hot_spot_parameters(hot, TIMING)["early_enhancement"]
    assert early.value == pytest.approx(100.0)
    assert early.uncertainty == pytest.approx(10.0, rel=1e-3)  # 2 % a second, 5 s either way


def test_the_last_moment_of_the_scan_still_has_an_uncertainty() -> None:
    timing = Timing("dynamic", 70.0, 5.0, 7, 310.0, True)
    signal = 100.0 + 80.0 * np.clip((TIMES - 70.0) / 30.0, 0.0, 1.0) + 0.1 * TIMES
    series = series_of(np.broadcast_to(signal, (9, 9, 1, len(TIMES))).copy())
    washout = hot_spot_parameters(find_hot_spot(series, block((9, 9, 1)), timing), timing)["washout"]
    assert washout.value is not None
    assert washout.uncertainty is not None
    assert washout.uncertainty > 0


def reason_for(change: Callable[[Array], Array], timing: Timing = TIMING) -> dict[str, str | None]:
    signal = change(uptake(np.full((9, 9, 1), 100.0)))
    hot = find_hot_spot(series_of(signal), block((9, 9, 1)), timing)
    return {name: parameter.reason for name, parameter in hot_spot_parameters(hot, timing).items()}


def test_a_lesion_that_does_not_enhance_has_no_parameters() -> None:
    weak = 0.15 * (uptake(np.full((9, 9, 1), 100.0)) - 100.0) + 100.0
    hot = find_hot_spot(series_of(weak), block((9, 9, 1)), TIMING)
    assert hot is not None
    assert not hot.enhances
    assert hot.curve_type == 0
    for parameter in hot_spot_parameters(hot, TIMING).values():
        assert (parameter.value, parameter.uncertainty) == (None, None)
        assert str(parameter.reason).startswith("no_enhancing_lesion: ")


def test_an_unsteady_baseline_asks_for_more_than_twenty_percent() -> None:
    def unsteady(signal: Array) -> Array:
        signal[..., 0] += 20.0
        signal[..., 1] -= 20.0
        return 0.5 * (signal - 100.0) + 100.0

    assert all(str(reason).startswith("no_enhancing_lesion: ") for reason in reason_for(unsteady).values())


def test_a_short_scan_gives_early_enhancement_but_no_washout() -> None:
    late = Timing("dynamic", 75.0, 5.0, 8, 310.0, True)

    def later(signal: Array) -> Array:
        return np.concatenate((np.repeat(signal[..., :1], 5, axis=-1), signal[..., :-5]), axis=-1)

    reasons = reason_for(later, late)
    assert reasons["early_enhancement"] is None
    assert str(reasons["washout"]).startswith("timing_insufficient: The scan ends before 240 s")
    hot = find_hot_spot(series_of(later(uptake(np.full((9, 9, 1), 100.0)))), block((9, 9, 1)), late)
    assert hot is not None
    assert hot.enhances
    assert hot.curve_type is None


def test_every_missing_parameter_says_why() -> None:
    volume = series_of(uptake(np.full((9, 9, 1), 100.0))).frame(5)
    single = assess_timing(volume)
    assert find_hot_spot(volume, block((9, 9, 1)), single) is None
    insufficient = Timing("pre_post", None, None, 1, 310.0, True, ("The median frame interval is 60 s.",))
    cases = {"small_lesion: ": TIMING, "single_volume: ": single, "timing_insufficient: The median": insufficient}
    for start, timing in cases.items():
        parameters = hot_spot_parameters(None, timing)
        assert set(parameters) == {"early_enhancement", "washout"}
        assert all(str(parameter.reason).startswith(start) for parameter in parameters.values())
