"""What a reader states: validated, in JSON and page as stated, replaceable without touching the rest."""

import json
from pathlib import Path

import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.render.reader import reader_block, reader_rows, replace_reader_block
from spinehub.report import BILSKY_GRADES, CANAL_STATES, COMPARTMENTS, ReaderNotes, write_reader_notes

STATED = ReaderNotes(
    level="  T12\n",
    compartments=("epidural space", "vertebral body"),
    canal=CANAL_STATES[1],
    bilsky="1b",
    sins=9,
    impression="Looks like <b>one</b> lesion. <!-- reader --> ${x}",
)


def test_texts_are_one_line_and_compartments_in_their_order() -> None:
    assert STATED.level == "T12"
    assert STATED.compartments == ("vertebral body", "epidural space")
    assert ReaderNotes().to_dict() == {
        "level": None, "compartments": [], "canal": None, "bilsky": None, "sins": None, "impression": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {"level": "x" * 41},
        {"impression": "x" * 1201},
        {"compartments": ("liver",)},
        {"canal": "fine"},
        {"bilsky": "4"},
        {"sins": 19},
        {"sins": -1},
        {"sins": 7.5},
    ],
)
def test_what_is_not_on_offer_is_refused(given: dict) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(given))):
        ReaderNotes(**given)


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (0, "stable"),
        (6, "stable"),
        (7, "potentially unstable"),
        (12, "potentially unstable"),
        (13, "unstable"),
        (18, "unstable"),
    ],
)
def test_sins_bands_are_those_of_fisher_2010(score: int, band: str) -> None:
    assert dict(reader_rows({"sins": score}))["SINS (0 to 18)"].startswith(f"{score} ({band}, ")


def test_every_field_has_a_row_and_an_empty_one_is_said_to_be_empty() -> None:
    assert [text for _, text in reader_rows(None)] == [None] * 6
    assert [text for _, text in reader_rows(STATED.to_dict())].count(None) == 0
    assert reader_block(None).count("not stated") == 6
    assert len(BILSKY_GRADES) == 6
    assert len(COMPARTMENTS) == 5


def test_the_block_of_a_page_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = "<h2>Findings</h2>" + reader_block(None) + "<p>Lesion of 12 mm</p>"
    once = replace_reader_block(page, STATED.to_dict())
    assert "&lt;b&gt;one&lt;/b&gt;" in once
    assert "<b>" not in once
    assert replace_reader_block(once, None) == page, "a text with the marker in it must not end the block"
    (tmp_path / "report.json").write_text('{"format": "spinehub-report/1", "reader": {}}', encoding="utf-8")
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    write_reader_notes(tmp_path, STATED)
    assert json.loads((tmp_path / "report.json").read_text())["reader"] == STATED.to_dict()
    assert (tmp_path / "report.html").read_text() == once
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
