"""Normal tissue: proton density, relaxation and perfusion, and the signal curve of each.

T1 at 3 T follows de Bazelaire 2004 (muscle, fat), SyMRI in 32 spines (CSF, cord, discs; field not stated) and general
values (assumed) for the rest; at 1.5 T all T1 are 21 % shorter as in de Bazelaire. T2* is assumed throughout.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.kinetics import extended_tofts, plasma_curve
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.signal import fine_times, frame_means, frame_times, spoiled_gradient_echo, water_signal

__all__ = ["FAT_DENSITY", "LONGER_AT_3T", "WATER_TISSUES", "Tissue", "fat_level", "tissue_curves", "tissue_table"]

LONGER_AT_3T = 1.21
FAT_DENSITY = 0.90
_FAT_T1_S, _FAT_T2S_S = 0.382, 0.030
_VEIN_DELAY_S = 9.0


@dataclass(frozen=True)
class Tissue:
    """Water of one tissue.

    Parameters
    ----------
    t1_s, t2s_s, proton_density
        Relaxation at the protocol's field and water content (0 to 1).
    ktrans_per_min, ve, vp, delay_s
        Extended Tofts parameters and arrival after the aorta.
    """

    t1_s: float
    t2s_s: float
    proton_density: float
    ktrans_per_min: float = 0.0
    ve: float = 0.2
    vp: float = 0.0
    delay_s: float = 4.0


WATER_TISSUES = (
    "muscle", "cord", "csf", "disc_young", "disc_dry", "marrow", "ligament", "bone", "artery", "vein", "organ", "wall",
    "lung", "skin",
)  # fmt: skip
"""Names of the components of :func:`tissue_table`, in the order the painter knows them."""


def tissue_table(recipe: CaseRecipe) -> dict[str, Tissue]:
    """Water of every normal tissue at the recipe's field strength."""
    person = recipe.perfusion
    late = person.tissue_delay_s
    plasma_share = 1.0 - person.hematocrit
    at_3t = {
        "muscle": Tissue(0.898, 0.025, 0.80, person.muscle_ktrans, 0.12, 0.01, late),
        "cord": Tissue(0.860, 0.045, 0.80, 0.0, 0.2, 0.012, late),
        "csf": Tissue(4.270, 0.300, 1.00),
        "disc_young": Tissue(1.165, 0.040, 0.85, 0.002, 0.3, 0.0, late),
        "disc_dry": Tissue(0.600, 0.014, 0.60, 0.004, 0.3, 0.0, late),
        "marrow": Tissue(0.950, 0.014, 0.72, person.marrow_ktrans, person.marrow_ve, 0.02, late),
        "ligament": Tissue(0.900, 0.004, 0.40, 0.010, 0.1, 0.002, late),
        "bone": Tissue(0.400, 0.0007, 0.15),
        "artery": Tissue(1.650, 0.060, 0.85, vp=plasma_share, delay_s=0.0),
        "vein": Tissue(1.650, 0.030, 0.85, vp=plasma_share, delay_s=_VEIN_DELAY_S),
        "organ": Tissue(0.900, 0.025, 0.80, person.organ_ktrans, 0.30, 0.06, late),
        "wall": Tissue(1.000, 0.020, 0.70, 0.5 * person.organ_ktrans, 0.25, 0.03, late),
        "lung": Tissue(1.200, 0.0012, 0.22, vp=0.25 * plasma_share, delay_s=2.0),
        "skin": Tissue(0.950, 0.015, 0.70, person.muscle_ktrans, 0.15, 0.01, late),
    }
    factor = person.t1_factor * (1.0 if recipe.protocol.field_strength_t > 2.0 else 1.0 / LONGER_AT_3T)
    return {name: _with_t1(tissue, tissue.t1_s * factor) for name, tissue in at_3t.items()}


def _with_t1(tissue: Tissue, t1_s: float) -> Tissue:
    rest = (tissue.t2s_s, tissue.proton_density, tissue.ktrans_per_min, tissue.ve, tissue.vp, tissue.delay_s)
    return Tissue(t1_s, *rest)


def tissue_curves(recipe: CaseRecipe, tissues: list[Tissue]) -> NDArray[np.float64]:
    """Noiseless signal of each tissue in each frame.

    Returns
    -------
    ndarray
        ``(C, T)`` float64, per unit of volume and gain, averaged over each frame's duration.
    """
    protocol, person = recipe.protocol, recipe.perfusion
    centres = frame_times(protocol)
    fine = fine_times(float(centres[-1]), protocol.frame_interval_s)
    plasma: dict[float, NDArray[np.float64]] = {}
    rows = []
    for tissue in tissues:
        if tissue.delay_s not in plasma:
            arrival = protocol.arrival_s + tissue.delay_s
            plasma[tissue.delay_s] = plasma_curve(fine, arrival, person.input_scale, person.hematocrit)
        concentration = extended_tofts(fine, plasma[tissue.delay_s], tissue.ktrans_per_min, tissue.ve, tissue.vp)
        rows.append(tissue.proton_density * water_signal(concentration, tissue.t1_s, tissue.t2s_s, protocol, person))
    return frame_means(np.stack(rows), fine, centres, protocol.frame_interval_s)


def fat_level(recipe: CaseRecipe) -> float:
    """Signal of pure fat, constant over the frames: contrast agent does not reach lipid protons."""
    protocol = recipe.protocol
    factor = recipe.perfusion.t1_factor * (1.0 if protocol.field_strength_t > 2.0 else 1.0 / LONGER_AT_3T)
    r1 = 1.0 / (_FAT_T1_S * factor)
    steady = float(spoiled_gradient_echo(r1, protocol.repetition_time_s, protocol.flip_angle_deg))
    return protocol.fat_signal * FAT_DENSITY * steady * float(np.exp(-protocol.echo_time_s / _FAT_T2S_S))
