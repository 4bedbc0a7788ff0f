"""The two-compartment exchange model: plasma that is washed through, and an interstitium it exchanges with.

``vp dcp/dt = Fp (ca - cp) - PS (cp - ce)``, ``ve dce/dt = PS (cp - ce)``, tissue ``vp cp + ve ce`` (Sourbron and
Buckley, Phys Med Biol 2012;57:R1; Brix et al., Magn Reson Med 2004;52:420). Unlike the extended Tofts model of the
first simulator it has a finite plasma flow: the plasma of a tissue is later and lower than that of the artery.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from spinehub.errors import InvalidArgumentError

__all__ = ["Exchange", "tissue_concentration"]


@dataclass(frozen=True)
class Exchange:
    """Perfusion of one tissue.

    Parameters
    ----------
    flow_per_min
        Plasma flow Fp, ml of plasma per ml of tissue and minute; 0: no contrast agent arrives.
    exchange_per_min
        Permeability-surface product PS in the same unit.
    vp, ve
        Plasma and interstitial volume fractions, above 0.
    """

    flow_per_min: float
    exchange_per_min: float
    vp: float
    ve: float

    def __post_init__(self) -> None:
        if min(self.flow_per_min, self.exchange_per_min) < 0 or min(self.vp, self.ve) <= 0 or self.vp + self.ve > 1:
            raise InvalidArgumentError(
                "flow_per_min and exchange_per_min must be at least 0, vp and ve above 0 and together at most 1, got "
                f"{self.flow_per_min}, {self.exchange_per_min}, {self.vp} and {self.ve}"
            )

    @property
    def ktrans_per_min(self) -> float:
        """Transfer constant Fp PS / (Fp + PS), for comparison with other models."""
        total = self.flow_per_min + self.exchange_per_min
        return self.flow_per_min * self.exchange_per_min / total if total > 0 else 0.0

    def modes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Rate (1/min) and area of the two exponentials of the impulse response; the areas add up to vp + ve.

        Both rates are roots of ``x^2 - b x + c``: ``b`` is the sum of the three outflow rates, ``c = Fp PS / (vp ve)``.
        """
        flow, exchange, vp, ve = self.flow_per_min, self.exchange_per_min, self.vp, self.ve
        total, product = (flow + exchange) / vp + exchange / ve, flow * exchange / (vp * ve)
        root = np.sqrt(total**2 / 4.0 - product)
        fast = total / 2.0 + root
        slow = product / fast
        # The response starts at Fp with the slope -Fp^2 / vp: two equations for the two amplitudes.
        slow_height = flow * (fast - flow / vp) / (fast - slow)
        fast_height = flow - slow_height
        return (fast, fast_height / fast), (slow, slow_height / slow if slow > 0 else 0.0)


def tissue_concentration(
    times_s: NDArray[np.float64], plasma_mm: NDArray[np.float64], exchange: Exchange
) -> NDArray[np.float64]:
    """Tissue concentration of the two-compartment exchange model on a uniform time axis.

    Each exponential is convolved exactly with the straight line between two samples of the plasma curve.

    Parameters
    ----------
    times_s
        ``(T,)`` equally spaced seconds.
    plasma_mm
        ``(T,)`` arterial plasma concentration in mM; taken as 0 before the first sample.
    exchange
        The tissue.

    Returns
    -------
    ndarray
        ``(T,)`` float64, mM.

    Raises
    ------
    InvalidArgumentError
        If the times are not equally spaced and rising.
    """
    steps = np.diff(times_s)
    if times_s.size < 2 or steps.min() <= 0 or np.ptp(steps) > 1e-6 * steps.mean():
        raise InvalidArgumentError("times_s must be equally spaced and rising; resample the plasma curve first")
    step = float(steps.mean()) / 60.0
    total = np.zeros_like(plasma_mm, dtype=np.float64)
    if exchange.flow_per_min == 0:
        return total
    earlier = np.concatenate([[0.0], plasma_mm[:-1]])
    for rate, area in exchange.modes():
        if area == 0:
            continue
        decay = np.exp(-rate * step)
        mean = -np.expm1(-rate * step) / (rate * step)
        # state[n] = decay state[n-1] + integral of rate exp(-rate (t_n - u)) over the line from earlier to now
        drive = (1.0 - mean) * plasma_mm + (mean - decay) * earlier
        drive[0] = 0.0
        total += area * lfilter([1.0], [1.0, -decay], drive)
    return total
