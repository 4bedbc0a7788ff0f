"""The three columns of the case: what goes in, the viewer, what comes out."""

from typing import Any

import gradio as gr

from spinehub.demo.markup import Markup, element
from spinehub.demo.priors import prior_card
from spinehub.demo.reader_panel import answer_form
from spinehub.demo.report_card import notes_card
from spinehub.demo.session import MAX_FILE_MB, MAX_FILES
from spinehub.demo.shown import DOWNLOADS
from spinehub.demo.source_panels import SOURCES
from spinehub.demo.viewer import FileDrop, NiiViewer
from spinehub.io.guard import MAX_AXIS, MAX_FRAMES, MAX_SAMPLES
from spinehub.render.wording import UPLOAD_WARNING

__all__ = ["card", "case_columns", "panel", "title"]

_FILE_TYPES = [".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".nrrd", ".mha", ".json"]
_LABELS = {
    "report_file": "Report",
    "mask_file": "Mask",
    "maps_file": "Maps",
    "tables_file": "Tables",
    "figure_file": "Figure",
    "json_file": "JSON",
    "bundle_file": "Bundle",
}


def case_columns() -> dict[str, Any]:
    """Build the three columns and return their parts by name."""
    with gr.Row(elem_classes="sh-columns", equal_height=False):
        return {**_left_column(), **_middle_column(), **_right_column()}


def panel(value: str = "", **kwargs: Any) -> gr.HTML:
    """HTML that a handler fills."""
    return gr.HTML(value, js_on_load=None, apply_default_css=False, **kwargs)


def title(text: str) -> None:
    """Heading of a card."""
    gr.HTML(element("h2", text), js_on_load=None, apply_default_css=False)


def card(**kwargs: Any) -> gr.Column:
    """White box with a thin line around it."""
    return gr.Column(elem_classes="sh-card", **kwargs)


def _left_column() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="sh-left", scale=0, min_width=236):
        with card():
            title("1 Case")
            parts["case_panel"] = panel()
            parts["upload"] = FileDrop(
                label="Upload a series or a volume: NIfTI, NRRD or MHA", show_label=False,
                file_count="multiple", file_types=_FILE_TYPES, height=76, elem_classes="sh-upload", elem_id="sh-upload",
            )  # fmt: skip
            gr.HTML(element("p", UPLOAD_WARNING, class_="sh-small sh-hint"), js_on_load=None, apply_default_css=False)
            gr.HTML(upload_limits(), js_on_load=None, apply_default_css=False)
            with gr.Column(visible=False) as parts["timing_group"]:
                parts["times"] = gr.Textbox(
                    label="Frame interval in s, or the time of each frame",
                    placeholder="12   or   0, 12, 24",
                    max_lines=1,
                )
                parts["set_times"] = gr.Button("Use these times", size="sm")
            with gr.Column(visible=False) as parts["contrast_group"]:
                parts["contrast"] = gr.Radio(["yes", "no"], label="Was contrast given before this volume?")
            parts["example"] = gr.Button("Show the example", size="sm", elem_id="sh-example")
        with card():
            title("2 Seed")
            parts["kind"] = gr.Radio(
                [("+ lesion", "lesion"), ("\N{MINUS SIGN} background", "background")], value="lesion",
                show_label=False, label="Kind of seed", container=False, elem_classes="sh-kind",
            )  # fmt: skip
            parts["seeds_panel"] = panel()
            with gr.Row(elem_classes="sh-boxes"):
                for axis in "ijk":
                    parts[axis] = gr.Number(label=axis, precision=0, minimum=0, min_width=40)
                parts["place"] = gr.Button("Place", size="sm", min_width=50)
            with gr.Row(elem_classes="sh-buttons"):
                parts["undo"] = gr.Button("Undo", size="sm", min_width=50)
                parts["redo"] = gr.Button("Redo", size="sm", min_width=50)
                parts["clear"] = gr.Button("Clear", size="sm", min_width=50)
            parts["propose"] = gr.Button("Propose lesions", size="sm", elem_id="sh-propose")
            parts["proposals_panel"] = panel(elem_id="sh-proposals")
            parts["stop_search"] = gr.Button("Stop", size="sm", elem_id="sh-stop-search")
        parts |= _border_card()
    return parts


