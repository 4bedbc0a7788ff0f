"""The page: components and wiring, nothing else."""

import functools
import logging
import traceback
from collections.abc import Callable
from typing import Any

import gradio as gr

from spinehub.demo.cases import CaseStore
from spinehub.demo.handlers import Handlers, sentence
from spinehub.demo.markup import element
from spinehub.demo.session import Workspace
from spinehub.demo.shown import DOWNLOADS
from spinehub.demo.view import KEEP, View, outputs, updates
from spinehub.demo.viewer import STATIC, FileDrop, NiiViewer
from spinehub.errors import SpineHubError
from spinehub.render.wording import UPLOAD_WARNING

__all__ = ["build_demo"]

_LOG = logging.getLogger(__name__)
_FILE_TYPES = [".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".nrrd", ".mha", ".json"]
_SET_TOLERANCE = "(value) => { window.spinehubViewer?.requestTolerance(value); }"
_SET_KIND = "(kind) => { if (window.spinehubViewer) window.spinehubViewer.background = kind === 'background'; }"
_LABELS = {
    "report_file": "Report",
    "mask_file": "Mask",
    "maps_file": "Maps",
    "tables_file": "Tables",
    "figure_file": "Figure",
    "json_file": "JSON",
}
_QUEUE = 24
SESSION_S = 3600
"""A session and its files end so long after the visitor's last step, also where the page stays open."""


def build_demo(handlers: Handlers | None = None) -> gr.Blocks:
    """Build the page.

    Parameters
    ----------
    handlers
        What to do on each event; None: a workspace and a store of its own.

    Returns
    -------
    gradio.Blocks
        Not yet launched; see :func:`spinehub.demo.launch`.
    """
    handlers = handlers or Handlers(Workspace.make(), CaseStore())
    gr.set_static_paths([STATIC])
    with gr.Blocks(title="spinehub", analytics_enabled=False, delete_cache=(1800, 3600), fill_width=True) as demo:
        session = gr.State(None, time_to_live=SESSION_S, delete_callback=handlers.forget)
        _head()
        with gr.Row(elem_classes="sh-columns", equal_height=False):
            components = {**_left_column(), **_middle_column(), **_right_column()}
        _wire(demo, handlers, session, components)
    demo.queue(max_size=_QUEUE, default_concurrency_limit=4)
    return demo


def _head() -> None:
    subtitle = element("span", "Contrast-enhanced spine MRI: from a click to an explained model output")
    theme = element(
        "button",
        "\N{CIRCLE WITH LEFT HALF BLACK}",
        type="button",
        id="sh-theme",
        title="Light or dark",
        aria_label="Switch between light and dark",
    )
    title = element("div", element("h1", "spinehub"), subtitle, class_="sh-title")
    gr.HTML(element("header", title, theme, class_="sh-head"), js_on_load=None)
    text = " The default models learned from simulated cases; their accuracy on real patients is unknown."
    banner = element("div", element("strong", "Research and teaching only."), text, class_="sh-banner", role="note")
    gr.HTML(banner, js_on_load=None)


def _panel(**kwargs: Any) -> gr.HTML:
    return gr.HTML("", js_on_load=None, apply_default_css=False, **kwargs)


def _title(text: str) -> None:
    gr.HTML(element("h2", text), js_on_load=None, apply_default_css=False)


def _card(**kwargs: Any) -> gr.Column:
    return gr.Column(elem_classes="sh-card", **kwargs)


def _left_column() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="sh-left", scale=0, min_width=236):
        with _card():
            _title("1 Case")
            parts["case_panel"] = _panel()
            parts["upload"] = FileDrop(
                label="Upload a series or a volume: NIfTI, NRRD or MHA", show_label=False,
                file_count="multiple", file_types=_FILE_TYPES, height=76, elem_classes="sh-upload", elem_id="sh-upload",
            )  # fmt: skip
            gr.HTML(element("p", UPLOAD_WARNING, class_="sh-small sh-hint"), js_on_load=None, apply_default_css=False)
            with gr.Column(visible=False) as parts["timing_group"]:
                parts["times"] = gr.Textbox(
                    label="Frame interval in s, or the time of each frame",
                    placeholder="12   or   0, 12, 24",
                    max_lines=1,
                )
                parts["set_times"] = gr.Button("Use these times", size="sm")
            with gr.Column(visible=False) as parts["contrast_group"]:
                parts["contrast"] = gr.Radio(["yes", "no"], label="Was contrast given before this volume?")
            parts["example"] = gr.Button("Show the example", size="sm")
        with _card():
            _title("2 Seed")
            parts["kind"] = gr.Radio(
                [("+ lesion", "lesion"), ("\N{MINUS SIGN} background", "background")], value="lesion",
                show_label=False, label="Kind of seed", container=False, elem_classes="sh-kind",
            )  # fmt: skip
            parts["seeds_panel"] = _panel()
            with gr.Row(elem_classes="sh-boxes"):
                for axis in "ijk":
                    parts[axis] = gr.Number(label=axis, precision=0, minimum=0, min_width=40)
                parts["place"] = gr.Button("Place", size="sm", min_width=50)
            with gr.Row(elem_classes="sh-buttons"):
                parts["undo"] = gr.Button("Undo", size="sm", min_width=50)
                parts["clear"] = gr.Button("Clear", size="sm", min_width=50)
        with _card():
            _title("3 Border")
            parts["tolerance"] = gr.Slider(0, 1, 0, step=0.01, label="Tolerance", elem_id="sh-tolerance", buttons=[])
            parts["tolerance_panel"] = _panel()
            parts["suggest"] = gr.Button("Suggested", size="sm")
            parts["reach"] = gr.Slider(5, 100, 60, step=1, label="Reach in mm", elem_id="sh-reach", buttons=[])
    return parts


