"""The table of the source on sealed simulated patients: every route, per regime, beside published figures and floors.

    python benchmarks/sealed_table.py --work runs/sealed [--model unet=runs/unet-dce ...] [--beside 0] [--cases 1000]
        [--every-regime-cases 1000] [--truth-cases 1000] [--other-cases 1000] [--priors 0] [--attach]

Draws the `matched` cohort, `as-published` and the second world from seeds that nothing else uses, judges every route on
them and writes ``sealed_table.md`` into `--work`. Cases are rendered when they are judged and never written. What was
judged is kept, so an interrupted run goes on; the same call with more cases adds to a smaller one. On `matched` timed
series are judged end to end in every patient, the other regimes in the first `--every-regime-cases` of them, and with
the true mask in the first `--truth-cases`; elsewhere `--other-regimes` end to end alone.
`--priors N` adds N cases under each of the five kinetic priors (dynamic series, end to end); `--beside N` the stacked
row and those of `embed()` + logistic regression, fitted on N patients of yet another seed. The fall to the second world
is added to each ``matched/<route>/evaluation.json``, from which cards are made. Without --model: the weights that come
with spinehub; `--attach` gives them these scores and writes ``model_cards/``.
"""

import argparse
import csv
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sealed_beside import rows_beside

from spinehub.cards import render_folder, validate_evaluation
from spinehub.cards.second_world import SECOND_WORLD
from spinehub.cohort.worlds import recipes_of
from spinehub.evaluation import evaluate_cohort
from spinehub.evaluation.tables import cell
from spinehub.metrics import auc
from spinehub.models import write_evaluation
from spinehub.routes import DEFAULT_MODELS

SEEDS = {"matched": 90510, "as-published": 90511, "second world": 90512, "priors": 90513}
"""Never used before; 90210 to 90213, 90310 to 90313 and 90410 to 90413 judged earlier weights, and what was changed
since was chosen on them."""
ROOT = Path(__file__).parents[1]
PRIORS = ("none", "mild", "medium", "strong", "reversed")
REGIMES = ("dynamic", "pre_post", "single")
ANSWERS = ("accuracy", "auc", "efficiency", "calibration_slope", "calibration_intercept", "coverage")
MASKS = ("pixel_accuracy", "empty_mask_pixel_accuracy", "gap_closed", "dice", "iou", "hd95_mm", "volume_error_ml")
HEADS = {
    "auc": "AUC",
    "pixel_accuracy": "PA",
    "empty_mask_pixel_accuracy": "PA of an empty mask",
    "gap_closed": "gap closed",
    "dice": "Dice",
    "iou": "IoU",
    "hd95_mm": "HD95, mm",
    "volume_error_ml": "volume error, ml",
    "calibration_slope": "slope",
    "calibration_intercept": "intercept",
}
RESAMPLES = 2000
WANTED = {
    ("efficiency", "unet"): 0.85,
    ("efficiency", "inception_resnet"): 0.85,
    ("efficiency", "radiomics"): 0.60,
    ("dice", "unet"): 0.88,
    ("gap_closed", "unet"): 0.85,
}
Evaluations = Mapping[str, Mapping[str, Any]]


def main() -> None:
    options = _options()
    begun = time.monotonic()
    lines = ["# Sealed cohorts", "", _ABOUT, ""]
    options.stack, options.embeddings = None, {}
    if options.beside:
        options.stack, options.embeddings = rows_beside(
            options.work / "beside", options.beside, _models(options) or DEFAULT_MODELS, options.workers
        )
    matched = _judged("matched", options, ("end_to_end", "truth_mask"), REGIMES)
    lines += [
        f"## matched, {options.cases} simulated patients",
        "",
        *_table(matched),
        *_beside(matched),
        *_targets(matched),
    ]
    for name in ("as-published", "second world"):
        evaluations = _judged(name, options, ("end_to_end",), options.other_regimes)
        lines += [
            f"## {name}, {options.other_cases} simulated patients",
            "",
            *_table(evaluations),
            *_beside(evaluations),
        ]
    lines += ["## Drop of AUC to the second world", "", *_drop(options)]
    if options.priors:
        lines += ["## Kinetic priors, dynamic series, end to end", "", *_priors(options)]
    lines += [f"Made in {(time.monotonic() - begun) / 60:.0f} minutes by `{_command(options)}`."]
    text = "\n".join(lines) + "\n"
    (options.work / "sealed_table.md").write_text(text, encoding="utf-8")
    print(text)
    if options.attach:
        _attach(options.work / "matched")


