"""Fit, calibrate and describe the Inception-ResNet classifier."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.dataset import Augmentation, LesionBatches, PreparedCase, PreparedStack
from spinehub.dataset.batches import LesionBatch
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionClassifier, LesionSegmenter, log_odds
from spinehub.models.classifier import ARCHITECTURE, CROP, PooledNetwork, Reading, largest_slices
from spinehub.training.dense import DenseHead, dense_loss
from spinehub.training.hints import Hints
from spinehub.training.loop import Job
from spinehub.training.scores import LesionScores, Question, gather_scores, score_figures, validation_stacks
from spinehub.training.teaching import SignHead, diagnosis_loss, sign_loss
from spinehub.training.warm_up import warm_up_head

__all__ = ["classifier_job", "classifier_scores", "new_classifier"]

NAME = "inception_resnet"
_SIGN_WEIGHT = 0.5
_HINT_WEIGHT = 2.0
_SLICES = 2
"""Slices per lesion in a training step; a finished network looks at up to its own `slices`."""


def classifier_job(
    model: LesionClassifier,
    parts: Mapping[str, Sequence[PreparedCase]],
    *,
    seed: int,
    batch: int,
    warm_up: int = 0,
    teacher: LesionSegmenter | None = None,
) -> Job[Any]:
    """Everything the loop needs to fit the classifier.

    Its lesion head is warmed up in so many steps; a U-Net, if there is one, teaches it to see.
    """
    batches = LesionBatches(
        parts["training"], NAME, seed=seed, size=batch, slices=min(_SLICES, model.slices), how=Augmentation()
    )
    stacks = validation_stacks(parts["validation"], NAME, seed)

    def losses_of(network: nn.Module, item: LesionBatch, half: bool) -> dict[str, torch.Tensor]:
        where = next(network.parameters()).device
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=half):
            found, answers, places, hints = network(item.slices.to(where), item.valid.to(where), item.lesion.to(where))
        targets = item.targets.to(where)
        dense = dense_loss(places, item.lesion.to(where), item.valid.to(where), targets)
        diagnosis = diagnosis_loss(found.logits[:, 1] - found.logits[:, 0], targets).mean()
        signs = sign_loss(answers, item.signs.to(where))
        losses = {"diagnosis_loss": diagnosis, "sign_loss": signs, "dense_loss": dense}
        losses["loss"] = diagnosis + _SIGN_WEIGHT * signs + dense
        if hints is not None:
            losses |= {"hint_loss": hints, "loss": losses["loss"] + _HINT_WEIGHT * hints}
        if found.score is None:
            return losses
        head = diagnosis_loss(found.score, targets).mean()
        return {**losses, "head_loss": head, "loss": losses["loss"] + head}

    def score_of(network: nn.Module) -> dict[str, float]:
        average: Any = network
        average = average.pooled
        scored = LesionClassifier(
            average.network, model.spec, pooling=average.pooling, architecture=model.architecture, slices=model.slices,
            head=average.head,
        )  # fmt: skip
        return _validate(scored, stacks)

    taught = _Taught(model.pooled, None if teacher is None else Hints(model.network, model.spec, teacher))
    warm_up_head(model.pooled, taught.signs, batches, warm_up)
    return Job(taught, batches.batch, losses_of, score_of)


class _Taught(nn.Module):
    """The classifier with the answers about signs and places, which only training needs."""

    def __init__(self, pooled: PooledNetwork, hints: Hints | None = None) -> None:
        super().__init__()
        network: Any = pooled.network
        self.pooled = pooled
        told = int(network.get_classifier().in_features) if pooled.head is None else pooled.head.hidden
        self.signs = SignHead(told)
        self.dense = DenseHead(network)
        self.hints = hints

    def forward(
        self, slices: torch.Tensor, valid: torch.Tensor, lesion: torch.Tensor
    ) -> tuple[Reading, torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """What the classifier reads, answers about signs, logits at every place, and its distance from the U-Net."""
        found: Reading = self.pooled(slices, valid)
        told = self.signs(found.pooled if found.hidden is None else found.hidden)
        hints = None
        if self.hints is not None:
            with torch.autocast(slices.device.type, enabled=False):
                hints = self.hints(found.stages, self.hints.seen(slices.flatten(0, 1)), lesion.flatten(0, 1))
        return found, told, self.dense(found.stages), hints


def _validate(model: LesionClassifier, stacks: Sequence[Question]) -> dict[str, float]:
    scores = np.array([_judge(model, stack)[0] for stack, _, _ in stacks])
    figures = score_figures(scores, stacks)
    return {"score": figures["validation_log_loss"], **figures}


def _judge(model: LesionClassifier, stack: PreparedStack) -> tuple[float, float, NDArray[np.float32]]:
    slices = largest_slices(stack.grown_pixels, model.slices)
    values = np.concatenate([stack.values(slices), stack.inside(slices)[:, None]], axis=1)
    probabilities, activations = model.run(values)
    return float(log_odds(probabilities[1])), 1.0, activations


def classifier_scores(model: LesionClassifier, cases: Sequence[PreparedCase]) -> LesionScores:
    """Log-odds and activations of every case and regime, for the grown region."""
    return gather_scores(cases, NAME, lambda stack: _judge(model, stack))


def new_classifier(spec: PreprocessingSpec | None, architecture: str | None, seed: int) -> LesionClassifier:
    """Untrained classifier whose weights depend on `seed` alone."""
    torch.manual_seed(seed)
    return LesionClassifier.create(spec or CROP, architecture=architecture or ARCHITECTURE)
