"""The reader's own fields of the report: the form, what it says, and what of it stands in the report."""

from typing import Any

import gradio as gr

from spinehub.demo.markup import element
from spinehub.report import BILSKY_GRADES, CANAL_STATES, COMPARTMENTS, SINS_RANGE, ReaderNotes

__all__ = ["NOTE_FIELDS", "notes_card", "notes_of", "notes_view", "said"]

NOTE_FIELDS = ("note_level", "note_compartments", "note_canal", "note_bilsky", "note_sins", "note_impression")
"""Components of the form, in the order of :func:`notes_of`."""
_NOT_STATED = ("not stated", "")
_LEAD = (
    "What you state here stands in the report as yours; nothing of it is measured or checked, and it leaves this page "
    "only in your files."
)


def notes_card() -> dict[str, Any]:
    """Build the form, folded, and return its parts by name."""
    parts: dict[str, Any] = {}
    with gr.Accordion("Your fields in the report", open=False, elem_classes="sh-notes-form"):
        gr.HTML(element("p", _LEAD, class_="sh-small"), js_on_load=None, apply_default_css=False)
        with gr.Row(elem_classes="sh-note-row"):
            parts["note_level"] = gr.Textbox(label="Level", placeholder="T12", max_lines=1, max_length=40, min_width=70)
            parts["note_bilsky"] = gr.Dropdown(
                [_NOT_STATED, *((grade, grade) for grade in BILSKY_GRADES)], value="", label="Bilsky grade",
                filterable=False, min_width=90,
            )  # fmt: skip
            parts["note_sins"] = gr.Number(
                label="SINS, 0 to 18", precision=0, minimum=SINS_RANGE[0], maximum=SINS_RANGE[1], min_width=80
            )
        parts["note_compartments"] = gr.CheckboxGroup(list(COMPARTMENTS), label="Compartments", elem_classes="sh-boxed")
        parts["note_canal"] = gr.Dropdown(
            [_NOT_STATED, *((state, state) for state in CANAL_STATES)], value="", label="Spinal canal", filterable=False
        )
        parts["note_impression"] = gr.Textbox(label="Impression", lines=2, max_lines=6, max_length=1200)
        parts["notes_said"] = gr.HTML(said(ReaderNotes()), js_on_load=None, apply_default_css=False)
    return parts


def notes_of(
    level: str | None,
    compartments: list[str] | None,
    canal: str | None,
    bilsky: str | None,
    sins: float | None,
    impression: str | None,
) -> ReaderNotes:
    """Notes from what the form holds.

    Raises
    ------
    InvalidArgumentError
        If a value is none of those on offer.
    """
    return ReaderNotes(
        level=level or "",
        compartments=tuple(compartments or ()),
        canal=canal or None,
        bilsky=bilsky or None,
        sins=None if sins is None else int(sins),
        impression=impression or "",
    )


def notes_view(notes: ReaderNotes) -> dict[str, Any]:
    """Values of the form's components for these notes."""
    values = (
        notes.level,
        list(notes.compartments),
        notes.canal or "",
        notes.bilsky or "",
        notes.sins,
        notes.impression,
    )
    return {**dict(zip(NOTE_FIELDS, values, strict=True)), "notes_said": said(notes)}


def said(notes: ReaderNotes) -> str:
    """One line that says which fields stand in the report."""
    names = {"level": "level", "compartments": "compartments", "canal": "canal", "bilsky": "Bilsky grade"}
    names |= {"sins": "SINS", "impression": "impression"}
    stated = [name for field, name in names.items() if getattr(notes, field) not in ("", (), None)]
    text = f"In the report: {', '.join(stated)}." if stated else "Empty fields are lines to write on in the print."
    return element("p", text, class_="sh-small", role="status")
