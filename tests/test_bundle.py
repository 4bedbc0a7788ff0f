"""A case bundle: what is in it, that it is reproduced elsewhere, and that no hostile zip gets through."""

import filecmp
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinehub.bundle import archive, read_bundle, replay_bundle, write_bundle
from spinehub.bundle.archive import digest
from spinehub.cli import main
from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.growing import Limits
from spinehub.io import describe_source, read_series, write_series
from spinehub.pipeline import analyse
from spinehub.series import DynamicSeries, Protocol
from spinehub.volume import Grid, Mask, Seed

GRID = Grid((16, 18, 6), np.array([[0, 0, 5.0, -12], [-2.0, 0, 0, 20], [0, 2.0, 0, -9], [0, 0, 0, 1]]))


@pytest.fixture(scope="module")
def image_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ball that takes up contrast; its sidecar holds times and protocol."""
    place = np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1) - (8, 9, 3)
    ball = ((place * (2.0, 2.0, 5.0)) ** 2).sum(axis=-1) < 9.0**2
    uptake = np.array([0.0, 0.0, 0.8, 1.2, 1.3, 1.3, 1.2, 1.2, 1.1, 1.1, 1.0, 1.0, 0.9])
    noise = np.random.default_rng(1).normal(0, 2, (*GRID.shape, uptake.size))
    frames = 100 + 20 * uptake + 100 * ball[..., None] * uptake + noise
    series = DynamicSeries(frames, GRID, 25.0 * np.arange(uptake.size), protocol=Protocol(0.0045, 0.0015, 15.0, 3.0))
    path = tmp_path_factory.mktemp("image") / "Doe_Jane.nii.gz"
    write_series(series, path)
    return path


@pytest.fixture(scope="module")
def bundle_path(image_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundled(image_path, tmp_path_factory.mktemp("bundle"))


def bundled(image_path: Path, folder: Path, asked: dict[str, Any] | None = None, **options: Any) -> Path:
    image = read_series(image_path)
    seed = Seed.at_index((8, 9, 3), image.grid)
    models = {"hotspot": "hotspot-dce"}
    report = analyse(image, seeds=[seed], models=models, source=describe_source(image_path), **(asked or {}))
    report.save(folder / "out")
    return write_bundle(folder / "case.zip", image=image, outputs=folder / "out", **options)


def test_a_bundle_holds_settings_hashes_and_outputs_but_no_image(bundle_path: Path) -> None:
    bundle = read_bundle(bundle_path)
    assert {"outputs/report.json", "outputs/mask.nii.gz", "outputs/curve.csv"} <= set(bundle.members)
    assert not any(name.startswith("input/") for name in bundle.members)
    assert bundle.manifest["settings"]["protocol"]["flip_angle_deg"] == 15.0
    assert len(bundle.manifest["settings"]["times_s"]) == 13
    assert bundle.document["input"]["sha256"]


def test_the_same_case_gives_the_same_bytes(image_path: Path, bundle_path: Path, tmp_path: Path) -> None:
    again = write_bundle(tmp_path / "again.zip", image=read_series(image_path), outputs=bundle_path.parent / "out")
    assert filecmp.cmp(again, bundle_path, shallow=False)


def test_replay_gives_mask_and_numbers_without_the_sidecar(image_path: Path, bundle_path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.nii.gz"
    elsewhere.write_bytes(image_path.read_bytes())
    replay = replay_bundle(bundle_path, [elsewhere])
    assert replay.differences == ()
    assert replay.mask_voxels == read_bundle(bundle_path).document["lesion"]["voxels"]
    assert replay.numbers > 20
    answer = replay.report.to_dict()["routes"][0]
    assert answer["probabilities"] == read_bundle(bundle_path).document["routes"][0]["probabilities"]


@pytest.mark.parametrize("tolerance", ["auto", 8.0])
def test_a_growing_that_was_repeated_is_repeated_again(image_path: Path, tmp_path: Path, tolerance: Any) -> None:
    path = bundled(image_path, tmp_path, {"repeat": True, "tolerance": tolerance})
    replay = replay_bundle(path, [image_path])
    assert replay.differences == ()
    assert replay.report.stability is not None
    assert replay.report.stability.automatic == (tolerance == "auto")


def test_limits_are_kept_but_for_a_mask_that_is_not_in_the_bundle(image_path: Path, tmp_path: Path) -> None:
    limits = Limits(intensity_range=(-np.inf, 260.0), box=((5, 6, 2), (10, 17, 4)))
    replay = replay_bundle(bundled(image_path, tmp_path, {"limits": limits}), [image_path])
    assert replay.differences == ()
    assert replay.report.growth is not None
    assert replay.report.growth.limits.intensity_range == (-np.inf, 260.0)
    keep_out = np.zeros(GRID.shape, bool)
    keep_out[:5] = True
    path = bundled(image_path, tmp_path, {"limits": Limits(keep_out=Mask(keep_out, read_series(image_path).grid))})
    with pytest.raises(InputRefusedError, match="does not hold that mask"):
        replay_bundle(path, [image_path])


def test_an_image_inside_the_bundle_is_asked_for_and_nameless(image_path: Path, tmp_path: Path) -> None:
    path = bundled(image_path, tmp_path, inputs=[image_path], clicks=[{"action": "seed"}])
    with zipfile.ZipFile(path) as packed:
        assert "input/000.nii.gz" in packed.namelist()
        assert "Jane" not in "".join(packed.namelist())
    assert replay_bundle(path).differences == ()
    assert read_bundle(path).manifest["clicks"] == [{"action": "seed"}]


def test_another_image_is_refused(bundle_path: Path, image_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.nii.gz"
    write_series(read_series(image_path), other, dtype="int16")
    with pytest.raises(InputRefusedError, match="not the one this bundle was made from"):
        replay_bundle(bundle_path, [other])
    with pytest.raises(InputRefusedError, match="holds no image"):
        replay_bundle(bundle_path)


def changed(bundle_path: Path, target: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Path:
    """The bundle with something changed and hashes that fit again."""
    with zipfile.ZipFile(bundle_path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    manifest = json.loads(members.pop("bundle.json"))
    change(members, manifest)
    manifest["files"] = {name: digest(data) for name, data in members.items()}
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("bundle.json", json.dumps(manifest))
        for name, data in members.items():
            packed.writestr(name, data)
    return target


def test_what_differs_is_named(bundle_path: Path, image_path: Path, tmp_path: Path) -> None:
    def change(members: dict[str, bytes], _: dict[str, Any]) -> None:
        document = json.loads(members["outputs/report.json"])
        document["parameters"]["early_enhancement"]["value"] += 5.0
        document["routes"][0]["model"]["sha256"] = "0" * 64
        document["growing"]["tolerance"] *= 0.5
        members["outputs/report.json"] = json.dumps(document).encode()

    path = changed(bundle_path, tmp_path / "changed.zip", change)
    told = "; ".join(replay_bundle(path, [image_path]).differences)
    assert "parameters.early_enhancement.value was" in told
    assert "weights of hotspot are others" in told
    assert "the mask differs in" in told
    assert main(["replay", str(path), str(image_path)]) == 3


def test_a_bundle_may_not_name_weights_elsewhere(bundle_path: Path, image_path: Path, tmp_path: Path) -> None:
    def change(members: dict[str, bytes], _: dict[str, Any]) -> None:
        document = json.loads(members["outputs/report.json"])
        document["routes"][0]["model"]["id"] = "someone/elses-weights"
        members["outputs/report.json"] = json.dumps(document).encode()

    replay = replay_bundle(changed(bundle_path, tmp_path / "changed.zip", change), [image_path])
    assert "weights of hotspot are others" in "; ".join(replay.differences)


def test_settings_of_another_shape_are_refused(bundle_path: Path, image_path: Path, tmp_path: Path) -> None:
    path = changed(bundle_path, tmp_path / "changed.zip", lambda _, manifest: manifest.update(settings=[1]))
    with pytest.raises(InputRefusedError, match="not as they were written"):
        replay_bundle(path, [image_path])


@pytest.mark.parametrize("name", ["../evil.json", "/etc/passwd", "outputs/../../x.json", "outputs\\x.json", "run.py"])
def test_no_name_leaves_the_bundle(bundle_path: Path, tmp_path: Path, name: str) -> None:
    path = changed(bundle_path, tmp_path / "evil.zip", lambda members, _: members.update({name: b"x"}))
    with pytest.raises(InputRefusedError, match="not of this format"):
        read_bundle(path)


def test_altered_parts_are_refused(bundle_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "altered.zip"
    with zipfile.ZipFile(bundle_path) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b" " if name.endswith("curve.csv") else b""))
    with pytest.raises(InputRefusedError, match=r"outputs/curve\.csv"):
        read_bundle(path)


def test_a_bomb_is_stopped_while_it_unpacks(bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 2**21)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("outputs/bomb.nii.gz", bytes(2**23))
    assert path.stat().st_size < 2**15
    with pytest.raises(InputRefusedError, match="at most 2 MiB"):
        read_bundle(path)


def test_what_is_no_bundle_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x03\x04 nothing")
    assert main(["replay", str(path)]) == 3
    assert capsys.readouterr().err.startswith("error: x.zip is no case bundle")
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("bundle.json", "{}")
    with pytest.raises(InputRefusedError, match=r"must hold outputs/report\.json"):
        read_bundle(path)


def test_only_a_saved_report_is_bundled(image_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"report\.json"):
        write_bundle(tmp_path / "x.zip", image=read_series(image_path), outputs=tmp_path)


def test_the_command_says_what_is_the_same(
    bundle_path: Path, image_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(bundle_path), str(image_path), "--output", str(tmp_path / "new")]) == 0
    assert "the same mask" in capsys.readouterr().out
    assert (tmp_path / "new" / "report.json").is_file()
