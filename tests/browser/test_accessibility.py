"""axe-core finds no serious problem on any tab, light or dark; the main path works with the keyboard alone."""

from typing import Any

import pytest

TABS = ("Case", "Teaching", "Physics", "Models & API")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Any, theme: str) -> None:
    page = visit.page
    if theme == "dark":
        page.click("#sh-theme")
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(1500)  # colours fade from one theme to the other
        assert visit.serious_problems() == {}, tab


def test_a_seed_is_placed_with_the_keyboard_alone(visit: Any) -> None:
    page = visit.page
    for _ in range(60):
        page.keyboard.press("Tab")
        if visit.evaluate("document.activeElement.classList.contains('sh-gl')"):
            break
    else:
        pytest.fail("the viewer was not reached with Tab")
    page.keyboard.press("s")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    visit.wait("spinehubViewer.info.seeds.length === 2")
    page.keyboard.press("Tab")
    assert not visit.evaluate("document.activeElement.classList.contains('sh-gl')"), "the viewer must let Tab out"
