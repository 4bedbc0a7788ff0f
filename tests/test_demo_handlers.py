"""Handlers without a browser: sessions, seeds, tolerance, refusals; a record of calls stands in for the analysis."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spinehub.demo import handlers as module
from spinehub.demo import regions
from spinehub.demo.cases import CaseStore, LoadedCase
from spinehub.demo.handlers import Handlers
from spinehub.demo.loading import load_example, parse_times
from spinehub.demo.markup import sentence
from spinehub.demo.scene import case_info
from spinehub.demo.session import Session, Workspace
from spinehub.demo.view import KEEP, View
from spinehub.errors import InputRefusedError, InvalidArgumentError, SpineHubError
from spinehub.io import write_series, write_volume
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.pipeline import analyse
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Seed, Volume

GRID = Grid((16, 18, 6), np.array([[0, 0, 5.0, -12], [-2.0, 0, 0, 20], [0, 2.0, 0, -9], [0, 0, 0, 1]]))
CENTRE = (8, 9, 3)


def ball_series(times: bool = True) -> DynamicSeries:
    """A ball that takes up contrast in a body that hardly does; two baseline frames."""
    place = np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1) - CENTRE
    ball = ((place * (2.0, 2.0, 5.0)) ** 2).sum(axis=-1) < 9.0**2
    uptake = np.array([0.0, 0.0, 0.8, 1.2, 1.3, 1.3, 1.2, 1.2])
    noise = np.random.default_rng(1).normal(0, 2, (*GRID.shape, uptake.size))
    frames = 100 + 20 * uptake + 100 * ball[..., None] * uptake + noise
    return DynamicSeries(frames, GRID, 25.0 * np.arange(uptake.size) if times else None)


class Run:
    """Stands in for the analysis: notes what it was asked, answers without models."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, image: Any, **options: Any) -> Any:
        self.calls.append(options)
        return analyse(image, **{**options, "models": {}})


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> LoadedCase:
    """A small case in place of the bundled one."""
    image = ball_series()
    timing = assess_timing(image)
    maps = compute_maps(image, timing)
    case = LoadedCase(image, timing, maps, case_info(image, timing, maps))
    monkeypatch.setattr(module, "load_example", lambda: case)
    monkeypatch.setattr(module, "example_session", lambda token: Session(token, revision=1))
    monkeypatch.setattr(module, "write_downloads", lambda *_: {"report_file": Path("report.html")})
    return case


@pytest.fixture
def page(tmp_path: Path, example: LoadedCase) -> Handlers:
    return Handlers(Workspace(tmp_path / "root"), CaseStore(), Run())


@pytest.fixture
def session(page: Handlers) -> Session:
    return page.open_page(SimpleNamespace(session_hash="visitor"))[0]


def click(index: tuple[int, int, int] = CENTRE, *, background: bool = False) -> Any:
    return SimpleNamespace(mm=list(GRID.position_of(index)), background=background)


def uploaded(tmp_path: Path, image: DynamicSeries | Volume, name: str = "own.nii.gz") -> Path:
    path = tmp_path / name
    (write_series if isinstance(image, DynamicSeries) else write_volume)(image, path)
    return path


def test_the_page_opens_on_the_example(page: Handlers) -> None:
    session, view = page.open_page(SimpleNamespace(session_hash="visitor"))
    assert session.is_example
    assert view.viewer.image is not None
    assert "Simulated example" in view.case_panel
    assert view.report_file.interactive
    assert not view.mask_file.interactive


def test_a_click_becomes_a_seed_at_its_voxel(page: Handlers, session: Session) -> None:
    session, view = page.pick(click(), session)
    assert [seed.index_on(GRID) for seed in session.seeds] == [CENTRE]
    assert session.tolerance == float(np.float32(session.tolerance)) > 0
    assert ", ".join(map(str, CENTRE)) in view.seeds_panel
    assert view.viewer.arrival is not None
    assert view.viewer.info["revision"] == session.revision
    assert np.float32(view.tolerance.value) == session.tolerance <= view.tolerance.maximum


def test_the_suggested_border_lies_on_the_slider_below_the_suggestion(page: Handlers, session: Session) -> None:
    session, view = page.pick(click(), session)
    growth = page.store.get(session.case_key).growth
    step = view.tolerance.step
    assert growth.suggested_tolerance - step < session.tolerance <= growth.suggested_tolerance * (1 + 1e-6)


