"""Fit the lesion head of a classifier to the network's input alone, before the network itself is fitted.

A step costs a tenth of one of the whole network, and the network then starts from what plain means and deviations of
its channels say, instead of drowning it in features that say nothing yet.
"""

import math

import torch

from spinehub.dataset.batches import LesionBatch, LesionBatches
from spinehub.models.classifier import PooledNetwork
from spinehub.models.lesion_head import LesionHead, region_sums, regions_of
from spinehub.training.teaching import SignHead, diagnosis_loss, sign_loss

__all__ = ["warm_up_head"]

_PEAK_RATE = 2e-3


def warm_up_head(network: PooledNetwork, signs: SignHead, batches: LesionBatches, steps: int) -> list[float]:
    """Fit hidden layer, score and answers about signs; every other weight stays as it is.

    Parameters
    ----------
    network
        With a lesion head whose later stages are still silent (their squeezing layers are 0).
    signs
        Answers from the head's hidden layer.
    batches
        Of the training cases.
    steps
        How many.

    Returns
    -------
    list of float
        Loss of each step.
    """
    head = network.head
    if head is None:
        return []
    optimizer = torch.optim.AdamW([*head.inner.parameters(), *head.score.parameters(), *signs.parameters()])
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _PEAK_RATE * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        loss = _loss(head, signs, batches.batch(step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def _loss(head: LesionHead, signs: SignHead, item: LesionBatch) -> torch.Tensor:
    slices = item.slices.flatten(0, 1)
    regions = regions_of(slices[:, -1], head.regions) * item.valid.flatten()[:, None, None, None]
    first = region_sums([slices], regions)[0].unflatten(0, item.valid.shape).sum(dim=1)
    silent = [first.new_zeros(*first.shape[:2], 1 + 2 * features) for features in head.features[1:]]
    hidden = head.hidden_of([first, *silent])
    diagnosis = diagnosis_loss(head.score(hidden).squeeze(1), item.targets).mean()
    return diagnosis + sign_loss(signs(hidden), item.signs)
