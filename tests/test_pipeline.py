"""From a phantom whose lesion and curve are known by construction to a report, in every regime."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.growing import GrowingWarning, Leak, Limits, grow
from spinehub.io import read_mask, read_series
from spinehub.pipeline import _leak_warning, analyse
from spinehub.report import ROUTES
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask, Seed, Volume

SHAPE = (44, 48, 8)
SPACING = (1.5, 1.5, 4.5)
TIMES = np.arange(0.0, 301.0, 12.0)
ARRIVAL_S = 30.0
CENTRE = (22, 24, 4)
GRID = Grid(SHAPE, np.array([[0, 0, -4.5, 20], [-1.5, 0, 0, 33], [0, -1.5, 0, 36], [0, 0, 0, 1.0]]))
NO_MODELS: dict = {}


def ball(radius_mm: float) -> np.ndarray:
    offset = (np.moveaxis(np.indices(SHAPE), 0, -1) - np.array(CENTRE)) * np.array(SPACING)
    return np.linalg.norm(offset, axis=-1) <= radius_mm


def lesion_enhancement(seconds: np.ndarray) -> np.ndarray:
    """Rises by 120 % with 20 s, then falls slowly: in % over baseline, seconds after arrival."""
    since = np.maximum(seconds, 0.0)
    return 120.0 * (1 - np.exp(-since / 20.0)) * (1 - 0.001 * since)


def phantom(*, lesion_mm: float = 14.0, enhancing: bool = True, body_rise: float = 15.0) -> DynamicSeries:
    rng = np.random.default_rng(0)
    body = np.zeros(SHAPE, bool)
    body[4:-4, 4:-4] = True
    signal = np.where(body, 400.0, 0.0)[..., None] * np.ones(TIMES.size)
    after = np.maximum(TIMES - ARRIVAL_S, 0)
    signal[body] *= 1 + body_rise / 100 * (1 - np.exp(-after / 30.0))
    if enhancing:
        signal[ball(lesion_mm)] = 400.0 * (1 + lesion_enhancement(TIMES - ARRIVAL_S) / 100)
    signal += rng.normal(0.0, 3.0, signal.shape)
    return DynamicSeries(signal.astype(np.float32), GRID, TIMES, name="phantom.nii.gz")


@pytest.fixture(scope="module")
def series() -> DynamicSeries:
    return phantom()


@pytest.fixture(scope="module")
def seed() -> Seed:
    return Seed.at_index(CENTRE, GRID)


@pytest.fixture(scope="module")
def report(series, seed):
    return analyse(series, seeds=[seed], models=NO_MODELS)


def codes(report) -> list[str]:
    return [warning.code for warning in report.warnings]


def test_one_click_finds_the_lesion_and_its_kinetics(report):
    truth = ball(14.0)
    found = report.findings[0].mask.voxels
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8
    assert report.timing.regime == "dynamic"
    assert report.timing.arrival_s == pytest.approx(ARRIVAL_S, abs=report.timing.uncertainty_s)
    early = report.parameters["early_enhancement"]
    assert early.value == pytest.approx(lesion_enhancement(np.array(45.0)), abs=early.uncertainty + 3)
    expected = 100 * (100 + lesion_enhancement(np.array(240.0))) / (100 + lesion_enhancement(np.array(67.0))) - 100
    assert report.parameters["washout"].value == pytest.approx(expected, abs=4)
    assert report.hot_spot.enhances
    assert {"peak_enhancement", "early_enhancement", "washout", "iauc90", "time_to_peak"} <= set(report.maps)
    assert "percent_enhancement" not in report.missing_maps, "a figure for three phases is not missed in a series"


def test_the_report_always_has_four_routes(report):
    assert tuple(route.name for route in report.routes) == ROUTES
    assert all(route.decision == "not_available" for route in report.routes)


def test_the_same_growing_is_used_as_by_hand(report, series, seed):
    growth = grow(series, [seed], reach_mm=60.0)
    np.testing.assert_array_equal(growth.arrival.values, report.growth.arrival.values)
    np.testing.assert_array_equal(report.growth.mask(report.tolerance).voxels, report.findings[0].mask.voxels)
    assert report.tolerance == report.growth.suggested_tolerance


def test_the_mask_of_a_growth_gives_the_same_measurements(report, series):
    again = analyse(series, mask=report.findings[0].mask, models=NO_MODELS)
    assert again.growth is None
    assert again.tolerance is None
    one, other = report.to_dict(), again.to_dict()
    for part in ("lesion", "hot_spot", "parameters", "timing", "input"):
        assert one[part] == other[part]


def test_a_stated_tolerance_is_kept(series, seed):
    report = analyse(series, seeds=[seed], tolerance=0.0, models=NO_MODELS)
    assert report.tolerance == 0.0
    assert report.findings[0].mask.voxels[CENTRE]
    assert report.findings[0].mask.count == 1
    assert "small_lesion" in codes(report)
    assert report.parameters["washout"].reason.startswith("small_lesion")


def test_background_seeds_and_reach_are_told(series, seed):
    outside = Seed.at_index((8, 8, 4), GRID, background=True)
    document = analyse(series, seeds=[seed, outside], reach_mm=25.0, models=NO_MODELS).to_dict()
    assert [one["background"] for one in document["growing"]["seeds"]] == [False, True]
    assert document["growing"]["reach_mm"] == 25.0


def test_limits_hold_for_the_region_and_its_repetitions(series, seed):
    limits = Limits(box=((18, 20, 2), (30, 30, 4)))
    report = analyse(series, seeds=[seed], reach_mm=25.0, limits=limits, repeat=True, models=NO_MODELS)
    inside = np.zeros(SHAPE, bool)
    inside[18:31, 20:31, 2:5] = True
    assert report.findings[0].mask.count > 100
    assert not report.findings[0].mask.voxels[~inside].any()
    assert report.stability is not None
    assert not (report.stability.agreement.values[~inside] > 0).any()
    told = report.to_dict()["growing"]["limits"]
    assert told == {"intensity_range": None, "box": [[18, 20, 2], [30, 30, 4]], "keep_out_voxels": None}


def test_limits_without_seeds_are_refused(series):
    with pytest.raises(InvalidArgumentError, match="limits must come with seeds"):
        analyse(series, limits=Limits(box=((0, 0, 0), (9, 9, 3))), models=NO_MODELS)


def test_a_click_where_nothing_differs_is_one_voxel_and_says_why(series):
    frames = series.frames.copy()
    frames[:4] = 0.0
    padded = replace(series, frames=frames)
    with pytest.warns(GrowingWarning):
        report = analyse(padded, seeds=[Seed.at_index((1, 24, 4), GRID)], reach_mm=20.0, repeat=True, models=NO_MODELS)
    assert report.findings[0].mask.count == 1
    (small,) = [warning.message for warning in report.warnings if warning.code == "small_lesion"]
    assert "one and the same value" in small
    assert report.stability is None


def test_the_place_of_a_leak_is_told(series, seed):
    leak = Leak(30.0, (22, 30, 4), GRID.position_of((22, 30, 4)), (0.0, 1.0, 0.0), 20.0, 5.0, 9.0)
    growth = replace(grow(series, [seed]), leak_tolerance=30.0, leak=leak)
    (warning,) = _leak_warning(growth, 31.0)
    x, y, z = (round(value) for value in leak.neck_mm)
    assert f"at the tolerance 30, where it passes ({x}, {y}, {z}) mm, and 31 was used" in warning.message
    assert _leak_warning(growth, 29.0) == []
    report = replace(analyse(series, seeds=[seed], models=NO_MODELS), growth=growth)
    told = report.to_dict()["growing"]
    assert told["leak"] == {
        "index": [22, 30, 4],
        "position_mm": pytest.approx(leak.neck_mm),
        "area_mm2": 20.0,
        "volume_before_ml": 5.0,
        "volume_after_ml": 9.0,
    }


def test_explore_mode_needs_no_lesion(series):
    report = analyse(series, models=NO_MODELS)
    assert report.findings == ()
    assert report.maps
    assert all(route.reason.startswith("no_lesion") for route in report.routes)
    assert report.parameters["washout"].value is None


def test_frames_without_times(series, seed, tmp_path):
    three = replace(series, frames=series.frames[..., [0, 8, 20]], times_s=None)
    report = analyse(three, seeds=[seed], models=NO_MODELS)
    assert report.timing.regime == "pre_post"
    assert set(report.maps) == {"peak_enhancement", "percent_enhancement", "signal_enhancement_ratio"}
    assert "timing_missing" in codes(report)
    assert report.parameters["early_enhancement"].reason.startswith("timing_missing")
    first = (report.save(tmp_path) / "curve.csv").read_text().splitlines()[1]
    assert first.startswith("0,,,"), "a frame without a time has an empty time"


def test_times_that_end_too_early(series, seed):
    short = replace(series, frames=series.frames[..., :18], times_s=TIMES[:18])
    report = analyse(short, mask=Mask(ball(14.0), GRID), models=NO_MODELS)
    assert report.timing.regime == "dynamic"
    assert "timing_insufficient" in codes(report)
    assert report.parameters["early_enhancement"].value is not None
    assert report.parameters["washout"].reason.startswith("timing_insufficient")
    assert "washout" in report.missing_maps
    shorter = replace(series, frames=series.frames[..., :6], times_s=TIMES[:6])
    assert "timing_insufficient" in codes(analyse(shorter, seeds=[seed], models=NO_MODELS))


def test_one_volume(series, seed, tmp_path):
    volume = Volume(series.frames[..., 8], GRID)
    report = analyse(volume, seeds=[seed], models=NO_MODELS)
    assert report.timing.regime == "single"
    assert report.maps == {}
    assert "single_volume" in codes(report)
    assert report.hot_spot is None
    inside = volume.voxels[report.findings[0].mask.voxels]
    assert report.curve.signal[0] == pytest.approx(inside.mean(dtype=np.float64))
    folder = report.save(tmp_path)
    assert not list((folder / "maps").iterdir())
    assert json.loads((folder / "report.json").read_text())["input"]["times_s"] is None


def test_a_lesion_that_does_not_enhance(seed):
    report = analyse(phantom(enhancing=False, body_rise=8.0), mask=Mask(ball(14.0), GRID), models=NO_MODELS)
    assert "no_enhancing_lesion" in codes(report)
    assert all(route.reason.startswith("no_enhancing_lesion") for route in report.routes)


def test_a_series_without_contrast(seed):
    report = analyse(phantom(enhancing=False, body_rise=0.0), seeds=[seed], models=NO_MODELS)
    assert "not_contrast_enhanced" in codes(report)
    assert "outside_training_distribution" in codes(report)


def test_motion_is_told(series):
    moved = np.array(series.frames)
    moved[..., 14:] = np.roll(moved[..., 14:], 3, axis=0)
    report = analyse(replace(series, frames=moved), models=NO_MODELS)
    assert "motion_suspected" in codes(report)
    assert "motion_suspected" not in codes(analyse(series, models=NO_MODELS))


def test_a_tolerance_beyond_the_leak_is_told(series, seed, monkeypatch):
    leaky = replace(grow(series, [seed]), leak_tolerance=5.0)
    monkeypatch.setattr("spinehub.pipeline.grow", lambda *_args, **_options: leaky)
    assert "leak_suspected" in codes(analyse(series, seeds=[seed], tolerance=5.0, models=NO_MODELS))
    assert "leak_suspected" not in codes(analyse(series, seeds=[seed], tolerance=4.9, models=NO_MODELS))


def test_progress_rises_to_one(series, seed):
    told = []
    analyse(series, seeds=[seed], models=NO_MODELS, repeat=True, progress=lambda *stage: told.append(stage))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    parts = ["timing and maps", "region growing", "region when the click moves", "measurements and features", "routes"]
    assert [text for _, text in told] == [*parts, "done"]  # what nobody waits for any more ends before its next part


def test_refusals(series, seed):
    mask = Mask(ball(14.0), GRID)
    with pytest.raises(InvalidArgumentError, match="seeds and mask must not be given together"):
        analyse(series, seeds=[seed], mask=mask)
    with pytest.raises(InvalidArgumentError, match="mask must hold at least one voxel"):
        analyse(series, mask=Mask(np.zeros(SHAPE, bool), GRID))
    with pytest.raises(GridMismatchError, match="mask must lie on the grid"):
        analyse(series, mask=Mask(mask.voxels, Grid(SHAPE, np.eye(4))))
    with pytest.raises(InvalidArgumentError, match="seeds must hold a foreground seed"):
        analyse(series, seeds=[replace(seed, background=True)])
    with pytest.raises(InvalidArgumentError, match="tolerance must be 'auto' or a finite number"):
        analyse(series, seeds=[seed], tolerance=-1.0)
    with pytest.raises(InvalidArgumentError, match="tolerance must be 'auto' or a finite number"):
        analyse(series, seeds=[seed], tolerance=float("nan"))
    with pytest.raises(InvalidArgumentError, match="lies outside the volume"):
        analyse(series, seeds=[Seed.at_position((500.0, 0.0, 0.0))])


def test_real_three_phase_series(breast_series_path, tmp_path):
    series = read_series(breast_series_path)
    report = analyse(series, seeds=[Seed.at_index((79, 118, 1), series.grid)], models=NO_MODELS)
    assert report.timing.regime == "pre_post"
    assert {"percent_enhancement", "signal_enhancement_ratio"} <= set(report.maps)
    assert {"timing_missing", "outside_training_distribution"} <= set(codes(report))
    report.save(tmp_path)
    json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))


def test_real_single_volume(shared_data):
    volume = read_series(shared_data / "d_tumour" / "STS_002_T1.nii.gz")
    mask = read_mask(shared_data / "d_tumour" / "STS_002_T1_mask.nii.gz", volume.grid)
    report = analyse(volume, mask=mask, models=NO_MODELS)
    assert {"single_volume", "outside_training_distribution"} <= set(codes(report))
    assert report.findings[0].volume_ml == pytest.approx(mask.count * volume.grid.voxel_volume_ml)


def test_analysis_without_networks_loads_no_torch():
    code = (
        "import sys, numpy as np, spinehub as sh\n"
        "volume = sh.Volume(np.random.default_rng(0).random((16, 16, 4)) + 1, sh.Grid((16, 16, 4), np.eye(4)))\n"
        "sh.analyse(volume, seeds=[sh.Seed.at_index((8, 8, 2), volume.grid)], models={})\n"
        "assert not {'torch', 'timm', 'gradio', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
