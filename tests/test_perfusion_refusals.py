"""What maps refuse, what they say is missing, and readings between frames."""

import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError, TimingError
from spinehub.perfusion import Timing, assess_timing, baseline, compute_maps, why_not
from spinehub.perfusion.kinetics import area_weights, instant_weights
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Volume

TIMES = np.arange(0.0, 301.0, 10.0)


def grid_of(shape: tuple[int, int, int]) -> Grid:
    return Grid(shape, np.diag([1.0, 1.0, 4.0, 1.0]))


def dynamic(arrival_s: float, baseline_frames: int) -> Timing:
    return Timing("dynamic", arrival_s, 5.0, baseline_frames, 300.0, True)


def random_series(rng: np.random.Generator) -> DynamicSeries:
    return DynamicSeries(rng.uniform(50.0, 400.0, (5, 4, 3, 31)), grid_of((5, 4, 3)), TIMES)


def test_reasons_name_what_is_missing(rng: np.random.Generator) -> None:
    series = random_series(rng)
    without = series.without_times()
    timing = assess_timing(without)
    for name in ("early_enhancement", "washout", "iauc90", "time_to_peak", "washin_ratio", "curve_type"):
        reason = why_not(name, without, timing)
        assert reason is not None
        assert reason.startswith("timing_missing: The frame times are not known: give them with --times-s")
    assert why_not("percent_enhancement", without, timing) is None
    assert "31 frames" in str(why_not("signal_enhancement_ratio", without, timing))
    known = Timing("pre_post", None, None, 1, 300.0, True, ("The median frame interval is 60 s.",))
    assert why_not("washout", series, known) == "timing_insufficient: The median frame interval is 60 s."
    volume = series.frame(0)
    assert str(why_not("washout", volume, assess_timing(volume))).startswith("single_volume: ")
    assert str(why_not("percent_enhancement", series, dynamic(25.0, 3))).startswith("three_phases_only: ")
    assert why_not("washout", series, dynamic(25.0, 3)) is None
    ends_early = dynamic(230.0, 20)
    assert str(why_not("iauc90", series, ends_early)).startswith("timing_insufficient: The scan ends 70 s")
    assert set(compute_maps(series, ends_early)) == {
        "peak_enhancement",
        "early_enhancement",
        "washin_ratio",
        "time_to_peak",
    }


def test_refusals_say_what_is_wrong(rng: np.random.Generator) -> None:
    series = random_series(rng)
    with pytest.raises(InvalidArgumentError, match=r"must hold two or more frames .* got a single volume"):
        compute_maps(series.frame(0))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"name must be one of peak_enhancement, .*, got 'ktrans'"):
        why_not("ktrans", series, dynamic(25.0, 3))
    single = assess_timing(Volume(np.ones((2, 2, 2)), grid_of((2, 2, 2))))
    with pytest.raises(InvalidArgumentError, match="got the regime single"):
        baseline(series, single)
    with pytest.raises(InvalidArgumentError, match="with 31 baseline frames"):
        compute_maps(series, dynamic(25.0, 31))
    with pytest.raises(InvalidArgumentError, match="must be that of a dynamic series with times"):
        compute_maps(series.without_times(), dynamic(25.0, 3))


def test_a_curve_is_read_only_between_its_first_and_last_frame() -> None:
    times = np.array([0.0, 10.0, 30.0])
    np.testing.assert_allclose(instant_weights(times, 0.0), [1, 0, 0])
    np.testing.assert_allclose(instant_weights(times, 25.0), [0, 0.25, 0.75])
    np.testing.assert_allclose(instant_weights(times, 30.0), [0, 0, 1])
    np.testing.assert_allclose(area_weights(times, 0.0, 30.0), [5, 15, 10])
    for moment in (-0.1, 30.1):
        with pytest.raises(TimingError, match=r"between its first and last frame, 0\.0 to 30\.0 s, got"):
            instant_weights(times, moment)
    with pytest.raises(TimingError, match="a longer scan is needed"):
        area_weights(times, 5.0, 31.0)
