"""``evaluate_cohort``: score models on a cohort that no training ever saw."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spinehub.cards import EVALUATION_FORMAT, validate_evaluation
from spinehub.cohort import check_cohort
from spinehub.dataset import REGIMES
from spinehub.errors import InvalidArgumentError
from spinehub.evaluation.comparison import agreement, decision_curve, differences, subgroups, worst_histology
from spinehub.evaluation.figures import answer_figures, mask_figures
from spinehub.evaluation.floor import baselines, exact_posteriors
from spinehub.evaluation.gallery import draw_gallery
from spinehub.evaluation.judging import MASK_SOURCES, Judgement, MaskSource
from spinehub.evaluation.pictures import draw_pictures
from spinehub.evaluation.running import judge_cohort, stacked_judgements
from spinehub.evaluation.tables import write_failures, write_predictions, write_subgroups, write_summary
from spinehub.evaluation.wording import write_text
from spinehub.io import RECIPE_FILE, CohortRow, read_cohort, read_recipe
from spinehub.models import WeightsNotInstalledError, write_evaluation
from spinehub.models.stacked import StackedModel
from spinehub.pipeline import DEFAULT_MODELS
from spinehub.routes import load_model
from spinehub.series import Regime

__all__ = ["evaluate_cohort"]

_NAMED = 5
_UNKNOWN = "unknown"
_Progress = Callable[[float, str], None]


def evaluate_cohort(
    cohort_folder: str | Path,
    output: str | Path,
    models: Mapping[str, str] | None = None,
    *,
    stack: str | Path | None = None,
    regimes: Sequence[Regime] = REGIMES,
    mask_sources: Sequence[MaskSource] = MASK_SOURCES,
    workers: int = 2,
    seed: int = 0,
    attach: bool = True,
    progress: _Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge every case end to end and with the true mask, in every regime, and write the figures.

    An interrupted evaluation is resumed by the same call: cases that were judged by the same models are kept.

    Parameters
    ----------
    cohort_folder
        Folder with ``cohort.csv``; its cases must not have been trained on.
    output
        Gets ``<route>/evaluation.json``, ``summary.md``, ``subgroups.md``, ``reporting.md``, ``predictions.csv``,
        ``failures.csv``, pictures, and ``judged/`` with what was said about each case.
    models
        Route to embedded name, folder or Hub id; None or empty: the weights that come with spinehub.
    stack
        File of a stacked model; its answers become a row of their own.
    regimes, mask_sources
        Which to judge; fewer cost less.
    workers
        Processes.
    seed
        Of the simulated clicks and of the frames that stay when inputs are hidden.
    attach
        Whether a model that was given as a local folder gets its ``evaluation.json``, which its card is made from;
        done for simulated cohorts only.
    progress
        Called with the share done and a few words; None: a progress bar where standard error is a terminal.

    Returns
    -------
    dict
        Route to the content of its ``evaluation.json``.

    Raises
    ------
    InvalidArgumentError
        If the cohort has problems (they are named), holds training cases, or no model is installed.
    """
    rows = read_cohort(cohort_folder)
    problems = check_cohort(rows)
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise InvalidArgumentError(f"the cohort cannot be judged: {'; '.join(problems[:_NAMED])}{more}")
    loaded = _load(dict(models or DEFAULT_MODELS))
    origin = _origin(rows)
    for route, (_, model) in loaded.items():
        _require_unseen(route, model, origin)
    output = Path(output)
    judgements = judge_cohort(
        rows,
        {route: given for route, (given, _) in loaded.items()},
        {route: model.sha256 for route, (_, model) in loaded.items()},
        output / "judged",
        seed=seed,
        workers=workers,
        regimes=regimes,
        mask_sources=mask_sources,
        progress=progress,
    )
    judged: dict[str, Any] = {route: model for route, (_, model) in loaded.items()}
    if stack is not None:
        judged["stacked"] = StackedModel.load(stack)
        _require_unseen("stacked", judged["stacked"], origin)
        judgements += stacked_judgements(judgements, judged["stacked"])
    evaluations = _evaluations(judged, judgements, rows, origin, seed)
    _write(evaluations, judgements, rows, output, seed)
    if origin:
        for route, evaluation in evaluations.items():
            validate_evaluation(evaluation)
            given = loaded[route][0] if route in loaded else ""
            if attach and given and given not in DEFAULT_MODELS.values() and Path(given).is_dir():
                write_evaluation(given, evaluation)
    return evaluations


