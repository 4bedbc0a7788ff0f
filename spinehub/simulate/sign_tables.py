"""How each sign is distributed given the histology, with its source; "assumed" where nothing is published.

Sources, by the name of the row
-------------------------------
site: Guo, World Neurosurg 2018 (metastasis: 65 % posterior or both); chordoma: midline body; chondrosarcoma PMC3061459;
osteosarcoma Radiology 2004;230:697; Ewing sarcoma PMID 15232658. Soft-tissue mass: chordoma 13 of 13 (Lang, JMRI 2017),
Ewing sarcoma over half the mass in 67 %, otherwise assumed. Septa: chordoma 9 of 13 (Lang, JMRI 2017), chondrosarcoma
rings and arcs, otherwise assumed. Ktrans, ve, vp: metastasis fitted to Lang 2017 and 2019, myeloma and lymphoma to
Lang 2017; primary tumours assumed. Rim against core: PMC3310962 and Eur Radiol 2013 (10.1007/s00330-013-2913-z), both
ordinal only, so its size is assumed. Unevenness: malignant tumours are uneven (biocloudy MTY1MDQ2OA), assumed in size.
"""

from dataclasses import dataclass
from math import erf, exp, log, pi, sqrt
from typing import TypeAlias

import numpy as np
from scipy.special import ndtri

from spinehub.case import Diagnosis
from spinehub.simulate.parts import KineticPrior

__all__ = [
    "EXTRA_HISTOLOGIES",
    "HISTOLOGIES",
    "KINETIC_FACTOR",
    "SHARED",
    "SIGNS",
    "STRENGTH",
    "Categories",
    "LogNormal",
    "Sign",
    "pooled_mix",
]

STRENGTH = 1.025
"""Scales every difference between the classes; see :mod:`spinehub.simulate.signs` for how it was set."""
SHARED = 2.0 / 11.0
"""Share of draws of each sign that ignore the histology: bounds its likelihood ratio by 10."""
HISTOLOGIES: dict[Diagnosis, dict[str, float]] = {
    "metastasis": {"metastasis_lung": 0.5, "metastasis_other": 0.5},
    "primary_malignant": {"chordoma": 0.37, "chondrosarcoma": 0.22, "osteosarcoma": 0.13, "ewing_sarcoma": 0.28},
}
"""Mix within each class: Lang 2019 (30 lung, 31 other); NCDB mobile spine (377, 223, 133, 278)."""
EXTRA_HISTOLOGIES = ("myeloma", "lymphoma")
"""Malignant and common in the spine, but of neither class: drawn only when asked for by name."""
KINETIC_FACTOR: dict[KineticPrior, float] = {"none": 0.0, "mild": 0.5, "medium": 1.0, "strong": 1.4, "reversed": -1.0}
"""How far the kinetics of primary tumours lie from those of metastases, over the assumed difference."""

_METASTASES = ("metastasis_lung", "metastasis_other")
_REACH = 3.0
_TAIL = 0.5 * (1.0 - erf(_REACH / sqrt(2.0)))


def pooled_mix() -> dict[str, float]:
    """Share of each histology when both classes are thrown together, half and half."""
    return {name: 0.5 * share for mix in HISTOLOGIES.values() for name, share in mix.items()}


@dataclass(frozen=True)
class Categories:
    """Probabilities of each value per histology."""

    values: tuple[str, ...]
    table: dict[str, tuple[float, ...]]

    def probabilities(self, histology: str) -> tuple[float, ...]:
        """Tempered towards the pool of the two classes by STRENGTH: the geometric path between them."""
        pool = [
            sum(weight * self.table[name][n] for name, weight in pooled_mix().items()) for n in range(len(self.values))
        ]
        pairs = zip(self.table[histology], pool, strict=True)
        raw = [own**STRENGTH * common ** (1.0 - STRENGTH) for own, common in pairs]
        return tuple(value / sum(raw) for value in raw)

    def density(self, value: str | float, histology: str, _factor: float) -> float:
        """Probability of a value."""
        return self.probabilities(histology)[self.values.index(str(value))]

    def quantile(self, share: float, histology: str, _factor: float) -> str:
        """Value at a share of the distribution."""
        edges = np.cumsum(self.probabilities(histology))
        return self.values[min(int(np.searchsorted(edges, share)), len(self.values) - 1)]


