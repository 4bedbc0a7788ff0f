"""The page in Debian's chromium, against a server started as a user starts it. Never skipped in CI."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
]
ANSWERED = """(() => { const { shown, info, tolerance } = window.spinehubViewer;
    const bundle = [...document.querySelectorAll('.sh-take button')].find((one) => one.innerText.includes('Bundle'));
    return shown.revision === info.revision && Math.fround(info.tolerance) === tolerance && !bundle.disabled
        && !document.querySelector('#sh-result .pending'); })()"""
"""The page shows the answer for the region and the tolerance on screen, and offers its files. A new region greys the
files in the same update that draws it; an answer brings the tolerance that it is for."""
STILL = """document.getAnimations().every((each) => each.playState !== 'running'
    || each.effect?.getComputedTiming().endTime === Infinity)"""
"""Nothing fades or slides; what turns for ever, such as a spinner, does not count."""


@dataclass
class Visit:
    """One open page, and every address it asked for."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def evaluate(self, code: str) -> Any:
        return self.page.evaluate(code)

    def wait(self, code: str, timeout_s: float = 120) -> None:
        self.page.wait_for_function(code, timeout=1000 * timeout_s)

    def wait_for_case(self, shape: tuple[int, ...]) -> None:
        """Until the viewer shows a case of this shape."""
        wanted = ",".join(map(str, sorted(shape)))
        self.wait(f"spinehubViewer.order?.size.slice().sort((a, b) => a - b).join() === '{wanted}'")
        self.wait("spinehubViewer.shown.revision === spinehubViewer.info.revision")

    def wait_for_answer(self) -> None:
        """Until the answer for what the viewer shows is there with its files; wait for the region or case first."""
        self.wait(ANSWERED)
        self.evaluate("spinehubViewer.queue.then(() => null)")  # the maps of the answer are loaded

    def serious_problems(self) -> dict[str, str]:
        """What axe-core finds serious on the page as it is: rule and first element."""
        if not self.page.evaluate("Boolean(window.axe)"):
            self.page.evaluate(AXE)
        self.wait(STILL)  # half-faded text has half the contrast
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        return {item["id"]: item["nodes"][0]["html"] for item in found if item["impact"] in {"serious", "critical"}}

    def picture(self, name: str) -> None:
        """Save the page as it is, light and dark, where SPINEHUB_SCREENSHOTS names a folder."""
        folder = os.environ.get("SPINEHUB_SCREENSHOTS")
        if folder is None:
            return
        for suffix in ("", "-dark"):
            self.page.wait_for_timeout(300)
            self.page.screenshot(path=Path(folder) / f"{name}{suffix}.png")
            self.evaluate(
                "document.getElementById('sh-theme').click()"
            )  # the focus stays, and no dialogue is in the way

    def panel_point(self, mm: list[float]) -> tuple[float, float]:
        """Go to a position and return where it is on the largest panel, in page pixels."""
        self.evaluate(f"spinehubViewer.goTo({list(mm)})")
        x, y = self.evaluate(
            """() => { const v = window.spinehubViewer, t = {axial: 0, coronal: 1, sagittal: 2}[v.info.acquired];
                const p = v.nv.frac2canvasPosWithTile(v.nv.scene.crosshairPos, t).pos, d = v.nv.uiData.dpr;
                const box = v.nv.gl.canvas.getBoundingClientRect();
                return [box.left + p[0] / d, box.top + p[1] / d]; }"""
        )
        return float(x), float(y)


@pytest.fixture(scope="session")
def address(page_address: str) -> str:
    """Address of a server started with ``python app.py``."""
    return page_address


@pytest.fixture(scope="session")
def served(page_address: str, page_cache: Path) -> Path:
    """Folder in which the server keeps every visitor's files."""
    return page_cache


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip("needs /usr/bin/chromium (Debian package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    """The page with the example on it."""
    context = browser.new_context(viewport={"width": 1366, "height": 900}, accept_downloads=True)
    yield open_page(context, address)
    context.close()


@pytest.fixture
def another_visit(browser: Any, address: str) -> Iterator[Visit]:
    """The same page in another browser profile, beside the first."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield open_page(context, address)
    context.close()


def open_page(context: Any, address: str) -> Visit:
    """Open the page in a context and wait for the example; its files come last, and after them nothing is asked."""
    visit = Visit(context.new_page())
    visit.page.set_default_timeout(90000)
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
    visit.page.goto(address)
    visit.wait("window.spinehubViewer?.order && window.spinehubViewer.count > 0")
    visit.wait_for_answer()
    return visit
