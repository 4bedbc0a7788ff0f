"""A visitor's own files: the whole path, other visitors, hostile names, browsers without WebGL2."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from spinehub.growing import grow
from spinehub.io import read_mask, read_series
from spinehub.volume import Seed


def upload(visit: Any, *paths: Path) -> None:
    """Hand over files; the caller waits for what comes of it."""
    visit.page.locator("#sh-upload input[type=file]").set_input_files([str(path) for path in paths])


def seed_at(visit: Any, position_mm: tuple[float, float, float]) -> None:
    """Click a position on the largest panel in seed mode and wait for the region."""
    x, y = visit.panel_point(list(position_mm))
    revision = visit.evaluate("spinehubViewer.shown.revision")
    visit.page.click("[data-action=seed]")
    visit.page.mouse.click(x, y)
    visit.wait(f"spinehubViewer.shown.revision > {revision}")
    visit.wait_for_answer()


def python_mask(path: Path, visit: Any) -> list[int]:
    """The mask Python grows for what the page says, in file order."""
    image = read_series(path)
    seeds = [Seed.at_position(tuple(seed["mm"])) for seed in visit.evaluate("spinehubViewer.info.seeds")]
    mask = grow(image, seeds).mask(visit.evaluate("spinehubViewer.tolerance"))
    return [int(n) for n in np.flatnonzero(mask.voxels.ravel(order="F"))]


@pytest.fixture(scope="session")
def oblique_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright ball that takes up contrast, on a small oblique grid with permuted and flipped axes, with times."""
    rng = np.random.default_rng(3)
    shape, frames = (40, 44, 9), 12
    angle = np.radians(20.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    axes = np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]], dtype=float)  # array axes towards P, S and R
    affine = np.eye(4)
    affine[:3, :3] = turn @ axes * (2.0, 2.0, 5.0)
    affine[:3, 3] = (12.0, 55.0, -31.0)
    place = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * (2.0, 2.0, 5.0)
    ball = ((place - (40.0, 44.0, 20.0)) ** 2).sum(axis=-1) < 14.0**2
    uptake = np.array([0, 0, 0, 0.9, 1.1, 1.2, 1.2, 1.15, 1.1, 1.05, 1.0, 1.0])
    series = 200 + 20 * ball[..., None] + 220 * ball[..., None] * uptake + 24 * uptake
    path = tmp_path_factory.mktemp("oblique") / "oblique.nii.gz"
    nib.save(nib.Nifti1Image((series + rng.normal(0, 4, (*shape, frames))).astype(np.int16), affine), path)
    path.with_name("oblique.json").write_text(json.dumps({"VolumeTiming": [25.0 * n for n in range(frames)]}))
    return path


def test_a_three_phase_series_from_upload_to_report(visit: Any, breast_series_path: Path, tmp_path: Path) -> None:
    image = read_series(breast_series_path)
    upload(visit, breast_series_path)
    visit.wait_for_case(image.grid.shape)
    visit.wait_for_answer()
    page = visit.page
    assert "breast.nii.gz" in page.inner_text(".sh-left")
    assert page.get_by_label("Frame interval in s, or the time of each frame").is_visible()
    bright = np.unravel_index(int(np.argmax(image.frames[8:-8, 8:-8, :, 1])), image.frames[8:-8, 8:-8, :, 1].shape)
    position = image.grid.position_of((int(bright[0]) + 8, int(bright[1]) + 8, int(bright[2])))
    seed_at(visit, position)
    visit.picture("three-phases")
    box = "document.querySelector('.sh-outside')"
    assert visit.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")  # names of features are long words
    assert visit.evaluate("spinehubViewer.maskVoxels()") == python_mask(breast_series_path, visit)
    assert "not available" in page.inner_text("#sh-curve")
    assert "No credible frame times" in page.inner_text("#sh-notes")
    with page.expect_download() as download:
        page.click(".sh-right button:has-text('Report')")
    report = tmp_path / "report.html"
    download.value.save_as(report)
    assert "spinehub report" in report.read_text(encoding="utf-8")
    with page.expect_download() as download:
        page.click(".sh-right button:has-text('Mask')")
    mask_path = tmp_path / "mask.nii.gz"
    download.value.save_as(mask_path)
    saved = read_mask(mask_path, image.grid).voxels.ravel(order="F")
    assert visit.evaluate("spinehubViewer.maskVoxels()") == [int(n) for n in np.flatnonzero(saved)]


