"""The record of one lesion within a recipe: what may differ between the classes, and what is drawn alike for both."""

from dataclasses import dataclass
from math import exp

from spinehub.case import Diagnosis
from spinehub.simulate.parts import Triple

__all__ = [
    "NECROSIS_KTRANS_FACTOR",
    "NECROSIS_T1_FACTOR",
    "LesionRecipe",
    "LesionSigns",
    "septum_log_factors",
    "zone_factors",
]

NECROSIS_T1_FACTOR = 1.5
"""Necrotic tissue is more watery than viable tumour (assumed)."""
NECROSIS_KTRANS_FACTOR = 0.02
"""Necrotic tissue is hardly perfused (assumed)."""
_SEPTUM_LOG_FACTORS = {"none": (0.0, 0.0), "fibrous": (-1.2, 0.0), "arcs": (0.0, -0.6)}


@dataclass(frozen=True)
class LesionSigns:
    """What may differ between the classes, and nothing else (see :mod:`spinehub.simulate.signs`).

    Parameters
    ----------
    site
        Part of the vertebra: body_central, body_lateral, body_posterior (body and posterior elements), posterior.
    soft_tissue_mass
        none, small, large.
    septa
        none, fibrous (dark sheets), arcs (perfused sheets around paler lobules).
    ktrans_per_min, ve, vp
        Extended Tofts parameters of the hot-spot tissue.
    rim_contrast
        Log ratio of the outer shell's Ktrans to the core's; below 0 the core is hotter.
    unevenness
        Standard deviation of log Ktrans within the viable tissue.
    """

    site: str
    soft_tissue_mass: str
    septa: str
    ktrans_per_min: float
    ve: float
    vp: float
    rim_contrast: float
    unevenness: float


@dataclass(frozen=True)
class LesionRecipe:
    """One lesion; everything outside `signs`, `histology` and `diagnosis` is drawn alike for both classes.

    Parameters
    ----------
    diagnosis
        None for what belongs to neither class: myeloma, lymphoma, and the kinds of
        :mod:`spinehub.simulate.lookalikes`.
    diameter_mm
        Of a sphere of the lesion's volume: the volume is exact whatever the shape.
    offset
        -1 to 1 each: where within its site the lesion is centred (right, anterior, superior).
    elongation
        Factors on the axes of the shape.
    lobes, lobulation_mm, lobulation_length_mm
        Number of lobes, height and length of the bumps of the surface.
    margin_mm
        Width over which lesion passes into normal tissue.
    mass_direction_deg
        Direction of the soft-tissue mass in the axial plane, 0 right, 90 anterior; never straight into the canal.
    disc_sparing
        0 to 1: how strongly discs hold the lesion back.
    canal_reach
        Share of the canal's depth that the lesion may fill; 0 where it stays out.
    rim_mm, necrosis
        Thickness of the shell; share of the core without perfusion.
    bone_reaction, matrix
        lytic, mixed or blastic; share of dark mineralised matrix that comes with it.
    t1_s, t2s_s, proton_density, fat
        Water of the viable tissue at the protocol's field; residual marrow fat.
    delay_s
        Arrival after the aorta.
    shape_seed, texture_seed
        Seeds of the surface and of the inner texture.
    """

    diagnosis: Diagnosis | None
    histology: str
    level: str
    signs: LesionSigns
    diameter_mm: float
    offset: Triple
    elongation: Triple
    lobes: int
    lobulation_mm: float
    lobulation_length_mm: float
    margin_mm: float
    mass_direction_deg: float
    disc_sparing: float
    canal_reach: float
    rim_mm: float
    necrosis: float
    bone_reaction: str
    matrix: float
    t1_s: float
    t2s_s: float
    proton_density: float
    fat: float
    delay_s: float
    shape_seed: int
    texture_seed: int


def septum_log_factors(signs: LesionSigns) -> tuple[float, float]:
    """Logarithm of Ktrans, over that of the hot spot, in the septa and in the lobules between them (assumed)."""
    return _SEPTUM_LOG_FACTORS[signs.septa]


def zone_factors(signs: LesionSigns) -> dict[str, float]:
    """Ktrans of each zone over that of the hot spot: the hotter of rim and core is the hot spot."""
    cold = exp(-abs(signs.rim_contrast))
    rim, core = (1.0, cold) if signs.rim_contrast >= 0 else (cold, 1.0)
    septa, lobules = (exp(factor) for factor in septum_log_factors(signs))
    zones = {"hot_spot": 1.0, "rim": rim, "core": core, "septa": septa, "lobules": lobules}
    return zones | {"necrosis": NECROSIS_KTRANS_FACTOR}
