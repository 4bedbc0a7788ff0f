"""What a handler shows: one field per component, so that the order of outputs cannot drift from the layout."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

__all__ = ["KEEP", "View", "outputs", "updates"]


class _Keep:
    """The component stays as it is."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Any = _Keep()


@dataclass(frozen=True)
class View:
    """New values by the name of the component; :data:`KEEP` leaves it alone."""

    viewer: Any = KEEP
    case_panel: Any = KEEP
    timing_group: Any = KEEP
    contrast_group: Any = KEEP
    contrast: Any = KEEP
    upload: Any = KEEP
    seeds_panel: Any = KEEP
    proposals_panel: Any = KEEP
    mask_source: Any = KEEP
    source_panel: Any = KEEP
    growing_group: Any = KEEP
    mask_upload: Any = KEEP
    tolerance: Any = KEEP
    reach: Any = KEEP
    tolerance_panel: Any = KEEP
    why_panel: Any = KEEP
    cut: Any = KEEP
    curve_panel: Any = KEEP
    result_panel: Any = KEEP
    notices_panel: Any = KEEP
    report_file: Any = KEEP
    mask_file: Any = KEEP
    maps_file: Any = KEEP
    tables_file: Any = KEEP
    figure_file: Any = KEEP
    json_file: Any = KEEP
    bundle_file: Any = KEEP
    note_level: Any = KEEP
    note_compartments: Any = KEEP
    note_canal: Any = KEEP
    note_bilsky: Any = KEEP
    note_sins: Any = KEEP
    note_impression: Any = KEEP
    notes_said: Any = KEEP
    plain_group: Any = KEEP
    plain_image: Any = KEEP
    plain_slice: Any = KEEP
    privacy_panel: Any = KEEP
    reader_group: Any = KEEP
    reader_panel: Any = KEEP
    answer_group: Any = KEEP
    answer: Any = KEEP
    confidence: Any = KEEP
    lessons_panel: Any = KEEP
    tally_panel: Any = KEEP


def outputs(session: gr.State, components: Mapping[str, Any]) -> list[Any]:
    """Components in the order of the fields, after the session."""
    return [session, *(components[field.name] for field in fields(View))]


def updates(session: Any, view: View) -> list[Any]:
    """Values in the same order; what is kept is skipped."""
    values = [session, *(getattr(view, field.name) for field in fields(View))]
    return [gr.skip() if value is KEEP else value for value in values]
