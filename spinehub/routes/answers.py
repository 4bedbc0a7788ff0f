"""What each of the four routes says about one lesion, and what a reader must know about all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from spinehub.growing import Growth
from spinehub.perfusion import Timing
from spinehub.render.wording import ROUTE_NAMES
from spinehub.report import ROUTES, Finding, ReportWarning, RouteAnswer, RouteName
from spinehub.routes.domain import merge_ranges, unusual_acquisition
from spinehub.routes.held_out import held_out_score, no_better_than_chance, no_trusted_outline
from spinehub.routes.pool import DEFAULT_MODELS, load_model
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Volume

__all__ = [
    "ENHANCEMENT_FLOOR_PERCENT",
    "LEAST_LESION_SHARE",
    "RouteAnswers",
    "RouteContext",
    "answer_routes",
    "lesion_enhances",
]

ENHANCEMENT_FLOOR_PERCENT = 20.0
"""A lesion too small for a hot spot counts as enhancing where its mean curve rises by this much."""
LEAST_LESION_SHARE: Mapping[str, float] = MappingProxyType({"dynamic": 0.25, "pre_post": 0.25, "single": 0.6})
"""Of the marked region the U-Net must call so much lesion without being shown it, or no route answers; by regime, since
with less to see it calls more tissue lesion. Set on 27 simulated patients with and without their lesion (seed 70204):
95th percentile without it and fifth with it 0.04 and 0.47 in timed series, 0.09 and 0.38 before and after; on a single
volume 0.56 and 0.04, so that about four of ten lesions are turned away there. What passes is in
benchmarks/model_checks.md."""
_UNSEEN = (
    "no_lesion_seen: the U-Net calls too little of the marked region lesion, so no method may judge it; correct "
    "the region"
)
_LESION_PIXEL = 0.5
"""Voxels of the class map: where the U-Net calls lesion at least this probable."""


@dataclass(frozen=True, eq=False)
class RouteContext:
    """What the routes may look at."""

    image: DynamicSeries | Volume
    timing: Timing
    maps: Mapping[str, ParametricMap]
    finding: Finding | None
    growth: Growth | None = None


@dataclass(frozen=True, eq=False)
class RouteAnswers:
    """Four answers, in the order of :data:`spinehub.report.ROUTES`, and the warnings that go with them."""

    routes: tuple[RouteAnswer, ...]
    warnings: tuple[ReportWarning, ...]


@dataclass(frozen=True, eq=False)
class _Said:
    """What a model said, before it is known whether the image is usual."""

    probabilities: Mapping[str, float] | None
    decision: str
    reason: str | None
    unusual: tuple[str, ...] = ()
    explanation: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    sees_lesion: bool = True

    @classmethod
    def of(cls, answer: Any, **more: Any) -> "_Said":
        return cls(answer.probabilities, answer.decision, answer.reason, **more)


def answer_routes(
    context: RouteContext,
    models: Mapping[str, Any] | None = None,
    before: Callable[[str], None] | None = None,
    *,
    evaluating: bool = False,
) -> RouteAnswers:
    """Ask the four routes.

    No route gives a probability where nothing is marked, the lesion does not enhance, or the U-Net, asked too, sees no
    lesion in the marked region: a rule or a regression would judge any tissue. A route that its own evaluation did not
    find better than a coin on such input gives none either, and none does where the evaluation of the U-Net, asked too,
    found its outlines worse than an empty mask. Where the image is unlike the training cases the
    probabilities stay, but nothing is decided, and the reasons are named.

    Parameters
    ----------
    context
        The case.
    models
        Route name to a loaded model or its id; None: :data:`DEFAULT_MODELS`.
    before
        Called with the name of each route before its model is asked; what it raises ends the work.
    evaluating
        Whether the answers are to be scored: then earlier evaluations silence no route.

    Raises
    ------
    ModelError
        If a model that was asked for does not exist or its files are altered; embedded weights that are not
        installed are no error: the route is not available.
    """
    models = DEFAULT_MODELS if models is None else models
    blocked = _blocked(context)
    loaded: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in ROUTES:
        if blocked is None:
            _load(name, models, loaded, missing)
    ranges = merge_ranges(getattr(model, "training", None) for model in loaded.values())
    unusual = unusual_acquisition(context.image, context.timing, ranges)
    asked: dict[str, _Said] = {}
    for asking, model in loaded.items():
        if before is not None:
            before(asking)
        told = _ASK[asking](context, model)
        asked[asking] = told if evaluating else _unless_at_chance(told, model, context.timing)
    outlining = None if evaluating or "unet" not in loaded else loaded["unet"].evaluation
    # First: another region would not help where no outline is trusted.
    silent = no_trusted_outline(outlining, context.timing.regime)
    if silent is None and not all(one.sees_lesion for one in asked.values()):
        silent = _UNSEEN
    said = asked if silent is None else _silenced(asked, silent)
    routes = []
    for name in ROUTES:
        if name in said:
            routes.append(_answer(name, loaded[name], said[name], unusual, context.timing))
        else:
            reason = blocked or missing[name]
            routes.append(RouteAnswer(name, "not_available", reason=reason, model=_named(models.get(name))))
    own = [f"{name}: {text}" for name in said for text in said[name].unusual]
    return RouteAnswers(tuple(routes), tuple(_warnings(routes, loaded, unusual, own, blocked)))


def lesion_enhances(context: RouteContext) -> bool | None:
    """Whether the marked lesion takes up contrast; None where that cannot be told (nothing marked, or one volume)."""
    finding = context.finding
    if finding is None or isinstance(context.image, Volume):
        return None
    if finding.hot_spot is not None:
        return finding.hot_spot.enhances
    if finding.curve is None or not np.isfinite(finding.curve.enhancement).any():
        return False
    return bool(np.nanmax(finding.curve.enhancement) >= ENHANCEMENT_FLOOR_PERCENT)


def _blocked(context: RouteContext) -> str | None:
    if context.finding is None:
        return "no_lesion: No lesion is marked; click one or give a mask."
    if lesion_enhances(context) is False:
        return "no_enhancing_lesion: The marked region does not take up contrast, so no method may judge it."
    return None


def _unless_at_chance(said: _Said, model: Any, timing: Timing) -> _Said:
    """The same, or no answer where answers to such input were not found better than a coin."""
    reason = no_better_than_chance(model.evaluation, timing.regime)
    if reason is None or (said.probabilities is None and said.sees_lesion):
        return said
    return _Said(None, "not_available", reason, sees_lesion=said.sees_lesion)


def _silenced(said: Mapping[str, _Said], reason: str) -> dict[str, _Said]:
    """No answers; a route without one keeps its own reason."""
    return {
        name: one
        if one.probabilities is None
        else replace(one, probabilities=None, decision="not_available", reason=reason, unusual=())
        for name, one in said.items()
    }


def _load(name: RouteName, models: Mapping[str, Any], loaded: dict[str, Any], missing: dict[str, str]) -> None:
    from spinehub.models import WeightsNotInstalledError

    if models.get(name) is None:
        missing[name] = "no_model: No model was asked for."
        return
    try:
        loaded[name] = load_model(name, models[name])
    except WeightsNotInstalledError as error:
        missing[name] = f"weights_not_installed: {_sentence(str(error))}"


def _sentence(text: str) -> str:
    """Give the words after a reason's code, if it has one, a capital and a full stop."""
    code, colon, words = text.partition(": ")
    if not colon or not code.replace("_", "").isalnum() or not code.islower():
        code, colon, words = "", "", text
    words = words[:1].upper() + words[1:]
    return f"{code}{colon}{words if words.endswith('.') else words + '.'}"


