"""Views: what the components show for a case, a region, a result."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from spinehub.demo import panels
from spinehub.demo.cases import LoadedCase
from spinehub.demo.markup import element
from spinehub.demo.reader_panel import hidden_result
from spinehub.demo.report_card import notes_view
from spinehub.demo.results import result_panel
from spinehub.demo.scene import viewer_value
from spinehub.demo.session import Session
from spinehub.demo.source_panels import source_note
from spinehub.demo.view import KEEP, View
from spinehub.demo.viewer import FileDrop, ViewerValue
from spinehub.growing import Growth
from spinehub.render import PlaneView, render_slice
from spinehub.report import Report
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Index, Volume

__all__ = [
    "DOWNLOADS",
    "downloads",
    "outcome",
    "plain",
    "plain_voxel",
    "privacy",
    "region",
    "stopped",
    "suggested",
    "viewer",
    "whole",
    "with_contrast_answer",
]

DOWNLOADS = ("report_file", "mask_file", "maps_file", "tables_file", "figure_file", "json_file", "bundle_file")
_PLAIN_WIDTH = 560
"""Pixels across the plain image."""
_CONTRAST_ANSWERS = {
    True: "The user states that contrast was given.",
    False: "The user states that no contrast was given.",
    None: "The user did not say whether contrast was given.",
}


def whole(case: LoadedCase, session: Session, value: ViewerValue, files: Mapping[str, Path]) -> View:
    """Everything, for a case that has just been opened."""
    single, series = case.timing.regime == "single", isinstance(case.image, DynamicSeries)
    typed = session.times_s is not None or session.frame_interval_s is not None
    no_times = isinstance(case.image, DynamicSeries) and case.image.times_s is None
    parts = {
        **vars(region(case, session, value)),
        **vars_given(outcome(case, hidden=session.labels_hidden)),
        **vars_given(downloads(files)),
        "case_panel": panels.case_panel(case, session),
        "timing_group": gr.Column(visible=series and (no_times or typed)),
        "contrast_group": gr.Column(visible=single),
        "contrast": None if session.contrast_given is None else ("yes" if session.contrast_given else "no"),
        "upload": None,
        "proposals_panel": "",
        "reach": session.reach_mm,
        "privacy_panel": privacy(None),
        **notes_view(session.notes),
    }
    return View(**parts)


def vars_given(view: View) -> dict[str, Any]:
    """Fields of a view that are not kept."""
    return {name: value for name, value in vars(view).items() if value is not KEEP}


def region(case: LoadedCase, session: Session, value: ViewerValue) -> View:
    """A region that was grown anew, or none; the files on offer were those of the region before."""
    top, step = panels.slider_top(case)
    growing = session.mask_source == "growing"
    ready = case.growth is not None and session.tolerance is not None
    return View(
        viewer=value,
        seeds_panel=panels.seeds_panel(case, session),
        tolerance=gr.Slider(value=_on_step(session.tolerance or 0.0, step), maximum=top, step=step, interactive=ready),
        tolerance_panel=panels.tolerance_panel(case, session),
        why_panel="",
        mask_source=session.mask_source,
        source_panel=source_note(case, session),
        growing_group=gr.Column(visible=growing),
        mask_upload=FileDrop(value=None, visible=session.mask_source == "file"),
        cut=gr.Button(visible=case.growth is not None and case.growth.leak is not None),
        **vars_given(downloads({})),
    )


def _on_step(tolerance: float, step: float) -> float:
    """Number the slider shows for a float32 tolerance: 50.1 and not 50.0999985; in float32 both are the same."""
    return float(round(round(tolerance / step) * step, 9))


def viewer(case: LoadedCase, session: Session, case_folder: Path, folder: Path) -> ViewerValue:
    """Value of the viewer, with its files written."""
    return viewer_value(case, session, case_folder, folder)


def suggested(growth: Growth) -> float:
    """Suggested tolerance, rounded down to the slider's steps and to float32, so that no border moves by itself."""
    step = panels.slider_step(growth)
    return float(np.float32(math.floor(growth.suggested_tolerance / step + 1e-9) * step))


def outcome(case: LoadedCase, *, hidden: bool = False) -> View:
    """The result of an analysis; what the routes say is left out where it is hidden from a reader."""
    return View(
        curve_panel=panels.curve_panel(case),
        result_panel=hidden_result() if hidden else result_panel(case.outcome),
        notices_panel=panels.notices_panel(case.outcome),
    )


def stopped() -> View:
    """An analysis the visitor stopped: nothing of an older region stays on the page."""
    hint = "Stopped. Move the border or press Suggested to ask again."
    return View(result_panel=element("p", hint, class_="sh-small"), notices_panel="")


def downloads(files: Mapping[str, Path]) -> View:
    """Buttons for the files there are; the others are greyed."""
    return View(
        **{name: gr.DownloadButton(value=str(files[name]) if name in files else None, interactive=name in files)
           for name in DOWNLOADS}
    )  # fmt: skip


def privacy(left: int | None) -> str:
    """What happens to the visitor's files; after a deletion, how many are left."""
    text = "Your files leave this server when you close the page, or one hour after your last step."
    if left is None:
        return element("p", text, class_="sh-small")
    return element("p", f"Deleted. Files of yours left on this server: {left}.", class_="sh-small", role="status")


def with_contrast_answer(report: Report, given: bool | None) -> Report:
    """Report of a single volume with what the visitor said about contrast in it."""
    if not isinstance(report.image, Volume):
        return report
    answer = _CONTRAST_ANSWERS[given]
    warnings = tuple(
        replace(warning, message=f"{warning.message} {answer}") if warning.code == "single_volume" else warning
        for warning in report.warnings
    )
    return replace(report, warnings=warnings)


def plain(case: LoadedCase, session: Session, slice_index: int | None) -> View:
    """Acquired plane as a plain image, for browsers without WebGL2; None: the slice of the newest seed."""
    grid = case.image.grid
    view = PlaneView.of(grid, grid.acquired_plane)
    if slice_index is None:
        seeds = session.seeds
        slice_index = seeds[-1].index_on(grid)[view.slice_axis] if seeds else view.slice_count // 2
    slice_index = min(max(slice_index, 0), view.slice_count - 1)
    mask = case.given
    if case.growth is not None and session.tolerance is not None:
        mask = case.growth.mask(session.tolerance)
    picture = render_slice(_plain_volume(case), grid.acquired_plane, slice_index, mask=mask, pixel_mm=_pixel_mm(view))
    slider = gr.Slider(value=slice_index + 1, maximum=view.slice_count)
    return View(plain_group=gr.Column(visible=True), plain_image=picture, plain_slice=slider)


def plain_voxel(grid: Grid, slice_index: int, point: Sequence[float]) -> Index:
    """Voxel under a click on the plain image."""
    view = PlaneView.of(grid, grid.acquired_plane)
    return view.voxel_at_screen(slice_index, float(point[0]), float(point[1]), _pixel_mm(view))


def _pixel_mm(view: PlaneView) -> float:
    return view.extent_mm[1] / _PLAIN_WIDTH


def _plain_volume(case: LoadedCase) -> Volume:
    if isinstance(case.image, Volume):
        return case.image
    return case.image.frame(case.info["plain_frame"])
