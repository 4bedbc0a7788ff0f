"""What is checked before it is sent: card, numbers, hashes, golden output, stock loading; what a dry run says."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from spinehub.cards import check_card, render_folder
from spinehub.errors import ModelError
from spinehub.hub import publish
from spinehub.models import from_pretrained
from spinehub.models.folder import read_config, record_files
from spinehub.models.golden import check_golden
from spinehub.models.stock import check_stock

ROUTES = ["hotspot", "radiomics", "unet", "inception_resnet"]


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.mark.parametrize("route", ROUTES)
def test_a_dry_run_says_exactly_what_would_be_sent(folders: dict[str, Path], route: str) -> None:
    text = publish(folders[route], "me/tiny", dry_run=True, private=True)
    assert "Would send to me/tiny (if new: private), tagged v" in text
    listed, _, card = text.partition("The card, README.md:\n\n")
    for path in folders[route].iterdir():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        assert f"  {path.name} ({path.stat().st_size} bytes, sha256 {digest})" in listed
    assert f"{len(list(folders[route].iterdir())) + 1} files, " in listed
    assert card == render_folder(folders[route], "me/tiny")


@pytest.mark.parametrize("route", ROUTES)
def test_another_golden_output_is_refused(folders: dict[str, Path], tmp_path: Path, route: str) -> None:
    folder = copy_of(folders[route], tmp_path)
    assert check_golden(from_pretrained(folder), folder) == 0.0
    arrays = load_file(folder / "golden.safetensors")
    assert max(array.nbytes for array in arrays.values()) < 100_000
    name = next(name for name in sorted(arrays) if name.startswith("output."))
    arrays[name] = arrays[name] + np.asarray(1e-3, arrays[name].dtype)
    save_file(arrays, folder / "golden.safetensors")
    with pytest.raises(ModelError, match=r"golden\.safetensors .* sha256 differs"):
        publish(folder, "me/tiny", dry_run=True)
    record_files(folder)
    with pytest.raises(ModelError, match="does not give its golden output any more: the largest difference is"):
        publish(folder, "me/tiny", dry_run=True)


def test_a_golden_input_of_another_model_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = copy_of(folders["unet"], tmp_path)
    shutil.copyfile(folders["inception_resnet"] / "golden.safetensors", folder / "golden.safetensors")
    record_files(folder)
    with pytest.raises(ModelError, match="golden"):
        check_golden(from_pretrained(folder), folder)


def test_a_regime_without_calibration_has_a_golden_output_too(folders: dict[str, Path], tmp_path: Path) -> None:
    model = from_pretrained(folders["radiomics"])
    bare = replace(model, calibration=replace(model.calibration, regimes={}))
    folder = bare.save_pretrained(tmp_path / "bare")
    assert check_golden(from_pretrained(folder), folder) == 0.0
    scores = load_file(folder / "golden.safetensors")["output.dynamic"]
    calibrated = load_file(folders["radiomics"] / "golden.safetensors")["output.dynamic"]
    assert [model.calibration.probability(score, "dynamic") for score in scores] == pytest.approx(calibrated)


def test_wrong_wiring_changes_the_golden_output(folders: dict[str, Path], tmp_path: Path) -> None:
    """The same tensors under other names load without complaint: only the golden output tells."""
    folder = copy_of(folders["unet"], tmp_path)
    weights = load_file(folder / "model.safetensors")
    one, other = "decoder.blocks.1.conv1.1.weight", "decoder.blocks.1.conv2.1.weight"
    assert weights[one].shape == weights[other].shape
    weights[one], weights[other] = weights[other] + 0.5, weights[one]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    record_files(folder)
    with pytest.raises(ModelError, match="golden output any more"):
        check_golden(from_pretrained(folder), folder)


@pytest.mark.parametrize("route", ["unet", "inception_resnet"])
def test_stock_tools_must_give_equal_logits(folders: dict[str, Path], tmp_path: Path, route: str) -> None:
    folder = copy_of(folders[route], tmp_path)
    model = from_pretrained(folder)
    assert check_stock(model, folder) == pytest.approx(0.0, abs=1e-5)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("weight") and weights[name].ndim == 4)
    weights[name] = weights[name] * np.float32(1.5)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="other logits than spinehub"):
        check_stock(model, folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="does not load in stock tools"):
        check_stock(model, folder)


def test_models_without_a_network_have_no_stock_tool(folders: dict[str, Path]) -> None:
    assert check_stock(from_pretrained(folders["hotspot"]), folders["hotspot"]) is None


def changed(card: str, old: str, new: str) -> str:
    assert old in card
    return card.replace(old, new, 1)


CARDS: dict[str, tuple[Any, str]] = {
    "no front matter": (lambda card: "# Mine\n", "must begin with YAML metadata"),
    "broken front matter": (lambda card: "---\na: [\n---\n", "must begin with valid YAML metadata"),
    "no licence": (lambda card: changed(card, "license: apache-2.0\n", ""), "must name its license"),
    "no tag": (lambda card: changed(card, "- spinehub\n", ""), "tag spinehub"),
    "another result": (lambda card: changed(card, "value: 0.51", "value: 0.98"), r"says 0\.98 in place of 0\.51"),
    "a result more": (lambda card: changed(card, "type: roc_auc", "type: f1"), "must state the numbers"),
    "another row": (lambda card: changed(card, "| AUC | 0.500", "| AUC | 0.900"), "lacks the row '| AUC"),
    "no warning": (lambda card: changed(card, "Not for clinical use.**", "**"), "must say: "),
    "a strange hash": (lambda card: card + "a" * 64, "no file of the model has"),
    "a broken index": (lambda card: changed(card, "metrics:", "measures:"), "not as the Hub reads it"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_ones_own_must_tell_the_truth(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    change, sentence = CARDS[name]
    folder = copy_of(folders["unet"], tmp_path)
    card = render_folder(folder)
    (folder / "README.md").write_text(card + "\nOur own words.\n")
    assert "Our own words" in publish(folder, "me/tiny", dry_run=True)
    (folder / "README.md").write_text(change(card))
    with pytest.raises(ModelError, match=sentence) as caught:
        publish(folder, "me/tiny", dry_run=True)
    assert "\n" not in str(caught.value)


def test_without_evaluation_a_card_may_state_no_result(folders: dict[str, Path], tmp_path: Path) -> None:
    model = from_pretrained(folders["unet"])
    card = render_folder(folders["unet"])
    model.evaluation = None
    bare = model.save_pretrained(tmp_path / "bare")
    with pytest.raises(ModelError, match=r"no evaluation\.json to make a card from"):
        publish(bare, "me/bare", dry_run=True)
    (bare / "README.md").write_text(card)
    with pytest.raises(ModelError, match=r"states results, and there is no evaluation\.json"):
        publish(bare, "me/bare", dry_run=True)
    own = "---\nlicense: mit\nlibrary_name: spinehub\ntags: [spinehub]\n---\n\n# My own card\n"
    (bare / "README.md").write_text(own)
    assert publish(bare, "me/bare", dry_run=True).endswith(own)


def test_hashes_are_those_of_the_weights_not_of_what_is_told_about_them(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(folders["unet"], tmp_path)
    before = from_pretrained(folder).sha256
    for name in ("golden.json", "golden.safetensors", "evaluation.json"):
        (folder / name).unlink()
    record_files(folder)
    loaded = from_pretrained(folder)
    assert loaded.sha256 == before
    assert check_golden(loaded, folder) is None
    check_card(render_folder(folders["unet"]), json.loads((folders["unet"] / "evaluation.json").read_text()),
               read_config(folder))  # fmt: skip
