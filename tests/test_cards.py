"""Cards: every number comes from evaluation.json, the metadata is valid, the schema names what is wrong."""

import copy
import json
import math
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from spinehub.cards import held_out_score, render_card, render_folder, validate_evaluation
from spinehub.cards.evaluation_file import (
    ANSWER_FIGURES,
    MASK_FIGURES,
    MASK_SOURCES,
    MORE_ANSWER_FIGURES,
    MORE_MASK_FIGURES,
    REGIMES,
)
from spinehub.cards.wording import FIGURES_IN_WORDS, ROUTE_WORDS
from spinehub.errors import ModelError

ROOT = Path(__file__).parents[1]
FIRST = "**Trained on simulated cases. Accuracy on real patients: unknown. Not for clinical use.**"


def scores(figures, start):
    numbers = {name: round(start + 0.01 * k, 3) for k, name in enumerate(figures)}
    found = {name: {"value": v, "low": round(v - 0.05, 3), "high": round(v + 0.05, 3)} for name, v in numbers.items()}
    return {"n": 200, "n_answered": 187} | found


@pytest.fixture
def evaluation():
    figures = (*ANSWER_FIGURES, *MASK_FIGURES)
    regimes = {
        regime: {source: scores(figures, 0.5 + 0.1 * i + 0.02 * j) for j, source in enumerate(MASK_SOURCES)}
        for i, regime in enumerate(REGIMES)
    }
    return {
        "format": "spinehub-evaluation/1",
        "model": "unet-dce",
        "route": "unet",
        "simulated": True,
        "simulator_version": "1",
        "cohort": {"name": "matched", "seed": 77, "cases": 200, "training_seed": 1, "training_cases": 600},
        "regimes": regimes,
        "baselines": {"age only": {"auc": {"value": 0.512, "low": 0.43, "high": 0.59}}},
        "training": {"epochs": 12, "seed": 1},
        "command": "spinehub evaluate --data cohort --output scores",
    }


CONFIG = {"_spinehub": {"files": {"model.safetensors": {"sha256": "ab" * 32, "bytes": 123456}}}}


def test_input_on_which_a_model_is_no_better_than_a_coin_is_named(evaluation):
    for regime in REGIMES:
        evaluation["regimes"][regime]["end_to_end"]["auc"] = {"value": 0.57, "low": 0.51, "high": 0.64}
    assert "No better than chance" not in render_card(evaluation, CONFIG)
    evaluation["regimes"]["single"]["end_to_end"]["auc"] = {"value": 0.57, "low": 0.5, "high": 0.64}
    assert "**No better than chance: one volume.** The interval of the AUC reaches 0.5" in render_card(
        evaluation, CONFIG
    )
    evaluation["regimes"]["single"]["end_to_end"]["n_answered"] = 49
    assert "No better than chance" not in render_card(evaluation, CONFIG)


def test_input_on_which_outlines_are_worse_than_none_is_named(evaluation):
    scores = evaluation["regimes"]["single"]["end_to_end"]
    scores["gap_closed"] = {"value": -0.1, "low": -0.3, "high": 0.01}
    assert "Outlines worse than none" not in render_card(evaluation, CONFIG)
    scores["gap_closed"] = {"value": -0.4, "low": -0.6, "high": -0.2}
    assert "**Outlines worse than none: one volume.** An empty mask is closer" in render_card(evaluation, CONFIG)


def test_a_large_fall_in_the_second_world_is_said_first(evaluation):
    def figure(value):
        return {"value": value, "low": value - 0.05, "high": value + 0.05}

    regimes = {
        "dynamic": {"auc": figure(0.61), "drop": figure(0.165)},
        "single": {"auc": figure(0.6), "drop": figure(0.1)},
    }
    evaluation["second_world"] = {"seed": 5, "cases": 150, "regimes": regimes}
    text = render_card(evaluation, CONFIG)
    assert f"{FIRST} **In a second simulated world its AUC falls by 0.17 (dynamic (timed series)).**" in text
    assert "| second simulated world (150 patients), end to end | AUC | fall from the table above |" in text
    assert "| one volume | 0.600 (0.550 to 0.650) | 0.100 (0.050 to 0.150) |" in text
    del regimes["dynamic"]
    assert "**In a second" not in render_card(evaluation, CONFIG)
    for broken in ({"seed": 5, "regimes": regimes}, {"seed": 5, "cases": 1, "regimes": {"dynamic": {}}}, []):
        evaluation["second_world"] = broken
        with pytest.raises(ModelError, match="second_world"):
            validate_evaluation(evaluation)


def test_the_first_paragraph_says_what_must_be_said_first(evaluation):
    body = render_card(evaluation, CONFIG).split("---\n", 2)[2]
    paragraphs = [part for part in body.split("\n\n") if part.strip() and not part.strip().startswith("#")]
    assert paragraphs[0] == FIRST


