"""What happens when a visitor reads teaching cases: opening, committing, the next one, starting over."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from spinehub.demo import shown
from spinehub.demo.cases import LoadedCase
from spinehub.demo.lessons import lesson_numbered, true_lesion
from spinehub.demo.reader_panel import reader_view
from spinehub.demo.regions import Reply
from spinehub.demo.session import MaskSource, Session
from spinehub.demo.sources import MaskHandlers
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError
from spinehub.metrics import dice
from spinehub.teaching import Reading, probability_said, teaching_cases
from spinehub.volume import Mask, Position

__all__ = ["ReaderHandlers", "center_mm", "reader_parts"]


_LATER = "The U-Net answers after you commit."


def _silent(*_: Any, **__: Any) -> None:
    """Where nobody watches the progress."""


class ReaderHandlers(MaskHandlers):
    """Handlers of the teaching cases; the page's other handlers build on them."""

    @abstractmethod
    def _explore(self, session: Session) -> Reply:
        """Show a case without a lesion."""

    @abstractmethod
    def use_example(self, session: Session) -> Reply:
        """Go back to the bundled example."""

    def choose_source(self, source: MaskSource, session: Session) -> Reply:
        """Take the mask from another source; the U-Net's own waits until the reader has committed."""
        if source == "unet" and self._known(session).labels_hidden:
            gr.Info(_LATER)
            return KEEP, View(mask_source=session.mask_source)
        return super().choose_source(source, session)

    def propose(self, session: Session, progress: gr.Progress = gr.Progress()) -> Reply:  # noqa: B008
        """Let the U-Net propose lesions; it waits until the reader has committed."""
        if self._known(session).labels_hidden:
            gr.Info(_LATER)
            return KEEP, View()
        return super().propose(session, progress)

    def open_lesson(
        self,
        event: gr.EventData,
        session: Session,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Reply:
        """Render a teaching case and show it, without a seed."""
        return self._open(int(event.number), self._known(session), progress)

    def next_lesson(self, session: Session, progress: gr.Progress = gr.Progress()) -> Reply:  # noqa: B008
        """Go to the next case that was not read yet; say so where all were."""
        session = self._known(session)
        read = {reading.number for reading in session.readings}
        first = session.teaching or 0
        numbers = [case.number for case in teaching_cases()]
        later = [number for number in (*numbers[first:], *numbers[:first]) if number not in read]
        waiting = [number for number in later if number != session.teaching]
        if not waiting:
            gr.Info("These were all ten. Start over on the Teaching tab.")
            return KEEP, View()
        return self._open(waiting[0], session, progress)

    def start_over(self, session: Session) -> Reply:
        """Forget what was read; an open teaching case gives way to the example."""
        session = replace(self._known(session), readings=())
        return (session, reader_view(session)) if session.teaching is None else self.use_example(session)

    def commit(self, answer: str | None, confidence: float, session: Session) -> Reply:
        """Take the reader's answer, once, and only now show the truth and the score; the methods are asked next."""
        session = self._known(session)
        if session.teaching is None or not session.labels_hidden:
            return KEEP, View()
        if answer is None:
            raise InvalidArgumentError("answer must be chosen before you commit; “undecidable” is one too")
        case = self._case(session)
        marked = case.given
        if marked is None and case.growth is not None and session.tolerance is not None:
            marked = case.growth.mask(session.tolerance)
        if marked is None:
            raise InvalidArgumentError("region must be marked before you commit: press Seed and click the lesion")
        said = probability_said(answer, float(confidence) / 100.0)  # type: ignore[arg-type]
        truth, lesson = true_lesion(session), lesson_numbered(session.teaching)
        overlap = dice(truth.voxels, marked.voxels)
        reading = Reading(lesson.number, answer, said, lesson.posterior, overlap)  # type: ignore[arg-type]
        session = replace(session, readings=(*session.readings, reading))
        self.store.want(session.token, session.wanted)
        case = self.store.put(session.case_key, replace(case, truth=truth))
        view = replace(reader_view(session, center_mm(truth)), viewer=self._viewer(case, session))
        return session, replace(view, **shown.vars_given(shown.downloads({})))  # those without the methods are old

    def note_routes(self, session: Session) -> Reply:
        """Write beside the reading what the methods said about the same region, once they have answered."""
        session = self._known(session)
        reading, case = session.reading, self._case(session)
        if reading is None or reading.routes or case.outcome is None or case.analysed != session.wanted:
            return KEEP, View()
        routes = {
            route["name"]: None if route["probabilities"] is None else route["probabilities"]["primary_malignant"]
            for route in case.outcome.document["routes"]
        }
        noted = tuple(replace(one, routes=routes) if one is reading else one for one in session.readings)
        session = replace(session, readings=noted)
        return session, reader_view(session, _shown_center(case))

    def _open(self, number: int, session: Session, progress: Callable[..., Any] = _silent) -> Reply:
        """Show a teaching case; what was read stays."""
        progress(0.1, desc="Rendering the simulated case")
        lesson_numbered(number)
        opened = Session(session.token, teaching=number, readings=session.readings, revision=session.revision + 1)
        self._case(opened)
        progress(0.6, desc="Preparing the viewer")
        session, view = self._explore(opened)
        return session, replace(view, answer=None, confidence=75)


def reader_parts(case: LoadedCase, session: Session) -> dict[str, Any]:
    """Reader's parts of a view of a whole case."""
    return shown.vars_given(reader_view(session, _shown_center(case)))


def _shown_center(case: LoadedCase) -> Position | None:
    return None if case.truth is None else center_mm(case.truth)


def center_mm(mask: Mask) -> Position:
    """Position of the voxel of a mask that lies nearest to its centre of mass."""
    inside = np.argwhere(mask.voxels)
    i, j, k = inside[np.argmin(((inside - inside.mean(axis=0)) ** 2).sum(axis=1))]
    return mask.grid.position_of((int(i), int(j), int(k)))
