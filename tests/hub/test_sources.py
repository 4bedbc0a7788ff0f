"""Where a name leads: embedded, carried, an organisation, the registry; and the list of what is installed."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spinehub.cli import main
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.hub import download_models, list_models, publish, verify_models
from spinehub.models import EMBEDDED, WeightsNotInstalledError, from_pretrained, registry, save_embedded, sources
from spinehub.models.folder import model_digest, read_config
from spinehub.models.registry import Published, Registered, read_registry, write_registry
from spinehub.routes import DEFAULT_MODELS

Elsewhere = Callable[..., dict[str, Any]]


@pytest.fixture
def installation(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with a rule and a U-Net embedded, and a registry of its own; nothing is published."""
    for variable in (sources.CARRIED_VARIABLE, sources.ORGANISATION_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    home = tmp_path / "installation"
    (home / "pretrained").mkdir(parents=True)
    monkeypatch.setattr(sources, "_PRETRAINED", home / "pretrained")
    monkeypatch.setattr(registry, "REGISTRY_FILE", home / "registry.json")
    write_registry({name: Registered(route, "apache-2.0") for route, name in DEFAULT_MODELS.items()})
    for route in ("hotspot", "unet"):
        save_embedded(from_pretrained(folders[route]), home / "pretrained" / DEFAULT_MODELS[route])
    return home


def test_the_registry_of_this_release() -> None:
    """Routes and names agree, hashes are those of the embedded folders, and no repository is invented."""
    models = read_registry()
    assert tuple(models) == EMBEDDED
    assert {entry.route: name for name, entry in models.items()} == dict(DEFAULT_MODELS)
    for name, entry in models.items():
        folder = sources.pretrained_folder() / name
        assert entry.licence == "apache-2.0"
        assert entry.sha256 == (model_digest(read_config(folder)) if folder.is_dir() else None), name
        assert entry.hub is None


def test_every_embedded_model_is_what_it_was() -> None:
    passed, failed = verify_models()
    assert failed == []
    assert [line.partition(":")[0] for line in passed] == list(EMBEDDED)
    for line in passed:
        assert "golden output reproduced" in line or "not installed" in line


def test_embedding_records_the_hash(installation: Path) -> None:
    models = read_registry()
    for name in ("hotspot-dce", "unet-dce"):
        assert models[name].sha256 == from_pretrained(name).sha256
    assert models["radiomics-dce"].sha256 is None
    assert verify_models()[1] == []


def test_the_list(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    digest = from_pretrained("unet-dce").sha256
    block = said[said.index("unet-dce (route unet)") : said.index("inception-resnet-v2-dce (route")]
    assert "from     embedded in this installation, format 1" in block
    assert f"sha256   {digest} (" in block
    assert "licence  apache-2.0" in block
    assert "scores   dynamic: AUC 0.50 (0.40-0.90) on 19 simulated cases, end to end" in block
    assert "radiomics-dce (route radiomics)\n  from     not on this machine: the weights of radiomics-dce" in said
    assert said.endswith("Scores are on simulated cases. Accuracy on real patients: unknown.\n")
    sizes = {model.name: model.bytes for model in list_models()}
    assert sizes["unet-dce"] == sum(path.stat().st_size for path in (installation / "pretrained/unet-dce").iterdir())


def test_verify_names_what_is_wrong(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = installation / "pretrained" / "hotspot-dce" / "config.json"
    config.write_text(config.read_text().replace("-6.6", "-6.5"))  # a valid rule, but another one
    assert from_pretrained("hotspot-dce").tree[0].threshold == -6.5
    assert main(["models", "--verify"]) == 3
    said = capsys.readouterr()
    assert "hotspot-dce: it is another model than the one that was registered" in said.out
    assert "unet-dce: " in said.out
    assert said.err == "error: 1 of 4 models are not what they were\n"


def test_carried_to_a_machine_without_network(
    installation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = from_pretrained("unet-dce").sha256
    carried = tmp_path / "carried"
    assert main(["models", "--download", str(carried)]) == 0
    assert "radiomics-dce: left out" in capsys.readouterr().out
    assert (carried / "unet-dce" / "README.md").read_text().startswith("---")
    shutil.rmtree(installation / "pretrained")
    with pytest.raises(WeightsNotInstalledError):
        from_pretrained("unet-dce")
    assert main(["models", "--from", str(carried)]) == 0
    assert "the folder carried, taken from embedded in this installation, format 1" in capsys.readouterr().out
    assert main(["models", "--from", str(carried), "--verify"]) == 0
    assert sources.CARRIED_VARIABLE not in os.environ, "the option lasts as long as the command"
    monkeypatch.setenv(sources.CARRIED_VARIABLE, str(carried))
    assert from_pretrained("unet-dce").sha256 == digest
    with pytest.raises(WeightsNotInstalledError, match="carried holds no radiomics-dce"):
        from_pretrained("radiomics-dce")
    with pytest.raises(InvalidArgumentError, match="must be new or empty"):
        download_models(carried)


def test_what_was_carried_is_checked(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download_models(tmp_path / "carried")
    monkeypatch.setenv(sources.CARRIED_VARIABLE, str(tmp_path / "carried"))
    index = tmp_path / "carried" / "models.json"
    text = index.read_text()
    index.write_text(text.replace(from_pretrained("unet-dce").sha256, "0" * 64))
    assert [line.partition(": ")[0] for line in verify_models()[1]] == ["unet-dce"]
    index.write_text("{")
    assert "models.json in carried is damaged" in verify_models()[1][0]
    monkeypatch.setenv(sources.CARRIED_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="must name a folder made by 'spinehub models --download', and 'nowhere'"):
        from_pretrained("unet-dce")


def test_nothing_to_carry(installation: Path, tmp_path: Path) -> None:
    shutil.rmtree(installation / "pretrained")
    with pytest.raises(ModelError, match="no model to carry"):
        download_models(tmp_path / "carried")


def test_an_organisation_of_ones_own(hub: Any, elsewhere: Elsewhere, rule_folder: Path, tmp_path: Path) -> None:
    """Argument and environment lead to the group's models; a route it did not publish is not available, no mistake."""
    script = f"""
        import os
        from spinehub.hub import describe_models, list_models, publish
        from spinehub.models import WeightsNotInstalledError
        publish({str(rule_folder)!r}, "our-group/hotspot-dce")
        embedded = from_pretrained("hotspot-dce")
        given = from_pretrained("hotspot-dce", organisation="our-group")
        os.environ["SPINEHUB_ORGANISATION"] = "our-group"
        pointed = from_pretrained("hotspot-dce")
        tagged = from_pretrained("hotspot-dce", revision="main")
        try:
            from_pretrained("unet-dce")
        except WeightsNotInstalledError as caught:
            absent = str(caught)
        listed = describe_models(list_models())
        os.environ["SPINEHUB_ORGANISATION"] = "../elsewhere"
        tell(given=given.sha256, pointed=pointed.sha256, embedded=embedded.sha256, absent=absent,
             ids=[given.model_id, tagged.model_id], listed=listed, bad=error(from_pretrained, "unet-dce"),
             other=error(from_pretrained, "me/x", organisation="our-group"))
    """
    said = elsewhere(tmp_path, script)
    assert said["given"] == said["pointed"] == from_pretrained(rule_folder).sha256 != said["embedded"]
    assert said["ids"] == ["our-group/hotspot-dce", "our-group/hotspot-dce@main"]
    assert "there is no our-group/unet-dce on the Hub" in said["absent"]
    assert "from     the Hub, our-group/hotspot-dce at " in said["listed"]
    assert "licence  apache-2.0" in said["listed"]
    assert "our-group/radiomics-dce has not been fetched to this machine yet" in said["listed"]
    assert "organisation must be the plain name of one" in said["bad"]
    assert "organisation goes with one of the names" in said["other"]


def test_the_registry_leads_to_a_pinned_commit(
    hub: Any, elsewhere: Elsewhere, rule_folder: Path, tmp_path: Path, installation: Path
) -> None:
    """Without embedded weights the pinned commit is loaded, its hash checked, and the second time nothing is asked."""
    files = {path.name: path.read_bytes() for path in rule_folder.iterdir()}
    commit = hub.add("models/me/pinned", files)
    hub.commit("models/me/pinned", {"README.md": b"a later version"})
    digest = from_pretrained(rule_folder).sha256
    models = read_registry()
    entry = replace(models["hotspot-dce"], sha256=None, hub=Published("me/pinned", commit, digest))
    write_registry(models | {"hotspot-dce": entry})
    shutil.rmtree(installation / "pretrained" / "hotspot-dce")
    head = f"""
        from spinehub.models import registry, sources
        registry.REGISTRY_FILE = Path({str(installation / "registry.json")!r})
        sources._PRETRAINED = Path({str(installation / "pretrained")!r})
    """
    script = f"""{head}
        model = from_pretrained("hotspot-dce")
        tell(sha256=model.sha256, name=model.model_id)
    """
    for _ in range(2):
        before = len(hub.requests)
        assert elsewhere(tmp_path, script) == {"sha256": digest, "name": "hotspot-dce"}
    assert hub.requests[before:] == []
    write_registry(models | {"hotspot-dce": replace(entry, hub=Published("me/pinned", commit, "0" * 64))})
    said = elsewhere(tmp_path, f"{head}\n        tell(said=error(from_pretrained, 'hotspot-dce'))")["said"]
    assert "is not the model the registry names" in said


def test_a_path_means_a_folder_whatever_its_name(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folders["hotspot"], tmp_path / "unet-dce")
    monkeypatch.chdir(tmp_path)
    assert from_pretrained(Path("unet-dce")).sha256 == from_pretrained(folders["hotspot"]).sha256
    assert "hotspot" not in str(from_pretrained("unet-dce").to_config())
    assert "Two-parameter rule" in publish("unet-dce", "me/rule", dry_run=True)


@pytest.mark.parametrize("text", ["", "{}", '{"format": "spinehub-registry/2", "models": {}}'])
def test_a_damaged_registry_is_named(installation: Path, text: str) -> None:
    (installation / "registry.json").write_text(text)
    with pytest.raises(ModelError, match=r"registry\.json must follow spinehub-registry/1"):
        read_registry()
    (installation / "registry.json").write_text(json.dumps({"format": "spinehub-registry/1", "models": {"x": {}}}))
    with pytest.raises(ModelError, match=r"registry\.json must follow spinehub-registry/1"):
        read_registry()


def test_a_pin_is_a_full_commit() -> None:
    with pytest.raises(InvalidArgumentError, match="full commit of 40"):
        Published("me/x", "main", "0" * 64)
