"""Cross-validation: each case judged once, by a model that never saw its patient."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from phantoms import ball_case

from spinehub.cards import validate_evaluation
from spinehub.case import DIAGNOSES
from spinehub.errors import InvalidArgumentError
from spinehub.evaluation import cross_validate
from spinehub.io import CohortRow, read_cohort, write_case, write_cohort_table

CASES, PATIENTS = 60, 40


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms of which a third are a second examination of a patient."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(CASES):
        case = ball_case(number, end_s=340.0)
        write_case(case, folder / case.case_id)
        (folder / case.case_id / "recipe.json").write_text(
            json.dumps({"seed": 77, "version": "1.0", "cohort": "matched"})
        )
        files = [folder / case.case_id / name for name in ("series.nii.gz", "lesion.nii.gz")]
        patient = f"patient-{number % PATIENTS}"
        rows.append(CohortRow(case.case_id, patient, *files, DIAGNOSES[number % 2], 50.0))
    write_cohort_table(rows, folder)
    return folder


def test_every_case_is_judged_by_a_model_of_the_other_patients(cohort: Path, tmp_path: Path) -> None:
    evaluations = cross_validate(
        cohort, tmp_path, folds=4, routes=("hotspot",), regimes=("dynamic",), mask_sources=("truth_mask",), workers=1
    )
    written = json.loads((tmp_path / "hotspot" / "evaluation.json").read_text())
    assert written == evaluations["hotspot"]
    validate_evaluation(written)
    assert written["cross_validation"] == {"folds": 4, "seed": 0, "minutes": None}
    assert written["regimes"]["dynamic"]["truth_mask"]["n"] == CASES
    with (tmp_path / "predictions.csv").open() as file:
        judged = [line["case_id"] for line in csv.DictReader(file) if line["route"] == "hotspot"]
    assert sorted(judged) == sorted(row.case_id for row in read_cohort(cohort))
    everyone = {row.patient_id: row for row in read_cohort(cohort)}
    for fold in ("0", "1", "2", "3"):
        trained = {row.patient_id for row in read_cohort(tmp_path / "folds" / fold / "cohort")}
        answered = {path.stem for path in (tmp_path / "folds" / fold / "judged").glob("*.json")}
        judged_patients = {row.patient_id for row in read_cohort(cohort) if row.case_id in answered}
        assert not trained & judged_patients
        assert trained | judged_patients == set(everyone)
    assert "hotspot (4-fold cross-validation)" in (tmp_path / "summary.md").read_text()
    assert "4-fold cross-validation by patient" in (tmp_path / "reporting.md").read_text()
    assert np.isfinite(written["regimes"]["dynamic"]["truth_mask"]["auc"]["value"])


def test_what_cannot_be_crossed_is_refused(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="at most the number of patients"):
        cross_validate(cohort, tmp_path, folds=21)
    with pytest.raises(InvalidArgumentError, match="minutes must be given"):
        cross_validate(cohort, tmp_path, routes=("unet",))
