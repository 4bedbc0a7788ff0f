"""What follows the crosshair: the curve of its voxel, true to the series, and the number boxes; nothing is asked."""

from typing import Any

import numpy as np

from spinehub.demo.loading import EXAMPLE, load_example
from spinehub.io import read_series

DRAWN = """(() => { const line = document.getElementById('sh-crosshair-curve'), axes = JSON.parse(line.dataset.axes);
    const [x0, x1, y0, y1] = axes.limits, [left, top, width, height] = axes.box;
    return line.getAttribute('points').split(' ').map((pair) => { const [x, y] = pair.split(',').map(Number);
        return [x0 + (x - left) / width * (x1 - x0), y1 - (y - top) / height * (y1 - y0)]; }); })()"""
"""The line read back from the screen, in the units of the axes."""


def typed(visit: Any) -> list[int]:
    """What the three number boxes show."""
    return [int(visit.page.get_by_label(axis, exact=True).input_value()) for axis in "ijk"]


def test_the_curve_under_the_crosshair_is_that_of_the_series(visit: Any) -> None:
    series, timing = read_series(EXAMPLE / "series.nii.gz"), load_example().timing
    page, center = visit.page, visit.evaluate("spinehubViewer.crosshairIndex()")
    before = len(visit.requests)
    page.locator(".sh-gl").focus()
    for step, subtracted in (((0, 0), False), ((3, -2), False), ((-4, 5), True)):
        index = (center[0] + step[0], center[1] + step[1], center[2])
        visit.evaluate(f"spinehubViewer.setSubtraction({str(subtracted).lower()})")
        visit.evaluate(f"spinehubViewer.goTo({list(series.grid.position_of(index))})")
        signal = series.frames[index].astype(float)
        s0 = signal[: timing.baseline_frames].mean()
        enhancement = 100.0 * (signal - s0) / s0
        drawn = np.array(visit.evaluate(DRAWN))
        np.testing.assert_allclose(drawn[:, 0], series.times_s - timing.arrival_s, atol=0.5)
        np.testing.assert_allclose(drawn[:, 1], enhancement, atol=0.01 * np.abs(enhancement).max())
        said = page.inner_text("#sh-crosshair-said")
        assert f"voxel {', '.join(map(str, index))}: peak " in said
        assert abs(float(said.partition("peak ")[2].split()[0]) - enhancement[timing.baseline_frames :].max()) <= 1.0
        assert typed(visit) == list(index)
    page.keyboard.press("ArrowUp")
    assert typed(visit) == visit.evaluate("spinehubViewer.crosshairIndex()") != list(index)
    page.wait_for_timeout(300)  # a request would have left by now
    assert [url for url in visit.requests[before:] if "heartbeat" not in url] == []
    visit.picture("crosshair")
    assert not visit.errors


def test_a_box_someone_types_in_keeps_its_number(visit: Any) -> None:
    page = visit.page
    page.get_by_label("i", exact=True).fill("7")
    before = typed(visit)
    visit.evaluate("spinehubViewer.nv.moveCrosshairInVox(1, 1, 1)")
    assert typed(visit) == before
    page.locator(".sh-gl").focus()
    visit.evaluate("spinehubViewer.nv.moveCrosshairInVox(1, 1, 1)")
    index = visit.evaluate("spinehubViewer.crosshairIndex()")
    assert typed(visit) == index
    assert visit.evaluate("spinehubViewer.info.seeds.length") == 1
    page.click("button:has-text('Place')")  # the server takes what the boxes show
    visit.wait("spinehubViewer.info.seeds.length === 2")
    assert ", ".join(map(str, index)) in page.inner_text(".sh-seeds")
