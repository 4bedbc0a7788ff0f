"""What enhances in a spine and is no tumour, for the checks that ask whether the software can tell.

========================  ==========================================================================================
kind                      drawn
========================  ==========================================================================================
haemangioma               round, in the body's marrow, fattier than it; coarse upright trabeculae; late, lasting
schmorl_node              pocket of disc in an endplate with a thin enhancing rim
modic_change              oedema along both endplates of a disc, in front or behind (type 1: enhances)
osteoporotic_fracture     band of oedema under the upper endplate, dark fracture line, lost height, old patient
spondylodiscitis          a disc and both its endplates, abscess in the disc, phlegmon in front
basivertebral_vein        the normal vein behind the body's middle, wide
========================  ==========================================================================================

Spondylodiscitis enhances like the tuberculosis of Lang 2017 (maximum 2.0 +- 0.8, steepest rise 1.0 +- 0.6, wash-out
+7 +- 10 %); all other figures are assumed. A look-alike belongs to neither class: its diagnosis is None.
"""

from dataclasses import dataclass, replace

import numpy as np

from spinehub.errors import InvalidArgumentError
from spinehub.simulate.anatomy import LEVEL_SIZES, LEVELS, draw_anatomy
from spinehub.simulate.cohort import draw_streams
from spinehub.simulate.lesion import longer_t1
from spinehub.simulate.lesion_parts import LesionRecipe, LesionSigns
from spinehub.simulate.lookalike_shape import LOOKALIKES
from spinehub.simulate.parts import AnatomyRecipe, PatientRecipe, PlaneName, ProtocolRecipe
from spinehub.simulate.protocol import draw_artefacts, draw_perfusion, draw_protocol
from spinehub.simulate.recipe import SIMULATOR_VERSION, CaseRecipe

__all__ = ["LOOKALIKES", "draw_lookalike"]

_Range = tuple[float, float]


@dataclass(frozen=True)
class _Kind:
    """Ranges of one kind; T1 at 3 T.

    Parameters
    ----------
    diameter_mm, rim_mm
        Of the round part; thickness of the band, rim or wedge.
    fat_gain, fat_factor
        Fat fraction: the marrow's, times the factor, plus the gain.
    filling
        Share of abscess or of thick trabeculae.
    """

    age_years: _Range
    diameter_mm: _Range
    rim_mm: _Range
    ktrans_per_min: _Range
    ve: _Range
    vp: _Range
    t1_s: _Range
    delay_s: _Range
    fat_factor: _Range
    fat_gain: _Range = (0.0, 0.0)
    filling: _Range = (0.0, 0.0)
    collapse: _Range | None = None


_KINDS = {
    "haemangioma": _Kind(
        (25, 80), (11, 22), (1, 2), (0.10, 0.25), (0.45, 0.65), (0.05, 0.14), (1.2, 1.6), (6, 14), (1, 1), (0.12, 0.25),
        (0.12, 0.25),
    ),
    "schmorl_node": _Kind(
        (20, 70), (7, 12), (1.8, 3.2), (0.04, 0.10), (0.20, 0.35), (0.01, 0.03), (1.1, 1.5), (3, 8), (0.2, 0.5),
    ),
    "modic_change": _Kind(
        (30, 75), (20, 20), (4, 9), (0.03, 0.09), (0.25, 0.45), (0.01, 0.03), (1.1, 1.5), (3, 8), (0.2, 0.5),
    ),
    "osteoporotic_fracture": _Kind(
        (62, 85), (20, 20), (5, 9), (0.05, 0.12), (0.30, 0.50), (0.01, 0.03), (1.2, 1.6), (3, 8), (0.15, 0.4),
        collapse=(0.15, 0.5),
    ),
    "spondylodiscitis": _Kind(
        (30, 80), (20, 20), (7, 13), (0.06, 0.26), (0.28, 0.52), (0.005, 0.02), (1.2, 1.7), (3, 8), (0.05, 0.25),
        filling=(0.08, 0.25),
    ),
    "basivertebral_vein": _Kind(
        (20, 80), (10, 10), (2.8, 4.5), (0.001, 0.001), (0.2, 0.2), (0.40, 0.55), (1.55, 1.7), (8, 11), (0, 0),
        (0.1, 0.3),
    ),
}  # fmt: skip
_LEVELS = (*(f"T{n}" for n in range(6, 13)), *(f"L{n}" for n in range(1, 6)))
_SHARP, _SHARP_MM, _SOFT_MM = ("haemangioma", "basivertebral_vein"), (0.8, 1.6), (1.2, 3.0)
_MOST_FAT = 0.92


