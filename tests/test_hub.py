"""Publishing to and loading from an imitation of the Hub on this machine (routes as huggingface_hub 2.4 uses them)."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinehub.errors import ModelError
from spinehub.hub import publish
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter, fit_calibration, from_pretrained, remote

TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}


class Hub(ThreadingHTTPServer):
    """Repositories in memory: each commit is a mapping from path to content."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.refs: dict[str, dict[str, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, content: Any = b"", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_PUT(self) -> None:
        self.server.blobs[self.path.rpartition("/")[2]] = self.body()
        self.reply(200)

    def do_POST(self) -> None:
        hub, body = self.server, self.body()
        hub.requests.append(f"POST {self.path}")
        if self.path == "/api/repos/create":
            values = json.loads(body)
            name = f"{values.get('organization') or 'me'}/{values['name']}"
            if name.startswith("taken/"):
                return self.reply(403, {"error": "no rights"})
            hub.commits.setdefault(name, {})
            hub.refs.setdefault(name, {})
            return self.reply(200, {"url": f"{hub.url}/{name}", "name": name})
        if self.path == "/api/validate-yaml":
            return self.reply(200, {"errors": [], "warnings": []})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**item, "actions": {"upload": {"href": f"{hub.url}/lfs/{item['oid']}"}}}
                for item in json.loads(body)["objects"]
            ]
            return self.reply(200, {"transfer": "basic", "objects": objects})
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit|tag)/([^/?]+).*", self.path)
        assert found, self.path
        name, action, revision = found.groups()
        if action == "preupload":
            files = [
                {"path": f["path"], "uploadMode": mode(f["path"]), "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return self.reply(200, {"files": files})
        if action == "tag":
            hub.refs[name][json.loads(body)["tag"]] = hub.refs[name].get(revision, revision)
            return self.reply(200, {})
        return self.commit(name, revision, [json.loads(line) for line in body.splitlines()])

    def commit(self, name: str, revision: str, lines: list[dict[str, Any]]) -> None:
        hub = self.server
        files: dict[str, bytes] = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = hub.blobs[value["oid"]]
        commit = hashlib.sha1(json.dumps(sorted(files)).encode() + str(len(hub.commits[name])).encode()).hexdigest()
        hub.commits[name][commit] = files
        hub.refs[name][revision] = commit
        url = f"{hub.url}/{name}/commit/{commit}"
        self.reply(200, {"commitUrl": url, "commitOid": commit, "success": True})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server
        hub.requests.append(f"{self.command} {self.path}")
        found = re.match(r"/api/models/([^/]+/[^/?]+)(?:/(revision|tree)/([^/?]+))?", self.path)
        resolved = re.match(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if found is None and resolved is None:
            return self.reply(404)
        name, revision = (found[1], found[3]) if found else (resolved[1], resolved[2])
        if name.startswith("gated/"):
            return self.reply(403, {"error": "gated"}, X_Error_Code="GatedRepo")
        if name.startswith("broken/"):
            return self.reply(500, {"error": "oops"})
        if name not in hub.commits:
            return self.reply(404, {"error": "none"}, X_Error_Code="RepoNotFound")
        commit = hub.refs[name].get(revision or "main", revision)
        files = hub.commits[name].get(commit)
        if files is None:
            return self.reply(404, {"error": "none"}, X_Error_Code="RevisionNotFound")
        if resolved:
            return self.file(files, commit, resolved[3])
        if found[2] == "tree":
            return self.reply(200, [entry(path, content) for path, content in files.items()])
        siblings = [{"rfilename": path} for path in files]
        return self.reply(200, {"id": name, "modelId": name, "sha": commit, "siblings": siblings})

    def file(self, files: dict[str, bytes], commit: str, path: str) -> None:
        if path not in files:
            return self.reply(404, {}, X_Error_Code="EntryNotFound")
        content = files[path]
        etag = hashlib.sha256(content).hexdigest()
        more = {"X_Linked_Etag": f'"{etag}"', "X_Linked_Size": str(len(content))} if mode(path) == "lfs" else {}
        self.reply(200, content, X_Repo_Commit=commit, ETag=f'"{etag}"', Content_Length=str(len(content)), **more)


def mode(path: str) -> str:
    return "lfs" if path.endswith(".safetensors") else "regular"


def entry(path: str, content: bytes) -> dict[str, Any]:
    row = {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha256(content).hexdigest()}
    if mode(path) == "lfs":
        row["lfs"] = {"oid": row["oid"], "size": len(content), "pointerSize": 130}
    return row


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def evaluation() -> dict[str, Any]:
    from spinehub.cards.evaluation_file import ANSWER_FIGURES

    scores = {"n": 20, "n_answered": 20} | {n: {"value": 0.5, "low": 0.4, "high": 0.6} for n in ANSWER_FIGURES}
    cohort = {"name": "matched", "seed": 7, "cases": 20, "training_seed": 1, "training_cases": 60}
    return {
        "format": "spinehub-evaluation/1", "model": "tiny-unet", "route": "unet", "simulated": True,
        "simulator_version": "1", "cohort": cohort, "regimes": {"dynamic": {"end_to_end": scores}}, "baselines": {},
        "training": {}, "command": "spinehub evaluate",
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = LesionSegmenter.create(PreprocessingSpec(size=32), **TINY)
    scores = np.linspace(-2, 2, 40)
    model.calibration = fit_calibration(scores, (scores > 0.1 * np.sin(30 * scores)).astype(int), ["dynamic"] * 40)
    model.evaluation = evaluation()
    return model.save_pretrained(tmp_path_factory.mktemp("models") / "tiny-unet")


def in_another_process(hub: Hub, home: Path, script: str, **environment: str) -> dict[str, Any]:
    """Run a script with the client pointed at `hub`; constants of the client are read when it is imported."""
    quiet = dict.fromkeys(("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"), "1")
    settings = {
        **os.environ,
        **quiet,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_TOKEN": "hf_fake",
        **environment,
    }
    head = """
        import json, sys
        from spinehub.errors import ModelError
        from spinehub.hub import publish
        from spinehub.models import from_pretrained

        def error(function, *arguments, **options):
            try:
                function(*arguments, **options)
            except ModelError as caught:
                return str(caught)
            return "no error"
    """
    text = textwrap.dedent(head) + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", text], env=settings, capture_output=True, text=True, timeout=240, check=False,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def published(hub: Hub, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("home")
    script = f"""
        link = publish({str(folder)!r}, "me/tiny-unet")
        tag = link.rpartition("/")[2]
        tagged = from_pretrained("me/tiny-unet", revision=tag)
        other = from_pretrained(f"me/tiny-unet@{{tag}}")
        print(json.dumps({{"link": link, "tag": tag, "sha256": tagged.sha256, "id": other.model_id,
                           "pushed": tagged.push_to_hub("me/again")}}))
    """
    return in_another_process(hub, home, script) | {"home": str(home)}


def test_publish_then_load_at_the_tag(hub: Hub, folder: Path, published: dict[str, Any]) -> None:
    model = from_pretrained(folder)
    assert published["sha256"] == model.sha256
    assert published["tag"].endswith(model.sha256[:8])
    assert published["link"] == f"{hub.url}/me/tiny-unet/tree/{published['tag']}"
    assert published["id"] == f"me/tiny-unet@{published['tag']}"
    files = hub.commits["me/tiny-unet"][hub.refs["me/tiny-unet"][published["tag"]]]
    assert set(files) == {"README.md", "config.json", "evaluation.json", "model.safetensors"}
    assert b"Accuracy on real patients: unknown" in files["README.md"]
    again = hub.commits["me/again"][hub.refs["me/again"]["main"]]
    assert again["model.safetensors"] == files["model.safetensors"]


def test_a_cached_commit_is_loaded_without_a_request(hub: Hub, published: dict[str, Any]) -> None:
    commit = hub.refs["me/tiny-unet"][published["tag"]]
    before = len(hub.requests)
    script = f"""
        model = from_pretrained("me/tiny-unet", revision={commit!r})
        print(json.dumps({{"sha256": model.sha256}}))
    """
    assert in_another_process(hub, Path(published["home"]), script)["sha256"] == published["sha256"]
    assert hub.requests[before:] == []


def test_offline_the_cache_is_used_and_the_rest_is_explained(hub: Hub, published: dict[str, Any]) -> None:
    script = f"""
        model = from_pretrained("me/tiny-unet", revision={published["tag"]!r})
        print(json.dumps({{"sha256": model.sha256, "absent": error(from_pretrained, "me/never-seen")}}))
    """
    said = in_another_process(hub, Path(published["home"]), script, HF_HUB_OFFLINE="1")
    assert said["sha256"] == published["sha256"]
    assert "not in the local cache and the Hub cannot be reached" in said["absent"]


def test_every_refusal_is_one_sentence(hub: Hub, folder: Path, published: dict[str, Any], tmp_path: Path) -> None:
    commit = hub.refs["me/tiny-unet"][published["tag"]]
    files = hub.commits["me/tiny-unet"][commit]
    weights = bytearray(files["model.safetensors"])
    weights[-1] ^= 1
    versions = {"altered": {**files, "model.safetensors": bytes(weights)}, "bare": {"README.md": b"hello"}}
    for name, content in versions.items():
        hub.commits[f"me/{name}"] = {"f" * 40: content}
        hub.refs[f"me/{name}"] = {"main": "f" * 40}
    script = f"""
        print(json.dumps({{
            "absent": error(from_pretrained, "me/absent"),
            "revision": error(from_pretrained, "me/tiny-unet", revision="v99"),
            "gated": error(from_pretrained, "gated/model"),
            "broken": error(from_pretrained, "broken/model"),
            "altered": error(from_pretrained, "me/altered"),
            "bare": error(from_pretrained, "me/bare"),
            "taken": error(publish, {str(folder)!r}, "taken/tiny-unet"),
        }}))
    """
    said = in_another_process(hub, tmp_path, script)
    assert "there is no model me/absent on the Hub" in said["absent"]
    assert "has no revision 'v99'" in said["revision"]
    assert "gated/model is gated" in said["gated"]
    assert "the Hub cannot be reached (no network, an outage" in said["broken"]
    assert "sha256 differs" in said["altered"]
    assert "holds no config.json" in said["bare"]
    assert "did not accept the token for taken/tiny-unet" in said["taken"]
    assert all("\n" not in sentence for sentence in said.values())


def test_a_machine_without_network(hub: Hub, folder: Path, tmp_path: Path) -> None:
    script = f"""
        print(json.dumps({{"load": error(from_pretrained, "me/tiny-unet"),
                           "publish": error(publish, {str(folder)!r}, "me/tiny-unet")}}))
    """
    said = in_another_process(hub, tmp_path, script, HF_ENDPOINT="http://127.0.0.1:9")
    assert "cannot be reached" in said["load"]
    assert "could not be reached" in said["publish"]


def test_dry_run_lists_what_would_be_sent(folder: Path) -> None:
    text = publish(folder, "me/tiny-unet", dry_run=True)
    assert text.startswith("Would send to me/tiny-unet, tagged v")
    for name in ("README.md", "config.json", "evaluation.json", "model.safetensors"):
        assert name in text


def test_without_evaluation_a_card_of_ones_own_is_needed(folder: Path, tmp_path: Path) -> None:
    model = from_pretrained(folder)
    model.evaluation = None
    bare = model.save_pretrained(tmp_path / "bare")
    with pytest.raises(ModelError, match=r"no evaluation\.json to make a card from"):
        publish(bare, "me/bare", dry_run=True)
    (bare / "README.md").write_text("# My own card\n")
    assert "README.md (14 bytes)" in publish(bare, "me/bare", dry_run=True)


@pytest.mark.parametrize("name", ["bare-name", "a/b/c", "../up/x", "me/", "-x/y", ""])
def test_names_are_checked_before_anything_is_sent(folder: Path, name: str) -> None:
    with pytest.raises(ModelError, match="organisation/name"):
        publish(folder, name)
    with pytest.raises(ModelError, match="organisation/name"):
        remote.upload(folder, name)


def test_a_folder_that_is_none_cannot_be_published(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no folder 'absent'"):
        publish(tmp_path / "absent", "me/x")
    with pytest.raises(ModelError, match=r"no config\.json"):
        publish(tmp_path, "me/x")
