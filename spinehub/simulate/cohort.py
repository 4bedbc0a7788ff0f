"""Drawing recipes: one case from (seed, case) alone, cohorts of exactly half and half."""

from collections.abc import Collection, Iterator

import numpy as np

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError
from spinehub.simulate.anatomy import draw_anatomy
from spinehub.simulate.lesion import draw_lesion
from spinehub.simulate.parts import CohortName, KineticPrior, PlaneName
from spinehub.simulate.population import draw_level, draw_other_levels, draw_patient
from spinehub.simulate.protocol import draw_artefacts, draw_perfusion, draw_protocol
from spinehub.simulate.recipe import SIMULATOR_VERSION, CaseRecipe
from spinehub.simulate.sign_tables import EXTRA_HISTOLOGIES, HISTOLOGIES, KINETIC_FACTOR
from spinehub.simulate.signs import DIFFERENCES, draw_signs

__all__ = ["cohort_recipes", "draw_recipe", "draw_streams"]

_COHORTS: tuple[CohortName, ...] = ("matched", "as-published")
_STREAMS = (
    "label", "histology", "patient", "level", "protocol", "anatomy", "perfusion", "signs", "lesion", "artefacts",
    "others", "lookalike",
)  # fmt: skip
"""Each part draws from a stream of its own, so that no part can shift the numbers of another."""
_PAIR_STREAM = 99


def draw_streams(seed: int, case: int) -> dict[str, np.random.Generator]:
    """One random stream for each part of a case."""
    if seed < 0 or case < 0:
        raise InvalidArgumentError(f"seed and case must be at least 0, got {seed} and {case}")
    return {
        name: np.random.default_rng(np.random.SeedSequence([seed, case, place])) for place, name in enumerate(_STREAMS)
    }


def draw_recipe(
    seed: int,
    case: int = 0,
    *,
    cohort: CohortName = "matched",
    diagnosis: Diagnosis | None = None,
    histology: str | None = None,
    kinetics: KineticPrior = "medium",
    without: Collection[str] = (),
    plane: PlaneName = "sagittal",
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
    histology
        Of the index lesion; None: drawn by the mix of its class. ``myeloma`` and ``lymphoma`` belong to no class and
        are drawn only when named here.
    kinetics
        How much the kinetics of primary tumours differ (assumed).
    without
        Differences between the classes to switch off, of :data:`spinehub.simulate.signs.DIFFERENCES`: both classes draw
        them from the pool of the two. All of them make the null simulator.
    plane
        In which the series is acquired; cohorts are sagittal.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of its range.
    """
    _check(cohort, diagnosis, histology, kinetics, without)
    streams = draw_streams(seed, case)
    if histology is None:
        diagnosis = diagnosis or _class_of(seed, case)
        mix = HISTOLOGIES[diagnosis]
        histology = str(streams["histology"].choice(list(mix), p=list(mix.values())))
    else:
        diagnosis = next((name for name, mix in HISTOLOGIES.items() if histology in mix), None)
    patient = draw_patient(streams["patient"], cohort, histology, without)
    level = draw_level(streams["level"], cohort, histology, without)
    protocol = draw_protocol(streams["protocol"], level, plane)
    levels = (level, *draw_other_levels(streams["others"], cohort, histology, level, without))
    lesions = []
    for where in levels:
        signs = draw_signs(streams["signs"], histology, kinetics, without)
        lesions.append(draw_lesion(streams["lesion"], signs, diagnosis, histology, where, protocol))
    return CaseRecipe(
        version=SIMULATOR_VERSION,
        seed=int(seed),
        case=int(case),
        cohort=cohort,
        kinetics=kinetics,
        without=tuple(name for name in DIFFERENCES if name in without),
        patient=patient,
        protocol=protocol,
        anatomy=draw_anatomy(streams["anatomy"], level, patient),
        perfusion=draw_perfusion(streams["perfusion"], patient, protocol.field_strength_t),
        lesions=tuple(lesions),
        artefacts=draw_artefacts(streams["artefacts"], protocol.frame_count),
    )


def cohort_recipes(
    cases: int,
    seed: int,
    cohort: CohortName = "matched",
    *,
    kinetics: KineticPrior = "medium",
    without: Collection[str] = (),
) -> Iterator[CaseRecipe]:
    """Recipes of a cohort, one half of each class (an odd last case is either); case k depends on (seed, k) alone."""
    if cases < 1:
        raise InvalidArgumentError(f"cases must be at least 1, got {cases}")
    return (draw_recipe(seed, case, cohort=cohort, kinetics=kinetics, without=without) for case in range(cases))


def _class_of(seed: int, case: int) -> Diagnosis:
    """Class of a case: both members of a pair of cases toss the same coin for who comes first."""
    pair = np.random.default_rng(np.random.SeedSequence([seed, case // 2, _PAIR_STREAM]))
    return DIAGNOSES[(case + int(pair.integers(2))) % 2]


def _check(cohort: str, diagnosis: str | None, histology: str | None, kinetics: str, without: Collection[str]) -> None:
    known = (*(name for mix in HISTOLOGIES.values() for name in mix), *EXTRA_HISTOLOGIES)
    if cohort not in _COHORTS:
        raise InvalidArgumentError(f"cohort must be one of {_COHORTS}, got {cohort!r}")
    if diagnosis is not None and diagnosis not in DIAGNOSES:
        raise InvalidArgumentError(f"diagnosis must be one of {DIAGNOSES} or None, got {diagnosis!r}")
    if histology is not None and histology not in known:
        raise InvalidArgumentError(f"histology must be one of {known} or None, got {histology!r}")
    if histology is not None and diagnosis is not None and histology not in HISTOLOGIES[diagnosis]:
        raise InvalidArgumentError(f"histology must belong to {diagnosis}, got {histology!r}; leave diagnosis out")
    if kinetics not in KINETIC_FACTOR:
        raise InvalidArgumentError(f"kinetics must be one of {tuple(KINETIC_FACTOR)}, got {kinetics!r}")
    unknown = [name for name in without if name not in DIFFERENCES]
    if unknown:
        raise InvalidArgumentError(f"without must hold names of {DIFFERENCES}, got {unknown}")
