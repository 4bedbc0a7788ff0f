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
from spinehub.models import LesionClassifier, log_odds
from spinehub.models.classifier import ARCHITECTURE, CROP, PooledNetwork, largest_slices
from spinehub.training.loop import Job
from spinehub.training.scores import LesionScores, Question, gather_scores, score_figures, validation_stacks
from spinehub.training.teaching import SignHead, diagnosis_loss, sign_loss

__all__ = ["classifier_job", "classifier_scores", "new_classifier"]

NAME = "inception_resnet"
_SIGN_WEIGHT = 0.5
_SLICES = 2
"""Slices per lesion in a training step; a finished network looks at up to its own `slices`."""


def classifier_job(
    model: LesionClassifier, parts: Mapping[str, Sequence[PreparedCase]], *, seed: int, batch: int
) -> Job[Any]:
    """Everything the loop needs to fit the classifier."""
    batches = LesionBatches(
        parts["training"], NAME, seed=seed, size=batch, slices=min(_SLICES, model.slices), how=Augmentation()
    )
    stacks = validation_stacks(parts["validation"], NAME, seed)

    def losses_of(network: nn.Module, item: LesionBatch, half: bool) -> dict[str, torch.Tensor]:
        where = next(network.parameters()).device
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=half):
            logits, answers = network(item.slices.to(where), item.valid.to(where))
        diagnosis = diagnosis_loss(logits[:, 1] - logits[:, 0], item.targets.to(where)).mean()
        signs = sign_loss(answers, item.signs.to(where))
        return {"loss": diagnosis + _SIGN_WEIGHT * signs, "diagnosis_loss": diagnosis, "sign_loss": signs}

    def score_of(network: nn.Module) -> dict[str, float]:
        average: Any = network
        average = average.pooled
        scored = LesionClassifier(
            average.network, model.spec, pooling=average.pooling, architecture=model.architecture, slices=model.slices
        )
        return _validate(scored, stacks)

    return Job(_Taught(model.pooled), batches.batch, losses_of, score_of)


class _Taught(nn.Module):
    """The classifier with the answers about signs, which only training needs."""

    def __init__(self, pooled: PooledNetwork) -> None:
        super().__init__()
        network: Any = pooled.network
        self.pooled = pooled
        self.signs = SignHead(int(network.get_classifier().in_features))

    def forward(self, slices: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits ``(B, 2)`` and answers about signs."""
        logits, pooled = self.pooled(slices, valid)
        return logits, self.signs(pooled)


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
