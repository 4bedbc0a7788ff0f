"""Reading teaching cases, without a browser: nothing tells before the commitment, everything after it."""

import json
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from visitors import CENTRE, GRID, ball_series, click, linked_request

from spinehub.demo import lessons
from spinehub.demo.cases import LoadedCase
from spinehub.demo.downloads import _uploaded_images
from spinehub.demo.handlers import Handlers
from spinehub.demo.reader import center_mm
from spinehub.demo.scene import case_info, region_layers
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.teaching import TeachingCase, teaching_cases
from spinehub.volume import Mask


def silent(*_: Any, **__: Any) -> None:
    """Stands in for the progress of a page."""


@pytest.fixture(autouse=True)
def small_lessons(monkeypatch: pytest.MonkeyPatch) -> Mask:
    """A small case in place of each rendered one; the true lesion is a box around its centre."""
    image = ball_series()
    timing = assess_timing(image)
    maps = compute_maps(image, timing)
    truth = np.zeros(GRID.shape, dtype=bool)
    truth[6:11, 7:12, 2:5] = True
    found = LoadedCase(image, timing, maps, case_info(image, timing, maps)), Mask(truth, GRID)
    monkeypatch.setattr(lessons, "_render", lambda _: found)
    return found[1]


def opened(page: Handlers, session: Session, number: int = 8) -> tuple[Session, View]:
    return page.open_lesson(SimpleNamespace(number=number), session, silent)


def committed(page: Handlers, session: Session, answer: str = "primary_malignant", number: int = 8) -> Session:
    session, _ = opened(page, session, number)
    session, _ = page.pick(click(), session)
    return page.commit(answer, 80, session)[0]


def told(view: View) -> str:
    """Everything of a view that goes to the browser, as text."""
    values = [getattr(view, field.name) for field in fields(view)]
    return json.dumps([getattr(value, "value", value) for value in values if value is not KEEP], default=str)


def secrets(lesson: TeachingCase) -> list[str]:
    words = [lesson.title, *lesson.what_to_see.split(". "), lesson.truth, lesson.recipe.lesions[0].histology]
    return [*words, *([] if lesson.posterior is None else [f"{lesson.posterior:.2f} for", str(lesson.posterior)])]


@pytest.mark.parametrize("number", range(1, 11))
def test_nothing_tells_before_the_commitment(page: Handlers, session: Session, number: int) -> None:
    lesson = teaching_cases()[number - 1]
    session, first = opened(page, session, number)
    session, second = page.pick(click(), session)
    _, third = page.analyse(session, silent)
    _, fourth = page.downloads(session)
    for view in (first, second, third, fourth):
        for secret in secrets(lesson):
            assert secret not in told(view), secret
    assert lesson.vignette in first.reader_panel
    assert session.seeds != ()
    assert page.run.calls[-1]["models"] == {}
    assert "after you commit" in third.result_panel
    assert "leans to" not in third.result_panel
    assert "Early enhancement" in third.curve_panel
    assert page.store.get(session.case_key).truth is None


def test_a_case_opens_without_a_seed_and_with_an_empty_answer(page: Handlers, session: Session) -> None:
    session, view = opened(page, session)
    assert session.teaching == 8
    assert (session.seeds, view.viewer.info["seeds"], view.viewer.arrival) == ((), [], None)
    assert view.reader_group.visible
    assert view.answer_group.visible
    assert view.answer is None
    assert "Teaching case 8" in view.case_panel
    with pytest.raises(InvalidArgumentError, match="must be 1 to 10"):
        opened(page, session, 11)


def test_file_names_tell_nothing(page: Handlers, session: Session) -> None:
    for number in (1, 2):
        _, view = opened(page, session, number)
        names = view.viewer.image.path + view.viewer.maps.path
        assert not any(lesson.name in names for lesson in teaching_cases())


def test_a_commitment_needs_a_region_and_an_answer(page: Handlers, session: Session) -> None:
    session, _ = opened(page, session)
    with pytest.raises(InvalidArgumentError, match="click the lesion"):
        page.commit("metastasis", 80, session)
    session, _ = page.pick(click(), session)
    with pytest.raises(InvalidArgumentError, match="must be chosen"):
        page.commit(None, 80, session)
    with pytest.raises(InvalidArgumentError, match=r"0\.5 to 1"):
        page.commit("metastasis", 20, session)


def test_after_the_commitment_truth_score_and_overlap_are_shown(
    page: Handlers, session: Session, small_lessons: Mask
) -> None:
    lesson = teaching_cases()[7]
    session, _ = opened(page, session)
    session, _ = page.pick(click(), session)
    grown = page.store.get(session.case_key).growth.mask(session.tolerance).voxels
    session, view = page.commit("primary_malignant", 80, session)
    reading = session.reading
    assert reading.lost == pytest.approx(100 * (0.8 - lesson.posterior) ** 2)
    shared = 2 * np.count_nonzero(grown & small_lessons.voxels)
    assert reading.dice == pytest.approx(shared / (grown.sum() + small_lessons.voxels.sum()))
    for words in ("Metastasis of a lung carcinoma", "as good as possible", "0.88 for a primary tumour", "being asked"):
        assert words in view.reader_panel
    assert "Everything points one way" in view.lessons_panel
    assert not view.answer_group.visible
    assert [layer["name"] for layer in view.viewer.info["layers"]] == ["truth"]
    assert page.commit("metastasis", 99, session) == (KEEP, View()), "an answer is given once"


