"""What teaches: definitions, the physics sandbox."""

from typing import Any

from spinehub.demo.priors import AGES, age_ratios, with_prior


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


def test_the_prior_dial_moves_what_is_said_and_not_the_bars(visit: Any) -> None:
    page = visit.page
    bars = visit.evaluate("[...document.querySelectorAll('.sh-bar-metastasis')].map((bar) => bar.style.width)")
    shares = visit.evaluate("[...document.querySelectorAll('[data-metastasis]')].map((r) => +r.dataset.metastasis)")
    before = len(visit.requests)
    page.locator("#sh-prior").fill("5")
    page.locator("#sh-age").fill("20")
    said = page.locator(".sh-route-prior").all_inner_texts()
    ratio = age_ratios()[AGES.index(20)]
    assert said == [f"with your prior: {with_prior(share, 5, ratio):.2f} metastasis" for share in shares]
    assert [url for url in visit.requests[before:] if "heartbeat" not in url] == []
    visit.picture("prior")
    assert bars == visit.evaluate("[...document.querySelectorAll('.sh-bar-metastasis')].map((bar) => bar.style.width)")
    page.locator("#sh-age").fill("")
    page.locator("#sh-prior").fill("50")
    assert set(page.locator(".sh-route-prior").all_inner_texts()) == {""}


def test_the_class_map_lies_over_the_image(visit: Any) -> None:
    page = visit.page
    page.locator(".sh-route", has_text="U-Net").locator("summary").click()
    page.click("[data-overlay=class_map_unet]")
    assert page.locator("[data-control=overlay]").input_value() == "class_map_unet"
    assert "U-Net" in page.locator(".sh-colourbar").inner_text()
    assert visit.evaluate("spinehubViewer.overlays.shown.kind") == "layers"
    visit.picture("class-map")


def test_the_tour_moves_the_viewer_in_eight_steps(visit: Any) -> None:
    page = visit.page
    before = len(visit.requests)
    tolerance = visit.evaluate("spinehubViewer.tolerance")
    page.click("#sh-start-tour")
    seen = []
    for step in range(1, 9):
        assert page.locator(".sh-tour-count").inner_text() == f"Step {step} of 8"
        seen.append(
            visit.evaluate(
                "[spinehubViewer.frame, spinehubViewer.subtracting, spinehubViewer.overlays.shown?.name ?? '',"
                " spinehubViewer.tolerance]"
            )
        )
        visit.picture(f"tour-{step}") if step in (3, 5) else None
        page.keyboard.press("Enter")  # Next has the focus
    assert not page.locator("#sh-tour").count()
    assert seen[0][0] == 0 < seen[1][0]
    assert seen[2][1]
    assert seen[3][2] == "early_enhancement"
    assert 0 < seen[4][3] < tolerance
    assert visit.evaluate("[spinehubViewer.subtracting, spinehubViewer.tolerance]") == [False, tolerance]
    assert [url for url in visit.requests[before:] if "heartbeat" not in url] == []
    assert not visit.errors


def test_why_here_and_agreement(visit: Any) -> None:
    page = visit.page
    page.click("[data-action=why]")
    page.wait_for_selector("#sh-why-panel:has-text('foreground seed')")
    page.select_option("[data-control=overlay]", "agreement")
    assert "Agreement" in page.locator(".sh-colourbar").inner_text()
    assert "when the click moves" in page.inner_text("#sh-curve")
    visit.picture("agreement")
    assert not visit.errors


def test_a_link_opens_the_same_view(visit: Any, browser: Any, address: str) -> None:
    visit.evaluate("spinehubViewer.setTolerance(0.6 * spinehubViewer.info.tolerance)")
    visit.page.evaluate("navigator.clipboard.writeText = async () => {}")
    visit.page.click("#sh-copy-link")
    link = visit.page.locator("#sh-copy-link").get_attribute("data-link")
    assert link.startswith(address)
    shown = visit.evaluate("spinehubViewer.maskVoxels()")
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(link)
    page.wait_for_function("window.spinehubViewer?.order && window.spinehubViewer.count > 0", timeout=120000)
    assert page.evaluate("spinehubViewer.maskVoxels()") == shown
    context.close()
