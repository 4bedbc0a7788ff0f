"""What the browser is sent: the same mask rule on both sides, maps as levels, no more frames than it can hold."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinehub.demo import scene
from spinehub.demo.cases import LoadedCase
from spinehub.demo.scene import MAP_LEVELS, case_info, inverted_arrival, map_levels, shown_frames, viewer_value
from spinehub.demo.session import Session
from spinehub.demo.viewer import STATIC, NiiViewer
from spinehub.growing import Growth
from spinehub.io import read_series
from spinehub.perfusion import assess_timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Seed, Volume

GRID = Grid((4, 5, 3), np.diag([1.5, 1.5, 4.0, 1.0]))


def growth(values: np.ndarray) -> Growth:
    return Growth(ParametricMap("arrival", "mm", values, GRID), (Seed((0.0, 0.0, 0.0)),), 60.0, 2.0, None)


def in_browser(inverted: np.ndarray, tolerance: float) -> np.ndarray:
    """The rule of viewer.js: Math.fround(tolerance), then voxel >= -tolerance."""
    return inverted >= -np.float32(tolerance)


@given(st.lists(st.floats(0, 1e4, width=32), min_size=60, max_size=60), st.data())
def test_the_browser_draws_the_mask_of_growth_voxel_for_voxel(arrivals: list[float], data: st.DataObject) -> None:
    values = np.array(arrivals, dtype=np.float32).reshape(GRID.shape)
    values[0, 0, 0], values[3, 4, 2] = 0.0, np.inf
    grown = growth(values)
    tolerance = data.draw(st.one_of(st.sampled_from(arrivals), st.floats(0, 1e4)))
    sent = inverted_arrival(grown).values
    assert np.isfinite(sent).all()
    np.testing.assert_array_equal(in_browser(sent, tolerance), grown.mask(tolerance).voxels)


def test_levels_keep_low_values_visible_and_undefined_ones_out() -> None:
    values = np.full(GRID.shape, 25.0, dtype=np.float32)
    values[0, 0, :] = np.nan, -1e6, 1e6
    levels = map_levels(ParametricMap("peak_enhancement", "%", values, GRID), 0.0, 100.0)
    assert levels[0, 0].tolist() == [0, 1, MAP_LEVELS]
    assert levels[1, 1, 1] == np.rint(1 + 0.25 * (MAP_LEVELS - 1))


def loaded(image: DynamicSeries | Volume, maps: dict[str, ParametricMap] | None = None) -> LoadedCase:
    timing = assess_timing(image)
    return LoadedCase(image, timing, maps or {}, case_info(image, timing, maps or {}))


def series(frames: int = 4) -> DynamicSeries:
    rng = np.random.default_rng(5)
    values = rng.uniform(50, 200, (*GRID.shape, frames)).astype(np.float32)
    values[0, 0, 0, 0] = np.nan
    return DynamicSeries(values, GRID, name="secret-name.nii.gz")


def test_files_are_written_afresh_and_once(tmp_path: Path) -> None:
    image = series()
    maps = {"peak_enhancement": ParametricMap("peak_enhancement", "%", image.frames[..., 1], GRID)}
    case, session = loaded(image, maps), Session("token")
    value = viewer_value(case, session, tmp_path, tmp_path)
    assert value.arrival is None
    sent = read_series(value.image.path)
    assert isinstance(sent, DynamicSeries)
    assert sent.grid.matches(GRID)
    np.testing.assert_allclose(sent.frames, np.nan_to_num(image.frames), atol=200 / 32767)
    written = Path(value.image.path).stat().st_mtime_ns
    assert viewer_value(case, session, tmp_path, tmp_path).image.path == value.image.path
    assert Path(value.image.path).stat().st_mtime_ns == written
    for path in tmp_path.glob("*.gz"):
        assert b"secret" not in gzip.decompress(path.read_bytes())[:352]


def test_a_map_in_the_browser_can_be_read_back(tmp_path: Path) -> None:
    image = series()
    maps = {"washout": ParametricMap("washout", "%", image.frames[..., 1] / 5 - 25, GRID)}
    case = loaded(image, maps)
    value = viewer_value(case, Session("token"), tmp_path, tmp_path)
    sent = read_series(value.maps.path)
    told = case.info["maps"][0]
    back = told["low"] + (sent.frames[..., 0] - 1) / (MAP_LEVELS - 1) * (told["high"] - told["low"])
    np.testing.assert_allclose(back, np.clip(maps["washout"].values, -40, 40), atol=0.01)


def test_a_region_has_its_own_file(tmp_path: Path) -> None:
    arrivals = np.linspace(0, 9, 60, dtype=np.float32).reshape(GRID.shape)
    case = LoadedCase(**{**vars(loaded(series())), "growth": growth(arrivals)})
    seeds = (Seed((1.5, 1.5, 4.0)), Seed((3.0, 0.0, 0.0), background=True))
    session = Session("token", seeds=seeds, tolerance=3.0, revision=7)
    (tmp_path / "own").mkdir()
    value = viewer_value(case, session, tmp_path, tmp_path / "own")
    assert Path(value.arrival.path).parent == tmp_path / "own"
    assert value.info["tolerance"] == 3.0
    assert value.info["revision"] == 7
    assert value.info["focus"] == (3.0, 0.0, 0.0)
    assert [seed["background"] for seed in value.info["seeds"]] == [False, True]


def test_a_single_volume_has_no_frames_and_no_maps(tmp_path: Path) -> None:
    case = loaded(Volume(series().frames[..., 1], GRID))
    value = viewer_value(case, Session("token"), tmp_path, tmp_path)
    assert value.maps is None
    assert case.info["times_s"] is None
    assert case.info["baseline_frames"] == 0


@pytest.mark.parametrize(("frames", "most"), [(4, 10), (40, 10), (40, 2)])
def test_long_series_are_thinned_for_the_browser(frames: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "_BROWSER_VOXELS", most * 60)
    kept = shown_frames(series(frames))
    assert kept.size == min(frames, most)
    assert kept[0] == 0
    assert kept[-1] == frames - 1
    assert (np.diff(kept) > 0).all()


def test_the_template_of_the_viewer_holds_no_place_for_a_value() -> None:
    viewer = NiiViewer()
    assert "${" not in viewer.html_template
    assert "{{" not in viewer.html_template
    for name in ("niivue.umd.js", "viewer.js", "controls.js", "paint.js", "nifti.js", "page.js"):
        assert f"{STATIC}/{name}" in viewer.head
        assert (STATIC / name).exists()
    assert "Redistribution" in (STATIC / "NIIVUE_LICENSE").read_text()
