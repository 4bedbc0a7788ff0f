"""What is taken away: report with own fields, print view, bundle that replays, link; laptops, tablets, phones."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from spinehub.bundle import replay_bundle
from spinehub.demo.loading import EXAMPLE
from spinehub.io import read_series

HOSTILE = "<img src=x onerror=window.hit=1>${window.hit=2}{{window.hit}}"


def saved(visit: Any, button: str, path: Path) -> Path:
    """Press one of the buttons of files and keep what comes."""
    with visit.page.expect_download() as download:
        visit.page.click(f".sh-take button:has-text('{button}')")
    download.value.save_as(path)
    return path


@pytest.fixture(scope="module")
def simulated_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated series as a file of a visitor, with a header text that tries to become code."""
    path = tmp_path_factory.mktemp("simulated") / "simulated.nii.gz"
    image = nib.load(EXAMPLE / "series.nii.gz")
    image.header["descrip"] = HOSTILE.encode()
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj).astype(np.int16), image.affine, image.header), path)
    path.with_name("simulated.json").write_bytes((EXAMPLE / "series.json").read_bytes())
    return path


def test_a_simulated_series_from_upload_to_replay(
    visit: Any, another_visit: Any, simulated_path: Path, tmp_path: Path
) -> None:
    page, image = visit.page, read_series(simulated_path)
    both = [str(simulated_path), str(simulated_path.with_name("simulated.json"))]
    page.locator("#sh-upload input[type=file]").set_input_files(both)
    visit.wait("spinehubViewer.info.own_image && spinehubViewer.info.seeds.length === 0")
    visit.wait_for_answer()
    seed = json.loads((EXAMPLE / "report.json").read_text(encoding="utf-8"))["growing"]["seeds"][0]
    x, y = visit.panel_point(seed["position_mm"])
    page.click("[data-action=seed]")
    page.mouse.click(x, y)
    visit.wait("spinehubViewer.info.seeds.length === 1")
    visit.wait_for_answer()
    visit.picture("simulated-upload")
    assert "free text (descrip)" in page.inner_text(".sh-left")
    assert visit.evaluate("window.hit") is None
    assert HOSTILE not in page.content()
    again = replay_bundle(saved(visit, "Bundle", tmp_path / "case.zip"), [simulated_path])
    assert again.differences == ()
    voxels = again.report.finding.mask.voxels
    shown = visit.evaluate("spinehubViewer.maskVoxels()")
    assert shown == [int(n) for n in np.flatnonzero(voxels.ravel(order="F"))]
    page.evaluate("navigator.clipboard.writeText = async () => {}")
    page.click("#sh-copy-link")
    other = another_visit
    other.page.goto(page.locator("#sh-copy-link").get_attribute("data-link"))
    other.wait("window.spinehubViewer?.order && !spinehubViewer.info.own_image")
    other.page.locator("#sh-upload input[type=file]").set_input_files(both)
    other.wait("spinehubViewer.info.own_image && spinehubViewer.shown.revision === spinehubViewer.info.revision")
    other.wait(f"spinehubViewer.count === {len(shown)}")
    assert other.evaluate("spinehubViewer.maskVoxels()") == shown
    assert image.grid.shape == tuple(visit.evaluate("spinehubViewer.info.shape"))


def test_the_readers_fields_stand_in_the_report_of_one_visitor(visit: Any, served: Path, tmp_path: Path) -> None:
    page = visit.page
    page.click(".sh-notes-form button.label-wrap")
    page.get_by_label("Level", exact=True).fill("T12")
    page.get_by_label("epidural space").check()
    page.get_by_label("SINS, 0 to 18").fill("9")
    page.get_by_label("Impression").fill(HOSTILE)
    page.keyboard.press("Tab")
    page.wait_for_selector("text=In the report: level, compartments, SINS, impression.")
    assert visit.serious_problems() == {}
    visit.picture("readers-fields")
    stated = json.loads(saved(visit, "JSON", tmp_path / "report.json").read_text(encoding="utf-8"))["reader"]
    assert (stated["level"], stated["compartments"], stated["sins"]) == ("T12", ["epidural space"], 9)
    assert stated["impression"] == HOSTILE
    page.click("#sh-print-report")
    page.wait_for_selector("#sh-print", state="attached")
    report = page.frame_locator("#sh-print")
    assert "9 (potentially unstable, 7 to 12)" in report.locator(".reader").inner_text()
    assert HOSTILE in report.locator(".reader").inner_text()
    assert visit.evaluate("window.hit") is None
    shared = json.loads((next(served.glob("spinehub-*/example")) / "output" / "report.json").read_text("utf-8"))
    assert shared["reader"]["level"] is None, "the example everybody sees must stay as it is"
    assert not visit.errors


def test_image_border_and_result_share_the_first_screen_of_a_laptop(visit: Any) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_timeout(300)
    for selector in (".sh-gl", "#sh-tolerance input[type=range]", "#sh-result .sh-headline", "#sh-result .sh-bar"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 720, selector


@pytest.mark.parametrize("size", [(1280, 720), (820, 1180), (390, 844)])
def test_nothing_sticks_out_of_a_tab(visit: Any, size: tuple[int, int]) -> None:
    page = visit.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(300)
        visit.picture(f"tab-{tab.inner_text().split()[0].lower()}-{size[0]}")
        assert visit.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), tab.inner_text()
        odd = visit.evaluate(
            "[...document.querySelectorAll('main *, .sh-head *')].filter((one) => one.checkVisibility()"
            " && !one.closest('pre') && one.getBoundingClientRect().right > window.innerWidth + 1)"
            ".map((one) => one.className || one.tagName)"
        )
        assert odd == [], tab.inner_text()
