"""The drawn parameters of a simulated case: frozen records with an exact JSON round trip.

A recipe holds everything that was left to chance, noise seeds included, so that :func:`spinehub.simulate.render` has
nothing left to draw. Units stand in the names; lengths are millimetres, times seconds, rate constants per minute.
"""

from dataclasses import asdict, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError

__all__ = [
    "SIMULATOR_VERSION",
    "AnatomyRecipe",
    "ArtefactRecipe",
    "CaseRecipe",
    "CohortName",
    "KineticPrior",
    "LesionRecipe",
    "LesionSigns",
    "PatientRecipe",
    "PerfusionRecipe",
    "ProtocolRecipe",
]

SIMULATOR_VERSION = "1.0"
"""Changes whenever the same recipe would render other voxels or the same seed would draw another recipe."""

CohortName: TypeAlias = Literal["matched", "as-published"]
KineticPrior: TypeAlias = Literal["none", "mild", "medium", "strong", "reversed"]
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
    matrix, spacing_mm
        Voxels and their distance along (anterior to posterior, superior to inferior, right to left).
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

    field_strength_t: float
    repetition_time_s: float
    echo_time_s: float
    flip_angle_deg: float
    fat_signal: float
    matrix: tuple[int, int, int]
    spacing_mm: Triple
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
class LesionSigns:
    """What may differ between the classes, and nothing else (see :mod:`spinehub.simulate.signs`).

    Parameters
    ----------
    site
        Part of the vertebra: body_central, body_lateral, body_posterior (body and posterior elements), posterior.
    soft_tissue_mass
        none, small, large.
    septa
        yes, no.
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
    """One lesion; everything outside `signs` and `histology` is drawn alike for both classes.

    Parameters
    ----------
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
        Direction of the soft-tissue mass in the axial plane, 0 right, 90 anterior.
    disc_sparing
        0 to 1: how strongly discs hold the lesion back.
    rim_mm, necrosis, matrix
        Thickness of the shell; share of the core without perfusion; share of dark mineralised matrix.
    t1_s, t2s_s, proton_density, fat
        Water of the viable tissue at the protocol's field; residual marrow fat.
    delay_s
        Arrival after the aorta.
    shape_seed, texture_seed
        Seeds of the surface and of the inner texture.
    """

    diagnosis: Diagnosis
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
    rim_mm: float
    necrosis: float
    matrix: float
    t1_s: float
    t2s_s: float
    proton_density: float
    fat: float
    delay_s: float
    shape_seed: int
    texture_seed: int


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
    ghost
        Strength of pulsation ghosts along the phase-encoding (superior-inferior) axis.
    ghost_phase
        Radian, start of the pulsation.
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
    ghost: float
    ghost_phase: float
    noise_seed: int
    field_seed: int


@dataclass(frozen=True)
class CaseRecipe:
    """Everything drawn for one case; ``lesions[0]`` is the index lesion."""

    version: str
    seed: int
    case: int
    cohort: CohortName
    kinetics: KineticPrior
    patient: PatientRecipe
    protocol: ProtocolRecipe
    anatomy: AnatomyRecipe
    perfusion: PerfusionRecipe
    lesions: tuple[LesionRecipe, ...]
    artefacts: ArtefactRecipe

    def __post_init__(self) -> None:
        if not self.lesions or self.lesions[0].diagnosis not in DIAGNOSES:
            raise InvalidArgumentError(f"lesions must start with an index lesion of a class in {DIAGNOSES}, got none")

    @property
    def diagnosis(self) -> Diagnosis:
        """Class of the index lesion."""
        return self.lesions[0].diagnosis

    @property
    def case_id(self) -> str:
        """Unique within a cohort; tells the seed and the number, not the class."""
        return f"sim-{self.seed}-{self.case:05d}"

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for JSON; :meth:`from_dict` gives the equal recipe back."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "CaseRecipe":
        """Recipe from :meth:`to_dict`'s dictionary, also after a trip through JSON.

        Raises
        ------
        InvalidArgumentError
            If a field is missing or unknown, or the simulator's version differs.
        """
        version = values.get("version")
        if version != SIMULATOR_VERSION:
            raise InvalidArgumentError(
                f"recipe must be of simulator version {SIMULATOR_VERSION}, got {version!r}; draw it again from its seed"
            )
        recipe: CaseRecipe = _build(cls, values)
        return recipe

    def truth(self) -> dict[str, dict[str, float]]:
        """Kinetics and relaxation of each subregion of the index lesion.

        Returns
        -------
        dict
            ``hot_spot``, ``rim``, ``core`` and ``necrosis``, each with ``ktrans_per_min``, ``kep_per_min``, ``ve``,
            ``vp``, ``t1_s`` and ``delay_s``.
        """
        return {name: self._zone(name) for name in ("hot_spot", "rim", "core", "necrosis")}

    def _zone(self, name: str) -> dict[str, float]:
        lesion = self.lesions[0]
        signs = lesion.signs
        ktrans = signs.ktrans_per_min * zone_factors(signs)[name]
        alive = name != "necrosis"
        return {
            "ktrans_per_min": ktrans,
            "kep_per_min": ktrans / signs.ve,
            "ve": signs.ve,
            "vp": signs.vp if alive else 0.0,
            "t1_s": lesion.t1_s if alive else lesion.t1_s * NECROSIS_T1_FACTOR,
            "delay_s": lesion.delay_s,
        }


NECROSIS_T1_FACTOR = 1.5
"""Necrotic tissue is more watery than viable tumour (assumed)."""
NECROSIS_KTRANS_FACTOR = 0.02
"""Necrotic tissue is hardly perfused (assumed)."""


def zone_factors(signs: LesionSigns) -> dict[str, float]:
    """Ktrans of each zone over that of the hot spot: the hotter of rim and core is the hot spot."""
    from math import exp

    cold = exp(-abs(signs.rim_contrast))
    rim, core = (1.0, cold) if signs.rim_contrast >= 0 else (cold, 1.0)
    return {"hot_spot": 1.0, "rim": rim, "core": core, "necrosis": NECROSIS_KTRANS_FACTOR}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _build(kind: Any, value: Any) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        names = {field.name for field in fields(kind)}
        if not isinstance(value, dict) or set(value) != names:
            found = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise InvalidArgumentError(f"recipe part {kind.__name__} must hold exactly {sorted(names)}, got {found}")
        hints = get_type_hints(kind)
        return kind(**{name: _build(hints[name], item) for name, item in value.items()})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_build(part, item) for part, item in zip(inner, value, strict=True))
    if origin in (Union, UnionType):
        return None if value is None else _build(arguments[0], value)
    return float(value) if kind is float else value
