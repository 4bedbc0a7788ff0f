"""What a classifier is taught place by place, so that it learns to see before it learns to judge.

A lesion's class alone is one number for thousands of pixels. Told no more, Inception-ResNet-v2 had learned nothing
after 1,000 to 1,900 steps of 16 slices (validation AUC 0.43 to 0.55); the U-Net, which is told where the lesion is as
well, stood at 0.67. Only training needs these weights.
"""

from typing import Any

import torch
from torch import nn

from spinehub.models.lesion_head import covered
from spinehub.training.teaching import diagnosis_loss

__all__ = ["DenseHead", "dense_loss"]

_COARSEST = 8
"""Pixels of the input that share one place, at most: lesions are some ten pixels wide."""


class DenseHead(nn.Module):
    """Background, metastasis or primary malignant at every place of one stage of a timm classifier.

    Parameters
    ----------
    network
        timm classifier with ``feature_info``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        stages: Any = network.feature_info
        chosen = max(place for place, stage in enumerate(stages) if stage["reduction"] <= _COARSEST)
        self.stage = 1 + chosen
        self.read = nn.Conv2d(int(stages[chosen]["num_chs"]), 3, 1)

    def forward(self, stages: list[torch.Tensor]) -> torch.Tensor:
        """Logits ``(N, 3, h, w)`` from the input and stages of :func:`spinehub.models.lesion_head.caught_stages`."""
        logits: torch.Tensor = self.read(stages[self.stage].float())
        return logits


def dense_loss(logits: torch.Tensor, lesion: torch.Tensor, valid: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of lesion against background at every place, and of the class of each lesion as a whole.

    Parameters
    ----------
    logits
        ``(B S, 3, h, w)``.
    lesion
        ``(B, S, H, W)`` share of each pixel that is lesion.
    valid
        ``(B, S)`` bool: slices that are there.
    targets
        ``(B,)`` probability of ``primary_malignant`` that is asked for.
    """
    logits = logits.float()
    share = covered(lesion.flatten(0, 1)[:, None], logits.shape[-2:])[:, 0]
    there = valid.flatten()[:, None, None].float().expand_as(share)
    seen = torch.logsumexp(logits[:, 1:], dim=1) - logits[:, 0]
    each = nn.functional.binary_cross_entropy_with_logits(seen, share, weight=there, reduction="sum")
    held = (share * there).unflatten(0, valid.shape)
    odds = (logits[:, 2] - logits[:, 1]).unflatten(0, valid.shape)
    area = held.sum(dim=(1, 2, 3))
    score = (held * odds).sum(dim=(1, 2, 3)) / area.clamp(min=1e-3)
    judged = diagnosis_loss(score, targets) * (area > 0.0)
    return each / there.sum().clamp(min=1.0) + judged.sum() / (area > 0.0).sum().clamp(min=1)
