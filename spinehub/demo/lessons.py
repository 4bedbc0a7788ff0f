"""Teaching cases on the page: rendered when asked for; what they are stays on the server until the reader commits."""

import threading
from dataclasses import replace
from functools import lru_cache

from spinehub.demo.cases import LoadedCase
from spinehub.demo.scene import case_info
from spinehub.demo.session import Session
from spinehub.errors import InvalidArgumentError
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.teaching import TeachingCase, teaching_cases
from spinehub.volume import Mask

__all__ = ["lesson_case", "lesson_numbered", "true_lesion"]

_KEPT = 2
"""Rendered cases kept for all visitors (about 80 MB each): a class mostly looks at one case at a time."""
_RENDERING = threading.Lock()


def lesson_numbered(number: int) -> TeachingCase:
    """Teaching case of a number that came from a browser.

    Raises
    ------
    InvalidArgumentError
        If there is none.
    """
    cases = teaching_cases()
    if number not in range(1, len(cases) + 1):
        raise InvalidArgumentError(f"number of a teaching case must be 1 to {len(cases)}, got {number}")
    return cases[number - 1]


def lesson_case(session: Session) -> LoadedCase:
    """Loaded teaching case of a session; the true lesion is part of it only after the reader has committed."""
    case, truth = _rendered(session)
    return case if session.labels_hidden else replace(case, truth=truth)


def true_lesion(session: Session) -> Mask:
    """True lesion of the teaching case a session looks at."""
    return _rendered(session)[1]


def _rendered(session: Session) -> tuple[LoadedCase, Mask]:
    if session.teaching is None:
        raise InvalidArgumentError("session must look at a teaching case; open one on the Teaching tab")
    with _RENDERING:  # a class opens a case together: it is rendered once
        return _render(session.teaching)


@lru_cache(maxsize=_KEPT)
def _render(number: int) -> tuple[LoadedCase, Mask]:
    rendered = lesson_numbered(number).render()
    timing = assess_timing(rendered.series)
    maps = compute_maps(rendered.series, timing)
    info = case_info(rendered.series, timing, maps)
    return LoadedCase(rendered.series, timing, maps, info), rendered.lesions[0].mask
