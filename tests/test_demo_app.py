"""The page as a server: it builds, starts without the heavy packages, and keeps private what is private."""

import asyncio
import logging
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from spinehub.demo import build_demo, launch
from spinehub.demo import layout as layout_module
from spinehub.demo.cases import CaseStore
from spinehub.demo.handlers import Handlers
from spinehub.demo.session import Workspace
from spinehub.demo.view import KEEP, View, outputs, updates
from spinehub.demo.viewer import STATIC, FileDrop
from spinehub.errors import InvalidArgumentError

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def address(page_address: str) -> str:
    return page_address.rstrip("/")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    async def build() -> gr.Blocks:  # inside a loop, because outside one Gradio makes some that nobody closes
        return build_demo(Handlers(Workspace(tmp_path_factory.mktemp("root")), CaseStore()))

    # In a thread of its own: browser tests leave their loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, build()).result()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", 200),
        ("/gradio_api/runs", 404),
        ("/monitoring", 403),
        ("/monitoring/summary", 403),
        (f"/gradio_api/file={ROOT / 'app.py'}", 403),
        (f"/gradio_api/file={ROOT / 'spinehub' / 'demo' / 'layout.py'}", 403),
        ("/gradio_api/file=/etc/passwd", 403),
        (f"/gradio_api/file={STATIC}/../layout.py", 403),
        (f"/gradio_api/file={STATIC}/viewer.js", 200),
    ],
)
def test_what_the_server_gives_and_what_it_does_not(address: str, path: str, expected: int) -> None:
    assert status(address + path) == expected


def test_the_settings_keep_images_private(demo: gr.Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(demo, "launch", lambda **options: asked.update(options))
    launch(demo, wait=False)
    wanted = {"share": False, "show_error": False, "run_history": False, "enable_monitoring": False,
              "strict_cors": True, "ssr_mode": False, "allowed_paths": [], "max_file_size": "300mb"}  # fmt: skip
    assert {name: asked[name] for name in wanted} == wanted
    assert "server_name" not in asked
    assert "server_port" not in asked
    assert not demo.analytics_enabled
    assert demo.delete_cache == (1800, 3600)
    assert demo._queue.max_size is not None


def test_three_events_are_public_endpoints(demo: gr.Blocks) -> None:
    functions = [function for function in demo.fns.values() if function.fn is not None]
    public = [function for function in functions if function.api_visibility == "public"]
    assert sorted(function.api_name for function in public) == ["analyse", "grow", "maps"]
    others = [function for function in functions if function not in public]
    assert all(function.api_visibility == "private" for function in others)


def test_heavy_work_runs_one_at_a_time(demo: gr.Blocks) -> None:
    by_name = {function.name: function for function in demo.fns.values()}
    assert by_name["analyse"].concurrency_id == "model"
    assert by_name["downloads"].concurrency_id == "files"  # they do not keep the next analysis waiting
    assert by_name["analyse"].concurrency_limit == by_name["downloads"].concurrency_limit == 1
    assert by_name["pick"].concurrency_id == "grow"


def test_every_field_of_a_view_is_a_component(demo: gr.Blocks) -> None:
    function = next(function for function in demo.fns.values() if function.name == "pick")
    assert len(function.outputs) == 1 + len(fields(View))


def test_the_order_of_outputs_follows_the_fields() -> None:
    components = {field.name: field.name.upper() for field in fields(View)}
    assert outputs("session", {**components, "other": 1}) == ["session", *components.values()]
    values = updates(KEEP, View(viewer=1, result_panel="x"))
    assert len(values) == 1 + len(components)
    assert values[1] == 1
    assert values[1 + list(components).index("result_panel")] == "x"
    assert values[0] == gr.skip()


def test_a_refused_input_is_one_escaped_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(layout_module.gr, "Warning", lambda message, **_: said.append(message))

    def refuse(_: Any) -> Any:
        raise InvalidArgumentError("mask <b>bad</b>")

    assert layout_module._answering(refuse)(None)[0] == gr.skip()
    assert said == ["mask &lt;b&gt;bad&lt;/b&gt;"]


def test_an_unexpected_error_is_logged_without_its_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(layout_module.gr, "Warning", lambda *_, **__: None)

    name = "_".join(["jane", "doe"])

    def fail(_: Any) -> Any:
        raise OSError(name)

    with caplog.at_level(logging.ERROR):
        assert layout_module._answering(fail)(None)[0] == gr.skip()
    assert "OSError" in caplog.text
    assert "jane_doe" not in caplog.text


def test_the_file_drop_hands_on_paths_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    drop = FileDrop(file_count="multiple")
    files = drop.data_model(root=[{"path": "/a/x.nii.gz"}, {"path": "/a/x.json"}])
    assert drop.preprocess(files) == ["/a/x.nii.gz", "/a/x.json"]
    assert drop.preprocess(None) == []
    assert not list(tmp_path.iterdir())


def test_the_page_is_built_without_loading_networks() -> None:
    code = (
        "import sys; from spinehub.demo import build_demo; build_demo(); "
        "print(sorted({'torch', 'timm', 'radiomics', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
