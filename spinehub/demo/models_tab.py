"""The Models & API tab: which weights answer, how they scored, and code that calls the page."""

import gradio as gr

from spinehub.demo.columns import card, title
from spinehub.demo.definitions import what
from spinehub.demo.endpoints import CURL_SNIPPET, PYTHON_SNIPPET
from spinehub.demo.markup import Markup, element, join
from spinehub.hub import list_models
from spinehub.render.wording import NOT_IN_EITHER_CLASS, ROUTE_NAMES

__all__ = ["models_tab"]

_DATA = (
    "All embedded weights learned from simulated cases: a physics-based simulator draws a spine, a lesion, a protocol "
    "and a patient, and renders the series through the signal equation. No public set of contrast-enhanced MRI answers "
    "this question. Accuracy on real patients is unknown."
)
_OWN = "Your own cohort: spinehub train, spinehub evaluate, then spinehub demo --from FOLDER shows your weights here."


def models_tab() -> None:
    """Build the tab; nothing on it depends on a visitor."""
    with gr.Row(elem_classes="sh-columns", equal_height=False):
        with gr.Column(elem_classes="sh-middle", scale=1, min_width=480), card():
            title("The four models")
            gr.HTML(_models(), js_on_load=None, apply_default_css=False)
        with gr.Column(elem_classes="sh-middle", scale=1, min_width=480), card():
            title("Call it from a program")
            gr.HTML(_api(), js_on_load=None, apply_default_css=False)


def _models() -> Markup:
    columns = ("Method", "Weights", "Scores on simulated cases")
    head = element("tr", *[element("th", column, scope="col") for column in columns])
    rows = []
    for model in list_models():
        name = element("th", ROUTE_NAMES.get(model.route, model.route), scope="row")
        parts = [element("div", model.name), element("div", model.origin, class_="sh-small")]
        if model.sha256 is not None:
            size = f"SHA-256 {model.sha256[:12]}…, {model.bytes / 1e6:.1f} MB, {model.licence}"
            parts.append(element("div", size, class_="sh-small"))
        scores = [element("div", score, class_="sh-small") for score in model.scores or ("not evaluated",)]
        rows.append(element("tr", name, element("td", *parts), element("td", *scores)))
    table = element("table", element("thead", head), element("tbody", *rows), class_="sh-table sh-table-text")
    notes = [element("p", text, class_="sh-small") for text in (_DATA, NOT_IN_EITHER_CLASS, _OWN)]
    return join(table, element("p", what("auc"), " what these scores say, and what not", class_="sh-small"), *notes)


def _api() -> Markup:
    lead = (
        "Three endpoints: /analyse (report.json and mask), /grow (region and mask), /maps (every map with its unit). "
        "What you send is removed as soon as it is read."
    )
    return join(
        element("p", lead, class_="sh-small"),
        _snippet("Python", PYTHON_SNIPPET, "pip install gradio_client"),
        _snippet("curl", CURL_SNIPPET, "lists of voxels are [i, j, k], in the array order of the file"),
        element("p", "From Python without a server: notebooks/spinehub.ipynb walks through the package.",
                class_="sh-small"),
    )  # fmt: skip


def _snippet(name: str, code: str, note: str) -> Markup:
    copy = element(
        "button", "Copy", type="button", class_="sh-link", data_copy=True, aria_label=f"Copy the {name} code"
    )
    head = element(
        "div", element("strong", name), element("span", note, class_="sh-small"), copy, class_="sh-code-head"
    )
    return element("div", head, element("pre", element("code", code), tabindex="0"), class_="sh-code")