def test_every_figure_of_the_evaluation_stands_in_the_card(evaluation):
    card = render_card(evaluation, CONFIG)
    for sources in evaluation["regimes"].values():
        for each in sources.values():
            for name in (*ANSWER_FIGURES, *MASK_FIGURES):
                figure = each[name]
                assert f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})" in card
    assert "187 of 200" in card
    assert "0.512 (0.430 to 0.590)" in card
    assert "cohort `matched` (seed 77, simulator\nversion 1)" in card.replace("simulator version", "simulator\nversion")
    assert "spinehub evaluate --data cohort" in card
    assert "ab" * 32 in card


def test_no_other_decimal_number_stands_in_the_tables(evaluation):
    card = render_card(evaluation, CONFIG)
    known = re.findall(r"\d\.\d{3}", json.dumps(evaluation, indent=0))
    allowed = {f"{float(number):.3f}" for number in re.findall(r"-?\d+\.\d+", json.dumps(evaluation))} | set(known)
    tables = "\n".join(line for line in card.splitlines() if line.startswith("|"))
    assert set(re.findall(r"\d\.\d{3}", tables)) <= allowed


def test_pixel_accuracy_never_stands_alone(evaluation):
    lines = render_card(evaluation, CONFIG).splitlines()
    row = next(k for k, line in enumerate(lines) if line.startswith("| pixel accuracy |"))
    assert lines[row + 1].startswith("| pixel accuracy of an empty mask |")
    assert lines[row - 1].startswith("| IoU |")
    assert lines[row - 2].startswith("| Dice |")
    del evaluation["regimes"]["dynamic"]["end_to_end"]["empty_mask_pixel_accuracy"]
    with pytest.raises(ModelError, match="lacks empty_mask_pixel_accuracy"):
        validate_evaluation(evaluation)


@pytest.mark.parametrize("route", list(ROUTE_WORDS))
def test_metadata_is_valid_for_the_hub(evaluation, route):
    evaluation["route"] = route
    card = ModelCard(render_card(evaluation, CONFIG))
    assert card.data.license == "apache-2.0"
    assert card.data.library_name in {"spinehub", "timm", "segmentation-models-pytorch"}
    assert {"spinehub", "simulated-data", "not-for-clinical-use"} <= set(card.data.tags)
    assert card.data.model_name == "unet-dce"
    assert len(card.data.eval_results) == 3 * 2 * 3  # regimes, mask sources, AUC and accuracy and Dice
    values = {result.metric_value for result in card.data.eval_results}
    assert evaluation["regimes"]["single"]["truth_mask"]["auc"]["value"] in values
    assert all("simulated" in result.dataset_name for result in card.data.eval_results)


def test_a_card_names_the_out_of_scope_tumours_and_how_to_load(evaluation):
    text = render_card(evaluation, CONFIG)
    assert "Myeloma, plasmacytoma and lymphoma belong to neither class" in text
    assert 'spinehub.from_pretrained("unet-dce")' in text
    assert 'smp.from_pretrained("DIR")' in text
    assert "hf.co/" not in text  # nothing is on the Hub: no invented addresses
    assert "{" not in text.split("## Training")[0].split("---\n", 2)[2]  # no placeholder is left


def test_a_card_names_the_teacher(evaluation):
    assert "reproduce what the U-Net" not in render_card(evaluation, CONFIG)
    evaluation["training"] = {"fit": {"teacher": {"model": "unet-dce", "sha256": "0123456789abcdef"}}}
    text = " ".join(render_card(evaluation, CONFIG).split())
    assert "what the U-Net `unet-dce` sees at the same places (SHA-256 0123456789ab), so that the two agree" in text


def test_a_model_that_does_not_segment(evaluation):
    for sources in evaluation["regimes"].values():
        for each in sources.values():
            for name in MASK_FIGURES:
                del each[name]
    evaluation |= {"route": "hotspot", "model": "hotspot-dce", "baselines": {}, "training": {}}
    del evaluation["regimes"]["single"], evaluation["regimes"]["dynamic"]["truth_mask"]
    evaluation["regimes"]["dynamic"]["end_to_end"]["calibration_slope"] = {"value": None, "low": None, "high": None}
    card = render_card(evaluation, {"spinehub": {}})
    assert "Dice" not in card
    assert "pixel accuracy" not in card.lower()
    assert "| calibration slope | undefined |" in card
    assert "`config.json` is the whole model." in card
    assert card == render_card(copy.deepcopy(evaluation), {"spinehub": {}})


