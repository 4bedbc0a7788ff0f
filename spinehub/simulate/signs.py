"""What may differ between the classes, as explicit densities; the source of the exact Bayes posterior.

Every sign is drawn given the histology, independently of the other signs. With the probability :data:`SHARED` it
ignores the histology and comes from the pool of both classes, so that the likelihood ratio of any single sign between
the classes is at most ``(2 - SHARED) / SHARED = 10``, whatever its value. :data:`STRENGTH` scales all differences at
once. How it was set: recipes of `matched` with the medium kinetic prior were drawn (no rendering), the area under the
curve of their exact posteriors was computed, and the assumed differences were moved, last of all, until that area was
0.90 at a strength of 1 (12,000 draws: 0.901; 0.923 at 1.15): a choice, made before any training.

What may differ
---------------
=====================  ==============================================================================================
sign                   source
=====================  ==============================================================================================
age (as-published)     Lang 2019 cohort, Qingdao cohorts; SEER; Radiology 2004;230:697; Skeletal Radiol 2004
level (as-published)   the same papers: sacrum for chordoma, thoracic spine for metastasis
site in the vertebra   Guo 2018 (metastasis 65 % posterior or both); PMC3061459; Radiology 2004;230:697; PMID 15232658
soft-tissue mass       Lang 2017 JMRI (chordoma 13/13); Ewing over half the mass in 67 %; otherwise assumed
septa                  Lang 2017 JMRI (chordoma 9/13); chondrosarcoma: rings and arcs; otherwise assumed
Ktrans, ve, vp         metastasis fitted to Lang 2017 and 2019; primary tumours assumed, see :data:`KINETIC_FACTOR`
rim against core       PMC3310962 and Eur Radiol 2013 (ordinal only); size of the difference assumed
unevenness             malignant tumours uneven (biocloudy MTY1MDQ2OA); difference between the classes assumed
=====================  ==============================================================================================

What must not
-------------
Noise, protocol, coil, motion, depth and position in the field of view, edge width, texture frequency, S0, T1 and
proton density of the lesion, volume, elongation, lobulation, necrosis, matrix, collapse, disc sparing, number of random
draws, identifiers. Each is drawn by a stream of its own that never sees the class. The long T2 of chordoma is left out:
a T1-weighted spoiled echo hardly shows it.
"""

from dataclasses import dataclass
from math import erf, exp, log, pi, sqrt
from typing import Any, TypeAlias

import numpy as np
from scipy.special import logsumexp, ndtri

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.simulate.parts import KineticPrior, LesionSigns
from spinehub.simulate.population import population_log_density
from spinehub.simulate.recipe import CaseRecipe

__all__ = [
    "HISTOLOGIES",
    "KINETIC_FACTOR",
    "SHARED",
    "STRENGTH",
    "bayes_posterior",
    "draw_signs",
    "recipe_log_density",
    "sign_density",
]

STRENGTH = 1.0
"""Scales every difference between the classes; see the module text for how it was set."""
SHARED = 2.0 / 11.0
"""Share of draws of each sign that ignore the histology: bounds its likelihood ratio by 10."""
HISTOLOGIES: dict[Diagnosis, dict[str, float]] = {
    "metastasis": {"metastasis_lung": 0.5, "metastasis_other": 0.5},
    "primary_malignant": {"chordoma": 0.37, "chondrosarcoma": 0.22, "osteosarcoma": 0.13, "ewing_sarcoma": 0.28},
}
"""Mix within each class: Lang 2019 (30 lung, 31 other); NCDB mobile spine (377, 223, 133, 278)."""
KINETIC_FACTOR: dict[KineticPrior, float] = {"none": 0.0, "mild": 0.5, "medium": 1.0, "strong": 1.4, "reversed": -1.0}
"""How far the kinetics of primary tumours lie from those of metastases, over the assumed difference."""

_METASTASES = ("metastasis_lung", "metastasis_other")


