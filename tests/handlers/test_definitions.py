"""Every number on the Case tab says what it is: each "?" leads to an entry, and each kind of number has one."""

import re
from dataclasses import fields

import pytest
from visitors import click

from spinehub.demo.definitions import DEFINITIONS, definitions_dialog
from spinehub.demo.handlers import Handlers
from spinehub.demo.session import Session
from spinehub.demo.view import View
from spinehub.render.wording import MAP_NAMES

PANELS = {
    "case_panel": {"voxel", "frame_interval", "arrival"},
    "tolerance_panel": {"volume", "tolerance", "leak"},
    "curve_panel": {"hot_spot", "baseline", "early_enhancement", "washout", "diameters"},
}


@pytest.fixture
def shown(page: Handlers, session: Session) -> dict[str, str]:
    """Everything a region and its analysis show, by panel."""
    _, opened = page.use_example(session)
    session, grown = page.pick(click(), session)
    _, answered = page.analyse(session, lambda *_, **__: None)
    views = (opened, grown, answered)
    named = {field.name: [getattr(view, field.name) for view in views] for field in fields(View)}
    return {name: "".join(value for value in values if isinstance(value, str)) for name, values in named.items()}


@pytest.mark.parametrize(("panel", "wanted"), PANELS.items(), ids=PANELS)
def test_numbers_have_their_question_mark(shown: dict[str, str], panel: str, wanted: set[str]) -> None:
    assert wanted <= set(re.findall(r'data-define="(\w+)"', shown[panel]))


def test_every_question_mark_has_its_entry(shown: dict[str, str]) -> None:
    dialog = definitions_dialog()
    for name in set(re.findall(r'data-define="(\w+)"', "".join(shown.values()))):
        assert f'id="sh-def-{name}"' in dialog


def test_every_overlay_has_its_entry() -> None:
    assert {*MAP_NAMES, "agreement", "class_map", "truth"} <= set(DEFINITIONS)