_ABOUT = (
    "Simulated patients of seeds that no training, tuning or threshold saw; the figures say how well labels of the "
    "simulator are recovered, never how well patients are diagnosed. Intervals: 95 %, bootstrap over patients. "
    "Efficiency: (AUC - 0.5) / (AUC of the exact posterior - 0.5). Cases without an answer are counted, not filled in. "
    "Published: measured on patients with masks, labels and a protocol of their own; not comparable."
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Evaluate every route on sealed cohorts and write one table.")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is judged and for the table")
    parser.add_argument("--model", action="append", default=[], metavar="ROUTE=ID", help="name, folder or Hub id")
    parser.add_argument("--beside", type=int, default=0, help="patients to fit the rows beside the routes on; 0: none")
    parser.add_argument("--cases", type=int, default=1000, help="patients of the matched cohort")
    parser.add_argument("--every-regime-cases", type=int, help="of the matched cohort; all by default")
    parser.add_argument("--truth-cases", type=int, help="of the matched cohort, with the true mask too; all by default")
    parser.add_argument("--other-cases", type=int, help="of as-published and of the second world; as many by default")
    parser.add_argument(
        "--other-regimes", nargs="+", default=list(REGIMES), choices=REGIMES, help="of these two cohorts"
    )
    parser.add_argument("--priors", type=int, default=0, help="patients under each kinetic prior; 0: leave out")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--attach", action="store_true", help="give the scores to the weights that come with spinehub")
    options = parser.parse_args()
    if options.attach and options.model:
        parser.error("--attach is for the weights that come with spinehub: leave out --model")
    options.other_cases = options.cases if options.other_cases is None else options.other_cases
    return options


def _judged(
    name: str, options: argparse.Namespace, sources: Sequence[str], regimes: Sequence[str], prior: str = "medium"
) -> Evaluations:
    world: Any = "second" if name == "second world" else "first"
    cohort: Any = "as-published" if name == "as-published" else "matched"
    count = {"matched": options.cases, "priors": options.priors}.get(name, options.other_cases)
    kinetics: Any = prior
    recipes = tuple(recipes_of(world, count, SEEDS[name], cohort=cohort, kinetics=kinetics))
    asked: Any = {"regimes": regimes, "mask_sources": sources}
    return evaluate_cohort(
        recipes,
        _folder(options.work, name, prior),
        _models(options),
        stack=options.stack,
        embeddings=options.embeddings,
        workers=options.workers,
        attach=False,
        truth_mask_cases=options.truth_cases,
        every_regime_cases=options.every_regime_cases if name == "matched" else None,
        **asked,
    )


def _models(options: argparse.Namespace) -> dict[str, str] | None:
    return dict(word.split("=", 1) for word in options.model) or None


def _folder(work: Path, name: str, prior: str = "medium") -> Path:
    return work / (name.replace(" ", "-") if name != "priors" else f"prior-{prior}")


def _table(evaluations: Evaluations) -> Iterable[str]:
    columns = (*ANSWERS, *MASKS)
    yield f"| row | regime | region | answered | {' | '.join(HEADS.get(name, name) for name in columns)} |"
    yield "|" + "---|" * (4 + len(columns))
    for route, evaluation in evaluations.items():
        for regime, sources in evaluation["regimes"].items():
            for source, scores in sources.items():
                cells = " | ".join(cell(scores.get(name)) for name in columns)
                answered = f"{scores['n_answered']} of {scores['n']}"
                yield f"| {route} | {regime} | {source.replace('_', ' ')} | {answered} | {cells} |"
    for row, what in (("radiomics", "0.74"), ("improved U-Net", "0.98")):
        masks = "0.98001 | |" if row != "radiomics" else "| |"
        yield f"| {row}, published (patients) | | | | {what} | | | | | | {masks} | | | | |"
    yield ""


def _beside(evaluations: Evaluations) -> Iterable[str]:
    """Floors and ceiling, which are the same for every route."""
    names = ("auc", "dice", "iou", "hd95_mm", "pixel_accuracy", "empty_mask_pixel_accuracy", "gap_closed")
    yield f"| beside them | {' | '.join(HEADS.get(name, name) for name in names)} |"
    yield "|" + "---|" * (1 + len(names))
    for name, figures in next(iter(evaluations.values()))["baselines"].items():
        yield f"| {name} | {' | '.join(cell(figures.get(k)) for k in names)} |"
    yield ""


def _targets(evaluations: Evaluations) -> Iterable[str]:
    """What was wanted, and what came out: dynamic series, end to end."""
    yield "| wanted (dynamic, end to end) | at least | found |"
    yield "|---|---|---|"
    for (name, route), least in WANTED.items():
        yield f"| {name.replace('_', ' ')} of {route} | {least:.2f} | {cell(_end_to_end(evaluations, route, name))} |"
    yield f"| HD95 of unet, at most | 6 mm | {cell(_end_to_end(evaluations, 'unet', 'hd95_mm'))} |"
    yield ""


def _end_to_end(evaluations: Evaluations, route: str, name: str) -> Mapping[str, Any] | None:
    scores = evaluations.get(route, {}).get("regimes", {}).get("dynamic", {}).get("end_to_end", {})
    figure: Mapping[str, Any] | None = scores.get(name)
    return figure


