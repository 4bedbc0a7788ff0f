"""Receiver noise with the statistics of real scans: marginal quantiles and neighbour correlation, measured in air.

Two scans gave the numbers of :data:`MEASURED` (no voxel of them is stored); ``benchmarks/second_world_noise.py``
measures them again:

- ``gre_neck``: axial gradient echo of the neck, sct_tutorial_data ``mt1.nii.gz`` (MIT licence), read at the corners;
- ``fgre_breast``: sagittal 3-D fast gradient echo, TCIA Breast-MRI-NACT-Pilot UCSF-BR-06 (CC BY 3.0), pre-contrast.

A user's own file can stand in for them through :func:`measure_noise`. Magnitude in air of one ideal coil follows
Rayleigh's distribution without correlation; several coils, filters and interpolation change both.
"""

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InputRefusedError
from spinehub.second_world.recipe import NoiseStatistics
from spinehub.volume import Volume

__all__ = ["LEVELS", "MEASURED", "complex_noise", "measure_noise", "rayleigh_quantiles"]

LEVELS = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
"""Probabilities at which quantiles are kept."""
MEASURED: tuple[NoiseStatistics, ...] = (
    NoiseStatistics("gre_neck", (0.197, 0.462, 0.647, 0.886, 1.16, 1.435, 1.936), (0.454, 0.554)),
    NoiseStatistics("fgre_breast", (0.188, 0.542, 0.723, 0.915, 1.126, 1.448, 1.879), (0.498, 0.676)),
)
_EDGE, _LEAST_PATCH, _MOST_ZEROS = 2, 6, 0.02
_MOST_CORRELATION = 0.7
"""The most a filter of three taps can give (at 0.707 its middle and outer taps are worth the same)."""


def rayleigh_quantiles() -> NDArray[np.float64]:
    """``(len(LEVELS),)`` quantiles of Rayleigh's distribution over its root mean square."""
    return np.asarray(np.sqrt(-np.log1p(-np.array(LEVELS))), dtype=np.float64)


def measure_noise(volume: Volume, source: str) -> NoiseStatistics:
    """Statistics of the noise in the air around a patient.

    In each slice the quietest corner (an eighth of the image wide) is scaled by its root mean square, and pooled.
    The correlation of the squared magnitude of complex Gaussian noise is the square of that of the noise itself.

    Parameters
    ----------
    volume
        Magnitude image with air around the patient that the scanner has not blanked.
    source
        What to call it in recipes.

    Raises
    ------
    InputRefusedError
        If no corner holds noise.
    """
    slices = np.moveaxis(volume.voxels.astype(np.float64), volume.grid.slice_axis, 2)
    wide, high = (max(count // 8, _LEAST_PATCH) + _EDGE for count in slices.shape[:2])
    near, far = slice(_EDGE, wide), slice(-wide, -_EDGE)
    low, up = slice(_EDGE, high), slice(-high, -_EDGE)
    corners = [slices[a, b] for a in (near, far) for b in (low, up)]
    patches = []
    for k in range(slices.shape[2]):
        usable = [patch[:, :, k] for patch in corners if (patch[:, :, k] <= 0).mean() <= _MOST_ZEROS]
        if usable:
            quietest = min(usable, key=lambda patch: float(patch.mean()))
            patches.append(quietest / np.sqrt(np.mean(quietest**2)))
    if not patches:
        raise InputRefusedError(
            f"{source} has no corner of air with noise in it (the scanner blanked it, or the patient fills the image); "
            "give another scan"
        )
    pooled = np.stack(patches)
    power = pooled**2 - 1.0
    spread = float(np.mean(power**2))
    lags = (float(np.mean(power[:, 1:] * power[:, :-1])), float(np.mean(power[:, :, 1:] * power[:, :, :-1])))
    first, second = (float(np.sqrt(np.clip(lag / spread, 0.0, _MOST_CORRELATION**2))) for lag in lags)
    quantiles = tuple(round(float(value), 3) for value in np.quantile(pooled, LEVELS))
    return NoiseStatistics(source, quantiles, (round(first, 3), round(second, 3)))


def complex_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], statistics: NoiseStatistics
) -> NDArray[np.complex64]:
    """Complex noise of unit root mean square in magnitude, with the measured correlation and quantiles.

    Gaussian noise is filtered along the first two axes; then each magnitude is moved to the same rank of the measured
    distribution, its phase kept.

    Returns
    -------
    ndarray
        `shape` complex64.
    """
    white = rng.standard_normal((2, *shape), dtype=np.float32)
    for axis, correlation in enumerate(statistics.correlation, start=1):
        white = _correlated(white, axis, correlation)
    noise = white[0] + np.complex64(1j) * white[1]
    power = 0.5 * (white[0] ** 2 + white[1] ** 2)
    return np.asarray(noise * _amplitude_factor(power, statistics.quantiles), dtype=np.complex64)


def _correlated(white: NDArray[np.float32], axis: int, correlation: float) -> NDArray[np.float32]:
    """Filter with the taps (a, 1, a) so that neighbours correlate as asked; the line is closed to a ring."""
    if correlation <= 0:
        return white
    # 2 a / (1 + 2 a^2) = correlation
    a = (1.0 - np.sqrt(max(1.0 - 2.0 * correlation**2, 0.0))) / (2.0 * correlation)
    total = white + np.float32(a) * (np.roll(white, 1, axis) + np.roll(white, -1, axis))
    return np.asarray(total / np.float32(np.sqrt(1.0 + 2.0 * a * a)), dtype=np.float32)


def _amplitude_factor(power: NDArray[np.float32], quantiles: tuple[float, ...]) -> NDArray[np.float32]:
    """Measured over Rayleigh magnitude at the rank of each ``power`` (mean 1), over sqrt(2); by a table."""
    ideal = rayleigh_quantiles()
    stretch = np.array(quantiles) / ideal
    table_power = np.linspace(0.0, 16.0, 2049)
    table = np.interp(np.sqrt(table_power), ideal, stretch)
    rank = np.minimum(power * np.float32(128.0), np.float32(2048.0)).astype(np.int32)
    return np.asarray((table / np.sqrt(2.0)).astype(np.float32)[rank])
