"""Loaded cases: voxels, what was computed from them once, and the last result; a bounded store of them."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spinehub.demo.session import Session
from spinehub.growing import Growth
from spinehub.io import Source
from spinehub.perfusion import HotSpot, Reference, Timing
from spinehub.report import Report
from spinehub.series import Curve, DynamicSeries, ParametricMap
from spinehub.volume import Mask, Volume

__all__ = ["CaseStore", "LoadedCase", "Outcome"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the panels show of an analysis; made from a report, or from the stored one of the bundled example.

    Parameters
    ----------
    document
        The report as in report.json.
    explanations
        Route name to its explanation (``"path"``, ``"contributions"``, ``"class_map"``).
    curve, hot_spot
        Of the lesion; None where there is none.
    agreement
        Share of growings from moved clicks that hold each voxel; None where none were repeated.
    missing_maps
        Map name to the sentence that says why it could not be computed.
    """

    document: Mapping[str, Any]
    explanations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    curve: Curve | None = None
    hot_spot: HotSpot | None = None
    missing_maps: Mapping[str, str] = field(default_factory=dict)
    agreement: ParametricMap | None = None

    @classmethod
    def of(cls, report: Report) -> "Outcome":
        """Outcome of a report."""
        explanations = {str(answer.name): answer.explanation for answer in report.routes}
        agreement = None if report.stability is None else report.stability.agreement
        return cls(report.to_dict(), explanations, report.curve, report.hot_spot, report.missing_maps, agreement)


@dataclass(frozen=True, eq=False)
class LoadedCase:
    """Voxels of a case and what was computed from them.

    Parameters
    ----------
    image, timing, maps
        What was read, its timing, and every map that could be computed.
    info
        What the browser is told about the case (:func:`spinehub.demo.scene.case_info`).
    source
        Names and hashes of the files.
    growth
        The last growing; its seeds and reach say whether it still fits.
    given
        The mask where it was not grown: the U-Net's own or an uploaded one.
    references
        Reference regions on the page; here too, so that an answer worked out meanwhile shows them.
    outcome, report
        The last analysis, and its full report for the downloads.
    truth
        The true lesion of a teaching case, once the reader has committed; None before, and for every other case.
    analysed
        What the last analysis was asked for (:attr:`spinehub.demo.session.Session.wanted`).
    """

    image: DynamicSeries | Volume
    timing: Timing
    maps: Mapping[str, ParametricMap]
    info: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = None
    growth: Growth | None = None
    outcome: Outcome | None = None
    report: Report | None = None
    truth: Mask | None = None
    analysed: tuple[object, ...] | None = None
    given: Mask | None = None
    references: tuple[Reference, ...] = ()


class CaseStore:
    """The most recently used cases of all visitors; the oldest leave first.

    A key starts with the visitor's token. Beside the cases it remembers what each visitor wants now, so that an
    answer that comes late is not shown.
    """

    def __init__(self, limit: int = 6) -> None:
        self._limit = limit
        self._cases: OrderedDict[tuple[object, ...], LoadedCase] = OrderedDict()
        self._wanted: dict[str, tuple[object, ...]] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> LoadedCase | None:
        """The case under a key, now the most recent one; None where it was never loaded or has left."""
        with self._lock:
            if key in self._cases:
                self._cases.move_to_end(key)
            return self._cases.get(key)

    def put(self, key: tuple[object, ...], case: LoadedCase) -> LoadedCase:
        """Keep a case and let the oldest go."""
        with self._lock:
            self._cases[key] = case
            self._cases.move_to_end(key)
            while len(self._cases) > self._limit:
                self._cases.popitem(last=False)
        return case

    def want(self, token: str, wanted: tuple[object, ...]) -> None:
        """Note what a visitor wants to see analysed."""
        with self._lock:
            self._wanted[token] = wanted

    def wants(self, token: str, wanted: tuple[object, ...]) -> bool:
        """Whether that is still what the visitor wants; one who has left wants nothing any more."""
        with self._lock:
            return self._wanted.get(token) == wanted

    def want_files(self, session: Session) -> None:
        """Note what the files a visitor takes away have to hold."""
        self.want(f"{session.token}/files", session.files_wanted)

    def wants_files(self, session: Session) -> bool:
        """Whether these are still the files the visitor wants."""
        return self.wants(f"{session.token}/files", session.files_wanted)

    def still_open(self, key: tuple[object, ...]) -> bool:
        """Whether that is still the case its visitor looks at."""
        with self._lock:
            wanted = self._wanted.get(str(key[0]))
            return wanted is None or wanted[0] in (key, "stopped")

    def drop(self, token: str) -> None:
        """Forget everything of one visitor."""
        with self._lock:
            for name in [name for name in self._wanted if name.split("/")[0] == token]:
                del self._wanted[name]
            for key in [key for key in self._cases if key[0] == token]:
                del self._cases[key]

    def __len__(self) -> int:
        return len(self._cases)
