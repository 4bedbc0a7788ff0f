"""Plain images in place of the viewer, for browsers without WebGL2: a slice, another slice, a click on it."""

from dataclasses import replace

import gradio as gr

from spinehub.demo import shown
from spinehub.demo.regions import RegionHandlers, Reply
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP
from spinehub.volume import Seed

__all__ = ["PlainHandlers"]


class PlainHandlers(RegionHandlers):
    """Handlers of the plain images."""

    def unsupported(self, session: Session) -> Reply:
        """Show plain images instead of the viewer."""
        return KEEP, shown.plain(self._case(session), session, None)

    def plain_slice(self, slice_number: float, session: Session) -> Reply:
        """Draw another slice."""
        return KEEP, shown.plain(self._case(session), session, int(slice_number) - 1)

    def plain_click(self, event: gr.SelectData, slice_number: float, kind: str, session: Session) -> Reply:
        """Place a seed where the plain image was clicked, and draw the slice again."""
        grid = self._case(session).image.grid
        index = shown.plain_voxel(grid, int(slice_number) - 1, event.index)
        session, view = self._add(Seed.at_index(index, grid, background=kind == "background"), session)
        drawn = shown.plain(self._case(session), session, int(slice_number) - 1)
        return session, replace(view, plain_image=drawn.plain_image)