def _named(model: Any) -> dict[str, str | None] | None:
    if model is None:
        return None
    # a path may hold a person's name: only its last part is told
    name = model.rstrip("/").rpartition("/")[2] if isinstance(model, str) and "/" in model else model
    return {"id": str(getattr(model, "model_id", None) or getattr(name, "name", name)), "sha256": None}


def _answer(name: RouteName, model: Any, said: _Said, unusual: tuple[str, ...], timing: Timing) -> RouteAnswer:
    answer = RouteAnswer(
        name=name,
        decision=cast("Any", said.decision),
        probabilities=said.probabilities,
        reason=_sentence(said.reason) if said.reason else None,
        model={"id": str(model.model_id), "sha256": str(model.sha256)},
        held_out=held_out_score(model.evaluation, timing.regime),
        explanation=said.explanation,
    )
    strange = (*unusual, *said.unusual)
    if answer.probabilities is None:
        return answer
    if strange:
        reason = f"outside_training_distribution: Unlike the training cases: {'; '.join(strange)}."
        return replace(answer, decision="undecided", reason=reason)
    if answer.decision == "undecided" and answer.reason is None:
        return replace(answer, reason="ambiguous: Not exactly one of the two classes stays possible.")
    return answer


def _warnings(
    routes: list[RouteAnswer],
    loaded: Mapping[str, Any],
    unusual: tuple[str, ...],
    own: list[str],
    blocked: str | None,
) -> list[ReportWarning]:
    """Warnings of all routes; `unusual` is true of the image for all of them, `own` for single models alone."""
    warnings = []
    if unusual or own:
        text = f"This image is unlike the cases the models were trained on: {'; '.join((*unusual, *own))}."
        silent = "No method decides here." if unusual else "Methods that find it so do not decide here."
        warnings.append(ReportWarning("outside_training_distribution", f"{text} {silent}"))
    if any(route.probabilities is not None and _learned_from_simulation(loaded[route.name]) for route in routes):
        text = "These models were trained on simulated cases. Accuracy on real patients: unknown."
        warnings.append(ReportWarning("simulated_weights", text))
    if blocked is not None and blocked.startswith("no_enhancing_lesion"):
        warnings.append(ReportWarning("no_enhancing_lesion", blocked.partition(": ")[2]))
    absent = [ROUTE_NAMES[route.name] for route in routes if (route.reason or "").startswith("weights_not_installed")]
    if absent:
        text = f"No weights are installed for {', '.join(absent)}; train them with 'spinehub train' or give a folder."
        warnings.append(ReportWarning("weights_not_installed", text))
    return warnings


