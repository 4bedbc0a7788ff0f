"""Random fields and shapes of the second world: power-law noise, Worley cells, surfaces of spherical harmonics."""

import numpy as np
from numpy.polynomial.legendre import legval
from numpy.typing import NDArray
from scipy.fft import irfftn, rfftn
from scipy.spatial import cKDTree

__all__ = ["acquired_frequencies", "power_law_field", "surface_radius", "worley_borders"]

_Array = NDArray[np.float32]
_ORDERS, _AXES = 7, 6


def power_law_field(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], slope: float
) -> _Array:
    """Random field with the power spectrum ``1 / frequency^slope``, mean 0 and standard deviation 1.

    Parameters
    ----------
    rng
        Source of the white noise.
    shape, spacing_mm
        Of the grid.
    slope
        0 is white noise; photographs and tissue lie around 2 to 4 in three dimensions.

    Returns
    -------
    ndarray
        `shape` float32.
    """
    spectrum = rfftn(rng.standard_normal(shape, dtype=np.float32))
    squared = np.zeros(spectrum.shape, dtype=np.float32)
    for axis, (count, step) in enumerate(zip(shape, spacing_mm, strict=True)):
        frequency = np.fft.rfftfreq(count, step) if axis == 2 else np.fft.fftfreq(count, step)
        along = [1, 1, 1]
        along[axis] = frequency.size
        squared += np.float32(frequency**2).reshape(along)
    squared[0, 0, 0] = np.inf
    field = irfftn(spectrum * squared ** np.float32(-slope / 4.0), s=shape)
    return np.asarray(field / field.std(), dtype=np.float32)


def worley_borders(rng: np.random.Generator, points_mm: NDArray[np.float64], cell_mm: float) -> NDArray[np.float64]:
    """Distance from the border between the cells of random points: Worley's second minus first distance.

    Parameters
    ----------
    rng
        Where the cells' points lie.
    points_mm
        ``(N, 3)``.
    cell_mm
        Mean size of a cell.

    Returns
    -------
    ndarray
        ``(N,)`` mm, 0 on a border.
    """
    low, high = points_mm.min(axis=0) - cell_mm, points_mm.max(axis=0) + cell_mm
    count = max(int(np.prod((high - low) / cell_mm)), 2)
    nearest, _ = cKDTree(rng.uniform(low, high, (count, 3))).query(points_mm, k=2)
    return np.asarray(nearest[:, 1] - nearest[:, 0], dtype=np.float64)


def surface_radius(rng: np.random.Generator, directions: NDArray[np.float64], roughness: float) -> NDArray[np.float64]:
    """Radius of a random star-shaped surface: a sum of zonal spherical harmonics about random axes.

    Parameters
    ----------
    rng
        Axes and amplitudes; they fall as ``l^-1.5`` with the order l.
    directions
        ``(N, 3)`` unit vectors.
    roughness
        Standard deviation of the radius over its mean, about.

    Returns
    -------
    ndarray
        ``(N,)``, mean about 1, at least 0.35.
    """
    axes = rng.standard_normal((_AXES, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    orders = np.arange(1, _ORDERS + 1)
    # The square of a Legendre polynomial of order l averages 1 / (2 l + 1) over the sphere.
    size = orders**-1.5
    size *= roughness / np.sqrt(np.sum(size**2 / (2 * orders + 1)) * _AXES)
    radius = np.ones(len(directions))
    for axis in axes:
        radius += legval(directions @ axis, np.concatenate([[0.0], size * rng.standard_normal(_ORDERS)]))
    return np.maximum(radius, 0.35)


def acquired_frequencies(count: int, kept: float) -> _Array:
    """Matrix ``(count, count)`` that leaves the lowest share `kept` of the spatial frequencies of a line of voxels.

    A raised cosine over the outer tenth softens the cut, as scanners do; the rest of its ringing stays.
    """
    frequency = np.abs(np.fft.fftfreq(count)) / (0.5 * kept)
    window = np.where(frequency < 0.9, 1.0, 0.5 + 0.5 * np.cos(np.pi * np.clip((frequency - 0.9) / 0.1, 0.0, 1.0)))
    return np.asarray(np.fft.ifft(np.fft.fft(np.eye(count), axis=0) * window[:, None], axis=0).real, dtype=np.float32)
