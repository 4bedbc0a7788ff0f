"""Paired ablations of the U-Net at a short budget: what each modification and input pays, and whether more would help.

    python benchmarks/ablations.py --work runs/ablations [--cases 400] [--test-cases 150] [--steps 640] [--seeds 0]
        [--variant NAME ...]

Every variant learns from the same simulated cases, clicks, steps and batches, and is judged on the same other cases,
which nothing else was fitted to; what changes is one thing at a time, against the default. Shown: AUC of the lesion's
score in the region one simulated click grows, before any calibration; Dice of the outline over all slices of a timed
series; and the paired difference from the default (95 % bootstrap interval over patients, all seeds pooled). A short
budget says which change pays early, not what it pays in the end, and the interval does not hold what another training
of the same variant would change: several ``--seeds`` show that. Finished models and answers are kept, so an interrupted
run goes on. Writes ``ablations.md`` into `--work`.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import REGIMES, PreparationPlan, PreparedCase, PreparedStack, prepare_cohort, read_prepared
from spinehub.inputs import PreprocessingSpec
from spinehub.metrics import auc, paired_difference
from spinehub.models.segmenter import MODIFIED_UNET, PLAIN_UNET, LesionSegmenter
from spinehub.simulate import cohort_recipes

TRAINING_SEED, TEST_SEED = 60601, 60602
SPLIT_SEED = 0
"""Of the split and of the clicks: the same for every training."""
SPECS = {
    "maps+frames": PreprocessingSpec(),
    "maps": replace(PreprocessingSpec(), channels="maps"),
    "frames": replace(PreprocessingSpec(), channels="frames"),
    "maps+slices": replace(PreprocessingSpec(), channels="maps+slices"),
}
RESAMPLES = 1000


@dataclass(frozen=True)
class Variant:
    """One way to build and train the U-Net.

    Parameters
    ----------
    channels
        Inputs, a key of :data:`SPECS`.
    architecture
        Arguments of ``smp.Unet``.
    head
        Whether the lesion head answers; if not, the lesion's pixels vote.
    region
        Whether the grown region is one channel more.
    hidden
        Whether poorer inputs are shown in training; if not, only whole timed series are.
    cases, steps
        Share of the training cases, and of the steps: whether more of either would help.
    """

    channels: str = "maps+frames"
    architecture: Mapping[str, Any] = field(default_factory=lambda: dict(MODIFIED_UNET))
    head: bool = True
    region: bool = True
    hidden: bool = True
    cases: float = 1.0
    steps: float = 1.0


DEFAULT = "default"
VARIANTS = {
    DEFAULT: Variant(),
    "plain U-Net": Variant(architecture=dict(PLAIN_UNET), head=False, region=False),
    "without scSE": Variant(architecture=dict(PLAIN_UNET)),
    "without lesion head": Variant(head=False),
    "without region": Variant(region=False),
    "maps": Variant("maps"),
    "frames": Variant("frames"),
    "maps + 10 slices": Variant("maps+slices"),
    "nothing hidden": Variant(hidden=False),
    "a quarter of the cases": Variant(cases=0.25),
    "half of the cases": Variant(cases=0.5),
    "half of the steps": Variant(steps=0.5),
    "twice the steps": Variant(steps=2.0),
}


def main() -> None:
    options = _options()
    names = [DEFAULT, *(name for name in options.variant or VARIANTS if name != DEFAULT)]
    needed = {VARIANTS[name].channels for name in names}
    plan = PreparationPlan({_part(channels): SPECS[channels] for channels in sorted(needed)}, seed=SPLIT_SEED)
    recipes = tuple(cohort_recipes(options.cases, TRAINING_SEED)), tuple(cohort_recipes(options.test_cases, TEST_SEED))
    for part, members in zip(("learned", "judged"), recipes, strict=True):
        prepare_cohort(members, plan, options.work / "prepared" / part, workers=options.workers)
    jobs = [(name, seed) for seed in options.seeds for name in names]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for (name, seed), answers in zip(jobs, pool.map(partial(_answered, options), jobs), strict=True):
            print(f"{name}, seed {seed}: AUC in timed series {answers.area('dynamic'):.3f}", flush=True)
    found = {name: [_answered(options, (name, seed)) for seed in options.seeds] for name in names}
    text = "\n".join(["# Ablations of the U-Net", "", *_about(options), "", *_table(found), ""])
    (options.work / "ablations.md").write_text(text, encoding="utf-8")
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Paired short ablations of the U-Net.")
    parser.add_argument("--work", type=Path, required=True, help="folder for models, prepared cases and the table")
    parser.add_argument("--cases", type=int, default=400, help="cases every variant learns from")
    parser.add_argument("--test-cases", type=int, default=150, help="others every variant is judged on")
    parser.add_argument("--steps", type=int, default=640, help="optimiser steps of each training")
    parser.add_argument("--batch", type=int, default=16, help="slices per step")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="trainings of each variant")
    parser.add_argument("--variant", action="append", choices=list(VARIANTS), help="beside the default; repeatable")
    parser.add_argument("--workers", type=int, default=2, help="processes: each trains a variant in one thread")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    return options


def _one_thread() -> None:
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
    torch.set_num_threads(1)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one training says, by regime and case: the score of the lesion; Dice in timed series."""

    label: Mapping[str, int]
    score: Mapping[str, Mapping[str, float]]
    dice: Mapping[str, float]

    def area(self, regime: str) -> float:
        """AUC over the cases that have a region."""
        cases = list(self.score[regime])
        return auc(np.array([self.label[c] for c in cases]), np.array([self.score[regime][c] for c in cases]))


