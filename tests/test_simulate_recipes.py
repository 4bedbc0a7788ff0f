"""Drawing: what a recipe is, what it depends on, what may and must not differ between the classes. No rendering."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp
from sklearn.metrics import roc_auc_score

from spinehub.errors import InvalidArgumentError
from spinehub.simulate import (
    CaseRecipe,
    bayes_posterior,
    cohort_recipes,
    draw_recipe,
    expected_parameters,
    recipe_log_density,
)
from spinehub.simulate.expected import published_figures
from spinehub.simulate.signs import sign_density

SIGNS = ("site", "soft_tissue_mass", "septa", "ktrans_per_min", "ve", "vp", "rim_contrast", "unevenness")


@pytest.fixture(scope="module")
def matched() -> list[CaseRecipe]:
    return list(cohort_recipes(1600, 4242))


@pytest.fixture(scope="module")
def published() -> list[CaseRecipe]:
    return list(cohort_recipes(400, 7, "as-published"))


def by_class(recipes: list[CaseRecipe]) -> tuple[list[CaseRecipe], list[CaseRecipe]]:
    metastases = [recipe for recipe in recipes if recipe.diagnosis == "metastasis"]
    return metastases, [recipe for recipe in recipes if recipe.diagnosis == "primary_malignant"]


@pytest.mark.parametrize("cohort", ["matched", "as-published"])
def test_recipe_survives_json(cohort) -> None:
    for case in range(6):
        recipe = draw_recipe(3, case, cohort=cohort)
        assert CaseRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_recipe_of_another_version_or_shape_is_refused() -> None:
    values = draw_recipe(3).to_dict()
    with pytest.raises(InvalidArgumentError, match="recipe must be of simulator version"):
        CaseRecipe.from_dict(values | {"version": "0.1"})
    with pytest.raises(InvalidArgumentError, match="recipe part CaseRecipe must hold exactly"):
        CaseRecipe.from_dict(values | {"colour": "red"})
    with pytest.raises(InvalidArgumentError, match="recipe part PatientRecipe must hold exactly"):
        CaseRecipe.from_dict(values | {"patient": 3})


def test_case_depends_on_seed_and_number_alone() -> None:
    few, many = list(cohort_recipes(4, 9)), list(cohort_recipes(9, 9))
    assert many[:4] == few
    assert draw_recipe(9, 3) == few[3]
    assert draw_recipe(10, 3) != few[3]


@pytest.mark.parametrize("cases", [2, 8, 50])
def test_cohort_holds_half_of_each_class(cases: int) -> None:
    metastases, primaries = by_class(list(cohort_recipes(cases, 21)))
    assert len(metastases) == len(primaries) == cases // 2


def test_order_of_the_classes_is_random() -> None:
    first = [draw_recipe(5, case).diagnosis for case in range(0, 60, 2)]
    assert 6 < first.count("metastasis") < 24


def test_what_must_not_differ_is_drawn_before_the_class_is_known() -> None:
    one, other = (draw_recipe(5, 8, diagnosis=name) for name in ("metastasis", "primary_malignant"))
    assert (one.patient, one.protocol, one.anatomy, one.perfusion, one.artefacts) == (
        other.patient, other.protocol, other.anatomy, other.perfusion, other.artefacts,
    )  # fmt: skip
    lesion = replace(other.lesions[0], diagnosis="metastasis", histology=one.lesions[0].histology)
    assert replace(lesion, signs=one.lesions[0].signs) == one.lesions[0]


def test_kinetic_prior_moves_the_primary_tumours_only() -> None:
    kept = {prior: draw_recipe(5, 8, diagnosis="metastasis", kinetics=prior) for prior in ("none", "medium")}
    shared = sum(
        draw_recipe(5, case, diagnosis="metastasis", kinetics="none").lesions[0].signs
        == draw_recipe(5, case, diagnosis="metastasis", kinetics="strong").lesions[0].signs
        for case in range(40)
    )
    assert kept["none"].protocol == kept["medium"].protocol
    assert shared > 12
    assert sign_density("ve", 0.4, "metastasis", "none") == pytest.approx(
        sign_density("ve", 0.4, "primary_malignant", "none"), rel=0.25
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed and case must be at least 0"),
        ({"seed": 1, "cohort": "real"}, "cohort must be one of"),
        ({"seed": 1, "diagnosis": "myeloma"}, "diagnosis must be one of"),
        ({"seed": 1, "kinetics": "wild"}, "kinetics must be one of"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        draw_recipe(**arguments)


def test_empty_cohort_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="cases must be at least 1, got 0"):
        cohort_recipes(0, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", lambda r: r.patient.age_years),
        ("diameter", lambda r: r.lesions[0].diameter_mm),
        ("snr", lambda r: r.artefacts.snr),
        ("t1", lambda r: r.lesions[0].t1_s),
        ("echo time", lambda r: r.protocol.echo_time_s),
        ("place in the field of view", lambda r: r.protocol.centre_mm[2]),
        ("necrosis", lambda r: r.lesions[0].necrosis),
        ("margin", lambda r: r.lesions[0].margin_mm),
    ],
)
def test_matched_classes_share_what_must_not_differ(matched: list[CaseRecipe], name: str, value) -> None:
    metastases, primaries = by_class(matched)
    assert ks_2samp([value(r) for r in metastases], [value(r) for r in primaries]).pvalue > 0.005, name


@pytest.mark.parametrize("value", [lambda r: r.patient.sex, lambda r: r.anatomy.level[0], lambda r: len(r.lesions)])
def test_matched_classes_share_sex_region_and_count(matched: list[CaseRecipe], value) -> None:
    groups = [[value(recipe) for recipe in group] for group in by_class(matched)]
    kinds = sorted(set(groups[0]) | set(groups[1]))
    table = np.array([[group.count(kind) for kind in kinds] for group in groups])
    assert len(kinds) == 1 or chi2_contingency(table).pvalue > 0.005


def test_published_cohort_differs_in_age_region_and_count(published: list[CaseRecipe]) -> None:
    metastases, primaries = by_class(published)
    assert np.mean([r.patient.age_years for r in metastases]) > np.mean([r.patient.age_years for r in primaries]) + 10
    assert np.mean([r.anatomy.level[0] == "S" for r in primaries]) > 0.3
    assert 0.2 < np.mean([len(r.lesions) > 1 for r in metastases]) < 0.5
    truth = [r.diagnosis == "primary_malignant" for r in published]
    assert roc_auc_score(truth, [bayes_posterior(r) for r in published]) > 0.93


def test_bayes_ceiling_on_matched_is_as_set(matched: list[CaseRecipe]) -> None:
    truth = [recipe.diagnosis == "primary_malignant" for recipe in matched]
    posterior = np.array([bayes_posterior(recipe) for recipe in matched])
    assert roc_auc_score(truth, posterior) == pytest.approx(0.90, abs=0.02)
    # An exact posterior is calibrated: in each fifth, the share of primary tumours is the mean probability.
    for part in np.array_split(np.argsort(posterior), 5):
        assert np.mean(np.array(truth)[part]) == pytest.approx(posterior[part].mean(), abs=0.08)


def test_posterior_is_the_ratio_of_the_densities() -> None:
    recipe = draw_recipe(1)
    a, b = (np.exp(recipe_log_density(recipe, name)) for name in ("metastasis", "primary_malignant"))
    assert bayes_posterior(recipe) == pytest.approx(b / (a + b))


@pytest.mark.parametrize("name", SIGNS)
def test_no_single_sign_is_worth_more_than_ten_to_one(matched: list[CaseRecipe], name: str) -> None:
    values = {getattr(recipe.lesions[0].signs, name) for recipe in matched}
    ratios = [
        sign_density(name, value, "primary_malignant") / sign_density(name, value, "metastasis") for value in values
    ]
    assert max(ratios) <= 10.0 * (1.0 + 1e-9)
    assert min(ratios) >= 0.1 * (1.0 - 1e-9)


@pytest.mark.parametrize("name", ["ktrans_per_min", "ve", "vp", "rim_contrast", "unevenness"])
@pytest.mark.parametrize("diagnosis", ["metastasis", "primary_malignant"])
def test_sign_densities_integrate_to_one(name: str, diagnosis) -> None:
    if name == "rim_contrast":
        places = np.linspace(-4.0, 5.0, 2001)
        density = [sign_density(name, float(place), diagnosis) for place in places]
    else:
        places = np.linspace(-9.0, 4.0, 4001)
        density = [sign_density(name, float(np.exp(place)), diagnosis) for place in places]
    assert np.trapezoid(density, places) == pytest.approx(1.0, abs=1e-3)


def test_metastases_enhance_as_published(matched: list[CaseRecipe]) -> None:
    """Lang 2017 (n 22, 12 frames): maximum 1.7 +- 0.6, steepest rise 1.1 +- 0.4; pooled wash-out -4.9 +- 12.6 %."""
    shown = [published_figures(recipe) for recipe in by_class(matched)[0][:300]]
    figures = [[one[name] for name in ("maximum", "steepest_rise", "washout")] for one in shown]
    mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0)
    assert 1.43 <= mean[0] <= 1.97
    assert 0.46 <= spread[0] <= 0.86
    assert 0.92 <= mean[1] <= 1.28
    assert 0.31 <= spread[1] <= 0.57
    assert -8.1 <= mean[2] <= -1.7
    assert 10.7 <= spread[2] <= 15.4


def test_timing_leaves_two_frames_before_contrast(matched: list[CaseRecipe]) -> None:
    for recipe in matched:
        protocol = recipe.protocol
        last = (protocol.frame_count - 1) * protocol.frame_interval_s
        assert 1.5 * protocol.frame_interval_s < protocol.arrival_s <= 60.0
        assert 10 <= protocol.frame_count <= 40
        assert 4.9 <= protocol.frame_interval_s <= 36.0
        assert last - protocol.arrival_s >= 100.0
        assert len(recipe.artefacts.shifts_mm) == protocol.frame_count
    ends = [(r.protocol.frame_count - 1) * r.protocol.frame_interval_s - r.protocol.arrival_s for r in matched]
    assert np.mean(np.array(ends) >= 240.0) > 0.75


def test_expected_washout_is_missing_where_the_scan_ends_early() -> None:
    recipe = draw_recipe(1)
    short = replace(recipe, protocol=replace(recipe.protocol, frame_interval_s=10.0, frame_count=18, arrival_s=30.0))
    long = replace(recipe, protocol=replace(recipe.protocol, frame_interval_s=10.0, frame_count=30, arrival_s=30.0))
    assert np.isnan(expected_parameters(short)["washout"])
    assert np.isfinite(expected_parameters(long)["washout"])
    assert expected_parameters(short)["early_enhancement"] > 0


def test_truth_names_the_kinetics_of_each_part() -> None:
    recipe = draw_recipe(1)
    truth, signs = recipe.truth(), recipe.lesions[0].signs
    assert truth["hot_spot"]["ktrans_per_min"] == signs.ktrans_per_min
    assert truth["hot_spot"]["kep_per_min"] == pytest.approx(signs.ktrans_per_min / signs.ve)
    ratio = truth["rim"]["ktrans_per_min"] / truth["core"]["ktrans_per_min"]
    assert np.log(ratio) == pytest.approx(signs.rim_contrast)
    assert truth["necrosis"]["ktrans_per_min"] < 0.1 * signs.ktrans_per_min


def test_identifiers_do_not_tell_the_class() -> None:
    one, other = (draw_recipe(5, 8, diagnosis=name) for name in ("metastasis", "primary_malignant"))
    assert one.case_id == other.case_id == "sim-5-00008"
