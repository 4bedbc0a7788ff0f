"""The page as a visitor meets it: start-up, bytes, click to mask, memory after visits.

    pip install -e ".[test]"
    python benchmarks/page.py [--clicks N] [--visits N]
    python benchmarks/page.py --server [--clicks N] [--visits N]
    python benchmarks/page.py --stages

Starts ``app.py``, opens it in Debian's chromium with WebGL in software, uploads a series of 256 x 256 x 16 voxels and
12 frames (a ball that takes up contrast, in noise), clicks it, and lets visitors come and go. A click is timed in the
browser, from the pointer's release to the picture with the new mask; its stages come from the browser's own list of
requests. The CPU time of the server is read from ``/proc``: other work on the machine disturbs it less.
With ``--server`` there is no browser: the page's handlers are called one after the other in this process. With
``--stages`` only the analysis is timed, stage by stage: one that nobody waits for any more ends between two of them.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from spinehub.demo.cases import CaseStore
from spinehub.demo.handlers import Handlers
from spinehub.demo.session import Workspace
from spinehub.io import read_series, write_series
from spinehub.pipeline import analyse
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Seed

ROOT = Path(__file__).parents[1]
SHAPE, SPACING_MM, INTERVAL_S = (256, 256, 16), (1.0, 1.0, 4.0), 24.0
CENTRE, RADIUS_MM = (128, 128, 8), 18.0
UPTAKE = np.array([0, 0, 0.7, 1.1, 1.2, 1.2, 1.15, 1.1, 1.1, 1.05, 1.0, 1.0])
ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
]
SETTLED_S = 20.0
"""What was begun for a visitor who left ends at its next stage; memory is read after that."""
SHOWN = "window.spinehubViewer?.order && window.spinehubViewer.count > 0"
STOP = "document.querySelector('#sh-stop').click()"
CLICK = """([x, y]) => new Promise((done) => {
    const v = window.spinehubViewer, canvas = v.nv.gl.canvas, before = v.shown.revision;
    performance.clearResourceTimings();
    const at = {clientX: x, clientY: y, button: 0, bubbles: true};
    canvas.dispatchEvent(new PointerEvent('pointerdown', at));
    const start = performance.now();
    canvas.dispatchEvent(new PointerEvent('pointerup', at));
    const look = () => {
        if (v.shown.revision === before) { setTimeout(look, 4); return; }
        requestAnimationFrame(() => setTimeout(() => {
            const file = performance.getEntriesByType('resource').findLast((one) => one.name.includes('arrival-'));
            done([performance.now() - start, file.startTime - start, file.responseEnd - start]);
        }));
    };
    look();
})"""


def phantom(folder: Path) -> Path:
    """Write the series and its times."""
    grid = Grid(SHAPE, np.diag([*SPACING_MM, 1.0]))
    place = (np.moveaxis(np.indices(SHAPE), 0, -1) - np.array(CENTRE)) * np.array(SPACING_MM)
    ball = (np.linalg.norm(place, axis=-1) <= RADIUS_MM)[..., None]
    noise = np.random.default_rng(0).normal(0.0, 6.0, (*SHAPE, UPTAKE.size))
    frames = np.rint(200 + 24 * UPTAKE + ball * (20 + 220 * UPTAKE) + noise)
    path = folder / "series.nii.gz"
    write_series(DynamicSeries(frames, grid, INTERVAL_S * np.arange(UPTAKE.size)), path, dtype="int16")
    return path


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Address, process and seconds until the first answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    address, start = f"http://127.0.0.1:{port}/", time.perf_counter()
    with subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            while True:
                with suppress(urllib.error.URLError), urllib.request.urlopen(address):
                    break
                time.sleep(0.05)
            yield address, server.pid, time.perf_counter() - start
        finally:
            server.terminate()


def resident_mb(process: int) -> float:
    """Resident memory of a process in MB."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1e3
    raise RuntimeError("the server has ended")


def cpu_s(process: int) -> float:
    """CPU seconds a process has used, all threads together."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def opened(browser: Browser, address: str) -> tuple[Page, dict[str, float]]:
    """A page with the example on it, and the bytes it has received so far."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.set_default_timeout(300_000)
    received: dict[str, float] = {"bytes": 0.0}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")

    def count(event: dict[str, Any]) -> None:
        received["bytes"] += event["encodedDataLength"]

    session.on("Network.loadingFinished", count)
    page.goto(address)
    page.wait_for_function(SHOWN)
    return page, received


def upload(page: Page, path: Path) -> None:
    """Hand over the series and wait until the viewer shows it."""
    shape = ",".join(map(str, sorted(SHAPE)))
    page.locator("#sh-upload input[type=file]").set_input_files([str(path), str(path.with_name("series.json"))])
    page.wait_for_function(f"spinehubViewer.order?.size.slice().sort((a, b) => a - b).join() === '{shape}'")
    page.wait_for_function(
        "spinehubViewer.shown.revision === spinehubViewer.info.revision && !spinehubViewer.messageText"
    )


