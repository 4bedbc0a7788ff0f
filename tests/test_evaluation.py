"""Evaluation: figures by hand, every regime and mask source, nothing judged that was trained on."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from phantoms import ball_case

from spinehub.cards import validate_evaluation
from spinehub.case import DIAGNOSES
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.evaluation import evaluate_cohort
from spinehub.evaluation.figures import answer_figures, figure, mask_figures
from spinehub.evaluation.judging import GROWING, Judgement, judge_case
from spinehub.inputs import PreprocessingSpec, mask_slices
from spinehub.io import CohortRow, read_case, read_cohort, write_case, write_cohort_table
from spinehub.metrics import auc
from spinehub.models import LesionSegmenter, fit_calibration, from_pretrained
from spinehub.models.embedding import EmbeddingModel, Line
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.pipeline import analyse
from spinehub.simulate import CaseRecipe, draw_recipe

TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}
REGIMES = ("dynamic", "pre_post", "single")


def calibration() -> Any:
    scores = np.linspace(-2, 2, 40)
    labels = (scores + 0.6 * np.sin(9 * scores) > 0).astype(int)
    return fit_calibration(np.tile(scores, 3), np.tile(labels, 3), [name for name in REGIMES for _ in scores])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four phantoms that say they were simulated from seed 77."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(4):
        case = ball_case(number, end_s=340.0, histology="chordoma", age_years=50.0 + number)
        write_case(case, folder / case.case_id)
        recipe = {"seed": 77, "version": "1.0", "cohort": "matched"}
        (folder / case.case_id / "recipe.json").write_text(json.dumps(recipe))
        files = [folder / case.case_id / name for name in ("series.nii.gz", "lesion.nii.gz")]
        rows.append(CohortRow(case.case_id, case.patient_id, *files, DIAGNOSES[number % 2], case.age_years))
    write_cohort_table(rows, folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    segmenter = LesionSegmenter.create(PreprocessingSpec(size=32), **TINY)
    segmenter.calibration = calibration()
    segmenter.training = {"simulated": {"seed": [1]}, "cases": 9}
    return segmenter.save_pretrained(tmp_path_factory.mktemp("model") / "tiny-unet")


def test_one_case_in_every_regime(cohort: Path, model: Path) -> None:
    rows = judge_case(read_cohort(cohort)[1], {"unet": str(model)}, seed=5)
    assert len(rows) == 3 * 3  # regimes; the route end to end and on the true mask, the grown region once
    for regime in REGIMES:
        for source in ("end_to_end", "truth_mask"):
            (row,) = [r for r in rows if (r.regime, r.mask_source, r.route) == (regime, source, "unet")]
            assert row.label == 1
            assert row.patient_id == "patient-1"
            # The network reads the region, so with the true mask its outline would be the answer it was given.
            assert (row.overlap is None) == (row.confusion is None) == (source == "truth_mask")
            assert row.overlap is None or row.overlap["empty_mask_pixel_accuracy"] < 1.0
    grown = [row for row in rows if row.route == GROWING]
    assert [row.mask_source for row in grown] == ["end_to_end"] * 3
    assert all(row.overlap["dice"] > 0.0 for row in grown)
    again = judge_case(read_cohort(cohort)[1], {"unet": str(model)}, seed=5)
    assert again == rows


def test_judging_gives_what_analyse_gives(cohort: Path, model: Path) -> None:
    """Judging leaves out what no model looks at: the answers must be those of the whole pipeline."""
    case = read_case(read_cohort(cohort)[1])
    models = {"unet": from_pretrained(model)}
    rows = judge_case(read_cohort(cohort)[1], models, seed=5, regimes=("dynamic",), mask_sources=("truth_mask",))
    report = analyse(case.series, mask=case.lesions[0].mask, models=models)
    (row,) = rows
    (route,) = [route for route in report.routes if route.name == "unet"]
    assert route.probabilities is not None
    assert row.probability == route.probabilities["primary_malignant"]
    assert (row.decision, row.reason) == (route.decision, route.reason)
    assert row.volume_ml == report.findings[0].measures.volume_ml


def test_the_row_of_an_embedding_judges_what_embed_gives(cohort: Path, model: Path, tmp_path: Path) -> None:
    network = from_pretrained(model)
    row = read_cohort(cohort)[1]
    case = read_case(row)
    timing, mask = assess_timing(case.series), case.lesions[0].mask
    stack = network.stack_of(case.series, mask, timing, compute_maps(case.series, timing))
    activations = network.embed(stack, mask_slices(mask, stack))
    line = Line(np.linspace(-1.0, 1.0, activations.size), activations - 0.1, np.ones(activations.size), 0.4)
    beside = EmbeddingModel("unet", network.sha256, {"dynamic": line}, calibration(), {"cases": 20})
    file = beside.save(tmp_path / "embedding-unet.safetensors")
    rows = judge_case(
        row, {"unet": str(model)}, 5, regimes=("dynamic", "single"), mask_sources=("truth_mask",),
        embeddings={"unet": str(file)},
    )  # fmt: skip
    found = {(row.route, row.regime): row for row in rows}
    expected = beside.predict(activations, "dynamic")
    assert expected.probabilities is not None
    share = expected.probabilities["primary_malignant"]
    assert found["unet_embedding", "dynamic"].probability == pytest.approx(share, abs=1e-6)
    assert found["unet_embedding", "dynamic"].overlap is None
    assert "not fitted for the regime single" in str(found["unet_embedding", "single"].reason)
    assert found["unet", "dynamic"].probability != found["unet_embedding", "dynamic"].probability
    with pytest.raises(InvalidArgumentError, match="models must name inception_resnet"):
        judge_case(row, {"unet": str(model)}, 5, embeddings={"inception_resnet": str(file)})


def test_recipes_are_judged_without_files(model: Path, tmp_path: Path) -> None:
    recipes = [swept(draw_recipe(4711, number)) for number in range(4)]
    options: dict[str, Any] = {"workers": 1, "regimes": ("single",), "mask_sources": ("truth_mask",), "attach": False}
    evaluations = evaluate_cohort(recipes, tmp_path / "out", {"unet": str(model)}, **options)
    assert evaluations["unet"]["cohort"]["name"] == "matched"
    assert evaluations["unet"]["cohort"]["seed"] == 4711
    assert evaluations["unet"]["regimes"]["single"]["truth_mask"]["n"] == 4
    with (tmp_path / "out" / "predictions.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["diagnosis"] for line in lines] == [recipe.diagnosis for recipe in recipes]
    assert {line["level"] for line in lines} == {recipe.lesions[0].level for recipe in recipes}


def test_the_true_mask_of_the_first_cases_only(model: Path, tmp_path: Path) -> None:
    recipes = [swept(draw_recipe(4711, number)) for number in range(4)]
    options: dict[str, Any] = {"workers": 1, "regimes": ("single",), "attach": False, "truth_mask_cases": 2}
    told: list[str] = []
    for _ in range(2):
        evaluations = evaluate_cohort(
            recipes, tmp_path, {"unet": str(model)}, progress=lambda _, text: told.append(text), **options
        )
        found = evaluations["unet"]["regimes"]["single"]
        assert {source: scores["n"] for source, scores in found.items()} == {"end_to_end": 4, "truth_mask": 2}
    assert len(told) == 4
    with (tmp_path / "predictions.csv").open() as file:
        judged = {line["case_id"] for line in csv.DictReader(file) if line["mask_source"] == "truth_mask"}
    assert judged == {recipe.case_id for recipe in recipes[:2]}


def test_every_regime_in_the_first_cases_only(model: Path, tmp_path: Path) -> None:
    recipes = [swept(draw_recipe(4711, number)) for number in range(3)]
    options: dict[str, Any] = {"workers": 1, "regimes": ("single", "pre_post"), "mask_sources": ("end_to_end",)}
    evaluations = evaluate_cohort(
        recipes, tmp_path, {"unet": str(model)}, every_regime_cases=1, attach=False, progress=lambda *_: None, **options
    )
    found = evaluations["unet"]["regimes"]
    assert {regime: sources["end_to_end"]["n"] for regime, sources in found.items()} == {"single": 3, "pre_post": 1}


def swept(recipe: CaseRecipe) -> CaseRecipe:
    """The same case in a field of view of few and coarse voxels, which renders at once."""
    protocol = recipe.protocol
    few = {"matrix": (48, 48, 10), "spacing_mm": (4.0, 4.0, protocol.spacing_mm[2])}
    return replace(recipe, protocol=replace(protocol, **few))


def test_a_cohort_end_to_end(cohort: Path, model: Path, tmp_path: Path) -> None:
    told: list[float] = []
    evaluations = evaluate_cohort(
        cohort, tmp_path, {"unet": str(model)}, workers=2, progress=lambda share, _: told.append(share)
    )
    assert told[-1] == 1.0
    written = json.loads((tmp_path / "unet" / "evaluation.json").read_text())
    assert written == evaluations["unet"]
    validate_evaluation(written)
    assert written["cohort"]["seed"] == 77
    assert written["cohort"]["training_cases"] == 9
    assert written["model"] == "tiny-unet"
    assert set(written["regimes"]) == set(REGIMES)
    assert "region growing from one click" in written["baselines"]
    assert from_pretrained(model).evaluation == written
    with (tmp_path / "predictions.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 4 * 9
    assert {line["case_id"] for line in table} == {f"case-{k}" for k in range(4)}
    assert (tmp_path / "summary.md").read_text().count("| unet |") == 6
    assert (tmp_path / "failures.csv").read_text().startswith("route,regime,case_id")
    assert "mean_iou" in written["regimes"]["dynamic"]["end_to_end"]
    assert set(written["subgroups"]) == set(REGIMES)
    text = (tmp_path / "reporting.md").read_text()
    assert "4 patients were simulated" in text
    assert f"AUC {written['regimes']['single']['end_to_end']['auc']['value']:.3f}" in text
    for name in ("roc.png", "calibration.png", "decision_curve.png", "failures.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_judged_cases_are_kept_until_a_model_changes(cohort: Path, model: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"workers": 1, "regimes": ("single",), "mask_sources": ("end_to_end",), "attach": False}
    told: list[str] = []

    def tell(_: float, text: str) -> None:
        told.append(text)

    first = evaluate_cohort(cohort, tmp_path, {"unet": str(model)}, progress=tell, **options)
    assert len(told) == 4
    assert list(first["unet"]["regimes"]) == ["single"]
    assert list(first["unet"]["regimes"]["single"]) == ["end_to_end"]
    again = evaluate_cohort(cohort, tmp_path, {"unet": str(model)}, progress=tell, **options)
    assert len(told) == 4
    assert again == first
    evaluate_cohort(cohort, tmp_path, {"unet": str(model)}, progress=tell, seed=1, **options)
    assert len(told) == 8


def test_cases_of_the_training_are_refused(cohort: Path, model: Path, tmp_path: Path) -> None:
    trained = from_pretrained(model)
    trained.training = {"simulated": {"seed": [3, 77]}}
    folder = trained.save_pretrained(tmp_path / "trained")
    with pytest.raises(InvalidArgumentError, match="both were simulated from seed 77"):
        evaluate_cohort(cohort, tmp_path / "out", {"unet": str(folder)})


def test_a_model_of_another_route_is_refused(cohort: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="give it to its own route"):
        evaluate_cohort(cohort, tmp_path, {"inception_resnet": str(model)})


def test_problems_of_the_cohort_are_named(cohort: Path, model: Path, tmp_path: Path) -> None:
    write_cohort_table(read_cohort(cohort)[:2], tmp_path)
    with pytest.raises(InvalidArgumentError, match="cohort cannot be judged: class metastasis has 1"):
        evaluate_cohort(tmp_path, tmp_path / "out", {"unet": str(model)})


def row(number: int, probability: float | None, **changes: Any) -> Judgement:
    values: dict[str, Any] = {
        "case_id": f"c{number}", "patient_id": f"p{number}", "diagnosis": DIAGNOSES[number % 2], "histology": None,
        "level": "T7", "age_years": 60.0, "volume_ml": 5.0, "field_strength_t": 1.5, "regime": "dynamic",
        "mask_source": "end_to_end", "route": "unet",
        "probability": probability, "decision": "undecided", "reason": None,
    }  # fmt: skip
    return Judgement(**(values | changes))


def test_answer_figures_by_hand() -> None:
    shares = [0.1, 0.8, 0.3, 0.4, 0.6, 0.9, None, 0.7]
    figures = answer_figures([row(k, share) for k, share in enumerate(shares)], calibration())
    assert (figures["n"], figures["n_answered"]) == (8, 7)
    assert figures["accuracy"]["value"] == pytest.approx(5 / 7)
    assert figures["sensitivity"]["value"] == pytest.approx(3 / 4)
    assert figures["specificity"]["value"] == pytest.approx(2 / 3)
    assert figures["balanced_accuracy"]["value"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    # Pairs of one primary tumour and one metastasis, ranked right: 0.8, 0.9, 0.7 beat all three, 0.4 beats two.
    assert figures["auc"]["value"] == pytest.approx(11 / 12)
    error = [0.1, 0.2, 0.3, 0.6, 0.6, 0.1, 0.3]
    assert figures["brier"]["value"] == pytest.approx(np.mean(np.square(error)))
    assert figures["auc"]["low"] <= figures["auc"]["value"] <= figures["auc"]["high"]
    thresholds = calibration().thresholds["dynamic"]
    truth = [k % 2 for k, share in enumerate(shares) if share is not None]
    known = [share for share in shares if share is not None]
    sets = [(1 - p >= thresholds["metastasis"], p >= thresholds["primary_malignant"]) for p in known]
    assert figures["coverage"]["value"] == pytest.approx(np.mean([s[t] for s, t in zip(sets, truth, strict=True)]))
    assert figures["undecided_share"]["value"] == pytest.approx(np.mean([sum(s) != 1 for s in sets]))


def test_no_answer_has_no_figures() -> None:
    figures = answer_figures([row(0, None), row(1, None)], calibration())
    assert (figures["n"], figures["n_answered"]) == (2, 0)
    assert figures["auc"] == {"value": None, "low": None, "high": None}


def overlap(share: float, distance: float = 2.0) -> dict[str, float]:
    return {
        "dice": share, "iou": share / (2 - share), "hd95_mm": distance, "surface_distance_mm": distance / 2,
        "volume_error_ml": -1.0, "pixel_accuracy": 0.98 + 0.02 * share,
        "empty_mask_pixel_accuracy": 0.98,
    }  # fmt: skip


def test_mask_figures_by_hand() -> None:
    rows = [row(0, 0.5, overlap=overlap(0.8)), row(1, 0.5, overlap=overlap(0.4, float("nan"))), row(2, 0.5)]
    figures = mask_figures(rows)
    assert figures["dice"]["value"] == pytest.approx(0.6)
    assert figures["hd95_mm"]["value"] == pytest.approx(2.0)  # undefined distances are left out
    assert figures["gap_closed"]["value"] == pytest.approx(0.6)
    assert figures["empty_mask_pixel_accuracy"]["value"] == pytest.approx(0.98)
    assert mask_figures([row(0, 0.5)]) == {}


def test_an_undefined_figure_is_null() -> None:
    assert figure(auc, [1, 1], [0.2, 0.3], groups=["a", "b"]) == {"value": None, "low": None, "high": None}
