"""Model folders: what is written is read again, and anything else is refused in one sentence."""

import filecmp
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch_file

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import (
    EMBEDDED,
    LesionClassifier,
    LesionSegmenter,
    WeightsNotInstalledError,
    from_pretrained,
    save_embedded,
    verify_folder,
    write_evaluation,
)
from spinehub.models.folder import model_digest, read_config

SPEC = PreprocessingSpec(size=32)
TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}


@pytest.fixture(scope="module")
def segmenter() -> LesionSegmenter:
    torch.manual_seed(0)
    model = LesionSegmenter.create(SPEC, **TINY)
    for module in model.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # Statistics as after a training: not 0 and 1, some of them tiny.
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(1e-4, 2.0)
    return model


@pytest.fixture
def folder(segmenter: LesionSegmenter, tmp_path: Path) -> Path:
    return segmenter.save_pretrained(tmp_path / "tiny-unet")


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def same_weights(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    first, second = one.tensors(), other.tensors()
    return set(first) == set(second) and all(
        np.allclose(first[name], second[name], rtol=tolerance, atol=tolerance * 1e-2) for name in first
    )


def test_what_is_saved_is_loaded(segmenter: LesionSegmenter, folder: Path) -> None:
    loaded = from_pretrained(folder)
    assert isinstance(loaded, LesionSegmenter)
    assert same_weights(segmenter, loaded)
    assert loaded.spec == SPEC
    assert loaded.model_id == "tiny-unet"
    assert loaded.sha256 == model_digest(read_config(folder))
    assert loaded.evaluation is None
    assert same_weights(LesionSegmenter.from_pretrained(folder), loaded)


def test_saving_twice_gives_the_same_bytes(segmenter: LesionSegmenter, folder: Path, tmp_path: Path) -> None:
    again = from_pretrained(folder).save_pretrained(tmp_path / "again")
    for path in folder.iterdir():
        assert filecmp.cmp(path, again / path.name, shallow=False), path.name


def test_embedded_folder_is_half_precision_in_small_shards(
    segmenter: LesionSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinehub.models.loading._SHARD", "200KB")
    save_embedded(segmenter, tmp_path / "embedded")
    shards = sorted((tmp_path / "embedded").glob("model-*.safetensors"))
    assert len(shards) > 1
    for name, values in load_file(shards[0]).items():
        assert values.dtype == (np.float16 if values.ndim > 1 else values.dtype), name
    loaded = from_pretrained(tmp_path / "embedded")
    assert all(value.dtype != np.float16 for value in loaded.tensors().values())
    assert same_weights(segmenter, loaded, tolerance=1e-3)  # half precision keeps 11 bits
    picture = torch.rand(1, 14, 32, 32)
    with torch.no_grad():
        logits, expected = loaded.network(picture), segmenter.network.eval()(picture)
    assert (logits - expected).abs().max() < 1e-2 * expected.abs().max()


def test_evaluation_is_added_without_changing_what_the_model_is(folder: Path) -> None:
    before = from_pretrained(folder).sha256
    write_evaluation(folder, {"format": "spinehub-evaluation/1", "auc": 0.5})
    loaded = from_pretrained(folder)
    assert loaded.evaluation == {"format": "spinehub-evaluation/1", "auc": 0.5}
    assert loaded.sha256 == before
    (folder / "evaluation.json").write_text('{"auc": 1.0}')
    with pytest.raises(ModelError, match=r"evaluation\.json .* sha256 differs"):
        from_pretrained(folder)


def test_class_must_fit(folder: Path) -> None:
    with pytest.raises(ModelError, match="must be a LesionClassifier"):
        LesionClassifier.from_pretrained(folder)


@pytest.mark.parametrize("name", ["nothing-here", "./no/such/folder", "/no/such/folder"])
def test_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ModelError, match=r"no model .*unet-dce.*organisation/name") as caught:
        from_pretrained(name)
    assert "no/such" not in str(caught.value)


def test_embedded_weights_that_are_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("spinehub.models.sources._PRETRAINED", tmp_path)
    for name in EMBEDDED:
        with pytest.raises(WeightsNotInstalledError, match="not part of this installation"):
            from_pretrained(name)


def test_revision_is_for_the_hub(folder: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="belongs to a Hub repository"):
        from_pretrained(folder, revision="v1")
    with pytest.raises(InvalidArgumentError, match="given once"):
        from_pretrained("someone/something@v1", revision="v2")


def test_missing_config(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", "", "\x00" * 40])
def test_broken_config(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match="JSON"):
        from_pretrained(tmp_path)


def test_endless_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(" " * (4 * 2**20 + 1))
    with pytest.raises(ModelError, match="larger than 4 MiB"):
        from_pretrained(tmp_path)


def test_stock_folder_without_our_part(folder: Path) -> None:
    change_config(folder, lambda config: config.pop("_spinehub"))
    with pytest.raises(ModelError, match="a stock timm or smp folder alone"):
        from_pretrained(folder)


CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda c: c["_spinehub"].update(kind="os.system"), "kind of the model must be one of"),
    (lambda c: c["_spinehub"].update(kind=["lesion-segmenter"]), "kind of the model must be one of"),
    (lambda c: c["_spinehub"].update(format_version=2), "format_version of the model must be 1, got 2"),
    (lambda c: c["_spinehub"].pop("files"), "lists no files"),
    (lambda c: c["_spinehub"]["files"].update({"../../etc/passwd": {"sha256": "0"}}), "plain names"),
    (lambda c: c["_spinehub"]["files"].update({"/etc/hosts.json": {"sha256": "0"}}), "plain names"),
    (lambda c: c["_spinehub"]["files"].update({"a..json": {"sha256": "0"}}), "plain names"),
    (lambda c: c["_spinehub"]["files"].update({"b.json": {"sha256": "0"}}), "missing"),
    (lambda c: c["_spinehub"]["files"].update({"model.safetensors": 3}), "sha256 differs"),
    (lambda c: c.update(_model_class="Linknet"), "must be 'Unet'"),
    (lambda c: c.update(classes=7), "classes of the segmenter must be 3"),
    (lambda c: c.update(encoder_name="tu-hf-hub:someone/evil"), "plain name of an architecture"),
    (lambda c: c.update(encoder_name="resnet9000"), "cannot build"),
    (lambda c: c.update(surprise=1), "cannot build"),
    (lambda c: c.update(decoder_channels=[16, 8, 4]), "do not fit its config"),
    (lambda c: c["_spinehub"].pop("preprocessing"), "preprocessing"),
    (lambda c: c["_spinehub"]["preprocessing"].update(size=3), "preprocessing"),
    (lambda c: c["_spinehub"].update(least_lesion_share="much"), "least_lesion_share"),
    (lambda c: c["_spinehub"].update(calibration={"regimes": 3}), "calibration"),
    (lambda c: c["_spinehub"].update(domain={"dynamic": {}}), "domain"),
]