@dataclass(frozen=True)
class LogNormal:
    """Normal in the logarithm (or as it stands), cut at 3 standard deviations; primary tumours are moved.

    Parameters
    ----------
    mean
        Centre of those histologies for which there are published figures.
    shift
        Assumed distance of the others from the centre of the metastases.
    spread
        Standard deviation before the cut, within one histology.
    logarithmic
        Whether the sign is positive and the normal one is its logarithm.
    """

    mean: dict[str, float]
    shift: dict[str, float]
    spread: float
    logarithmic: bool = True

    def centre(self, histology: str, factor: float) -> float:
        """Centre for one histology when the kinetic differences are scaled by `factor`."""
        if histology in self.mean:
            return self.mean[histology]
        base = sum(HISTOLOGIES["metastasis"][name] * self.mean[name] for name in _METASTASES)
        return base + factor * STRENGTH * self.shift[histology]

    def density(self, value: str | float, histology: str, factor: float) -> float:
        """Density at a value; of its logarithm where the sign is logarithmic."""
        place = log(float(value)) if self.logarithmic else float(value)
        z = (place - self.centre(histology, factor)) / self.spread
        if abs(z) > _REACH * (1.0 + 1e-9):
            return 0.0
        return exp(-0.5 * z * z) / (self.spread * sqrt(2.0 * pi) * (1.0 - 2.0 * _TAIL))

    def quantile(self, share: float, histology: str, factor: float) -> float:
        """Value at a share of the distribution."""
        held = _TAIL + share * (1.0 - 2.0 * _TAIL)
        place = self.centre(histology, factor) + self.spread * float(ndtri(held))
        return exp(place) if self.logarithmic else place


Sign: TypeAlias = Categories | LogNormal

SIGNS: dict[str, Sign] = {
    "site": Categories(
        ("body_central", "body_lateral", "body_posterior", "posterior"),
        {
            "metastasis_lung": (0.16, 0.20, 0.50, 0.14),
            "metastasis_other": (0.16, 0.20, 0.50, 0.14),
            "chordoma": (0.68, 0.14, 0.14, 0.04),
            "chondrosarcoma": (0.05, 0.07, 0.47, 0.41),
            "osteosarcoma": (0.10, 0.12, 0.58, 0.20),
            "ewing_sarcoma": (0.20, 0.10, 0.55, 0.15),
            "myeloma": (0.40, 0.38, 0.19, 0.03),
            "lymphoma": (0.25, 0.25, 0.40, 0.10),
        },
    ),
    "soft_tissue_mass": Categories(
        ("none", "small", "large"),
        {
            "metastasis_lung": (0.55, 0.33, 0.12),
            "metastasis_other": (0.55, 0.33, 0.12),
            "chordoma": (0.04, 0.36, 0.60),
            "chondrosarcoma": (0.15, 0.40, 0.45),
            "osteosarcoma": (0.20, 0.42, 0.38),
            "ewing_sarcoma": (0.10, 0.30, 0.60),
            "myeloma": (0.60, 0.32, 0.08),
            "lymphoma": (0.25, 0.40, 0.35),
        },
    ),
    "septa": Categories(
        ("none", "fibrous", "arcs"),
        {
            "metastasis_lung": (0.93, 0.05, 0.02),
            "metastasis_other": (0.93, 0.05, 0.02),
            "chordoma": (0.40, 0.55, 0.05),
            "chondrosarcoma": (0.40, 0.15, 0.45),
            "osteosarcoma": (0.85, 0.10, 0.05),
            "ewing_sarcoma": (0.88, 0.10, 0.02),
            "myeloma": (0.93, 0.05, 0.02),
            "lymphoma": (0.93, 0.05, 0.02),
        },
    ),
    "ktrans_per_min": LogNormal(
        {
            "metastasis_lung": log(0.135),
            "metastasis_other": log(0.165),
            "myeloma": log(0.29),
            "lymphoma": log(0.20),
        },
        {"chordoma": -0.70, "chondrosarcoma": -0.50, "osteosarcoma": 0.15, "ewing_sarcoma": 0.20},
        0.33,
    ),
    "ve": LogNormal(
        {"metastasis_lung": log(0.290), "metastasis_other": log(0.245), "myeloma": log(0.32), "lymphoma": log(0.48)},
        {"chordoma": 0.35, "chondrosarcoma": 0.45, "osteosarcoma": 0.25, "ewing_sarcoma": 0.15},
        0.22,
    ),
    "vp": LogNormal(
        {"metastasis_lung": log(0.019), "metastasis_other": log(0.019), "myeloma": log(0.02), "lymphoma": log(0.006)},
        {"chordoma": -0.35, "chondrosarcoma": -0.35, "osteosarcoma": 0.10, "ewing_sarcoma": 0.10},
        0.50,
    ),
    "rim_contrast": LogNormal(
        {"metastasis_lung": 0.15, "metastasis_other": 0.15, "myeloma": 0.0, "lymphoma": 0.0},
        {"chordoma": 0.15, "chondrosarcoma": 0.50, "osteosarcoma": 0.45, "ewing_sarcoma": 0.35},
        0.45,
        logarithmic=False,
    ),
    "unevenness": LogNormal(
        {"metastasis_lung": log(0.20), "metastasis_other": log(0.20), "myeloma": log(0.15), "lymphoma": log(0.12)},
        {"chordoma": 0.25, "chondrosarcoma": 0.25, "osteosarcoma": 0.30, "ewing_sarcoma": 0.15},
        0.35,
    ),
}