def click(page: Page, offset: int) -> list[float]:
    """Click near the middle of the ball; milliseconds to the mask, and to start and end of its file."""
    mm = [axis * step for axis, step in zip(CENTRE, SPACING_MM, strict=True)]
    page.evaluate(f"spinehubViewer.controls.setMode('seed'); spinehubViewer.goTo([{mm[0]}, {mm[1] + offset}, {mm[2]}])")
    place = page.evaluate(
        """() => { const v = window.spinehubViewer, t = {axial: 0, coronal: 1, sagittal: 2}[v.info.acquired];
            const p = v.nv.frac2canvasPosWithTile(v.nv.scene.crosshairPos, t).pos, d = v.nv.uiData.dpr;
            const box = v.nv.gl.canvas.getBoundingClientRect(); return [box.left + p[0] / d, box.top + p[1] / d]; }"""
    )
    return [float(value) for value in page.evaluate(CLICK, place)]


def time_clicks(page: Page, process: int, count: int) -> None:
    """Print how long clicks take; the answer that follows each is stopped, since it would take the cores."""
    rows = []
    for number in range(count + 1):
        before = cpu_s(process)
        rows.append([*click(page, number), 1e3 * (cpu_s(process) - before)])
        page.evaluate(STOP)
        page.wait_for_timeout(300)
        page.wait_for_function("!document.querySelector('#sh-result .pending')")
    print("| click to mask | first seed ms | further seeds, least ms | median ms |\n|---|---|---|---|")
    names = (
        "mask on screen",
        "of it: until its file is asked for",
        "of it: until its file is here",
        "server's CPU time",
    )
    for place, name in enumerate(names):
        values = [row[place] for row in rows[1:]]
        print(f"| {name} | {rows[0][place]:.0f} | {min(values):.0f} | {statistics.median(values):.0f} |")


def visit(browser: Browser, address: str, path: Path) -> None:
    """Come, open a file, click, and leave before the answer."""
    page, _ = opened(browser, address)
    upload(page, path)
    click(page, 0)
    page.context.close()


def time_handlers(path: Path, folder: Path, visits: int, clicks: int) -> None:
    """Print the CPU time of opening the series and of each click, and the memory after each visit."""
    pages = Handlers(Workspace(folder / "root"), CaseStore())
    for number in range(visits):
        session, _ = pages.open_page(SimpleNamespace(session_hash=str(number), query_params={}))
        uploads = folder / str(number)
        uploads.mkdir()
        files = [shutil.copy(file, uploads) for file in (path, path.with_name("series.json"))]
        spent = [time.process_time()]
        session, _ = pages.upload(files, session)
        spent.append(time.process_time())
        for place in range(clicks):
            position = [axis * step for axis, step in zip(CENTRE, SPACING_MM, strict=True)]
            position[1] += place
            session, _ = pages.pick(SimpleNamespace(mm=position, background=False), session)
            spent.append(time.process_time())
        pages.leave(SimpleNamespace(session_hash=str(number)))
        told = ", ".join(f"{value:.2f}" for value in np.diff(spent))
        print(f"visit {number + 1}: CPU s of the series and of each click {told}; {resident_mb(os.getpid()):.0f} MB")


def time_stages(path: Path) -> None:
    """Print the CPU time of each stage of an analysis from two clicks, once everything it needs is loaded."""
    image = read_series(path)
    seeds = [Seed.at_index((CENTRE[0], CENTRE[1] + shift, CENTRE[2]), image.grid) for shift in (0, 3)]
    stages: list[tuple[float, str]] = []
    for _ in range(2):  # the first loads models and compiles
        stages.clear()
        analyse(image, seeds=seeds, repeat=True, progress=lambda _, text: stages.append((time.process_time(), text)))
    for (start, text), (end, _) in pairwise(stages):
        print(f"{text}: {end - start:.2f} s of CPU")


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(description="Measure the page.")
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--server", action="store_true", help="no browser: call the handlers in this process")
    parser.add_argument("--stages", action="store_true", help="no browser: time the stages of an analysis")
    arguments = parser.parse_args()
    if arguments.stages:
        with tempfile.TemporaryDirectory() as folder:
            time_stages(phantom(Path(folder)))
        return
    if arguments.server:
        with tempfile.TemporaryDirectory() as folder:
            time_handlers(phantom(Path(folder)), Path(folder), arguments.visits, arguments.clicks)
        return
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = phantom(Path(folder))
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        with serving(Path(folder) / "served") as (address, process, seconds):
            print(f"load {os.getloadavg()[0]:.1f}; start-up {seconds:.1f} s, {cpu_s(process):.1f} s of CPU")
            start = time.perf_counter()
            page, received = opened(browser, address)
            print(f"example on screen after {time.perf_counter() - start:.1f} s, {received['bytes'] / 1e6:.2f} MB sent")
            before = received["bytes"]
            upload(page, path)
            page.wait_for_timeout(2000)
            sizes = {"file": path.stat().st_size / 1e6, "sent": (received["bytes"] - before) / 1e6}
            print(json.dumps({name: round(value, 2) for name, value in sizes.items()}), "MB for the series")
            before = received["bytes"]
            time_clicks(page, process, arguments.clicks)
            print(f"{(received['bytes'] - before) / 1e6 / (arguments.clicks + 1):.2f} MB sent per click")
            page.context.close()
            first = resident_mb(process)
            for number in range(arguments.visits):
                visit(browser, address, path)
                if number + 1 in (1, 10, arguments.visits):
                    time.sleep(SETTLED_S)
                    print(f"after {number + 1} more visits {resident_mb(process) - first:+.0f} MB ({first:.0f} MB)")
        browser.close()


if __name__ == "__main__":
    main()
