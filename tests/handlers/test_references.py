"""Reference regions on the page: curve, table, report, and the files of the example."""

from types import SimpleNamespace
from typing import Any

import pytest
from visitors import GRID, click

from spinehub.demo import handlers
from spinehub.demo.cases import LoadedCase
from spinehub.demo.handlers import Handlers
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError

BODY = (3, 3, 3)


def quiet(*_: Any, **__: Any) -> None:
    """Progress nobody looks at."""


def circle(index: tuple[int, int, int] = BODY, tissue: str = "marrow") -> Any:
    return SimpleNamespace(mm=list(GRID.position_of(index)), tissue=tissue, radius_mm=3.0)


def test_a_reference_region_stands_in_the_curve_the_table_and_the_report(page: Handlers, session: Session) -> None:
    session, view = page.reference(circle(), session)
    assert "sh-ref-marrow" in view.curve_panel  # without a lesion too
    assert view.viewer.info["references"][0]["tissue"] == "marrow"
    session, _ = page.pick(click(), session)
    _, view = page.analyse(session, quiet)
    assert "Lesion over" in view.curve_panel
    case = page.store.get(session.case_key)
    (told,) = case.report.to_dict()["references"]
    assert told["tissue"] == "marrow"
    assert told["peak_ratio"] == pytest.approx(1.56 / 0.26, rel=0.1)
    assert len(page.run.calls) == 1


def test_reference_regions_move_are_removed_and_ask_no_route_again(page: Handlers, session: Session) -> None:
    session, _ = page.pick(click(), session)
    page.analyse(session, quiet)
    session, _ = page.reference(circle(), session)
    session, _ = page.reference(circle((13, 3, 3), "muscle"), session)
    session, _ = page.reference(circle((3, 14, 3)), session)
    assert [one.tissue for one in session.references] == ["marrow", "muscle"]
    assert len(page.store.get(session.case_key).report.references) == 2
    session, view = page.unreference(SimpleNamespace(tissue="marrow"), session)
    assert [one.tissue for one in session.references] == ["muscle"]
    assert "sh-ref-marrow" not in view.curve_panel
    assert page.analyse(session, quiet) == (KEEP, View())
    with pytest.raises(InvalidArgumentError, match="outside the volume"):
        page.reference(SimpleNamespace(mm=[1e4, 0, 0], tissue="marrow", radius_mm=3.0), session)


def test_a_reference_on_the_untouched_example_is_in_its_files(
    page: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[LoadedCase] = []
    monkeypatch.setattr(handlers, "write_downloads", lambda case, *_: written.append(case) or {})
    page.downloads(session)
    session, _ = page.reference(circle(), session)
    for _ in range(2):
        page.report_references(session)
        page.downloads(session)
    assert written[0].report is None  # stored with the example, the same for every visitor
    assert [one.reference.tissue for one in written[-1].report.references] == ["marrow"]
    assert len(page.run.calls) == 1
