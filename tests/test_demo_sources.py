"""Where the mask comes from, and proposals: handlers without a browser; a stand-in takes the place of the U-Net."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from phantoms import ball_case

from spinehub.demo import handlers as module
from spinehub.demo import occluding, sources
from spinehub.demo.cases import CaseStore, LoadedCase
from spinehub.demo.handlers import Handlers
from spinehub.demo.scene import case_info, given_arrival
from spinehub.demo.session import Session, Workspace
from spinehub.demo.view import KEEP, View
from spinehub.errors import GridMismatchError, InputRefusedError, InvalidArgumentError
from spinehub.inputs import PreprocessingSpec, SliceStack
from spinehub.io import write_mask, write_volume
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.pipeline import analyse
from spinehub.series import ParametricMap
from spinehub.volume import Grid, Mask, Volume

CASE = ball_case(1)
GRID = CASE.series.grid
TRUTH = CASE.lesions[0].mask
CENTRE, AWAY = (15, 15, 2), (15, 27, 4)


class Reader:
    """Calls lesion what rises by more than the signal of the body."""

    spec = PreprocessingSpec(size=32)

    def segment(self, stack: SliceStack, inside: Any = None) -> NDArray[np.float32]:
        lesion = stack.values[:, stack.spec.channel_names.index("frame_+90s")] > 1.0
        return np.stack([1.0 - lesion, 0.9 * lesion, 0.1 * lesion], axis=1).astype(np.float32)


class Run:
    """Notes what the analysis was asked, and answers without models."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, image: Any, **options: Any) -> Any:
        self.calls.append(options)
        return analyse(image, **{**options, "models": {}})


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handlers:
    timing = assess_timing(CASE.series)
    maps = compute_maps(CASE.series, timing)
    case = LoadedCase(CASE.series, timing, maps, case_info(CASE.series, timing, maps))
    monkeypatch.setattr(module, "load_example", lambda: case)
    monkeypatch.setattr(module, "example_session", lambda token: Session(token, revision=1))
    monkeypatch.setattr(module, "write_downloads", lambda *_: {})
    page = Handlers(Workspace(tmp_path / "root"), CaseStore(), Run())
    page.segmenter = Reader()
    return page


@pytest.fixture
def session(page: Handlers) -> Session:
    return page.open_page(SimpleNamespace(session_hash="visitor"))[0]


def click(index: tuple[int, int, int] = CENTRE) -> Any:
    return SimpleNamespace(mm=list(GRID.position_of(index)), background=False)


def quiet(*_: Any, **__: Any) -> None:
    """Progress nobody looks at."""


def mask_file(tmp_path: Path, mask: Mask = TRUTH, name: str = "lesion.nii.gz") -> str:
    write_mask(mask, tmp_path / name)
    return str(tmp_path / name)


def test_the_mask_is_grown_unless_something_else_is_chosen(page: Handlers, session: Session) -> None:
    session, view = page.pick(click(), session)
    assert session.mask_source == "growing"
    assert view.growing_group.visible
    assert not view.mask_upload.visible
    assert page.store.get(session.case_key).given is None


