"""Everything that is left to chance about one case of the second world; JSON and back without loss.

Lengths are millimetres, times seconds, rates per minute. The spine frame is x right, y anterior, z superior, its origin
in the middle of the back wall of the index vertebra.
"""

from dataclasses import asdict, dataclass
from typing import Any

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError

__all__ = [
    "WORLD_VERSION",
    "AgentRecipe",
    "BodyRecipe",
    "NoiseStatistics",
    "PersonRecipe",
    "ScanRecipe",
    "ScannerRecipe",
    "SecondRecipe",
    "TumourRecipe",
]

WORLD_VERSION = "second-1.0"
"""Changes whenever the same recipe would render other voxels or the same seed would draw another recipe."""
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class PersonRecipe:
    """Who was examined."""

    age_years: float
    sex: str


@dataclass(frozen=True)
class ScanRecipe:
    """Sequence, geometry and timing.

    Parameters
    ----------
    matrix, spacing_mm
        Voxels along (posterior to anterior, inferior to superior, left to right).
    kept_frequencies
        Share of the spatial frequencies that were acquired along the first two axes; the rest is filled with zeros.
    centre_mm, tilt_deg, position_mm
        Centre of the slab in the spine frame, its rotation about x, y, z, and where the spine lies in the scanner.
    fat_signal, fat_unevenness
        What is left of fat, and how unevenly over the image.
    interleaved
        Whether even slices are acquired in the first half of a frame and odd ones in the second.
    frame_times_s
        Centres of the frames, first is 0; close together around the arrival, wider later.
    frame_duration_s
        Acquisition of one frame; there may be pauses between frames.
    """

    field_strength_t: float
    repetition_time_s: float
    echo_time_s: float
    flip_angle_deg: float
    matrix: tuple[int, int, int]
    spacing_mm: Triple
    kept_frequencies: tuple[float, float]
    centre_mm: Triple
    tilt_deg: Triple
    position_mm: Triple
    fat_signal: float
    fat_unevenness: float
    interleaved: bool
    frame_times_s: tuple[float, ...]
    frame_duration_s: float
    arrival_s: float

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.frame_times_s)


@dataclass(frozen=True)
class AgentRecipe:
    """Contrast agent: relaxivities in L/(mmol s), duration of the injection, factor on the input function."""

    relaxivity_per_mm_s: float
    relaxivity_t2s_per_mm_s: float
    injection_s: float
    input_scale: float


@dataclass(frozen=True)
class BodyRecipe:
    """Normal anatomy and its perfusion.

    Parameters
    ----------
    level
        Index vertebra.
    size, bend
        Factors on the sizes and on the tilts of the vertebrae.
    sway_mm
        Sideways, amplitude of a wave of 300 mm.
    disc_water
        1 for a young disc, 0 for a dry one.
    marrow_fat, marrow_grain, muscle_fat
        Fat fractions, and the spread of the marrow's.
    texture_slope
        Exponent of the power-law spectrum of all textures.
    back_mm, fat_mm
        Depth of the back muscles and of the fat under the skin.
    aorta_mm
        Sideways offset, gap in front of the bodies, radius.
    t1_factor
        On all normal T1.
    marrow_flow, muscle_flow, organ_flow
        Plasma flow per minute.
    texture_seed
        Of all random fields.
    """

    level: str
    size: float
    bend: float
    sway_mm: float
    disc_water: float
    marrow_fat: float
    marrow_grain: float
    muscle_fat: float
    texture_slope: float
    back_mm: float
    fat_mm: float
    aorta_mm: Triple
    t1_factor: float
    marrow_flow: float
    muscle_flow: float
    organ_flow: float
    texture_seed: int


