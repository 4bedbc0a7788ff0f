"""What teaches: definitions, the physics sandbox."""

from typing import Any


def open_tab(visit: Any, name: str) -> None:
    """Go to one of the page's tabs."""
    visit.page.get_by_role("tab", name=name, exact=True).click()


def test_the_sandbox_follows_its_sliders(visit: Any) -> None:
    page = visit.page
    open_tab(visit, "Physics")
    row = page.locator("#sh-physics-curve tr", has_text="Steepest rise")
    before = row.inner_text()
    fixed = page.locator("#sh-physics-curve tr", has_text="Early enhancement").inner_text()
    slider = page.locator("#sh-physics-frame_interval_s input[type=range]")
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    visit.wait(f"!document.querySelector('#sh-physics-curve').innerText.includes({before!r})")
    assert (
        abs(percent(page.locator("#sh-physics-curve tr", has_text="Early enhancement").inner_text()) - percent(fixed))
        <= 2
    )
    page.click("button:has-text('Scan ends at 150 s')")
    page.wait_for_selector("#sh-physics-curve tr:has-text('Wash-out, 67') >> text=scan too short")
    page.wait_for_selector("#sh-physics-verdict:has-text('gives no answer')")
    visit.picture("physics")
    assert not visit.errors


def percent(row: str) -> float:
    """First number of a row of the table."""
    return float(row.split("\t")[1].split()[0].replace("−", "-"))


def test_a_question_mark_opens_its_definition(visit: Any) -> None:
    page = visit.page
    open_tab(visit, "Physics")
    page.locator("#sh-physics-curve [data-define=washout]").click()
    entry = page.locator("#sh-def-washout")
    assert entry.is_visible()
    assert visit.evaluate("document.activeElement.id") == "sh-def-washout"
    visit.picture("definitions")
    page.keyboard.press("Escape")
    assert not entry.is_visible()
