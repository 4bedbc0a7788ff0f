"""When the analysis is asked, with what, and when its answer is shown."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from visitors import GRID, ball_series, click

from spinehub.demo.cases import LoadedCase
from spinehub.demo.downloads import write_downloads
from spinehub.demo.handlers import Handlers
from spinehub.demo.loading import example_session, load_example
from spinehub.demo.session import Session
from spinehub.demo.shown import DOWNLOADS
from spinehub.demo.view import KEEP, View
from spinehub.io import read_mask
from spinehub.pipeline import analyse
from spinehub.report import ReaderNotes, strict_json
from spinehub.routes import DEFAULT_MODELS, held_out_score, load_model
from spinehub.volume import Mask


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


def offered(view: View) -> list[bool]:
    """Which of the buttons can be pressed; nothing where they are left as they are."""
    buttons = [getattr(view, name) for name in DOWNLOADS]
    return [] if buttons == [KEEP] * len(buttons) else [button.interactive for button in buttons]


NOTHING = [False] * len(DOWNLOADS)


def test_files_are_on_offer_only_with_their_answer(page: Handlers, session: Session) -> None:
    session, view = page.pick(click(), session)
    assert offered(view) == NOTHING
    assert offered(page.downloads(session)[1]) == []  # no answer yet
    page.analyse(session, lambda *_, **__: None)
    assert any(offered(page.downloads(session)[1]))
    same, view = page.set_tolerance(session.tolerance, session)
    assert offered(view) == []  # the answer on the page is the one of this border
    moved, view = page.set_tolerance(0.9 * session.tolerance, same)
    assert offered(view) == NOTHING
    assert offered(page.downloads(moved)[1]) == []
    back, _ = page.set_tolerance(session.tolerance, moved)
    assert any(offered(page.downloads(back)[1]))
    assert offered(page.clear(back)[1]) == NOTHING


def test_files_written_while_something_changed_are_not_offered(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = page.pick(click(), session)
    page.analyse(session, lambda *_, **__: None)
    level = ("T12", [], None, None, None, "")
    changes = [lambda: page.set_notes(*level, session), lambda: page.set_bundle(True, session),
               lambda: page.pick(click((9, 9, 3)), session)]  # fmt: skip
    for change in changes:

        def write_slowly(*_: Any, change: Any = change) -> dict[str, Path]:
            assert offered(change()[1]) == NOTHING
            return {"report_file": Path("report.html")}

        monkeypatch.setattr("spinehub.demo.handlers.write_downloads", write_slowly)
        assert offered(page.downloads(session)[1]) == []


@pytest.mark.parametrize("go", ["delete", "leave", "elsewhere"])
def test_files_that_were_being_written_when_their_case_was_left_are_removed(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch, go: str
) -> None:
    session, _ = page.pick(click(), session)
    page.analyse(session, lambda *_, **__: None)
    changes = {"delete": lambda: page.delete_now(session), "elsewhere": lambda: page.use_example(session),
               "leave": lambda: page.leave(SimpleNamespace(session_hash="visitor"))}  # fmt: skip

    def write_slowly(case: LoadedCase, _: Session, folder: Path) -> dict[str, Path]:
        changes[go]()
        (folder / "output").mkdir(parents=True, exist_ok=True)
        (folder / "output" / "report.html").write_text("of a case that was left", encoding="utf-8")
        return {"report_file": folder / "output" / "report.html"}

    monkeypatch.setattr("spinehub.demo.handlers.write_downloads", write_slowly)
    assert offered(page.downloads(session)[1]) == []
    assert not list(page.workspace.folder(session.token).rglob("report.html"))


def test_the_example_comes_before_its_files(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    session, view = page.use_example(session)
    assert offered(view) == NOTHING
    assert any(offered(page.downloads(session)[1]))


def test_fields_that_say_nothing_new_leave_the_files_alone(page: Handlers, session: Session) -> None:
    empty = ("", [], "", "", None, "")
    assert page.set_notes(*empty, session) == (KEEP, View())


def test_the_files_of_the_example_replace_those_of_a_case_before(tmp_path: Path) -> None:
    own = ball_series()
    voxel = Mask(np.indices(GRID.shape).sum(axis=0) == 0, GRID)
    analyse(own, mask=voxel, models={}).save(tmp_path / "output")
    case, notes = load_example(), ReaderNotes(level="T12")
    for _ in range(2):
        write_downloads(case, replace(example_session("token"), notes=notes), tmp_path)
        stored = json.loads((tmp_path / "output" / "report.json").read_text(encoding="utf-8"))
        assert stored["lesion"] == case.outcome.document["lesion"]
        assert stored["reader"]["level"] == "T12"
        assert read_mask(tmp_path / "output" / "mask.nii.gz").count == stored["lesion"]["voxels"]
        maps = {path.name.removesuffix(".nii.gz") for path in (tmp_path / "output" / "maps").iterdir()}
        assert maps == set(case.maps)


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


def test_the_bundled_example_tells_the_scores_the_models_have_now() -> None:
    document = load_example().outcome.document
    for route in document["routes"]:
        told, name = route["held_out"], route["name"]
        now = held_out_score(load_model(name, DEFAULT_MODELS[name]).evaluation, told["regime"])
        assert told == strict_json(now), "analyse it again: python -m spinehub.demo.example --reanalyse"
