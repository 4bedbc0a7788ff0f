"""The lesion head learns from the input alone before the network does."""

import copy
from typing import Any

import numpy as np
import torch

from spinehub.dataset.batches import LesionBatch
from spinehub.dataset.teacher import CATEGORY_SIZES, NUMBERS
from spinehub.inputs import PreprocessingSpec
from spinehub.metrics import auc
from spinehub.models import LesionClassifier
from spinehub.training.teaching import SignHead
from spinehub.training.warm_up import warm_up_head

SPEC = PreprocessingSpec(size=32)


class BrightOrDark:
    """Lesions in noise: those of the second class are brighter in the first channel."""

    def batch(self, step: int) -> LesionBatch:
        rng = torch.Generator().manual_seed(step)
        targets = torch.tensor([0.0, 1.0] * 4)
        slices = torch.randn(8, 2, 14, 32, 32, generator=rng)
        slices[:, :, -1] = 0.0
        slices[:, :, -1, 8:24, 8:24] = 1.0
        slices[:, :, 0] += (2.0 * targets - 1.0)[:, None, None, None] * slices[:, :, -1]
        signs = torch.full((8, len(NUMBERS) + len(CATEGORY_SIZES)), float("nan"))
        return LesionBatch(slices, torch.ones(8, 2, dtype=torch.bool), slices[:, :, -1], targets, signs)


def test_the_head_learns_what_the_input_shows_and_nothing_else_moves() -> None:
    torch.manual_seed(0)
    model = LesionClassifier.create(SPEC, architecture="resnet10t")
    head = model.pooled.head
    assert head is not None
    before = copy.deepcopy(model.pooled.state_dict())
    batches: Any = BrightOrDark()
    losses = warm_up_head(model.pooled, SignHead(head.hidden), batches, 150)
    assert np.mean(losses[-10:]) < 0.3 < 0.6 < losses[0]
    moved = {name for name, value in model.pooled.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {f"head.{part}.{kind}" for part in ("inner", "score") for kind in ("weight", "bias")}
    fresh = batches.batch(1000)
    model.pooled.eval()
    with torch.no_grad():
        score = model.pooled(fresh.slices, fresh.valid).score
    assert auc(fresh.targets.int().numpy(), score.numpy()) == 1.0


def test_a_network_without_a_head_has_nothing_to_warm_up() -> None:
    model = LesionClassifier.create(SPEC, architecture="resnet10t")
    model.pooled.head = None
    batches: Any = BrightOrDark()
    assert warm_up_head(model.pooled, SignHead(4), batches, 3) == []