def _answered(options: argparse.Namespace, job: tuple[str, int]) -> Answers:
    """Train and judge a variant, unless its answers are kept."""
    name, seed = job
    folder = options.work / name.replace(" ", "-").replace("+", "and") / str(seed)
    kept = folder / "answers.json"
    if not kept.is_file():
        model = _trained(VARIANTS[name], folder, seed, options)
        values = _judged(model, options)
        kept.write_text(json.dumps(values), encoding="utf-8")
    return Answers(**json.loads(kept.read_text(encoding="utf-8")))


def _trained(variant: Variant, folder: Path, seed: int, options: argparse.Namespace) -> LesionSegmenter:
    from spinehub.training.bookkeeping import parts_of
    from spinehub.training.loop import fit
    from spinehub.training.plan import TrainingPlan
    from spinehub.training.refit import lesion_sums, refit_head
    from spinehub.training.segmenter import new_segmenter, segmenter_job

    spec = SPECS[variant.channels]
    steps = round(variant.steps * options.steps)
    plan = TrainingPlan.of("unet", steps=steps, seed=seed, batch=options.batch, evaluations=4)
    model = new_segmenter(spec, {**variant.architecture, "reads_region": variant.region}, seed)
    if not variant.head:
        model = LesionSegmenter(
            model.network, spec, architecture=model.architecture, head=None, reads_region=variant.region
        )
    parts = parts_of(_linked(variant, "learned", options), SPLIT_SEED)
    parts["training"] = parts["training"][: round(variant.cases * len(parts["training"]))]
    folder.mkdir(parents=True, exist_ok=True)
    fit(segmenter_job(model, parts, seed=seed, batch=options.batch), plan, folder)
    if model.head is not None:
        sums = [lesion_sums(model, parts[part], "unet") for part in ("training", "validation")]
        refit_head(model, *sums, seed=seed)
    return model


def _linked(variant: Variant, part: str, options: argparse.Namespace) -> list[PreparedCase]:
    """Prepared cases under the name a training looks for; for judging, every regime."""
    source = (options.work / "prepared" / part).resolve()
    only = part == "learned" and not variant.hidden
    target = options.work / "linked" / f"{part}-{_part(variant.channels)}{'-dynamic' if only else ''}"
    for case in sorted(source.iterdir()):
        here = target / case.name
        if here.is_dir():
            continue
        here.mkdir(parents=True)
        (here / "case.json").symlink_to(case / "case.json")
        if not only:
            (here / "unet").symlink_to(case / _part(variant.channels))
            continue
        copytree(case / _part(variant.channels), here / "unet")
        table = here / "unet" / "stacks.json"
        content = json.loads(table.read_text(encoding="utf-8"))
        content["regimes"] = {"dynamic": content["regimes"]["dynamic"]}
        table.write_text(json.dumps(content), encoding="utf-8")
    return list(read_prepared(target, [case.name for case in sorted(source.iterdir())]))


