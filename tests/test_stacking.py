"""The stacked row: weights that follow what the routes know, missing answers, records on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinehub.dataset import PreparedCase
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.evaluation import stack_evaluation
from spinehub.metrics import auc
from spinehub.models import Calibration, fit_calibration
from spinehub.models.stacked import StackedModel
from spinehub.training import train_stack
from spinehub.training.held_out import HeldOut, read_held_out, write_held_out
from spinehub.training.stacking import fit_stack


def held_out(cases: int, strengths: dict[str, float], seed: int = 0) -> dict[str, HeldOut]:
    """Routes with independent errors; each log-odds is exactly calibrated: d'^2 times the class plus noise of SD d'."""
    rng = np.random.default_rng(seed)
    label = {f"c{k}": k % 2 for k in range(cases)}
    patient = {name: f"p{name}" for name in label}
    return {
        route: HeldOut(
            label,
            patient,
            {"dynamic": {n: d * (d * (truth - 0.5) + float(rng.normal())) for n, truth in label.items()}},
        )
        for route, d in strengths.items()
    }


def test_independent_routes_are_added_and_a_useless_one_is_not() -> None:
    routes = held_out(2000, {"hotspot": 1.0, "radiomics": 1.5, "unet": 0.0})
    stack = fit_stack(routes)
    weights = stack.weights["dynamic"]
    assert weights["hotspot"] == pytest.approx(1.0, abs=0.25)  # independent evidence adds up in log-odds
    assert weights["radiomics"] == pytest.approx(1.0, abs=0.2)
    fresh = held_out(2000, {"hotspot": 1.0, "radiomics": 1.5}, seed=1)
    share = {r: {n: 1 / (1 + np.exp(-x)) for n, x in each.log_odds["dynamic"].items()} for r, each in fresh.items()}
    label = fresh["hotspot"].label
    scores = [stack.score({route: share[route][name] for route in share}, "dynamic") for name in label]
    alone = auc(list(label.values()), [share["radiomics"][name] for name in label])
    assert auc(list(label.values()), scores) > alone + 0.02
    assert stack.training["dynamic"]["out_of_fold_auc"] > alone
    slope, _ = stack.calibration.line("dynamic")
    assert slope == pytest.approx(1.0, abs=0.2)


def test_weights_are_never_negative() -> None:
    routes = held_out(200, {"hotspot": 1.0, "unet": 1.0})
    turned = {name: -value for name, value in routes["unet"].log_odds["dynamic"].items()}
    routes["unet"] = HeldOut(routes["unet"].label, routes["unet"].patient, {"dynamic": turned})
    assert fit_stack(routes).weights["dynamic"]["unet"] == 0.0


def test_a_missing_answer_says_nothing() -> None:
    stack = fit_stack(held_out(200, {"hotspot": 1.0, "unet": 1.5}))
    both = stack.score({"hotspot": 0.5, "unet": 0.8}, "dynamic")
    assert stack.score({"hotspot": None, "unet": 0.8}, "dynamic") == pytest.approx(both)
    assert stack.score({"unet": 0.8, "inception_resnet": 0.1}, "dynamic") == pytest.approx(both)
    assert stack.predict({"hotspot": None}, "dynamic").probabilities is None
    assert "not fitted for the regime single" in (stack.predict({"unet": 0.8}, "single").reason or "")


def test_only_cases_that_no_route_was_fitted_on_are_used() -> None:
    routes = held_out(60, {"hotspot": 1.0, "unet": 1.0})
    few = {name: value for k, (name, value) in enumerate(routes["unet"].label.items()) if k < 24}
    routes["unet"] = HeldOut(few, routes["unet"].patient, routes["unet"].log_odds)
    assert fit_stack(routes).training["dynamic"]["cases"] == 24
    routes["unet"] = HeldOut(dict(list(few.items())[:12]), routes["unet"].patient, routes["unet"].log_odds)
    with pytest.raises(InvalidArgumentError, match="share at least 20 cases"):
        fit_stack(routes)


def test_file_round_trip(tmp_path: Path) -> None:
    stack = fit_stack(held_out(60, {"hotspot": 1.0, "unet": 1.0}))
    again = StackedModel.load(stack.save(tmp_path / "deep" / "stacked.json"))
    assert again == stack
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ModelError, match=r"broken\.json of the stacked model cannot be read"):
        StackedModel.load(tmp_path / "broken.json")
    values = stack.to_dict()
    with pytest.raises(ModelError, match="format of a stacked model"):
        StackedModel.from_dict(values | {"format": "other/1"})
    with pytest.raises(ModelError, match="intercept in each regime"):
        StackedModel.from_dict(values | {"weights": {"dynamic": {"unet": 1.0}}})
    with pytest.raises(ModelError, match="calibration"):
        StackedModel.from_dict({name: value for name, value in values.items() if name != "calibration"})


def line(slope: float, intercept: float) -> Calibration:
    fitted = fit_calibration([-1.0, 1.0, -0.5, 0.5], [0, 1, 0, 1], ["dynamic"] * 4).to_dict()
    fitted["regimes"]["dynamic"] |= {"slope": slope, "intercept": intercept}
    return Calibration.from_dict(fitted)


def test_records_of_trainings_are_stacked(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    names = [f"c{k}" for k in range(40)]
    facts: list[dict[str, Any]] = [
        {"case_id": name, "patient_id": f"p{name}", "diagnosis": ("metastasis", "primary_malignant")[k % 2]}
        for k, name in enumerate(names)
    ]
    cases = [PreparedCase(tmp_path, each) for each in facts]
    for route in ("hotspot", "unet"):
        record = tmp_path / route / "training"
        record.mkdir(parents=True)
        scores = {name: float(k % 2 + rng.normal()) for k, name in enumerate(names)}
        scores["c3"] = float("nan")
        write_held_out(record, cases, {"dynamic": scores}, line(2.0, -1.0), {"simulated": {"seed": [1]}, "cases": 40})
        found, origin = read_held_out(tmp_path / route)
        assert found.log_odds["dynamic"]["c5"] == pytest.approx(2.0 * scores["c5"] - 1.0)
        assert "c3" not in found.log_odds["dynamic"]
        assert found.label["c3"] == 1
        assert origin["simulated"] == {"seed": [1]}
    path = train_stack({route: tmp_path / route for route in ("hotspot", "unet")}, tmp_path / "out")
    assert path == tmp_path / "out" / "stacked.json"
    assert json.loads(path.read_text())["training"]["simulated"] == {"seed": [1]}
    with pytest.raises(InvalidArgumentError, match="at least two routes"):
        train_stack({"unet": tmp_path / "unet"}, tmp_path)
    with pytest.raises(InvalidArgumentError, match=r"absent must hold training/held_out\.json"):
        train_stack({"unet": tmp_path / "unet", "hotspot": tmp_path / "absent"}, tmp_path)


def judged(folder: Path, routes: dict[str, HeldOut], simulated: bool = True) -> Path:
    """What an evaluation of these routes would have written."""
    lines = ["case_id,patient_id,diagnosis,regime,mask_source,route,probability"]
    for route, said in routes.items():
        for name, label in said.label.items():
            odds = said.log_odds["dynamic"].get(name)
            share = "" if odds is None else str(float(1.0 / (1.0 + np.exp(-odds))))
            diagnosis = ("metastasis", "primary_malignant")[label]
            for source, value in (("end_to_end", share), ("truth_mask", "0.5")):
                lines.append(f"{name},{said.patient[name]},{diagnosis},dynamic,{source},{route},{value}")
        (folder / route).mkdir(parents=True)
        cohort = {"name": "matched", "seed": 7, "cases": len(said.label)}
        about = {"simulated": simulated, "simulator_version": "2.0", "cohort": cohort}
        (folder / route / "evaluation.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_an_evaluation_is_stacked_as_held_out_answers_are(tmp_path: Path) -> None:
    routes = held_out(200, {"hotspot": 1.0, "unet": 1.5})
    silent = dict(list(routes["hotspot"].log_odds["dynamic"].items())[5:])
    routes["hotspot"] = HeldOut(routes["hotspot"].label, routes["hotspot"].patient, {"dynamic": silent})
    path = stack_evaluation(judged(tmp_path / "evaluation", routes), tmp_path)
    found, wanted = StackedModel.load(path), fit_stack(routes)
    assert found.weights["dynamic"] == pytest.approx(wanted.weights["dynamic"], abs=1e-6)
    assert found.training["simulated"]["seed"] == [7]  # evaluate_cohort refuses to judge it on that seed
    assert found.training["simulated_cases"] == 200


def test_an_evaluation_of_patients_names_no_seed(tmp_path: Path) -> None:
    folder = judged(tmp_path / "evaluation", held_out(60, {"hotspot": 1.0, "unet": 1.5}), simulated=False)
    assert "simulated" not in StackedModel.load(stack_evaluation(folder, tmp_path)).training


def test_what_cannot_be_stacked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="must be a folder that 'spinehub evaluate' wrote"):
        stack_evaluation(tmp_path, tmp_path)
    folder = judged(tmp_path / "evaluation", held_out(60, {"unet": 1.5}))
    with pytest.raises(InvalidArgumentError, match=r"at least 2 routes to be stacked, got \['unet'\]"):
        stack_evaluation(folder, tmp_path)
