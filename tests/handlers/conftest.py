"""Handlers on a small case in place of the bundled one; a record of calls stands in for the analysis."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from visitors import Run, ball_series

from spinehub.demo import handlers as module
from spinehub.demo.cases import CaseStore, LoadedCase
from spinehub.demo.handlers import Handlers
from spinehub.demo.scene import case_info
from spinehub.demo.session import Session, Workspace
from spinehub.perfusion import assess_timing, compute_maps


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> LoadedCase:
    """A small case in place of the bundled one."""
    image = ball_series()
    timing = assess_timing(image)
    maps = compute_maps(image, timing)
    case = LoadedCase(image, timing, maps, case_info(image, timing, maps))
    monkeypatch.setattr(module, "load_example", lambda: case)
    monkeypatch.setattr(module, "example_session", lambda token: Session(token, revision=1))
    monkeypatch.setattr(module, "write_downloads", lambda *_: {"report_file": Path("report.html")})
    return case


@pytest.fixture
def page(tmp_path: Path, example: LoadedCase) -> Handlers:
    return Handlers(Workspace(tmp_path / "root"), CaseStore(), Run())


@pytest.fixture
def session(page: Handlers) -> Session:
    return page.open_page(SimpleNamespace(session_hash="visitor"))[0]
