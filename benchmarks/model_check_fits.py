"""The two model checks that look at fits: the null training, and calibration against what it promises."""

import argparse
import csv
import json
from collections.abc import Iterable, Mapping
from math import ceil
from pathlib import Path
from typing import Any

from model_check_cases import SEEDS
from scipy.stats import betabinom

from spinehub.case import DIAGNOSES
from spinehub.dataset import PreparationPlan, prepare_cohort
from spinehub.evaluation import evaluate_cohort
from spinehub.inputs import PreprocessingSpec
from spinehub.models.classifier import CROP
from spinehub.routes import load_model
from spinehub.simulate import DIFFERENCES, cohort_recipes
from spinehub.training import train_route

__all__ = ["calibration_section", "null_section"]

NETWORKS = ("unet", "inception_resnet")


def null_section(options: argparse.Namespace) -> Iterable[str]:
    """Train every route on classes that differ in nothing but their name, and judge other such cases.

    From labels, as on patients: the exact posterior is 0.5 here, and asked for it no route could go wrong.
    """
    folder = options.work / "null"
    learned = tuple(cohort_recipes(options.null_cases, SEEDS["null"], without=DIFFERENCES))
    specs = {"unet": PreprocessingSpec(), "inception_resnet": CROP}
    plan = PreparationPlan({route: specs[route] for route in specs if route in options.null_routes}, tabular=True)
    _forget_posteriors(prepare_cohort(learned, plan, folder / "prepared", workers=options.workers))
    judged = tuple(cohort_recipes(options.null_cases, SEEDS["null test"], without=DIFFERENCES))
    models = {}
    for route in options.null_routes:
        models[route] = str(folder / route)
        if not (folder / route / "config.json").is_file():
            steps = options.null_steps if route in NETWORKS else None
            train_route(
                route, learned, folder / route, steps=steps, prepared=folder / "prepared", workers=options.workers
            )
    # Apart: after so few steps the U-Net sees a lesion in few regions, and its look would silence the others.
    evaluations = {}
    for name in ("unet", "others"):
        asked = {route: model for route, model in models.items() if (route == "unet") == (name == "unet")}
        if asked:
            evaluations |= evaluate_cohort(
                judged, folder / f"evaluation-{name}", asked, regimes=tuple(options.null_regimes),
                workers=options.workers, mask_sources=("end_to_end",), attach=False,
            )  # fmt: skip
    yield f"Learned from {len(learned)} cases ({options.null_steps} steps for a network), judged on as many others."
    yield ""
    yield "| route | regime | answered | AUC, end to end | includes 0.5 |"
    yield "|---|---|---|---|---|"
    for route in models:
        for regime, sources in evaluations[route]["regimes"].items():
            scores = sources["end_to_end"]
            area, answered = scores["auc"], f"{scores['n_answered']} of {scores['n']}"
            yield f"| {route} | {regime} | {answered} | {_cell(area)} | {_inside(area, 0.5)} |"


def _forget_posteriors(prepared: Path) -> None:
    for path in prepared.glob("*/case.json"):
        facts = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**facts, "teacher": None}), encoding="utf-8")


def calibration_section(folder: Path, models: Mapping[str, str]) -> Iterable[str]:
    """Slope and intercept against 1 and 0; coverage of each class against what its calibration cases allow."""
    yield "End to end. Coverage of a class with n calibration cases is beta-distributed around 0.90 over calibrations"
    yield "drawn anew, so the counts are held against the beta-binomial distribution (95 % range). Rule and radiomics"
    yield "were calibrated out of fold, for which that range is an approximation."
    yield ""
    yield "| route | regime | slope (includes 1) | intercept (includes 0) | metastasis held | primary malignant held |"
    yield "|---|---|---|---|---|---|"
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["mask_source"] == "end_to_end" and line["probability"]]
    for route, given in models.items():
        evaluation = json.loads((folder / route / "evaluation.json").read_text(encoding="utf-8"))
        loaded: Any = load_model(route, given)
        for regime, sources in evaluation["regimes"].items():
            scores = sources["end_to_end"]
            slope, intercept = scores["calibration_slope"], scores["calibration_intercept"]
            own = [line for line in lines if (line["route"], line["regime"]) == (route, regime)]
            cells = [_covered(own, loaded.calibration, regime, place) for place in (0, 1)]
            lined = f"{_cell(slope)} {_inside(slope, 1.0)} | {_cell(intercept)} {_inside(intercept, 0.0)}"
            yield f"| {route} | {regime} | {lined} | {' | '.join(cells)} |"


def _covered(lines: list[dict[str, str]], calibration: Any, regime: str, place: int) -> str:
    """Cases of one class whose set holds it, beside the range the beta-binomial distribution gives."""
    own = [float(line["probability"]) for line in lines if line["diagnosis"] == DIAGNOSES[place]]
    if not own:
        return ""
    held = sum(DIAGNOSES[place] in calibration.possible(value, regime) for value in own)
    count = calibration.regimes[regime].cases[place]
    above = min(count, ceil((count + 1) * calibration.coverage))
    expected = betabinom(len(own), above, count + 1 - above)
    low, high = (int(expected.ppf(level)) for level in (0.025, 0.975))
    verdict = "consistent" if low <= held <= high else "**not consistent**"
    return f"{held} of {len(own)} ({low} to {high}): {verdict}"


def _inside(figure: Mapping[str, Any], value: float) -> str:
    if figure["low"] is None:
        return "unknown"
    return "yes" if figure["low"] <= value <= figure["high"] else "**no**"


def _cell(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None or figure["low"] is None:
        return ""
    return f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"
