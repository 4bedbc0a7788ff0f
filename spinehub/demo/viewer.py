"""Two Gradio components: the NiiVue viewer, and a file drop that leaves nothing behind.

The viewer gets three gzipped NIfTI files per case, all written afresh by the server: the series as int16, the
parametric maps as levels 1 to 30000 (0: not defined), and the arrival map turned round, so that

    voxel inside  <=>  -arrival >= -tolerance        (both float32)

is the same comparison in the browser and in :meth:`spinehub.growing.Growth.mask`.
"""

import re
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, GradioModel, ListFiles

__all__ = ["STATIC", "FileDrop", "NiiViewer", "ViewerValue"]

STATIC = Path(__file__).parent / "static"
_SCRIPTS = (
    "niivue.umd.js",
    "page.js",
    "nifti.js",
    "marks.js",
    "beside.js",
    "paint.js",
    "overlays.js",
    "crosshair.js",
    "controls.js",
    "viewer.js",
    "tour.js",
    "print.js",
)
_ON_LOAD = """
const events = ['pick', 'unsupported', 'why', 'reference', 'unreference', 'occlude'];
window.spinehub.mount(element, props, trigger, watch);
"""


class ViewerValue(GradioModel):
    """What the viewer shows: files Gradio serves, and plain numbers about them."""

    image: FileData | None = None
    maps: FileData | None = None
    layers: FileData | None = None
    arrival: FileData | None = None
    info: dict[str, Any]


class NiiViewer(gr.HTML):
    """NiiVue with seeds, maps, frames and an instant tolerance.

    Events
    ------
    pick
        The user set a seed: ``mm`` (x, y, z; RAS+) and ``background``.
    why
        The user asked about the voxel under the crosshair: ``mm``.
    reference
        The user placed a reference region: ``mm``, ``tissue`` and ``radius_mm``.
    unreference
        The user took one away: ``tissue``.
    occlude
        The user asks what a network looks at: ``route``.
    unsupported
        The browser has no WebGL2.
    """

    data_model = ViewerValue

    def __init__(self, value: ViewerValue | None = None, **kwargs: Any) -> None:
        # The template is constant: Gradio evaluates templates as code, so no text of a file may ever reach one.
        super().__init__(
            value=value,
            html_template=(STATIC / "viewer.html").read_text(encoding="utf-8"),
            js_on_load=_ON_LOAD,
            apply_default_css=False,
            head="".join(f'<script src="gradio_api/file={STATIC / name}"></script>' for name in _SCRIPTS),
            **kwargs,
        )

    def preprocess(self, payload: ViewerValue | None) -> ViewerValue | None:
        """Hand on what the browser holds; no handler reads it."""
        return payload

    def postprocess(self, value: ViewerValue | None) -> ViewerValue | None:
        """Hand on what a handler made; Gradio turns the paths into addresses."""
        return value


class FileDrop(gr.File):
    """File upload that hands on where the files lie; Gradio's own leaves an empty file behind per upload."""

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """Take files only: an address would make the server fetch it on a stranger's behalf."""
        if url_or_file_path is not None and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(url_or_file_path)):
            raise gr.Error("Files must be uploaded; addresses are not fetched.")
        return await super().async_move_resource_to_block_cache(url_or_file_path)

    def get_block_name(self) -> str:
        """Name of the part in Gradio's own front end."""
        return "file"

    def preprocess(self, payload: ListFiles | FileData | None) -> list[str]:
        """Return the paths of the uploaded files, in the order given."""
        if payload is None:
            return []
        return [file.path for file in (payload.root if isinstance(payload, ListFiles) else [payload])]
