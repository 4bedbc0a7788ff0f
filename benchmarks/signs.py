"""How well a trained network sees each sign the simulator drew.

    python benchmarks/signs.py --model runs/unet --prepared runs/prepared [--part calibration] [--cases 128]

Asks the sign head of a training (it lies in the checkpoint, since only training needs it) about cases of one part of
the training's own split, in the grown region. Numbers: correlation of answer and sign. Categories: mean over the values
of the area under the curve of one value against the rest. Prints a table.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from spinehub.dataset import REGIMES, PreparedCase, PreparedStack, read_prepared
from spinehub.dataset.teacher import CATEGORY_SIZES, NUMBERS, sign_vector
from spinehub.metrics import auc
from spinehub.models import LesionClassifier, LesionSegmenter, from_pretrained
from spinehub.models.classifier import largest_slices
from spinehub.models.lesion_head import region_sums, regions_of, stages_of
from spinehub.training.teaching import SignHead


def main() -> None:
    options = _options()
    model = from_pretrained(options.model)
    if not isinstance(model, LesionSegmenter | LesionClassifier):
        raise SystemExit(f"--model must be the folder of a network, got one of {type(model).__name__}")
    ids = json.loads((options.model / "training" / "split.json").read_text(encoding="utf-8"))[options.part]
    cases = read_prepared(options.prepared, ids[: options.cases])
    answers = {regime: _figures(model, _sign_head(options.model, model), cases, regime) for regime in REGIMES}
    print(f"{len(cases)} {options.part} cases")
    print("")
    print(f"| sign | {' | '.join(REGIMES)} |")
    print("|---|" + "---|" * len(REGIMES))
    for name in ("class (area)", *NUMBERS, *CATEGORY_SIZES):
        print(f"| {name} | {' | '.join(f'{answers[regime][name]:.2f}' for regime in REGIMES)} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How well a trained network sees each sign.")
    parser.add_argument("--model", type=Path, required=True, help="folder of a training, with its checkpoint")
    parser.add_argument("--prepared", type=Path, required=True, help="prepared cases of that training")
    parser.add_argument("--part", default="calibration", choices=("training", "validation", "calibration"))
    parser.add_argument("--cases", type=int, default=128)
    return parser.parse_args()


def _sign_head(folder: Path, model: LesionSegmenter | LesionClassifier) -> SignHead:
    head = model.head if isinstance(model, LesionSegmenter) else model.pooled.head
    if head is None:
        raise SystemExit("--model must have a lesion head: without one nothing was asked about signs")
    kept = load_file(folder / "training" / "checkpoint" / "checkpoint.safetensors")
    signs = SignHead(head.hidden)
    signs.load_state_dict({name: kept[f"best/signs.{name}"] for name in ("weight", "bias")})
    return signs.eval()


def _figures(
    model: LesionSegmenter | LesionClassifier, signs: SignHead, cases: list[PreparedCase], regime: Any
) -> dict[str, float]:
    asked, truth, score, label = [], [], [], []
    for case in cases:
        stack = case.stacks("unet" if isinstance(model, LesionSegmenter) else "inception_resnet").get(regime)
        if stack is None or not stack.grown_pixels.any():
            continue
        with model.ready():
            hidden, said = _hidden(model, stack)
            asked.append(signs(hidden)[0].numpy())
        truth.append(sign_vector(case.signs))
        score.append(said)
        label.append(case.label)
    answers, drawn = np.array(asked), np.array(truth)
    found = {"class (area)": auc(np.array(label), np.array(score))}
    for place, name in enumerate(NUMBERS):
        found[name] = float(np.corrcoef(answers[:, place], drawn[:, place])[0, 1])
    start = len(NUMBERS)
    for place, (name, size) in enumerate(CATEGORY_SIZES.items(), start=len(NUMBERS)):
        found[name] = _mean_area(answers[:, start : start + size], drawn[:, place])
        start += size
    return found


def _mean_area(logits: NDArray[np.float32], drawn: NDArray[np.float32]) -> float:
    held = [(drawn == value).astype(int) for value in range(logits.shape[1])]
    return float(np.mean([auc(own, logits[:, k]) for k, own in enumerate(held) if 0 < own.sum() < len(own)]))


def _hidden(model: LesionSegmenter | LesionClassifier, stack: PreparedStack) -> tuple[torch.Tensor, float]:
    """Hidden layer ``(1, hidden)`` and log-odds of the lesion head for the grown region."""
    if isinstance(model, LesionClassifier):
        chosen = largest_slices(stack.grown_pixels, model.slices)
        slices = np.concatenate([stack.values(chosen), stack.inside(chosen)[:, None]], axis=1)
        found = model.pooled(model.tensor_of(slices)[None], torch.ones((1, len(chosen)), dtype=torch.bool))
        return found.hidden, float(found.score)
    assert model.head is not None
    chosen = np.flatnonzero(stack.grown_pixels > 0)
    inside = stack.inside(chosen)
    region = [inside[:, None]] if model.reads_region else []
    _, stages = stages_of(model.network, model.tensor_of(np.concatenate([stack.values(chosen), *region], axis=1)))
    sums = region_sums(stages, regions_of(torch.tensor(inside), model.head.regions))
    hidden = model.head.hidden_of([part.sum(dim=0, keepdim=True) for part in sums])
    return hidden, float(model.head.score(hidden))


if __name__ == "__main__":
    main()
