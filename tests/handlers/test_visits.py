"""Coming, opening files, leaving; refusals; plain images."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from visitors import CENTRE, GRID, ball_series, click, uploaded

from spinehub.demo.handlers import Handlers
from spinehub.demo.loading import parse_times
from spinehub.demo.markup import sentence
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP, View
from spinehub.errors import InputRefusedError, InvalidArgumentError, SpineHubError
from spinehub.volume import Seed, Volume


def test_the_page_opens_on_the_example(page: Handlers) -> None:
    session, view = page.open_page(SimpleNamespace(session_hash="visitor"))
    assert session.is_example
    assert view.viewer.image is not None
    assert "Simulated example" in view.case_panel
    assert not view.report_file.interactive  # the files come once the page is on the screen
    assert page.downloads(session)[1].report_file.interactive
    assert not view.mask_file.interactive


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


def test_sessions_are_small_records(session: Session) -> None:
    moved = replace(session, seeds=(Seed((0.0, 0.0, 0.0)),))
    assert moved.wanted != session.wanted
    assert moved.case_key == session.case_key
    assert all(not isinstance(value, np.ndarray) for value in vars(moved).values())
