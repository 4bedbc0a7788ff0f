"""Four answers in every situation, with small models that say what they are told to."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from spinehub.errors import ModelError
from spinehub.features import FeatureRow
from spinehub.models import WeightsNotInstalledError
from spinehub.perfusion import HotSpot, Parameter, Timing
from spinehub.report import ROUTES, Finding, measure
from spinehub.routes import (
    DEFAULT_MODELS,
    DEFAULT_RANGES,
    RouteContext,
    acquisition_facts,
    answer_routes,
    held_out_score,
    lesion_enhances,
    load_model,
    unusual_acquisition,
)
from spinehub.series import Curve, DynamicSeries, Protocol
from spinehub.volume import Grid, Mask, Volume

SAGITTAL = np.array([[0, 0, 4.5, 0], [-1.2, 0, 0, 90], [0, -1.2, 0, 90], [0, 0, 0, 1.0]])
SHAPE = (160, 160, 12)


def figure(value, low, high) -> dict:
    return {"value": value, "low": low, "high": high}


EVALUATION = {
    "cohort": {"name": "matched"},
    "regimes": {
        "dynamic": {
            "truth_mask": {"n": 50, "auc": figure(0.9, 0.8, 0.95), "accuracy": figure(0.8, 0.7, 0.9)},
            "end_to_end": {"n": 50, "auc": figure(0.8, 0.7, 0.9), "accuracy": figure(0.75, 0.6, 0.8)},
        },
        "single": {
            "end_to_end": {"n": 50, "auc": figure(None, None, None)},
            "truth_mask": {"n": 50, "auc": figure(0.6, 0.5, 0.7)},
        },
    },
}


@dataclass
class Said:
    probabilities: dict | None
    decision: str
    reason: str | None = None


SURE = Said({"metastasis": 0.9, "primary_malignant": 0.1}, "metastasis")
TORN = Said({"metastasis": 0.5, "primary_malignant": 0.5}, "undecided")


@dataclass
class FakeModel:
    """Stands for any of the four models."""

    says: Said = field(default_factory=lambda: SURE)
    strange: tuple[str, ...] = ()
    training: dict = field(default_factory=dict)
    evaluation: dict | None = None
    model_id: str = "fake"
    sha256: str = "abc"
    calls: list = field(default_factory=list)

    def path(self, early, washout):
        return (f"early enhancement {early:g} % > 60 %",)

    def contributions(self, row, regime):
        return (SimpleNamespace(feature="washout__glcm_Contrast", log_odds=-1.5),)

    def unusual(self, *_):
        return self.strange


class FakeRule(FakeModel):
    def predict(self, early, washout, *, protocol, frame_interval_s):
        self.calls.append((early, washout, protocol, frame_interval_s))
        return self.says


class FakeRadiomics(FakeModel):
    def predict(self, row, regime):
        self.calls.append(regime)
        return self.says


class FakeNetwork(FakeModel):
    share = 0.8
    least_lesion_share = 0.1

    def predict(self, image, mask, *, timing, maps):
        softmax = np.zeros((1, 3, 2, 2), np.float32)
        softmax[:, 0], softmax[:, 1], softmax[:, 2] = 0.2, 0.6, 0.2
        stack = SimpleNamespace(to_grid=lambda values, grid: np.full(grid.shape, values.max(), np.float32))
        return SimpleNamespace(
            answer=self.says, unusual=self.strange, stack=stack, softmax=softmax, lesion_share=self.share
        )


def models(**changed) -> dict:
    made = {
        "hotspot": FakeRule(),
        "radiomics": FakeRadiomics(),
        "unet": FakeNetwork(),
        "inception_resnet": FakeNetwork(),
    }
    return made | changed


def context(*, enhances=True, regime="dynamic", shape=SHAPE, affine=SAGITTAL) -> RouteContext:
    grid = Grid(shape, affine)
    voxels = np.zeros(shape, bool)
    voxels[10:16, 10:16, 2:4] = True
    mask = Mask(voxels, grid)
    times = np.arange(4) * 10.0
    frames = np.zeros((*shape, 4), np.float32)
    protocol = Protocol(0.005, 0.002, 15.0, 1.5)
    image = DynamicSeries(frames, grid, times, protocol=protocol)
    timing = Timing("dynamic", 5.0, 5.0, 1, 30.0, True)
    values = np.array([0.0, 10, 60, 80]) if enhances else np.zeros(4)
    curve = Curve(100 + values, values, values, values, times, mask)
    parameters = {"early_enhancement": Parameter(70.0, 5.0, "%"), "washout": Parameter(-12.0, 3.0, "%")}
    spot = HotSpot(mask, 2, curve, 3 if enhances else 0, enhances)
    if regime != "dynamic":
        reason = Parameter(None, None, "%", "timing_missing: The frame times are not known.")
        parameters = {"early_enhancement": reason, "washout": reason}
        image = image.without_times()
        timing = Timing("pre_post", None, None, 1, None, True, ("The frame times are not known.",))
    if regime == "single":
        image, spot = Volume(frames[..., 3], grid), None
        timing = Timing("single", None, None, 0, None, None, ("One volume.",))
    row = FeatureRow(("shape__Sphericity",), (0.5,), {})
    return RouteContext(image, timing, {}, Finding(mask, measure(mask), curve, spot, parameters, row))


def codes(answers) -> list[str]:
    return [warning.code for warning in answers.warnings]


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


def at_chance(regime: str, low: float, answered: int, **more) -> dict:
    scores = {"n": 100, "n_answered": answered, "auc": figure(0.57, low, 0.71), "accuracy": figure(0.55, 0.4, 0.7)}
    return {"cohort": {"name": "matched"}, "regimes": {regime: {"end_to_end": scores}}, **more}


def test_a_route_that_was_no_better_than_a_coin_on_such_input_gives_no_answer():
    evaluation = at_chance("dynamic", 0.41, 53)
    silent = FakeRadiomics(evaluation=evaluation)
    answers = answer_routes(context(), models(radiomics=silent))
    assert [route.probabilities is None for route in answers.routes] == [False, True, False, False]
    route = answers.routes[1]
    assert route.decision == "not_available"
    assert not route.explanation
    assert route.held_out["auc"] == 0.57
    assert route.reason == (
        "no_better_than_chance: On a timed series this method was not found better than a coin (AUC 0.57, 0.41 to "
        "0.71, 53 simulated patients), so it gives no answer."
    )
    said = answer_routes(context(), models(radiomics=silent), evaluating=True).routes[1]
    assert said.probabilities is not None, "an evaluation must see what it scores"


@pytest.mark.parametrize(
    ("evaluation", "why"),
    [
        (None, "never evaluated"),
        (at_chance("dynamic", 0.51, 53), "better than a coin"),
        (at_chance("dynamic", 0.41, 49), "too few to tell"),
        (at_chance("single", 0.41, 53), "on other input"),
    ],
)
def test_a_route_answers_unless_it_was_shown_to_be_at_chance(evaluation, why):
    answers = answer_routes(context(), models(radiomics=FakeRadiomics(evaluation=evaluation)))
    assert answers.routes[1].probabilities is not None, why


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