@dataclass(frozen=True)
class _Categories:
    """Probabilities of each value per histology."""

    values: tuple[str, ...]
    table: dict[str, tuple[float, ...]]

    def probabilities(self, histology: str) -> tuple[float, ...]:
        """Tempered towards the pool of the two classes by STRENGTH: the geometric path between them."""
        pool = [
            0.5 * sum(weight * self.table[name][n] for mix in HISTOLOGIES.values() for name, weight in mix.items())
            for n in range(len(self.values))
        ]
        pairs = zip(self.table[histology], pool, strict=True)
        raw = [own**STRENGTH * common ** (1.0 - STRENGTH) for own, common in pairs]
        return tuple(value / sum(raw) for value in raw)

    def density(self, value: str, histology: str, _factor: float) -> float:
        return self.probabilities(histology)[self.values.index(value)]

    def quantile(self, share: float, histology: str, _factor: float) -> str:
        edges = np.cumsum(self.probabilities(histology))
        return self.values[min(int(np.searchsorted(edges, share)), len(self.values) - 1)]


@dataclass(frozen=True)
class _LogNormal:
    """Normal in the logarithm (or as it stands), with the metastases fixed and the primary tumours moved."""

    mean: dict[str, float]
    shift: dict[str, float]
    spread: float
    logarithmic: bool = True

    def centre(self, histology: str, factor: float) -> float:
        base = sum(HISTOLOGIES["metastasis"][name] * self.mean[name] for name in _METASTASES)
        return self.mean[histology] if histology in _METASTASES else base + factor * STRENGTH * self.shift[histology]

    def density(self, value: float, histology: str, factor: float) -> float:
        place = log(value) if self.logarithmic else value
        z = (place - self.centre(histology, factor)) / self.spread
        return exp(-0.5 * z * z) / (self.spread * sqrt(2.0 * pi))

    def quantile(self, share: float, histology: str, factor: float) -> float:
        held = _TAIL + share * (1.0 - 2.0 * _TAIL)
        place = self.centre(histology, factor) + self.spread * float(ndtri(held))
        return exp(place) if self.logarithmic else place


_TAIL = 0.5 * (1.0 - erf(3.0 / sqrt(2.0)))
"""Draws are held within 3 standard deviations; the density ignores this sliver of 0.3 %."""

_Sign: TypeAlias = _Categories | _LogNormal

_SIGNS: dict[str, _Sign] = {
    "site": _Categories(
        ("body_central", "body_lateral", "body_posterior", "posterior"),
        {
            "metastasis_lung": (0.16, 0.20, 0.50, 0.14),
            "metastasis_other": (0.16, 0.20, 0.50, 0.14),
            "chordoma": (0.68, 0.14, 0.14, 0.04),
            "chondrosarcoma": (0.05, 0.07, 0.47, 0.41),
            "osteosarcoma": (0.10, 0.12, 0.58, 0.20),
            "ewing_sarcoma": (0.20, 0.10, 0.55, 0.15),
        },
    ),
    "soft_tissue_mass": _Categories(
        ("none", "small", "large"),
        {
            "metastasis_lung": (0.55, 0.33, 0.12),
            "metastasis_other": (0.55, 0.33, 0.12),
            "chordoma": (0.04, 0.36, 0.60),
            "chondrosarcoma": (0.15, 0.40, 0.45),
            "osteosarcoma": (0.20, 0.42, 0.38),
            "ewing_sarcoma": (0.10, 0.30, 0.60),
        },
    ),
    "septa": _Categories(
        ("no", "yes"),
        {
            "metastasis_lung": (0.93, 0.07),
            "metastasis_other": (0.93, 0.07),
            "chordoma": (0.40, 0.60),
            "chondrosarcoma": (0.40, 0.60),
            "osteosarcoma": (0.85, 0.15),
            "ewing_sarcoma": (0.88, 0.12),
        },
    ),
    "ktrans_per_min": _LogNormal(
        {"metastasis_lung": log(0.135), "metastasis_other": log(0.165)},
        {"chordoma": -0.70, "chondrosarcoma": -0.50, "osteosarcoma": 0.15, "ewing_sarcoma": 0.20},
        0.33,
    ),
    "ve": _LogNormal(
        {"metastasis_lung": log(0.290), "metastasis_other": log(0.245)},
        {"chordoma": 0.35, "chondrosarcoma": 0.45, "osteosarcoma": 0.25, "ewing_sarcoma": 0.15},
        0.22,
    ),
    "vp": _LogNormal(
        {"metastasis_lung": log(0.019), "metastasis_other": log(0.019)},
        {"chordoma": -0.35, "chondrosarcoma": -0.35, "osteosarcoma": 0.10, "ewing_sarcoma": 0.10},
        0.50,
    ),
    "rim_contrast": _LogNormal(
        {"metastasis_lung": 0.15, "metastasis_other": 0.15},
        {"chordoma": 0.15, "chondrosarcoma": 0.50, "osteosarcoma": 0.45, "ewing_sarcoma": 0.35},
        0.45,
        logarithmic=False,
    ),
    "unevenness": _LogNormal(
        {"metastasis_lung": log(0.20), "metastasis_other": log(0.20)},
        {"chordoma": 0.25, "chondrosarcoma": 0.25, "osteosarcoma": 0.30, "ewing_sarcoma": 0.15},
        0.35,
    ),
}


