"""Whatever goes wrong between here and the Hub is said in one sentence that names the way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinehub.errors import ModelError
from spinehub.hub import publish
from spinehub.models.upload import upload

Elsewhere = Callable[..., dict[str, Any]]


def one_sentence(said: dict[str, str]) -> None:
    for text in said.values():
        assert text != "no error"
        assert "\n" not in text
        assert "Traceback" not in text


def test_loading(hub: Any, elsewhere: Elsewhere, rule_folder: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in rule_folder.iterdir()}
    hub.add("models/me/good", files)
    hub.add("models/me/altered", {**files, "evaluation.json": files["evaluation.json"].replace(b"20", b"21")})
    hub.add("models/me/bare", {"README.md": b"hello"})
    hub.add("models/me/pickled", {**files, "model.safetensors": b"cos\nsystem\n(S'true'\ntR."})
    script = """
        tell(
            absent=error(from_pretrained, "me/absent"),
            revision=error(from_pretrained, "me/good", revision="v99"),
            commit=error(from_pretrained, "me/good", revision="0" * 40),
            gated=error(from_pretrained, "gated/model"),
            broken=error(from_pretrained, "broken/model"),
            altered=error(from_pretrained, "me/altered"),
            bare=error(from_pretrained, "me/bare"),
            pickled=error(from_pretrained, "me/pickled"),
        )
    """
    said = elsewhere(tmp_path, script)
    one_sentence(said)
    assert "there is no me/absent on the Hub, or it is private" in said["absent"]
    assert "has no revision 'v99'" in said["revision"]
    assert "has no revision '0000" in said["commit"]
    assert "gated/model is gated: ask for access on its page" in said["gated"]
    assert "the Hub cannot be reached (no network, an outage" in said["broken"]
    assert "sha256 differs" in said["altered"]
    assert "holds no config.json" in said["bare"]
    assert "does not list it" in said["pickled"]


def test_publishing(hub: Any, elsewhere: Elsewhere, rule_folder: Path, tmp_path: Path) -> None:
    other = {"config.json": b'{"_spinehub": {"kind": "lesion-segmenter", "format_version": 1}}'}
    before = {
        "something": hub.add("models/me/something", {"train.csv": b"1,2"}),
        "segmenter": hub.add("models/me/segmenter", other),
        "stock": hub.add("models/me/stock", {"config.json": b'{"architecture": "resnet18"}'}),
    }
    hub.add("models/me/empty")
    folder = str(rule_folder)
    script = f"""
        tell(
            taken=error(publish, {folder!r}, "taken/rule"),
            something=error(publish, {folder!r}, "me/something"),
            segmenter=error(publish, {folder!r}, "me/segmenter"),
            stock=error(publish, {folder!r}, "me/stock"),
        )
        publish({folder!r}, "me/empty")
    """
    said = elsewhere(tmp_path, script)
    one_sentence(said)
    assert "did not accept the token for taken/rule (status 403)" in said["taken"]
    assert "the name me/something is taken: that repository holds something else" in said["something"]
    assert "holds another kind of model (lesion-segmenter)" in said["segmenter"]
    assert "holds a model that spinehub did not write" in said["stock"]
    for name, commit in before.items():
        assert hub.resolve(f"models/me/{name}", "main") == commit, "nothing may be written over something else"
    assert "config.json" in hub.files("models/me/empty")


def test_tokens_and_networks(elsewhere: Elsewhere, rule_folder: Path, tmp_path: Path) -> None:
    script = f"tell(said=error(publish, {str(rule_folder)!r}, 'me/rule'))"
    settings = {
        "no Hub token was found, and me/rule cannot be written without one": {"HF_TOKEN": ""},
        "did not accept the token for me/rule (status 401)": {"HF_TOKEN": "hf_wrong"},
        "the Hub could not be reached for me/rule": {"HF_ENDPOINT": "http://127.0.0.1:9"},
        "could not be reached for me/rule; check the network and HF_HUB_OFFLINE": {"HF_HUB_OFFLINE": "1"},
    }
    for sentence, environment in settings.items():
        said = elsewhere(tmp_path, script, **environment)
        one_sentence(said)
        assert sentence in said["said"]


@pytest.mark.parametrize("name", ["bare-name", "a/b/c", "../up/x", "me/", "-x/y", ""])
def test_names_are_checked_before_anything_is_sent(rule_folder: Path, name: str) -> None:
    with pytest.raises(ModelError, match="organisation/name"):
        publish(rule_folder, name)
    with pytest.raises(ModelError, match="organisation/name"):
        upload(rule_folder, name)


def test_a_folder_that_is_none_cannot_be_published(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no folder 'absent'"):
        publish(tmp_path / "absent", "me/x")
    with pytest.raises(ModelError, match=r"no config\.json"):
        publish(tmp_path, "me/x")