def test_seeds_join_hold_back_and_are_taken_back(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    session, _ = page.place(2, 2, 3, "background", session)
    assert [seed.background for seed in session.seeds] == [False, True]
    session, _ = page.undo(session)
    assert len(session.seeds) == 1
    session, view = page.clear(session)
    assert session.seeds == ()
    assert session.tolerance is None
    assert view.viewer.arrival is None
    assert "No seed yet" in view.seeds_panel


def test_a_background_seed_alone_marks_nothing(page: Handlers, session: Session) -> None:
    session, view = page.pick(click(background=True), session)
    assert session.tolerance is None
    assert view.viewer.arrival is None


@pytest.mark.parametrize("mm", [[1.0, 2.0], [float("nan"), 0.0, 0.0], [1e6, 0.0, 0.0]])
def test_a_click_outside_is_refused(page: Handlers, session: Session, mm: list[float]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"position"):
        page.pick(SimpleNamespace(mm=mm, background=False), session)


@pytest.mark.parametrize("index", [(None, 1, 1), (99, 1, 1), (-1, 1, 1), (1.5, 1, 1)])
def test_a_typed_seed_outside_is_refused(page: Handlers, session: Session, index: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match="seed"):
        page.place(*index, "lesion", session)


def test_releasing_the_slider_keeps_the_border_the_browser_shows(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    moved, view = page.set_tolerance(1.1, session)
    assert moved.tolerance == float(np.float32(1.1))
    assert moved.revision == session.revision
    assert view == View()


def test_the_slider_does_nothing_without_a_region(page: Handlers, session: Session) -> None:
    assert page.set_tolerance(3.0, session) == (KEEP, View())


def test_reach_and_suggestion_grow_anew(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    moved, _ = page.set_tolerance(0.5, session)
    back, _ = page.suggest(moved)
    assert back.tolerance == session.tolerance
    near, view = page.set_reach(6.0, back)
    assert page.store.get(near.case_key).growth.reach_mm == 6.0
    assert view.viewer.arrival.path != page.suggest(back)[1].viewer.arrival.path


def test_the_analysis_gets_the_region_and_fills_the_panels(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    kept, view = page.analyse(session, lambda *_, **__: None)
    assert kept is KEEP
    assert page.run.calls[-1]["tolerance"] == session.tolerance
    assert page.run.calls[-1]["seeds"] == session.seeds
    assert "models" not in page.run.calls[-1]
    assert "Early enhancement" in view.curve_panel
    assert "Rule on two parameters" in view.result_panel
    case = page.store.get(session.case_key)
    np.testing.assert_array_equal(case.report.finding.mask.voxels, case.growth.mask(session.tolerance).voxels)


def test_what_is_on_the_page_is_not_worked_out_again(page: Handlers, session: Session) -> None:
    assert page.analyse(session, lambda *_, **__: None) == (KEEP, View())
    session, _ = page.pick(click(), session)
    page.analyse(session, lambda *_, **__: None)
    assert page.analyse(session, lambda *_, **__: None) == (KEEP, View())
    assert len(page.run.calls) == 1


def test_explore_mode_asks_no_model(page: Handlers, session: Session) -> None:
    session, _ = page.clear(session)
    _, view = page.analyse(session, lambda *_, **__: None)
    assert page.run.calls[-1]["models"] == {}
    assert "seeds" not in page.run.calls[-1]
    assert "Mark a lesion" in view.result_panel


def test_an_answer_that_comes_late_is_not_shown(page: Handlers, session: Session) -> None:
    first, _ = page.pick(click(), session)
    page.pick(click((9, 9, 3)), first)
    assert page.analyse(first, lambda *_, **__: None) == (KEEP, View())
    assert page.downloads(first) == (KEEP, View())


def test_an_upload_is_shown_without_a_lesion(page: Handlers, session: Session, tmp_path: Path) -> None:
    path = uploaded(tmp_path, ball_series())
    session, view = page.upload([str(path), str(path.with_name("own.json"))], session)
    assert not path.exists()
    assert session.seeds == ()
    assert "own.nii.gz" in view.case_panel
    assert "dynamic series" in view.case_panel
    assert view.upload is None
    assert not view.timing_group.visible
    assert not view.contrast_group.visible
    assert page.upload([], session) == (KEEP, View())


def test_missing_times_are_asked_for_and_used(page: Handlers, session: Session, tmp_path: Path) -> None:
    session, view = page.upload([str(uploaded(tmp_path, ball_series(times=False)))], session)
    assert view.timing_group.visible
    session, view = page.set_times("25", session)
    assert "dynamic series" in view.case_panel
    assert view.timing_group.visible
    with pytest.raises(SpineHubError, match="times"):
        page.set_times("0, 25, 50", session)


def test_a_single_volume_asks_about_contrast_and_the_report_says_the_answer(
    page: Handlers, session: Session, tmp_path: Path
) -> None:
    volume = Volume(ball_series().frames[..., 4], GRID)
    session, view = page.upload([str(uploaded(tmp_path, volume))], session)
    assert view.contrast_group.visible
    _, view = page.analyse(session, lambda *_, **__: None)
    assert "did not say whether contrast was given" in view.notices_panel
    session, _ = page.say_contrast("no", session)
    _, view = page.analyse(session, lambda *_, **__: None)
    assert "The user states that no contrast was given." in view.notices_panel


def test_a_refused_file_leaves_the_session_as_it_was(page: Handlers, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "broken.nii.gz"
    path.write_bytes(b"no image")
    with pytest.raises(InputRefusedError, match=r"broken\.nii\.gz"):
        page.upload([str(path)], session)
    assert page.pick(click(), session)[0].is_example


def test_a_case_that_left_the_store_is_read_again(page: Handlers, session: Session, tmp_path: Path) -> None:
    session, _ = page.upload([str(uploaded(tmp_path, ball_series()))], session)
    page.store.drop(session.token)
    session, _ = page.pick(click(), session)
    assert [seed.index_on(GRID) for seed in session.seeds] == [CENTRE]


def test_visitors_do_not_see_each_other(page: Handlers, session: Session, tmp_path: Path) -> None:
    other = page.open_page(SimpleNamespace(session_hash="other"))[0]
    mine, _ = page.pick(click(), session)
    theirs, view = page.upload([str(uploaded(tmp_path, ball_series()))], other)
    assert mine.token != theirs.token
    assert view.viewer.info["seeds"] == []
    page.leave(SimpleNamespace(session_hash="other"))
    assert not page.workspace.folder(theirs.token).exists()
    assert page.store.get(theirs.case_key) is None
    assert page.store.get(mine.case_key) is not None


def test_delete_now_counts_what_is_left(page: Handlers, session: Session, tmp_path: Path) -> None:
    session, _ = page.upload([str(uploaded(tmp_path, ball_series()))], session)
    assert page.workspace.count(session.token) > 0
    session, view = page.delete_now(session)
    assert "left on this server: 0" in view.privacy_panel
    assert session.is_example
    assert page.workspace.count(session.token) == 0


def test_a_session_that_is_over_says_so(page: Handlers) -> None:
    for act in (page.undo, page.clear, page.suggest, page.use_example, page.delete_now):
        with pytest.raises(InvalidArgumentError, match="reload the page"):
            act(None)
    page.forget(None)


def test_a_session_whose_time_is_over_is_forgotten(page: Handlers, session: Session) -> None:
    page.forget(session)
    assert not page.workspace.folder(session.token).exists()
    assert page.store.get(session.case_key) is None


def test_plain_images_show_the_seed_and_take_clicks(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    _, view = page.unsupported(session)
    assert view.plain_group.visible
    assert view.plain_slice.value == CENTRE[2] + 1
    assert view.plain_image.ndim == 3
    height, width = view.plain_image.shape[:2]
    session, view = page.plain_click(SimpleNamespace(index=[width // 2, height // 2]), 2, "background", session)
    assert session.seeds[-1].background
    assert session.seeds[-1].index_on(GRID)[2] == 1
    assert page.plain_slice(99, session)[1].plain_slice.value == GRID.shape[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", (None, None)), ("12", (None, 12.0)), (" 0, 12; 24.5 ", ((0.0, 12.0, 24.5), None))],
)
def test_times_are_read_from_what_was_typed(text: str, expected: tuple[Any, Any]) -> None:
    assert parse_times(text) == expected


def test_times_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="such as 12 for one frame every 12 s"):
        parse_times("twelve")


def test_a_message_is_one_line_of_text() -> None:
    assert sentence(ValueError("a\n <b> & c")) == "a &lt;b&gt; &amp; c"


def test_the_bundled_example_is_what_this_version_would_compute() -> None:
    case = load_example()
    document = case.outcome.document
    grown = case.growth.mask(document["growing"]["tolerance"])
    assert grown.count == document["lesion"]["voxels"]
    again = analyse(case.image, seeds=case.growth.seeds, tolerance=document["growing"]["tolerance"], models={})
    fresh = again.to_dict()
    assert fresh["lesion"] == document["lesion"]
    for name, parameter in fresh["parameters"].items():
        assert parameter == document["parameters"][name]
    answered = any(route["probabilities"] is not None for route in document["routes"])
    assert answered == ("simulated_weights" in {item["code"] for item in document["warnings"]})


def test_sessions_are_small_records(session: Session) -> None:
    moved = replace(session, seeds=(Seed((0.0, 0.0, 0.0)),))
    assert moved.wanted != session.wanted
    assert moved.case_key == session.case_key
    assert all(not isinstance(value, np.ndarray) for value in vars(moved).values())


def linked_request(**query: str) -> Any:
    return SimpleNamespace(session_hash="visitor", query_params=query)


def seeds_in_link(index: tuple[int, int, int] = CENTRE) -> str:
    return ",".join(str(value) for value in GRID.position_of(index))


def test_a_link_places_its_seeds_at_its_tolerance(page: Handlers) -> None:
    session, view = page.open_page(linked_request(seeds=seeds_in_link(), tolerance="0.5", reach="30"))
    assert [seed.index_on(GRID) for seed in session.seeds] == [CENTRE]
    assert (session.tolerance, session.reach_mm, session.linked) == (0.5, 30.0, None)
    assert view.viewer.info["tolerance"] == 0.5
    assert view.reach == 30.0


def test_a_link_to_an_image_of_ones_own_waits_for_the_file(
    page: Handlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module.gr, "Info", said.append)
    session, _ = page.open_page(linked_request(seeds=seeds_in_link(), image="own"))
    assert session.is_example
    assert "Open the same file" in said[0]
    session, _ = page.upload([str(uploaded(tmp_path, ball_series()))], session)
    assert [seed.index_on(GRID) for seed in session.seeds] == [CENTRE]


def test_a_broken_link_shows_the_example(page: Handlers, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module.gr, "Warning", lambda message, **_: said.append(message))
    session, view = page.open_page(linked_request(seeds="x"))
    assert session.seeds == ()
    assert view.viewer is not None
    assert len(said) == 1


def test_what_was_taken_back_is_placed_again(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    session, _ = page.place(2, 2, 3, "background", session)
    both = session.seeds
    session, _ = page.undo(session)
    session, _ = page.redo(session)
    assert session.seeds == both
    assert page.redo(session)[0] is KEEP
    session, _ = page.undo(session)
    session, _ = page.pick(click((8, 8, 3)), session)
    assert session.undone == (), "a new seed ends what could be redone"


def test_a_voxel_outside_is_explained(page: Handlers, session: Session) -> None:
    assert "Place a seed first" in page.why(click(), session)[1].why_panel
    session, _ = page.pick(click(), session)
    assert "Voxel (8, 9, 3) is a foreground seed" in page.why(click(), session)[1].why_panel
    assert "(1, 1, 1)" in page.why(click((1, 1, 1)), session)[1].why_panel


def test_only_a_leak_can_be_cut(page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(regions.gr, "Info", said.append)
    session, view = page.pick(click(), session)
    growth = page.store.get(session.case_key).growth
    assert view.cut.visible == (growth.leak is not None)
    if growth.leak is None:
        assert page.cut(session)[0] is KEEP
        assert "no leak" in said[0]


def test_a_cut_region_is_analysed_as_it_is(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    session = replace(session, cuts=1)
    page.store.want(session.token, session.wanted)
    page.analyse(session, lambda *_, **__: None)
    options = page.run.calls[-1]
    growth = page.store.get(session.case_key).growth
    assert np.array_equal(options["mask"].voxels, growth.mask(session.tolerance).voxels)
    assert "seeds" not in options


def test_stop_ends_the_work_before_its_next_stage(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    stages: list[str] = []

    def stop_at_the_first(_: float, desc: str) -> None:
        stages.append(desc)
        page.stop(session)

    answer = page.analyse(session, stop_at_the_first)
    assert len(stages) == 1
    assert answer == (KEEP, View())
    assert "Stopped" in page.stop(session)[1].result_panel
