"""The two-parameter rule: the walk against scikit-learn, abstention outside its protocol, words, JSON."""

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import special
from sklearn.tree import DecisionTreeClassifier

from spinehub import metrics
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models.calibration import Calibration, RegimeCalibration
from spinehub.models.hotspot import HotspotRule, Node
from spinehub.models.hotspot_fitting import fit_rule
from spinehub.models.protocol import ProtocolRange
from spinehub.series import Protocol

PROTOCOL = Protocol(0.004, 0.0015, 12.0, 1.5)
FITTED = ProtocolRange((0.003, 0.006), (10.0, 15.0), (5.0, 15.0), (1.5, 3.0))
PLAIN = Calibration({"dynamic": RegimeCalibration(1.0, 0.0, (0.4, 0.4), (100, 100))}, 0.9)
# Lang 2019's tree: wash-out at -6.6 %, then wash-in at 98 %; 100 cases of either class
TREE = (
    Node((100, 100), "washout", -6.6, 1, 2),
    Node((60, 20)),
    Node((40, 80), "early_enhancement", 98.0, 3, 4),
    Node((30, 10)),
    Node((10, 70)),
)


@pytest.fixture
def rule():
    return HotspotRule(TREE, PLAIN, FITTED, {"early_enhancement": (20.0, 300.0), "washout": (-50.0, 60.0)})


def ask(rule, early, washout, protocol=PROTOCOL, interval=10.0):
    return rule.predict(early, washout, protocol=protocol, frame_interval_s=interval)


