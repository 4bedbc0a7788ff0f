"""Seeds, border and leaks, without a browser."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from visitors import CENTRE, GRID, click

from spinehub.demo import regions
from spinehub.demo.handlers import Handlers
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError


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
    assert view.viewer is view.tolerance is view.tolerance_panel is KEEP


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
