"""What a network is asked about a lesion: its class, and in simulated cases the signs the simulator drew."""

import torch
from torch import nn

from spinehub.dataset.teacher import CATEGORY_SIZES, NUMBERS

__all__ = ["SignHead", "diagnosis_loss", "sign_loss"]


class SignHead(nn.Linear):
    """Answers about the signs from a layer of the network; needed for training only.

    Parameters
    ----------
    features
        Width of that layer.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, len(NUMBERS) + sum(CATEGORY_SIZES.values()))


def diagnosis_loss(log_odds: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy ``(L,)`` of log-odds of ``primary_malignant`` with the probability that is asked for."""
    return nn.functional.binary_cross_entropy_with_logits(log_odds.float(), targets, reduction="none")


def sign_loss(answers: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
    """Mean loss over the signs that are known, 0 where none is.

    Parameters
    ----------
    answers
        ``(L, O)`` of :class:`SignHead`: one number per numeric sign, one logit per value of each category.
    signs
        ``(L, K)`` of :func:`spinehub.dataset.teacher.sign_vector`; NaN where not known.
    """
    answers = answers.float()
    known = torch.isfinite(signs)
    losses = []
    for place in range(len(NUMBERS)):
        rows = known[:, place]
        losses.append(0.5 * (answers[rows, place] - signs[rows, place]).square())
    start = len(NUMBERS)
    for place, size in enumerate(CATEGORY_SIZES.values(), start=len(NUMBERS)):
        rows = known[:, place]
        logits = answers[rows, start : start + size]
        losses.append(nn.functional.cross_entropy(logits, signs[rows, place].long(), reduction="none"))
        start += size
    each = torch.cat(losses)
    return each.mean() if each.numel() else answers.sum() * 0.0
