"""Four answers in every situation, with small models that say what they are told to."""

from dataclasses import replace

import numpy as np
import pytest
from route_models import (
    EVALUATION,
    SAGITTAL,
    SHAPE,
    SURE,
    TORN,
    FakeNetwork,
    FakeRadiomics,
    FakeRule,
    Said,
    codes,
    context,
    models,
)

from spinehub.errors import ModelError
from spinehub.models import WeightsNotInstalledError
from spinehub.report import ROUTES
from spinehub.routes import (
    DEFAULT_MODELS,
    DEFAULT_RANGES,
    acquisition_facts,
    answer_routes,
    held_out_score,
    lesion_enhances,
    load_model,
    unusual_acquisition,
)
from spinehub.series import Protocol


def test_a_usual_case_gets_four_answers_with_reasons_to_believe_them():
    rule = FakeRule(evaluation=EVALUATION)
    answers = answer_routes(context(), models(hotspot=rule))
    assert [route.name for route in answers.routes] == list(ROUTES)
    assert all(route.decision == "metastasis" for route in answers.routes)
    assert all(route.probabilities == SURE.probabilities for route in answers.routes)
    assert all(route.reason is None for route in answers.routes)
    assert all(route.model == {"id": "fake", "sha256": "abc"} for route in answers.routes)
    assert codes(answers) == ["simulated_weights"]
    hotspot, radiomics, unet, _ = answers.routes
    assert hotspot.held_out["auc"] == 0.8
    assert hotspot.held_out["simulated"] is True
    assert hotspot.explanation["path"] == ("early enhancement 70 % > 60 %",)
    assert radiomics.explanation["contributions"] == (("wash-out, GLCM contrast", -1.5),)
    np.testing.assert_allclose(unet.explanation["class_map"], 0.25)
    assert rule.calls == [(70.0, -12.0, Protocol(0.005, 0.002, 15.0, 1.5), 10.0)]


def test_each_route_is_announced_before_its_model_is_asked():
    told = []
    answer_routes(context(), models(), before=told.append)
    assert told == list(ROUTES)


def test_where_nothing_is_marked_no_route_answers():
    answers = answer_routes(replace(context(), finding=None), models())
    assert all(route.decision == "not_available" for route in answers.routes)
    assert all(route.reason.startswith("no_lesion") for route in answers.routes)
    assert codes(answers) == []


def test_a_lesion_that_does_not_enhance_gets_no_probability_from_any_route():
    asked = models()
    answers = answer_routes(context(enhances=False), asked)
    assert all(route.probabilities is None for route in answers.routes)
    assert all(route.reason.startswith("no_enhancing_lesion") for route in answers.routes)
    assert "no_enhancing_lesion" in codes(answers)
    assert asked["radiomics"].calls == [], "no model may even be asked"


def test_enhancement_of_a_small_lesion_is_read_from_its_mean_curve():
    case = context()
    assert lesion_enhances(replace(case, finding=replace(case.finding, hot_spot=None))) is True
    flat = replace(case.finding, hot_spot=None, curve=context(enhances=False).finding.curve)
    assert lesion_enhances(replace(case, finding=flat)) is False
    unusable = replace(flat, curve=replace(flat.curve, enhancement=np.full(4, np.nan)))
    assert lesion_enhances(replace(case, finding=unusable)) is False
    assert lesion_enhances(context(regime="single")) is None
    assert lesion_enhances(replace(case, finding=None)) is None


@pytest.mark.parametrize("regime", ["pre_post", "single"])
def test_a_regime_alone_never_counts_as_unusual(regime):
    answers = answer_routes(context(regime=regime), models())
    assert codes(answers) == ["simulated_weights"]
    hotspot, *others = answers.routes
    assert hotspot.decision == "not_available", "the rule needs times"
    assert all(route.decision == "metastasis" for route in others)


@pytest.mark.parametrize(
    ("affine", "shape", "named"),
    [
        (SAGITTAL @ np.diag([0.5, 0.5, 1, 1]), (320, 320, 12), "in-plane spacing 0.6 mm"),
        (SAGITTAL @ np.diag([1, 1, 0.5, 1]), SHAPE, "slice spacing 2.25 mm"),
        (SAGITTAL, (80, 80, 12), "field of view 96 mm"),
        (SAGITTAL, (160, 160, 6), "number of slices 6"),
        (np.diag([1.2, 1.2, 4.5, 1.0]), SHAPE, "axial slices"),
    ],
)
def test_unusual_geometry_keeps_probabilities_but_decides_nothing(affine, shape, named):
    answers = answer_routes(context(affine=affine, shape=shape), models())
    assert all(route.decision == "undecided" for route in answers.routes)
    assert all(route.probabilities == SURE.probabilities for route in answers.routes)
    assert all(route.reason.startswith("outside_training_distribution") for route in answers.routes)
    (warning,) = [w for w in answers.warnings if w.code == "outside_training_distribution"]
    assert named in warning.message
    assert warning.message.count("(training:") == 1, "only what is unusual is named"


def test_an_unusual_case_in_feature_space_silences_that_route_and_warns():
    answers = answer_routes(context(), models(radiomics=FakeRadiomics(strange=("far away",))))
    assert [route.decision for route in answers.routes] == ["metastasis", "undecided", "metastasis", "metastasis"]
    assert "outside_training_distribution" in codes(answers)
    assert answers.warnings[0].message.endswith("Methods that find it so do not decide here.")