def upload_limits() -> Markup:
    """What is refused, told before anything is sent; the numbers are those the checks use."""
    text = (
        f"At most {MAX_FILE_MB} MB a file, {MAX_FILES} files, {MAX_FRAMES} frames, {MAX_AXIS} voxels along an axis and "
        f"{MAX_SAMPLES // 10**6} million voxels times frames. A sidecar .json with times may come along."
    )
    return element("details", element("summary", "Limits"), element("p", text), class_="sh-why")


def _border_card() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with card(elem_id="sh-border"):
        title("3 Mask and border")
        parts["mask_source"] = gr.Radio(
            [(name, source) for source, name in SOURCES.items()], value="growing",
            show_label=False, label="Where the mask comes from", container=False, elem_classes="sh-kind",
        )  # fmt: skip
        parts["source_panel"] = panel()
        parts["mask_upload"] = FileDrop(
            label="Upload a mask: NIfTI, NRRD or MHA", show_label=False, visible=False, file_count="single",
            file_types=_FILE_TYPES, height=76, elem_classes="sh-upload sh-upload-mask", elem_id="sh-upload-mask",
        )  # fmt: skip
        with gr.Column(elem_classes="sh-growing") as parts["growing_group"]:
            parts["tolerance"] = gr.Slider(0, 1, 0, step=0.01, label="Tolerance", elem_id="sh-tolerance", buttons=[])
            parts["tolerance_panel"] = panel()
            with gr.Row(elem_classes="sh-buttons"):
                parts["suggest"] = gr.Button("Suggested", size="sm", min_width=70)
                parts["cut"] = gr.Button("Cut at the neck", size="sm", min_width=70, visible=False)
            parts["reach"] = gr.Slider(5, 100, 60, step=1, label="Reach in mm", elem_id="sh-reach", buttons=[])
        parts["why_panel"] = panel(elem_id="sh-why-panel")
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
        with card():
            title("Enhancement")
            parts["curve_panel"] = panel(elem_id="sh-curve")
        parts["notices_panel"] = panel(elem_id="sh-notes")
    return parts


def _right_column() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="sh-right", scale=0, min_width=330):
        parts |= answer_form()
        with card():
            parts["result_panel"] = panel(elem_id="sh-result")
            parts["stop"] = gr.Button("Stop", size="sm", elem_id="sh-stop")
        with card():
            title("Set your prior")
            gr.HTML(prior_card(), js_on_load=None, apply_default_css=False)
        with card():
            title("Take it away")
            with gr.Row(elem_classes="sh-buttons sh-take"):
                for name in DOWNLOADS:
                    parts[name] = gr.DownloadButton(_LABELS[name], size="sm", min_width=70, interactive=False)
                parts["print"] = gr.Button("Print", size="sm", min_width=70, elem_id="sh-print-report")
            parts |= notes_card()
            parts["with_images"] = gr.Checkbox(
                False, label="Put the images into the bundle", container=False, elem_classes="sh-check"
            )
            gr.HTML(_bundle_note(), js_on_load=None, apply_default_css=False)
        with card():
            title("Your files")
            parts["privacy_panel"] = panel()
            parts["delete"] = gr.Button("Delete now", size="sm")
    return parts


def _bundle_note() -> Markup:
    copy = element("button", "Copy a link", type="button", class_="sh-link", id="sh-copy-link")
    command = element("code", "spinehub replay case.zip IMAGE")
    text = "The case bundle holds clicks, settings, hashes and results; "
    link = " with the seeds and settings of this view, and no image."
    return element("p", text, command, " gets the same mask and numbers elsewhere. ", copy, link, class_="sh-small")
