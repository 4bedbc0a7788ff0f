"""Reference regions: circles in normal tissue that a reader places to compare the lesion with; no model is needed."""

from collections.abc import Sequence
from dataclasses import replace

import gradio as gr

from spinehub.demo import shown
from spinehub.demo.reference_panel import comparisons
from spinehub.demo.regions import RegionHandlers, Reply
from spinehub.demo.session import Session
from spinehub.demo.view import View
from spinehub.errors import InvalidArgumentError
from spinehub.perfusion import TISSUES, Reference, reference_mask

__all__ = ["ReferenceHandlers"]


class ReferenceHandlers(RegionHandlers):
    """Handlers of reference regions."""

    def reference(self, event: gr.EventData, session: Session) -> Reply:
        """Place a circle where the visitor clicked; a circle of the same tissue moves there."""
        position = [float(value) for value in event.mm]
        if len(position) != 3:
            raise InvalidArgumentError("position must be three finite numbers in mm; click inside the image")
        placed = Reference(event.tissue, (position[0], position[1], position[2]), float(event.radius_mm))
        reference_mask(placed, self._case(session).image.grid)
        others = [one for one in session.references if one.tissue != placed.tissue]
        return self._compared(session, [*others, placed])

    def unreference(self, event: gr.EventData, session: Session) -> Reply:
        """Take the circle of a tissue away."""
        left = [one for one in self._known(session).references if one.tissue != event.tissue]
        return self._compared(session, left)

    def _compared(self, session: Session, references: Sequence[Reference]) -> Reply:
        """Show curves and ratios of other reference regions; no route is asked again."""
        case = self._case(session)
        ordered = tuple(sorted(references, key=lambda one: TISSUES.index(one.tissue)))
        session = replace(session, references=ordered)
        case = replace(case, references=ordered)
        if case.report is not None:
            case = replace(case, report=replace(case.report, references=comparisons(case)))
        case = self.store.put(session.case_key, case)
        self.store.want_files(session)
        told = View(curve_panel=shown.outcome(case).curve_panel, viewer=self._viewer(case, session))
        return session, replace(told, **shown.vars_given(shown.downloads({})))  # written anew next
