"""Fit the lesion head of a fitted network once more, to whole lesions as the finished network judges them.

A step of the fit shows one or two slices of a lesion; the finished network adds up all it looks at. The network itself
stays as it is, so its stages are summed once and the head is fitted to the sums within a minute.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spinehub.dataset import PreparedCase, PreparedStack
from spinehub.errors import InvalidArgumentError
from spinehub.metrics import auc
from spinehub.models import LesionClassifier, LesionSegmenter
from spinehub.models.classifier import largest_slices
from spinehub.models.lesion_head import LesionHead, caught_stages, region_sums, regions_of, stages_of
from spinehub.training.scores import least_log_loss
from spinehub.training.teaching import diagnosis_loss

__all__ = ["LesionSums", "lesion_head", "lesion_sums", "refit_head"]

_EPOCHS = 24
_BATCH = 32
_PEAK_RATE = 1e-3
_WEIGHT_DECAY = 0.05
_KEPT = 0.7
"""Share of a lesion's slices that a step sees, so that no slice alone decides."""
_SLICES_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class LesionSums:
    """What a lesion head is told of some lesions; one row per case and regime.

    Parameters
    ----------
    stages
        Of each lesion: ``(S, R, 1 + 2 F)`` of :func:`spinehub.models.lesion_head.region_sums` for each stage.
    target
        ``(L,)`` probability of ``primary_malignant`` that is asked for.
    label
        ``(L,)`` 0 or 1.
    """

    stages: tuple[tuple[torch.Tensor, ...], ...]
    target: torch.Tensor
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stages)

    def added(self, rows: Sequence[int], kept: Callable[[int], torch.Tensor]) -> list[torch.Tensor]:
        """Sums of some lesions over the slices with weights ``kept(S)``: ``(L, R, 1 + 2 F)`` for each stage."""
        weights = [kept(len(self.stages[row][0])) for row in rows]
        return [
            torch.stack([torch.einsum("s,srf->rf", weight, self.stages[row][stage])
                         for row, weight in zip(rows, weights, strict=True)])
            for stage in range(len(self.stages[0]))
        ]  # fmt: skip


def lesion_sums(model: LesionSegmenter | LesionClassifier, cases: Sequence[PreparedCase], name: str) -> LesionSums:
    """Sums of every stage for the grown region of each case in each regime; cases without a region are left out.

    Parameters
    ----------
    model
        With a lesion head.
    cases
        Prepared for it.
    name
        Its route.
    """
    stages, targets, labels = [], [], []
    for case in cases:
        for stack in case.stacks(name).values():
            if stack.grown_pixels.any():
                with model.ready():
                    found = _sums(model, stack)
                stages.append(tuple(part.clone() for part in found))  # what inference makes cannot be learned from
                targets.append(case.target)
                labels.append(case.label)
    return LesionSums(tuple(stages), torch.tensor(targets, dtype=torch.float32), np.array(labels, dtype=np.int64))


def _sums(model: LesionSegmenter | LesionClassifier, stack: PreparedStack) -> tuple[torch.Tensor, ...]:
    if isinstance(model, LesionSegmenter):
        slices = np.flatnonzero(stack.grown_pixels > 0)
    else:
        slices = largest_slices(stack.grown_pixels, model.slices)
    parts = []
    for start in range(0, len(slices), _SLICES_AT_ONCE):
        chosen = slices[start : start + _SLICES_AT_ONCE]
        inside = stack.inside(chosen)
        told = [stack.values(chosen)]
        if not isinstance(model, LesionSegmenter) or model.reads_region:
            told.append(inside[:, None])
        values = model.tensor_of(np.concatenate(told, axis=1))
        if isinstance(model, LesionSegmenter):
            _, found = stages_of(model.network, values)
        else:
            _, found = caught_stages(model.network, values)
        head = _head(model)
        regions = regions_of(torch.tensor(inside, device=values.device), head.regions)
        parts.append([part.cpu() for part in region_sums(found, regions)])
    return tuple(torch.cat(each) for each in zip(*parts, strict=True))


def lesion_head(model: LesionSegmenter | LesionClassifier) -> LesionHead | None:
    """Head of a network; None where it has none."""
    return model.head if isinstance(model, LesionSegmenter) else model.pooled.head


def _head(model: LesionSegmenter | LesionClassifier) -> LesionHead:
    head = lesion_head(model)
    if head is None:
        raise InvalidArgumentError("model must have a lesion head to be fitted, got none")
    return head


def refit_head(
    model: LesionSegmenter | LesionClassifier, training: LesionSums, validation: LesionSums, *, seed: int
) -> dict[str, Any]:
    """Go on fitting the head to whole lesions; it stays as it was where that does not help on the validation cases.

    Parameters
    ----------
    model
        Its head changes in place.
    training, validation
        Of :func:`lesion_sums`.
    seed
        Of the order of the lesions and the slices they are seen by.

    Returns
    -------
    dict
        JSON record: the validation cases' log loss at the best slope and AUC before and after.
    """
    head = _head(model).cpu()
    # The head's dropout draws from torch's own generator: left as a fit left it, a resumed training ended elsewhere.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        record = _refit(head, training, validation)
    model.to(model.device)
    return record


def _refit(head: LesionHead, training: LesionSums, validation: LesionSums) -> dict[str, Any]:
    before = _figures(head, validation)
    best, kept, chosen = before, copy.deepcopy(head.state_dict()), 0
    optimizer = torch.optim.AdamW(head.parameters(), lr=_PEAK_RATE, weight_decay=_WEIGHT_DECAY)
    batches = max(1, len(training) // _BATCH)
    for epoch in range(_EPOCHS):
        order = torch.randperm(len(training)).tolist()
        head.train()
        for batch in range(batches):
            done = (epoch * batches + batch) / (_EPOCHS * batches)
            for group in optimizer.param_groups:
                group["lr"] = _PEAK_RATE * 0.5 * (1.0 + math.cos(math.pi * done))
            rows = order[batch * _BATCH : (batch + 1) * _BATCH]
            score = head(training.added(rows, _some))
            loss = diagnosis_loss(score, training.target[rows]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        head.eval()
        now = _figures(head, validation)
        if now["validation_log_loss"] < best["validation_log_loss"]:
            best, kept, chosen = now, copy.deepcopy(head.state_dict()), epoch + 1
    head.load_state_dict(kept)
    return {"lesions": len(training), "epochs": chosen, "before": before, "after": best}


def _some(count: int) -> torch.Tensor:
    """Weights of the slices of a lesion: most of them 1, at least one."""
    weights = (torch.rand(count) < _KEPT).float()
    weights[int(torch.randint(count, (1,)))] = 1.0
    return weights


@torch.no_grad()
def _figures(head: LesionHead, lesions: LesionSums) -> dict[str, float]:
    score = head(lesions.added(range(len(lesions)), torch.ones)).double().numpy()
    figures = {"validation_log_loss": least_log_loss(score, lesions.target.double().numpy())}
    if np.unique(lesions.label).size == 2:
        figures["validation_auc"] = auc(lesions.label, score)
    return {name: round(value, 5) for name, value in figures.items()}
