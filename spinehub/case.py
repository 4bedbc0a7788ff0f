"""Who was examined and what is known: lesions and cases, measured or simulated."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from spinehub.errors import InvalidArgumentError
from spinehub.series import DynamicSeries
from spinehub.volume import Mask, Seed

__all__ = ["DIAGNOSES", "Case", "Diagnosis", "Lesion"]

Diagnosis: TypeAlias = Literal["metastasis", "primary_malignant"]
DIAGNOSES: tuple[Diagnosis, Diagnosis] = ("metastasis", "primary_malignant")
"""The two classes, in the order every array of probabilities uses.

``metastasis``: carcinoma metastasis in the spine. ``primary_malignant``: chordoma, chondrosarcoma, osteosarcoma,
Ewing sarcoma. Myeloma, plasmacytoma and lymphoma belong to neither.
"""


@dataclass(frozen=True, eq=False)
class Lesion:
    """What is true of one lesion (a :class:`spinehub.report.Finding` is what was found)."""

    mask: Mask
    seed: Seed | None = None
    level: str | None = None
    diagnosis: Diagnosis | None = None
    histology: str | None = None

    def __post_init__(self) -> None:
        if self.mask.is_empty:
            raise InvalidArgumentError("mask of a lesion must hold at least one voxel, got an empty mask")
        if self.diagnosis is not None and self.diagnosis not in DIAGNOSES:
            raise InvalidArgumentError(f"diagnosis must be one of {DIAGNOSES}, got {self.diagnosis!r}")


@dataclass(frozen=True, eq=False)
class Case:
    """One examination of one patient; ``lesions[0]`` is the index lesion, the one that is judged."""

    case_id: str
    patient_id: str
    series: DynamicSeries
    lesions: tuple[Lesion, ...] = ()
    age_years: float | None = None
    sex: Literal["female", "male"] | None = None
    origin: Literal["scanner", "simulated"] = "scanner"
    recipe: dict[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for lesion in self.lesions:
            self.series.grid.require_match(lesion.mask.grid, "lesion mask")
