"""What happens when a visitor sets seeds, moves the border, cuts a leak or asks about a voxel."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import gradio as gr
import numpy as np

from spinehub.demo import shown
from spinehub.demo.cases import CaseStore, LoadedCase
from spinehub.demo.markup import element
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError
from spinehub.growing import Growth, cut_at_neck, grow, path_to
from spinehub.volume import Mask, Seed

__all__ = ["RegionHandlers", "Reply", "grown"]

Reply: TypeAlias = tuple[Any, View]
"""New session (or KEEP) and what to show."""


class RegionHandlers(ABC):
    """Handlers of seeds and border; the page's other handlers build on them."""

    store: CaseStore

    @abstractmethod
    def _known(self, session: Session | None) -> Session:
        """The session, or a refusal where it has ended."""

    @abstractmethod
    def _case(self, session: Session) -> LoadedCase:
        """The loaded case of a session."""

    @abstractmethod
    def _viewer(self, case: LoadedCase, session: Session) -> Any:
        """Value of the viewer."""

    @abstractmethod
    def _marked(self, case: LoadedCase, session: Session) -> tuple[Growth | None, Mask | None]:
        """Growing from the session's seeds, or the mask that stands in its place; neither where nothing is marked."""

    def pick(self, event: gr.EventData, session: Session) -> Reply:
        """Place a seed where the visitor clicked; the browser sends millimetres."""
        seed = Seed.at_position(_position(event.mm), background=bool(event.background))
        return self._add(seed, session)

    def place(self, i: float, j: float, k: float, kind: str, session: Session) -> Reply:
        """Place a seed at a voxel typed in."""
        if any(value is None for value in (i, j, k)):
            raise InvalidArgumentError("seed index must be three whole numbers i, j, k; fill in all three boxes")
        grid = self._case(session).image.grid
        return self._add(Seed.at_index((i, j, k), grid, background=kind == "background"), session)  # type: ignore[arg-type]

    def undo(self, session: Session) -> Reply:
        """Take the last cut back, or else the newest seed."""
        session = self._known(session)
        if session.cuts:
            return self._grow_again(replace(session, cuts=session.cuts - 1))
        taken = (*session.undone, *session.seeds[-1:])
        return self._grow_again(replace(session, seeds=session.seeds[:-1], undone=taken, cuts=0))

    def redo(self, session: Session) -> Reply:
        """Place the seed again that was taken back last."""
        session = self._known(session)
        if not session.undone:
            return KEEP, View()
        seeds = (*session.seeds, session.undone[-1])
        return self._grow_again(replace(session, seeds=seeds, undone=session.undone[:-1], cuts=0))

    def clear(self, session: Session) -> Reply:
        """Remove all seeds, and an uploaded mask."""
        session = self._known(session)
        source = "growing" if session.mask_source == "file" else session.mask_source
        return self._grow_again(replace(session, seeds=(), undone=(), cuts=0, mask_source=source, mask_file=None))

    def set_tolerance(self, tolerance: float, session: Session) -> Reply:
        """Take the tolerance the slider was released at; the browser has long drawn it."""
        case = self._case(session)
        if case.growth is None or not session.seeds:
            return KEEP, View()
        session = replace(session, tolerance=float(np.float32(tolerance)))
        self.store.want(session.token, session.wanted)
        return session, View() if case.analysed == session.wanted else shown.downloads({})

    def suggest(self, session: Session) -> Reply:
        """Go to the suggested tolerance."""
        return self._grow_again(self._known(session))

    def set_reach(self, reach_mm: float, session: Session) -> Reply:
        """Grow again with another reach."""
        return self._grow_again(replace(self._known(session), reach_mm=float(reach_mm)))

    def cut(self, session: Session) -> Reply:
        """Close the neck the region leaks through, and grow again."""
        session = self._known(session)
        growth = self._case(session).growth
        if growth is None or growth.leak is None:
            gr.Info("This region has no leak to cut.")
            return KEEP, View()
        return self._grow_again(replace(session, cuts=session.cuts + 1))

    def why(self, event: gr.EventData, session: Session) -> Reply:
        """Say why the voxel under the crosshair is in the region, or what keeps it out."""
        case = self._case(session)
        if case.growth is None or session.tolerance is None:
            return KEEP, View(why_panel=element("p", "Place a seed first.", class_="sh-small"))
        seed = Seed.at_position(_position(event.mm))
        path = path_to(case.growth, seed.index_on(case.image.grid), tolerance=session.tolerance)
        return KEEP, View(why_panel=element("p", path.sentence(), class_="sh-small"))

    def _follow_link(self, session: Session) -> Reply:
        """Place the seeds of a link, once, at its tolerance."""
        linked, grid = session.linked, self._case(session).image.grid
        if linked is None:
            return session, View()
        session = replace(session, linked=None, mask_source="growing")
        for seed in linked.seeds:
            seed.index_on(grid)
        session, view = self._grow_again(replace(session, seeds=linked.seeds, reach_mm=linked.reach_mm))
        if linked.tolerance is not None:
            session = replace(session, tolerance=float(np.float32(linked.tolerance)))
            self.store.want(session.token, session.wanted)
            case = self._case(session)
            view = shown.region(case, session, self._viewer(case, session))
        return session, replace(view, reach=session.reach_mm)

    def _add(self, seed: Seed, session: Session) -> Reply:
        seed.index_on(self._case(session).image.grid)
        # A click asks for a region of its own: an uploaded mask gives way, the U-Net draws anew.
        source = "growing" if session.mask_source == "file" else session.mask_source
        return self._grow_again(replace(session, seeds=(*session.seeds, seed), undone=(), cuts=0, mask_source=source))

    def _grow_again(self, session: Session) -> Reply:
        """Mark the region anew, at the suggested tolerance where it grows; without a foreground seed, show none."""
        case = self._case(session)
        growth, given = self._marked(case, session)
        tolerance = None if growth is None else shown.suggested(growth)
        session = replace(session, tolerance=tolerance, revision=session.revision + 1)
        self.store.want(session.token, session.wanted)  # first: an older answer must not overwrite this region
        fresh = replace(case, growth=growth, given=given, outcome=None, report=None, analysed=None)
        case = self.store.put(session.case_key, fresh)
        return session, shown.region(case, session, self._viewer(case, session))


def grown(case: LoadedCase, session: Session) -> Growth:
    """Growing from the session's seeds, with every leak closed that the visitor cut."""
    growth = grow(case.image, session.seeds, reach_mm=session.reach_mm)
    for _ in range(session.cuts):
        if growth.leak is None:
            break
        growth = grow(case.image, session.seeds, reach_mm=session.reach_mm, keep_out=cut_at_neck(growth))
    return growth


def _position(mm: Sequence[float]) -> tuple[float, float, float]:
    """Place the browser sent."""
    position = [float(value) for value in mm]
    if len(position) != 3 or not np.isfinite(position).all():
        raise InvalidArgumentError("position must be three finite numbers in mm; click inside the image")
    return position[0], position[1], position[2]
