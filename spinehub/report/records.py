"""The result of one analysis, as records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from spinehub.errors import InvalidArgumentError
from spinehub.features import FeatureRow
from spinehub.growing import Growth, Stability
from spinehub.io import Source
from spinehub.perfusion import Comparison, HotSpot, Parameter, Timing
from spinehub.render import Scene
from spinehub.report.measures import Measures
from spinehub.report.reader import ReaderNotes
from spinehub.series import Curve, DynamicSeries, ParametricMap
from spinehub.volume import Mask, Volume

__all__ = ["ROUTES", "WARNING_CODES", "Decision", "Finding", "Report", "ReportWarning", "RouteAnswer", "RouteName"]

RouteName: TypeAlias = Literal["hotspot", "radiomics", "unet", "inception_resnet"]
ROUTES: tuple[RouteName, ...] = ("hotspot", "radiomics", "unet", "inception_resnet")
"""The four routes to a diagnosis, in the order in which every report lists them."""

Decision: TypeAlias = Literal["metastasis", "primary_malignant", "undecided", "not_available"]

WARNING_CODES = (
    "outside_training_distribution",
    "simulated_weights",
    "not_contrast_enhanced",
    "no_enhancing_lesion",
    "timing_missing",
    "timing_insufficient",
    "single_volume",
    "leak_suspected",
    "small_lesion",
    "motion_suspected",
    "weights_not_installed",
)


@dataclass(frozen=True)
class ReportWarning:
    """One thing the reader must know, as a code for programs and a sentence for people."""

    code: str
    message: str

    def __post_init__(self) -> None:
        if self.code not in WARNING_CODES:
            raise InvalidArgumentError(f"code of a warning must be one of {WARNING_CODES}, got {self.code!r}")


@dataclass(frozen=True, eq=False)
class RouteAnswer:
    """What one route says.

    Parameters
    ----------
    name
        One of :data:`ROUTES`.
    decision
        A class, ``"undecided"``, or ``"not_available"``.
    probabilities
        ``{"metastasis": p, "primary_malignant": 1 - p}`` for equal priors, or None.
    reason
        Why there is no answer or no decision: a code, a colon and a sentence; None where there is a decision.
    model
        ``{"id": ..., "sha256": ...}`` of the weights, or None where no model was asked for.
    held_out
        Score on patients never trained on, for this regime: auc, accuracy, interval, n, cohort, regime,
        mask_source, simulated; or None.
    explanation
        For the page, by kind: ``"path"`` (sentences of the rule), ``"contributions"`` (name and log-odds of each
        feature, largest first), ``"class_map"`` ((I, J, K) float32 probability of a primary tumour, NaN outside).
    """

    name: RouteName
    decision: Decision
    probabilities: Mapping[str, float] | None = None
    reason: str | None = None
    model: Mapping[str, str | None] | None = None
    held_out: Mapping[str, Any] | None = None
    explanation: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.name not in ROUTES:
            raise InvalidArgumentError(f"name of a route must be one of {ROUTES}, got {self.name!r}")
        if self.decision == "not_available" and (self.probabilities is not None or not self.reason):
            raise InvalidArgumentError("a route that is not available must have a reason and no probabilities")


@dataclass(frozen=True, eq=False)
class Finding:
    """One lesion as found: its mask and everything measured in it."""

    mask: Mask
    measures: Measures
    curve: Curve | None = None
    hot_spot: HotSpot | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    features: FeatureRow | None = None

    @property
    def volume_ml(self) -> float:
        """Volume in ml."""
        return self.measures.volume_ml


@dataclass(frozen=True, eq=False)
class Report:
    """Everything one call of :func:`spinehub.pipeline.analyse` found.

    Parameters
    ----------
    image
        What was analysed.
    timing
        Regime and contrast arrival.
    maps
        Every parametric map that could be computed.
    missing_maps
        Why the others could not: map name to one sentence.
    growth, tolerance
        The grown region and the tolerance used; None where the mask was given or nothing was marked.
    findings
        The lesion, or nothing in explore mode.
    routes
        Always four, in the order of :data:`ROUTES`.
    warnings
        In the order of :data:`WARNING_CODES`, each code at most once.
    source
        File names and hashes; None for data that did not come from a file.
    references
        The lesion beside reference regions a reader placed; empty as `analyse` returns it.
    stability
        How far the region agrees with itself, grown again from jittered seeds; None where that was not asked for.
    reader
        What the reader states and nothing here measures; empty as `analyse` returns it.
    """

    image: DynamicSeries | Volume
    timing: Timing
    maps: Mapping[str, ParametricMap]
    routes: tuple[RouteAnswer, ...]
    warnings: tuple[ReportWarning, ...] = ()
    missing_maps: Mapping[str, str] = field(default_factory=dict)
    growth: Growth | None = None
    tolerance: float | None = None
    findings: tuple[Finding, ...] = ()
    source: Source | None = None
    stability: Stability | None = None
    reader: ReaderNotes = field(default_factory=ReaderNotes)
    references: tuple[Comparison, ...] = ()

    def __post_init__(self) -> None:
        if tuple(answer.name for answer in self.routes) != ROUTES:
            raise InvalidArgumentError(f"routes must be the four answers {ROUTES} in this order")

    @property
    def finding(self) -> Finding | None:
        """The lesion that was marked, None in explore mode."""
        return self.findings[0] if self.findings else None

    @property
    def curve(self) -> Curve | None:
        """Enhancement curve of the lesion."""
        return self.finding.curve if self.finding else None

    @property
    def hot_spot(self) -> HotSpot | None:
        """Where the two parameters were read."""
        return self.finding.hot_spot if self.finding else None

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The two parameters, always both keys; values are None with a reason where they could not be read."""
        if self.finding:
            return self.finding.parameters
        missing = Parameter(value=None, uncertainty=None, unit="%", reason="no_lesion: no seed and no mask was given")
        return {"early_enhancement": missing, "washout": missing}

    @property
    def scene(self) -> Scene:
        """What its figures show."""
        seeds = self.growth.seeds if self.growth is not None else ()
        mask = self.finding.mask if self.finding is not None else None
        names = ("early_enhancement", "percent_enhancement", "peak_enhancement")
        shown = next((self.maps[name] for name in names if name in self.maps), None)
        return Scene(self.image, self.timing, mask, self.curve, self.hot_spot, seeds, shown)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types, format ``spinehub-report/1``."""
        from spinehub.report.document import report_document

        return report_document(self)

    def save(self, folder: str | Path) -> Path:
        """Write report.json, mask, features, curve, figure, page and maps into a folder; see :mod:`.files`."""
        from spinehub.report.files import save_report

        return save_report(self, Path(folder))
