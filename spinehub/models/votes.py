"""What the pixels of a region say together."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.models.calibration import log_odds

__all__ = ["CLASSES", "LesionVote", "SliceReading", "lesion_vote", "mean_over_region"]

CLASSES = ("background", "metastasis", "primary_malignant")
"""Channels of the softmax."""


@dataclass(frozen=True)
class LesionVote:
    """What the pixels of one region say together.

    Parameters
    ----------
    score
        Log-odds of ``primary_malignant`` against ``metastasis``: what the lesion head says; without one the mean over
        the region, each pixel weighing as much as it is lesion.
    lesion_share
        Mean probability of lesion (either class) inside the region, 0 to 1, as seen without the region being shown.
    """

    score: float
    lesion_share: float


class SliceReading(NamedTuple):
    """What the network makes of some slices.

    Parameters
    ----------
    softmax
        ``(N, 3, H, W)`` over :data:`CLASSES`.
    activations
        Deepest ones ``(N, F)``, averaged over the region in each slice, or over the slice where there is none.
    score
        Log-odds of the lesion head for a region; None without head or region.
    unshown
        The softmax where the region is not shown; None unless asked for, and where the network reads no region.
    """

    softmax: NDArray[np.float32]
    activations: NDArray[np.float32]
    score: float | None
    unshown: NDArray[np.float32] | None = None


def lesion_vote(
    softmax: NDArray[np.float32],
    inside: NDArray[np.float32],
    score: float | None = None,
    unshown: NDArray[np.float32] | None = None,
) -> LesionVote:
    """Judge a region as a whole.

    Parameters
    ----------
    softmax
        ``(N, 3, H, W)`` over :data:`CLASSES`.
    inside
        ``(N, H, W)`` share of each pixel in the region.
    score
        What the lesion head says of it; None: its pixels vote.
    unshown
        ``(N, 3, H, W)`` of a network that was not shown the region, for the share of lesion: one that is shown a region
        believes it. None: `softmax`.

    Raises
    ------
    InvalidArgumentError
        If the shapes differ or the region holds no pixel.
    """
    if softmax.shape != (inside.shape[0], len(CLASSES), *inside.shape[1:]):
        raise InvalidArgumentError(
            f"softmax must have shape (N, 3, H, W) of the region {inside.shape}, got {softmax.shape}"
        )
    weight = float(inside.sum(dtype=np.float64))
    if weight <= 0.0:
        raise InvalidArgumentError("inside must hold at least one pixel of the region, got none")
    lesion = softmax[:, 1].astype(np.float64) + softmax[:, 2]
    weights = lesion * inside
    odds = log_odds(np.divide(softmax[:, 2], lesion, out=np.full_like(lesion, 0.5), where=lesion > 0.0))
    total = float(weights.sum())
    if score is None:
        score = float((weights * odds).sum() / total) if total > 0.0 else 0.0
    if unshown is not None:
        total = float(((unshown[:, 1].astype(np.float64) + unshown[:, 2]) * inside).sum())
    return LesionVote(score, total / weight)


def mean_over_region(activations: NDArray[np.float32], inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean ``(F,)`` of ``(N, F)`` over slices, weighted by the region's area ``(N, H, W)``; plain where it is empty."""
    area = inside.sum(axis=(1, 2))
    weights = area / area.sum() if area.sum() > 0 else np.full(len(area), 1.0 / len(area))
    return (weights @ activations).astype(np.float32)
