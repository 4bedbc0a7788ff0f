"""The Teaching tab: ten simulated cases to read before the models do, and how the reading is scored."""

from typing import Any

import gradio as gr

from spinehub.demo.columns import card, panel, title
from spinehub.demo.definitions import source_link, what
from spinehub.demo.markup import Markup, element, join
from spinehub.demo.reader_panel import tally_table
from spinehub.demo.viewer import STATIC

__all__ = ["LessonList", "teaching_tab"]

_ON_LOAD = """
const events = ['read'];
window.spinehub.lessons(element, trigger);
"""
_HOW = (
    "Open a case: it is rendered and shown like any other, without a seed.",
    "Place your own seed, set the border, read the curve.",
    "Say what you think it is and how sure you are, and commit.",
    "Then the truth, what to see, the four methods, and your score.",
)


class LessonList(gr.HTML):
    """List of the teaching cases.

    Events
    ------
    read
        The visitor opens a case: ``number``.
    """

    def __init__(self, value: str = "", **kwargs: Any) -> None:
        script = f'<script src="gradio_api/file={STATIC / "reader.js"}"></script>'
        super().__init__(value=value, js_on_load=_ON_LOAD, apply_default_css=False, head=script, **kwargs)


def teaching_tab() -> dict[str, Any]:
    """Build the tab and return the parts that handlers fill or listen to."""
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="sh-columns", equal_height=False):
        with gr.Column(elem_classes="sh-middle", scale=1, min_width=480), card():
            title("Ten simulated cases")
            parts["lessons_panel"] = LessonList(elem_id="sh-lessons")
        with gr.Column(elem_classes="sh-right", scale=0, min_width=330):
            with card():
                title("How it goes")
                gr.HTML(_how(), js_on_load=None, apply_default_css=False)
            with card():
                title("Your session")
                parts["tally_panel"] = panel(value=tally_table(()), elem_id="sh-tally")
                parts["start_over"] = gr.Button("Start over", size="sm", elem_id="sh-start-over")
    return parts


def _how() -> Markup:
    score = join(
        "You are scored against the simulator’s exact posterior, not against the label: on a case that cannot be "
        "decided nobody is wrong. The score is that of ", source_link("Brier 1950"), ". ", what("points"),
    )  # fmt: skip
    note = "Kept for this visit only, never stored. Everything here is simulated; nothing is a diagnosis."
    steps = element("ol", *[element("li", step) for step in _HOW], class_="sh-steps")
    return join(steps, element("p", score, class_="sh-small"), element("p", note, class_="sh-small"))