def _write(
    evaluations: Mapping[str, Any], judgements: Sequence[Judgement], rows: Sequence[CohortRow], output: Path, seed: int
) -> None:
    write_predictions(judgements, output / "predictions.csv")
    write_failures(judgements, output / "failures.csv")
    for route, evaluation in evaluations.items():
        (output / route).mkdir(exist_ok=True)
        text = json.dumps(evaluation, indent=2, allow_nan=False) + "\n"
        (output / route / "evaluation.json").write_text(text, encoding="utf-8")
    write_summary(evaluations, output / "summary.md")
    write_subgroups(evaluations, output / "subgroups.md")
    write_text(evaluations, output / "reporting.md")
    draw_pictures(judgements, output)
    draw_gallery(judgements, rows, seed, output / "failures.png")


def _load(models: dict[str, str]) -> dict[str, tuple[str, Any]]:
    loaded: dict[str, tuple[str, Any]] = {}
    for name, given in models.items():
        route: Any = name
        try:
            loaded[name] = (given, load_model(route, given))
        except WeightsNotInstalledError:
            if models != dict(DEFAULT_MODELS):
                raise
    if not loaded:
        raise InvalidArgumentError("models must name at least one route: no weights come with this installation")
    return loaded


def _origin(rows: Sequence[CohortRow]) -> dict[str, Any]:
    """Seed, name and simulator version of a simulated cohort; empty for measured cases."""
    recipes = [read_recipe(row.series.with_name(RECIPE_FILE)) for row in rows]
    known = [recipe for recipe in recipes if recipe is not None]
    if len(known) < len(rows):
        return {}
    return {name: sorted({recipe.get(name) for recipe in known}) for name in ("seed", "cohort", "version")}


def _require_unseen(route: str, model: Any, origin: Mapping[str, Any]) -> None:
    trained = (model.training.get("simulated") or {}).get("seed") or []
    shared = sorted(set(trained) & set(origin.get("seed", [])))
    if shared:
        raise InvalidArgumentError(
            f"the cohort must hold cases the {route} model was not trained on, but both were simulated from seed "
            f"{shared[0]}; simulate another one"
        )


def _evaluations(
    models: Mapping[str, Any],
    judgements: Sequence[Judgement],
    rows: Sequence[CohortRow],
    origin: Mapping[str, Any],
    seed: int,
) -> dict[str, dict[str, Any]]:
    posterior = exact_posteriors(rows)
    shared = {
        "baselines": baselines(judgements, rows, posterior),
        "differences": differences(judgements),
        "agreement": agreement(judgements),
    }
    return {
        route: _head(route, model, rows, origin, seed)
        | _scores(route, model, judgements, posterior)
        | shared
        | {"training": {name: value for name, value in model.training.items() if name != "acquisition"}}
        for route, model in models.items()
    }


def _head(route: str, model: Any, rows: Sequence[CohortRow], origin: Mapping[str, Any], seed: int) -> dict[str, Any]:
    trained = (model.training.get("simulated") or {}).get("seed") or []
    return {
        "format": EVALUATION_FORMAT,
        "model": model.model_id,
        "sha256": model.sha256,
        "route": route,
        "simulated": bool(origin),
        "simulator_version": ", ".join(origin.get("version", [_UNKNOWN])),
        "command": f"spinehub evaluate --data COHORT --model {route}={model.model_id} --output OUTPUT",
        "cohort": {
            "name": ", ".join(origin.get("cohort", [_UNKNOWN])),
            "seed": origin["seed"][0] if origin else 0,
            "cases": len(rows),
            "training_seed": trained[0] if trained else 0,
            "training_cases": int(model.training.get("cases", 0)),
            "click_seed": seed,
        },
    }


def _scores(
    route: str, model: Any, judgements: Sequence[Judgement], posterior: Mapping[str, float] | None
) -> dict[str, Any]:
    """Figures per regime and mask source; subgroups and decision curve of what a user gets, end to end."""
    scores: dict[str, dict[str, Any]] = {"regimes": {}, "subgroups": {}, "worst_histology": {}, "decision_curve": {}}
    for regime in REGIMES:
        for source in MASK_SOURCES:
            own = [j for j in judgements if (j.route, j.regime, j.mask_source) == (route, regime, source)]
            if not any(judgement.probability is not None for judgement in own):
                continue
            figures = answer_figures(own, model.calibration, posterior) | mask_figures(own)
            scores["regimes"].setdefault(regime, {})[source] = figures
            if source == "end_to_end":
                scores["subgroups"][regime] = subgroups(own)
                scores["worst_histology"][regime] = worst_histology(scores["subgroups"][regime])
                scores["decision_curve"][regime] = decision_curve(own)
    return scores