def test_the_u_net_draws_the_mask_around_the_seed(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    session, view = page.choose_source("unet", session)
    case = page.store.get(session.case_key)
    assert case.growth is None
    overlap = 2 * (case.given.voxels & TRUTH.voxels).sum() / (case.given.count + TRUTH.count)
    assert overlap > 0.9
    assert not view.growing_group.visible
    assert "U-Net" in view.source_panel
    page.analyse(session, quiet)
    assert np.array_equal(page.run.calls[-1]["mask"].voxels, case.given.voxels)
    assert "seeds" not in page.run.calls[-1]


def test_where_the_u_net_sees_nothing_the_page_stays_as_it_was(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    session, _ = page.choose_source("unet", session)
    before = page.store.get(session.case_key).given
    with pytest.raises(InvalidArgumentError, match="sees no lesion"):
        page.pick(click(AWAY), session)
    assert page.store.get(session.case_key).given is before


def test_a_refused_source_leaves_the_choice_where_it_was(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(sources.gr, "Warning", lambda message, **_: said.append(message))
    session, _ = page.pick(click(AWAY), session)
    assert page.choose_source("unet", session) == (KEEP, View(mask_source="growing"))
    assert "sees no lesion" in said[0]
    assert page.store.get(session.case_key).growth is not None


def test_going_back_to_growing_keeps_the_seeds(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    tolerance = session.tolerance
    session, _ = page.choose_source("unet", session)
    assert session.tolerance is None
    session, view = page.choose_source("growing", session)
    assert session.tolerance == tolerance
    assert page.store.get(session.case_key).given is None
    assert view.growing_group.visible


def test_an_uploaded_mask_is_analysed_as_it_is(page: Handlers, session: Session, tmp_path: Path) -> None:
    session, view = page.choose_source("file", session)
    assert view.mask_upload.visible
    assert "Upload a mask" in view.source_panel
    session, view = page.upload_mask([mask_file(tmp_path)], session)
    assert view.viewer.arrival is not None
    assert "ml" in view.source_panel
    page.analyse(session, quiet)
    assert np.array_equal(page.run.calls[-1]["mask"].voxels, TRUTH.voxels)
    assert page.workspace.count(session.token) > 0
    page.workspace.clear(session.token)


def test_a_mask_on_other_voxels_is_refused_in_one_sentence(page: Handlers, session: Session, tmp_path: Path) -> None:
    shifted = GRID.affine.copy()
    shifted[0, 3] += 3.0
    path = mask_file(tmp_path, Mask(TRUTH.voxels, Grid(GRID.shape, shifted)))
    with pytest.raises(GridMismatchError, match=r"mask lesion\.nii\.gz must lie on the grid of the image"):
        page.upload_mask([path], session)
    write_volume(Volume(np.zeros(GRID.shape), GRID), tmp_path / "empty.nii.gz")
    with pytest.raises(InputRefusedError):
        page.upload_mask([str(tmp_path / "empty.nii.gz")], session)
    assert page.upload_mask([], session) == (KEEP, View())


def test_a_click_after_an_uploaded_mask_grows(page: Handlers, session: Session, tmp_path: Path) -> None:
    session, _ = page.upload_mask([mask_file(tmp_path)], session)
    session, view = page.pick(click(), session)
    assert session.mask_source == "growing"
    assert view.mask_source == "growing"
    assert page.store.get(session.case_key).growth is not None
    session, _ = page.upload_mask([mask_file(tmp_path)], session)
    session, _ = page.clear(session)
    assert page.store.get(session.case_key).given is None
    assert session.mask_file is None


def test_a_source_nobody_knows_is_refused(page: Handlers, session: Session) -> None:
    with pytest.raises(InvalidArgumentError, match="mask source"):
        page.choose_source("guess", session)  # type: ignore[arg-type]


def test_what_is_analysed_depends_on_the_source(session: Session, page: Handlers) -> None:
    session, _ = page.pick(click(), session)
    other, _ = page.choose_source("unet", session)
    assert session.wanted != other.wanted


def test_the_browser_shows_a_given_mask_at_tolerance_0() -> None:
    values = given_arrival(TRUTH).values
    assert np.array_equal(values >= -np.float32(0), TRUTH.voxels)
    assert np.array_equal(values >= -np.float32(1e6), TRUTH.voxels)
    assert np.isfinite(values).all()


def test_proposals_are_buttons_that_place_a_seed(page: Handlers, session: Session) -> None:
    told: list[str] = []
    kept, view = page.propose(session, lambda _share, desc: told.append(desc))
    assert kept is KEEP
    place = view.proposals_panel.split('data-propose="')[1].split('"')[0]
    position = tuple(float(mm) for mm in place.split(","))
    assert GRID.index_of(position) == CENTRE
    assert "false alarms are common" in view.proposals_panel
    assert any("crop 1" in text for text in told)
    assert session.seeds == ()


def test_nothing_found_is_said(page: Handlers, session: Session) -> None:
    page.segmenter = SimpleNamespace(spec=Reader.spec, segment=lambda stack: _nothing(stack))
    _, view = page.propose(session, quiet)
    assert "sees no lesion" in view.proposals_panel


def _nothing(stack: SliceStack) -> NDArray[np.float32]:
    slices, rows, columns = stack.grid.shape
    return np.stack([np.ones((slices, rows, columns)), *np.zeros((2, slices, rows, columns))], 1).astype(np.float32)


def test_a_search_can_be_stopped(page: Handlers, session: Session) -> None:
    def stop(_share: float, desc: str) -> None:
        page.stop_search(session)

    kept, view = page.propose(session, stop)
    assert kept is KEEP
    assert "Stopped" in view.proposals_panel
    assert "data-propose" in page.propose(session, quiet)[1].proposals_panel, "a later search is not stopped by it"


def test_a_search_of_a_case_that_was_left_shows_nothing(page: Handlers, session: Session, tmp_path: Path) -> None:
    write_volume(Volume(CASE.series.frames[..., 5], GRID), tmp_path / "own.nii.gz")

    def open_another(_share: float, desc: str) -> None:
        if (tmp_path / "own.nii.gz").exists():
            page.upload([str(tmp_path / "own.nii.gz")], session)

    assert page.propose(session, open_another) == (KEEP, View())


def test_occlusion_is_laid_over_the_image_and_can_be_stopped(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occluding, "load_model", lambda *_: None)

    def explain(_model: Any, image: Any, mask: Mask, *, progress: Any, **_: Any) -> ParametricMap:
        progress(0.0, "occlusion: patch 1 of 1")
        values = np.where(mask.voxels, 0.7, np.nan)
        return ParametricMap("occlusion", "log-odds", values.astype(np.float32), image.grid)

    page.explain = explain
    asked = SimpleNamespace(route="unet")
    with pytest.raises(InvalidArgumentError, match="marked and analysed"):
        page.occlude(asked, session, quiet)
    session, _ = page.pick(click(), session)
    page.analyse(session, quiet)
    kept, view = page.occlude(asked, session, quiet)
    assert kept is KEEP
    (told,) = [layer for layer in view.viewer.info["layers"] if layer["name"] == "occlusion_unet"]
    assert (told["unit"], told["low"], told["high"]) == ("log-odds", pytest.approx(-0.7), pytest.approx(0.7))

    def stop(*_: Any, **__: Any) -> None:
        assert page.stop(session) == (KEEP, View())

    assert page.occlude(asked, session, stop) == (KEEP, View())
    assert page.store.get(session.case_key).report is not None


def dumbbell() -> tuple[Volume, tuple[int, int, int], tuple[int, int, int]]:
    """Two bright balls joined by a thin bridge, and a voxel in the middle of each."""
    shape, first, second = (52, 76, 16), (26, 19, 8), (26, 55, 8)
    grid = Grid(shape, np.diag([1.2, 1.2, 4.0, 1.0]))
    index = np.moveaxis(np.indices(shape), 0, -1)
    bright = np.zeros(shape, bool)
    for centre in (first, second):
        bright |= np.linalg.norm((index - centre) * (1.2, 1.2, 4.0), axis=-1) <= 13.0
    bright[24:28, 19:55, 7:9] = True
    signal = 200.0 + 100.0 * bright + np.random.default_rng(1).normal(0.0, 10.0, shape)
    return Volume(signal.astype(np.float32), grid), first, second


def test_a_leak_is_shown_cut_and_the_cut_taken_back(page: Handlers, session: Session, tmp_path: Path) -> None:
    image, first, second = dumbbell()
    write_volume(image, tmp_path / "dumbbell.nii.gz")
    session, _ = page.upload([str(tmp_path / "dumbbell.nii.gz")], session)
    at_first = SimpleNamespace(mm=list(image.grid.position_of(first)), background=False)
    session, view = page.pick(at_first, session)
    assert view.cut.visible
    assert "leaks above" in view.tolerance_panel
    assert "the region jumps in size" in view.tolerance_panel
    growth = page.store.get(session.case_key).growth
    beyond = 1.4 * growth.leak_tolerance
    assert growth.mask(beyond).voxels[second]
    shown = view.viewer.arrival.path
    session, view = page.cut(session)
    assert session.cuts == 1
    assert view.viewer.arrival.path != shown, "the browser fetches the border anew"
    cut = page.store.get(session.case_key).growth
    assert not cut.mask(min(beyond, cut.volume_curve()[0][-1])).voxels[second]
    session, view = page.undo(session)
    assert session.cuts == 0
    assert len(session.seeds) == 1, "the cut is taken back, not the seed"
    assert view.cut.visible
    assert page.store.get(session.case_key).growth.leak_tolerance == growth.leak_tolerance
