"""How abruptly the image changes, beside how much it changes inside the lesion anyway."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinehub.growing.domain import distance_from
from spinehub.growing.evidence import smoothed
from spinehub.volume import Index, Position

__all__ = ["edge_strength"]

_SMOOTHING_MM = 1.0
_NEAR_MM = 6.0
_USUAL_PERCENTILE = 75
"""Gradients up to this percentile near a seed are texture and noise of the lesion, not borders."""
_STRONGEST = 30.0
_LEAST = 1e-6
"""Where a noiseless image is flat near the seeds, this share of the largest gradient counts as the usual one."""


def edge_strength(
    channels: NDArray[np.float32], known: NDArray[np.bool_], seeds: Sequence[Index], spacing_mm: Position
) -> NDArray[np.float32]:
    """Squared gradient beyond the usual one near the seeds; unchanged by scaling and offset of the channels.

    Parameters
    ----------
    channels
        ``(C, i, j, k)`` float32; not finite where invalid.
    known
        ``(i, j, k)`` bool, voxels with a value in every channel.
    seeds
        Foreground voxels; the quietest of their neighbourhoods says what is usual, since a corrective click often
        lies on a border.
    spacing_mm
        Voxel spacing in mm.

    Returns
    -------
    NDArray
        ``(i, j, k)`` float32, 0 where nothing changes more than near the seeds, at most 30; mean over the channels, in
        squares of the usual gradient.
    """
    shape = known.shape
    nears = [known & (distance_from([seed], shape, spacing_mm) <= _NEAR_MM) for seed in seeds]
    total = np.zeros(shape, dtype=np.float32)
    for channel in channels:
        smooth = smoothed(channel, np.isfinite(channel), spacing_mm, _SMOOTHING_MM)
        square = np.zeros_like(smooth)
        for axis, step in enumerate(spacing_mm):
            if shape[axis] > 1:
                square += np.gradient(smooth, step, axis=axis) ** 2
        usual = min(float(np.percentile(square[near], _USUAL_PERCENTILE)) for near in nears)
        floor = max(_LEAST * float(square.max()), float(np.finfo(np.float32).tiny))
        total += square / max(usual, floor)
    return np.clip(total / len(channels) - 1.0, 0.0, _STRONGEST).astype(np.float32)
