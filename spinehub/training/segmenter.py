"""Fit, calibrate and describe the U-Net."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.dataset import Augmentation, PreparedCase, PreparedStack, SliceBatches
from spinehub.dataset.batches import SliceBatch
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter
from spinehub.models.lesion_head import region_sums, regions_of, stages_of
from spinehub.models.segmenter import mean_over_region
from spinehub.training.loop import Job
from spinehub.training.scores import LesionScores, Question, gather_scores, score_figures, validation_stacks
from spinehub.training.teaching import SignHead, diagnosis_loss, sign_loss

__all__ = ["segmenter_job", "segmenter_losses", "segmenter_scores"]

NAME = "unet"
_SMOOTH = 1.0
_CLASS_WEIGHT = 2.0
_SIGN_WEIGHT = 1.0
_SLICES = 2
"""Slices per lesion in a training step."""
_VALIDATION_SLICES = 3


class _Taught(nn.Module):
    """U-Net and lesion head with the answers about signs, which only training needs."""

    def __init__(self, model: LesionSegmenter) -> None:
        super().__init__()
        self.network = model.network
        self.head = model.head
        self.signs = None if model.head is None else SignHead(model.head.hidden)

    def forward(self, values: torch.Tensor, inside: torch.Tensor, lesions: int) -> Any:
        """Logits ``(B, 3, H, W)``, then the head's log-odds ``(L,)`` and answers about signs; None without a head."""
        logits, stages = stages_of(self.network, values)
        if self.head is None or self.signs is None:
            return logits, None, None
        with torch.autocast(values.device.type, enabled=False):
            parts = region_sums(stages, regions_of(inside, self.head.regions))
            sums = [part.unflatten(0, (lesions, -1)).sum(dim=1) for part in parts]
            hidden = self.head.hidden_of(sums)
            return logits, self.head.score(hidden).squeeze(1), self.signs(hidden)


def segmenter_losses(logits: torch.Tensor, labels: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the loss: cross-entropy, Dice of lesion against background, and the class of the lesion as a whole.

    The last term is the cross-entropy of the logits averaged over the lesion's pixels, as the vote averages them. Told
    pixel by pixel instead, the outline was learned long before the class: single pixels hardly show it.

    Parameters
    ----------
    logits
        ``(B, 3, H, W)``.
    labels
        ``(B, H, W)`` int64: 0 background, 1 metastasis, 2 primary malignant.
    targets
        ``(B,)`` probability of ``primary_malignant`` that is asked for.
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
    each = diagnosis_loss(pooled[:, 1] - pooled[:, 0], targets)
    diagnosis = (each * (area > 0)).sum() / (area > 0).sum().clamp(min=1)
    return {
        "loss": entropy + dice + _CLASS_WEIGHT * diagnosis,
        "cross_entropy": entropy,
        "dice_loss": dice,
        "diagnosis_loss": diagnosis,
    }


def _lesion_losses(score: torch.Tensor, answers: torch.Tensor, batch: SliceBatch) -> dict[str, torch.Tensor]:
    """Losses of the lesion head; a lesion of which no slice shows anything does not count."""
    where = score.device
    shown = batch.inside.to(where).unflatten(0, (len(batch.targets), -1)).flatten(1).any(dim=1)
    each = diagnosis_loss(score, batch.targets.to(where))
    head = (each * shown).sum() / shown.sum().clamp(min=1)
    return {"head_loss": head, "sign_loss": sign_loss(answers[shown], batch.signs.to(where)[shown])}


def segmenter_job(
    model: LesionSegmenter, parts: Mapping[str, Sequence[PreparedCase]], *, seed: int, batch: int
) -> Job[Any]:
    """Everything the loop needs to fit the U-Net."""
    batches = SliceBatches(
        parts["training"], NAME, seed=seed, size=batch, slices=_SLICES if batch % (2 * _SLICES) == 0 else 1,
        how=Augmentation(), with_region=model.reads_region,
    )  # fmt: skip
    stacks = validation_stacks(parts["validation"], NAME, seed)

    def losses_of(network: nn.Module, item: SliceBatch, half: bool) -> dict[str, torch.Tensor]:
        where = next(network.parameters()).device
        values = item.values.to(where).contiguous(memory_format=torch.channels_last)
        lesions = len(item.targets)
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=half):
            logits, score, answers = network(values, item.inside.to(where), lesions)
        targets = item.targets.repeat_interleave(len(values) // lesions).to(where)
        losses = segmenter_losses(logits, item.labels.to(where), targets)
        if score is None:
            return losses
        extra = _lesion_losses(score, answers, item)
        whole = losses["loss"] + _CLASS_WEIGHT * extra["head_loss"] + _SIGN_WEIGHT * extra["sign_loss"]
        return {**losses, **extra, "loss": whole}

    def score_of(network: nn.Module) -> dict[str, float]:
        average: Any = network
        scored = LesionSegmenter(
            average.network, model.spec, architecture=model.architecture, head=average.head,
            reads_region=model.reads_region,
        )  # fmt: skip
        return _validate(scored, stacks)

    return Job(_Taught(model), batches.batch, losses_of, score_of)


def _validate(model: LesionSegmenter, stacks: Sequence[Question]) -> dict[str, float]:
    """Dice of the lesion and log loss of the answer for the grown region, on up to three slices of each case."""
    dices, scores = [], []
    for stack, _, _ in stacks:
        slices = _largest(stack.lesion_pixels, _VALIDATION_SLICES)
        inside = stack.inside(slices)
        softmax, _, said, _ = model.run(stack.values(slices), inside)
        truth, found = stack.labels(slices) > 0, softmax[:, 1:].sum(axis=1) >= 0.5
        dices.append(2.0 * (truth & found).sum() / max(1, truth.sum() + found.sum()))
        scores.append(model.lesion_vote(softmax, inside, said).score if inside.any() else 0.0)
    dice = float(np.mean(dices))
    figures = score_figures(np.array(scores), stacks)
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
        inside = stack.inside(slices)
        softmax, activations, said, unshown = model.run(stack.values(slices), inside, unshown=True)
        vote = model.lesion_vote(softmax, inside, said, unshown)
        return vote.score, vote.lesion_share, mean_over_region(activations, inside)

    return gather_scores(cases, NAME, judge)


def new_segmenter(spec: PreprocessingSpec, architecture: Mapping[str, Any] | None, seed: int) -> LesionSegmenter:
    """Untrained U-Net whose weights depend on `seed` alone."""
    torch.manual_seed(seed)
    return LesionSegmenter.create(spec, **(architecture or {}))
