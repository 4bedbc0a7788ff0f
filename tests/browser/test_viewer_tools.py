"""Mask sources, proposals, reference regions, occlusion, leak, pre beside post: each once through the browser."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinehub.demo.loading import EXAMPLE
from spinehub.io import read_mask, write_mask, write_volume
from spinehub.volume import Grid, Mask, Volume

DRAWN = "spinehubViewer.shown.revision === spinehubViewer.info.revision"
"""The newest region is on the screen."""


def put_files(visit: Any, selector: str, *paths: Path) -> None:
    visit.page.locator(f"{selector} input[type=file]").set_input_files([str(path) for path in paths])


def choose(visit: Any, name: str) -> None:
    """Take the mask from another source."""
    visit.page.get_by_role("radio", name=name, exact=True).check(force=True)


def test_the_u_net_draws_the_mask_and_growing_comes_back(visit: Any) -> None:
    grown = visit.evaluate("spinehubViewer.count")
    choose(visit, "U-Net")
    visit.wait(f"spinehubViewer.info.mask_source === 'unet' && {DRAWN} && spinehubViewer.count > 0")
    visit.page.wait_for_selector("#sh-border:has-text('own outline')")
    assert not visit.page.locator("#sh-tolerance").is_visible()
    visit.wait_for_answer()
    visit.picture("mask-unet")
    choose(visit, "Growing")
    visit.wait(f"spinehubViewer.info.mask_source === 'growing' && spinehubViewer.count === {grown}")


def test_a_mask_from_a_file_is_shown_voxel_for_voxel(visit: Any, tmp_path: Path) -> None:
    mask = read_mask(EXAMPLE / "mask.nii.gz")
    moved = Mask(np.roll(mask.voxels, 5, axis=0), mask.grid)
    write_mask(moved, tmp_path / "drawn.nii.gz")
    choose(visit, "File")
    visit.page.wait_for_selector("#sh-border:has-text('Upload a mask')")
    visit.wait("spinehubViewer.count === 0")  # the grown mask has as many voxels as the moved one
    put_files(visit, "#sh-upload-mask", tmp_path / "drawn.nii.gz")
    visit.wait(f"spinehubViewer.count === {moved.count}")
    expected = [int(n) for n in np.flatnonzero(moved.voxels.ravel(order="F"))]
    assert visit.evaluate("spinehubViewer.maskVoxels()") == expected
    visit.picture("mask-file")


def test_a_mask_of_another_image_is_one_sentence(visit: Any, tmp_path: Path) -> None:
    grid = Grid((5, 5, 5), np.eye(4))
    write_mask(Mask(np.ones(grid.shape, bool), grid), tmp_path / "other.nii.gz")
    choose(visit, "File")
    visit.page.wait_for_selector("#sh-border:has-text('Upload a mask')")
    put_files(visit, "#sh-upload-mask", tmp_path / "other.nii.gz")
    visit.page.wait_for_selector("[data-testid=toast-body]:has-text('must lie on the grid of the image')")


def test_proposals_are_rings_and_buttons(visit: Any) -> None:
    page = visit.page
    page.click("#sh-propose")
    page.wait_for_selector("#sh-stop-search", state="visible")
    page.wait_for_selector("#sh-proposals [data-propose]", timeout=300000)
    visit.picture("proposals")
    assert "false alarms are common" in page.inner_text("#sh-proposals")
    before = visit.evaluate("spinehubViewer.info.seeds.length")
    page.locator("#sh-proposals [data-propose]").first.focus()
    page.keyboard.press("Enter")
    visit.wait(f"spinehubViewer.info.seeds.length === {before + 1}")


def test_reference_regions_stand_in_curve_table_and_report(visit: Any) -> None:
    page = visit.page
    page.click("[data-action=reference]")
    box = page.locator(".sh-gl").bounding_box()
    page.mouse.click(box["x"] + 0.36 * box["width"], box["y"] + 0.22 * box["height"])
    page.wait_for_selector("#sh-curve .sh-ref-marrow")
    page.select_option("[data-control=tissue]", "muscle")
    page.locator(".sh-gl").focus()
    for _ in range(12):
        page.keyboard.press("ArrowDown")  # away from the first circle
    page.keyboard.press("Enter")
    page.wait_for_selector("#sh-curve tr:has-text('muscle')")
    visit.wait("spinehubViewer.info.references.length === 2")
    page.locator("#sh-curve").scroll_into_view_if_needed()
    visit.picture("references")
    visit.wait_for_answer()
    with page.expect_download() as download:
        page.locator(".sh-take button", has_text="Report").click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    _, _, section = report.partition("<h2>Reference regions</h2>")
    assert "Normal marrow" in section
    assert "Muscle" in section
    page.click("[data-unreference=muscle]")
    visit.wait("spinehubViewer.info.references.length === 1")
    page.wait_for_selector("#sh-curve .sh-ref-muscle", state="detached")
    assert not visit.errors


def test_occlusion_lies_over_the_image_with_its_unit(visit: Any) -> None:
    page = visit.page
    page.locator(".sh-route", has_text="U-Net").locator("summary").click()
    page.click("[data-occlude=unet]")
    visit.wait("spinehubViewer.overlays.shown?.name === 'occlusion_unet'", 300)
    assert "log-odds" in page.inner_text(".sh-colourbar")
    visit.picture("occlusion")
    assert not visit.errors


def test_the_slice_before_contrast_stands_beside_the_frame(visit: Any) -> None:
    page = visit.page
    before = len(visit.requests)
    page.click("[data-action=beside]")
    assert visit.evaluate("Object.keys(spinehubViewer.layout()).length") == 1
    grey = """(() => { const layer = document.querySelector('.sh-layer'), ctx = layer.getContext('2d');
        const { width, height } = layer, half = ctx.getImageData(width / 2 + 1, 0, width / 2 - 2, height).data;
        let lit = 0; for (let n = 0; n < half.length; n += 4) if (half[n] > 60 && half[n + 3] === 255) lit += 1;
        return lit / (half.length / 4); })()"""
    assert visit.evaluate(grey) > 0.1
    visit.picture("beside")
    page.locator(".sh-gl").focus()
    page.keyboard.press("p")
    assert visit.evaluate("Object.keys(spinehubViewer.layout()).length") == 3
    assert [url for url in visit.requests[before:] if "heartbeat" not in url] == []
    assert not visit.errors


@pytest.fixture
def dumbbell_path(tmp_path: Path) -> Path:
    """Two bright balls joined by a thin bridge."""
    shape = (52, 76, 16)
    index = np.moveaxis(np.indices(shape), 0, -1)
    bright = np.zeros(shape, bool)
    for centre in ((26, 19, 8), (26, 55, 8)):
        bright |= np.linalg.norm((index - centre) * (1.2, 1.2, 4.0), axis=-1) <= 13.0
    bright[24:28, 19:55, 7:9] = True
    signal = 200.0 + 100.0 * bright + np.random.default_rng(1).normal(0.0, 10.0, shape)
    path = tmp_path / "dumbbell.nii.gz"
    write_volume(Volume(signal.astype(np.float32), Grid(shape, np.diag([1.2, 1.2, 4.0, 1.0]))), path)
    return path


def test_a_leak_is_marked_cut_and_the_cut_taken_back(visit: Any, dumbbell_path: Path) -> None:
    page = visit.page
    put_files(visit, "#sh-upload", dumbbell_path)
    visit.wait_for_case((52, 76, 16))
    for axis, value in zip("ijk", (26, 19, 8), strict=True):
        page.get_by_label(axis, exact=True).fill(str(value))
    page.click("button:has-text('Place')")
    cut = page.get_by_role("button", name="Cut at the neck")
    cut.wait_for(state="visible")
    visit.wait(f"spinehubViewer.info.seeds.length === 1 && {DRAWN}")
    assert "leaks above" in page.locator("#sh-border .sh-plot").text_content()
    top = visit.evaluate("Number(document.querySelector('#sh-tolerance input[type=range]').max)")
    beyond = 0.9 * top  # beyond the leak, and short of where everything joins on other ways
    visit.evaluate(f"spinehubViewer.setTolerance({beyond})")
    leaked = visit.evaluate("spinehubViewer.count")
    visit.picture("leak")
    revision = visit.evaluate("spinehubViewer.shown.revision")
    cut.click()
    visit.wait(f"spinehubViewer.shown.revision > {revision}")
    visit.evaluate(f"spinehubViewer.setTolerance({beyond})")
    assert visit.evaluate("spinehubViewer.count") < 0.95 * leaked
    visit.picture("leak-cut")
    revision = visit.evaluate("spinehubViewer.shown.revision")
    page.click("button:has-text('Undo')")
    visit.wait(f"spinehubViewer.shown.revision > {revision}")
    cut.wait_for(state="visible")
    assert visit.evaluate("spinehubViewer.info.seeds.length") == 1
    visit.evaluate(f"spinehubViewer.setTolerance({beyond})")
    assert visit.evaluate("spinehubViewer.count") == leaked


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (820, 1180)])
def test_the_tools_fit_on_small_screens(visit: Any, width: int, height: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": height})
    visit.page.click("[data-action=reference]")
    visit.page.wait_for_timeout(300)
    assert visit.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    visit.picture(f"tools-{width}")
