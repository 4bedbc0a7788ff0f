"""``evaluate_cohort``: score models on a cohort that no training ever saw."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spinehub.cards import validate_evaluation
from spinehub.dataset import REGIMES
from spinehub.errors import InvalidArgumentError
from spinehub.evaluation.embedding import embedding_row, load_embeddings
from spinehub.evaluation.judging import MASK_SOURCES, MaskSource
from spinehub.evaluation.results import evaluations_of, write_results
from spinehub.evaluation.running import judge_cohort, stacked_judgements
from spinehub.evaluation.sources import Cohort, origin_of, rows_of
from spinehub.models import WeightsNotInstalledError, write_evaluation
from spinehub.models.stacked import StackedModel
from spinehub.pipeline import DEFAULT_MODELS
from spinehub.routes import load_model
from spinehub.series import Regime

__all__ = ["evaluate_cohort"]

_Progress = Callable[[float, str], None]


def evaluate_cohort(
    cohort: Cohort,
    output: str | Path,
    models: Mapping[str, str] | None = None,
    *,
    stack: str | Path | None = None,
    embeddings: Mapping[str, str | Path] | None = None,
    regimes: Sequence[Regime] = REGIMES,
    mask_sources: Sequence[MaskSource] = MASK_SOURCES,
    truth_mask_cases: int | None = None,
    every_regime_cases: int | None = None,
    workers: int = 2,
    seed: int = 0,
    attach: bool = True,
    progress: _Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge every case end to end and with the true mask, in every regime, and write the figures.

    An interrupted evaluation is resumed by the same call: cases that were judged by the same models are kept.

    Parameters
    ----------
    cohort
        Folder with ``cohort.csv``, or recipes, which are rendered when they are judged; no case of it may have been
        trained on.
    output
        Gets ``<route>/evaluation.json``, ``summary.md``, ``subgroups.md``, ``reporting.md``, ``predictions.csv``,
        ``failures.csv``, pictures, and ``judged/`` with what was said about each case.
    models
        Route to embedded name, folder or Hub id; None or empty: the weights that come with spinehub.
    stack
        File of a stacked model; its answers become a row of their own.
    embeddings
        Network's route to its file of :func:`spinehub.training.train_embedding`; each becomes a row of its own.
    regimes, mask_sources
        Which to judge; fewer cost less.
    truth_mask_cases
        How many of the first cases are judged with the true mask too, which costs as much again; None: all.
    every_regime_cases
        How many of the first cases are judged in every regime, the others in the first of `regimes` alone; None: all.
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
    rows = rows_of(cohort)
    loaded = _load(dict(models or DEFAULT_MODELS))
    origin = origin_of(rows)
    files = {route: str(path) for route, path in (embeddings or {}).items()}
    beside = load_embeddings(files, {route: model for route, (_, model) in loaded.items()})
    for route, model in [*((route, model) for route, (_, model) in loaded.items()), *beside.items()]:
        _require_unseen(route, model, origin)
    output = Path(output)
    judgements = judge_cohort(
        rows,
        {route: given for route, (given, _) in loaded.items()},
        {route: model.sha256 for route, (_, model) in loaded.items()}
        | {embedding_row(route): model.sha256 for route, model in beside.items()},
        output / "judged",
        seed=seed,
        workers=workers,
        regimes=regimes,
        mask_sources=mask_sources,
        truth_mask_cases=truth_mask_cases,
        every_regime_cases=every_regime_cases,
        embeddings=files,
        progress=progress,
    )
    judged: dict[str, Any] = {route: model for route, (_, model) in loaded.items()}
    judged |= {embedding_row(route): model for route, model in beside.items()}
    if stack is not None:
        judged["stacked"] = StackedModel.load(stack)
        _require_unseen("stacked", judged["stacked"], origin)
        judgements += stacked_judgements(judgements, judged["stacked"])
    evaluations = evaluations_of(judged, judgements, rows, origin, seed)
    write_results(evaluations, judgements, rows, output, seed)
    if origin:
        for route, evaluation in evaluations.items():
            validate_evaluation(evaluation)
            given = loaded[route][0] if route in loaded else ""
            if attach and given and given not in DEFAULT_MODELS.values() and Path(given).is_dir():
                write_evaluation(given, evaluation)
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


def _require_unseen(route: str, model: Any, origin: Mapping[str, Any]) -> None:
    trained = (model.training.get("simulated") or {}).get("seed") or []
    shared = sorted(set(trained) & set(origin.get("seed", [])))
    if shared:
        raise InvalidArgumentError(
            f"the cohort must hold cases the {route} model was not trained on, but both were simulated from seed "
            f"{shared[0]}; simulate another one"
        )
