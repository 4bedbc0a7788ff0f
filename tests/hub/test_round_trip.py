"""Publishing to and loading from an imitation of the Hub: the same model comes back, at the tag and at the commit."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinehub.models import LesionClassifier, LesionSegmenter, from_pretrained
from spinehub.models.folder import read_config

Elsewhere = Callable[..., dict[str, Any]]
FILES = {"README.md", "config.json", "evaluation.json", "golden.json", "golden.safetensors"}


@pytest.fixture(scope="module")
def published(
    hub: Any, elsewhere: Elsewhere, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Publish all four routes in one process, load them at the tag, at the commit and from main in it."""
    home = tmp_path_factory.mktemp("home")
    paths = {route: str(folder) for route, folder in folders.items()}
    script = f"""
        from spinehub.models.golden import golden_difference, golden_input, golden_output
        said = {{}}
        for route, folder in {paths!r}.items():
            repo_id = "me/tiny-" + route.replace("_", "-")
            link = publish(folder, repo_id).splitlines()[0]
            tag = link.rpartition("/")[2]
            before = from_pretrained(folder)
            given = golden_input(before)
            expected = golden_output(before, given)
            after = [from_pretrained(repo_id, revision=tag), from_pretrained(f"{{repo_id}}@{{tag}}")]
            after.append(from_pretrained(repo_id))
            said[route] = {{
                "link": link, "tag": tag, "before": before.sha256, "after": [model.sha256 for model in after],
                "ids": [model.model_id for model in after], "evaluation": after[0].evaluation == before.evaluation,
                "differences": [golden_difference(expected, golden_output(model, given)) for model in after],
            }}
        pushed = after[0].push_to_hub("me/again")
        tell(**said, pushed=pushed)
    """
    return elsewhere(home, script) | {"home": home}


@pytest.mark.parametrize("route", ["hotspot", "radiomics", "unet", "inception_resnet"])
def test_what_comes_back_gives_equal_outputs(hub: Any, folders: dict[str, Path], published: Any, route: str) -> None:
    said, name = published[route], f"me/tiny-{route.replace('_', '-')}"
    assert said["differences"] == [0.0, 0.0, 0.0]
    assert set(said["after"]) == {said["before"]} == {from_pretrained(folders[route]).sha256}
    assert said["evaluation"]
    assert said["tag"].endswith(said["before"][:8])
    assert said["link"] == f"{hub.url}/{name}/tree/{said['tag']}"
    assert said["ids"] == [name, f"{name}@{said['tag']}", name]


def test_what_is_sent(hub: Any, folders: dict[str, Path], published: Any) -> None:
    files = hub.files("models/me/tiny-unet", published["unet"]["tag"])
    assert set(files) == {".gitattributes", "model.safetensors", "head.safetensors", *FILES}
    assert b"Accuracy on real patients: unknown" in files["README.md"]
    assert b'smp.from_pretrained("me/tiny-unet")' in files["README.md"]
    assert files["model.safetensors"] == (folders["unet"] / "model.safetensors").read_bytes()
    assert set(hub.files("models/me/tiny-hotspot")) == {".gitattributes", *FILES}
    pooling = hub.files("models/me/tiny-inception-resnet")
    beside = {f"{name}.safetensors" for name in ("model", "pooling", "head")}
    assert set(pooling) == {".gitattributes", *beside, *FILES}
    assert b'timm.create_model("hf-hub:me/tiny-inception-resnet", pretrained=True)' in pooling["README.md"]


def test_push_to_hub_writes_a_card_too(hub: Any, published: Any) -> None:
    assert published["pushed"] == f"{hub.url}/me/again"
    files = hub.files("models/me/again")
    assert files["model.safetensors"] == hub.files("models/me/tiny-inception-resnet")["model.safetensors"]
    assert b'from_pretrained("me/again")' in files["README.md"]


def test_a_cached_commit_is_loaded_without_a_request(hub: Any, elsewhere: Elsewhere, published: Any) -> None:
    commit = hub.resolve("models/me/tiny-hotspot", "main")
    before = len(hub.requests)
    script = f"""
        model = from_pretrained("me/tiny-hotspot", revision={commit!r})
        tell(sha256=model.sha256)
    """
    assert elsewhere(published["home"], script)["sha256"] == published["hotspot"]["before"]
    assert hub.requests[before:] == []


