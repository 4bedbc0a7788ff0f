"""Where the mask comes from: grown, drawn by the U-Net, or a file; and places the U-Net proposes without a click."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from spinehub.demo.cases import LoadedCase
from spinehub.demo.markup import sentence
from spinehub.demo.regions import RegionHandlers, Reply, grown
from spinehub.demo.session import MaskSource, Session, Workspace
from spinehub.demo.source_panels import SOURCES, no_proposals, proposals_panel
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError, SpineHubError
from spinehub.growing import Growth
from spinehub.io import read_mask
from spinehub.routes import DEFAULT_MODELS, network_mask, propose_lesions
from spinehub.volume import Mask

__all__ = ["MaskHandlers"]


class MaskHandlers(RegionHandlers):
    """Handlers of the mask's source and of proposals."""

    workspace: Workspace
    segmenter: Any = DEFAULT_MODELS["unet"]
    """The U-Net that draws masks and proposes lesions, or its name."""

    def choose_source(self, source: MaskSource, session: Session) -> Reply:
        """Take the mask from another source; the seeds stay."""
        if source not in SOURCES:
            raise InvalidArgumentError(f"mask source must be one of {tuple(SOURCES)}, got {source!r}")
        try:
            return self._grow_again(replace(self._known(session), mask_source=source, cuts=0))
        except SpineHubError as error:
            gr.Warning(sentence(error), title="Not possible", duration=12)
            return KEEP, View(mask_source=session.mask_source)  # the choice on the page goes back too

    def upload_mask(self, file: Sequence[str] | None, session: Session) -> Reply:
        """Take a mask of the visitor's; refused in one sentence where it does not lie on the image's voxels."""
        if not file:
            return KEEP, View()
        case = self._case(session)
        (path,) = self.workspace.take(session.token, file[:1])
        read_mask(path, case.image.grid)
        return self._grow_again(replace(session, mask_source="file", mask_file=path, cuts=0))

    def propose(self, session: Session, progress: gr.Progress = gr.Progress()) -> Reply:  # noqa: B008
        """Run the U-Net over the whole volume and offer what it calls lesion as places for a seed."""
        case, search = self._case(session), _search_of(session)
        self.store.want(search, session.case_key)

        def tell(share: float, text: str) -> None:
            if not (self.store.wants(search, session.case_key) and self.store.still_open(session.case_key)):
                raise _SearchEnded
            progress(share, desc=text)

        try:
            found = propose_lesions(case.image, self.segmenter, timing=case.timing, maps=case.maps, progress=tell)
            tell(1.0, "done")
        except _SearchEnded:
            stopped = self.store.still_open(session.case_key)
            return KEEP, View(proposals_panel=no_proposals("Stopped.")) if stopped else View()
        return KEEP, View(proposals_panel=proposals_panel(case, found))

    def stop_search(self, session: Session) -> Reply:
        """Stop the search before its next crop."""
        self.store.want(_search_of(self._known(session)), ("stopped",))
        return KEEP, View()

    def _marked(self, case: LoadedCase, session: Session) -> tuple[Growth | None, Mask | None]:
        if session.mask_source == "file":
            return None, read_mask(session.mask_file, case.image.grid) if session.mask_file else None
        if all(seed.background for seed in session.seeds):
            return None, None
        if session.mask_source == "unet":
            given = network_mask(case.image, session.seeds, self.segmenter, timing=case.timing, maps=case.maps)
            return None, given
        return grown(case, session), None


class _SearchEnded(Exception):  # noqa: N818 - no error: the visitor pressed Stop or opened another case
    """Ends a search nobody waits for."""


def _search_of(session: Session) -> str:
    """Name under which the store notes what a visitor searches."""
    return f"{session.token}/search"
