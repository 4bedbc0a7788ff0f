"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): which places of one stage a classifier's answer rests on.

One backward pass in place of the 25 evaluations of :mod:`spinehub.models.occlusion`, at the price of a coarser map that
says less: a gradient tells what a small change would do, not what covering a place does. Where both disagree, believe
occlusion.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinehub.errors import InvalidArgumentError
from spinehub.inputs import mask_slices
from spinehub.models.classifier import LesionClassifier, largest_slices
from spinehub.models.lesion_head import covered_share
from spinehub.models.occlusion import log_odds_slope, on_image
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Mask, Volume

__all__ = ["explain_by_grad_cam", "grad_cam"]

_COARSEST = 8
"""Pixels of the input per place, at most: the last stage of Inception-ResNet-v2 has one place for the whole crop."""


def explain_by_grad_cam(
    model: LesionClassifier,
    image: DynamicSeries | Volume,
    mask: Mask,
    *,
    timing: Timing,
    maps: Mapping[str, ParametricMap],
) -> ParametricMap:
    """Grad-CAM of the classifier's answer for one lesion, at its deepest stage of 8 pixels a place or finer.

    The rectifier of the original is left out: of two classes, what speaks against one speaks for the other.

    Parameters
    ----------
    model
        Inception-ResNet-v2, or another timm network in its place.
    image, mask, timing, maps
        As for :meth:`spinehub.models.LesionClassifier.predict`.

    Returns
    -------
    ParametricMap
        ``"grad_cam"``, ``(I, J, K)`` float32, in log-odds to first order: positive where a place speaks for a primary
        tumour, negative where for a metastasis; NaN outside the slices that are judged and where the stage sees
        nothing. Scaled by the calibration of the model, where it has one for the regime.

    Raises
    ------
    InvalidArgumentError
        If the mask is empty or lies outside the crop, or the network has no stage that fine.
    """
    stack = model.stack_of(image, mask, timing, maps)
    inside = mask_slices(mask, stack)
    if not inside.any():
        raise InvalidArgumentError("mask must lie in the crop the network sees to be explained, got one outside it")
    chosen = largest_slices(inside.sum(axis=(1, 2)), model.slices)
    slices = np.concatenate([stack.values[chosen], inside[chosen, None]], axis=1)
    features, gradients = _features_and_gradients(model, slices)
    found = _at_pixels(grad_cam(features, gradients), inside.shape[1:])
    return on_image("grad_cam", log_odds_slope(model, stack) * found, chosen, stack, image.grid)


def grad_cam(features: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Sum over the features, each weighing as much as its mean gradient over the places of a slice.

    Parameters
    ----------
    features
        ``(N, F, h, w)`` of one stage.
    gradients
        ``(N, F, h, w)`` of the score.

    Returns
    -------
    Tensor
        ``(N, h, w)``.
    """
    if features.ndim != 4 or features.shape != gradients.shape:
        raise InvalidArgumentError(
            f"gradients must have the shape (N, F, h, w) of the features {tuple(features.shape)}, "
            f"got {tuple(gradients.shape)}"
        )
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * features).sum(dim=1)


def _features_and_gradients(model: LesionClassifier, slices: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of the chosen stage, and the gradient of the log-odds of a primary tumour there."""
    network: Any = model.network
    places = [k for k, stage in enumerate(network.feature_info, start=1) if stage["reduction"] <= _COARSEST]
    if not places:
        raise InvalidArgumentError(
            f"model must have a stage of at most {_COARSEST} pixels a place for Grad-CAM, got {model.architecture}; "
            "use explain_by_occlusion"
        )
    was_training = model.pooled.training
    model.pooled.eval()
    try:
        with torch.enable_grad():
            values = model.tensor_of(slices).requires_grad_()  # whether or not the weights ask for gradients
            valid = torch.ones((1, len(slices)), dtype=torch.bool, device=model.device)
            reading = model.pooled(values[None], valid)
            odds = reading.logits[0, 1] - reading.logits[0, 0] if reading.score is None else reading.score[0]
            stage = reading.stages[places[-1]]
            (gradient,) = torch.autograd.grad(odds, stage)
    finally:
        model.pooled.train(was_training)
    return stage.detach().float().cpu(), gradient.float().cpu()


def _at_pixels(found: torch.Tensor, pixels: tuple[int, ...]) -> NDArray[np.float32]:
    """Spread ``(N, h, w)`` over the pixels the places cover, in the middle of a slice; NaN around them."""
    kept = [round(size * covered_share(size, count)) for size, count in zip(pixels, found.shape[1:], strict=True)]
    wide = nn.functional.interpolate(found[:, None], size=tuple(kept), mode="bilinear", align_corners=False)[:, 0]
    whole = np.full((len(found), *pixels), np.nan, np.float32)
    top, left = ((size - part) // 2 for size, part in zip(pixels, kept, strict=True))
    whole[:, top : top + kept[0], left : left + kept[1]] = wide.numpy()
    return whole