def test_offline_the_cache_is_used_and_the_rest_is_explained(elsewhere: Elsewhere, published: Any) -> None:
    script = f"""
        tagged = from_pretrained("me/tiny-hotspot", revision={published["hotspot"]["tag"]!r})
        latest = from_pretrained("me/tiny-hotspot")
        embedded = from_pretrained("hotspot-dce")
        tell(sha256=[tagged.sha256, latest.sha256], embedded=embedded.model_id,
             absent=error(from_pretrained, "me/never-seen"))
    """
    for environment in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        said = elsewhere(published["home"], script, **environment)
        assert said["sha256"] == [published["hotspot"]["before"]] * 2
        assert said["embedded"] == "hotspot-dce"
        assert "not in the local cache and the Hub cannot be reached" in said["absent"]


def test_an_interrupted_download_is_completed(hub: Any, elsewhere: Elsewhere, published: Any) -> None:
    commit = hub.resolve("models/me/tiny-radiomics", "main")
    found = published["home"] / "hub" / "models--me--tiny-radiomics" / "snapshots" / commit
    (found / "model.safetensors").unlink()
    script = f"""
        tell(sha256=from_pretrained("me/tiny-radiomics", revision={commit!r}).sha256)
    """
    assert elsewhere(published["home"], script)["sha256"] == published["radiomics"]["before"]


def test_publishing_again(
    hub: Any, elsewhere: Elsewhere, folders: dict[str, Path], published: Any, tmp_path: Path
) -> None:
    """The same files: the same tag. Another evaluation of the same weights: a second tag, the first stays."""
    key, folder = "models/me/tiny-hotspot", folders["hotspot"]
    first = hub.resolve(key, published["hotspot"]["tag"])
    other = from_pretrained(folder)
    other.evaluation["cohort"]["cases"] = 21
    changed = other.save_pretrained(tmp_path / "changed")
    hub.commit(key, hub.files(key) | {"model-00001-of-00002.safetensors": b"of an older version"})
    script = f"""
        folders = [{str(folder)!r}, {str(changed)!r}]
        tell(links=[publish(folder, "me/tiny-hotspot").splitlines()[0] for folder in folders])
    """
    tag = published["hotspot"]["tag"]
    said = elsewhere(tmp_path, script)["links"]
    assert said == [f"{hub.url}/me/tiny-hotspot/tree/{tag}-{count}" for count in (2, 3)]
    assert hub.resolve(key, tag) == first, "a tag never moves"
    assert "model-00001-of-00002.safetensors" not in hub.files(key), "what an older version left would be refused"
    assert read_config(changed)["spinehub"]["kind"] == "hotspot-rule"
    sent, script = (
        len(hub.sent),
        f"""
        tell(link=publish({str(changed)!r}, "me/tiny-hotspot").splitlines()[0])
    """,
    )
    assert elsewhere(tmp_path, script)["link"] == said[1]
    assert len(hub.sent) == sent, "nothing has changed, nothing is sent"


def test_a_published_model_can_be_noted_in_the_registry(
    elsewhere: Elsewhere, folders: dict[str, Path], tmp_path: Path
) -> None:
    script = f"""
        import shutil
        from spinehub.models import registry
        shutil.copyfile(registry.REGISTRY_FILE, {str(tmp_path / "registry.json")!r})
        registry.REGISTRY_FILE = Path({str(tmp_path / "registry.json")!r})
        refused = [error(publish, {str(folders["hotspot"])!r}, "me/noted", register=n) for n in ("unet-dce", "mine")]
        before = registry.read_registry()["hotspot-dce"]
        link = publish({str(folders["hotspot"])!r}, "me/noted", register="hotspot-dce")
        after = registry.read_registry()["hotspot-dce"]
        again = from_pretrained(after.hub.repo_id, revision=after.hub.revision)
        tell(refused=refused, embedded=[before.sha256, after.sha256], unknown=before.hub is None,
             repo=after.hub.repo_id, commit=after.hub.revision, link=link, hashes=[after.hub.sha256, again.sha256])
    """
    said = elsewhere(tmp_path / "home", script)
    assert all("hotspot-rule can be registered as one of ['hotspot-dce'], got" in text for text in said["refused"])
    assert said["unknown"]
    assert said["repo"] == "me/noted"
    assert said["commit"] in said["link"]
    assert len(set(said["hashes"])) == 1
    assert len(set(said["embedded"])) == 1


def test_no_constructor_fetches_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a constructor asked the network for something")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert LesionSegmenter.create().to_config()["encoder_weights"] is None
    LesionClassifier.create(architecture="resnet10t")
