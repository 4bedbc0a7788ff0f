"""The parts of a recipe: frozen records of everything drawn about one case.

Units stand in the names; lengths are millimetres, times seconds, rate constants per minute.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "AnatomyRecipe",
    "ArtefactRecipe",
    "CohortName",
    "JerkRecipe",
    "KineticPrior",
    "PatientRecipe",
    "PerfusionRecipe",
    "PlaneName",
    "ProtocolRecipe",
    "Triple",
]

CohortName: TypeAlias = Literal["matched", "as-published"]
"""How age, level and number of lesions are drawn; see :mod:`spinehub.simulate.population`."""
KineticPrior: TypeAlias = Literal["none", "mild", "medium", "strong", "reversed"]
"""How far the kinetics of primary tumours differ; see :data:`spinehub.simulate.signs.KINETIC_FACTOR`."""
PlaneName: TypeAlias = Literal["sagittal", "axial"]
"""Plane in which a simulated series is acquired."""
Triple: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class PatientRecipe:
    """Who was examined."""

    age_years: float
    sex: Literal["female", "male"]


@dataclass(frozen=True)
class ProtocolRecipe:
    """Sequence, geometry and timing.

    Parameters
    ----------
    plane
        ``sagittal``: array axes run to posterior, inferior and left; ``axial``: to left, posterior and superior. The
        first axis is frequency-encoded, the second phase-encoded.
    matrix, spacing_mm
        Voxels and their distance along the array axes.
    acquired
        Shares of the lines that the matrix needs along the first and second axis; the others are filled with zeros.
    taper
        0 to 1: how far the outermost acquired line is weakened.
    fat_shift_voxels
        Chemical shift: displacement of fat along the frequency-encoded axis.
    centre_mm
        Centre of the field of view in the spine frame: x right, y anterior, z superior of the index vertebra's centre.
    tilt_deg
        Rotation of the slab against the spine frame about x, y, z.
    position_mm, position_deg
        Where the spine frame lies in the scanner's RAS frame.
    arrival_s
        When contrast reaches the aorta, from the centre of the first frame.
    fat_signal
        What is left of the fat signal: 1 without fat suppression.
    """

    plane: PlaneName
    field_strength_t: float
    repetition_time_s: float
    echo_time_s: float
    flip_angle_deg: float
    fat_signal: float
    matrix: tuple[int, int, int]
    spacing_mm: Triple
    acquired: tuple[float, float]
    taper: float
    fat_shift_voxels: float
    centre_mm: Triple
    tilt_deg: Triple
    position_mm: Triple
    position_deg: Triple
    frame_interval_s: float
    frame_count: int
    arrival_s: float


@dataclass(frozen=True)
class AnatomyRecipe:
    """The spine and what surrounds it; tuples ``per level`` run from C2 down to the coccyx.

    Parameters
    ----------
    level
        Index vertebra, such as ``"T8"``.
    size
        Factor on all published sizes of bodies, discs and canal.
    cord_size
        Factor on the diameters of the spinal cord, which do not follow the skeleton.
    curvature
        Factor on the published tilt of each vertebra.
    tilt_jitter_deg, disc_grade, marrow_fat_shift
        Per level: extra tilt, disc degeneration from 0 (young) to 1 (dry and narrow), shift of the fat fraction.
    scoliosis_mm, scoliosis_phase
        Sideways sway of the spine: amplitude and phase (radian) of one wave of 400 mm.
    collapse
        Fraction of height the index vertebra has lost in front.
    marrow_fat
        Mean fat fraction of normal marrow.
    marrow_texture
        Standard deviation of the fat fraction within a vertebra.
    muscle_fat
        Fraction of fat streaks in the back muscles.
    back_mm, subcutaneous_mm
        Depth of muscle behind the laminae, thickness of the fat under the skin of the back.
    epidural_fat
        0 to 1: how much of the canal's back is fat.
    aorta_mm
        Offset to the right (negative: left), gap in front of the bodies, radius.
    texture_seed
        Seed of all random fields of normal tissue.
    """

    level: str
    size: float
    cord_size: float
    curvature: float
    tilt_jitter_deg: tuple[float, ...]
    disc_grade: tuple[float, ...]
    marrow_fat_shift: tuple[float, ...]
    scoliosis_mm: float
    scoliosis_phase: float
    collapse: float
    marrow_fat: float
    marrow_texture: float
    muscle_fat: float
    back_mm: float
    subcutaneous_mm: float
    epidural_fat: float
    aorta_mm: Triple
    texture_seed: int


@dataclass(frozen=True)
class PerfusionRecipe:
    """Contrast agent, blood and normal tissue; Ktrans per minute.

    Parameters
    ----------
    relaxivity_per_mm_s, relaxivity_t2s_per_mm_s
        r1 and r2* in L/(mmol s).
    input_scale
        Factor on the Parker input function: dose and cardiac output.
    hematocrit
        Red cells' share of the blood.
    t1_factor
        Person's factor on all T1 of normal tissue.
    marrow_ktrans, marrow_ve, muscle_ktrans, organ_ktrans
        Normal tissue.
    tissue_delay_s
        Arrival in tissue after the aorta.
    """

    relaxivity_per_mm_s: float
    relaxivity_t2s_per_mm_s: float
    input_scale: float
    hematocrit: float
    t1_factor: float
    marrow_ktrans: float
    marrow_ve: float
    muscle_ktrans: float
    organ_ktrans: float
    tissue_delay_s: float


@dataclass(frozen=True)
class JerkRecipe:
    """A sudden movement within one frame, undone before the next.

    Parameters
    ----------
    frame
        Number of the frame; beyond the last one nothing happens.
    shift_mm
        Displacement along x, y, z of the spine frame, on top of the frame's own.
    share
        0 to 1: inner phase-encoding lines that were acquired before it (from the centre outwards).
    """

    frame: int
    shift_mm: Triple
    share: float


@dataclass(frozen=True)
class ArtefactRecipe:
    """What the scanner and the patient's movement add; the same for both classes.

    Parameters
    ----------
    gain
        Stored units per unit of transverse magnetisation.
    snr
        Mean signal of muscle near the spine before contrast, over the noise's standard deviation per channel.
    coil_falloff_mm, coil_tilt, coil_ripple
        Decay of the surface coil's sensitivity towards the front, left-right and up-down slope per 100 mm, size of the
        smooth random ripple.
    saturation_mm
        Distance in front of the spine from which a saturation band darkens the image.
    shifts_mm
        Per frame: displacement of the patient along x, y, z.
    jerks
        Movements within a frame.
    ghost
        Strength of the ghosts of pulsating arteries along the phase-encoding axis.
    csf_pulsation
        How far the pulse changes the signal of cerebrospinal fluid: amplitude over mean.
    ghost_phase
        Radian, start of the pulsation.
    wrap, wrap_mm
        Share of the signal of tissue just outside the field of view that folds over along the phase-encoding axis, and
        the distance over which it falls to nothing.
    fat_failure, fat_failure_mm, fat_failure_deg
        Where fat is suppressed: how far suppression fails (0 to 1) beyond a distance from the centre of the field of
        view, towards a direction in the sagittal plane (0 anterior, 90 superior).
    noise_seed, field_seed
        Seeds of the receiver noise and of the smooth fields.
    """

    gain: float
    snr: float
    coil_falloff_mm: float
    coil_tilt: tuple[float, float]
    coil_ripple: float
    saturation_mm: float
    shifts_mm: tuple[Triple, ...]
    jerks: tuple[JerkRecipe, ...]
    ghost: float
    csf_pulsation: float
    ghost_phase: float
    wrap: float
    wrap_mm: float
    fat_failure: float
    fat_failure_mm: float
    fat_failure_deg: float
    noise_seed: int
    field_seed: int