def test_without_contrast_uptake_nothing_is_decided():
    case = context()
    case = replace(case, timing=replace(case.timing, contrast_enhanced=False))
    answers = answer_routes(case, models())
    assert all(route.decision == "undecided" for route in answers.routes)
    assert "no contrast uptake" in answers.warnings[0].message


def test_undecided_says_why_and_unavailable_keeps_its_reason():
    silent = FakeNetwork(says=Said(None, "not_available", "the U-Net sees no lesion here"))
    answers = answer_routes(context(), models(hotspot=FakeRule(says=TORN), unet=silent))
    hotspot, _, unet, _ = answers.routes
    assert hotspot.decision == "undecided"
    assert "possible" in hotspot.reason
    assert unet.decision == "not_available"
    assert unet.reason == "The U-Net sees no lesion here."


def test_where_the_unet_sees_no_lesion_no_route_answers():
    """A rule or a regression judges any tissue; delete the lesion, and they must not."""
    blind = FakeNetwork(says=Said(None, "not_available", "the U-Net sees no lesion here: 5 %"))
    blind.share = 0.05
    answers = answer_routes(context(), models(unet=blind))
    assert all(route.decision == "not_available" for route in answers.routes)
    assert all(route.probabilities is None for route in answers.routes)
    hotspot, radiomics, unet, inception = answers.routes
    assert unet.reason == "The U-Net sees no lesion here: 5 %."
    for route in (hotspot, radiomics, inception):
        assert route.reason.startswith("no_lesion_seen: The U-Net calls too little of the marked region lesion")
    assert answer_routes(context(), {"hotspot": FakeRule()}).routes[0].probabilities is not None
    doubtful = FakeNetwork()  # it would answer by its own limit, but most of the region is no lesion to it
    doubtful.share = 0.15
    answers = answer_routes(context(), models(unet=doubtful))
    assert all(route.probabilities is None for route in answers.routes)
    assert answers.routes[2].explanation["lesion_share"] == 0.15


def test_routes_without_a_model():
    answers = answer_routes(context(), {"hotspot": FakeRule()})
    assert [route.decision for route in answers.routes] == ["metastasis", *["not_available"] * 3]
    assert answers.routes[1].reason.startswith("no_model")
    assert answers.routes[1].model is None


def test_embedded_weights_that_are_not_installed(monkeypatch):
    def missing(*_args, **_options):
        raise WeightsNotInstalledError("the weights of x are not part of this installation")

    monkeypatch.setattr("spinehub.models.loading.from_pretrained", missing)
    monkeypatch.setattr("spinehub.routes.pool._POOL", type(load_model.__globals__["_POOL"])())
    answers = answer_routes(context(), None)
    assert all(route.reason.startswith("weights_not_installed: ") for route in answers.routes)
    assert [route.model["id"] for route in answers.routes] == list(DEFAULT_MODELS.values())
    assert codes(answers) == ["weights_not_installed"]


def test_a_missing_folder_names_no_path():
    answers_models = {"radiomics": "/home/somebody/private/model"}
    with pytest.raises(ModelError, match="there is no model 'model'"):
        answer_routes(context(), answers_models)
    blocked = answer_routes(replace(context(), finding=None), answers_models)
    assert blocked.routes[1].model == {"id": "model", "sha256": None}


def test_facts_about_an_image():
    facts = acquisition_facts(context().image, context().timing)
    assert facts == pytest.approx(
        {
            "in_plane_mm": 1.2,
            "slice_mm": 4.5,
            "field_of_view_mm": 192.0,
            "slices": 12.0,
            "frame_interval_s": 10.0,
            "repetition_time_s": 0.005,
            "flip_angle_deg": 15.0,
            "field_strength_t": 1.5,
        }
    )
    assert set(facts) == set(DEFAULT_RANGES)
    assert "frame_interval_s" not in acquisition_facts(
        context(regime="pre_post").image, context(regime="pre_post").timing
    )


def test_a_model_may_state_its_own_ranges():
    narrow = FakeRadiomics(training={"acquisition": {"slices": [14, 16], "something_new": [0, 1]}})
    answers = answer_routes(context(), models(radiomics=narrow))
    assert "number of slices 12 (training: 14 to 16)" in answers.warnings[0].message
    assert unusual_acquisition(context().image, context().timing) == ()


def test_models_trained_on_measured_cases_alone_are_not_called_simulated():
    measured = {name: type(model)(training={"simulated_cases": 0}) for name, model in models().items()}
    assert codes(answer_routes(context(), measured)) == []
    assert codes(answer_routes(context(), measured | {"unet": FakeNetwork()})) == ["simulated_weights"]


def test_held_out_scores_prefer_the_end_to_end_figure_of_the_regime():
    score = held_out_score(EVALUATION, "dynamic")
    assert score == {
        "auc": 0.8,
        "accuracy": 0.75,
        "interval": [0.7, 0.9],
        "n": 50,
        "cohort": "matched",
        "regime": "dynamic",
        "mask_source": "end_to_end",
        "simulated": True,
    }
    assert held_out_score(EVALUATION, "single")["mask_source"] == "truth_mask"
    assert held_out_score(EVALUATION, "pre_post") is None
    assert held_out_score(None, "dynamic") is None
