"""``train_route``: from a cohort folder to a model folder."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState

from spinehub.dataset import PreparationPlan, PreparedCase, prepare_cohort, read_prepared
from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.io import read_cohort
from spinehub.models import LesionClassifier, LesionSegmenter
from spinehub.routes import load_model
from spinehub.simulate import CaseRecipe
from spinehub.training.bookkeeping import facts_of, parts_of, start_record
from spinehub.training.held_out import write_held_out
from spinehub.training.plan import Route, TrainingPlan
from spinehub.training.review import CohortReview, review_cohort, review_recipes

__all__ = ["train_route"]

_DESCRIBED = 250
"""Training cases whose activations describe the domain."""
_REFITTED = 400
"""Training cases the lesion head is fitted to once more: each costs as much as a case that is judged."""
_NAMED = 5
_Progress = Callable[[float, str], None]


def train_route(
    route: Route,
    cohort: str | Path | Sequence[CaseRecipe],
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
    start: str | Path | None = None,
    recalibrated: bool = False,
    teacher: str | Path | None = None,
    progress: _Progress | None = None,
) -> Path:
    """Train one route on a cohort and write its model folder.

    Under ``accelerate launch`` every process calls this; the first one prepares, scores and writes.

    Parameters
    ----------
    route
        ``"hotspot"``, ``"radiomics"``, ``"unet"`` or ``"inception_resnet"``.
    cohort
        Folder with ``cohort.csv``; or recipes, which are rendered while they are prepared and fill no disk.
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
    start
        Embedded name, folder or Hub id of a model to go on from: a network is fine-tuned at a tenth of the learning
        rate, with its own preprocessing. Rule and radiomics have no weights to go on from: recalibrate them.
    recalibrated
        Keep the weights of `start` and fit only calibration and limits, on every case of this cohort.
    teacher
        Embedded name, folder or Hub id of a finished U-Net that teaches the classifier to see; for
        ``"inception_resnet"`` alone.
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
    told = None if teacher is None else str(teacher)
    plan = plan or TrainingPlan.of(route, minutes=minutes, steps=steps, seed=seed, teacher=told, fine=start is not None)
    output = Path(output)
    record = output / "training"
    sources, review = _reviewed(cohort)
    _require_sound(review)
    # A copy: loaded models are shared within a process, and this one is about to change.
    begun = None if start is None else copy.deepcopy(load_model(route, start))
    _check_start(route, begun, recalibrated, spec, architecture)
    model = _network_of(begun) if begun is not None else _new_model(route, spec, architecture, plan.seed)
    preparation = (
        PreparationPlan(tabular=True, seed=plan.seed)
        if model is None
        else PreparationPlan({route: model.spec}, seed=plan.seed)
    )
    processes = PartialState()
    folder = Path(prepared) if prepared is not None else record / "prepared"
    if processes.is_main_process:
        start_record(record, plan, model, sources, review, begun, resume=resume)
        prepare_cohort(sources, preparation, folder, workers=workers, progress=_part(progress, 0.0, 0.3))
    processes.wait_for_everyone()
    cases = read_prepared(folder, [source.case_id for source in sources])
    if recalibrated:
        result = _recalibrated(begun, model, cases)
    elif model is None:
        result, scores = _train_small(route, cases, plan.seed)
    else:
        fitted = _fit_network(model, cases, plan, record, _part(progress, 0.3, 1.0), begun)
        if not processes.is_main_process:
            return output
        fitted |= _refitted(route, model, parts_of(cases, plan.seed), plan.seed)
        result, scores = model, _calibrate_network(model, cases, plan, record, fitted)
    result.training.update(facts_of(cases, plan, begun))
    if not recalibrated:
        held_out = cases if model is None else parts_of(cases, plan.seed)["calibration"]
        write_held_out(record, held_out, scores, result.calibration, result.training)
    result.save_pretrained(output)
    return output


def _reviewed(cohort: str | Path | Sequence[CaseRecipe]) -> tuple[Sequence[Any], CohortReview]:
    if isinstance(cohort, str | Path):
        rows = read_cohort(cohort)
        return rows, review_cohort(rows)
    return cohort, review_recipes(cohort)


def _require_sound(review: CohortReview) -> None:
    if review.problems:
        more = f"; and {len(review.problems) - _NAMED} more" if len(review.problems) > _NAMED else ""
        listed = "; ".join(review.problems[:_NAMED])
        raise InvalidArgumentError(f"the cohort cannot be trained on: {listed}{more}")


