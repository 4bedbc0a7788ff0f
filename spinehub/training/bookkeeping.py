"""What a training writes down about itself: before it starts, and in the model it ends with."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any

from spinehub._version import __version__
from spinehub.dataset import PARTS, PreparedCase, split_patients
from spinehub.errors import InvalidArgumentError
from spinehub.io import CohortRow
from spinehub.simulate import CaseRecipe
from spinehub.training.acquisition import acquisition_ranges
from spinehub.training.environment import data_fingerprint, environment
from spinehub.training.plan import TrainingPlan
from spinehub.training.review import CohortReview

__all__ = ["facts_of", "origin_facts", "parts_of", "start_record"]

_ORIGIN = ("version", "seed", "cohort", "kinetics")


def start_record(
    record: Path,
    plan: TrainingPlan,
    model: Any,
    sources: Sequence[CohortRow | CaseRecipe],
    review: CohortReview,
    begun: Any,
    *,
    resume: bool,
) -> None:
    """Write plan, data fingerprint, environment and review of the cohort; refuse to mix two plans in one folder.

    Parameters
    ----------
    record
        Folder.
    plan, model, sources, review, begun
        Plan, network (None for rule and radiomics), cohort and its review, model started from or None.
    resume
        False: throw away the checkpoint that is there.
    """
    record.mkdir(parents=True, exist_ok=True)
    about = {
        "plan": plan.to_dict(),
        "spec": None if model is None else model.spec.to_dict(),
        "architecture": None if model is None else model.architecture,
        "started_from": None if begun is None else begun.sha256,
        "cases": [source.case_id for source in sources],
        "data_sha256": data_fingerprint(sources),
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
    (record / "environment.json").write_text(json.dumps(environment(), indent=2), encoding="utf-8")
    (record / "cohort.json").write_text(json.dumps(review.to_dict(), indent=2), encoding="utf-8")


def parts_of(cases: Sequence[PreparedCase], seed: int) -> dict[str, list[PreparedCase]]:
    """Training, validation and calibration cases; whole patients."""
    assigned = split_patients([c.patient_id for c in cases], [c.diagnosis for c in cases], seed)
    return {part: [c for c, where in zip(cases, assigned, strict=True) if where == part] for part in PARTS}


def facts_of(cases: Sequence[PreparedCase], plan: TrainingPlan, begun: Any = None) -> dict[str, Any]:
    """What anyone must know about where a model comes from; seeds and simulated cases of what it started from count."""
    told = plan.to_dict()
    if plan.teacher is not None:  # a path may hold a person's name: only its last part is told
        told["teacher"] = Path(plan.teacher).name
    facts = {
        "spinehub": __version__,
        "plan": told,
        **origin_facts(cases, {} if begun is None else begun.training),
        "acquisition": acquisition_ranges(cases),
        "environment": environment(),
    }
    if begun is not None:
        facts["started_from"] = {"model": begun.model_id, "sha256": begun.sha256}
    return facts


def origin_facts(cases: Sequence[PreparedCase], before: Mapping[str, Any]) -> dict[str, Any]:
    """How many cases were learned from and what simulated them; `before`: facts of the model that was begun with."""
    recipes = [case.facts["recipe"] for case in cases if case.facts["recipe"] is not None]
    old = before.get("simulated") or {}
    origin = {name: sorted({*old.get(name, []), *(recipe[name] for recipe in recipes)}) for name in _ORIGIN}
    simulated = len(recipes) + int(before.get("simulated_cases", 0))
    return {"cases": len(cases), "simulated_cases": simulated, "simulated": origin if simulated else None}
