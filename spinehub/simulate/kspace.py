"""Finite sampling of k-space: truncation, zero-filling, receiver noise, movement between phase-encoding lines.

A scanner samples fewer lines than the picture has rows, fills the rest with zeros, and smooths the cut a little. So
edges ring (Gibbs), and the noise of neighbouring voxels is correlated. Both follow from one pair of matrices per
axis: down to the samples that were acquired, up to the voxels that are shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.parts import ProtocolRecipe

__all__ = ["Receiver", "Sampling", "inner_lines", "sampling_of", "zero_filling"]

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


class Receiver:
    """Turns signal into magnitude images, frame after frame, with Gaussian noise in both channels (Rician images).

    The quadrature channel hears the in-phase noise of the frame before, from half a field of view away: as
    independent of the image it joins as fresh numbers would be, for half of the drawing.

    Parameters
    ----------
    sampling
        Of the first two axes; None: all of it.
    sigma
        Standard deviation of the noise of a voxel in each channel.
    rng
        Source of the noise.
    """

    def __init__(
        self, sampling: tuple[Sampling | None, Sampling | None], sigma: float, rng: np.random.Generator
    ) -> None:
        self._sampling, self._rng = sampling, rng
        scale = float(np.prod([1.0 if part is None else part.noise for part in sampling]))
        self._sigma = np.float32(sigma / scale)
        self._kept = [None if part is None else part.up @ part.down for part in sampling]
        self._last: _Array | None = None

    def image(self, frame: _Array) -> _Array:
        """Magnitude ``(I, J, K)`` float32 of what is sampled of a frame ``(I, J, K)``; never below 0."""
        shape = frame.shape
        quadrature = self._noise(shape) if self._last is None else self._last
        self._last = self._noise(shape)
        shown = _along(self._kept[0], _along_second(self._kept[1], frame)) + self._last
        np.multiply(shown, shown, out=shown)
        np.multiply(quadrature, quadrature, out=quadrature)
        half = shape[0] // 2
        shown[:half] += quadrature[shape[0] - half :]
        shown[half:] += quadrature[: shape[0] - half]
        return np.asarray(np.sqrt(shown, out=shown))

    def _noise(self, shape: tuple[int, ...]) -> _Array:
        rows, columns = (
            size if part is None else part.down.shape[0] for size, part in zip(shape, self._sampling, strict=False)
        )
        first, second = self._sampling
        noise = self._rng.standard_normal((columns, rows, shape[2]), dtype=np.float32)
        noise *= self._sigma
        if second is not None:
            noise = _along(second.up, noise)
        noise = np.ascontiguousarray(noise.transpose(1, 0, 2))
        return noise if first is None else _along(first.up, noise)


def _along(matrix: _Array | None, image: _Array) -> _Array:
    """Apply a matrix along the first axis."""
    if matrix is None:
        return image
    flat = matrix @ image.reshape(image.shape[0], -1)
    return np.asarray(flat.reshape(-1, *image.shape[1:]))


def _along_second(matrix: _Array | None, image: _Array) -> _Array:
    """Apply a matrix along the second axis: as one large product, which is much faster than many small ones."""
    if matrix is None:
        return image
    turned = np.ascontiguousarray(image.transpose(1, 0, 2))
    return np.ascontiguousarray(_along(matrix, turned).transpose(1, 0, 2))