def replace(path, value):
    def change(evaluation):
        *parents, last = path.split(".")
        for parent in parents:
            evaluation = evaluation[parent]
        evaluation[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replace("format", "spinehub-evaluation/2"), "format must be"),
        (replace("route", "oracle"), "route must be one of"),
        (replace("simulated", False), "simulated must be true"),
        (replace("command", ""), "command must be a text"),
        (replace("cohort.cases", "many"), r"cohort\.cases must be a whole number"),
        (replace("cohort.training_seed", 77), r"cohort\.seed must differ from cohort\.training_seed"),
        (replace("cohort", None), "cohort must be an object"),
        (replace("regimes", {}), "regimes must hold"),
        (replace("regimes.static", {}), "regimes must hold"),
        (replace("regimes.dynamic", {}), r"regimes\.dynamic must hold one or both"),
        (replace("regimes.dynamic.end_to_end", 3), "must be an object"),
        (replace("regimes.dynamic.end_to_end.n_answered", 999), "n_answered at most n"),
        (replace("regimes.dynamic.end_to_end.luck", {}), "luck is not a known figure"),
        (replace("regimes.dynamic.end_to_end.auc", 0.9), "auc must hold value, low and high"),
        (replace("regimes.dynamic.end_to_end.auc.value", 1.9), "auc must lie in 0 to 1"),
        (replace("regimes.dynamic.end_to_end.auc.value", math.nan), "finite numbers or null"),
        (replace("regimes.dynamic.end_to_end.hd95_mm.low", 99.0), "must not exceed its high"),
        (replace("baselines", []), "baselines must be an object"),
        (replace("baselines.luck", 1), r"baselines\.luck must be an object"),
        (lambda evaluation: evaluation["regimes"]["dynamic"]["end_to_end"].pop("brier"), "lacks brier"),
    ],
)
def test_the_schema_names_what_is_wrong(evaluation, change, message):
    validate_evaluation(evaluation)
    change(evaluation)
    with pytest.raises(ModelError, match=message):
        render_card(evaluation, CONFIG)


def test_many_problems_are_counted():
    with pytest.raises(ModelError, match=r"; and \d+ more$"):
        validate_evaluation({})


def test_figures_of_a_newer_evaluation_get_rows_of_their_own(evaluation):
    plain = render_card(evaluation, {})
    assert "| efficiency |" not in plain
    scores = evaluation["regimes"]["dynamic"]["end_to_end"]
    scores["efficiency"] = {"value": 0.71, "low": -0.2, "high": 1.1}  # may leave 0 to 1 by chance
    scores["mean_iou"] = {"value": 0.61, "low": 0.5, "high": 0.7}
    card = render_card(evaluation, {})
    assert "| efficiency | 0.710 (-0.200 to 1.100) |" in card
    assert "| mean IoU of the classes | 0.610 (0.500 to 0.700) |" in card
    assert len(card.splitlines()) == len(plain.splitlines()) + 2


def test_every_figure_has_a_name_in_words():
    assert set(FIGURES_IN_WORDS) == {*ANSWER_FIGURES, *MORE_ANSWER_FIGURES, *MASK_FIGURES, *MORE_MASK_FIGURES}


def test_a_folder_is_rendered_from_its_two_files(evaluation, tmp_path):
    with pytest.raises(ModelError, match=r"evaluation\.json is needed for the card"):
        render_folder(tmp_path)
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert render_folder(tmp_path) == render_card(evaluation, CONFIG)


@pytest.mark.parametrize("folder", sorted((ROOT / "spinehub" / "pretrained").glob("*/")), ids=lambda path: path.name)
def test_published_cards_are_what_their_folders_render_to(folder):
    card = ROOT / "model_cards" / f"{folder.name}.md"
    assert card.read_text(encoding="utf-8") == render_folder(folder)


def test_held_out_score_of_a_report(evaluation):
    figure = evaluation["regimes"]["pre_post"]["end_to_end"]["auc"]
    assert held_out_score(evaluation, "pre_post") == {
        "auc": figure["value"],
        "accuracy": evaluation["regimes"]["pre_post"]["end_to_end"]["accuracy"]["value"],
        "interval": [figure["low"], figure["high"]],
        "n": 187,
        "cohort": "matched",
        "regime": "pre_post",
        "mask_source": "end_to_end",
        "simulated": True,
    }
    del evaluation["regimes"]["pre_post"]["end_to_end"]
    assert held_out_score(evaluation, "pre_post")["mask_source"] == "truth_mask"
    evaluation["regimes"]["pre_post"]["truth_mask"]["auc"]["value"] = None
    assert held_out_score(evaluation, "pre_post") is None
    del evaluation["regimes"]["single"]
    assert held_out_score(evaluation, "single") is None
    assert held_out_score(None, "dynamic") is None
