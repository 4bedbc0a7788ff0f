"""From concentration to signal: spoiled gradient echo, fat and water, frames of finite duration."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.simulate.parts import PerfusionRecipe, ProtocolRecipe

__all__ = [
    "FINE_STEP_S",
    "fat_phase",
    "fine_times",
    "frame_means",
    "frame_times",
    "spoiled_gradient_echo",
    "water_signal",
]

FINE_STEP_S = 0.5
"""Step of the time axis on which curves are computed before they are averaged over each frame."""
_FAT_SHIFT_PPM = 3.4
_PROTON_MHZ_PER_T = 42.577


def spoiled_gradient_echo(r1_per_s: ArrayLike, repetition_time_s: float, flip_angle_deg: float) -> NDArray[np.float64]:
    """Steady-state transverse magnetisation per unit of equilibrium magnetisation, before T2* decay.

    ``sin(a) (1 - E) / (1 - cos(a) E)`` with ``E = exp(-TR R1)`` (Ernst; OSIPI's signal model).

    Parameters
    ----------
    r1_per_s
        Any shape, longitudinal relaxation rate in 1/s.
    repetition_time_s, flip_angle_deg
        Sequence.

    Returns
    -------
    ndarray
        Same shape, float64.
    """
    angle = np.deg2rad(flip_angle_deg)
    left = np.exp(-repetition_time_s * np.asarray(r1_per_s, dtype=np.float64))
    return np.sin(angle) * (1.0 - left) / (1.0 - np.cos(angle) * left)


def water_signal(
    concentration_mm: ArrayLike, t1_s: float, t2s_s: float, protocol: ProtocolRecipe, perfusion: PerfusionRecipe
) -> NDArray[np.float64]:
    """Signal of water with contrast agent, per unit of proton density; same shape as the concentration."""
    concentration = np.asarray(concentration_mm, dtype=np.float64)
    r1 = 1.0 / t1_s + perfusion.relaxivity_per_mm_s * concentration
    r2s = 1.0 / t2s_s + perfusion.relaxivity_t2s_per_mm_s * concentration
    steady = spoiled_gradient_echo(r1, protocol.repetition_time_s, protocol.flip_angle_deg)
    return np.asarray(steady * np.exp(-protocol.echo_time_s * r2s), dtype=np.float64)


def fat_phase(echo_time_s: float, field_strength_t: float) -> float:
    """Angle in radian by which fat (3.4 ppm) lags water at the echo: pi is opposed phase."""
    return float(2.0 * np.pi * _FAT_SHIFT_PPM * _PROTON_MHZ_PER_T * field_strength_t * echo_time_s)


def frame_times(protocol: ProtocolRecipe) -> NDArray[np.float64]:
    """``(T,)`` centres of the frames in seconds, first is 0."""
    return np.arange(protocol.frame_count, dtype=np.float64) * protocol.frame_interval_s


def fine_times(last_s: float, frame_interval_s: float) -> NDArray[np.float64]:
    """Uniform axis in seconds from the start of the first frame to the end of the last one."""
    count = int(np.ceil((last_s + frame_interval_s) / FINE_STEP_S)) + 1
    return FINE_STEP_S * np.arange(count, dtype=np.float64) - 0.5 * frame_interval_s


def frame_means(
    curves: NDArray[np.float64], fine_s: NDArray[np.float64], centres_s: NDArray[np.float64], frame_interval_s: float
) -> NDArray[np.float64]:
    """Average curves over the duration of each frame.

    Parameters
    ----------
    curves
        ``(C, F)`` on the axis `fine_s` ``(F,)``.
    centres_s
        ``(T,)`` centres of the frames.
    frame_interval_s
        Duration of a frame: acquisition without pauses.

    Returns
    -------
    ndarray
        ``(C, T)`` float64.
    """
    step = float(fine_s[1] - fine_s[0])
    area = np.zeros_like(curves)
    np.cumsum(0.5 * step * (curves[:, 1:] + curves[:, :-1]), axis=1, out=area[:, 1:])
    half = 0.5 * frame_interval_s
    ends = np.stack([np.interp(centres_s + half, fine_s, row) for row in area])
    starts = np.stack([np.interp(centres_s - half, fine_s, row) for row in area])
    return (ends - starts) / frame_interval_s
