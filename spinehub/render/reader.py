"""The reader's own part of a report: what was stated, or a line to write on."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

__all__ = ["reader_block", "reader_rows", "replace_reader_block"]

_SINS_BANDS = ((6, "stable, 0 to 6"), (12, "potentially unstable, 7 to 12"), (18, "unstable, 13 to 18"))
_NOTE = (
    "Stated by the reader; none of this was measured or checked by the software. Bilsky grade: epidural compression on "
    "axial T2 images (J Neurosurg Spine 2010;13:324). SINS also weighs pain and the bone on CT (Spine 2010;35:E1221)."
)
_BEGIN, _END = "<!-- reader -->", "<!-- /reader -->"


def reader_rows(reader: Mapping[str, Any] | None) -> Iterator[tuple[str, str | None]]:
    """Name and text of each of the reader's fields; None where nothing was stated.

    Parameters
    ----------
    reader
        ``"reader"`` of report.json; None: nothing was stated.
    """
    stated = reader or {}
    yield "Level", stated.get("level")
    yield "Compartments", ", ".join(stated.get("compartments") or ()) or None
    yield "Spinal canal", stated.get("canal")
    yield "Bilsky grade (0 to 3)", stated.get("bilsky")
    yield "SINS (0 to 18)", _sins_text(stated.get("sins"))
    yield "Impression", stated.get("impression")


def _sins_text(score: int | None) -> str | None:
    """Score with the band it lies in (Fisher 2010)."""
    if score is None:
        return None
    band = next(name for most, name in _SINS_BANDS if score <= most)
    return f"{score} ({band})"


def reader_block(reader: Mapping[str, Any] | None) -> str:
    """The reader's fields as HTML, with lines to write on where nothing was stated."""
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{_text(text)}</td></tr>" for name, text in reader_rows(reader))
    table = f'<table class="facts reader">{cells}</table>\n'
    return f'{_BEGIN}{table}<p class="small">{escape(_NOTE)}</p>{_END}\n'


def _text(text: str | None) -> str:
    return '<span class="blank">not stated</span>' if text is None else escape(text)


def replace_reader_block(page: str, reader: Mapping[str, Any] | None) -> str:
    """Return a report page with other reader's fields; the rest stays as it is.

    The first block is the one that is replaced: it comes before every text of a reader, and markup in such a text is
    escaped.
    """
    pattern = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END) + "\n", re.DOTALL)
    return pattern.sub(lambda _: reader_block(reader), page, count=1)