def _check_start(route: Route, begun: Any, recalibrated: bool, spec: Any, architecture: Any) -> None:
    if begun is None and recalibrated:
        raise InvalidArgumentError("start must name a model to be recalibrated, got none")
    if begun is not None and (spec is not None or architecture is not None):
        raise InvalidArgumentError("spec and architecture come from the model that is started from; leave them out")
    if begun is not None and not recalibrated and _network_of(begun) is None:
        raise InvalidArgumentError(f"the {route} model has no weights to go on from; recalibrate it or train it anew")


def _network_of(model: Any) -> LesionSegmenter | LesionClassifier | None:
    return model if isinstance(model, LesionSegmenter | LesionClassifier) else None


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


def _train_small(route: Route, cases: Sequence[PreparedCase], seed: int) -> tuple[Any, Any]:
    from spinehub.training.small import train_radiomics, train_rule

    return train_rule(cases, seed) if route == "hotspot" else train_radiomics(cases, seed)


def _fit_network(
    model: LesionSegmenter | LesionClassifier,
    cases: Sequence[PreparedCase],
    plan: TrainingPlan,
    record: Path,
    progress: _Progress | None,
    begun: Any,
) -> dict[str, Any]:
    from spinehub.training.classifier import classifier_job
    from spinehub.training.loop import fit
    from spinehub.training.segmenter import segmenter_job

    parts = parts_of(cases, plan.seed)
    split = {part: [case.case_id for case in members] for part, members in parts.items()}
    (record / "split.json").write_text(json.dumps(split, indent=2), encoding="utf-8")
    if isinstance(model, LesionSegmenter):
        job = segmenter_job(model, parts, seed=plan.seed, batch=plan.batch)
        return fit(job, plan, record, progress=progress)
    untouched = begun is None and not (record / "checkpoint").exists()
    warm_up = plan.warm_up_steps if untouched else 0
    teacher = None if plan.teacher is None else load_model("unet", plan.teacher)
    job = classifier_job(model, parts, seed=plan.seed, batch=plan.batch, warm_up=warm_up, teacher=teacher)
    fitted = fit(job, plan, record, progress=progress)
    if teacher is not None:
        fitted["teacher"] = {"model": teacher.model_id, "sha256": teacher.sha256}
    return fitted


def _refitted(
    route: Route, model: LesionSegmenter | LesionClassifier, parts: Mapping[str, Sequence[PreparedCase]], seed: int
) -> dict[str, Any]:
    """Fit the lesion head once more, to whole lesions; what came of it, or nothing without a head."""
    from spinehub.training.refit import lesion_head, lesion_sums, refit_head

    if lesion_head(model) is None:
        return {}
    learned = parts["training"][:_REFITTED]
    training, validation = (lesion_sums(model, cases, route) for cases in (learned, parts["validation"]))
    return {"lesion_head": refit_head(model, training, validation, seed=seed)}


def _calibrate_network(
    model: LesionSegmenter | LesionClassifier,
    cases: Sequence[PreparedCase],
    plan: TrainingPlan,
    record: Path,
    fitted: dict[str, Any],
) -> Any:
    """Calibrate on the calibration split; returns its scores by regime and case."""
    from spinehub.training.classifier import classifier_scores
    from spinehub.training.scores import calibrate
    from spinehub.training.segmenter import segmenter_scores

    parts = parts_of(cases, plan.seed)
    drawn = np.random.default_rng(plan.seed).permutation(len(parts["training"]))[:_DESCRIBED]
    described = [parts["training"][int(k)] for k in drawn]
    if isinstance(model, LesionSegmenter):
        calibration, training = segmenter_scores(model, parts["calibration"]), segmenter_scores(model, described)
    else:
        calibration, training = classifier_scores(model, parts["calibration"]), classifier_scores(model, described)
    calibrated = calibrate(model, calibration, training)
    counts = {part: len(members) for part, members in parts.items()}
    model.training = {"fit": fitted, "calibration": calibrated, "split": counts}
    return calibration.by_case()


def _recalibrated(begun: Any, model: LesionSegmenter | LesionClassifier | None, cases: Sequence[PreparedCase]) -> Any:
    from spinehub.training.recalibration import recalibrate, recalibrate_network

    if model is None:
        return recalibrate(begun, cases)
    model.training["calibration"] = recalibrate_network(model, cases)
    return model


def _part(progress: _Progress | None, start: float, end: float) -> _Progress | None:
    if progress is None:
        return None
    return lambda share, text: progress(start + (end - start) * share, text)