def _class_density(sign: _Sign, value: Any, diagnosis: Diagnosis, factor: float) -> float:
    return sum(share * sign.density(value, name, factor) for name, share in HISTOLOGIES[diagnosis].items())


def _pool_density(sign: _Sign, value: Any, factor: float) -> float:
    return sum(_class_density(sign, value, diagnosis, factor) for diagnosis in DIAGNOSES) / len(DIAGNOSES)


def sign_density(name: str, value: str | float, diagnosis: Diagnosis, kinetics: KineticPrior = "medium") -> float:
    """Density of one sign (of its logarithm for positive numbers) in one class, histologies mixed."""
    sign, factor = _SIGNS[name], KINETIC_FACTOR[kinetics]
    own, pool = _class_density(sign, value, diagnosis, factor), _pool_density(sign, value, factor)
    return (1.0 - SHARED) * own + SHARED * pool


def draw_signs(rng: np.random.Generator, histology: str, kinetics: KineticPrior) -> LesionSigns:
    """Signs of one lesion; the number of random draws does not depend on the histology."""
    factor = KINETIC_FACTOR[kinetics]
    mixes = [(name, share / 2.0) for mix in HISTOLOGIES.values() for name, share in mix.items()]
    edges = np.cumsum([share for _, share in mixes])
    drawn: dict[str, Any] = {}
    for name, sign in _SIGNS.items():
        shared, stranger, share = rng.random(3)
        source = mixes[min(int(np.searchsorted(edges, stranger)), len(mixes) - 1)][0] if shared < SHARED else histology
        drawn[name] = sign.quantile(float(share), source, factor)
    return LesionSigns(**drawn)


def recipe_log_density(recipe: CaseRecipe, diagnosis: Diagnosis) -> float:
    """Log density of the image-visible signs of the index lesion under one class, histologies mixed exactly.

    What both classes share cancels in the posterior and is left out; on `as-published`, age, region and multiplicity
    come in. Label, histology, identifiers and seeds are not visible and do not enter.
    """
    signs, factor = recipe.lesions[0].signs, KINETIC_FACTOR[recipe.kinetics]
    pools = {name: _pool_density(sign, getattr(signs, name), factor) for name, sign in _SIGNS.items()}
    terms, weights = [], []
    for histology, weight in HISTOLOGIES[diagnosis].items():
        total = 0.0
        for name, sign in _SIGNS.items():
            own = sign.density(getattr(signs, name), histology, factor)
            total += log((1.0 - SHARED) * own + SHARED * pools[name])
        terms.append(total + population_log_density(recipe, histology))
        weights.append(weight)
    return float(logsumexp(terms, b=weights))


def bayes_posterior(recipe: CaseRecipe) -> float:
    """Exact probability of ``primary_malignant`` given the visible signs, equal priors: the ceiling of any route."""
    metastasis, primary = (recipe_log_density(recipe, diagnosis) for diagnosis in DIAGNOSES)
    return 1.0 / (1.0 + exp(metastasis - primary))
