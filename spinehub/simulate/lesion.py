"""Drawing a lesion: its class-dependent signs, and everything else alike for both classes."""

from dataclasses import replace

import numpy as np

from spinehub.case import Diagnosis
from spinehub.simulate.anatomy import region_of
from spinehub.simulate.lesion_parts import LesionRecipe, LesionSigns
from spinehub.simulate.parts import ProtocolRecipe
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.tissues import LONGER_AT_3T

__all__ = ["MIN_VOXELS", "draw_lesion", "longer_t1", "swap_lesion"]

MIN_VOXELS = 70
"""A lesion is never smaller than this many voxels, so that a hot spot fits into it."""
_LARGEST_MM = {"C": 32.0, "T": 42.0, "L": 55.0, "S": 60.0}
_DIAMETER_MM, _DIAMETER_SPREAD = 25.0, 0.38
_REACTIONS = {"lytic": (0.0, 0.0), "mixed": (0.08, 0.30), "blastic": (0.30, 0.55)}
_REACTION_SHARES = (0.60, 0.25, 0.15)
"""Bone's reaction and the share of dark matrix it leaves: assumed, alike for both classes."""


def longer_t1(field_strength_t: float) -> float:
    """T1 over that at 3 T."""
    return 1.0 if field_strength_t > 2.0 else 1.0 / LONGER_AT_3T


def draw_lesion(
    rng: np.random.Generator,
    signs: LesionSigns,
    diagnosis: Diagnosis | None,
    histology: str,
    level: str,
    protocol: ProtocolRecipe,
) -> LesionRecipe:
    """Draw a lesion at `level` with given signs; nothing that is drawn here looks at class, histology or signs.

    Published spread of relaxation times is wide (osteoblastic metastasis 1.68 +- 0.44 s, marrow deposit 0.86 s by
    fingerprinting; chordoma like muscle), so T1 is drawn wide and alike for all.
    """
    diameter = _draw_diameter(rng, level, protocol)
    elongation = np.exp(rng.normal(0.0, 0.16, 3))
    elongation /= elongation.prod() ** (1.0 / 3.0)
    offset = rng.uniform(-1.0, 1.0, 3)
    reaction = str(rng.choice(list(_REACTIONS), p=list(_REACTION_SHARES)))
    return LesionRecipe(
        diagnosis=diagnosis,
        histology=histology,
        level=level,
        signs=signs,
        diameter_mm=diameter,
        offset=(float(offset[0]), float(offset[1]), float(offset[2])),
        elongation=(float(elongation[0]), float(elongation[1]), float(elongation[2])),
        lobes=int(rng.integers(1, 6)),
        lobulation_mm=float(diameter * rng.uniform(0.02, 0.12)),
        lobulation_length_mm=float(rng.uniform(6.0, 16.0)),
        margin_mm=float(np.exp(rng.uniform(np.log(0.8), np.log(4.0)))),
        mass_direction_deg=float(np.clip(rng.normal(90.0, 50.0), -50.0, 230.0)),
        disc_sparing=float(rng.uniform(0.5, 1.0)),
        canal_reach=float(rng.uniform(0.15, 0.6) if rng.random() < 0.4 else 0.0),
        rim_mm=float(rng.uniform(0.12, 0.24) * diameter),
        necrosis=float(rng.uniform(0.1, 0.55) if rng.random() < 0.4 else 0.0),
        bone_reaction=reaction,
        matrix=float(rng.uniform(*_REACTIONS[reaction])),
        t1_s=float(1.5 * longer_t1(protocol.field_strength_t) * np.exp(rng.normal(0.0, 0.15))),
        t2s_s=float(rng.uniform(0.018, 0.045)),
        proton_density=float(rng.uniform(0.76, 0.92)),
        fat=float(rng.uniform(0.0, 0.08)),
        delay_s=float(rng.uniform(2.0, 7.0)),
        shape_seed=int(rng.integers(2**63)),
        texture_seed=int(rng.integers(2**63)),
    )


def _draw_diameter(rng: np.random.Generator, level: str, protocol: ProtocolRecipe) -> float:
    """Diameter in mm of a sphere of the lesion's volume: log-normal, bounded by the level and the voxel size."""
    smallest = (6.0 / np.pi * MIN_VOXELS * float(np.prod(protocol.spacing_mm))) ** (1.0 / 3.0)
    drawn = np.exp(rng.normal(np.log(_DIAMETER_MM), _DIAMETER_SPREAD))
    return float(np.clip(drawn, smallest, max(_LARGEST_MM[region_of(level)], smallest)))


def swap_lesion(recipe: CaseRecipe, other: CaseRecipe) -> CaseRecipe:
    """The examination of `recipe`, with its noise, around the index lesion of `other`.

    The lesion moves to the index vertebra of `recipe`; its T1 follows the field strength there.
    """
    lesion = other.lesions[0]
    t1_s = lesion.t1_s * longer_t1(recipe.protocol.field_strength_t) / longer_t1(other.protocol.field_strength_t)
    return replace(recipe, lesions=(replace(lesion, level=recipe.lesions[0].level, t1_s=t1_s),))