def test_the_methods_are_asked_after_the_commitment_and_scored_beside_the_reader(
    page: Handlers, session: Session
) -> None:
    session = committed(page, session)
    assert page.note_routes(session) == (KEEP, View()), "nothing has answered yet"
    _, view = page.analyse(session, silent)
    assert "models" not in page.run.calls[-1]
    assert "Rule on two parameters" in view.result_panel
    session, view = page.note_routes(session)
    assert set(session.reading.routes) == {"hotspot", "radiomics", "unet", "inception_resnet"}
    assert "being asked" not in view.reader_panel
    assert "no answer" in view.reader_panel
    assert page.note_routes(session) == (KEEP, View()), "they are noted once"


def test_the_truth_is_an_overlay_of_a_read_case_only(page: Handlers, session: Session, small_lessons: Mask) -> None:
    session = committed(page, session)
    session, view = opened(page, session)
    layer, _ = region_layers(page.store.get(session.case_key))[-1]
    np.testing.assert_array_equal(layer.valid, small_lessons.voxels)
    assert view.viewer.info["layers"][0]["name"] == "truth"
    assert "data-goto" in view.reader_panel
    assert not view.answer_group.visible
    session, view = opened(page, session, 9)
    assert view.viewer.info["layers"] == []
    assert view.answer_group.visible


def test_a_lesion_of_neither_class_is_not_scored(page: Handlers, session: Session) -> None:
    session, _ = opened(page, session, 6)
    session, _ = page.pick(click(), session)
    session, view = page.commit("neither", 80, session)
    assert "belongs to neither class" in view.reader_panel
    assert "You said so" in view.reader_panel
    assert "recognised" in view.lessons_panel
    assert "you named 1" in view.tally_panel


def test_next_goes_round_the_cases_that_were_not_read(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = committed(page, session, number=10)
    session, view = page.next_lesson(session, silent)
    assert session.teaching == 1
    assert len(session.readings) == 1
    assert view.viewer.info["seeds"] == []
    for number in range(1, 10):
        session = committed(page, session, number=number)
    said: list[str] = []
    monkeypatch.setattr("spinehub.demo.reader.gr.Info", said.append)
    assert page.next_lesson(session, silent) == (KEEP, View())
    assert "all ten" in said[0]


def test_the_tally_outlives_the_example_and_ends_when_starting_over(page: Handlers, session: Session) -> None:
    session = committed(page, session)
    session, view = page.use_example(session)
    assert len(session.readings) == 1
    assert not view.reader_group.visible
    assert "1 of 10 cases read" in view.tally_panel
    assert "Always" in view.tally_panel
    session, view = page.start_over(session)
    assert session.readings == ()
    assert "Nothing read yet" in view.tally_panel
    session, _ = opened(page, session)
    session, _ = page.start_over(session)
    assert session.is_example
    session = committed(page, session)
    assert page.delete_now(session)[0].readings == ()


def test_readings_of_two_visitors_are_apart(page: Handlers, session: Session) -> None:
    other = page.open_page(SimpleNamespace(session_hash="other"))[0]
    mine, theirs = committed(page, session), opened(page, other)[0]
    assert mine.reading is not None
    assert theirs.labels_hidden
    assert page.store.get(theirs.case_key).truth is None


def test_the_centre_of_a_lesion_lies_in_it() -> None:
    ring = np.zeros(GRID.shape, dtype=bool)
    ring[4:13, 5:14, 3] = True
    ring[7:10, 8:11, 3] = False
    place = center_mm(Mask(ring, GRID))
    assert ring[GRID.index_of(place)]
    assert GRID.index_of(place) != CENTRE


def test_without_a_teaching_case_nothing_can_be_committed(page: Handlers, session: Session) -> None:
    assert page.commit("metastasis", 80, session) == (KEEP, View())
    assert page.note_routes(session) == (KEEP, View())
    with pytest.raises(InvalidArgumentError, match="open one on the Teaching tab"):
        lessons.true_lesion(session)


def test_the_network_waits_for_the_commitment_too(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("spinehub.demo.reader.gr.Info", said.append)
    session, _ = opened(page, session)
    kept, view = page.choose_source("unet", session)
    assert (kept, view) == (KEEP, View(mask_source="growing"))
    assert page.propose(session, silent) == (KEEP, View())
    assert said == ["The U-Net answers after you commit."] * 2
    assert page.choose_source("file", session)[0].mask_source == "file"


def test_a_link_opens_a_teaching_case(page: Handlers, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("spinehub.demo.handlers.gr.Warning", lambda message, **_: said.append(message))
    session, view = page.open_page(linked_request(teaching="3"))
    assert session.labels_hidden
    assert "Case 3 of 10" in view.reader_panel
    assert view.viewer.info["teaching"] == 3
    for wrong in ("0", "11", "x", "", "3.0"):
        assert page.open_page(linked_request(teaching=wrong))[0].is_example
    assert len(said) == 5


def test_the_bundle_of_a_teaching_case_says_where_its_images_are(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("spinehub.demo.handlers.gr.Info", said.append)
    session, _ = opened(page, session)
    page.set_bundle(True, session)
    page.set_bundle(False, session)
    assert len(said) == 1
    assert "simulate --teaching" in said[0]
    assert _uploaded_images(session) == ()
