"""The schema of ``evaluation.json``: what a model scored on simulated patients it was never trained on.

::

    {"format": "spinehub-evaluation/1", "model": "unet-dce", "route": "unet", "simulated": true,
     "simulator_version": "1", "command": "spinehub evaluate ...",
     "cohort": {"name": "matched", "seed": 7, "cases": 1000, "training_seed": 1, "training_cases": 4000},
     "regimes": {"dynamic": {"end_to_end": SCORES, "truth_mask": SCORES}, "pre_post": ..., "single": ...},
     "baselines": {"age only": {"auc": FIGURE}, ...},
     "training": {...}}

``end_to_end``: the region grew from one simulated click at the automatic tolerance; ``truth_mask``: it was the true
one. SCORES holds the counts ``n`` and ``n_answered``, and a FIGURE for each name in :data:`ANSWER_FIGURES`; scores of
a model that segments also for those in :data:`MASK_FIGURES`, all or none, so that pixel accuracy never stands without
the empty mask's. :data:`MORE_ANSWER_FIGURES` and :data:`MORE_MASK_FIGURES` may stand beside them. A FIGURE is
``{"value": x, "low": x, "high": x}`` with a 95 % interval over patients; null where it is undefined. Objects of other
names may stand beside those above: ``subgroups``, ``differences``, ``agreement``, ``decision_curve``, and
``cross_validation`` (``folds``, ``seed``) where each case was judged by a model of the other folds of one cohort.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from spinehub.cards.second_world import SECOND_WORLD, second_world_problems
from spinehub.errors import ModelError

__all__ = [
    "ANSWER_FIGURES",
    "EVALUATION_FORMAT",
    "MASK_FIGURES",
    "MASK_SOURCES",
    "MORE_ANSWER_FIGURES",
    "MORE_MASK_FIGURES",
    "REGIMES",
    "held_out_score",
    "validate_evaluation",
]

EVALUATION_FORMAT = "spinehub-evaluation/1"
ROUTES = (
    "hotspot",
    "radiomics",
    "unet",
    "inception_resnet",
    "stacked",
    "unet_embedding",
    "inception_resnet_embedding",
)
"""The four routes and the rows beside them."""
REGIMES = ("dynamic", "pre_post", "single")
MASK_SOURCES = ("end_to_end", "truth_mask")
ANSWER_FIGURES = (
    "auc",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "brier",
    "calibration_slope",
    "calibration_intercept",
    "undecided_share",
    "coverage",
)
"""Positive class: ``primary_malignant``. ``accuracy`` cuts the probability at 0.5; ``undecided_share`` and
``coverage`` are of the conformal sets."""
MASK_FIGURES = ("dice", "iou", "pixel_accuracy", "empty_mask_pixel_accuracy", "gap_closed", "hd95_mm")
MORE_ANSWER_FIGURES = ("efficiency",)
"""Known only where the simulator gives the exact posterior: (AUC - 0.5) / (AUC of the posterior - 0.5)."""
MORE_MASK_FIGURES = (
    "surface_distance_mm",
    "volume_error_ml",
    "mean_pixel_accuracy",
    "mean_iou",
    "frequency_weighted_iou",
    "iou_background",
    "iou_metastasis",
    "iou_primary_malignant",
)
"""Not there for the grown region, which names no class, nor in files written before they were added."""
_KNOWN = (*ANSWER_FIGURES, *MORE_ANSWER_FIGURES, *MASK_FIGURES, *MORE_MASK_FIGURES)
_TEXTS = ("model", "simulator_version", "command")
_COUNTS = ("seed", "cases", "training_seed", "training_cases")
_UNIT_RANGE = set(_KNOWN) - {
    "calibration_slope",
    "calibration_intercept",
    "efficiency",
    "gap_closed",
    "hd95_mm",
    "surface_distance_mm",
    "volume_error_ml",
}


def validate_evaluation(evaluation: Mapping[str, Any]) -> None:
    """Check the content of an ``evaluation.json`` against the schema of this module.

    Raises
    ------
    ModelError
        Naming the first three problems and how many there are; among them equal seeds of training and evaluation.
    """
    problems = list(_problems(evaluation))
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ModelError(f"evaluation.json must follow {EVALUATION_FORMAT}: {'; '.join(problems[:3])}{more}")


def held_out_score(evaluation: Mapping[str, Any] | None, regime: str) -> dict[str, Any] | None:
    """Score of one regime as a report shows it; end to end where there is one, else with the true mask.

    Parameters
    ----------
    evaluation
        Content of an ``evaluation.json``, or None.
    regime
        ``"dynamic"``, ``"pre_post"`` or ``"single"``.

    Returns
    -------
    dict or None
        ``auc``, ``accuracy``, ``interval`` (of the AUC), ``n``, ``cohort``, ``regime``, ``mask_source``,
        ``simulated``; None where the model was not evaluated in that regime or has no AUC there.
    """
    sources = (evaluation or {}).get("regimes", {}).get(regime, {})
    source = next((name for name in MASK_SOURCES if name in sources), None)
    if evaluation is None or source is None or sources[source]["auc"]["value"] is None:
        return None
    scores = sources[source]
    return {
        "auc": scores["auc"]["value"],
        "accuracy": scores["accuracy"]["value"],
        "interval": [scores["auc"]["low"], scores["auc"]["high"]],
        "n": scores["n_answered"],
        "cohort": evaluation["cohort"]["name"],
        "regime": regime,
        "mask_source": source,
        "simulated": True,
    }


def _problems(evaluation: Mapping[str, Any]) -> Iterator[str]:
    if evaluation.get("format") != EVALUATION_FORMAT:
        yield f"format must be {EVALUATION_FORMAT!r}, got {evaluation.get('format')!r}"
    if evaluation.get("route") not in ROUTES:
        yield f"route must be one of {ROUTES}, got {evaluation.get('route')!r}"
    if evaluation.get("simulated") is not True:
        yield f"simulated must be true, got {evaluation.get('simulated')!r}"
    for name in _TEXTS:
        if not isinstance(evaluation.get(name), str) or not evaluation[name]:
            yield f"{name} must be a text, got {evaluation.get(name)!r}"
    yield from _cohort_problems(evaluation.get("cohort"), crossed="cross_validation" in evaluation)
    regimes = evaluation.get("regimes")
    if not isinstance(regimes, Mapping) or not regimes or not set(regimes) <= set(REGIMES):
        yield f"regimes must hold one or more of {REGIMES}"
        regimes = {}
    for regime, sources in regimes.items():
        yield from _regime_problems(f"regimes.{regime}", sources)
    for name in ("baselines", "training"):
        if not isinstance(evaluation.get(name), Mapping):
            yield f"{name} must be an object"
    baselines = evaluation.get("baselines")
    for name, figures in (baselines if isinstance(baselines, Mapping) else {}).items():
        yield from _figures_problems(f"baselines.{name}", figures)
    if SECOND_WORLD in evaluation:
        yield from second_world_problems(evaluation[SECOND_WORLD], _interval_problems)


def _cohort_problems(cohort: Any, *, crossed: bool) -> Iterator[str]:
    if not isinstance(cohort, Mapping) or not isinstance(cohort.get("name"), str):
        yield f"cohort must be an object with a name and {', '.join(_COUNTS)}"
        return
    for name in _COUNTS:
        if not _is_count(cohort.get(name)):
            yield f"cohort.{name} must be a whole number, got {cohort.get(name)!r}"
    if not crossed and cohort.get("seed") == cohort.get("training_seed"):
        yield f"cohort.seed must differ from cohort.training_seed, both are {cohort.get('seed')!r}"


def _regime_problems(where: str, sources: Any) -> Iterator[str]:
    if not isinstance(sources, Mapping) or not sources or not set(sources) <= set(MASK_SOURCES):
        yield f"{where} must hold one or both of {MASK_SOURCES}"
        return
    for source, scores in sources.items():
        here = f"{where}.{source}"
        if not isinstance(scores, Mapping):
            yield f"{here} must be an object"
            continue
        cases, answered = scores.get("n"), scores.get("n_answered")
        if not _is_count(cases) or not _is_count(answered) or answered > cases:
            yield f"{here} must hold n and n_answered, n_answered at most n, got {cases!r} and {answered!r}"
        figures = {name: figure for name, figure in scores.items() if name not in ("n", "n_answered")}
        missing = [name for name in ANSWER_FIGURES if name not in figures]
        masks = [name for name in MASK_FIGURES if name in figures]
        if masks and len(masks) < len(MASK_FIGURES):
            missing += [name for name in MASK_FIGURES if name not in figures]
        if missing:
            yield f"{here} lacks {', '.join(missing)}"
        yield from _figures_problems(here, figures)


def _figures_problems(where: str, figures: Any) -> Iterator[str]:
    if not isinstance(figures, Mapping):
        yield f"{where} must be an object"
        return
    for name, figure in figures.items():
        if name not in _KNOWN:
            yield f"{where}.{name} is not a known figure"
        else:
            yield from _interval_problems(f"{where}.{name}", figure, name in _UNIT_RANGE)


def _interval_problems(where: str, figure: Any, in_unit_range: bool) -> Iterator[str]:
    if not isinstance(figure, Mapping) or set(figure) != {"value", "low", "high"}:
        yield f"{where} must hold value, low and high"
        return
    numbers = [figure[name] for name in ("low", "value", "high") if figure[name] is not None]
    if not all(_is_number(number) for number in numbers):
        yield f"{where} must hold finite numbers or null, got {dict(figure)}"
        return
    if figure["low"] is not None and figure["high"] is not None and figure["low"] > figure["high"]:
        yield f"{where}.low must not exceed its high, got {figure['low']} and {figure['high']}"
    if in_unit_range and numbers and not (min(numbers) >= 0 and max(numbers) <= 1):
        yield f"{where} must lie in 0 to 1, got {dict(figure)}"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
