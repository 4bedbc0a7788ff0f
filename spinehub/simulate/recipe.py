"""A recipe: everything that was left to chance about one case, with an exact JSON round trip.

It includes the noise seeds, so that :func:`spinehub.simulate.render` has nothing left to draw.
"""

from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError
from spinehub.simulate.lesion_parts import NECROSIS_T1_FACTOR, LesionRecipe, zone_factors
from spinehub.simulate.parts import (
    AnatomyRecipe,
    ArtefactRecipe,
    CohortName,
    KineticPrior,
    PatientRecipe,
    PerfusionRecipe,
    ProtocolRecipe,
)

__all__ = ["SIMULATOR_VERSION", "CaseRecipe"]

SIMULATOR_VERSION = "2.0"
"""Changes whenever the same recipe would render other voxels or the same seed would draw another recipe."""


@dataclass(frozen=True)
class CaseRecipe:
    """Everything drawn for one case; ``lesions[0]`` is the index lesion.

    Parameters
    ----------
    without
        Differences between the classes that were switched off, of :data:`spinehub.simulate.signs.DIFFERENCES`.
    """

    version: str
    seed: int
    case: int
    cohort: CohortName
    kinetics: KineticPrior
    without: tuple[str, ...]
    patient: PatientRecipe
    protocol: ProtocolRecipe
    anatomy: AnatomyRecipe
    perfusion: PerfusionRecipe
    lesions: tuple[LesionRecipe, ...]
    artefacts: ArtefactRecipe

    def __post_init__(self) -> None:
        if not self.lesions:
            raise InvalidArgumentError("lesions must start with an index lesion, got none; render_twin leaves it out")
        if self.diagnosis is not None and self.diagnosis not in DIAGNOSES:
            raise InvalidArgumentError(f"diagnosis must be one of {DIAGNOSES} or None, got {self.diagnosis!r}")

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Class of the index lesion; None for what belongs to neither."""
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
            ``hot_spot``, ``rim``, ``core``, ``septa``, ``lobules`` and ``necrosis``, each with ``ktrans_per_min``,
            ``kep_per_min``, ``ve``, ``vp``, ``t1_s`` and ``delay_s``.
        """
        return {name: self._zone(name) for name in zone_factors(self.lesions[0].signs)}

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
    return float(value) if kind is float else value
