"""Make the weights that come with spinehub, from seeds: simulate, train, evaluate, embed, write the cards.

    python benchmarks/train_default_models.py --work runs/defaults

Every step is skipped where its result is there, so an interrupted run goes on. With the defaults this takes about two
hours on two CPU cores. `--embed` then replaces what lies in ``spinehub/pretrained`` and ``model_cards``.
"""

import argparse
from pathlib import Path

from spinehub.cards import render_folder
from spinehub.cohort import generate_cohort
from spinehub.evaluation import evaluate_cohort
from spinehub.models import from_pretrained
from spinehub.models.loading import save_embedded
from spinehub.training import train_route

ROOT = Path(__file__).parents[1]
NAMES = {"hotspot": "hotspot-dce", "radiomics": "radiomics-dce", "unet": "unet-dce"}
TRAINING_SEED, TRAINING_CASES = 1, 640
EVALUATION_SEED, EVALUATION_CASES = 9001, 90


def main() -> None:
    parser = argparse.ArgumentParser(description="Train, evaluate and embed the default models.")
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts, prepared cases and models")
    parser.add_argument("--minutes", type=float, default=27.0, help="budget of the U-Net's fit")
    parser.add_argument("--cases", type=int, default=TRAINING_CASES)
    parser.add_argument("--evaluation-cases", type=int, default=EVALUATION_CASES)
    parser.add_argument("--embed", action="store_true", help="replace spinehub/pretrained and model_cards")
    options = parser.parse_args()
    work: Path = options.work
    generate_cohort(work / "train", options.cases, TRAINING_SEED, workers=2)
    generate_cohort(work / "test", options.evaluation_cases, EVALUATION_SEED, workers=2)
    for route, name in NAMES.items():
        minutes = options.minutes if route == "unet" else None
        train_route(route, work / "train", work / name, minutes=minutes, prepared=work / "prepared")  # type: ignore[arg-type]
        print(f"trained {route}")
    evaluate_cohort(work / "test", work / "evaluation", {route: str(work / name) for route, name in NAMES.items()})
    print((work / "evaluation" / "summary.md").read_text(encoding="utf-8"))
    if options.embed:
        for name in NAMES.values():
            folder = save_embedded(from_pretrained(work / name), ROOT / "spinehub" / "pretrained" / name)
            (ROOT / "model_cards" / f"{name}.md").write_text(render_folder(folder), encoding="utf-8")
            print(f"embedded {name}")


if __name__ == "__main__":
    main()
