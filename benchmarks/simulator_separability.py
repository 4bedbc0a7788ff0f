"""How well the simulator's two classes can be told apart: ceiling, two-parameter rule, floors, null, ladder.

    python benchmarks/simulator_separability.py [SECTION ...] [SIZE=COUNT ...]

Sections: ceiling, noiseless, rendered, priors, floors, null, ladder; none: all. Sizes: those of SIZES. Prints the
tables of simulator_separability.md. Seeds 61001 to 61005 are used nowhere else. The rule is the project's own, out of
fold. It gets the two parameters either of the noiseless hot-spot tissue, or measured on rendered small fields of view
around the lesion (same sequence, timing, voxels, motion and noise) inside its true mask by the code that measures real
series. Areas under the curve and accuracies carry 95 % bootstrap intervals over cases.
"""

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from simulator_measures import (
    Measured,
    accuracy_with_interval,
    background_features,
    centre_in_spine,
    logistic_scores,
    measure,
    place_in_view,
    region_columns,
    with_interval,
)

from spinehub.models.hotspot_fitting import fit_rule
from spinehub.series import Protocol
from spinehub.simulate import DIFFERENCES, CaseRecipe, bayes_posterior, cohort_recipes, expected_parameters

SEEDS = {"matched": 61001, "as-published": 61002, "priors": 61003, "null": 61004, "ladder": 61005}
SIZES = {"cases": 2000, "rendered": 2000, "priors": 400, "null": 600, "twins": 700}
PRIORS = ("none", "mild", "medium", "strong", "reversed")
POPULATION = ("age", "level", "multiplicity")


def truths(recipes: list[CaseRecipe]) -> NDArray[np.bool_]:
    return np.array([recipe.diagnosis == "primary_malignant" for recipe in recipes])


def bayes(recipes: list[CaseRecipe]) -> str:
    """Cells of the ceiling: area under the curve and accuracy."""
    posterior, truth = np.array([bayes_posterior(recipe) for recipe in recipes]), truths(recipes)
    return f"{with_interval(truth, posterior)} | {accuracy_with_interval(truth, posterior > 0.5)}"


def seen(recipes: list[CaseRecipe], *, features: bool = False) -> list[Measured]:
    return [found for recipe in recipes if (found := measure(recipe, features=features)) is not None]


def rule_cells(measured: list[Measured]) -> str:
    """Cells of the two-parameter rule: n, area under the curve, accuracy; cases without both parameters left out."""
    fit = fit_rule(
        [one.early_enhancement for one in measured],
        [one.washout for one in measured],
        [int(one.primary) for one in measured],
        list(range(len(measured))),
        protocols=[one.protocol for one in measured],
        frame_intervals_s=[one.frame_interval_s for one in measured],
    )
    usable = ~np.isnan(fit.log_odds)
    truth, odds = np.array([one.primary for one in measured])[usable], fit.log_odds[usable]
    return f"{usable.sum()} | {with_interval(truth, odds)} | {accuracy_with_interval(truth, odds > 0)}"


def ceiling_section() -> Iterator[str]:
    yield f"## Ceiling: exact Bayes posterior, {SIZES['cases']} recipes each\n"
    yield "| cohort | kinetic prior | AUC | accuracy |\n|---|---|---|---|"
    for cohort in ("matched", "as-published"):
        for kinetics in PRIORS:
            recipes = list(cohort_recipes(SIZES["cases"], SEEDS[cohort], cohort, kinetics=kinetics))
            yield f"| {cohort} | {kinetics} | {bayes(recipes)} |"


def noiseless(recipe: CaseRecipe) -> Measured:
    """The two parameters as the hot-spot tissue has them, before noise, motion and partial volume."""
    found = expected_parameters(recipe)
    drawn = recipe.protocol
    protocol = Protocol(drawn.repetition_time_s, drawn.echo_time_s, drawn.flip_angle_deg, drawn.field_strength_t)
    primary = recipe.diagnosis == "primary_malignant"
    return Measured(primary, found["early_enhancement"], found["washout"], (), protocol, drawn.frame_interval_s)


def noiseless_section() -> Iterator[str]:
    yield f"## Two-parameter rule on noiseless parameters, {SIZES['cases']} recipes each\n"
    yield "| cohort | kinetic prior | with both parameters | AUC | accuracy |\n|---|---|---|---|---|"
    for cohort in ("matched", "as-published"):
        for kinetics in PRIORS:
            recipes = cohort_recipes(SIZES["cases"], SEEDS[cohort], cohort, kinetics=kinetics)
            yield f"| {cohort} | {kinetics} | {rule_cells([noiseless(recipe) for recipe in recipes])} |"


