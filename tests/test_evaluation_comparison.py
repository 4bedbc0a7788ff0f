"""Subgroups, differences, agreement, floor and ceiling, text and pictures of an evaluation, on answers made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinehub.case import DIAGNOSES
from spinehub.evaluation.comparison import agreement, decision_curve, differences, subgroups, worst_histology
from spinehub.evaluation.figures import answer_figures, mask_figures
from spinehub.evaluation.floor import CEILING, baselines, exact_posteriors
from spinehub.evaluation.judging import GROWING, Judgement
from spinehub.evaluation.pictures import draw_pictures
from spinehub.evaluation.running import stacked_judgements
from spinehub.io import CohortRow, recipe_text
from spinehub.models import fit_calibration
from spinehub.models.stacked import StackedModel
from spinehub.simulate import bayes_posterior, cohort_recipes

OVERLAP = {
    "dice": 0.8, "iou": 0.67, "hd95_mm": 3.0, "surface_distance_mm": 1.0, "volume_error_ml": 0.5,
    "pixel_accuracy": 0.99, "empty_mask_pixel_accuracy": 0.97,
}  # fmt: skip


def row(number: int, probability: float | None, **changes: Any) -> Judgement:
    values: dict[str, Any] = {
        "case_id": f"c{number}", "patient_id": f"p{number}", "diagnosis": DIAGNOSES[number % 2],
        "histology": ("lung", "chordoma")[number % 2], "level": "T7", "age_years": 30.0 + number, "volume_ml": 5.0,
        "field_strength_t": 1.5, "regime": "dynamic", "mask_source": "end_to_end", "route": "unet",
        "probability": probability, "decision": "undecided", "reason": None,
    }  # fmt: skip
    return Judgement(**(values | changes))


def test_subgroups_by_hand() -> None:
    shares = [0.1, 0.9, 0.2, 0.8, 0.3, 0.4, 0.6, 0.4, 0.1, 0.9, 0.2, 0.8]  # wrong: 5, 6, 7
    rows = [row(k, share, histology=("lung", "Ewing", "lung", "chordoma")[k % 4]) for k, share in enumerate(shares)]
    rows += [row(20 + 2 * k + 1, 0.1 + 0.3 * k, histology="Ewing") for k in range(3)]  # wrong: 0.1 and 0.4
    rows[0] = row(0, None, histology="lung")
    found = subgroups(rows)
    assert set(found) == {"histology", "level", "age", "size", "field"}
    lung, ewing = found["histology"]["lung"], found["histology"]["Ewing"]
    assert (lung["n"], lung["n_answered"]) == (6, 5)
    assert lung["accuracy"]["value"] == pytest.approx(4 / 5)
    assert "chordoma" not in found["histology"]  # three patients are no subgroup
    assert ewing["n"] == 6
    assert ewing["accuracy"]["value"] == pytest.approx(3 / 6)  # 0.9, 0.9 and 0.7 right; 0.4, 0.1 and 0.4 wrong
    # 0.9, 0.9, 0.7 beat all five metastases; 0.4 twice beats four of them; 0.1 ties with one
    assert ewing["auc"]["value"] == pytest.approx((3 * 5 + 2 * 4 + 0.5) / 30)
    assert worst_histology(found) == "Ewing"
    assert list(found["level"]) == ["thoracic"]
    assert found["field"]["1.5 T"]["n"] == 15
    assert worst_histology({}) is None


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for k in range(60):
        share = float(np.clip(0.5 + 0.25 * (k % 2 - 0.5) + rng.normal(0, 0.2), 0.01, 0.99))
        rows += [row(k, share, route="unet"), row(k, 1 - share, route="radiomics"), row(k, share, route="stacked")]
    rows.append(row(60, 0.9, route="unet"))  # the others have no answer to it
    rows.append(row(1, 0.9, route="hotspot", mask_source="truth_mask"))
    found = differences(rows)["dynamic"]
    pairs = {(each["first"], each["second"]): each for each in found}
    assert set(pairs) == {("unet", "radiomics"), ("unet", "stacked"), ("radiomics", "stacked")}
    assert {each["n"] for each in found} == {60}
    same = pairs["unet", "stacked"]
    assert (same["value"], same["low"], same["high"], same["p_value"]) == (0.0, 0.0, 0.0, 1.0)
    assert pairs["unet", "radiomics"]["low"] > 0.0
    assert pairs["unet", "radiomics"]["p_value"] < 0.05
    assert pairs["unet", "radiomics"]["value"] == pytest.approx(-pairs["radiomics", "stacked"]["value"])


def test_agreement_counts_routes_that_lean_one_way() -> None:
    answers = {  # case: what hotspot, radiomics and unet say; odd cases are primary
        0: (0.1, 0.2, 0.3), 1: (0.9, 0.8, 0.7), 2: (0.9, 0.8, 0.7), 3: (0.9, 0.2, 0.6), 4: (0.1, None, 0.9),
        6: (0.1, None, 0.2),
    }  # fmt: skip
    rows = [
        row(case, share, route=route)
        for case, shares in answers.items()
        for route, share in zip(("hotspot", "radiomics", "unet"), shares, strict=True)
    ]
    rows.append(row(0, 0.9, route="stacked"))  # no vote of its own
    found = {(each["answered"], each["agree"]): each for each in agreement(rows)["dynamic"]}
    assert {key: each["cases"] for key, each in found.items()} == {(3, 3): 3, (3, 2): 1, (2, 2): 1}  # the tie is out
    assert found[3, 3]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert found[3, 2]["accuracy"]["value"] == found[2, 2]["accuracy"]["value"] == 1.0


def test_decision_curve_ends_at_acting_on_all_and_on_none() -> None:
    curve = decision_curve([row(k, share) for k, share in enumerate([0.2, 0.7, 0.4, 0.9])])
    first, last = curve[0], curve[-1]
    assert first["threshold"] == 0.05
    assert first["model"] == pytest.approx(first["everyone"]) == pytest.approx(0.5 - 0.5 * 0.05 / 0.95)
    assert last["threshold"] == 0.95
    assert last["model"] == 0.0
    assert next(point for point in curve if point["threshold"] == 0.5)["model"] == pytest.approx(0.5)
    assert decision_curve([row(0, 0.2)]) == []


def test_floor_and_ceiling(tmp_path: Path) -> None:
    recipes = list(cohort_recipes(12, 5))
    rows, judgements = [], []
    for recipe in recipes:
        folder = tmp_path / recipe.case_id
        folder.mkdir()
        (folder / "recipe.json").write_text(recipe_text(recipe.to_dict()))
        extra = {"level": recipe.lesions[0].level}
        name, age = recipe.case_id, 40.0 + 30.0 * (recipe.diagnosis == "metastasis")
        rows.append(CohortRow(name, name, folder / "series.nii.gz", None, recipe.diagnosis, age, extra=extra))
        judgements.append(
            row(0, None, case_id=name, patient_id=name, diagnosis=recipe.diagnosis, route=GROWING, overlap=OVERLAP)
        )
    posterior = exact_posteriors(rows)
    assert posterior == {recipe.case_id: bayes_posterior(recipe) for recipe in recipes}
    found = baselines(judgements, rows, posterior)
    assert found["age alone"]["auc"]["value"] == 1.0  # as drawn here, and in the better direction
    assert found["size alone"]["auc"]["value"] == 0.5  # all of one size
    assert 0.5 <= found["level alone"]["auc"]["value"] <= 1.0
    assert found["region growing from one click"]["dice"]["value"] == pytest.approx(0.8)
    assert 0.5 < found[CEILING]["auc"]["value"] <= 1.0
    (tmp_path / recipes[0].case_id / "recipe.json").unlink()
    assert exact_posteriors(rows) is None
    assert CEILING not in baselines(judgements, rows, None)


def test_efficiency_compares_with_the_exact_posterior() -> None:
    rows = [row(k, share) for k, share in enumerate([0.1, 0.8, 0.5, 0.3])]  # AUC 3 of 4
    exact = {"c0": 0.1, "c1": 0.9, "c2": 0.2, "c3": 0.7}
    calibration = fit_calibration([-1.0, 1.0, -0.5, 0.5], [0, 1, 0, 1], ["dynamic"] * 4)
    figures = answer_figures(rows, calibration, exact)
    assert figures["efficiency"]["value"] == pytest.approx((0.75 - 0.5) / (1.0 - 0.5))
    assert "efficiency" not in answer_figures(rows, calibration)


def test_classes_of_voxels_are_summed_over_cases() -> None:
    perfect, empty = (80, 0, 0, 0, 20, 0, 0, 0, 0), (90, 0, 0, 0, 0, 0, 10, 0, 0)
    rows = [row(0, 0.2, overlap=OVERLAP, confusion=perfect), row(1, 0.5, overlap=OVERLAP, confusion=empty)]
    figures = mask_figures(rows)
    assert figures["iou_metastasis"]["value"] == pytest.approx(1.0)
    assert figures["iou_primary_malignant"]["value"] == 0.0
    assert figures["iou_background"]["value"] == pytest.approx(170 / 180)
    assert figures["mean_pixel_accuracy"]["value"] == pytest.approx((1 + 1 + 0) / 3)
    assert figures["surface_distance_mm"]["value"] == 1.0
    assert "mean_iou" not in mask_figures([row(0, 0.2, overlap=OVERLAP)])


def test_judgements_round_trip() -> None:
    one = row(0, 0.2, overlap=OVERLAP | {"hd95_mm": float("nan")}, confusion=(1,) * 9)
    values = one.to_dict()
    assert values["overlap"]["hd95_mm"] is None
    again = Judgement.from_dict(values)
    assert np.isnan((again.overlap or {})["hd95_mm"])
    assert again.confusion == one.confusion
    assert Judgement.from_dict(row(1, None).to_dict()) == row(1, None)


def test_stacked_rows_add_up_what_routes_say() -> None:
    calibration = fit_calibration([-2.0, -1.0, 1.0, 2.0] * 10, [0, 0, 1, 1] * 10, ["dynamic"] * 40)
    stack = StackedModel({"dynamic": {"unet": 1.0, "radiomics": 0.5, "intercept": 0.25}}, calibration)
    rows = [row(0, 0.8), row(0, 0.4, route="radiomics"), row(0, None, route=GROWING), row(2, None)]
    found = {each.case_id: each for each in stacked_judgements(rows, stack)}
    score = np.log(4.0) + 0.5 * np.log(0.4 / 0.6) + 0.25
    assert found["c0"].probability == pytest.approx(calibration.probability(score, "dynamic"))
    assert found["c0"].route == "stacked"
    assert found["c2"].probability is None
    assert "none of the routes" in (found["c2"].reason or "")
    assert stacked_judgements([row(0, 0.8, regime="single")], stack) == []


def test_pictures_show_every_route_that_answers(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [row(k, float(rng.random()), route=route) for route in ("unet", "radiomics") for k in range(20)]
    draw_pictures(rows, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["calibration.png", "decision_curve.png", "roc.png"]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)
    draw_pictures([row(0, 0.5)], tmp_path / "none")  # one class: nothing to draw, nothing written
    assert not (tmp_path / "none").exists()
