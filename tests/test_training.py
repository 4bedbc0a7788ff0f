"""Training: losses by hand, a budget that is kept, checkpoints that resume, model folders that load."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from phantoms import ball_case

from spinehub.case import DIAGNOSES
from spinehub.dataset import REGIMES, PreparedCase, read_prepared
from spinehub.errors import InvalidArgumentError
from spinehub.features import feature_names
from spinehub.inputs import PreprocessingSpec
from spinehub.io import CohortRow, read_cohort, write_case, write_cohort_table
from spinehub.models import HotspotRule, LesionClassifier, LesionSegmenter, from_pretrained
from spinehub.series import Protocol
from spinehub.training import TrainingPlan, train_route
from spinehub.training.loop import Job, fit
from spinehub.training.record import read_log
from spinehub.training.segmenter import segmenter_losses
from spinehub.training.small import train_radiomics, train_rule

SPEC = PreprocessingSpec(size=32)
TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(8):
        case = ball_case(number)
        write_case(case, folder / case.case_id)
        files = (folder / case.case_id / name for name in ("series.nii.gz", "lesion.nii.gz"))
        rows.append(CohortRow(case.case_id, case.patient_id, *files, DIAGNOSES[number % 2]))
    write_cohort_table(rows, folder)
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="module")
def trained(cohort: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("unet")
    plan = TrainingPlan.of("unet", steps=60, batch=4, evaluations=3)
    return train_route(
        "unet", cohort, output, plan=plan, workers=1, prepared=prepared, spec=SPEC, architecture=TINY,
        progress=lambda *_: None,
    )  # fmt: skip


def test_losses_by_hand() -> None:
    labels = torch.tensor([[[0, 1], [2, 0]]])
    perfect = 50.0 * torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    even = torch.tensor([0.5])
    losses = segmenter_losses(perfect, labels, even)
    assert float(losses["cross_entropy"]) == pytest.approx(0.0, abs=1e-6)
    assert float(losses["dice_loss"]) == pytest.approx(0.0, abs=1e-6)
    flat = segmenter_losses(torch.zeros(1, 3, 2, 2), labels, even)
    assert float(flat["cross_entropy"]) == pytest.approx(np.log(3))
    assert float(flat["dice_loss"]) == pytest.approx(1 - (2 * 2 * 2 / 3 + 1) / (4 * 2 / 3 + 2 + 1))
    assert float(flat["diagnosis_loss"]) == pytest.approx(np.log(2))
    # Two lesion pixels of one class, logits 3 and 1 for it: the lesion's logit is their mean.
    same = torch.tensor([[[0, 1], [1, 0]]])
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 1, 0, 1], logits[0, 1, 1, 0] = 3.0, 1.0
    right, wrong = -np.log(1 / (1 + np.exp(-2.0))), -np.log(1 / (1 + np.exp(2.0)))
    for asked in (0.0, 0.2, 1.0):
        losses = segmenter_losses(logits, same, torch.tensor([asked]))
        assert float(losses["diagnosis_loss"]) == pytest.approx((1 - asked) * right + asked * wrong, rel=1e-5)
    empty = segmenter_losses(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long), even)
    assert float(empty["diagnosis_loss"]) == 0.0


def test_a_trained_segmenter_has_learned_and_loads(trained: Path, cohort: Path) -> None:
    model = from_pretrained(trained)
    assert isinstance(model, LesionSegmenter)
    assert model.spec == SPEC
    assert set(model.calibration.regimes) == set(REGIMES)
    lines = [line for line in read_log(trained / "training" / "log.jsonl") if "loss" in line]
    assert lines[-1]["loss"] < 0.7 * lines[0]["loss"]
    record = model.training
    assert record["fit"]["steps"] == 60
    assert record["fit"]["samples"] == 240
    assert record["cases"] == 8
    assert record["simulated_cases"] == 0
    assert record["acquisition"]["frame_interval_s"] == [20.0, 20.0]
    split = json.loads((trained / "training" / "split.json").read_text())
    assert sorted(case for part in split.values() for case in part) == [f"case-{k}" for k in range(8)]
    assert (trained / "training" / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_resuming_a_finished_training_changes_nothing(trained: Path, cohort: Path, prepared: Path) -> None:
    before = {name: value.copy() for name, value in from_pretrained(trained).tensors().items()}
    plan = TrainingPlan.of("unet", steps=60, batch=4, evaluations=3)
    options: dict[str, Any] = {"workers": 1, "prepared": prepared, "spec": SPEC, "architecture": TINY}
    train_route("unet", cohort, trained, plan=plan, progress=lambda *_: None, **options)
    after = from_pretrained(trained).tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    other = TrainingPlan.of("unet", steps=61, batch=4)
    with pytest.raises(InvalidArgumentError, match="checkpoint of another plan"):
        train_route("unet", cohort, trained, plan=other, progress=lambda *_: None, **options)


@pytest.mark.parametrize("taught", [False, True])
def test_classifier_trains_and_loads(cohort: Path, prepared: Path, trained: Path, tmp_path: Path, taught: bool) -> None:
    master = str(trained) if taught else None
    plan = TrainingPlan.of("inception_resnet", steps=20, batch=2, evaluations=1, teacher=master)
    train_route(
        "inception_resnet", cohort, tmp_path, plan=plan, workers=1, prepared=prepared, spec=SPEC,
        architecture="resnet10t", progress=lambda *_: None,
    )  # fmt: skip
    model = from_pretrained(tmp_path)
    assert isinstance(model, LesionClassifier)
    assert model.architecture == "resnet10t"
    assert set(model.calibration.regimes) == set(REGIMES)
    logged = [line for line in read_log(tmp_path / "training" / "log.jsonl") if "loss" in line]
    assert ("hint_loss" in logged[0]) == taught
    if taught:
        assert model.training["fit"]["teacher"]["sha256"] == from_pretrained(trained).sha256
        assert model.training["plan"]["teacher"] == trained.name  # never the folders above it


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def line_job() -> Job[Any]:
    def batch_of(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return x, x @ torch.tensor([[1.0], [-2.0], [0.5]])

    def losses_of(network: torch.nn.Module, batch: Any, half: bool) -> dict[str, torch.Tensor]:
        return {"loss": torch.nn.functional.mse_loss(network(batch[0]), batch[1])}

    def score_of(network: torch.nn.Module) -> dict[str, float]:
        x, y = batch_of(10_000)
        return {"score": float(torch.nn.functional.mse_loss(network(x), y))}

    return Job(Line(), batch_of, losses_of, score_of)


PLAN = TrainingPlan("unet", steps=80, learning_rate=0.1, weight_decay=0.0, averaging=0.9, evaluations=4)


def test_the_loop_finds_a_line_and_keeps_its_log(tmp_path: Path) -> None:
    job = line_job()
    told: list[float] = []
    record = fit(job, PLAN, tmp_path, progress=lambda share, _: told.append(share))
    np.testing.assert_allclose(job.network.layer.weight.detach(), [[1.0, -2.0, 0.5]], atol=0.05)
    assert record["steps"] == 80
    assert told[-1] == 1.0
    log = read_log(tmp_path / "log.jsonl")
    assert [line["step"] for line in log if "score" in line] == [20, 40, 60, 80]
    assert record["best_validation_score"] == min(line["score"] for line in log if "score" in line)
    rates = [line["learning_rate"] for line in log if "learning_rate" in line]
    assert rates == sorted(rates, reverse=True)


def test_an_interrupted_fit_goes_on_as_if_nothing_had_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinehub.training.loop._faster_in_half", lambda *_: False)
    monkeypatch.setattr("spinehub.training.loop._SAVE_EVERY_S", 0.0)
    monkeypatch.setattr("spinehub.training.loop.draw_curves", lambda *_: None)
    whole = line_job()
    fit(whole, PLAN, tmp_path / "whole")

    def stop(share: float, text: str) -> None:
        if text == "step 33":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(line_job(), PLAN, tmp_path / "parts", progress=stop)
    rest = line_job()
    fit(rest, PLAN, tmp_path / "parts")
    for one, other in zip(whole.network.parameters(), rest.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    steps = [[line["step"] for line in read_log(tmp_path / name / "log.jsonl")] for name in ("whole", "parts")]
    assert steps[0] == steps[1]


def test_a_checkpoint_cut_short_is_not_read(tmp_path: Path) -> None:
    fit(line_job(), PLAN, tmp_path)
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")  # crashed between the two renames
    record = fit(line_job(), PLAN, tmp_path)
    assert record["steps"] == 80


def test_time_is_a_budget_too(tmp_path: Path) -> None:
    record = fit(line_job(), TrainingPlan("unet", minutes=0.01, learning_rate=0.1), tmp_path)
    assert record["steps"] >= 1
    assert record["fit_seconds"] < 30.0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"route": "magic"}, "route must be one of"),
        ({"route": "unet", "minutes": 1.0, "steps": 3}, "must not both be given"),
        ({"route": "unet", "minutes": 0.0}, "minutes must be"),
        ({"route": "unet", "steps": 0}, "steps must be"),
        ({"route": "unet", "batch": 3}, "batch must be an even number"),
        ({"route": "unet", "teacher": "unet-dce"}, "teacher is for inception_resnet alone"),
    ],
)
def test_plans_are_checked(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError, match=sentence):
        TrainingPlan(**options)


def test_plan_round_trip() -> None:
    plan = TrainingPlan.of("inception_resnet", minutes=5.0)
    assert TrainingPlan.from_dict(plan.to_dict()) == plan
    assert (plan.share(10, 150.0), plan.share(0, 1e9)) == (0.5, 1.0)


def test_problems_of_a_cohort_are_named_first(cohort: Path, tmp_path: Path) -> None:
    rows = [*read_cohort(cohort), CohortRow("extra", "patient-0", cohort / "absent.nii.gz", None, "metastasis")]
    write_cohort_table(rows, tmp_path)
    with pytest.raises(InvalidArgumentError, match=r"cohort cannot be trained on: .*extra"):
        train_route("unet", tmp_path, tmp_path / "out", steps=1, spec=SPEC)


def test_architectures_are_checked(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"arguments of smp\.Unet"):
        train_route("unet", cohort, tmp_path, architecture="resnet18")
    with pytest.raises(InvalidArgumentError, match="name of a timm model"):
        train_route("inception_resnet", cohort, tmp_path, architecture={"a": 1})


@pytest.fixture
def tabled(tmp_path: Path) -> list[PreparedCase]:
    """Prepared cases whose tables tell the classes apart; no images."""
    rng = np.random.default_rng(8)
    names = feature_names("dynamic")
    for number in range(60):
        label = number % 2
        values = rng.normal(size=len(names))
        values[:3] += 2.0 * label
        features = {"names": list(names), "values": values.tolist(), "provenance": {"settings_sha256": "x"}}
        parameters = {"early_enhancement": float(rng.normal(80 + 60 * label, 15)), "washout": float(rng.normal(0, 5))}
        if number == 7:
            parameters["washout"] = None
            features["values"][5] = None
        folder = tmp_path / f"case-{number}"
        (folder / "tabular").mkdir(parents=True)
        tables = {"dynamic": {"parameters": parameters, "features": features}}
        (folder / "tabular" / "table.json").write_text(json.dumps(tables))
        facts = {
            "case_id": f"case-{number}", "patient_id": f"p{number}", "diagnosis": DIAGNOSES[label],
            "frame_interval_s": 10.0, "protocol": vars(Protocol(0.005, 0.002, 15.0, 1.5)),
        }  # fmt: skip
        (folder / "case.json").write_text(json.dumps(facts))
    return read_prepared(tmp_path, [f"case-{k}" for k in range(60)])


def test_rule_learns_from_tables(tabled: list[PreparedCase]) -> None:
    rule, scores = train_rule(tabled, seed=0)
    assert isinstance(rule, HotspotRule)
    assert list(scores) == ["dynamic"]
    assert np.isnan(scores["dynamic"]["case-7"])
    primary = [scores["dynamic"][case.case_id] for case in tabled if case.label == 1 and case.case_id != "case-7"]
    assert np.median(primary) > 0.0
    answer = rule.predict(160.0, 0.0, protocol=Protocol(0.005, 0.002, 15.0, 1.5), frame_interval_s=10.0)
    assert answer.probabilities is not None
    assert answer.probabilities["primary_malignant"] > 0.5
    assert rule.training["rows_used"] == 59


def test_radiomics_is_given_rows_by_regime(tabled: list[PreparedCase], monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def fit_radiomics(rows: Any, labels: Any, groups: Any, *, targets: Any, repeats: Any, seed: int) -> Any:
        given.update(rows=rows, labels=labels, groups=groups, targets=targets, repeats=repeats, seed=seed)
        return SimpleNamespace(classifier="fitted", log_odds={"dynamic": np.arange(60.0)})

    monkeypatch.setattr("spinehub.training.small.fit_radiomics", fit_radiomics)
    fitted, scores = train_radiomics(tabled, seed=4)
    assert fitted == "fitted"
    assert scores["dynamic"]["case-9"] == 9.0
    assert given["repeats"]["dynamic"] == [None] * 60
    assert list(given["rows"]) == ["dynamic"]
    row = given["rows"]["dynamic"][7]
    assert row.names == feature_names("dynamic")
    assert np.isnan(row.values[5])
    assert np.isfinite(np.delete(row.values, 5)).all()
    assert given["labels"] == [0, 1] * 30
    assert given["targets"] == [0, 1] * 30  # nobody knows a posterior of these
    assert given["groups"][3] == "p3"
    assert given["seed"] == 4