def _drop(options: argparse.Namespace) -> Iterable[str]:
    """AUC on `matched` less AUC in the second world; patients of the two cohorts are drawn anew independently."""
    answers = {name: _answers(_folder(options.work, name)) for name in ("matched", "second world")}
    yield "| row | regime | matched | second world | drop (95 % interval) |"
    yield "|---|---|---|---|---|"
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, Any]] = {}
    for key in sorted(set(answers["matched"]) & set(answers["second world"])):
        both = [answers[name][key] for name in ("matched", "second world")]
        if any(np.unique(truth).size < 2 for truth, _ in both):
            continue
        areas = [auc(truth, share) for truth, share in both]
        resampled = np.array([[_resampled(rows, rng) for rows in both] for _ in range(RESAMPLES)])
        drop = _figure(areas[0] - areas[1], resampled[:, 0] - resampled[:, 1])
        found.setdefault(key[0], {})[key[1]] = {"auc": _figure(areas[1], resampled[:, 1]), "drop": drop}
        mark = "; **above 0.10**" if drop["value"] > 0.10 else ""
        yield f"| {key[0]} | {key[1]} | {areas[0]:.3f} | {areas[1]:.3f} | {cell(drop)}{mark} |"
    yield ""
    for route, regimes in found.items():
        path = _folder(options.work, "matched") / route / "evaluation.json"
        second = {"seed": SEEDS["second world"], "cases": options.other_cases, "regimes": regimes}
        evaluation = {**json.loads(path.read_text(encoding="utf-8")), SECOND_WORLD: second}
        validate_evaluation(evaluation)
        path.write_text(json.dumps(evaluation, indent=2, allow_nan=False), encoding="utf-8")


def _figure(value: float, resampled: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return {"value": float(value), "low": float(low), "high": float(high)}


def _answers(folder: Path) -> dict[tuple[str, str], tuple[NDArray[np.int_], NDArray[np.float64]]]:
    """Truth and probability of each row and regime, end to end."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["mask_source"] == "end_to_end" and line["probability"]:
                truth = int(line["diagnosis"] == "primary_malignant")
                found.setdefault((line["route"], line["regime"]), []).append((truth, float(line["probability"])))
    return {key: (np.array([t for t, _ in rows]), np.array([p for _, p in rows])) for key, rows in found.items()}


def _resampled(rows: tuple[NDArray[np.int_], NDArray[np.float64]], rng: np.random.Generator) -> float:
    truth, share = rows
    drawn = rng.integers(len(truth), size=len(truth))
    return auc(truth[drawn], share[drawn]) if np.unique(truth[drawn]).size == 2 else float("nan")


def _priors(options: argparse.Namespace) -> Iterable[str]:
    yield "| row | " + " | ".join(PRIORS) + " |"
    yield "|" + "---|" * (1 + len(PRIORS))
    found = {prior: _judged("priors", options, ("end_to_end",), ("dynamic",), prior) for prior in PRIORS}
    for route in found["medium"]:
        cells = [cell(_end_to_end(found[prior], route, "auc")) for prior in PRIORS]
        yield f"| {route} | {' | '.join(cells)} |"
    ceilings = [next(iter(found[prior].values()))["baselines"] for prior in PRIORS]
    exact = [next((v["auc"] for k, v in base.items() if k.startswith("ceiling")), None) for base in ceilings]
    yield f"| ceiling | {' | '.join(cell(figure) for figure in exact)} |"
    yield ""


def _attach(judged: Path) -> None:
    """Give the scores of `matched` to the models in ``spinehub/pretrained``, and write their cards."""
    for route, name in DEFAULT_MODELS.items():
        folder = ROOT / "spinehub" / "pretrained" / name
        write_evaluation(folder, json.loads((judged / route / "evaluation.json").read_text(encoding="utf-8")))
        (ROOT / "model_cards" / f"{name}.md").write_text(render_folder(folder), encoding="utf-8")


def _command(options: argparse.Namespace) -> str:
    """The call with the names of files alone, since a path may say who made it."""
    words = [f"--cases {options.cases} --other-cases {options.other_cases}"]
    words += [f"--truth-cases {options.truth_cases}"] if options.truth_cases is not None else []
    every = options.every_regime_cases
    words += [f"--every-regime-cases {every}"] if every is not None else []
    if options.other_regimes != list(REGIMES):
        words += [f"--other-regimes {' '.join(options.other_regimes)}"]
    words += [f"--model {word.split('=')[0]}={Path(word.split('=', 1)[1]).name}" for word in options.model]
    words += [f"--beside {options.beside}"] if options.beside else []
    words += [f"--priors {options.priors}"] if options.priors else []
    words += ["--attach"] if options.attach else []
    return f"python benchmarks/sealed_table.py --work WORK {' '.join(words)}"


if __name__ == "__main__":
    main()
