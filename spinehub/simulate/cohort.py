"""Drawing recipes: one case from (seed, case) alone, cohorts of exactly half and half."""

from collections.abc import Iterator

import numpy as np

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError
from spinehub.simulate.anatomy import draw_anatomy
from spinehub.simulate.lesion import draw_lesion
from spinehub.simulate.protocol import draw_artefacts, draw_perfusion, draw_protocol
from spinehub.simulate.recipe import SIMULATOR_VERSION, CaseRecipe, CohortName, KineticPrior, PatientRecipe
from spinehub.simulate.signs import HISTOLOGIES, KINETIC_FACTOR

__all__ = ["cohort_recipes", "draw_recipe"]

_COHORTS: tuple[CohortName, ...] = ("matched", "as-published")
_STREAMS = ("label", "histology", "patient", "level", "protocol", "anatomy", "perfusion", "signs", "lesion", "artefacts")
"""Each part draws from a stream of its own, so that no part can shift the numbers of another."""

_AGE_YEARS: dict[str, tuple[float, float]] = {
    "metastasis_lung": (61.0, 11.0),
    "metastasis_other": (61.0, 11.0),
    "chordoma": (58.0, 15.0),
    "chondrosarcoma": (47.0, 15.0),
    "osteosarcoma": (36.0, 17.0),
    "ewing_sarcoma": (20.0, 10.0),
}
"""Mean and standard deviation as published (reference: module text of :mod:`spinehub.simulate.signs`)."""
_AGE_RANGE = (8.0, 88.0)
_REGION_SHARES: dict[str, tuple[float, float, float, float]] = {
    "metastasis_lung": (0.11, 0.62, 0.20, 0.07),
    "metastasis_other": (0.11, 0.62, 0.20, 0.07),
    "chordoma": (0.12, 0.06, 0.12, 0.70),
    "chondrosarcoma": (0.10, 0.48, 0.27, 0.15),
    "osteosarcoma": (0.14, 0.33, 0.32, 0.21),
    "ewing_sarcoma": (0.03, 0.11, 0.28, 0.58),
}
"""Cervical, thoracic, lumbar, sacral; the clivus of chordoma is left out."""
_MATCHED_REGIONS = (0.11, 0.44, 0.28, 0.17)
_LEVELS = {
    "C": tuple(f"C{n}" for n in range(3, 8)),
    "T": tuple(f"T{n}" for n in range(1, 13)),
    "L": tuple(f"L{n}" for n in range(1, 6)),
    "S": ("S1", "S1", "S2", "S2", "S3"),
}


def draw_recipe(
    seed: int,
    case: int = 0,
    *,
    cohort: CohortName = "matched",
    diagnosis: Diagnosis | None = None,
    kinetics: KineticPrior = "medium",
) -> CaseRecipe:
    """Draw everything random about one case; depends on the arguments alone.

    Parameters
    ----------
    seed, case
        Of the cohort and within it, both at least 0.
    cohort
        ``matched``: age, sex, level, size and lesion count have one distribution in both classes. ``as-published``:
        ages and levels as in the literature.
    diagnosis
        Class of the index lesion; None: cases 2 n and 2 n + 1 get the two classes in random order.
    kinetics
        How much the kinetics of primary tumours differ (assumed).

    Raises
    ------
    InvalidArgumentError
        If an argument is out of its range.
    """
    _check(seed, case, cohort, diagnosis, kinetics)
    streams = {
        name: np.random.default_rng(np.random.SeedSequence([seed, case, number])) for number, name in enumerate(_STREAMS)
    }
    if diagnosis is None:
        pair = np.random.default_rng(np.random.SeedSequence([seed, case // 2, len(_STREAMS)]))
        diagnosis = DIAGNOSES[(case + int(pair.integers(2))) % 2]
    mix = HISTOLOGIES[diagnosis]
    histology = str(streams["histology"].choice(list(mix), p=list(mix.values())))
    patient = _draw_patient(streams["patient"], cohort, histology)
    level = _draw_level(streams["level"], cohort, histology)
    protocol = draw_protocol(streams["protocol"], level)
    lesion = draw_lesion(streams["lesion"], streams["signs"], diagnosis, histology, level, protocol, kinetics)
    return CaseRecipe(
        version=SIMULATOR_VERSION,
        seed=int(seed),
        case=int(case),
        cohort=cohort,
        kinetics=kinetics,
        patient=patient,
        protocol=protocol,
        anatomy=draw_anatomy(streams["anatomy"], level, patient),
        perfusion=draw_perfusion(streams["perfusion"], patient, protocol.field_strength_t),
        lesions=(lesion,),
        artefacts=draw_artefacts(streams["artefacts"], protocol.frame_count),
    )


def cohort_recipes(
    cases: int, seed: int, cohort: CohortName = "matched", *, kinetics: KineticPrior = "medium"
) -> Iterator[CaseRecipe]:
    """Recipes of a cohort, one half of each class (an odd last case is either); case k depends on (seed, k) alone."""
    if cases < 1:
        raise InvalidArgumentError(f"cases must be at least 1, got {cases}")
    return (draw_recipe(seed, case, cohort=cohort, kinetics=kinetics) for case in range(cases))


def _check(seed: int, case: int, cohort: str, diagnosis: str | None, kinetics: str) -> None:
    if seed < 0 or case < 0:
        raise InvalidArgumentError(f"seed and case must be at least 0, got {seed} and {case}")
    if cohort not in _COHORTS:
        raise InvalidArgumentError(f"cohort must be one of {_COHORTS}, got {cohort!r}")
    if diagnosis is not None and diagnosis not in DIAGNOSES:
        raise InvalidArgumentError(f"diagnosis must be one of {DIAGNOSES} or None, got {diagnosis!r}")
    if kinetics not in KINETIC_FACTOR:
        raise InvalidArgumentError(f"kinetics must be one of {tuple(KINETIC_FACTOR)}, got {kinetics!r}")


def _draw_patient(rng: np.random.Generator, cohort: CohortName, histology: str) -> PatientRecipe:
    share, spread, sex = rng.random(), rng.standard_normal(), rng.random()
    low, high = _AGE_RANGE
    if cohort == "matched":
        age = 18.0 + share * 64.0
    else:
        mean, deviation = _AGE_YEARS[histology]
        age = mean + deviation * spread
    return PatientRecipe(float(np.clip(age, low, high)), "female" if sex < 0.5 else "male")


def _draw_level(rng: np.random.Generator, cohort: CohortName, histology: str) -> str:
    shares = _MATCHED_REGIONS if cohort == "matched" else _REGION_SHARES[histology]
    region = str(rng.choice(list(_LEVELS), p=list(shares)))
    return str(rng.choice(list(_LEVELS[region])))
