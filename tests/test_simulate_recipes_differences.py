"""Differences between the classes: bounded, switched off one by one, absent from the null simulator."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp
from sklearn.metrics import roc_auc_score

from spinehub.errors import InvalidArgumentError
from spinehub.simulate import DIFFERENCES, CaseRecipe, bayes_posterior, cohort_recipes, draw_recipe
from spinehub.simulate.population import population_density
from spinehub.simulate.sign_tables import EXTRA_HISTOLOGIES, HISTOLOGIES, SIGNS, pooled_mix
from spinehub.simulate.signs import sign_density

SIGNS_OF = {
    "site": ("site",),
    "soft_tissue_mass": ("soft_tissue_mass",),
    "septa": ("septa",),
    "kinetics": ("ktrans_per_min", "ve", "vp"),
    "rim_contrast": ("rim_contrast",),
    "unevenness": ("unevenness",),
}


@pytest.fixture(scope="module")
def null() -> list[CaseRecipe]:
    return list(cohort_recipes(800, 13, "as-published", without=DIFFERENCES))


def split(recipes: list[CaseRecipe], value: Any) -> tuple[list[Any], list[Any]]:
    return tuple([value(r) for r in recipes if r.diagnosis == name] for name in HISTOLOGIES)


def test_every_sign_belongs_to_a_difference() -> None:
    assert sorted(name for names in SIGNS_OF.values() for name in names) == sorted(SIGNS)
    assert set(DIFFERENCES) == {*SIGNS_OF, "age", "level", "multiplicity"}
    assert sum(pooled_mix().values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["ktrans_per_min", "ve", "vp", "unevenness"])
def test_null_simulator_pools_the_numbers(null: list[CaseRecipe], name: str) -> None:
    assert ks_2samp(*split(null, lambda r: getattr(r.lesions[0].signs, name))).pvalue > 0.005


@pytest.mark.parametrize(
    "value",
    [
        lambda r: r.lesions[0].signs.site,
        lambda r: r.lesions[0].signs.soft_tissue_mass,
        lambda r: r.lesions[0].signs.septa,
        lambda r: r.anatomy.level[0],
        lambda r: len(r.lesions) > 1,
        lambda r: int(r.patient.age_years // 20),
    ],
)
def test_null_simulator_pools_the_categories(null: list[CaseRecipe], value: Any) -> None:
    groups = split(null, value)
    kinds = sorted(set(groups[0]) | set(groups[1]))
    assert chi2_contingency(np.array([[group.count(kind) for kind in kinds] for group in groups])).pvalue > 0.005


def test_nothing_can_be_told_from_the_null_simulator(null: list[CaseRecipe]) -> None:
    assert {round(bayes_posterior(recipe), 9) for recipe in null} == {0.5}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_switching_one_difference_off_leaves_the_other_draws_alone(name: str) -> None:
    kept = [value for key, names in SIGNS_OF.items() if key != name for value in names]
    for case in range(6):
        whole, without = (draw_recipe(9, case, cohort="as-published", without=off) for off in ((), (name,)))
        assert without.without == (name,)
        assert all(getattr(whole.lesions[0].signs, n) == getattr(without.lesions[0].signs, n) for n in kept)
        if name != "age":
            assert whole.patient == without.patient
        if name not in ("age", "level"):
            assert whole.protocol == without.protocol


def test_ceiling_falls_when_a_difference_goes() -> None:
    def ceiling(without: tuple[str, ...]) -> float:
        recipes = list(cohort_recipes(800, 31, without=without))
        truth = [recipe.diagnosis == "primary_malignant" for recipe in recipes]
        return float(roc_auc_score(truth, [bayes_posterior(recipe) for recipe in recipes]))

    whole = ceiling(())
    assert ceiling(("kinetics",)) < whole - 0.01
    assert ceiling(("soft_tissue_mass",)) < whole - 0.01
    assert ceiling(tuple(DIFFERENCES[:6])) == 0.5


@pytest.mark.parametrize("name", ["age", "level", "multiplicity"])
def test_population_is_worth_ten_to_one_at_most(name: str) -> None:
    recipes = list(cohort_recipes(400, 7, "as-published"))
    ratios = [
        population_density(name, recipe, "primary_malignant") / population_density(name, recipe, "metastasis")
        for recipe in recipes
    ]
    assert max(ratios) <= 10.0 * (1.0 + 1e-9)
    assert min(ratios) >= 0.1 * (1.0 - 1e-9)
    assert np.ptp(np.log(ratios)) > 1.0


@pytest.mark.parametrize("kinetics", ["none", "mild", "strong", "reversed"])
def test_signs_stay_bounded_under_every_prior(kinetics: Any) -> None:
    recipes = list(cohort_recipes(200, 3, kinetics=kinetics))
    for name in ("ktrans_per_min", "ve", "vp", "rim_contrast", "unevenness"):
        values = [getattr(recipe.lesions[0].signs, name) for recipe in recipes]
        ratios = [
            sign_density(name, value, "primary_malignant", kinetics) / sign_density(name, value, "metastasis", kinetics)
            for value in values
        ]
        assert 0.1 * (1.0 - 1e-9) <= min(ratios) <= max(ratios) <= 10.0 * (1.0 + 1e-9)


@pytest.mark.parametrize("histology", [*HISTOLOGIES["metastasis"], *HISTOLOGIES["primary_malignant"]])
def test_named_histology_decides_the_class(histology: str) -> None:
    recipe = draw_recipe(5, 1, histology=histology)
    assert recipe.lesions[0].histology == histology
    assert histology in HISTOLOGIES[recipe.diagnosis]


def test_extra_histologies_are_drawn_only_by_name() -> None:
    drawn = {recipe.lesions[0].histology for recipe in cohort_recipes(300, 2, "as-published")}
    assert drawn == {name for mix in HISTOLOGIES.values() for name in mix}
    for name in EXTRA_HISTOLOGIES:
        recipe = draw_recipe(2, 0, cohort="as-published", histology=name)
        assert recipe.diagnosis is None
        assert CaseRecipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"histology": "lipoma"}, "histology must be one of"),
        ({"histology": "chordoma", "diagnosis": "metastasis"}, "histology must belong to metastasis"),
        ({"without": ("colour",)}, "without must hold names of"),
    ],
)
def test_wrong_histologies_and_differences_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        draw_recipe(1, **arguments)
