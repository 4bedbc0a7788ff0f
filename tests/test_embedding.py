"""embed() + logistic regression: what it learns, what it refuses, and its file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from phantoms import ball_case
from safetensors.numpy import save_file

from spinehub.dataset import PreparationPlan, prepare_cohort
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec
from spinehub.metrics import auc
from spinehub.models import LesionSegmenter, from_pretrained
from spinehub.models.embedding import EmbeddingModel, Line
from spinehub.models.embedding_fitting import fit_embedding
from spinehub.training import train_embedding

ACTIVATIONS = 30


def held_out(count: int, shift: float, seed: int = 0) -> tuple[Any, ...]:
    """Activations of which only the third tells the classes apart, by `shift` standard deviations, in two regimes."""
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], count // 2)
    tables = []
    for scale in (1.0, 100.0):  # another regime has another scale
        table = rng.normal(5.0, 1.0, (count, ACTIVATIONS))
        table[:, 2] += shift * labels
        tables.append(scale * table)
    patients = [f"patient-{k // 2 * 2 + k % 2}" for k in range(count)] * 2
    return np.concatenate(tables), np.tile(labels, 2), ["dynamic"] * count + ["single"] * count, patients


@pytest.fixture(scope="module")
def model() -> EmbeddingModel:
    return fit_embedding(*held_out(80, 4.0), route="unet", network_sha256="aa")


def test_it_finds_the_activation_that_tells_the_classes_apart(model: EmbeddingModel) -> None:
    table, labels, regimes, _ = held_out(60, 4.0, seed=1)
    for regime in ("dynamic", "single"):
        rows = np.array(regimes) == regime
        answers = [model.predict(row, regime) for row in table[rows]]
        shares = [answer.probabilities["primary_malignant"] for answer in answers if answer.probabilities is not None]
        assert auc(labels[rows], shares) > 0.95
        assert np.argmax(np.abs(model.lines[regime].coefficients)) == 2
        assert model.training[regime]["out_of_fold_auc"] > 0.9


def test_noise_is_not_learned() -> None:
    model = fit_embedding(*held_out(80, 0.0), route="unet", network_sha256="aa")
    table, labels, _, _ = held_out(200, 0.0, seed=2)
    shares = [model.predict(row, "dynamic").probabilities["primary_malignant"] for row in table[:200]]  # type: ignore[index]
    assert abs(auc(labels[:200], shares) - 0.5) < 0.12
    assert max(abs(share - 0.5) for share in shares) < 0.35  # nothing was found, so nothing is claimed


def test_the_score_by_hand() -> None:
    line = Line(np.array([2.0, -1.0]), np.array([1.0, 3.0]), np.array([0.5, 2.0]), 0.25)
    assert line.score([2.0, 1.0]) == pytest.approx(0.25 + 2.0 * 2.0 + 1.0)
    with pytest.raises(ModelError, match="must hold 2 numbers"):
        line.score([1.0])
    with pytest.raises(ModelError, match="scale"):
        Line(np.ones(2), np.ones(2), np.zeros(2), 0.0)


def test_the_file_holds_all_of_it(model: EmbeddingModel, tmp_path: Path) -> None:
    loaded = EmbeddingModel.load(model.save(tmp_path / "stacked" / "embedding-unet.safetensors"))
    row = held_out(20, 4.0)[0][0]
    assert loaded.predict(row, "dynamic") == model.predict(row, "dynamic")
    assert (loaded.route, loaded.network_sha256, loaded.training) == ("unet", "aa", model.training)
    assert len(loaded.sha256) == 64
    assert model.predict(row, "pre_post").reason == "the embedding was not fitted for the regime pre_post"


def test_another_network_or_another_file_is_refused(model: EmbeddingModel, tmp_path: Path) -> None:
    class Other:
        sha256 = "bb"

    with pytest.raises(ModelError, match="fitted on another network"):
        model.require_network(Other())
    save_file({"a": np.ones(2)}, tmp_path / "weights.safetensors")
    for name, content in (("weights.safetensors", None), ("text.safetensors", b"no tensors"), ("absent", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match="is no embedding model of spinehub"):
            EmbeddingModel.load(tmp_path / name)


def test_too_few_cases_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="at least 20 cases"):
        fit_embedding(*held_out(18, 4.0), route="unet", network_sha256="aa")
    table, labels, regimes, patients = held_out(20, 4.0)
    with pytest.raises(InvalidArgumentError, match="one row per label"):
        fit_embedding(table[:-1], labels, regimes, patients, route="unet", network_sha256="aa")


def test_it_is_fitted_on_what_the_training_held_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = PreprocessingSpec(size=16, spacing_mm=3.0)
    network = LesionSegmenter.create(spec, encoder_name="tu-resnet10t", encoder_depth=3, decoder_channels=[16, 8, 8])
    network.training = {"simulated": {"seed": [1]}, "simulated_cases": 30, "cases": 30}
    folder = network.save_pretrained(tmp_path / "unet")
    cases = [ball_case(number) for number in range(24)]
    prepare_cohort(cases, PreparationPlan({"unet": spec}), tmp_path / "prepared", workers=1)
    names = [case.case_id for case in cases]
    split = {"training": ["never looked at"], "validation": names[:4], "calibration": names[4:]}
    with pytest.raises(InvalidArgumentError, match=r"must hold training/split\.json.*name cases it never saw"):
        train_embedding("unet", folder, tmp_path / "stacked", prepared=tmp_path / "prepared")
    (folder / "training").mkdir()
    (folder / "training" / "split.json").write_text(json.dumps(split))
    path = train_embedding("unet", folder, tmp_path / "stacked", prepared=tmp_path / "prepared")
    assert path.name == "embedding-unet.safetensors"
    fitted = EmbeddingModel.load(path)
    assert fitted.network_sha256 == from_pretrained(folder).sha256
    assert fitted.training["simulated"] == {"seed": [1]}  # so that its own cases are refused when it is judged
    for regime in fitted.lines:
        assert fitted.training[regime]["cases"] == 24
    # A primary tumour's ball takes up more, which even an untrained network passes on.
    assert fitted.training["dynamic"]["out_of_fold_auc"] > 0.9
    _simulate(tmp_path / "prepared", names, seed=7)
    given = {"prepared": tmp_path / "prepared", "cases": names}
    beside = EmbeddingModel.load(train_embedding("unet", folder, tmp_path / "beside", **given))  # type: ignore[arg-type]
    assert beside.lines["dynamic"].coefficients == pytest.approx(fitted.lines["dynamic"].coefficients)
    assert beside.training["simulated"]["seed"] == [1, 7]  # the network's, and that of what the row was fitted on
    assert (beside.training["cases"], beside.training["simulated_cases"]) == (24, 54)


def _simulate(prepared: Path, names: list[str], seed: int) -> None:
    """Make prepared cases look like those of a simulated cohort."""
    recipe = {"version": "2.0", "seed": seed, "cohort": "matched", "kinetics": "medium"}
    for name in names:
        path = prepared / name / "case.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "recipe": recipe}))