@dataclass(frozen=True)
class TumourRecipe:
    """The lesion. ``site`` to ``patchiness`` are the signs that may differ between the classes, nothing else may.

    Parameters
    ----------
    site
        body, side, back (body and arch) or arch.
    mass
        none, small or large: soft tissue beyond the bone.
    septa
        yes or no.
    flow_per_min, exchange_per_min, vp, ve
        Two-compartment exchange parameters of the hottest tissue.
    rim
        Log ratio of the outer shell's perfusion to the core's.
    patchiness
        Standard deviation of the logarithm of perfusion.
    diameter_mm
        Of a sphere of the lesion's volume, which is met exactly.
    offset
        -1 to 1 along x, y, z: where within its site.
    roughness
        Relative height of the surface's bumps.
    mass_deg
        Direction of the soft-tissue mass in the axial plane, 0 right, 90 anterior.
    """

    diagnosis: Diagnosis
    histology: str
    level: str
    site: str
    mass: str
    septa: str
    flow_per_min: float
    exchange_per_min: float
    vp: float
    ve: float
    rim: float
    patchiness: float
    diameter_mm: float
    offset: Triple
    roughness: float
    mass_deg: float
    edge_mm: float
    necrosis: float
    t1_s: float
    t2s_s: float
    density: float
    delay_s: float
    shape_seed: int


@dataclass(frozen=True)
class NoiseStatistics:
    """Noise of a real scanner in a few numbers; see :mod:`spinehub.second_world.noise`.

    Parameters
    ----------
    source
        Where it was measured.
    quantiles
        Of the magnitude in air over its root mean square, at :data:`spinehub.second_world.noise.LEVELS`.
    correlation
        Of the complex noise between neighbours along the two in-plane axes.
    """

    source: str
    quantiles: tuple[float, ...]
    correlation: tuple[float, float]


@dataclass(frozen=True)
class ScannerRecipe:
    """What scanner and patient add.

    Parameters
    ----------
    gain, snr
        Stored units per unit of signal; signal of muscle over the noise's root mean square per channel.
    coil_mm, coil_depth_mm
        Spacing and reach of the elements of the spine coil.
    shading_left
        What a correction for the coil leaves of its shading: 0 to 1.
    slips_mm
        Per frame: displacement along the first two array axes.
    """

    gain: float
    snr: float
    noise: NoiseStatistics
    coil_mm: float
    coil_depth_mm: float
    shading_left: float
    slips_mm: tuple[tuple[float, float], ...]
    noise_seed: int


@dataclass(frozen=True)
class SecondRecipe:
    """Everything drawn for one case of the second world; ``lesions[0]`` is the index lesion."""

    world: str
    version: str
    seed: int
    case: int
    cohort: str
    kinetics: str
    patient: PersonRecipe
    protocol: ScanRecipe
    agent: AgentRecipe
    anatomy: BodyRecipe
    lesions: tuple[TumourRecipe, ...]
    scanner: ScannerRecipe

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
        return f"sim2-{self.seed}-{self.case:05d}"

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for JSON; :meth:`from_dict` gives the equal recipe back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SecondRecipe":
        """Recipe from :meth:`to_dict`'s dictionary, also after a trip through JSON.

        Raises
        ------
        InvalidArgumentError
            If it is no recipe of this version of the second world.
        """
        version = values.get("version")
        if version != WORLD_VERSION:
            raise InvalidArgumentError(
                f"recipe must be of version {WORLD_VERSION}, got {version!r}; draw it again from its seed"
            )
        try:
            scanner = dict(values["scanner"])
            scanner["noise"] = NoiseStatistics(**_tuples(scanner["noise"]))
            parts = {
                "patient": PersonRecipe(**values["patient"]),
                "protocol": ScanRecipe(**_tuples(values["protocol"])),
                "agent": AgentRecipe(**values["agent"]),
                "anatomy": BodyRecipe(**_tuples(values["anatomy"])),
                "lesions": tuple(TumourRecipe(**_tuples(lesion)) for lesion in values["lesions"]),
                "scanner": ScannerRecipe(**_tuples(scanner)),
            }
            return cls(**{**values, **parts})
        except (KeyError, TypeError) as error:
            raise InvalidArgumentError(
                f"recipe must hold the fields of a SecondRecipe, got another: {error}"
            ) from error


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Lists of JSON as the tuples they were."""
    return {name: _as_tuple(value) for name, value in values.items()}


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, (list, tuple)) else value