def _learned_from_simulation(model: Any) -> bool:
    """Whether simulated cases were part of a model's training; assumed where its record does not say."""
    return (getattr(model, "training", None) or {}).get("simulated_cases", 1) != 0


def _ask_hotspot(context: RouteContext, rule: Any) -> _Said:
    finding, image = context.finding, context.image
    if finding is None or isinstance(image, Volume):
        return _Said(None, "not_available", "missing_input: the rule needs the two parameters of a dynamic series")
    for parameter in finding.parameters.values():
        if parameter.value is None:
            return _Said(None, "not_available", parameter.reason)
    values = (finding.parameters["early_enhancement"].value, finding.parameters["washout"].value)
    answer = rule.predict(*values, protocol=image.protocol, frame_interval_s=image.frame_interval_s)
    if answer.probabilities is None:
        return _Said.of(answer)
    return _Said.of(answer, unusual=tuple(rule.unusual(*values)), explanation={"path": tuple(rule.path(*values))})


def _ask_radiomics(context: RouteContext, classifier: Any) -> _Said:
    from spinehub.models.feature_classifier import feature_in_words

    row = context.finding.features if context.finding is not None else None
    if row is None:
        return _Said(None, "not_available", "missing_input: no features were computed")
    regime = context.timing.regime
    answer = classifier.predict(row, regime)
    if answer.probabilities is None:
        return _Said.of(answer)
    terms = tuple((feature_in_words(term.feature), term.log_odds) for term in classifier.contributions(row, regime))
    return _Said.of(answer, unusual=tuple(classifier.unusual(row, regime)), explanation={"contributions": terms})


def _ask_network(context: RouteContext, network: Any) -> _Said:
    if context.finding is None:
        return _Said(None, "not_available", "missing_input: no lesion is marked")
    result = network.predict(context.image, context.finding.mask, timing=context.timing, maps=context.maps)
    share = result.lesion_share
    least = max(LEAST_LESION_SHARE[context.timing.regime], getattr(network, "least_lesion_share", 0.0))
    seen = share is None or share >= least
    explanation: dict[str, Any] = {}
    if result.softmax is not None:
        class_map = _class_map(result.softmax, result.stack, context)
        explanation["lesion_share"] = share
        if np.isfinite(class_map).any():
            explanation["class_map"] = class_map
    return _Said.of(result.answer, unusual=tuple(result.unusual), explanation=explanation, sees_lesion=seen)


def _class_map(softmax: NDArray[np.float32], stack: Any, context: RouteContext) -> NDArray[np.float32]:
    """``(I, J, K)`` probability of a primary tumour given lesion, where the network sees lesion; NaN elsewhere."""
    lesion, primary = (
        stack.to_grid(np.ascontiguousarray(values), context.image.grid)
        for values in (softmax[:, 1] + softmax[:, 2], softmax[:, 2])
    )
    shown = np.full(lesion.shape, np.nan, dtype=np.float32)
    np.divide(primary, lesion, out=shown, where=lesion >= _LESION_PIXEL)
    return shown


_ASK: Mapping[str, Callable[[RouteContext, Any], _Said]] = MappingProxyType(
    {
        "hotspot": _ask_hotspot,
        "radiomics": _ask_radiomics,
        "unet": _ask_network,
        "inception_resnet": _ask_network,
    }
)