def rendered_section() -> Iterator[str]:
    yield "## Two-parameter rule on rendered cases\n"
    yield "| cohort | kinetic prior | drawn | with both parameters | AUC | accuracy |\n|---|---|---|---|---|---|"
    for cohort, count in (("matched", SIZES["rendered"]), ("as-published", SIZES["rendered"])):
        recipes = list(cohort_recipes(count, SEEDS[cohort], cohort))
        yield f"| {cohort} | medium | {count} | {rule_cells(seen(recipes))} |"


def priors_section() -> Iterator[str]:
    for kinetics in PRIORS:
        if kinetics != "medium":
            measured = seen(list(cohort_recipes(SIZES["priors"], SEEDS["priors"], kinetics=kinetics)))
            yield f"| matched | {kinetics} | {SIZES['priors']} | {rule_cells(measured)} |"


def floors_section() -> Iterator[str]:
    yield "## Floors: logistic regressions out of fold, AUC\n"
    yield "| known | matched | as-published |\n|---|---|---|"
    recipes = {
        cohort: list(cohort_recipes(SIZES["cases"], SEEDS[cohort], cohort)) for cohort in ("matched", "as-published")
    }
    columns: dict[str, Callable[[CaseRecipe], tuple[float, ...]]] = {
        "age": lambda r: (r.patient.age_years, r.patient.age_years**2),
        "level": region_columns,
        "age and level": lambda r: (r.patient.age_years, r.patient.age_years**2, *region_columns(r)),
        "size": lambda r: (np.log(r.lesions[0].diameter_mm),),
        "place of the vertebra in the view": place_in_view,
        "place of the lesion in the vertebra (permitted)": lambda r: (*centre_in_spine(r), *np.abs(centre_in_spine(r))),
    }
    for name, column in columns.items():
        cells = []
        for chosen in recipes.values():
            cells.append(with_interval(truths(chosen), logistic_scores([column(r) for r in chosen], truths(chosen))))
        yield f"| {name} | {' | '.join(cells)} |"
    cells = []
    for chosen in recipes.values():
        some = chosen[: SIZES["twins"]]
        cells.append(with_interval(truths(some), logistic_scores([background_features(r) for r in some], truths(some))))
    yield f"| background of the lesion-free twin ({SIZES['twins']} each) | {' | '.join(cells)} |"


def null_section() -> Iterator[str]:
    yield "## Null simulator: every difference switched off\n"
    yield "| simulator | what decides | n | AUC | accuracy |\n|---|---|---|---|---|"
    for name, without in (("null", DIFFERENCES), ("medium", ())):
        measured = seen(list(cohort_recipes(SIZES["null"], SEEDS["null"], without=without)), features=True)
        truth = np.array([one.primary for one in measured])
        score = logistic_scores([one.features for one in measured], truth)
        yield f"| {name} | two-parameter rule | {rule_cells(measured)} |"
        cells = f"{with_interval(truth, score)} | {accuracy_with_interval(truth, score > 0.5)}"
        yield f"| {name} | 13 features of the maps | {len(measured)} | {cells} |"


def ladder_section() -> Iterator[str]:
    yield f"## Ladder: ceiling of {SIZES['cases']} recipes with one difference off at a time\n"
    yield "| cohort | off | AUC | accuracy |\n|---|---|---|---|"
    for cohort in ("matched", "as-published"):
        steps = [name for name in DIFFERENCES if cohort == "as-published" or name not in POPULATION]
        for off in ("nothing", *steps, "everything"):
            without = {"nothing": (), "everything": DIFFERENCES}.get(off, (off,))
            recipes = list(cohort_recipes(SIZES["cases"], SEEDS["ladder"], cohort, without=without))
            yield f"| {cohort} | {off} | {bayes(recipes)} |"


SECTIONS: dict[str, Callable[[], Iterator[str]]] = {
    "ceiling": ceiling_section,
    "noiseless": noiseless_section,
    "rendered": rendered_section,
    "priors": priors_section,
    "floors": floors_section,
    "null": null_section,
    "ladder": ladder_section,
}


def main(*names: str) -> None:
    SIZES.update({name: int(count) for name, _, count in (word.partition("=") for word in names) if count})
    for name in [word for word in names if "=" not in word] or SECTIONS:
        start = time.process_time()
        for line in SECTIONS[name]():
            print(line, flush=True)
        print(f"\n({name}: {time.process_time() - start:.0f} s of processor time)\n", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