@pytest.mark.parametrize(("change", "sentence"), CHANGES, ids=[sentence for _, sentence in CHANGES])
def test_altered_config_is_refused(folder: Path, change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    change_config(folder, change)
    with pytest.raises(ModelError, match=sentence):
        from_pretrained(folder)


def test_altered_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="sha256 differs"):
        verify_folder(folder)


def test_missing_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        from_pretrained(folder)


def test_extra_shard_is_refused(folder: Path) -> None:
    save_file({"x": np.zeros(3, np.float32)}, folder / "model-00002-of-00002.safetensors")
    with pytest.raises(ModelError, match=r"config\.json does not list it"):
        from_pretrained(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "x.PKL", "a.joblib", "last.ckpt"])
def test_pickle_beside_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match="could run code"):
        from_pretrained(folder)


def test_weights_that_are_no_safetensors(folder: Path) -> None:
    from spinehub.models.folder import record_files

    (folder / "model.safetensors").write_bytes(b"not a tensor file")
    record_files(folder)
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        from_pretrained(folder)


def test_tensor_in_two_files_is_refused(folder: Path) -> None:
    from spinehub.models.folder import record_files

    name = next(iter(load_file(folder / "model.safetensors")))
    save_file({name: np.zeros(3, np.float32)}, folder / "other.safetensors")
    record_files(folder)
    with pytest.raises(ModelError, match="a second time"):
        from_pretrained(folder)


def test_saving_over_something_else_is_refused(segmenter: LesionSegmenter, tmp_path: Path) -> None:
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "precious.safetensors")
    with pytest.raises(InvalidArgumentError, match="empty folder"):
        segmenter.save_pretrained(tmp_path)
    assert (tmp_path / "precious.safetensors").is_file()


def test_saving_over_an_older_model_leaves_none_of_it(segmenter: LesionSegmenter, folder: Path) -> None:
    write_evaluation(folder, {"auc": 0.5})
    segmenter.save_pretrained(folder)
    assert from_pretrained(folder).evaluation is None


@pytest.fixture
def shards(segmenter: LesionSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An embedded folder of several shards."""
    monkeypatch.setattr("spinehub.models.loading._SHARD", "200KB")
    return save_embedded(segmenter, tmp_path / "embedded")


def test_altered_missing_and_exchanged_shards_are_refused(shards: Path) -> None:
    first, second = sorted(shards.glob("model-*.safetensors"))[:2]
    content = first.read_bytes()
    first.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"model-00001-of-\d+\.safetensors in embedded is not the file that was saved"):
        from_pretrained(shards)
    first.write_bytes(second.read_bytes())
    with pytest.raises(ModelError, match="not the file that was saved"):
        from_pretrained(shards)
    first.unlink()
    with pytest.raises(ModelError, match=r"model-00001-of-\d+\.safetensors is missing in embedded"):
        from_pretrained(shards)


def test_a_shard_left_out_of_the_list_is_missed(shards: Path) -> None:
    first = min(shards.glob("model-*.safetensors"))
    first.unlink()
    change_config(shards, lambda config: config["_spinehub"]["files"].pop(first.name))
    with pytest.raises(ModelError, match="do not fit its config"):
        from_pretrained(shards)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "golden.json"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """Also where the file at its other end is the right one: what is outside may change or hold a secret."""
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(ModelError, match="is a link to a file outside the folder"):
        from_pretrained(folder)


def test_links_inside_the_cache_of_the_hub_are_followed(folder: Path, tmp_path: Path) -> None:
    commit = "0" * 40
    snapshot, blobs = tmp_path / "models--me--x" / "snapshots" / commit, tmp_path / "models--me--x" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in folder.iterdir():
        path.rename(blobs / path.name)
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
    assert from_pretrained(snapshot).model_id == commit


@pytest.mark.parametrize("name", ["evaluation.json", "golden.safetensors"])
def test_what_tells_about_a_model_must_be_listed_too(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / "golden.safetensors").read_bytes())
    change_config(folder, lambda config: config["_spinehub"]["files"].pop(name, None))
    with pytest.raises(ModelError, match=r"config\.json does not list it"):
        from_pretrained(folder)


def test_weights_of_an_unknown_number_format_are_refused(folder: Path) -> None:
    from spinehub.models.folder import record_files

    tensors = {name: torch.from_numpy(values) for name, values in load_file(folder / "model.safetensors").items()}
    save_torch_file({name: values.to(torch.bfloat16) for name, values in tensors.items()}, folder / "model.safetensors")
    record_files(folder)
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        from_pretrained(folder)
