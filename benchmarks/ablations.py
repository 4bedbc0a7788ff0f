"""Paired ablations of the U-Net at a short budget, and a learning curve.

    python benchmarks/ablations.py --work runs/ablations [--cases 500] [--test-cases 200] [--steps 640] [--seeds 0 1 2]
        [--only ablations|curve] [--variant NAME ...]

Every variant learns from the same simulated cases with the same seeds, steps and batches, and is judged on the same
sealed cases; what changes is one thing at a time, against the default (modified, maps + frames, inputs hidden at
random). Shown: AUC and Dice end to end, and the paired difference from the default (95 % bootstrap interval over
patients), the answers of all seeds pooled. The learning curve trains the default on the first 125, 250, 500, 1000 and
2000 cases. A short budget says which change pays early, not what it pays in the end. Finished models are kept, so an
interrupted run goes on. Writes ``ablations.md`` into `--work`.
"""

import argparse
import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import REGIMES, PreparationPlan, prepare_cohort
from spinehub.evaluation import evaluate_cohort
from spinehub.inputs import PreprocessingSpec
from spinehub.metrics import auc, paired_difference
from spinehub.models.segmenter import MODIFIED_UNET, PLAIN_UNET
from spinehub.simulate import CaseRecipe, cohort_recipes
from spinehub.training import TrainingPlan, train_route

TRAINING_SEED, TEST_SEED = 60601, 60602
CURVE = (125, 250, 500, 1000, 2000)
SPEC = PreprocessingSpec()


@dataclass(frozen=True)
class Variant:
    """One way to build and train the U-Net.

    Parameters
    ----------
    spec, architecture
        Inputs and arguments of ``smp.Unet``.
    hidden
        Whether poorer inputs are shown in training; if not, only whole dynamic series are.
    """

    spec: PreprocessingSpec = SPEC
    architecture: Mapping[str, Any] = field(default_factory=lambda: dict(MODIFIED_UNET))
    hidden: bool = True


DEFAULT = "default"
VARIANTS = {
    DEFAULT: Variant(),
    "plain U-Net": Variant(architecture=dict(PLAIN_UNET)),
    "without the region": Variant(architecture={**MODIFIED_UNET, "reads_region": False}),
    "maps": Variant(replace(SPEC, channels="maps")),
    "frames": Variant(replace(SPEC, channels="frames")),
    "maps + 10 slices": Variant(replace(SPEC, channels="maps+slices")),
    "nothing hidden": Variant(hidden=False),
}


def main() -> None:
    options = _options()
    lines = ["# Ablations of the U-Net", "", *_about(options), ""]
    if options.only in (None, "ablations"):
        lines += [*_ablations(options), ""]
    if options.only in (None, "curve"):
        lines += [*_curve(options), ""]
    text = "\n".join(lines)
    (options.work / "ablations.md").write_text(text, encoding="utf-8")
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Paired short ablations of the U-Net and a learning curve.")
    parser.add_argument("--work", type=Path, required=True, help="folder for models, prepared cases and the tables")
    parser.add_argument("--cases", type=int, default=500, help="cases every variant learns from")
    parser.add_argument("--test-cases", type=int, default=200, help="sealed cases every variant is judged on")
    parser.add_argument("--steps", type=int, default=640, help="optimiser steps of each training")
    parser.add_argument("--batch", type=int, default=16, help="slices per step")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="trainings of each variant")
    parser.add_argument("--variant", action="append", choices=list(VARIANTS), help="beside the default; repeatable")
    parser.add_argument("--curve", type=int, nargs="+", default=list(CURVE), help="cases of the learning curve")
    parser.add_argument("--only", choices=("ablations", "curve"), help="one half alone")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    return options


def _about(options: argparse.Namespace) -> Iterable[str]:
    samples = options.steps * options.batch
    yield f"**Short budget**: {options.steps} steps of {options.batch} slices ({samples} samples), seeds"
    yield f"{options.seeds}; learned from {options.cases} simulated cases (seed {TRAINING_SEED}), judged on"
    yield f"{options.test_cases} others (seed {TEST_SEED}), end to end. Simulated cases say nothing about patients."


def _ablations(options: argparse.Namespace) -> Iterable[str]:
    recipes = _learned(options.cases)
    names = list(VARIANTS) if options.variant is None else [DEFAULT, *options.variant]
    found = {name: _answers(name, VARIANTS[name], recipes, options) for name in names}
    yield "## One change at a time"
    yield ""
    yield "| variant | regime | AUC | difference from the default | Dice | difference |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        for regime in REGIMES:
            own, base = found[name].get(regime), found[DEFAULT].get(regime)
            if own is None or base is None:
                yield f"| {name} | {regime} | no answer | | | |"
                continue
            change = ("", "") if name == DEFAULT else (_difference(own, base), _dice_difference(own, base))
            yield f"| {name} | {regime} | {own.auc:.3f} | {change[0]} | {own.mean_dice:.3f} | {change[1]} |"


