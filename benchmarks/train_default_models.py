"""Make the weights that come with spinehub, from seeds: simulate, train, embed.

    python benchmarks/train_default_models.py --work runs/defaults --embed

Training cases are rendered while they are prepared and never written: about 17 MB a case for both networks stay. Every
step is skipped where its result is there, so an interrupted run goes on. `--embed` replaces what lies in
``spinehub/pretrained``; ``sealed_table.py --attach`` then scores it and writes the cards. The seconds of each step are
printed and kept in ``seconds.json``.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from spinehub.dataset import PreparationPlan, prepare_cohort
from spinehub.inputs import PreprocessingSpec
from spinehub.models import from_pretrained
from spinehub.models.classifier import CROP
from spinehub.models.loading import save_embedded
from spinehub.simulate import CaseRecipe, cohort_recipes
from spinehub.training import train_route
from spinehub.training.plan import Route, TrainingPlan

ROOT = Path(__file__).parents[1]
NAMES: dict[Route, str] = {
    "hotspot": "hotspot-dce",
    "radiomics": "radiomics-dce",
    "unet": "unet-dce",
    "inception_resnet": "inception-resnet-v2-dce",
}
TRAINING_SEED = 1
_SECOND_RATE = 1e-3
"""Learning rate of the U-Net's second fit, which goes on from the first: half of that one's."""


def main() -> None:
    options = _options()
    work: Path = options.work
    routes: list[Route] = options.routes
    models = {route: work / NAMES[route] for route in routes}
    with _timed(work, "prepare"):
        specs: dict[str, PreprocessingSpec] = {"unet": PreprocessingSpec(), "inception_resnet": CROP}
        plan = PreparationPlan({route: specs[route] for route in routes if route in specs}, tabular=True)
        recipes = tuple(cohort_recipes(options.cases, TRAINING_SEED))
        prepare_cohort(recipes, plan, work / "prepared", workers=options.workers)
    for route in routes:
        with _timed(work, f"train {route}"):
            _train(route, recipes, work, options)
    if options.embed:
        _embed(routes, models)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train and embed the default models.")
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts, prepared cases and models")
    parser.add_argument("--minutes", type=float, default=30.0, help="budget of each network's fit")
    parser.add_argument("--more-minutes", type=float, default=30.0, help="budget of the U-Net's second fit")
    parser.add_argument("--cases", type=int, default=1500, help="cases to train on")
    parser.add_argument("--routes", nargs="+", choices=list(NAMES), default=list(NAMES))
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--embed", action="store_true", help="replace spinehub/pretrained")
    return parser.parse_args()


def _train(route: Route, recipes: Sequence[CaseRecipe], work: Path, options: argparse.Namespace) -> None:
    folder = work / NAMES[route]
    finished = folder / "training" / "held_out.json"
    if finished.is_file() and (folder / "config.json").is_file():
        return
    prepared, workers = work / "prepared", options.workers
    first = work / f"{NAMES['unet']}-first"
    if route == "unet":
        if not (first / "config.json").is_file():
            train_route(route, recipes, first, minutes=options.minutes, prepared=prepared, workers=workers)
        plan = TrainingPlan.of(route, minutes=options.more_minutes, learning_rate=_SECOND_RATE)
        train_route(route, recipes, folder, prepared=prepared, workers=workers, plan=plan, start=first)
        return
    minutes = options.minutes if route == "inception_resnet" else None
    teacher = first if route == "inception_resnet" and (first / "config.json").is_file() else None
    train_route(route, recipes, folder, minutes=minutes, prepared=prepared, workers=workers, teacher=teacher)


def _embed(routes: Sequence[Route], models: Mapping[Route, Path]) -> None:
    for route in routes:
        save_embedded(from_pretrained(models[route]), ROOT / "spinehub" / "pretrained" / NAMES[route])
        print(f"embedded {NAMES[route]}")


@contextmanager
def _timed(work: Path, step: str) -> Iterator[None]:
    """Print and keep how long a step took; a step that was there already takes no time and keeps its figure."""
    path = work / "seconds.json"
    work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    yield
    seconds = json.loads(path.read_text()) if path.is_file() else {}
    seconds[step] = round(max(seconds.get(step, 0.0), time.monotonic() - started), 1)
    path.write_text(json.dumps(seconds, indent=2))
    print(f"{step}: {seconds[step]:.0f} s")


if __name__ == "__main__":
    main()
