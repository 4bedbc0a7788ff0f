"""Before and after a training: the review of a cohort, fine-tuning, recalibration, several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phantoms import ball_case

from spinehub.case import DIAGNOSES
from spinehub.cli import main
from spinehub.dataset import PreparedCase
from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.io import CohortRow, read_cohort, write_case, write_cohort_table
from spinehub.metrics import calibration_slope_intercept
from spinehub.models import HotspotRule, LesionSegmenter, from_pretrained
from spinehub.models.hotspot_fitting import fit_rule
from spinehub.series import Protocol
from spinehub.simulate import cohort_recipes
from spinehub.training import TrainingPlan, train_route
from spinehub.training.environment import data_fingerprint, environment
from spinehub.training.recalibration import recalibrate
from spinehub.training.record import read_log
from spinehub.training.review import review_cohort

SPEC = PreprocessingSpec(size=32)
TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}
PROTOCOL = Protocol(0.005, 0.002, 15.0, 1.5)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(8):
        case = ball_case(number)
        write_case(case, folder / case.case_id)
        files = (folder / case.case_id / name for name in ("series.nii.gz", "lesion.nii.gz"))
        age = 30.0 + 5 * number + 40.0 * (number % 2)
        rows.append(CohortRow(case.case_id, case.patient_id, *files, DIAGNOSES[number % 2], age, extra={"level": "T7"}))
    write_cohort_table(rows, folder)
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="module")
def model(cohort: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = TrainingPlan.of("unet", steps=4, batch=2, evaluations=1)
    return train_route(
        "unet", cohort, tmp_path_factory.mktemp("unet"), plan=plan, workers=1, prepared=prepared, spec=SPEC,
        architecture=TINY, progress=lambda *_: None,
    )  # fmt: skip


def test_a_sound_cohort_has_notes_and_shortcuts_only(cohort: Path) -> None:
    review = review_cohort(read_cohort(cohort))
    assert review.problems == ()
    assert review.counts["metastasis"] == {"cases": 4, "patients": 4}
    assert review.shortcuts["age"]["value"] == 1.0  # 30, 40, 50, 60 against 75, 85, 95, 105
    assert review.shortcuts["level"]["value"] == review.shortcuts["frames"]["value"] == 0.5
    text = "\n".join(review.notes)
    assert "age alone tells the classes apart with AUC 1.00" in text
    assert "about 0 patients of the smaller class are left for calibration" in text
    assert "8 series end before 270 s" in text
    assert "frames alone" not in text
    assert "age alone: AUC 1.00" in "\n".join(review.lines())
    json.dumps(review.to_dict(), allow_nan=False)


def test_every_problem_is_named_at_once(cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(read_cohort(cohort))
    twin = CohortRow("twin", "somebody-else", rows[0].series, rows[0].lesion_mask, "metastasis")
    rows += [twin, CohortRow("gone", "p", cohort / "absent.nii.gz", None, "metastasis")]
    rows += [CohortRow("case-1", "patient-1", rows[1].series, rows[1].lesion_mask, "primary_malignant")]
    write_cohort_table(rows, tmp_path)
    problems = "\n".join(review_cohort(read_cohort(tmp_path)).problems)
    for words in ("case case-1 is listed 2 times", "case gone", "cases case-0, twin have the same series"):
        assert words in problems
    assert main(["train", "unet", "--data", str(tmp_path), "--check"]) == 3
    printed = capsys.readouterr()
    assert "problem: case gone" in printed.out
    assert "problems that forbid training" in printed.err
    assert main(["train", "unet", "--data", str(cohort), "--check"]) == 0


def test_patients_with_several_rows_are_counted_once(cohort: Path) -> None:
    rows = [*read_cohort(cohort)]
    more = CohortRow("again", "patient-0", rows[2].series, rows[2].lesion_mask, "metastasis")
    review = review_cohort([*rows[:2], *rows[3:], more])
    assert review.counts["metastasis"] == {"cases": 4, "patients": 3}
    assert any("1 patients have more than one row (such as patient-0)" in note for note in review.notes)


def test_the_record_says_where_and_on_what(model: Path, cohort: Path, tmp_path: Path) -> None:
    record = model / "training"
    about = json.loads((record / "plan.json").read_text())
    rows = read_cohort(cohort)
    assert about["data_sha256"] == data_fingerprint(rows) == data_fingerprint(rows[::-1])
    assert json.loads((record / "environment.json").read_text()) == environment()
    assert json.loads((record / "cohort.json").read_text())["counts"]["metastasis"]["patients"] == 4
    held_out = json.loads((record / "held_out.json").read_text())
    split = json.loads((record / "split.json").read_text())
    assert sorted(held_out["label"]) == sorted(split["calibration"])
    copy = tmp_path / "series.nii.gz"
    copy.write_bytes(rows[1].series.read_bytes())
    moved = [CohortRow(rows[0].case_id, rows[0].patient_id, copy, rows[0].lesion_mask, rows[0].diagnosis), *rows[1:]]
    assert data_fingerprint(moved) != about["data_sha256"]


def test_fine_tuning_goes_on_from_the_weights(model: Path, cohort: Path, prepared: Path, tmp_path: Path) -> None:
    plan = TrainingPlan.of("unet", steps=1, batch=2, evaluations=1, fine=True)
    assert plan.learning_rate == pytest.approx(0.1 * TrainingPlan.of("unet").learning_rate)
    train_route("unet", cohort, tmp_path, plan=plan, workers=1, prepared=prepared, start=model)
    before, after = from_pretrained(model), from_pretrained(tmp_path)
    assert isinstance(after, LesionSegmenter)
    assert after.spec == before.spec
    assert after.training["started_from"] == {"model": before.model_id, "sha256": before.sha256}
    pairs = zip(before.network.parameters(), after.network.parameters(), strict=True)
    moved = max(float((one - other).detach().abs().max()) for one, other in pairs)
    assert 0.0 < moved < 0.01
    with pytest.raises(InvalidArgumentError, match="come from the model that is started from"):
        train_route("unet", cohort, tmp_path / "other", start=model, spec=SPEC)
    with pytest.raises(InvalidArgumentError, match="must name a model to be recalibrated"):
        train_route("unet", cohort, tmp_path / "other", recalibrated=True)


def test_recalibration_keeps_the_weights(model: Path, cohort: Path, prepared: Path, tmp_path: Path) -> None:
    train_route("unet", cohort, tmp_path, workers=1, prepared=prepared, start=model, recalibrated=True)
    before, after = from_pretrained(model), from_pretrained(tmp_path)
    assert isinstance(after, LesionSegmenter)
    for one, other in zip(before.network.parameters(), after.network.parameters(), strict=True):
        assert np.array_equal(one.detach().numpy(), other.detach().numpy())
    cases = after.calibration.to_dict()["regimes"]["dynamic"]["cases"]
    assert cases == {"metastasis": 4, "primary_malignant": 4}  # every case of the cohort, not a fifth of them
    assert not (tmp_path / "training" / "held_out.json").exists()  # no case was left out


def tabled(folder: Path, count: int, seed: int, *, turned: bool = False) -> list[PreparedCase]:
    """Cases with hot-spot parameters; at another site the classes may differ the other way round or less."""
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        label = number % 2
        early = rng.normal(80 + (20 if turned else 60) * label, 25)
        case = PreparedCase(
            folder / f"{seed}-{number}",
            {
                "case_id": f"{seed}-{number}", "patient_id": f"{seed}-{number}", "diagnosis": DIAGNOSES[label],
                "frame_interval_s": 12.0, "protocol": vars(Protocol(0.004, 0.002, 12.0, 3.0)),
            },
        )  # fmt: skip
        parameters = {"early_enhancement": float(early), "washout": 0.0 if number else None}
        case.__dict__["tables"] = {"dynamic": {"parameters": parameters, "features": {}}}
        cases.append(case)
    return cases


def test_a_recalibrated_rule_is_calibrated_where_it_was_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    early, washout = rng.normal(80 + 60 * labels, 25), rng.normal(0, 5, 200)
    rule = fit_rule(
        early, washout, labels, list(range(200)), protocols=[PROTOCOL] * 200, frame_intervals_s=[10.0] * 200
    ).rule
    cases, fresh = tabled(tmp_path, 3000, 1, turned=True), tabled(tmp_path, 3000, 2, turned=True)
    again = recalibrate(rule, cases)
    assert isinstance(again, HotspotRule)
    assert again.tree == rule.tree
    elsewhere: dict[str, Any] = {"protocol": Protocol(0.004, 0.002, 12.0, 3.0), "frame_interval_s": 12.0}
    assert rule.predict(100.0, 0.0, **elsewhere).probabilities is None
    assert again.predict(100.0, 0.0, **elsewhere).probabilities is not None
    assert again.predict(100.0, 0.0, protocol=PROTOCOL, frame_interval_s=10.0).probabilities is None
    values = [case.tables["dynamic"]["parameters"] for case in fresh[1:]]
    scores = [rule.score(each["early_enhancement"], each["washout"]) for each in values]
    truth = [case.label for case in fresh[1:]]
    slopes = []
    for fitted in (rule, again):
        share = [fitted.calibration.probability(score, "dynamic") for score in scores]
        slopes.append(calibration_slope_intercept(truth, share)[0])
    assert abs(slopes[1] - 1.0) < 0.25 < abs(slopes[0] - 1.0)
    with pytest.raises(InvalidArgumentError, match="both hot-spot parameters"):
        recalibrate(rule, cases[:1])


SCRIPT = """
import json, os, sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_training import PLAN, line_job
from spinehub.training.loop import fit
torch.set_num_threads(1)
record = fit(line_job(), PLAN, Path({folder!r}), progress=lambda *_: None)
told = [record["processes"], record["samples"], record["steps"]]
Path({folder!r}, "record-" + os.environ["RANK"] + ".json").write_text(json.dumps(told))
"""


def test_two_processes_join_their_gradients(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "out")))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        str(script),
    ]
    root = str(Path(__file__).parents[1])  # a child process does not see where this one found the package
    settings = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    records = [json.loads((tmp_path / "out" / f"record-{rank}.json").read_text()) for rank in range(2)]
    assert records == [[2, 2 * 80 * 16, 80]] * 2
    log = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log if "score" in line] == [20, 40, 60, 80]  # the first process alone
    assert json.loads(log[-1])["score"] < 0.01


def test_recipes_are_trained_on_without_files(tmp_path: Path) -> None:
    recipes = tuple(cohort_recipes(6, 41))
    plan = TrainingPlan.of("unet", steps=2, batch=4, evaluations=1)
    options: dict[str, Any] = {"spec": PreprocessingSpec(size=32), "architecture": TINY, "workers": 1}
    train_route("unet", recipes, tmp_path / "unet", plan=plan, progress=lambda *_: None, **options)
    about = json.loads((tmp_path / "unet" / "training" / "plan.json").read_text())
    assert about["cases"] == [recipe.case_id for recipe in recipes]
    assert about["data_sha256"] == data_fingerprint(recipes) != data_fingerprint(recipes[1:])
    losses = [line for line in read_log(tmp_path / "unet" / "training" / "log.jsonl") if "score" in line]
    assert len(losses) == 1
    trained = from_pretrained(tmp_path / "unet")
    assert trained.training["simulated"] == {
        "version": ["2.0"], "seed": [41], "cohort": ["matched"], "kinetics": ["medium"],
    }  # fmt: skip
    one_class = [recipe for recipe in recipes if recipe.diagnosis == DIAGNOSES[0]]
    with pytest.raises(InvalidArgumentError, match="primary_malignant has 0 recipe"):
        train_route("unet", one_class, tmp_path / "other", plan=plan, **options)
