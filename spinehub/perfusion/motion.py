"""How far the patient moved between frames."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from spinehub.perfusion.timing import Timing
from spinehub.series import DynamicSeries

__all__ = ["estimate_motion"]

_SLICES = 3
"""Middle slices that vote together."""
_DARKEST_SHARE = 0.1
"""Signal is not followed below this share of the frame's median: the logarithm of noise is large."""
_BAND = 0.125
"""Standard deviation in cycles per pixel of the frequencies that are trusted."""
_CLEAR_PEAK = 6.0
"""A peak of the correlation counts from this many times its root mean square; unrelated frames reach about 4."""


def estimate_motion(series: DynamicSeries, timing: Timing) -> float:
    """Largest shift in plane between consecutive frames, by phase correlation.

    Edges of the logarithm of the signal are compared: contrast that multiplies the signal of a region leaves the log's
    edges where they were, and the phase ignores how strong they are. The middle slices vote together.

    Parameters
    ----------
    series
        The series.
    timing
        Of the series; a single volume does not move.

    Returns
    -------
    float
        mm; 0 where no shift stands out of the noise.
    """
    if timing.regime == "single":
        return 0.0
    axis = series.grid.slice_axis
    middle = _middle_slices(series.grid.shape[axis])
    spacing_mm = np.delete(series.grid.spacing_mm, axis)
    spectra = (
        _edge_spectrum(np.moveaxis(series.frames[..., frame], axis, 0)[middle]) for frame in range(series.frame_count)
    )
    return max(float(np.hypot(*(_shift(first, second) * spacing_mm))) for first, second in pairwise(spectra))


def _middle_slices(count: int) -> NDArray[np.intp]:
    """Slices at the quarters of the stack, fewer in a thin one."""
    return np.unique(np.linspace(0, count - 1, _SLICES + 2)[1:-1].round().astype(np.intp))


def _edge_spectrum(planes: NDArray[np.float32]) -> NDArray[np.complex128]:
    """Fourier transform ``(S, R, C)`` of the windowed edges of the log signal of some slices."""
    smooth = ndimage.gaussian_filter(np.nan_to_num(planes, posinf=0.0, neginf=0.0).astype(np.float64), (0, 1, 1))
    positive = smooth[smooth > 0]
    if positive.size == 0:
        return np.zeros(planes.shape, np.complex128)
    logarithm = np.log(np.maximum(smooth, _DARKEST_SHARE * np.median(positive)))
    edges = np.hypot(ndimage.sobel(logarithm, axis=1), ndimage.sobel(logarithm, axis=2))
    rows, columns = planes.shape[1:]
    # Without a window the sharp border of the picture, which never moves, would win.
    window = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1]
    return np.asarray(fft.fft2((edges - edges.mean(axis=(1, 2), keepdims=True)) * window))


def _shift(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Shift ``(2,)`` in pixels from one spectrum to the next; 0 where no peak stands out."""
    cross = (second * first.conj()).sum(axis=0)
    strength = np.abs(cross)
    rows, columns = (fft.fftfreq(size) for size in cross.shape)
    trusted = np.exp(-(rows[:, None] ** 2 + columns**2) / (2.0 * _BAND**2))
    phase = np.divide(cross, strength, out=np.zeros_like(cross), where=strength > 1e-12 * max(strength.max(), 1e-300))
    surface = fft.ifft2(phase * trusted).real
    peak = tuple(int(n) for n in np.unravel_index(int(surface.argmax()), surface.shape))
    if surface[peak] <= _CLEAR_PEAK * np.sqrt(np.mean(surface**2)):
        return np.zeros(2)
    return np.array([_along(np.take(surface, peak[1 - axis], axis=1 - axis), peak[axis]) for axis in (0, 1)])


def _along(line: NDArray[np.float64], peak: int) -> float:
    """Signed position of a peak on a periodic line, between pixels.

    The trusted band is a Gaussian, so the peak is one too, and a parabola through three logarithms finds its top.
    """
    size = len(line)
    values = line[[(peak - 1) % size, peak, (peak + 1) % size]]
    offset = 0.0
    if size > 2 and (values > 0).all():
        before, top, after = np.log(values)
        bend = before - 2.0 * top + after
        offset = 0.5 * float(before - after) / float(bend) if bend < 0 else 0.0
    return float((peak + size // 2) % size - size // 2) + offset
