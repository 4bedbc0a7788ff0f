"""An imitation of the Hub on this machine: the routes that huggingface_hub 2.4 uses, with repositories in memory.

Checked against that release alone. Names that mean something: ``taken/...`` may not be written, ``gated/...`` may not
be read, ``broken/...`` answers with status 500. The only good token is ``hf_fake``.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import yaml

TOKEN = "hf_fake"
_API = re.compile(r"/api/(models|spaces)/([^/]+/[^/?]+)(?:/(\w+)(?:/([^/?]+))?)?(?:\?.*)?")
_FILE = re.compile(r"/(spaces/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class Hub(ThreadingHTTPServer):
    """Repositories by ``models/<id>`` or ``spaces/<id>``; each commit is a mapping from path to content."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.sent: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, key: str, files: dict[str, bytes] | None = None) -> str:
        """Make a repository by hand and return its commit."""
        for table in (self.commits, self.branches, self.tags):
            table[key] = {}
        return self.commit(key, {".gitattributes": b"", **(files or {})})

    def commit(self, key: str, files: dict[str, bytes]) -> str:
        text = repr((len(self.commits[key]), sorted((path, sha256(content)) for path, content in files.items())))
        name = hashlib.sha1(text.encode()).hexdigest()
        self.commits[key][name] = files
        self.branches[key]["main"] = name
        return name

    def resolve(self, key: str, revision: str) -> str:
        return self.tags[key].get(revision) or self.branches[key].get(revision) or revision

    def files(self, key: str, revision: str = "main") -> dict[str, bytes]:
        return self.commits[key][self.resolve(key, revision)]


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve an empty Hub until the end of the block."""
    hub = Hub()
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


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
        if self.path == "/api/validate-yaml":
            return self.validate(json.loads(body)["content"])
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.reply(401, {"error": "Invalid credentials"})
        if self.path == "/api/repos/create":
            return self.create(json.loads(body))
        if self.path.endswith("/info/lfs/objects/batch"):
            return self.reply(200, {"transfer": "basic", "objects": [*map(self.lfs, json.loads(body)["objects"])]})
        found = _API.fullmatch(self.path)
        assert found is not None, self.path
        key, action, revision = f"{found[1]}/{found[2]}", found[3], unquote(found[4] or "main")
        if action == "preupload":
            return self.reply(200, {"files": [self.planned(key, f["path"]) for f in json.loads(body)["files"]]})
        if action == "tag":
            tag = json.loads(body)["tag"]
            if tag in hub.tags[key]:
                return self.reply(409, {"error": "Tag reference exists already"})
            hub.tags[key][tag] = hub.resolve(key, revision)
            return self.reply(200, {})
        assert action == "commit", self.path
        return self.take(key, [json.loads(line) for line in body.splitlines()])

    def validate(self, text: str) -> None:
        try:
            yaml.safe_load(text.split("---")[1])
        except (IndexError, yaml.YAMLError):
            return self.reply(400, {"errors": [{"message": "not valid YAML"}], "warnings": []})
        return self.reply(200, {"errors": [], "warnings": []})

    def create(self, values: dict[str, Any]) -> None:
        name = f"{values.get('organization') or 'me'}/{values['name']}"
        key = f"{values.get('type', 'model')}s/{name}"
        if name.startswith("taken/"):
            return self.reply(403, {"error": "no rights"})
        if key in self.server.commits:
            return self.reply(409, {"error": "exists"})
        self.server.add(key)
        return self.reply(200, {"url": f"{self.server.url}/{name}", "name": name})

    def lfs(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["oid"] in self.server.blobs:
            return item
        return {**item, "actions": {"upload": {"href": f"{self.server.url}/lfs/{item['oid']}"}}}

    def planned(self, key: str, path: str) -> dict[str, Any]:
        content = self.server.files(key).get(path)
        known = {} if content is None else {"oid": oid(path, content)}
        return {"path": path, "uploadMode": mode(path), "shouldIgnore": False, **known}

    def take(self, key: str, lines: list[dict[str, Any]]) -> None:
        hub = self.server
        files = dict(hub.files(key))
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = hub.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            if line["key"] in ("file", "lfsFile"):
                hub.sent.append(value["path"])
        commit = hub.commit(key, files)
        self.reply(200, {"commitUrl": f"{hub.url}/{key}/commit/{commit}", "commitOid": commit, "success": True})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server
        hub.requests.append(f"{self.command} {self.path}")
        asked, file = _API.fullmatch(self.path), _FILE.fullmatch(self.path)
        if asked is None and file is None:
            return self.reply(404)
        key = f"{asked[1]}/{asked[2]}" if asked else f"{'spaces' if file[1] else 'models'}/{file[2]}"
        name = key.partition("/")[2]
        if name.startswith("gated/"):
            return self.reply(403, {"error": "gated"}, X_Error_Code="GatedRepo")
        if name.startswith("broken/"):
            return self.reply(500, {"error": "oops"})
        if key not in hub.commits:
            return self.reply(404, {"error": "none"}, X_Error_Code="RepoNotFound")
        commit = hub.resolve(key, unquote((asked[4] if asked else file[3]) or "main"))
        if commit not in hub.commits[key]:
            return self.reply(404, {"error": "none"}, X_Error_Code="RevisionNotFound")
        return (
            self.file(hub.commits[key][commit], commit, unquote(file[4])) if file else self.tell(key, asked[3], commit)
        )

    def tell(self, key: str, action: str | None, commit: str) -> None:
        hub = self.server
        files = hub.commits[key][commit]
        if action == "tree":
            return self.reply(200, [entry(path, content) for path, content in files.items()])
        if action == "refs":
            refs = {"branches": hub.branches[key], "tags": hub.tags[key]}
            return self.reply(
                200, {"converts": [], **{kind: [*map(ref, names.items())] for kind, names in refs.items()}}
            )
        name = key.partition("/")[2]
        siblings = [{"rfilename": path} for path in files]
        return self.reply(200, {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": False})

    def file(self, files: dict[str, bytes], commit: str, path: str) -> None:
        if path not in files:
            return self.reply(404, {}, X_Error_Code="EntryNotFound")
        content = files[path]
        tag = f'"{oid(path, content)}"'
        more = {"X_Linked_Etag": tag, "X_Linked_Size": str(len(content))} if mode(path) == "lfs" else {}
        return self.reply(200, content, X_Repo_Commit=commit, ETag=tag, Content_Length=str(len(content)), **more)


def ref(item: tuple[str, str]) -> dict[str, str]:
    return {"name": item[0], "ref": f"refs/{item[0]}", "targetCommit": item[1]}


def mode(path: str) -> str:
    return "lfs" if path.endswith((".safetensors", ".png", ".gz")) else "regular"


def oid(path: str, content: bytes) -> str:
    """Git's hash of a small file, the SHA-256 of a large one."""
    if mode(path) == "lfs":
        return sha256(content)
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(path: str, content: bytes) -> dict[str, Any]:
    row = {"type": "file", "path": path, "size": len(content), "oid": oid(path, content)}
    return row | ({"lfs": {"oid": row["oid"], "size": len(content), "pointerSize": 130}} if mode(path) == "lfs" else {})
