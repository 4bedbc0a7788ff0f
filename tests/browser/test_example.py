"""The page as it opens, and everything that must not ask the server."""

from typing import Any
from urllib.parse import urlsplit

import numpy as np

from spinehub.demo.loading import EXAMPLE
from spinehub.growing import grow
from spinehub.io import read_series
from spinehub.volume import Seed

VALUE = "document.querySelector('#sh-tolerance input[type=range]').value"


def asked(visit: Any) -> list[str]:
    """Addresses asked for, without the connection that only tells the server the page is still open."""
    return [url for url in visit.requests if "heartbeat" not in url]


def grown_voxels(path: Any, seeds: list[dict[str, Any]], tolerance: float, reach_mm: float = 60.0) -> list[int]:
    """File-order indices of the mask that Python grows."""
    image = read_series(path)
    placed = [Seed.at_position(tuple(seed["mm"]), background=seed["background"]) for seed in seeds]
    mask = grow(image, placed, reach_mm=reach_mm).mask(tolerance)
    return [int(n) for n in np.flatnonzero(mask.voxels.ravel(order="F"))]


def test_the_example_is_analysed_when_the_page_opens(visit: Any) -> None:
    result = visit.page.inner_text("#sh-result")
    for sentence in (
        "Model output on two simulated classes. Not a diagnosis.",
        "Nothing here may be used to choose, delay or omit biopsy, referral or treatment.",
    ):
        assert sentence.lower() in result.lower()
    for name in ("Rule on two parameters", "Radiomics", "U-Net", "Inception-ResNet"):
        assert name in result
    assert "Do not upload patient data to a public Space." in visit.page.inner_text(".sh-left")
    figures = visit.page.inner_text("#sh-curve")
    assert "Early enhancement" in figures
    assert "Wash-out" in figures
    visit.picture("page")
    assert not visit.errors


def test_no_other_host_is_asked_for_anything(visit: Any, address: str) -> None:
    visit.page.wait_for_timeout(1500)
    own = urlsplit(address).netloc
    assert {urlsplit(url).netloc for url in visit.requests if not url.startswith(("data:", "blob:"))} == {own}


def test_nothing_is_asked_while_browsing(visit: Any) -> None:
    page = visit.page
    canvas = page.locator(".sh-gl").bounding_box()
    x, y = canvas["x"] + 0.3 * canvas["width"], canvas["y"] + 0.5 * canvas["height"]
    start = visit.evaluate("spinehubViewer.crosshairIndex()")
    before = len(asked(visit))
    page.mouse.move(x, y)
    for step in (100, 100, -100, 100):
        page.mouse.wheel(0, step)
    assert visit.evaluate("spinehubViewer.crosshairIndex()") != start
    page.mouse.down(button="right")
    page.mouse.move(x + 60, y - 40, steps=6)
    page.mouse.up(button="right")
    page.mouse.click(x + 20, y + 10)  # browse mode: moves the crosshair only
    page.locator("[data-control=frame]").fill("3")
    assert visit.evaluate("spinehubViewer.frame") == 3
    page.select_option("[data-control=overlay]", index=1)
    page.locator("[data-control=opacity]").fill("0.3")
    for name in ("subtract", "fill", "play", "play", "reset"):
        page.click(f"[data-action={name}]")
    page.select_option("[data-control=window]", "narrow")
    page.wait_for_timeout(400)
    assert asked(visit)[before:] == []
    assert visit.evaluate("spinehubViewer.subtracting")
    assert not visit.errors


def test_colours_of_every_map_are_those_of_its_colour_bar(visit: Any) -> None:
    offered = visit.evaluate("spinehubViewer.overlays.offered().map((map) => map.name)")
    assert {"washout", "peak_enhancement", "class_map_unet"} <= set(offered)
    for name in offered:
        visit.page.select_option("[data-control=overlay]", name)
        limits = visit.evaluate("(({cal_min, cal_max}) => [cal_min, cal_max])(spinehubViewer.nv.volumes[1])")
        assert limits == [0.5, visit.evaluate("spinehubViewer.info.map_levels")]


def test_dragging_the_tolerance_moves_the_border_without_a_request(visit: Any) -> None:
    page = visit.page
    slider = page.locator("#sh-tolerance input[type=range]").bounding_box()
    y = slider["y"] + slider["height"] / 2
    counts = {visit.evaluate("spinehubViewer.count")}
    before = len(asked(visit))
    page.mouse.move(slider["x"] + 0.3 * slider["width"], y)
    page.mouse.down()
    for share in (0.35, 0.5, 0.65, 0.8):
        page.mouse.move(slider["x"] + share * slider["width"], y, steps=3)
        visit.wait(f"Math.fround({VALUE}) === spinehubViewer.tolerance")
        counts.add(visit.evaluate("spinehubViewer.count"))
    assert asked(visit)[before:] == []
    assert len(counts) >= 4
    shown = visit.evaluate("spinehubViewer.tolerance")
    volume = page.inner_text("#sh-volume-now")
    page.mouse.up()
    visit.wait_for_answer()
    assert asked(visit)[before:] != []
    assert visit.evaluate("spinehubViewer.tolerance") == shown
    assert page.inner_text("#sh-volume-now") == volume


