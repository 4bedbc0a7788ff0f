"""Occlusion on demand: what a network's answer for the marked lesion depends on."""

from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from spinehub.demo.cases import LoadedCase
from spinehub.demo.regions import RegionHandlers, Reply
from spinehub.demo.session import Session
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError
from spinehub.render.wording import ROUTE_NAMES
from spinehub.routes import DEFAULT_MODELS, load_model
from spinehub.series import ParametricMap
from spinehub.volume import Mask

__all__ = ["NETWORK_ROUTES", "OcclusionHandlers"]

NETWORK_ROUTES = ("unet", "inception_resnet")
"""The routes that read the image itself, and can be explained by covering it."""


def _explain(*arguments: Any, **named: Any) -> ParametricMap:
    from spinehub.models import explain_by_occlusion  # loads torch, which the page itself does without

    return explain_by_occlusion(*arguments, **named)


class OcclusionHandlers(RegionHandlers):
    """Handler of occlusion."""

    explain: Any = staticmethod(_explain)

    def occlude(self, event: gr.EventData, session: Session, progress: gr.Progress = gr.Progress()) -> Reply:  # noqa: B008
        """Cover the lesion piece by piece and lay over the image how far the answer moves."""
        route, case = event.route, self._case(session)
        if session.labels_hidden:
            gr.Info("The networks answer after you commit.")
            return KEEP, View()
        mask = _mask(case, session)
        if route not in NETWORK_ROUTES or mask is None or case.outcome is None:
            raise InvalidArgumentError("a lesion must be marked and analysed before its places can be covered")
        asked = f"{session.token}/occlusion"
        self.store.want(asked, session.wanted)

        def tell(share: float, text: str) -> None:
            if not (self.store.wants(asked, session.wanted) and self.store.wants(session.token, session.wanted)):
                raise _NotWanted
            progress(share, desc=text)

        try:
            model = load_model(route, DEFAULT_MODELS[route])
            found = self.explain(model, case.image, mask, timing=case.timing, maps=case.maps, progress=tell)
            tell(1.0, "done")
        except _NotWanted:
            return KEEP, View()
        if not np.nan_to_num(found.values).any():
            gr.Info(f"{ROUTE_NAMES[route]}: its answer does not depend on the image here, so there is nothing to show.")
            return KEEP, View()
        case = self.store.put(session.case_key, _with_occlusion(self._case(session), route, found.values))
        return KEEP, View(viewer=self._viewer(case, session))

    def stop_occlusion(self, session: Session) -> None:
        """Stop covering places before the next one."""
        self.store.want(f"{session.token}/occlusion", ("stopped",))


class _NotWanted(Exception):  # noqa: N818 - no error: the visitor pressed Stop or set another region
    """Ends an explanation nobody waits for."""


def _mask(case: LoadedCase, session: Session) -> Mask | None:
    if case.given is not None:
        return case.given
    if case.growth is None or session.tolerance is None:
        return None
    return case.growth.mask(session.tolerance)


def _with_occlusion(case: LoadedCase, route: str, values: Any) -> LoadedCase:
    """Case whose last answer carries the map of one more route."""
    if case.outcome is None:
        return case
    known = case.outcome.explanations
    explanations = {**known, route: {**known.get(route, {}), "occlusion": values}}
    return replace(case, outcome=replace(case.outcome, explanations=explanations))