def _middle_column() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="sh-middle", scale=1, min_width=480):
        parts["viewer"] = NiiViewer(elem_id="sh-viewer")
        with gr.Column(visible=False, elem_classes="sh-card") as parts["plain_group"]:
            gr.HTML(
                element("p", "This browser offers no WebGL2, so slices are shown as plain images. Click the lesion.",
                        class_="sh-small"), js_on_load=None,
            )  # fmt: skip
            parts["plain_image"] = gr.Image(
                label="Acquired plane", interactive=False, format="png", buttons=["fullscreen"], elem_id="sh-plain"
            )
            parts["plain_slice"] = gr.Slider(1, 2, 1, step=1, label="Slice")
        with _card():
            _title("Enhancement")
            parts["curve_panel"] = _panel(elem_id="sh-curve")
        parts["notices_panel"] = _panel(elem_id="sh-notes")
    return parts


def _right_column() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="sh-right", scale=0, min_width=330):
        with _card():
            parts["result_panel"] = _panel(elem_id="sh-result")
        with _card():
            _title("Take it away")
            with gr.Row(elem_classes="sh-buttons"):
                for name in DOWNLOADS:
                    parts[name] = gr.DownloadButton(_LABELS[name], size="sm", min_width=70, interactive=False)
        with _card():
            _title("Your files")
            parts["privacy_panel"] = _panel()
            parts["delete"] = gr.Button("Delete now", size="sm")
    return parts


def _answering(handler: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Turn a handler into what Gradio calls: a refused input is one sentence, and the page stays as it was."""

    @functools.wraps(handler)
    def answer(*arguments: Any, **named: Any) -> list[Any]:
        try:
            return updates(*handler(*arguments, **named))
        except SpineHubError as error:
            gr.Warning(sentence(error), title="Not possible", duration=12)
        except Exception as error:  # noqa: BLE001 - the edge: a visitor never sees a traceback
            # Neither the message nor local values: they may hold the name of a visitor's file.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("a handler failed with %s\n%s", type(error).__name__, frames)
            gr.Warning("Something went wrong here; the page stays as it was.", title="Not possible")
        return updates(KEEP, View(upload=None))  # a refused file must not stay in the drop zone

    return answer


def _wire(demo: gr.Blocks, handlers: Handlers, session: gr.State, parts: dict[str, Any]) -> None:
    targets = outputs(session, parts)

    def on(event: Callable[..., Any], handler: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
        options = {"api_visibility": "private", "show_progress": "hidden", **options}
        return event(_answering(handler), [*inputs, session], targets, **options)

    def answer_after(changed: Any) -> None:
        shown_while = [parts[name] for name in ("result_panel", "curve_panel", "notices_panel")]
        analysed = on(
            changed.then, handlers.analyse, concurrency_id="model", concurrency_limit=1, show_progress="full",
            show_progress_on=shown_while,
        )  # fmt: skip
        on(analysed.then, handlers.downloads, concurrency_id="model")

    grow = {"concurrency_id": "grow", "concurrency_limit": 2}
    latest = {**grow, "trigger_mode": "always_last"}
    reading = {**grow, "show_progress": "full", "show_progress_on": parts["case_panel"]}
    demo.load(_answering(handlers.open_page), None, targets, api_visibility="private", show_progress="hidden")
    on(parts["example"].click, handlers.use_example)
    on(parts["delete"].click, handlers.delete_now)
    on(parts["contrast"].input, handlers.say_contrast, parts["contrast"])
    on(parts["viewer"].unsupported, handlers.unsupported)
    on(parts["plain_slice"].release, handlers.plain_slice, parts["plain_slice"], trigger_mode="always_last")
    for changed in (
        on(parts["upload"].upload, handlers.upload, parts["upload"], **reading),
        on(parts["set_times"].click, handlers.set_times, parts["times"], **reading),
        on(parts["viewer"].pick, handlers.pick, **latest),
        on(parts["place"].click, handlers.place, parts["i"], parts["j"], parts["k"], parts["kind"], **latest),
        on(parts["undo"].click, handlers.undo, **latest),
        on(parts["clear"].click, handlers.clear, **latest),
        on(parts["tolerance"].release, handlers.set_tolerance, parts["tolerance"], **latest),
        on(parts["suggest"].click, handlers.suggest, **latest),
        on(parts["reach"].release, handlers.set_reach, parts["reach"], **latest),
        on(parts["plain_image"].select, handlers.plain_click, parts["plain_slice"], parts["kind"], **latest),
    ):
        answer_after(changed)
    parts["tolerance"].input(None, parts["tolerance"], None, js=_SET_TOLERANCE)
    parts["kind"].change(None, parts["kind"], None, js=_SET_KIND)
    demo.unload(handlers.leave)