def test_arrow_keys_move_the_border_and_the_numbers_follow(visit: Any) -> None:
    before, volume = visit.evaluate("spinehubViewer.count"), visit.page.inner_text("#sh-result")
    visit.page.locator("#sh-tolerance input[type=range]").focus()
    for _ in range(12):
        visit.page.keyboard.press("ArrowLeft")
    visit.wait(f"Math.fround({VALUE}) === spinehubViewer.tolerance && spinehubViewer.count < {before}")
    visit.wait_for_answer()
    assert visit.page.inner_text("#sh-result") != volume


def test_the_mask_in_the_browser_is_the_mask_of_python(visit: Any) -> None:
    seeds = visit.evaluate("spinehubViewer.info.seeds")
    for share in (0.2, 0.7):
        top = visit.evaluate("Number(document.querySelector('#sh-tolerance input[type=range]').max)")
        visit.evaluate(f"spinehubViewer.setTolerance({share * top})")
        shown = visit.evaluate("spinehubViewer.maskVoxels()")
        assert shown == grown_voxels(EXAMPLE / "series.nii.gz", seeds, share * top)
        assert shown


def test_a_click_in_seed_mode_places_a_seed(visit: Any) -> None:
    page, image = visit.page, read_series(EXAMPLE / "series.nii.gz")
    index = [int(n) for n in visit.evaluate("spinehubViewer.crosshairIndex()")]
    index[0] += 3
    index[1] -= 2
    x, y = visit.panel_point(list(image.grid.position_of((index[0], index[1], index[2]))))
    revision = visit.evaluate("spinehubViewer.shown.revision")
    page.click("[data-action=seed]")
    page.mouse.click(x, y)
    visit.wait(f"spinehubViewer.shown.revision > {revision}")
    assert ", ".join(map(str, index)) in page.inner_text(".sh-seeds")
    assert len(visit.evaluate("spinehubViewer.info.seeds")) == 2
    visit.wait_for_answer()
    tolerance = visit.evaluate("spinehubViewer.tolerance")
    seeds = visit.evaluate("spinehubViewer.info.seeds")
    assert visit.evaluate("spinehubViewer.maskVoxels()") == grown_voxels(EXAMPLE / "series.nii.gz", seeds, tolerance)


def test_number_boxes_undo_and_clear(visit: Any) -> None:
    page = visit.page
    index = visit.evaluate("spinehubViewer.crosshairIndex()")
    for axis, value in zip("ijk", index, strict=True):
        page.get_by_label(axis, exact=True).fill(str(value))
    page.get_by_role("radio", name="background").check()
    page.get_by_label("i", exact=True).fill("0")
    page.click("button:has-text('Place')")
    visit.wait("spinehubViewer.info.seeds.length === 2")
    assert visit.evaluate("spinehubViewer.info.seeds[1].background")
    page.click("button:has-text('Undo')")
    visit.wait("spinehubViewer.info.seeds.length === 1")
    page.click("button:has-text('Clear')")
    visit.wait("spinehubViewer.info.seeds.length === 0 && spinehubViewer.count === 0")
    page.wait_for_selector("#sh-result:has-text('Mark a lesion')")


def test_keys_change_slice_and_frame(visit: Any) -> None:
    page = visit.page
    page.locator(".sh-gl").focus()
    start = visit.evaluate("spinehubViewer.crosshairIndex()")
    frame = visit.evaluate("spinehubViewer.frame")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert sum(np.abs(np.subtract(visit.evaluate("spinehubViewer.crosshairIndex()"), start))) == 1
    assert visit.evaluate("spinehubViewer.frame") == frame + 1
    page.keyboard.press("s")
    assert visit.evaluate("spinehubViewer.mode") == "seed"
    page.keyboard.press("Escape")
    assert visit.evaluate("spinehubViewer.mode") == "browse"


def test_nothing_sticks_out_of_the_page(visit: Any) -> None:
    for width, height in ((1366, 900), (1280, 720), (900, 1100)):
        visit.page.set_viewport_size({"width": width, "height": height})
        visit.page.wait_for_timeout(200)
        assert visit.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
