"""``cross_validate``: every case is judged by models that never saw its patient, from one cohort alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinehub.case import DIAGNOSES
from spinehub.dataset import REGIMES
from spinehub.errors import InvalidArgumentError
from spinehub.evaluation.judging import MASK_SOURCES, Judgement, MaskSource
from spinehub.evaluation.results import evaluations_of, write_results
from spinehub.evaluation.running import judge_cohort
from spinehub.evaluation.sources import origin_of, rows_of
from spinehub.io import CohortRow, write_cohort_table
from spinehub.models import Calibration
from spinehub.models.folds import FOLDS, patient_folds
from spinehub.report import RouteName
from spinehub.routes import load_model
from spinehub.series import Regime

__all__ = ["cross_validate"]

_QUICK: tuple[RouteName, ...] = ("hotspot", "radiomics")
_NETWORKS: tuple[RouteName, ...] = ("unet", "inception_resnet")
_Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class _How:
    """What was asked for; see :func:`cross_validate`."""

    routes: tuple[RouteName, ...]
    output: Path
    minutes: float | None
    seed: int
    workers: int
    regimes: tuple[Regime, ...]
    mask_sources: tuple[MaskSource, ...]

    def folder(self, number: int) -> Path:
        return self.output / "folds" / str(number)


class _Crossed:
    """What stands in place of a route's model: as many models as folds."""

    def __init__(self, model_id: str, folds: int, seed: int, minutes: float | None) -> None:
        self.model_id, self.sha256 = model_id, ""
        budget = "" if minutes is None else f" --minutes {minutes:g}"
        self.command = f"spinehub evaluate --data COHORT --folds {folds}{budget} --output OUTPUT"
        self.more = {"cross_validation": {"folds": folds, "seed": seed, "minutes": minutes}}
        self.training: dict[str, Any] = {}
        self.calibration: dict[str, Calibration] = {}

    def take(self, model: Any, judged: Sequence[str], trained_on: int) -> None:
        """Note the model of one fold, the cases it judged, and the smallest number of cases a fold trained on."""
        least = min(trained_on, self.training.get("cases", trained_on))
        self.training = {**model.training, "cases": least}
        self.calibration |= dict.fromkeys(judged, model.calibration)


def cross_validate(
    cohort_folder: str | Path,
    output: str | Path,
    *,
    folds: int = FOLDS,
    minutes: float | None = None,
    routes: Sequence[RouteName] | None = None,
    regimes: Sequence[Regime] = REGIMES,
    mask_sources: Sequence[MaskSource] = MASK_SOURCES,
    workers: int = 2,
    seed: int = 0,
    progress: _Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Train each route once per fold of patients, judge the patients left out, and write the figures of all of them.

    An interrupted run goes on: models and judged cases of finished folds are kept.

    Parameters
    ----------
    cohort_folder
        Folder with ``cohort.csv``.
    output
        Gets what :func:`spinehub.evaluation.evaluate_cohort` writes, ``folds/<k>/`` with the models of each fold, and
        ``prepared/``.
    folds
        How many, at least 2.
    minutes
        Budget of each network in each fold.
    routes
        Which to train; None: rule and radiomics, and the networks where `minutes` is given.
    regimes, mask_sources, workers
        As :func:`spinehub.evaluation.evaluate_cohort`.
    seed
        Of the folds, the trainings and the clicks.
    progress
        Called with the share done and a few words; None: progress bars where standard error is a terminal.

    Returns
    -------
    dict
        Route to the content of its ``evaluation.json``, with ``cross_validation`` in it.

    Raises
    ------
    InvalidArgumentError
        If the cohort has problems, a class has fewer patients than there are folds, or a network has no budget.
    """
    rows, output = rows_of(cohort_folder), Path(output)
    chosen = tuple(routes) if routes is not None else (*_QUICK, *(_NETWORKS if minutes is not None else ()))
    if minutes is None and set(chosen) & set(_NETWORKS):
        raise InvalidArgumentError("minutes must be given to train a network in each fold; give a budget per fold")
    how = _How(chosen, output, minutes, seed, workers, tuple(regimes), tuple(mask_sources))
    judgements: list[Judgement] = []
    crossed = {route: _Crossed(f"{route}, {folds} models", folds, seed, minutes) for route in chosen}
    for number, (rest, left_out) in enumerate(_split(rows, folds, seed)):
        models = _train(how, number, rest, _part(_part(progress, number, folds), 0, 2))
        judgements += _judge(how, number, left_out, models, _part(_part(progress, number, folds), 1, 2))
        for route, own in crossed.items():
            own.take(load_model(route, models[route]), [row.case_id for row in left_out], len(rest))
    evaluations = evaluations_of(
        {str(route): own for route, own in crossed.items()}, judgements, rows, origin_of(rows), seed
    )
    write_results(evaluations, judgements, rows, output, seed)
    return evaluations


def _split(rows: Sequence[CohortRow], folds: int, seed: int) -> list[tuple[list[CohortRow], list[CohortRow]]]:
    """Rows of the other folds and of each fold."""
    labels, patients = [DIAGNOSES.index(row.diagnosis) for row in rows], [row.patient_id for row in rows]
    counts = [len({who for who, label in zip(patients, labels, strict=True) if label == each}) for each in (0, 1)]
    if folds < 2 or min(counts) < folds:
        raise InvalidArgumentError(
            f"folds must be at least 2 and at most the number of patients of each class ({counts[0]} and {counts[1]}), "
            f"got {folds}"
        )
    split = patient_folds(labels, patients, seed, folds)
    return [([rows[k] for k in rest], [rows[k] for k in fold]) for rest, fold in split]


def _train(how: _How, number: int, rows: Sequence[CohortRow], progress: _Progress | None) -> dict[str, str]:
    """Folder of each route's model, trained on the rows of the other folds; finished ones are kept."""
    from spinehub.training import train_route

    folder = how.folder(number)
    cohort = folder / "cohort"
    cohort.mkdir(parents=True, exist_ok=True)
    write_cohort_table(rows, cohort)
    about = json.dumps({"cases": [row.case_id for row in rows], "seed": how.seed, "minutes": how.minutes})
    for place, route in enumerate(how.routes):
        finished = folder / f"{route}.json"
        if not finished.is_file() or finished.read_text(encoding="utf-8") != about:
            train_route(
                route,
                cohort,
                folder / route,
                minutes=how.minutes if route in _NETWORKS else None,
                seed=how.seed,
                workers=how.workers,
                prepared=how.output / "prepared",
                progress=_part(progress, place, len(how.routes)),
            )
            finished.write_text(about, encoding="utf-8")
    return {route: str(folder / route) for route in how.routes}


def _judge(
    how: _How, number: int, rows: Sequence[CohortRow], models: Mapping[str, str], progress: _Progress | None
) -> list[Judgement]:
    return judge_cohort(
        rows,
        models,
        {route: load_model(route, models[route]).sha256 for route in how.routes},
        how.folder(number) / "judged",
        seed=how.seed,
        workers=how.workers,
        regimes=how.regimes,
        mask_sources=how.mask_sources,
        progress=progress,
    )


def _part(progress: _Progress | None, number: int, count: int) -> _Progress | None:
    """Share of one part of several, as a share of all of them."""
    if progress is None:
        return None
    return lambda share, text: progress((number + share) / count, text)
