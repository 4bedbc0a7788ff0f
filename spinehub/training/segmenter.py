"""Fit, calibrate and describe the U-Net."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.dataset import Augmentation, PreparedCase, PreparedStack, SliceBatches
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter
from spinehub.models.segmenter import mean_over_region
from spinehub.training.loop import Job
from spinehub.training.scores import LesionScores, gather_scores, score_figures, validation_stacks

__all__ = ["segmenter_job", "segmenter_losses", "segmenter_scores"]

NAME = "unet"
_SMOOTH = 1.0
_CLASS_WEIGHT = 2.0
_LABEL_SMOOTHING = 0.05
_VALIDATION_SLICES = 3


def segmenter_losses(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the loss: cross-entropy, Dice of lesion against background, and the class of the lesion as a whole.

    The last term is the cross-entropy of the logits averaged over the lesion's pixels, as the vote averages them. Told
    pixel by pixel instead, the outline was learned long before the class: single pixels hardly show it.

    Parameters
    ----------
    logits
        ``(B, 3, H, W)``.
    labels
        ``(B, H, W)`` int64: 0 background, 1 metastasis, 2 primary malignant.
    """
    logits = logits.float()
    entropy = nn.functional.cross_entropy(logits, labels)
    lesion = labels > 0
    probability = 1.0 - torch.softmax(logits, dim=1)[:, 0]
    overlap = (probability * lesion).sum(dim=(1, 2))
    size = probability.sum(dim=(1, 2)) + lesion.sum(dim=(1, 2))
    dice = (1.0 - (2.0 * overlap + _SMOOTH) / (size + _SMOOTH)).mean()
    area = lesion.sum(dim=(1, 2))
    pooled = (logits[:, 1:] * lesion[:, None]).sum(dim=(2, 3)) / area.clamp(min=1)[:, None]
    diagnoses = (labels.amax(dim=(1, 2)) - 1).clamp(min=0)
    each = nn.functional.cross_entropy(pooled, diagnoses, reduction="none", label_smoothing=_LABEL_SMOOTHING)
    diagnosis = (each * (area > 0)).sum() / (area > 0).sum().clamp(min=1)
    return {
        "loss": entropy + dice + _CLASS_WEIGHT * diagnosis,
        "cross_entropy": entropy,
        "dice_loss": dice,
        "diagnosis_loss": diagnosis,
    }


def segmenter_job(
    model: LesionSegmenter, parts: Mapping[str, Sequence[PreparedCase]], *, seed: int, batch: int
) -> Job[Any]:
    """Everything the loop needs to fit the U-Net."""
    batches = SliceBatches(parts["training"], NAME, seed=seed, size=batch, how=Augmentation())
    stacks = validation_stacks(parts["validation"], NAME, seed)

    def losses_of(network: nn.Module, item: Any, half: bool) -> dict[str, torch.Tensor]:
        where = next(network.parameters()).device
        values = item.values.to(where).contiguous(memory_format=torch.channels_last)
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=half):
            logits = network(values)
        return segmenter_losses(logits, item.labels.to(where))

    def score_of(network: nn.Module) -> dict[str, float]:
        return _validate(LesionSegmenter(network, model.spec, architecture=model.architecture), stacks)

    return Job(model.network, batches.batch, losses_of, score_of)


def _validate(model: LesionSegmenter, stacks: Sequence[tuple[PreparedStack, int]]) -> dict[str, float]:
    """Dice of the lesion and log loss of the vote inside the grown region, on up to three slices of each case."""
    dices, scores = [], []
    for stack, _ in stacks:
        slices = _largest(stack.lesion_pixels, _VALIDATION_SLICES)
        softmax, _ = model.run(stack.values(slices))
        truth, found = stack.labels(slices) > 0, softmax[:, 1:].sum(axis=1) >= 0.5
        dices.append(2.0 * (truth & found).sum() / max(1, truth.sum() + found.sum()))
        inside = stack.inside(slices)
        scores.append(model.lesion_vote(softmax, inside).score if inside.any() else 0.0)
    dice = float(np.mean(dices))
    figures = score_figures(np.array(scores), np.array([label for _, label in stacks]))
    score = round(figures["validation_log_loss"] + 1.0 - dice, 5)
    return {"score": score, "validation_dice": round(dice, 5), **figures}


def _largest(area: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    return np.sort(np.argsort(-area, kind="stable")[:count])


def segmenter_scores(model: LesionSegmenter, cases: Sequence[PreparedCase]) -> LesionScores:
    """Vote, lesion share and activations of every case and regime, inside the grown region."""

    def judge(stack: PreparedStack) -> tuple[float, float, NDArray[np.float32]] | None:
        slices = np.flatnonzero(stack.grown_pixels > 0)
        if slices.size == 0:
            return None
        softmax, activations = model.run(stack.values(slices))
        inside = stack.inside(slices)
        vote = model.lesion_vote(softmax, inside)
        return vote.score, vote.lesion_share, mean_over_region(activations, inside)

    return gather_scores(cases, NAME, judge)


def new_segmenter(spec: PreprocessingSpec, architecture: Mapping[str, Any] | None, seed: int) -> LesionSegmenter:
    """Untrained U-Net whose weights depend on `seed` alone."""
    torch.manual_seed(seed)
    return LesionSegmenter.create(spec, **(architecture or {}))
