"""``stack_evaluation``: the stacked row of finished models, fitted on a cohort that was judged by all of them."""

import csv
import json
from pathlib import Path
from typing import Any

from spinehub.errors import InvalidArgumentError
from spinehub.models import log_odds
from spinehub.models.stacked import STACK_FILE
from spinehub.report import ROUTES
from spinehub.training.held_out import HeldOut
from spinehub.training.stacking import fit_stack

__all__ = ["stack_evaluation"]

_LEAST_ROUTES = 2


def stack_evaluation(evaluation: str | Path, output: str | Path, *, seed: int = 0) -> Path:
    """Fit the stacked model of routes that were not trained together, and write ``stacked.json``.

    :func:`spinehub.training.train_stack` needs what the trainings held out; models that come from elsewhere have no
    such record. What they say about any cohort none of them was fitted on serves as well. That cohort is used up: the
    stacked row must be judged on another one.

    Parameters
    ----------
    evaluation
        Folder that :func:`spinehub.evaluation.evaluate_cohort` wrote; answers from clicks are used.
    output
        Folder for the file.
    seed
        Of the folds.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidArgumentError
        If the folder holds no evaluation, or too few routes or cases.
    """
    folder = Path(evaluation)
    table = folder / "predictions.csv"
    if not table.is_file():
        raise InvalidArgumentError(
            f"evaluation must be a folder that 'spinehub evaluate' wrote, with predictions.csv, got {folder.name}"
        )
    with table.open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["mask_source"] == "end_to_end"]
    routes = [route for route in ROUTES if any(line["route"] == route for line in lines)]
    if len(routes) < _LEAST_ROUTES:
        raise InvalidArgumentError(f"evaluation must hold at least {_LEAST_ROUTES} routes to be stacked, got {routes}")
    stack = fit_stack({route: _said(lines, route) for route in routes}, seed=seed)
    stack.training.update(_origin(folder / routes[0] / "evaluation.json"))
    return stack.save(Path(output) / STACK_FILE)


def _said(lines: list[dict[str, str]], route: str) -> HeldOut:
    """Log-odds of one route by regime and case; a case without an answer is missing."""
    own = [line for line in lines if line["route"] == route]
    odds: dict[Any, dict[str, float]] = {}
    for line in own:
        if line["probability"]:
            odds.setdefault(line["regime"], {})[line["case_id"]] = float(log_odds(float(line["probability"])))
    label = {line["case_id"]: int(line["diagnosis"] == "primary_malignant") for line in own}
    return HeldOut(label, {line["case_id"]: line["patient_id"] for line in own}, odds)


def _origin(path: Path) -> dict[str, Any]:
    """Where the cohort comes from, so that nobody judges the stacked row on it."""
    about = json.loads(path.read_text(encoding="utf-8"))
    cohort = about["cohort"]
    facts: dict[str, Any] = {"cases": cohort["cases"]}
    if about["simulated"]:
        simulated = {"version": [about["simulator_version"]], "seed": [cohort["seed"]], "cohort": [cohort["name"]]}
        facts |= {"simulated": simulated, "simulated_cases": cohort["cases"]}
    return facts
