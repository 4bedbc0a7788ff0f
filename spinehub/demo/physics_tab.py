"""The Physics tab: sliders on the left, curve and numbers in the middle, the rule's verdict on the right.

Every move of a slider asks the server once, which computes a setting in a few milliseconds with the simulator's own
code: no second copy of the arithmetic can drift from it.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from spinehub.demo.columns import card, panel, title
from spinehub.demo.definitions import what
from spinehub.demo.markup import element
from spinehub.demo.physics import LIMITS, Physics, settings_of
from spinehub.demo.physics_panel import physics_panels
from spinehub.errors import SpineHubError

__all__ = ["physics_tab"]

_TISSUE = {"ktrans_per_min": "Ktrans in 1/min", "ve": "ve", "vp": "vp", "t1_s": "T1 before contrast in s"}
_SCAN = {
    "flip_angle_deg": "Flip angle in degrees",
    "repetition_time_ms": "Repetition time in ms",
    "frame_interval_s": "Frame interval in s",
    "end_s": "Scan ends, s after arrival",
    "phase": "Arrival within its frame (0 to 1)",
}
_TRY: dict[str, dict[str, float]] = {
    "Start again": {},
    "5 s frames": {"frame_interval_s": 5.0},
    "25 s frames": {"frame_interval_s": 25.0},
    "Scan ends at 150 s": {"end_s": 150.0},
    "Leaky, small ve": {"ktrans_per_min": 0.35, "ve": 0.18},
    "Slow and persistent": {"ktrans_per_min": 0.07, "ve": 0.45},
    "Flip angle 30": {"flip_angle_deg": 30.0},
}


def physics_tab() -> None:
    """Build the tab and wire it: it shares nothing with a visitor's case."""
    sliders: dict[str, gr.Slider] = {}
    with gr.Row(elem_classes="sh-columns sh-physics", equal_height=False):
        with gr.Column(elem_classes="sh-left", scale=0, min_width=236):
            for heading, names, define in (("Tissue", _TISSUE, "ktrans"), ("Scan", _SCAN, "signal")):
                with card():
                    gr.HTML(element("h2", heading, " ", what(define)), js_on_load=None, apply_default_css=False)
                    sliders |= {name: _slider(name, label) for name, label in names.items()}
        with gr.Column(elem_classes="sh-middle", scale=1, min_width=480), card():
            title("One tissue, one scan: what would you read?")
            with gr.Row(elem_classes="sh-buttons sh-tries"):
                buttons = {name: gr.Button(name, size="sm", min_width=70) for name in _TRY}
            curve = panel(elem_id="sh-physics-curve", padding=False)
        with gr.Column(elem_classes="sh-right", scale=0, min_width=330), card():
            title("The rule on two parameters")
            verdict = panel(elem_id="sh-physics-verdict")
    _wire(sliders, buttons, curve, verdict)


def _slider(name: str, label: str) -> gr.Slider:
    limit = LIMITS[name]
    return gr.Slider(
        limit.low, limit.high, limit.start, step=limit.step, label=label, elem_id=f"sh-physics-{name}",
        elem_classes="sh-slider", buttons=[],
    )  # fmt: skip


def _wire(sliders: dict[str, gr.Slider], buttons: dict[str, gr.Button], curve: gr.HTML, verdict: gr.HTML) -> None:
    inputs = [sliders[name] for name in LIMITS]
    quick: dict[str, Any] = {
        "show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last", "queue": False,
    }  # fmt: skip
    # One event for hand-moved and button-moved sliders: the last state wins, and no late answer can overwrite it.
    gr.on([slider.change for slider in inputs], _show, inputs, [curve, verdict], **quick)
    for name, button in buttons.items():
        button.click(_setter(_TRY[name]), None, inputs, **quick)
    root = gr.context.Context.root_block
    if root is not None:
        root.load(_show, inputs, [curve, verdict], **quick)


def _show(*values: float) -> tuple[Any, Any]:
    try:
        return physics_panels(settings_of(values))
    except SpineHubError as error:
        return element("p", str(error), class_="sh-small"), gr.skip()


def _setter(changes: dict[str, float]) -> Callable[[], list[Any]]:
    """Handler that moves the sliders to a setting worth seeing."""

    def show_setting() -> list[Any]:
        return list(vars(Physics(**changes)).values())

    return show_setting