def _judged(model: LesionSegmenter, options: argparse.Namespace) -> dict[str, Any]:
    channels = next(name for name, spec in SPECS.items() if spec == model.spec)
    cases = _linked(Variant(channels), "judged", options)
    score: dict[str, dict[str, float]] = {regime: {} for regime in REGIMES}
    dice: dict[str, float] = {}
    for case in cases:
        for regime, stack in case.stacks("unet").items():
            found = _score(model, stack)
            if found is not None:
                score[regime][case.case_id] = found
        if "dynamic" in case.stacks("unet"):
            dice[case.case_id] = _dice(model, case.stacks("unet")["dynamic"])
    return {"label": {case.case_id: case.label for case in cases}, "score": score, "dice": dice}


def _score(model: LesionSegmenter, stack: PreparedStack) -> float | None:
    """Log-odds for the grown region; None where no slice shows it."""
    slices = np.flatnonzero(stack.grown_pixels > 0)
    if slices.size == 0:
        return None
    inside = stack.inside(slices)
    softmax, _, said, _ = model.run(stack.values(slices), inside)
    return float(model.lesion_vote(softmax, inside, said).score)


def _dice(model: LesionSegmenter, stack: PreparedStack) -> float:
    """Lesion of either class against every true lesion, over all slices."""
    slices = np.arange(stack.slice_count)
    softmax = model.run(stack.values(slices), stack.inside(slices))[0]
    truth, found = stack.labels(slices) > 0, softmax[:, 1:].sum(axis=1) >= 0.5
    return float(2.0 * (truth & found).sum() / max(1, truth.sum() + found.sum()))


def _about(options: argparse.Namespace) -> Iterable[str]:
    samples = options.steps * options.batch
    yield f"**Short budget**: {options.steps} steps of {options.batch} slices ({samples} samples), training seeds"
    yield f"{options.seeds}; learned from {options.cases} simulated cases (seed {TRAINING_SEED}, less those that"
    yield f"validate), judged on {options.test_cases} others (seed {TEST_SEED}). Simulated cases say nothing about"
    yield "patients. In brackets: 95 % bootstrap interval over patients of the paired difference from the default."


def _table(found: Mapping[str, Sequence[Answers]]) -> Iterable[str]:
    yield f"| variant | {' | '.join(f'AUC, {regime}' for regime in REGIMES)} | Dice, dynamic |"
    yield "|---|---|---|---|---|"
    for name, answers in found.items():
        cells = [_area_cell(answers, found[DEFAULT], regime, name == DEFAULT) for regime in REGIMES]
        yield f"| {name} | {' | '.join(cells)} | {_dice_cell(answers, found[DEFAULT], name == DEFAULT)} |"


def _area_cell(own: Sequence[Answers], base: Sequence[Answers], regime: str, alone: bool) -> str:
    if not own[0].score[regime]:
        return "no input"
    area = f"{np.mean([each.area(regime) for each in own]):.3f}"
    cases = [case for case in own[0].score[regime] if case in base[0].score[regime]]
    label = np.array([own[0].label[case] for case in cases])
    both = [np.array([[each.score[regime][case] for each in them] for case in cases]) for them in (own, base)]
    return area if alone else f"{area}, {_change(_mean_area, label, *both)}"


def _dice_cell(own: Sequence[Answers], base: Sequence[Answers], alone: bool) -> str:
    both = [np.array([[each.dice[case] for each in them] for case in own[0].dice]) for them in (own, base)]
    mean = f"{both[0].mean():.3f}"
    return mean if alone else f"{mean}, {_change(_mean, np.zeros(len(both[0])), *both)}"


def _change(statistic: Callable[[Any, Any], float], label: NDArray[Any], own: NDArray[Any], base: NDArray[Any]) -> str:
    """Difference of a mean over the trainings; patients drawn anew."""
    found = paired_difference(statistic, label, own, base, n=RESAMPLES)
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _mean_area(label: NDArray[Any], scores: NDArray[Any]) -> float:
    """Of the columns of `scores`, one per training."""
    return float(np.mean([auc(label, column) for column in scores.T]))


def _mean(label: NDArray[Any], scores: NDArray[Any]) -> float:
    return float(scores.mean())


def _part(channels: str) -> str:
    return f"unet-{channels.replace('+', '-')}"


if __name__ == "__main__":
    main()
