"""``train_route``: from a cohort folder to a model folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from spinehub._version import __version__
from spinehub.cohort import check_cohort
from spinehub.dataset import PARTS, PreparationPlan, PreparedCase, prepare_cohort, read_prepared, split_patients
from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.io import CohortRow, read_cohort
from spinehub.models import LesionClassifier, LesionSegmenter
from spinehub.training.acquisition import acquisition_ranges
from spinehub.training.held_out import write_held_out
from spinehub.training.plan import Route, TrainingPlan

__all__ = ["train_route"]

_DESCRIBED = 400
"""Training cases whose activations describe the domain."""
_NAMED = 5
_Progress = Callable[[float, str], None]


def train_route(
    route: Route,
    cohort_folder: str | Path,
    output: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    workers: int = 2,
    resume: bool = True,
    prepared: str | Path | None = None,
    spec: PreprocessingSpec | None = None,
    architecture: Mapping[str, Any] | str | None = None,
    plan: TrainingPlan | None = None,
    progress: _Progress | None = None,
) -> Path:
    """Train one route on a cohort and write its model folder.

    Parameters
    ----------
    route
        ``"hotspot"``, ``"radiomics"``, ``"unet"`` or ``"inception_resnet"``.
    cohort_folder
        Folder with ``cohort.csv``.
    output
        Model folder; the record of the training lies in its sub-folder ``training``.
    minutes, steps
        Budget of a network's fit; see :class:`TrainingPlan`. Rule and radiomics need none.
    seed
        Of everything random.
    workers
        Processes that prepare cases.
    resume
        Go on from the checkpoint in `output`; False: start again. Prepared cases are kept either way.
    prepared
        Folder for what is prepared of each case, so that routes can share it; default inside `output`.
    spec, architecture
        Preprocessing and network in place of the defaults: arguments of ``smp.Unet``, or the name of a timm model.
    plan
        Everything else, in place of the route's defaults.
    progress
        Called with the share done and a few words; None: progress bars where standard error is a terminal.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    InvalidArgumentError
        If the cohort has problems (they are named), or `output` holds the checkpoint of another plan.
    """
    plan = plan or TrainingPlan.of(route, minutes=minutes, steps=steps, seed=seed)
    output = Path(output)
    record = output / "training"
    rows = read_cohort(cohort_folder)
    _require_sound(rows)
    model = _new_model(route, spec, architecture, plan.seed)
    preparation = (
        PreparationPlan(tabular=True, seed=plan.seed)
        if model is None
        else PreparationPlan({route: model.spec}, seed=plan.seed)
    )
    _start_record(record, plan, model, rows, resume)
    folder = Path(prepared) if prepared is not None else record / "prepared"
    prepare_cohort(rows, preparation, folder, workers=workers, progress=_part(progress, 0.0, 0.3))
    cases = read_prepared(folder, [row.case_id for row in rows])
    if model is None:
        small, scores = _train_small(route, cases, plan.seed)
        small.training.update(_facts(cases, plan))
        write_held_out(record, cases, scores, small.calibration, small.training)
        small.save_pretrained(output)
    else:
        _train_network(model, cases, plan, record, _part(progress, 0.3, 1.0))
        model.save_pretrained(output)
    return output


def _require_sound(rows: Sequence[CohortRow]) -> None:
    problems = check_cohort(rows)
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise InvalidArgumentError(f"the cohort cannot be trained on: {'; '.join(problems[:_NAMED])}{more}")


def _new_model(
    route: Route, spec: PreprocessingSpec | None, architecture: Mapping[str, Any] | str | None, seed: int
) -> LesionSegmenter | LesionClassifier | None:
    if route == "unet":
        from spinehub.training.segmenter import new_segmenter

        if isinstance(architecture, str):
            raise InvalidArgumentError("architecture of the U-Net must be the arguments of smp.Unet, got a name")
        return new_segmenter(spec or PreprocessingSpec(), architecture, seed)
    if route == "inception_resnet":
        from spinehub.training.classifier import new_classifier

        if architecture is not None and not isinstance(architecture, str):
            raise InvalidArgumentError("architecture of the classifier must be the name of a timm model")
        return new_classifier(spec, architecture, seed)
    return None


def _start_record(record: Path, plan: TrainingPlan, model: Any, rows: Sequence[CohortRow], resume: bool) -> None:
    """Write what is about to be done; refuse to mix two plans in one folder."""
    record.mkdir(parents=True, exist_ok=True)
    about = {
        "plan": plan.to_dict(),
        "spec": None if model is None else model.spec.to_dict(),
        "architecture": None if model is None else model.architecture,
        "cases": [row.case_id for row in rows],
    }
    path = record / "plan.json"
    if not resume:
        for leftover in ("checkpoint", "checkpoint.old"):
            rmtree(record / leftover, ignore_errors=True)
        (record / "log.jsonl").unlink(missing_ok=True)
    elif (record / "checkpoint").is_dir() and path.is_file() and json.loads(path.read_text()) != about:
        raise InvalidArgumentError(
            f"output {record.parent.name} holds the checkpoint of another plan or cohort; choose another folder or "
            "start again without resuming"
        )
    path.write_text(json.dumps(about, indent=2), encoding="utf-8")


def _train_small(route: Route, cases: Sequence[PreparedCase], seed: int) -> tuple[Any, Any]:
    from spinehub.training.small import train_radiomics, train_rule

    return train_rule(cases, seed) if route == "hotspot" else train_radiomics(cases, seed)


def _train_network(
    model: LesionSegmenter | LesionClassifier,
    cases: Sequence[PreparedCase],
    plan: TrainingPlan,
    record: Path,
    progress: _Progress | None,
) -> None:
    from spinehub.training.classifier import classifier_job, classifier_scores
    from spinehub.training.loop import fit
    from spinehub.training.scores import calibrate
    from spinehub.training.segmenter import segmenter_job, segmenter_scores

    assigned = split_patients([c.patient_id for c in cases], [c.diagnosis for c in cases], plan.seed)
    parts: dict[str, list[PreparedCase]]
    parts = {part: [c for c, where in zip(cases, assigned, strict=True) if where == part] for part in PARTS}
    split = {part: [case.case_id for case in members] for part, members in parts.items()}
    (record / "split.json").write_text(json.dumps(split, indent=2), encoding="utf-8")
    if isinstance(model, LesionSegmenter):
        job = segmenter_job(model, parts, seed=plan.seed, batch=plan.batch)
    else:
        job = classifier_job(model, parts, seed=plan.seed, batch=plan.batch)
    fitted = fit(job, plan, record, progress=progress)
    drawn = np.random.default_rng(plan.seed).permutation(len(parts["training"]))[:_DESCRIBED]
    described = [parts["training"][int(k)] for k in drawn]
    if isinstance(model, LesionSegmenter):
        calibration, training = segmenter_scores(model, parts["calibration"]), segmenter_scores(model, described)
    else:
        calibration, training = classifier_scores(model, parts["calibration"]), classifier_scores(model, described)
    calibrated = calibrate(model, calibration, training)
    counts = {part: len(members) for part, members in parts.items()}
    model.training = _facts(cases, plan) | {"fit": fitted, "calibration": calibrated, "split": counts}
    if model.calibration is not None:
        write_held_out(record, parts["calibration"], calibration.by_case(), model.calibration, model.training)


def _facts(cases: Sequence[PreparedCase], plan: TrainingPlan) -> dict[str, Any]:
    """What anyone must know about where a model comes from."""
    recipes = [case.facts["recipe"] for case in cases if case.facts["recipe"] is not None]
    origin = {name: sorted({recipe[name] for recipe in recipes}) for name in ("version", "seed", "cohort", "kinetics")}
    return {
        "spinehub": __version__,
        "plan": plan.to_dict(),
        "cases": len(cases),
        "simulated_cases": len(recipes),
        "simulated": origin if recipes else None,
        "acquisition": acquisition_ranges(cases),
    }


def _part(progress: _Progress | None, start: float, end: float) -> _Progress | None:
    if progress is None:
        return None
    return lambda share, text: progress(start + (end - start) * share, text)
