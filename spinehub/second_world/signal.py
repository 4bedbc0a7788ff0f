"""From plasma to the signal of water in each frame: spoiled gradient echo, sampled when the slice is acquired."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.second_world.blood import plasma_concentration
from spinehub.second_world.exchange import Exchange, tissue_concentration
from spinehub.second_world.recipe import AgentRecipe, ScanRecipe

__all__ = ["Tissue", "fat_phase", "slice_delays", "spoiled_echo", "water_curves"]

_STEP_S = 0.5
_FAT_SHIFT_PPM, _PROTON_MHZ_PER_T = 3.4, 42.577


@dataclass(frozen=True)
class Tissue:
    """Water of one tissue.

    Parameters
    ----------
    t1_s, t2s_s, density
        Relaxation at the scan's field, water content (0 to 1).
    exchange
        Perfusion; None: the tissue is blood itself, of which `plasma_share` is plasma.
    plasma_share
        See `exchange`; 0 for tissue.
    delay_s
        Arrival after the artery.
    """

    t1_s: float
    t2s_s: float
    density: float
    exchange: Exchange | None = None
    plasma_share: float = 0.0
    delay_s: float = 0.0


def spoiled_echo(r1_per_s: ArrayLike, repetition_time_s: float, flip_angle_deg: float) -> NDArray[np.float64]:
    """Steady state of a spoiled gradient echo per unit of equilibrium magnetisation, before T2* decay.

    ``sin a (G - 1) / (G - 1 + 2 sin^2(a/2))`` with ``G = exp(TR R1)``, which equals the usual
    ``sin a (1 - E) / (1 - E cos a)`` with ``E = 1 / G``.
    """
    angle = np.deg2rad(flip_angle_deg)
    recovery = np.expm1(repetition_time_s * np.asarray(r1_per_s, dtype=np.float64))
    return np.sin(angle) * recovery / (recovery + 2.0 * np.sin(angle / 2.0) ** 2)


def fat_phase(echo_time_s: float, field_strength_t: float) -> float:
    """Angle in radian by which fat (3.4 ppm) lags water at the echo."""
    return float(2.0 * np.pi * _FAT_SHIFT_PPM * _PROTON_MHZ_PER_T * field_strength_t * echo_time_s)


def slice_delays(scan: ScanRecipe) -> tuple[float, ...]:
    """Centre of the acquisition of even and of odd slices against the frame's centre, in seconds.

    A 3-D scan has one value; interleaved slices are acquired evens first, in half a frame each.
    """
    quarter = 0.25 * scan.frame_duration_s
    return (-quarter, quarter) if scan.interleaved else (0.0,)


def water_curves(scan: ScanRecipe, agent: AgentRecipe, tissues: list[Tissue], shift_s: float) -> NDArray[np.float64]:
    """Noiseless water signal of each tissue in each frame.

    Parameters
    ----------
    scan, agent
        Sequence and contrast agent.
    tissues
        What to compute.
    shift_s
        Of :func:`slice_delays`.

    Returns
    -------
    ndarray
        ``(C, T)`` float64 per unit of volume: the mean over the acquisition of the slice.
    """
    centres = np.array(scan.frame_times_s, dtype=np.float64) + shift_s
    duration = scan.frame_duration_s / (2.0 if scan.interleaved else 1.0)
    last = int(np.ceil((centres[-1] + 2.0 * scan.frame_duration_s) / _STEP_S))
    fine = np.asarray(_STEP_S * np.arange(last + 1), dtype=np.float64)
    samples = centres[:, None] + duration * np.array([-0.375, -0.125, 0.125, 0.375])
    rows = []
    for tissue in tissues:
        start = scan.arrival_s + tissue.delay_s
        plasma = plasma_concentration(fine, start, agent.injection_s, agent.input_scale)
        inside = tissue.plasma_share * plasma
        if tissue.exchange is not None:
            inside = tissue_concentration(fine, plasma, tissue.exchange)
        r1 = 1.0 / tissue.t1_s + agent.relaxivity_per_mm_s * inside
        r2s = 1.0 / tissue.t2s_s + agent.relaxivity_t2s_per_mm_s * inside
        signal = spoiled_echo(r1, scan.repetition_time_s, scan.flip_angle_deg) * np.exp(-scan.echo_time_s * r2s)
        rows.append(tissue.density * np.interp(samples, fine, signal).mean(axis=1))
    return np.stack(rows)