def cohort(n, seed):
    """Wash-out differs by 1.2 SD between the classes; two cases per patient."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) // 2 % 2
    washout = rng.normal(-5 + 12 * labels, 10)
    early = rng.normal(120 - 10 * labels, 40)
    return early, washout, labels, [k // 2 for k in range(n)]


def fit(n=400, seed=0, **changes):
    early, washout, labels, patients = cohort(n, seed)
    options = {"protocols": [PROTOCOL] * n, "frame_intervals_s": [10.0] * n} | changes
    return fit_rule(early, washout, labels, patients, **options)


def test_the_walk_and_its_words(rule):
    assert rule.walk(120.0, -10.0) == (0, 1)
    assert rule.path(120.0, -10.0) == ("wash-out -10 % ≤ -6.6 %",)
    assert rule.path(112.0, 3.0) == ("wash-out 3 % > -6.6 %", "early enhancement 112 % > 98 %")
    assert rule.walk(98.0, -6.6) == (0, 1)  # a value on the threshold is not above it
    assert rule.path(98.0, 0.0)[1] == "early enhancement 98 % ≤ 98 %"


def test_leaf_probability_is_laplace_smoothed_with_equal_priors(rule):
    answer = ask(rule, 120.0, 0.0)
    metastasis, primary = (10 + 1) / 102, (70 + 1) / 102
    assert answer.probabilities["primary_malignant"] == pytest.approx(primary / (metastasis + primary))
    assert answer.decision == "primary_malignant"
    assert ask(rule, 120.0, -10.0).decision == "metastasis"
    uneven = dataclasses.replace(rule, tree=(Node((300, 100), "washout", 0.0, 1, 2), Node((200, 20)), Node((100, 80))))
    metastasis, primary = (100 + 1) / 302, (80 + 1) / 102
    assert special.expit(uneven.score(100.0, 5.0)) == pytest.approx(primary / (metastasis + primary))


def test_a_missing_parameter_gets_no_answer(rule):
    answer = ask(rule, None, 3.0)
    assert (answer.probabilities, answer.decision) == (None, "not_available")
    assert (
        answer.reason == "the rule needs both parameters of the hot spot, and early enhancement could not be measured"
    )
    assert "early enhancement and wash-out" in ask(rule, math.nan, None).reason


@pytest.mark.parametrize(
    ("protocol", "interval", "reason"),
    [
        (Protocol(), None, "does not say its repetition time or flip angle or field strength or frame interval"),
        (Protocol(0.004, None, 12.0, None), 10.0, "does not say its field strength"),
        (Protocol(0.012, None, 12.0, 1.5), 10.0, "repetition time of 3 to 6 ms, this series has 12 ms"),
        (Protocol(0.004, None, 30.0, 1.5), 10.0, "flip angle of 10 to 15 degrees, this series has 30 degrees"),
        (Protocol(0.004, None, 12.0, 2.2), 10.0, r"field strength of 1\.5 or 3 T, this series has 2\.2 T"),
        (Protocol(0.004, None, 12.0, 3.0), 30.0, "frame interval of 5 to 15 s, this series has 30 s"),
    ],
)
def test_abstains_outside_its_protocol_or_where_it_is_unknown(rule, protocol, interval, reason):
    answer = ask(rule, 100.0, 0.0, protocol, interval)
    assert answer.decision == "not_available"
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(answer.reason)


@pytest.mark.parametrize("protocol", [Protocol(0.00302, None, 10.0, 1.49), Protocol(0.006, None, 15.1, 2.89)])
def test_answers_inside_its_protocol(rule, protocol):
    assert ask(rule, 100.0, 0.0, protocol, 5.0).reason is None


def test_unusual_parameters_are_named(rule):
    assert rule.unusual(100.0, 0.0) == ()
    assert rule.unusual(500.0, 0.0) == ("early enhancement 500 % lies outside the 20 to 300 % of the training cases",)


def test_nodes_for_drawing(rule):
    drawn = rule.nodes()
    assert [node["depth"] for node in drawn] == [0, 1, 1, 2, 2]
    assert [node["parent"] for node in drawn] == [None, 0, 0, 2, 2]
    assert drawn[2]["question"] == "early enhancement > 98 %"
    assert drawn[4]["question"] is None
    assert drawn[4]["cases"] == {"metastasis": 10, "primary_malignant": 70}
    assert drawn[4]["primary_malignant"] == ask(rule, 120.0, 0.0).probabilities["primary_malignant"]
    assert drawn[0]["primary_malignant"] == pytest.approx(0.5)


def test_fitting_finds_the_difference_and_is_calibrated():
    fitted = fit()
    early, washout, labels, _ = cohort(2000, 9)
    probability = [
        ask(fitted.rule, *pair).probabilities["primary_malignant"] for pair in zip(early, washout, strict=True)
    ]
    best = special.ndtr(math.sqrt(1.2**2 + 0.25**2) / math.sqrt(2))  # AUC of the best linear score: 0.807
    assert best - 0.08 < metrics.auc(labels, probability) < best + 0.02
    slope, intercept = metrics.calibration_slope_intercept(labels, probability)
    assert 0.7 < slope < 1.4
    assert abs(intercept) < 0.3
    assert fitted.rule.tree[0].parameter == "washout"
    assert fitted.rule.training["depth"] in (1, 2, 3)
    assert min(sum(node.cases) for node in fitted.rule.tree) >= 20


def test_numpy_equals_scikit_learn():
    fitted = fit(seed=3)
    early, washout, labels, _ = cohort(400, 3)
    oracle = DecisionTreeClassifier(
        max_depth=fitted.rule.training["depth"], min_samples_leaf=20, class_weight="balanced", random_state=0
    ).fit(np.column_stack([early, washout]), labels)
    fresh = np.column_stack(cohort(300, 4)[:2])
    assert [fitted.rule.walk(*pair)[-1] for pair in fresh] == oracle.apply(fresh).tolist()
    shares = [fitted.rule.tree[k].cases[1] / sum(fitted.rule.tree[k].cases) for k in oracle.apply(fresh)]
    np.testing.assert_allclose(shares, oracle.predict_proba(fresh)[:, 1])


def test_nothing_to_learn_gives_chance():
    early, washout, labels, patients = cohort(200, 5)
    options = {"protocols": [PROTOCOL] * 200, "frame_intervals_s": [10.0] * 200}
    fitted = fit_rule(early, np.random.default_rng(0).permutation(washout), labels, patients, **options)
    assert 0.3 < fitted.rule.training["out_of_fold_auc"] < 0.7


def test_cases_without_parameters_are_left_out():
    early, washout, labels, patients = cohort(200, 6)
    washout[:10] = np.nan
    options = {"protocols": [PROTOCOL] * 200, "frame_intervals_s": [10.0] * 200}
    fitted = fit_rule(early, washout, labels, patients, **options)
    assert np.isnan(fitted.log_odds[:10]).all()
    assert np.isfinite(fitted.log_odds[10:]).all()
    assert fitted.rule.training["rows_used"] == 190


def test_the_protocol_range_is_that_of_the_training_series():
    others = [Protocol(0.005, None, 15.0, 3.0)] * 200 + [PROTOCOL] * 200
    fitted = fit(protocols=others, frame_intervals_s=[8.0] * 200 + [12.0] * 200)
    assert fitted.rule.domain == ProtocolRange((0.004, 0.005), (12.0, 15.0), (8.0, 12.0), (1.5, 3.0))


def test_json_round_trip():
    rule = fit().rule
    config = json.loads(json.dumps(rule.to_config(), allow_nan=False))
    again = HotspotRule.from_config(config, rule.tensors())
    assert again.tree == rule.tree
    assert again.to_config() == config
    assert ask(again, 110.0, 2.0) == ask(rule, 110.0, 2.0)
    assert again.thresholds == rule.thresholds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.update(kind="other"), "must be of kind"),
        (lambda config: config.pop("tree"), "not as it was written"),
        (lambda config: config["tree"][0].update(surprise=1), "not as it was written"),
        (lambda config: config["tree"][0].update(below=0), "two later nodes"),
        (lambda config: config["tree"][0].update(parameter="age"), "ask about one of"),
        (lambda config: config.update(tree=[]), "at least one node"),
        (lambda config: config["protocol"].pop("flip_angle_deg"), "not as it was written"),
    ],
)
def test_broken_configs_are_refused(rule, change, message):
    config = json.loads(json.dumps(rule.to_config()))
    change(config["spinehub"])
    with pytest.raises(ModelError, match=message):
        HotspotRule.from_config(config, {})


def test_refusals(rule):
    with pytest.raises(InvalidArgumentError, match="finite numbers in %"):
        rule.walk(math.nan, 0.0)
    with pytest.raises(InvalidArgumentError, match="one entry per case"):
        fit(protocols=[PROTOCOL])
    with pytest.raises(InvalidArgumentError, match="40 cases with both parameters"):
        fit(n=30)
    with pytest.raises(InvalidArgumentError, match="of every training series"):
        fit(protocols=[Protocol()] * 400)


def test_a_saved_rule_loads_as_itself(rule, tmp_path):
    rule.save_pretrained(tmp_path / "rule")
    again = HotspotRule.from_pretrained(tmp_path / "rule")
    assert again.to_config() == rule.to_config()
    assert again.model_id == "rule"
    assert len(again.sha256) == 64