def test_an_oblique_permuted_grid_is_exact(visit: Any, oblique_path: Path) -> None:
    image = read_series(oblique_path)
    upload(visit, oblique_path, oblique_path.with_name("oblique.json"))
    visit.wait_for_case(image.grid.shape)
    visit.wait_for_answer()
    index = (21, 20, 4)
    seed_at(visit, image.grid.position_of(index))
    assert "21, 20, 4" in visit.page.inner_text(".sh-seeds")
    assert visit.evaluate("spinehubViewer.maskVoxels()") == python_mask(oblique_path, visit)
    assert "±" in visit.page.inner_text("#sh-curve")


def test_a_single_volume_asks_about_contrast(visit: Any, oblique_path: Path, tmp_path: Path) -> None:
    frame = nib.load(oblique_path)
    path = tmp_path / "one.nii"
    nib.save(nib.Nifti1Image(np.asarray(frame.dataobj)[..., 5], frame.affine), path)
    upload(visit, path)
    visit.wait_for_case(frame.shape[:3])
    visit.wait_for_answer()
    assert visit.page.inner_text(".sh-left").count("Was contrast given before this volume?") == 1
    assert not visit.page.locator(".sh-frames").is_visible()
    visit.page.get_by_role("radio", name="yes").check()
    visit.page.wait_for_selector("#sh-notes:has-text('The user states that contrast was given.')")
    seed_at(visit, read_series(path).grid.position_of((20, 22, 4)))
    visit.picture("single-volume")
    assert "The user states that contrast was given." in visit.page.inner_text("#sh-notes")


def test_a_malformed_file_is_one_sentence_and_the_page_stays(visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.nii.gz"
    path.write_bytes(gzip.compress(b"not an image"))
    before = visit.evaluate("spinehubViewer.shown.image")
    upload(visit, path)
    visit.page.wait_for_selector("[data-testid=toast-body]")
    assert "broken.nii.gz" in visit.page.inner_text("[data-testid=toast-body]")
    visit.picture("malformed-file")
    assert visit.evaluate("spinehubViewer.shown.image") == before
    visit.wait("!document.querySelector('#sh-upload').innerText.includes('broke')")
    assert "Simulated example" in visit.page.inner_text(".sh-left")


def test_a_hostile_file_name_is_shown_as_text(visit: Any, oblique_path: Path, tmp_path: Path) -> None:
    name = "<img src=x onerror=window.hit=1>${window.hit=2}{{window.hit}}`.nii.gz"
    path = tmp_path / name
    path.write_bytes(oblique_path.read_bytes())
    upload(visit, path)
    visit.wait_for_case((40, 44, 9))
    visit.wait_for_answer()
    assert visit.evaluate("window.hit") is None
    assert visit.page.locator(".sh-file img").count() == 0


def test_visitors_see_their_own_case_and_leave_nothing(
    visit: Any, another_visit: Any, served: Path, oblique_path: Path
) -> None:
    other = another_visit
    upload(other, oblique_path)
    other.wait_for_case((40, 44, 9))
    other.wait_for_answer()
    assert visit.evaluate("spinehubViewer.info.shape") != [40, 44, 9]
    assert list(served.rglob("oblique.nii.gz"))
    other.page.context.close()
    for _ in range(40):
        if not list(served.rglob("oblique.nii.gz")):
            break
        visit.page.wait_for_timeout(500)
    assert not list(served.rglob("oblique.nii.gz"))


def test_delete_now_removes_the_files_at_once(visit: Any, served: Path, oblique_path: Path) -> None:
    upload(visit, oblique_path)
    visit.wait_for_case((40, 44, 9))
    visit.wait_for_answer()
    visit.page.click("button:has-text('Delete now')")
    visit.page.wait_for_selector("text=Files of yours left on this server: 0")
    assert not list(served.rglob("oblique.nii.gz"))
    visit.wait("spinehubViewer.info.shape.join() !== '40,44,9'")


def test_without_webgl_slices_are_plain_images(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return kind === 'webgl2' ? null : get.call(this, kind, ...rest); };"
    )
    page = context.new_page()
    page.goto(address)
    image = page.locator("#sh-plain img")
    image.wait_for(state="visible", timeout=120000)
    assert not page.locator(".sh-gl").is_visible()
    page.wait_for_function("document.querySelector('#sh-plain img').complete")
    box = image.bounding_box()
    image.click(position={"x": 0.45 * box["width"], "y": 0.45 * box["height"]})
    page.wait_for_function("document.querySelectorAll('.sh-seeds li').length === 2", timeout=120000)
    context.close()


def test_maps_come_as_a_zip(visit: Any, tmp_path: Path) -> None:
    with visit.page.expect_download() as download:
        visit.page.click(".sh-right button:has-text('Maps')")
    path = tmp_path / "maps.zip"
    download.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        assert "peak_enhancement.nii.gz" in archive.namelist()
