"""Contrast agent in the plasma: the biexponential input function after a short injection.

Measured by MRI in the heart and aorta (Fritz-Hansen et al., Magn Reson Med 1996;36:225): after 0.1 mmol/kg,
``2.4 exp(-3.0 t) + 0.62 exp(-0.016 t)`` mM with t in minutes. The older biexponential of Tofts and Kermode (1991, from
Weinmann's blood samples: 0.1 (3.99 exp(-0.144 t) + 4.78 exp(-0.0111 t))) misses the first pass, because blood was
sampled minutes after the injection; it is not used.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["AMPLITUDES_MM", "RATES_PER_MIN", "plasma_concentration"]

AMPLITUDES_MM = (2.4, 0.62)
RATES_PER_MIN = (3.0, 0.016)


def plasma_concentration(
    times_s: NDArray[np.float64], arrival_s: float, injection_s: float, scale: float = 1.0
) -> NDArray[np.float64]:
    """Plasma concentration after an injection at constant rate: the biexponential averaged over the injection.

    Parameters
    ----------
    times_s
        Any shape, seconds.
    arrival_s
        When the first of the contrast agent arrives; 0 before it.
    injection_s
        Duration of the injection, above 0.
    scale
        Factor for dose and cardiac output.

    Returns
    -------
    ndarray
        Same shape as `times_s`, float64, mM.
    """
    since_min = np.maximum(np.asarray(times_s, dtype=np.float64) - arrival_s, 0.0) / 60.0
    injection_min = injection_s / 60.0
    over_min = np.maximum(since_min - injection_min, 0.0)
    total = np.zeros_like(since_min)
    for amplitude, rate in zip(AMPLITUDES_MM, RATES_PER_MIN, strict=True):
        # Integral of exp(-rate (t - u)) over the part of the injection, 0 <= u <= injection, that lies before t.
        total += amplitude * (np.exp(-rate * over_min) - np.exp(-rate * since_min)) / (rate * injection_min)
    return scale * total
