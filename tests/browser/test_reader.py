"""A teaching case read with the keyboard: nothing tells before the commitment, everything stands there after it."""

import gzip
import json
from typing import Any

import pytest

from spinehub.report import deepest_voxel
from spinehub.teaching import TeachingCase, teaching_cases

NUMBER = 10


LISTEN = """(() => { const fetched = window.fetch; window.wire = [];
    window.fetch = async (...asked) => { const answer = await fetched(...asked), place = window.wire.push("") - 1;
        const reader = answer.clone().body?.getReader(), decoder = new TextDecoder("utf-8");
        (async () => { while (reader) { const { done, value } = await reader.read();
            if (done) return; window.wire[place] += decoder.decode(value, { stream: true }); } })().catch(() => {});
        return answer; }; })()"""
"""Keeps the text of every answer, also of the stream in which Gradio sends what handlers return."""


LISTENS = "document.querySelector('[data-listening] [data-lesson]')"
"""The list of cases is drawn before it listens."""


class Wire:
    """Everything a page is sent from now on; files are read later, since a page that answers cannot be asked."""

    def __init__(self, visit: Any) -> None:
        self.page = page = visit.page
        self.finished: list[Any] = []
        page.add_init_script(LISTEN)
        page.on("requestfinished", lambda request: self.finished.append(request))
        page.reload()
        visit.wait("window.spinehubViewer?.order && window.spinehubViewer.count > 0", 240)

    def bodies(self) -> list[bytes]:
        """Bodies of all answers so far, unpacked where they are gzip files."""
        bodies = [request.response().body() for request in self.finished if request.response().status == 200]
        return [gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body for body in bodies]

    def holds(self, words: str) -> bool:
        if any(words in text or json.dumps(words)[1:-1] in text for text in self.page.evaluate("window.wire")):
            return True
        return any(words.encode() in body or json.dumps(words)[1:-1].encode() in body for body in self.bodies())


@pytest.fixture(scope="module")
def lesson() -> TeachingCase:
    return teaching_cases()[NUMBER - 1]


def secrets(lesson: TeachingCase) -> tuple[str, ...]:
    return (lesson.title, lesson.what_to_see[:60], lesson.truth, lesson.recipe.lesions[0].histology, lesson.name,
            f"{lesson.posterior:.6f}")  # fmt: skip


def go_to(page: Any, selector: str) -> None:
    """Reach an element by Tab from where the focus is, and see that it can be reached."""
    for _ in range(160):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    pytest.fail(f"{selector} was not reached with Tab")


def open_and_seed(visit: Any, lesson: TeachingCase) -> None:
    page = visit.page
    page.get_by_role("tab", name="Teaching", exact=True).click()
    visit.wait(LISTENS)
    go_to(page, f"[data-lesson='{lesson.number}']")
    visit.picture("reader-list")
    page.locator(f"[data-lesson='{lesson.number}']").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#sh-reading:has-text('Case {lesson.number} of 10')")
    visit.wait("spinehubViewer.info.own_image && spinehubViewer.shown.revision === spinehubViewer.info.revision")
    index = deepest_voxel(lesson.render().lesions[0].mask)
    for axis, voxel in zip("ijk", index, strict=True):
        page.get_by_label(axis, exact=True).fill(str(voxel))
    page.get_by_role("button", name="Place", exact=True).focus()
    page.keyboard.press("Enter")
    visit.wait("spinehubViewer.info.seeds.length === 1")
    visit.wait_for_answer()


def commit(visit: Any) -> None:
    """Choose "Metastasis" at 87 % and commit, by keyboard."""
    page = visit.page
    page.locator("#sh-answer input").first.focus()
    page.keyboard.press("Space")
    page.locator("#sh-confidence input[type=range]").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    go_to(page, "#sh-commit")
    page.keyboard.press("Enter")
    page.wait_for_selector(".sh-verdict")


def test_a_case_is_read_before_anything_tells(visit: Any, lesson: TeachingCase) -> None:
    page = visit.page
    page.set_default_timeout(240000)
    wire = Wire(visit)
    open_and_seed(visit, lesson)
    assert lesson.vignette in page.inner_text("#sh-reading")
    assert page.locator("#sh-result .sh-route").count() == 0
    html = page.content()
    for secret in secrets(lesson):
        assert secret not in html, secret
        assert not wire.holds(secret), secret
    assert wire.holds(lesson.vignette), "the wire must be seen"
    assert "truth" not in visit.evaluate("JSON.stringify(spinehubViewer.info)")
    assert visit.serious_problems() == {}
    visit.picture("reader-before")

    commit(visit)
    said = page.inner_text("#sh-reading")
    for words in (
        lesson.title,
        "Ewing sarcoma",
        lesson.what_to_see[:60],
        "0.87 for a metastasis",
        "as good as possible",
    ):
        assert words in said
    visit.wait("!document.querySelector('.sh-readings').innerText.includes('being asked')", 240)
    assert page.locator("#sh-result .sh-route").count() == 4
    visit.wait_for_answer()
    page.locator("[data-overlay=truth]").focus()
    page.keyboard.press("Enter")
    assert "True lesion" in page.locator(".sh-colourbar").inner_text()
    assert visit.evaluate("spinehubViewer.overlays.value(spinehubViewer.crosshairIndex())") > 0.9
    assert visit.serious_problems() == {}
    visit.picture("reader-after")

    page.get_by_role("tab", name="Teaching", exact=True).click()
    assert lesson.title in page.inner_text("#sh-lessons")
    assert "1 of 10 cases read" in page.inner_text("#sh-tally")
    visit.picture("reader-tally")
    page.click("#sh-start-over")
    page.wait_for_selector("#sh-tally:has-text('Nothing read yet')")
    assert lesson.title not in page.inner_text("#sh-lessons")
    assert [url for url in visit.requests if "127.0.0.1" not in url and not url.startswith(("data:", "blob:"))] == []
    assert not visit.errors


def test_an_undecidable_answer_asks_for_no_confidence(visit: Any) -> None:
    page = visit.page
    page.get_by_role("tab", name="Teaching", exact=True).click()
    visit.wait(LISTENS)
    page.click("[data-lesson='5']")
    page.wait_for_selector("#sh-reading:has-text('Case 5 of 10')", timeout=240000)
    page.get_by_label("Undecidable from this image").check()
    page.wait_for_selector("#sh-confidence", state="hidden")
    page.get_by_label("Metastasis", exact=True).check()
    page.wait_for_selector("#sh-confidence", state="visible")
    page.click("#sh-commit")
    page.wait_for_selector("text=region must be marked before you commit")
    assert page.locator(".sh-verdict").count() == 0
