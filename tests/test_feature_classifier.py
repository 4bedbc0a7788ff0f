"""The radiomics classifier: NumPy against scikit-learn, exact contributions, refusals, and what fitting leaves out."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from spinehub import metrics
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.features import FeatureRow, feature_names, settings_sha256
from spinehub.models.feature_classifier import RadiomicsClassifier, feature_in_words
from spinehub.models.feature_fitting import fit_linear_model, fit_radiomics
from spinehub.models.stability import repeatable_columns

NAMES = feature_names("dynamic")
IMAGES = ("shape", "peak_enhancement", "early_enhancement", "washout", "peak_frame")
MADE_WITH = {"settings_sha256": settings_sha256(), "not_computed": ""}


def cohort(n, seed, *, signal=1.5, missing=None):
    """Rows with six hidden causes, of which one differs between the classes; label, patient (two cases each).

    Columns come in 20 families of near copies, as radiomics features do, of which five belong to the wash-out.
    """
    rng = np.random.default_rng(seed)
    families = [15 + k % 5 if name.startswith("washout") else k % 15 for k, name in enumerate(NAMES)]
    mixing = np.random.default_rng(0).normal(size=(6, 20))[:, families]
    labels = np.arange(n) // 2 % 2
    causes = rng.normal(size=(n, 6))
    causes[:, 0] += signal * (labels - 0.5)
    table = causes @ mixing + 0.2 * rng.normal(size=(n, len(NAMES))) + 10
    if missing is not None:
        table[missing] = np.nan
    rows = [FeatureRow(NAMES, tuple(line), MADE_WITH) for line in table]
    return rows, labels, [f"patient {k // 2}" for k in range(n)]


@pytest.fixture(scope="module")
def training():
    return cohort(200, 1)


@pytest.fixture(scope="module")
def classifier(training):
    rows, labels, patients = training
    return fit_radiomics({"dynamic": rows, "single": rows}, labels, patients).classifier


def test_recovers_the_simulated_difference_and_is_calibrated(classifier, training):
    rows, labels, _ = cohort(600, 2)
    answers = [classifier.predict(row, "dynamic") for row in rows]
    probability = [answer.probabilities["primary_malignant"] for answer in answers]
    best = special.ndtr(1.5 / np.sqrt(2))  # AUC of the hidden cause itself: 0.856
    assert best - 0.06 < metrics.auc(labels, probability) < best + 0.04
    slope, intercept = metrics.calibration_slope_intercept(labels, probability)
    assert 0.6 < slope < 1.6
    assert abs(intercept) < 0.4
    decided = [a.decision for a in answers]
    assert set(decided) <= {"metastasis", "primary_malignant", "undecided"}
    notes = classifier.training["dynamic"]
    assert notes["rows_used"] == 200
    assert notes["columns_used"] <= notes["columns_stable"] <= notes["columns_complete"] == len(NAMES)
    assert notes["out_of_fold_auc"] == pytest.approx(metrics.auc(labels, probability), abs=0.08)


def test_numpy_equals_scikit_learn(training, classifier):
    rows, labels, _ = training
    model = classifier.models["dynamic"]
    table = np.array([row.select(model.names) for row in rows])
    held = np.clip((table - model.mean) / model.scale, -3, 3)
    oracle = LogisticRegression().fit(held, labels)
    oracle.coef_, oracle.intercept_ = model.coefficients[None], np.array([model.intercept])
    scores = [model.score(values) for values in table]
    np.testing.assert_allclose(scores, oracle.decision_function(held), atol=1e-10)
    np.testing.assert_allclose(model.mean, table.mean(axis=0))
    np.testing.assert_allclose(model.scale, table.std(axis=0))


def test_contributions_add_up_exactly_and_are_sorted(classifier, training):
    row = training[0][7]
    parts = classifier.contributions(row, "dynamic")
    total = classifier.starting_point(row, "dynamic") + sum(part.log_odds for part in parts)
    probability = classifier.predict(row, "dynamic").probabilities["primary_malignant"]
    assert total == pytest.approx(special.logit(probability), abs=1e-9)
    sizes = [abs(part.log_odds) for part in parts]
    assert sizes == sorted(sizes, reverse=True)
    first = parts[0]
    assert first.value == row.values[NAMES.index(first.feature)]
    side = "primary malignant tumour" if first.log_odds > 0 else "metastasis"
    assert f"speaks for {side}" in first.sentence
    assert first.sentence.startswith(feature_in_words(first.feature))


def test_one_wild_feature_cannot_outvote_the_others(classifier, training):
    row = training[0][7]
    name = classifier.models["dynamic"].names[0]
    answers = []
    for size in (1e3, 1e9):
        values = tuple(size if column == name else v for column, v in zip(NAMES, row.values, strict=True))
        wild = FeatureRow(NAMES, values, MADE_WITH)
        answers.append(classifier.predict(wild, "dynamic"))
        assert classifier.unusual(wild, "dynamic") != ()
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("washout__glcm_JointEntropy", "wash-out, GLCM joint entropy"),
        ("shape__Maximum3DDiameter", "shape, maximum 3D diameter"),
        ("peak_enhancement__firstorder_90Percentile", "peak enhancement, histogram 90 percentile"),
        ("early_enhancement__glcm_MCC", "early enhancement, GLCM MCC"),
        ("peak_frame__glcm_Imc1", "peak frame, GLCM imc 1"),
    ],
)
def test_names_in_words(name, words):
    assert feature_in_words(name) == words


def test_columns_are_found_by_name_not_by_position(classifier, training):
    row = training[0][0]
    order = np.random.default_rng(0).permutation(len(NAMES))
    shuffled = FeatureRow(tuple(NAMES[k] for k in order), tuple(row.values[k] for k in order), MADE_WITH)
    assert classifier.predict(shuffled, "dynamic") == classifier.predict(row, "dynamic")


def test_a_missing_needed_feature_is_named_and_others_do_not_matter(classifier, training):
    row = training[0][0]
    shared = set(classifier.without_washout.models["dynamic"].names)
    needed = next(name for name in classifier.models["dynamic"].names if name in shared)
    gap = tuple(np.nan if name == needed else value for name, value in zip(NAMES, row.values, strict=True))
    answer = classifier.predict(FeatureRow(NAMES, gap, MADE_WITH | {"not_computed": "washout: too short"}), "dynamic")
    assert (answer.probabilities, answer.decision) == (None, "not_available")
    assert answer.reason == f"the feature {needed} could not be computed (washout: too short)"
    used = classifier.models["dynamic"].names
    unused = tuple(value if name in used else np.nan for name, value in zip(NAMES, row.values, strict=True))
    only_needed = FeatureRow(NAMES, unused, MADE_WITH)
    assert classifier.predict(only_needed, "dynamic") == classifier.predict(row, "dynamic")
    assert "features that every training case has are missing" in classifier.unusual(only_needed, "dynamic")[0]


def without(row, *images):
    pairs = zip(row.names, row.values, strict=True)
    values = tuple(np.nan if name.startswith(tuple(f"{i}__" for i in images)) else value for name, value in pairs)
    return FeatureRow(row.names, values, MADE_WITH | {"not_computed": "washout: not available in this regime or scan"})


def test_a_scan_too_short_for_the_washout_is_judged_without_it(classifier, training):
    short = without(training[0][0], "washout")
    assert any(name.startswith("washout__") for name in classifier.models["dynamic"].names)
    answer = classifier.predict(short, "dynamic")
    assert answer == classifier.without_washout.predict(short, "dynamic")
    assert answer.probabilities is not None
    parts = classifier.contributions(short, "dynamic")
    assert not any(part.feature.startswith("washout__") for part in parts)
    total = classifier.starting_point(short, "dynamic") + sum(part.log_odds for part in parts)
    assert total == pytest.approx(special.logit(answer.probabilities["primary_malignant"]), abs=1e-9)
    assert classifier.unusual(short, "dynamic") == ()
    nothing = classifier.predict(without(training[0][0], *IMAGES), "dynamic")
    assert nothing.decision == "not_available"
    assert "washout: not available" in nothing.reason


def test_fitting_sets_aside_rows_without_an_image_and_keeps_its_columns():
    rows, labels, patients = cohort(120, 8)
    rows = [without(row, "washout") if k % 6 == 0 else row for k, row in enumerate(rows)]
    fit = fit_linear_model(rows, labels, patients, "dynamic")
    assert fit.notes["rows_used"] == 100
    assert fit.notes["columns_complete"] == len(NAMES)
    assert np.isnan(fit.log_odds[::6]).all()


def test_other_settings_and_other_regimes_get_no_answer(classifier, training):
    row = dataclasses.replace(training[0][0], provenance={"settings_sha256": "another"})
    assert "other settings" in classifier.predict(row, "dynamic").reason
    assert "not trained for the regime pre_post" in classifier.predict(training[0][0], "pre_post").reason
    assert classifier.unusual(row, "dynamic") == ()
    with pytest.raises(ModelError, match="no answer to explain"):
        classifier.contributions(row, "dynamic")


def test_unusual_rows_are_named(classifier, training):
    fresh = cohort(400, 9)[0]
    assert np.mean([not classifier.unusual(row, "dynamic") for row in fresh]) > 0.95
    far = dataclasses.replace(training[0][0], values=tuple(1e3 * np.asarray(training[0][0].values)))
    assert "lie outside the range of the training cases" in classifier.unusual(far, "dynamic")[0]


def test_safetensors_and_json_round_trip(classifier, training, tmp_path):
    from safetensors.numpy import load_file, save_file

    save_file(classifier.tensors(), tmp_path / "model.safetensors")
    config = json.loads(json.dumps(classifier.to_config()))
    again = RadiomicsClassifier.from_config(config, load_file(tmp_path / "model.safetensors"))
    row = training[0][3]
    assert again.predict(row, "single") == classifier.predict(row, "single")
    assert again.contributions(row, "dynamic") == classifier.contributions(row, "dynamic")
    assert again.thresholds == classifier.thresholds
    assert set(again.domain) == {"dynamic", "single"}
    assert again.to_config() == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config, arrays: config["spinehub"].update(kind="other"), "must be of kind"),
        (lambda config, arrays: config["spinehub"].update(format_version=99), "format version"),
        (lambda config, arrays: config["spinehub"].pop("regimes"), "lack 'regimes'"),
        (lambda config, arrays: arrays.pop("dynamic.mean"), "lack 'dynamic.mean'"),
        (lambda config, arrays: config["spinehub"]["regimes"]["dynamic"]["features"].pop(), "one per feature name"),
        (lambda config, arrays: arrays.update({"dynamic.scale": arrays["dynamic.scale"] * 0}), "above 0"),
    ],
)
def test_broken_files_are_refused(classifier, change, message):
    config, arrays = json.loads(json.dumps(classifier.to_config())), classifier.tensors()
    change(config, arrays)
    with pytest.raises(ModelError, match=message):
        RadiomicsClassifier.from_config(config, arrays)


def test_fitting_drops_missing_constant_and_repeated_columns():
    rows, labels, patients = cohort(120, 3)
    table = np.array([row.values for row in rows])
    table[:, 0] = 5.0  # constant
    table[:, 1] = np.random.default_rng(1).normal(size=120) + labels
    table[:, 2] = np.exp(table[:, 1] / 100)  # a monotone function of column 1
    table[:20, 3] = np.nan  # too often missing: the column goes
    table[0, 4] = np.nan  # once: the row goes
    rows = [FeatureRow(NAMES, tuple(line), MADE_WITH) for line in table]
    fit = fit_linear_model(rows, labels, patients, "dynamic")
    assert not {NAMES[0], NAMES[2], NAMES[3]} & set(fit.model.names)
    assert fit.notes["rows_used"] == 119
    assert np.isnan(fit.log_odds[0])
    assert np.isfinite(fit.log_odds[1:]).all()


def test_fitting_uses_the_columns_of_the_regime_only():
    rows, labels, patients = cohort(120, 4)
    fit = fit_linear_model(rows, labels, patients, "single")
    assert set(fit.model.names) <= set(feature_names("single"))


def test_nothing_to_learn_gives_chance_and_no_error():
    rows, labels, patients = cohort(120, 5, signal=0.0)
    classifier = fit_radiomics({"single": rows}, labels, patients).classifier
    assert 0.3 < classifier.training["single"]["out_of_fold_auc"] < 0.7
    answer = classifier.predict(rows[0], "single")
    assert 0.1 < answer.probabilities["metastasis"] < 0.9
    assert classifier.unusual(rows[0], "single") == () or len(classifier.models["single"].names) > 0


def test_patients_never_sit_on_both_sides_of_a_fold():
    # Each patient has a mark of its own and a random label: only leaking patients could be told apart.
    rng = np.random.default_rng(0)
    marks = rng.normal(size=(40, 20))[:, np.arange(len(NAMES)) % 20]
    labels = rng.permutation(np.repeat([0, 1], 20))
    rows = [FeatureRow(NAMES, tuple(marks[k // 4] + 0.01 * rng.normal(size=len(NAMES))), MADE_WITH) for k in range(160)]
    fit = fit_linear_model(rows, np.repeat(labels, 4), [k // 4 for k in range(160)], "single")
    assert 0.2 < fit.notes["out_of_fold_auc"] < 0.8


def test_fitting_refusals():
    rows, labels, patients = cohort(40, 6)
    with pytest.raises(InvalidArgumentError, match="one entry per case"):
        fit_linear_model(rows, labels[:-1], patients, "dynamic")
    with pytest.raises(InvalidArgumentError, match="5 patients of each class"):
        fit_linear_model(rows, labels, np.where(labels == 1, "one", patients), "dynamic")
    mixed = [dataclasses.replace(rows[0], provenance={"settings_sha256": "x"}), *rows[1:]]
    with pytest.raises(InvalidArgumentError, match="one version of the settings"):
        fit_radiomics({"dynamic": mixed}, labels, patients)


def test_a_saved_classifier_loads_as_itself(classifier, training, tmp_path):
    classifier.save_pretrained(tmp_path / "radiomics")
    again = RadiomicsClassifier.from_pretrained(tmp_path / "radiomics")
    row = training[0][11]
    assert again.predict(row, "dynamic") == classifier.predict(row, "dynamic")
    assert again.model_id == "radiomics"
    assert len(again.sha256) == 64


def test_features_that_change_with_the_click_are_dropped(training):
    rows, labels, patients = training
    rng = np.random.default_rng(5)
    shaky = [k for k, name in enumerate(NAMES) if name.startswith("peak_frame")]
    repeats = []
    for k, row in enumerate(rows):
        values = np.array(row.values) + 0.05 * rng.normal(size=len(NAMES))
        values[shaky] = 10 + rng.normal(size=len(shaky))  # as wide as between lesions, and nothing to do with the first
        repeats.append(FeatureRow(NAMES, tuple(values), MADE_WITH) if k % 4 == 0 else None)
    plain = fit_linear_model(rows, labels, patients, "dynamic")
    fit = fit_linear_model(rows, labels, patients, "dynamic", repeats=repeats)
    assert fit.notes["cases_clicked_again"] == 50
    assert fit.notes["columns_repeatable"] == len(NAMES) - len(shaky)
    assert plain.notes["columns_repeatable"] == len(NAMES)
    assert not any(name.startswith("peak_frame") for name in fit.model.names)
    words = fit.notes["in_words"]
    assert len(words) == len(fit.model.names)
    largest = int(np.argmax(np.abs(fit.model.coefficients)))
    side = "primary malignant tumour" if fit.model.coefficients[largest] > 0 else "metastasis"
    assert words[0].startswith(f"a standard deviation more of {feature_in_words(fit.model.names[largest])} speaks for")
    assert side in words[0]


def test_few_repeats_say_nothing():
    columns = np.arange(3)
    kept, count = repeatable_columns(np.zeros((30, 3)), columns, [np.ones(3)] * 19 + [None] * 11)
    assert (kept.tolist(), count) == ([0, 1, 2], 19)
    assert repeatable_columns(np.zeros((30, 3)), columns, None)[1] == 0