def draw_lookalike(kind: str, seed: int, case: int = 0, *, plane: PlaneName = "sagittal") -> CaseRecipe:
    """Draw a case whose index lesion is no tumour; rendered like any other.

    Parameters
    ----------
    kind
        One of :data:`LOOKALIKES`.
    seed, case
        As for :func:`spinehub.simulate.draw_recipe`; the look-alike depends on the arguments alone.
    plane
        In which the series is acquired.

    Returns
    -------
    CaseRecipe
        Its only lesion has `kind` as histology and no diagnosis.

    Raises
    ------
    InvalidArgumentError
        If the kind is unknown or a number is negative.
    """
    if kind not in LOOKALIKES:
        raise InvalidArgumentError(f"kind must be one of {LOOKALIKES}, got {kind!r}")
    streams, ranges = draw_streams(seed, case), _KINDS[kind]
    rng = streams["patient"]
    patient = PatientRecipe(float(rng.uniform(*ranges.age_years)), "female" if rng.random() < 0.5 else "male")
    level = str(streams["level"].choice(_LEVELS))
    protocol = draw_protocol(streams["protocol"], level, plane)
    anatomy = draw_anatomy(streams["anatomy"], level, patient)
    collapse = float(streams["others"].uniform(*(ranges.collapse or (0.0, 0.0))))
    anatomy = replace(anatomy, collapse=collapse)
    return CaseRecipe(
        version=SIMULATOR_VERSION,
        seed=int(seed),
        case=int(case),
        cohort="matched",
        kinetics="medium",
        without=(),
        patient=patient,
        protocol=protocol,
        anatomy=anatomy,
        perfusion=draw_perfusion(streams["perfusion"], patient, protocol.field_strength_t),
        lesions=(_draw(streams["lookalike"], kind, level, anatomy, protocol),),
        artefacts=draw_artefacts(streams["artefacts"], protocol.frame_count),
    )


def _draw(
    rng: np.random.Generator, kind: str, level: str, anatomy: AnatomyRecipe, protocol: ProtocolRecipe
) -> LesionRecipe:
    ranges, height = _KINDS[kind], float(LEVEL_SIZES.height[LEVELS.index(level)]) * anatomy.size
    signs = LesionSigns(
        site="body_central",
        soft_tissue_mass="none",
        septa="none",
        ktrans_per_min=float(rng.uniform(*ranges.ktrans_per_min)),
        ve=float(rng.uniform(*ranges.ve)),
        vp=float(rng.uniform(*ranges.vp)),
        rim_contrast=0.0,
        unevenness=float(rng.uniform(0.08, 0.2)),
    )
    x, y, z = (float(value) for value in rng.uniform(-1.0, 1.0, 3))
    filling = float(rng.uniform(*ranges.filling))
    marrow_fat = anatomy.marrow_fat * float(rng.uniform(*ranges.fat_factor))
    return LesionRecipe(
        diagnosis=None,
        histology=kind,
        level=level,
        signs=signs,
        diameter_mm=min(float(rng.uniform(*ranges.diameter_mm)), 0.85 * height),
        offset=(x, y, z),
        elongation=(1.0, 1.0, 1.0),
        lobes=1,
        lobulation_mm=float(rng.uniform(0.3, 1.0)),
        lobulation_length_mm=float(rng.uniform(6.0, 12.0)),
        margin_mm=float(
            rng.uniform(0.8, 1.6) if kind in ("haemangioma", "basivertebral_vein") else rng.uniform(1.2, 3.0)
        ),
        mass_direction_deg=90.0,
        disc_sparing=1.0,
        canal_reach=0.0,
        rim_mm=float(rng.uniform(*ranges.rim_mm)),
        necrosis=filling if kind == "spondylodiscitis" else 0.0,
        bone_reaction="lytic",
        matrix=filling if kind == "haemangioma" else 0.0,
        t1_s=float(rng.uniform(*ranges.t1_s)) * longer_t1(protocol.field_strength_t),
        t2s_s=float(rng.uniform(0.018, 0.035)),
        proton_density=float(rng.uniform(0.78, 0.9)),
        fat=min(marrow_fat + float(rng.uniform(*ranges.fat_gain)), _MOST_FAT),
        delay_s=float(rng.uniform(*ranges.delay_s)),
        shape_seed=int(rng.integers(2**63)),
        texture_seed=int(rng.integers(2**63)),
    )
