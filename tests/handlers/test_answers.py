"""When the analysis is asked, with what, and when its answer is shown."""

from dataclasses import replace

import numpy as np
from visitors import click

from spinehub.demo.handlers import Handlers
from spinehub.demo.loading import load_example
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP, View
from spinehub.pipeline import analyse


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
