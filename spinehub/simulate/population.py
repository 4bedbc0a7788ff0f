"""Who has the lesion, where along the spine, and how many there are: by cohort.

`matched` gives both classes one distribution of age, sex, level and lesion count. `as-published` follows the
literature: ages of metastases 61 +- 11 (n 1,448), chordoma 58 (sacral median), chondrosarcoma 30 to 60, osteosarcoma
median 34.5, Ewing sarcoma 19.3 +- 10.7; regions from the same papers (metastasis about two thirds thoracic; chordoma
half sacral, its clival third left out; Ewing sarcoma half sacral). Shares of multiple lesions are assumed. Like every
sign, age comes from the pool of both classes with the probability ``SHARED``; levels and counts are worth less than
ten to one as they stand.
"""

from collections.abc import Collection
from math import exp, log, pi, sqrt

import numpy as np
from scipy.special import ndtr, ndtri

from spinehub.case import Diagnosis
from spinehub.simulate.anatomy import LEVELS, region_of
from spinehub.simulate.parts import CohortName, PatientRecipe
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.sign_tables import HISTOLOGIES, SHARED, pooled_mix

__all__ = ["draw_level", "draw_other_levels", "draw_patient", "population_density", "population_log_density"]

_MATCHED_AGE_YEARS = (18.0, 82.0)
_AGE_RANGE_YEARS = (8.0, 88.0)
_AGE_YEARS: dict[str, tuple[float, float]] = {
    "metastasis_lung": (61.0, 11.0),
    "metastasis_other": (61.0, 11.0),
    "chordoma": (58.0, 15.0),
    "chondrosarcoma": (47.0, 15.0),
    "osteosarcoma": (36.0, 17.0),
    "ewing_sarcoma": (20.0, 10.0),
    "myeloma": (66.0, 10.0),
    "lymphoma": (60.0, 14.0),
}
_MATCHED_REGIONS = (0.11, 0.44, 0.28, 0.17)
_REGION_SHARES: dict[str, tuple[float, float, float, float]] = {
    "metastasis_lung": (0.11, 0.62, 0.20, 0.07),
    "metastasis_other": (0.11, 0.62, 0.20, 0.07),
    "chordoma": (0.12, 0.06, 0.12, 0.70),
    "chondrosarcoma": (0.10, 0.48, 0.27, 0.15),
    "osteosarcoma": (0.14, 0.33, 0.32, 0.21),
    "ewing_sarcoma": (0.03, 0.11, 0.28, 0.58),
    "myeloma": (0.12, 0.50, 0.28, 0.10),
    "lymphoma": (0.10, 0.45, 0.30, 0.15),
}
"""Cervical, thoracic, lumbar, sacral."""
_LEVELS_OF = {
    "C": tuple(f"C{n}" for n in range(3, 8)),
    "T": tuple(f"T{n}" for n in range(1, 13)),
    "L": tuple(f"L{n}" for n in range(1, 6)),
    "S": ("S1", "S1", "S2", "S2", "S3"),
}
_MULTIPLE = {"metastasis_lung": 0.35, "metastasis_other": 0.35, "myeloma": 0.5, "lymphoma": 0.2}
_MULTIPLE_PRIMARY = 0.04
_NEIGHBOURHOOD = 4


def draw_patient(
    rng: np.random.Generator, cohort: CohortName, histology: str, without: Collection[str] = ()
) -> PatientRecipe:
    """Age and sex; always four random numbers."""
    share, sex, shared, stranger = rng.random(4)
    if cohort == "matched":
        low, high = _MATCHED_AGE_YEARS
        age = low + share * (high - low)
    else:
        pooled = "age" in without or (shared < SHARED and histology in pooled_mix())
        mean, deviation = _AGE_YEARS[_stranger(stranger) if pooled else histology]
        low, high = ((limit - mean) / deviation for limit in _AGE_RANGE_YEARS)
        age = mean + deviation * float(ndtri(ndtr(low) + share * (ndtr(high) - ndtr(low))))
    return PatientRecipe(float(age), "female" if sex < 0.5 else "male")


def draw_level(rng: np.random.Generator, cohort: CohortName, histology: str, without: Collection[str] = ()) -> str:
    """Level of the index lesion."""
    stranger = _stranger(rng.random())
    shares = _REGION_SHARES[stranger if "level" in without else histology]
    region = str(rng.choice(list(_LEVELS_OF), p=list(_MATCHED_REGIONS if cohort == "matched" else shares)))
    return str(rng.choice(list(_LEVELS_OF[region])))


def draw_other_levels(
    rng: np.random.Generator, cohort: CohortName, histology: str, level: str, without: Collection[str] = ()
) -> tuple[str, ...]:
    """Levels of further lesions near the index vertebra: none on `matched`, sometimes one to three otherwise."""
    multiple, stranger, count = rng.random(), _stranger(rng.random()), int(rng.integers(1, 4))
    distances = rng.permutation([step for step in range(-_NEIGHBOURHOOD, _NEIGHBOURHOOD + 1) if step])
    source = stranger if "multiplicity" in without else histology
    if cohort == "matched" or multiple >= _MULTIPLE.get(source, _MULTIPLE_PRIMARY):
        return ()
    places = [LEVELS.index(level) + int(step) for step in distances]
    return tuple(LEVELS[place] for place in places if 1 <= place < LEVELS.index("S4"))[:count]


def _stranger(share: float) -> str:
    """A histology of the pool of both classes."""
    names, edges = list(pooled_mix()), np.cumsum(list(pooled_mix().values()))
    return names[min(int(np.searchsorted(edges, share)), len(names) - 1)]


def _age_density(age_years: float, histology: str) -> float:
    mean, deviation = _AGE_YEARS[histology]
    low, high = ((limit - mean) / deviation for limit in _AGE_RANGE_YEARS)
    z = (age_years - mean) / deviation
    return exp(-0.5 * z * z) / (deviation * sqrt(2.0 * pi) * float(ndtr(high) - ndtr(low)))


def _pooled_age_density(age_years: float) -> float:
    return sum(share * _age_density(age_years, name) for name, share in pooled_mix().items())


def _parts(recipe: CaseRecipe, histology: str) -> dict[str, float]:
    """Density of age, region and multiplicity on `as-published`, given the histology."""
    age = recipe.patient.age_years
    region = list(_LEVELS_OF).index(region_of(recipe.anatomy.level))
    multiple = _MULTIPLE.get(histology, _MULTIPLE_PRIMARY)
    return {
        "age": (1.0 - SHARED) * _age_density(age, histology) + SHARED * _pooled_age_density(age),
        "level": _REGION_SHARES[histology][region],
        "multiplicity": multiple if len(recipe.lesions) > 1 else 1.0 - multiple,
    }


def population_density(name: str, recipe: CaseRecipe, diagnosis: Diagnosis) -> float:
    """Density of ``age``, ``level`` or ``multiplicity`` of a recipe in one class on `as-published`."""
    return sum(share * _parts(recipe, histology)[name] for histology, share in HISTOLOGIES[diagnosis].items())


def population_log_density(recipe: CaseRecipe, histology: str) -> float:
    """Log density of age, level and multiplicity given the histology; 0 on `matched`, where it is the same for all."""
    if recipe.cohort == "matched":
        return 0.0
    return sum(log(density) for name, density in _parts(recipe, histology).items() if name not in recipe.without)
