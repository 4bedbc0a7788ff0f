"""What each teaching case must be: how its recipe is drawn, what it must fit, and what the lesson needs set by hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import atan2, degrees, hypot

from spinehub.simulate import CaseRecipe, bayes_posterior, draw_lookalike, draw_recipe
from spinehub.simulate.anatomy import region_of
from spinehub.simulate.parts import CohortName

__all__ = ["LESSONS", "Lesson"]

SEED = 4711
"""Outside the seeds any cohort or example is drawn from."""
_INTERVAL_S, _FRAMES, _ARRIVAL_S = 12.0, 27, 40.0
"""One timing for all ten, so that their curves can be compared."""
_ECHO_S = {True: 0.0022, False: 0.0010}
"""Fat and water nearly in phase at 3 T, and not against each other at 1.5 T."""
_Check = Callable[[CaseRecipe], bool]


@dataclass(frozen=True)
class Lesson:
    """How the recipe of one teaching case is found.

    Parameters
    ----------
    draw
        Candidate number k.
    fits
        What is asked of the recipe as drawn.
    set_up
        What the lesson needs set by hand.
    times_factor
        As of :class:`spinehub.teaching.TeachingCase`.
    """

    draw: Callable[[int], CaseRecipe]
    fits: _Check
    set_up: Callable[[CaseRecipe], CaseRecipe]
    times_factor: float = 1.0


def _drawn(histology: str, cohort: CohortName = "as-published") -> Callable[[int], CaseRecipe]:
    return lambda case: draw_recipe(SEED, case, cohort=cohort, histology=histology)


def _lookalike(kind: str) -> Callable[[int], CaseRecipe]:
    return lambda case: draw_lookalike(kind, SEED, case)


def _signs(
    recipe: CaseRecipe, *, sites: tuple[str, ...] = (), masses: tuple[str, ...] = (), septa: tuple[str, ...] = ()
) -> bool:
    signs = recipe.lesions[0].signs
    wanted = ((signs.site, sites), (signs.soft_tissue_mass, masses), (signs.septa, septa))
    return all(not values or value in values for value, values in wanted)


def _between(low: float, value: float, high: float) -> bool:
    return low <= value <= high


def _calm(recipe: CaseRecipe) -> CaseRecipe:
    """A patient who lies still in a scanner that works, without fat suppression, in the timing of all ten."""
    artefacts, protocol = recipe.artefacts, recipe.protocol
    shifts = [artefacts.shifts_mm[min(number, len(artefacts.shifts_mm) - 1)] for number in range(_FRAMES)]
    calm = replace(
        artefacts,
        shifts_mm=tuple((0.15 * x, 0.15 * y, 0.15 * z) for x, y, z in shifts),
        jerks=(),
        ghost=min(artefacts.ghost, 0.02),
        wrap=0.0,
        fat_failure=0.0,
        snr=max(artefacts.snr, 30.0),
    )
    timed = replace(
        protocol,
        frame_interval_s=_INTERVAL_S,
        frame_count=_FRAMES,
        arrival_s=_ARRIVAL_S,
        echo_time_s=_ECHO_S[protocol.field_strength_t > 2.0],
        fat_signal=1.0,
    )
    return replace(recipe, artefacts=calm, protocol=timed)


def _moving(recipe: CaseRecipe) -> CaseRecipe:
    """A patient who slides by 4 mm towards the head and 2 mm to the front, 70 s after contrast arrived, and stays."""
    calm = _calm(recipe)
    frame = round((_ARRIVAL_S + 70.0) / _INTERVAL_S)
    shifts = [
        (x, y + (2.0 if number >= frame else 0.0), z + (4.0 if number >= frame else 0.0))
        for number, (x, y, z) in enumerate(calm.artefacts.shifts_mm)
    ]
    return replace(calm, artefacts=replace(calm.artefacts, shifts_mm=tuple(shifts)))


def _badly_suppressed(recipe: CaseRecipe) -> CaseRecipe:
    """Fat suppression that fails where the lesion lies and works elsewhere."""
    calm = _calm(recipe)
    _, front, up = recipe.protocol.centre_mm
    ahead, above = 15.0 - front, -up
    failing = replace(
        calm.artefacts,
        fat_failure=0.95,
        fat_failure_mm=hypot(ahead, above) - 32.0,
        fat_failure_deg=degrees(atan2(above, ahead)),
    )
    return replace(calm, artefacts=failing, protocol=replace(calm.protocol, fat_signal=0.12))


def _typical_metastasis(recipe: CaseRecipe) -> bool:
    return (
        _signs(recipe, sites=("body_posterior",), masses=("none", "small"), septa=("none",))
        and recipe.lesions[0].bone_reaction == "lytic"
        and region_of(recipe.anatomy.level) == "T"
        and _between(24.0, recipe.lesions[0].diameter_mm, 36.0)
        and _between(50.0, recipe.patient.age_years, 72.0)
        and recipe.lesions[0].necrosis < 0.2
        and bayes_posterior(recipe) < 0.1
    )


def _typical_chordoma(recipe: CaseRecipe) -> bool:
    return (
        _signs(recipe, sites=("body_central",), masses=("large",), septa=("fibrous",))
        and recipe.lesions[0].bone_reaction == "lytic"
        and recipe.anatomy.level in ("S1", "S2", "S3")
        and recipe.lesions[0].diameter_mm >= 36.0
        and _between(45.0, recipe.patient.age_years, 75.0)
        and bayes_posterior(recipe) > 0.9
    )


def _typical_chondrosarcoma(recipe: CaseRecipe) -> bool:
    return (
        _signs(recipe, sites=("posterior", "body_posterior"), masses=("small", "large"), septa=("arcs",))
        and region_of(recipe.anatomy.level) in ("T", "L")
        and recipe.lesions[0].diameter_mm >= 28.0
        and recipe.lesions[0].signs.ktrans_per_min < 0.09
        and bayes_posterior(recipe) > 0.9
    )


def _typical_osteosarcoma(recipe: CaseRecipe) -> bool:
    return (
        _signs(recipe, sites=("body_posterior",), masses=("small", "large"), septa=("none",))
        and recipe.lesions[0].bone_reaction in ("blastic", "mixed")
        and recipe.lesions[0].canal_reach > 0.25
        and region_of(recipe.anatomy.level) in ("T", "L")
        and recipe.lesions[0].diameter_mm >= 28.0
        and recipe.patient.age_years < 50.0
        and bayes_posterior(recipe) > 0.8
    )


def _typical_ewing(recipe: CaseRecipe) -> bool:
    return (
        _signs(recipe, masses=("large",), septa=("none",))
        and recipe.lesions[0].bone_reaction == "lytic"
        and region_of(recipe.anatomy.level) in ("L", "S")
        and recipe.lesions[0].diameter_mm >= 32.0
        and recipe.patient.age_years < 26.0
        and bayes_posterior(recipe) > 0.9
    )


def _near_the_border(recipe: CaseRecipe) -> bool:
    view = recipe.protocol.matrix[1] * recipe.protocol.spacing_mm[1]
    return _between(0.14 * view, abs(recipe.protocol.centre_mm[2]), 0.24 * view) and recipe.anatomy.marrow_fat > 0.35


def _contrary(low: float, high: float, oldest: float = 90.0) -> _Check:
    """The posterior lies in a range, the lesion is large enough to be read, and the age is not absurd."""
    return lambda recipe: (
        _between(low, bayes_posterior(recipe), high)
        and recipe.lesions[0].diameter_mm >= 24.0
        and recipe.patient.age_years <= oldest
        and region_of(recipe.anatomy.level) in ("T", "L")
    )


def _any(_recipe: CaseRecipe) -> bool:
    return True


def _solitary(check: _Check) -> _Check:
    return lambda recipe: len(recipe.lesions) == 1 and check(recipe)


LESSONS: dict[str, Lesson] = {
    "metastasis": Lesson(_drawn("metastasis_other"), _solitary(_typical_metastasis), _calm),
    "chordoma": Lesson(_drawn("chordoma"), _solitary(_typical_chordoma), _calm),
    "wrong_times": Lesson(_drawn("chondrosarcoma"), _solitary(_typical_chondrosarcoma), _calm, times_factor=0.5),
    "leak": Lesson(_drawn("osteosarcoma"), _solitary(_typical_osteosarcoma), _calm),
    "motion": Lesson(_drawn("ewing_sarcoma"), _solitary(_typical_ewing), _moving),
    "fat_suppression": Lesson(_lookalike("haemangioma"), _solitary(_near_the_border), _badly_suppressed),
    "infection": Lesson(_lookalike("spondylodiscitis"), _solitary(_any), _calm),
    "contrary_metastasis": Lesson(_drawn("metastasis_lung", "matched"), _solitary(_contrary(0.85, 1.0)), _calm),
    "contrary_chordoma": Lesson(_drawn("chordoma", "matched"), _solitary(_contrary(0.0, 0.15)), _calm),
    "contrary_ewing": Lesson(_drawn("ewing_sarcoma", "matched"), _solitary(_contrary(0.0, 0.15, 30.0)), _calm),
}
"""In the order they are taught."""
