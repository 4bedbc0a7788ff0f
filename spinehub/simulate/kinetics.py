"""Contrast agent in blood and tissue: population input function and extended Tofts model.

Concentrations are in mM, times in seconds, rate constants in 1/min (as published); only :func:`parker_blood` takes
minutes, because its published parameters do.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from spinehub.errors import InvalidArgumentError

__all__ = ["extended_tofts", "parker_blood", "plasma_curve"]

_GAUSSIANS = ((0.809, 0.17046, 0.0563), (0.330, 0.365, 0.132))
_ALPHA, _BETA, _S, _TAU = 1.050, 0.1685, 38.078, 0.483


def parker_blood(times_min: ArrayLike) -> NDArray[np.float64]:
    """Whole-blood concentration after a standard dose (Parker et al., MRM 2006;56:993).

    Parameters
    ----------
    times_min
        Any shape, minutes since the bolus reached the artery; negative times give 0.

    Returns
    -------
    ndarray
        Same shape, float64, mM.
    """
    t = np.asarray(times_min, dtype=np.float64)
    blood = _ALPHA * np.exp(-_BETA * t) / (1.0 + np.exp(-_S * (t - _TAU)))
    for area, centre, width in _GAUSSIANS:
        blood = blood + area / (width * np.sqrt(2.0 * np.pi)) * np.exp(-((t - centre) ** 2) / (2.0 * width**2))
    return np.where(t < 0.0, 0.0, blood)


def plasma_curve(
    times_s: NDArray[np.float64], arrival_s: float, scale: float, hematocrit: float
) -> NDArray[np.float64]:
    """Plasma concentration ``(T,)`` in mM: Parker's curve shifted to `arrival_s`, scaled, without the red cells."""
    return scale * parker_blood((times_s - arrival_s) / 60.0) / (1.0 - hematocrit)


def extended_tofts(
    times_s: NDArray[np.float64], plasma_mm: NDArray[np.float64], ktrans_per_min: float, ve: float, vp: float = 0.0
) -> NDArray[np.float64]:
    """Tissue concentration of the extended Tofts model on a uniform time axis.

    The convolution is exact for a plasma curve that is linear between its samples, so it holds for any step.

    Parameters
    ----------
    times_s
        ``(T,)`` equally spaced seconds.
    plasma_mm
        ``(T,)`` plasma concentration in mM.
    ktrans_per_min, ve, vp
        Transfer constant, extravascular extracellular and plasma volume fractions; ve above 0.

    Returns
    -------
    ndarray
        ``(T,)`` float64, mM.

    Raises
    ------
    InvalidArgumentError
        If the times are not equally spaced or ve is not above 0.
    """
    steps = np.diff(times_s)
    if times_s.size < 2 or steps.min() <= 0 or np.ptp(steps) > 1e-6 * steps.mean():
        raise InvalidArgumentError("times_s must be equally spaced and rising; resample the plasma curve first")
    if ve <= 0:
        raise InvalidArgumentError(f"ve must be above 0, got {ve}; leave Ktrans 0 for tissue without leakage")
    step = float(steps.mean()) / 60.0
    kep = ktrans_per_min / ve
    if ktrans_per_min <= 0:
        return vp * plasma_mm
    decay = np.exp(-kep * step)
    whole = -np.expm1(-kep * step) / kep
    late = (step - whole) / (kep * step)
    leaked = lfilter([late, whole - late], [1.0, -decay], plasma_mm)
    # The filter starts as if the plasma curve had been 0 before its first sample and had risen to it in one step.
    leaked = leaked - late * plasma_mm[0] * decay ** np.arange(times_s.size)
    return ktrans_per_min * leaked + vp * plasma_mm
