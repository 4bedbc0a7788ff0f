"""Finite sampling of k-space: truncation, zero-filling, receiver noise, movement between phase-encoding lines.

A scanner samples fewer lines than the picture has rows, fills the rest with zeros, and smooths the cut a little. So
edges ring (Gibbs), and the noise of neighbouring voxels is correlated. Both follow from one pair of matrices per
axis: down to the samples that were acquired, up to the voxels that are shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.parts import ProtocolRecipe

__all__ = ["Sampling", "acquire", "inner_lines", "sampling_of", "zero_filling"]

_Array = NDArray[np.float32]
_TAPER_START = 0.25
"""The smoothing window falls from 1 here to its floor at the outermost line (Tukey's window)."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """Matrices of one in-plane axis: ``(m, n)`` down to the acquired samples, ``(n, m)`` up to the voxels.

    `noise` is the standard deviation of a voxel's noise per unit of a sample's noise.
    """

    down: _Array
    up: _Array
    noise: float


def zero_filling(size: int, share: float, taper: float) -> Sampling | None:
    """Sample `share` of the lines that `size` voxels need, and fill the rest with zeros.

    Parameters
    ----------
    size
        Number of voxels along the axis.
    share
        0 to 1; the number of lines is odd, so that real images stay real.
    taper
        0 to 1: how far the outermost line is weakened (0: plain truncation, which rings most).

    Returns
    -------
    Sampling or None
        None where every line is sampled and none weakened: the image stays as it is.
    """
    count = min(max(2 * round((size * share - 1.0) / 2.0) + 1, 3), size)
    if count == size and taper == 0:
        return None
    order = np.arange((count - 1) // 2 + 1)
    edge = np.clip((order / order[-1] - _TAPER_START) / (1.0 - _TAPER_START), 0.0, 1.0)
    window = 1.0 - taper * (0.5 - 0.5 * np.cos(np.pi * edge))
    coarse, fine = (2.0 * np.pi * np.outer(np.arange(n) / n, order) for n in (count, size))
    double = np.where(order > 0, 2.0, 1.0) / np.sqrt(size * count)
    down, up = (
        (np.cos(coarse) * weight) @ np.cos(fine).T + (np.sin(coarse) * weight) @ np.sin(fine).T
        for weight in (double, double * window)
    )
    noise = np.sqrt((1.0 + 2.0 * (window[1:] ** 2).sum()) / size)
    return Sampling(down.astype(np.float32), np.ascontiguousarray(up.T, dtype=np.float32), float(noise))


def sampling_of(protocol: ProtocolRecipe) -> tuple[Sampling | None, Sampling | None]:
    """Sampling along the frequency-encoding (first) and the phase-encoding (second) axis.

    Only phase encoding is tapered where the readout samples all there is.
    """
    (rows, columns, _), (readout, phase) = protocol.matrix, protocol.acquired
    first = zero_filling(rows, readout, protocol.taper if readout < 1 else 0.0)
    return first, zero_filling(columns, phase, protocol.taper)


def inner_lines(size: int, share: float) -> _Array:
    """``(size, size)`` matrix that keeps the inner `share` of the phase-encoding lines of an image's second axis."""
    sampling = zero_filling(size, share, 0.0)
    if sampling is None:
        return np.eye(size, dtype=np.float32)
    return np.asarray(sampling.up @ sampling.down, dtype=np.float32)


def acquire(
    frame: _Array, sampling: tuple[Sampling | None, Sampling | None], sigma: float, rng: np.random.Generator
) -> _Array:
    """Magnitude image ``(I, J, K)`` of what is sampled of a frame, with noise in both receiver channels.

    Parameters
    ----------
    frame
        Signal before sampling, ``(I, J, K)`` float32.
    sampling
        Of the first two axes; None: all of it.
    sigma
        Standard deviation of the noise of a voxel in each channel.
    rng
        Source of the noise.

    Returns
    -------
    ndarray
        ``(I, J, K)`` float32, Rician: never below 0.
    """
    first, second = sampling
    slices = frame.shape[2]
    scale = 1.0
    if first is not None:
        frame = np.tensordot(first.down, frame, axes=(1, 0))
        scale *= first.noise
    if second is not None:
        frame = np.matmul(second.down, frame)
        scale *= second.noise
    received = rng.standard_normal((*frame.shape[:2], 2, slices), dtype=np.float32)
    received *= np.float32(sigma / scale)
    received[:, :, 0] += frame
    if second is not None:
        received = np.matmul(second.up, received.reshape(*frame.shape[:2], 2 * slices))
    if first is not None:
        received = np.tensordot(first.up, received, axes=(1, 0))
    received = received.reshape(*received.shape[:2], 2, slices)
    np.multiply(received, received, out=received)
    shown = received[:, :, 0] + received[:, :, 1]
    return np.asarray(np.sqrt(shown, out=shown))