def _curve(options: argparse.Namespace) -> Iterable[str]:
    yield "## Learning curve of the default, dynamic series"
    yield ""
    yield "| cases | AUC | Dice |"
    yield "|---|---|---|"
    for count in options.curve:
        own = _answers(f"{count} cases", VARIANTS[DEFAULT], _learned(count), options).get("dynamic")
        yield f"| {count} | no answer | |" if own is None else f"| {count} | {own.auc:.3f} | {own.mean_dice:.3f} |"


def _learned(count: int) -> tuple[CaseRecipe, ...]:
    return tuple(cohort_recipes(count, TRAINING_SEED))


@dataclass(frozen=True, eq=False)
class Answers:
    """What the trainings of one variant say in one regime, by seed and case."""

    truth: Mapping[tuple[int, str], int]
    share: Mapping[tuple[int, str], float]
    dice: Mapping[tuple[int, str], float]

    @property
    def auc(self) -> float:
        """Mean over the seeds."""
        seeds = sorted({seed for seed, _ in self.share})
        return float(np.mean([auc(*_columns(self, [key for key in self.share if key[0] == seed])) for seed in seeds]))

    @property
    def mean_dice(self) -> float:
        """Mean over cases and seeds."""
        return float(np.mean(list(self.dice.values())))


def _answers(
    name: str, variant: Variant, recipes: Sequence[CaseRecipe], options: argparse.Namespace
) -> dict[str, Answers]:
    """Train a variant with every seed, judge it, and gather what it says by regime."""
    tables: dict[str, tuple[dict[Any, int], dict[Any, float], dict[Any, float]]] = {}
    for seed in options.seeds:
        folder = options.work / name.replace(" ", "-").replace("+", "and") / str(seed)
        _train(variant, recipes, folder, seed, options)
        test = tuple(cohort_recipes(options.test_cases, TEST_SEED))
        asked: Any = {"mask_sources": ("end_to_end",), "workers": options.workers, "attach": False}
        evaluate_cohort(test, folder / "evaluation", {"unet": str(folder / "model")}, **asked)
        with (folder / "evaluation" / "predictions.csv").open(encoding="utf-8") as file:
            for line in csv.DictReader(file):
                if line["route"] == "unet" and line["probability"]:
                    truth, share, dices = tables.setdefault(line["regime"], ({}, {}, {}))
                    key = (seed, line["case_id"])
                    truth[key] = int(line["diagnosis"] == "primary_malignant")
                    share[key], dices[key] = float(line["probability"]), float(line["dice"])
    return {regime: Answers(*columns) for regime, columns in tables.items()}


def _train(
    variant: Variant, recipes: Sequence[CaseRecipe], folder: Path, seed: int, options: argparse.Namespace
) -> None:
    """Train one model, unless it is there; variants of one preprocessing share what is prepared."""
    if (folder / "model" / "config.json").is_file():
        return
    prepared = options.work / "prepared" / f"{variant.spec.channels.replace('+', '-')}-{seed}"
    plan = TrainingPlan.of("unet", steps=options.steps, seed=seed, batch=options.batch, evaluations=4)
    if not variant.hidden:
        prepare_cohort(recipes, PreparationPlan({"unet": variant.spec}, seed=seed), prepared, workers=options.workers)
        prepared = _dynamic_alone(prepared, folder / "prepared", recipes)
    train_route(
        "unet", recipes, folder / "model", plan=plan, spec=variant.spec, architecture=dict(variant.architecture),
        prepared=prepared, workers=options.workers,
    )  # fmt: skip


def _dynamic_alone(prepared: Path, target: Path, recipes: Sequence[CaseRecipe]) -> Path:
    """The same prepared cases, of which training finds the whole series alone."""
    import json
    from shutil import copytree

    for recipe in recipes:
        case = target / recipe.case_id
        if case.is_dir():
            continue
        copytree(prepared / recipe.case_id, case)
        table = case / "unet" / "stacks.json"
        content = json.loads(table.read_text(encoding="utf-8"))
        content["regimes"] = {"dynamic": content["regimes"]["dynamic"]}
        table.write_text(json.dumps(content), encoding="utf-8")
    return target


def _columns(answers: Answers, keys: Sequence[tuple[int, str]]) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    return np.array([answers.truth[key] for key in keys]), np.array([answers.share[key] for key in keys])


def _difference(own: Answers, base: Answers) -> str:
    """Difference of AUC on the cases both answered, whole patients drawn anew."""
    keys = [key for key in own.share if key in base.share]
    truth, share = _columns(own, keys)
    found = paired_difference(auc, truth, share, _columns(base, keys)[1], groups=[case for _, case in keys], n=1000)
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _dice_difference(own: Answers, base: Answers) -> str:
    keys = [key for key in own.dice if key in base.dice]
    change = np.array([own.dice[key] - base.dice[key] for key in keys])
    cases, place = np.unique([case for _, case in keys], return_inverse=True)
    by_case = np.bincount(place, change) / np.bincount(place)
    rng = np.random.default_rng(0)
    drawn = [by_case[rng.integers(len(cases), size=len(cases))].mean() for _ in range(1000)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{by_case.mean():+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
