"""``evaluate_cohort``: score models on a cohort that no training ever saw."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from spinehub.cards import EVALUATION_FORMAT, validate_evaluation
from spinehub.case import DIAGNOSES
from spinehub.cohort import check_cohort
from spinehub.dataset import REGIMES
from spinehub.errors import InvalidArgumentError
from spinehub.evaluation.figures import answer_figures, figure, mask_figures
from spinehub.evaluation.judging import GROWING, MASK_SOURCES, Judgement, judge_case
from spinehub.evaluation.tables import write_failures, write_predictions, write_summary
from spinehub.io import RECIPE_FILE, CohortRow, read_cohort, read_recipe
from spinehub.metrics import auc
from spinehub.models import WeightsNotInstalledError, write_evaluation
from spinehub.pipeline import DEFAULT_MODELS
from spinehub.routes import load_model
from spinehub.simulate import CaseRecipe, bayes_posterior

__all__ = ["evaluate_cohort"]

_NAMED = 5
_UNKNOWN = "unknown"
_Progress = Callable[[float, str], None]


def evaluate_cohort(
    cohort_folder: str | Path,
    output: str | Path,
    models: Mapping[str, str] | None = None,
    *,
    workers: int = 2,
    seed: int = 0,
    attach: bool = True,
    progress: _Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge every case end to end and with the true mask, in every regime, and write the figures.

    Parameters
    ----------
    cohort_folder
        Folder with ``cohort.csv``; its cases must not have been trained on.
    output
        Gets ``<route>/evaluation.json``, ``predictions.csv``, ``failures.csv`` and ``summary.md``.
    models
        Route to embedded name, folder or Hub id; None or empty: the weights that come with spinehub.
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
    judgements = list(_judge_all(rows, {route: given for route, (given, _) in loaded.items()}, seed, workers, progress))
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    write_predictions(judgements, output / "predictions.csv")
    write_failures(judgements, output / "failures.csv")
    evaluations = {}
    for route, (given, model) in loaded.items():
        evaluation = _evaluation(route, model, judgements, rows, origin, seed)
        evaluations[route] = evaluation
        (output / route).mkdir(exist_ok=True)
        text = json.dumps(evaluation, indent=2, allow_nan=False) + "\n"
        (output / route / "evaluation.json").write_text(text, encoding="utf-8")
        if origin:
            validate_evaluation(evaluation)
            if attach and given not in DEFAULT_MODELS.values() and Path(given).is_dir():
                write_evaluation(given, evaluation)
    write_summary(evaluations, output / "summary.md")
    return evaluations


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


def _judge_all(
    rows: Sequence[CohortRow], models: Mapping[str, str], seed: int, workers: int, progress: _Progress | None
) -> Iterator[Judgement]:
    from tqdm import tqdm

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        futures = {pool.submit(judge_case, row, models, seed): place for place, row in enumerate(rows)}
        done: Any = as_completed(futures)
        if progress is None:
            done = tqdm(done, total=len(rows), desc="evaluating", unit="case", disable=None)
        found: dict[int, list[Judgement]] = {}
        for count, future in enumerate(done, start=1):
            found[futures[future]] = future.result()
            if progress is not None:
                progress(count / len(rows), f"judged {count} of {len(rows)} cases")
    # In the order of the table, whichever process was first.
    for place in range(len(rows)):
        yield from found[place]


def _one_thread() -> None:
    """Several processes work side by side; each keeps to one thread."""
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
    torch.set_num_threads(1)


def _evaluation(
    route: str,
    model: Any,
    judgements: Sequence[Judgement],
    rows: Sequence[CohortRow],
    origin: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    training = model.training
    trained = (training.get("simulated") or {}).get("seed") or []
    regimes = {}
    for regime in REGIMES:
        sources = {}
        for source in MASK_SOURCES:
            own = [j for j in judgements if (j.route, j.regime, j.mask_source) == (route, regime, source)]
            if any(judgement.probability is not None for judgement in own):
                sources[source] = answer_figures(own, model.calibration) | mask_figures(own)
        if sources:
            regimes[regime] = sources
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
            "training_cases": int(training.get("cases", 0)),
            "click_seed": seed,
        },
        "regimes": regimes,
        "baselines": _baselines(judgements) | _ceiling(rows),
        "training": {name: value for name, value in training.items() if name != "acquisition"},
    }


def _ceiling(rows: Sequence[CohortRow]) -> dict[str, Any]:
    """AUC of the exact posterior given what a simulated case shows: no route can do better on average."""
    posterior = []
    for row in rows:
        recipe = read_recipe(row.series.with_name(RECIPE_FILE))
        try:
            posterior.append(bayes_posterior(CaseRecipe.from_dict(recipe or {})))
        except InvalidArgumentError:  # not simulated, or by another version of the simulator
            return {}
    truth = [int(row.diagnosis == DIAGNOSES[1]) for row in rows]
    groups = [row.patient_id for row in rows]
    return {"ceiling: exact posterior of the simulator": {"auc": figure(auc, truth, posterior, groups=groups)}}


def _baselines(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """What stands beside every route: the grown region's own overlap, and single facts that must tell nothing."""
    grown = [row for row in judgements if row.route == GROWING and row.regime == "dynamic"]
    grown = grown or [row for row in judgements if row.route == GROWING]
    baselines: dict[str, Any] = {"region growing from one click": mask_figures(grown)}
    first = list({row.case_id: row for row in grown}.values())
    facts = {
        "age alone": [np.nan if row.age_years is None else -row.age_years for row in first],
        "size alone": [row.volume_ml for row in first],
    }
    for name, values in facts.items():
        column = np.asarray(values, dtype=float)
        if np.isfinite(column).all() and column.size:
            truth = [row.label for row in first]
            baselines[name] = {"auc": figure(auc, truth, column, groups=[row.patient_id for row in first])}
    return baselines
