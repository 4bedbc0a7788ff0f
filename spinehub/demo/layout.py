"""The page: components and wiring, nothing else."""

import functools
import logging
import traceback
from collections.abc import Callable
from typing import Any

import gradio as gr

from spinehub.demo.cases import CaseStore
from spinehub.demo.columns import case_columns
from spinehub.demo.definitions import definitions_dialog
from spinehub.demo.endpoints import add_endpoints
from spinehub.demo.handlers import Handlers
from spinehub.demo.markup import element, sentence
from spinehub.demo.models_tab import models_tab
from spinehub.demo.physics_tab import physics_tab
from spinehub.demo.report_card import NOTE_FIELDS
from spinehub.demo.session import Workspace
from spinehub.demo.teaching_tab import teaching_tab
from spinehub.demo.view import KEEP, View, outputs, updates
from spinehub.demo.viewer import STATIC
from spinehub.errors import SpineHubError

__all__ = ["build_demo"]

_LOG = logging.getLogger(__name__)
_SET_TOLERANCE = "(value) => { window.spinehubViewer?.requestTolerance(value); }"
_PRINT = "(report) => { window.spinehubPrint?.(report); }"
_SET_KIND = "(kind) => { if (window.spinehubViewer) window.spinehubViewer.background = kind === 'background'; }"
_SET_ANSWER = "(answer) => { window.spinehub?.answered(answer); }"
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
        with gr.Tabs(elem_classes="sh-tabs"):
            with gr.Tab("Case", id="case"):
                components = case_columns()
            with gr.Tab("Teaching", id="teaching"):
                components |= teaching_tab()
            with gr.Tab("Physics", id="physics"):
                physics_tab()
            with gr.Tab("Models & API", id="models"):
                models_tab()
        add_endpoints(handlers)
        gr.HTML(definitions_dialog(), js_on_load=None, apply_default_css=False)
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
    tour = element("button", "Guided tour", type="button", id="sh-start-tour")
    buttons = element("div", tour, theme, class_="sh-head-buttons")
    gr.HTML(element("header", title, buttons, class_="sh-head"), js_on_load=None)
    text = " The default models learned from simulated cases; their accuracy on real patients is unknown."
    banner = element("div", element("strong", "Research and teaching only."), text, class_="sh-banner", role="note")
    gr.HTML(banner, js_on_load=None)


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
        on(analysed.then, handlers.note_routes, queue=False)
        on(analysed.then, handlers.downloads, **writing)

    writing = {"concurrency_id": "files", "concurrency_limit": 1}
    grow = {"concurrency_id": "grow", "concurrency_limit": 2}
    latest = {**grow, "trigger_mode": "always_last"}
    reading = {**grow, "show_progress": "full", "show_progress_on": parts["case_panel"]}
    rendering = {**reading, "show_progress_on": [parts["case_panel"], parts["reader_panel"]]}
    opened = demo.load(_answering(handlers.open_page), None, targets, api_visibility="private", show_progress="hidden")
    answer_after(opened)
    restarts = {"example": handlers.use_example, "start_over": handlers.start_over, "delete": handlers.delete_now}
    stated = [on(parts[name].click, handler) for name, handler in restarts.items()]
    stated += [on(parts["with_images"].input, handlers.set_bundle, parts["with_images"])]
    noted = [parts[name] for name in NOTE_FIELDS]
    for field in noted:
        changed = field.blur if isinstance(field, gr.Textbox | gr.Number) else field.input
        stated.append(on(changed, handlers.set_notes, *noted, trigger_mode="always_last"))
    on(parts["viewer"].unsupported, handlers.unsupported)
    on(parts["viewer"].why, handlers.why, **latest)
    covering = {"show_progress": "full", "show_progress_on": parts["result_panel"], "trigger_mode": "once"}
    on(parts["viewer"].occlude, handlers.occlude, concurrency_id="model", **covering)
    for changed in (
        *stated,
        on(parts["viewer"].reference, handlers.reference, **latest),
        on(parts["viewer"].unreference, handlers.unreference, **latest),
    ):
        reported = on(changed.then, handlers.report_references, concurrency_id="model")
        on(reported.then, handlers.downloads, **writing)
    searching = {"show_progress": "full", "show_progress_on": parts["proposals_panel"], "trigger_mode": "once"}
    on(parts["propose"].click, handlers.propose, concurrency_id="model", **searching)
    on(parts["stop_search"].click, handlers.stop_search, queue=False)
    on(parts["stop"].click, handlers.stop, queue=False)
    on(parts["plain_slice"].release, handlers.plain_slice, parts["plain_slice"], trigger_mode="always_last")
    for changed in (
        on(parts["upload"].upload, handlers.upload, parts["upload"], **reading),
        on(parts["set_times"].click, handlers.set_times, parts["times"], **reading),
        on(parts["contrast"].input, handlers.say_contrast, parts["contrast"]),
        on(parts["viewer"].pick, handlers.pick, **latest),
        on(parts["place"].click, handlers.place, parts["i"], parts["j"], parts["k"], parts["kind"], **latest),
        on(parts["undo"].click, handlers.undo, **latest),
        on(parts["redo"].click, handlers.redo, **latest),
        on(parts["clear"].click, handlers.clear, **latest),
        on(parts["cut"].click, handlers.cut, **latest),
        on(parts["tolerance"].release, handlers.set_tolerance, parts["tolerance"], **latest),
        on(parts["suggest"].click, handlers.suggest, **latest),
        on(parts["reach"].release, handlers.set_reach, parts["reach"], **latest),
        on(parts["mask_source"].input, handlers.choose_source, parts["mask_source"], **latest),
        on(parts["mask_upload"].upload, handlers.upload_mask, parts["mask_upload"], **latest),
        on(parts["lessons_panel"].read, handlers.open_lesson, **rendering),
        on(parts["next_case"].click, handlers.next_lesson, **rendering),
        on(parts["commit"].click, handlers.commit, parts["answer"], parts["confidence"], **latest),
        on(parts["plain_image"].select, handlers.plain_click, parts["plain_slice"], parts["kind"], **latest),
    ):
        answer_after(changed)
    parts["print"].click(None, parts["report_file"], None, js=_PRINT)
    parts["tolerance"].input(None, parts["tolerance"], None, js=_SET_TOLERANCE)
    parts["answer"].change(None, parts["answer"], None, js=_SET_ANSWER)
    parts["kind"].change(None, parts["kind"], None, js=_SET_KIND)
    demo.unload(handlers.leave)
