"""The page as a Space: what is sent, its front matter, its requirements, and where its models come from."""

import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import SpaceHardware
from packaging.requirements import Requirement
from packaging.version import Version

from spinehub.cli import main
from spinehub.errors import ModelError
from spinehub.hub import publish_space, space
from spinehub.hub.space import build_space, front_matter
from spinehub.models import EMBEDDED
from spinehub.models.sources import pretrained_folder

ROOT = Path(__file__).parents[2]
Elsewhere = Callable[..., dict[str, Any]]

# From the Hub's reference of configuration keys of a Space.
KEYS = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "short_description",
    "license", "suggested_hardware", "startup_duration_timeout", "tags", "models", "preload_from_hub",
}  # fmt: skip
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def parsed(text: str) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert found is not None
    values: dict[str, Any] = yaml.safe_load(found[1])
    return values


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_space(tmp_path_factory.mktemp("space") / "space")


def test_front_matter_is_what_the_hub_reads() -> None:
    values = parsed(front_matter({}))
    assert set(values) <= KEYS
    assert {values["colorFrom"], values["colorTo"]} <= COLOURS
    assert (values["sdk"], values["license"]) == ("gradio", "apache-2.0")
    assert len(values["short_description"]) <= 60, "the Hub cuts what is longer"
    assert (ROOT / values["app_file"]).is_file()
    assert re.fullmatch(r"\d+m", values["startup_duration_timeout"])
    hardware = {item.value for item in SpaceHardware}
    assert values["suggested_hardware"] == "cpu-basic"
    assert {"cpu-basic", parsed(front_matter({}, zero_gpu=True))["suggested_hardware"]} <= hardware


def test_its_gradio_lies_inside_the_range_of_the_requirements() -> None:
    values = parsed(front_matter({}))
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    (gradio,) = [Requirement(line) for line in lines if line.startswith("gradio")]
    assert gradio.specifier.contains(Version(values["sdk_version"]))
    assert gradio.specifier.contains(version("gradio"))
    (python,) = re.findall(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert Version(values["python_version"]) >= Version(python)


def test_the_app_goes_along_and_nothing_else(built: Path) -> None:
    sent = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert {"app.py", "requirements.txt", "README.md", "LICENSE", "spinehub/cli.py", "spinehub/registry.json"} <= sent
    for name in sent:
        assert not re.search(r"(^|/)(\.|tests|benchmarks|__pycache__)|\.py[cio]$", name), name
    for path in pretrained_folder().rglob("*.safetensors"):
        assert f"spinehub/pretrained/{path.parent.name}/{path.name}" in sent
    readme = (built / "README.md").read_text(encoding="utf-8")
    assert readme.endswith((ROOT / "README.md").read_text(encoding="utf-8"))
    assert not (ROOT / "README.md").read_text(encoding="utf-8").startswith("---"), "the project's own stays a README"
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme):
        assert target in sent or any(name.startswith(target.rstrip("/") + "/") for name in sent), target


def test_requirements_get_what_only_the_space_needs(built: Path, tmp_path: Path) -> None:
    own = (ROOT / "requirements.txt").read_text()
    text = (built / "requirements.txt").read_text()
    assert text.startswith(own)
    assert "extra-index-url" not in own
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in text.removeprefix(own)
    build_space(tmp_path / "zero", zero_gpu=True)
    added = (tmp_path / "zero" / "requirements.txt").read_text().removeprefix(own)
    names = {Requirement(line).name for line in added.splitlines() if line and not line.startswith("#")}
    assert names == {"spaces", "torch"}
    lines = (tmp_path / "zero" / "app.py").read_text().splitlines()
    assert lines.index("import spinehub.models.zero_gpu  # noqa: F401") < lines.index(
        "from spinehub.demo import launch"
    )
    assert (built / "app.py").read_text() == (ROOT / "app.py").read_text()


def test_a_dry_run_needs_no_network_and_shows_everything(built: Path) -> None:
    said = publish_space("me/spinehub", dry_run=True, private=True)
    assert said.startswith("Would send to the Space me/spinehub (if new: private):\n")
    count = sum(path.is_file() for path in built.rglob("*"))
    assert f"{count} files, " in said
    for words in ("  app.py (", "sdk: gradio", "sdk_version: ", "--extra-index-url"):
        assert words in said


def test_from_the_command_line(capsys: pytest.CaptureFixture[str], rule_folder: Path) -> None:
    assert main(["publish", "--space", "me/spinehub", "--dry-run", "--zero-gpu"]) == 0
    assert "suggested_hardware: zero-a10g" in capsys.readouterr().out
    assert main(["publish", str(rule_folder), "--repo-id", "me/rule", "--dry-run"]) == 0
    assert "Would send to me/rule" in capsys.readouterr().out
    for given in (["x", "--space", "me/y"], ["--repo-id", "me/y"], ["x"], ["x", "--repo-id", "a/b", "--space", "a/b"]):
        with pytest.raises(SystemExit) as stopped:
            main(["publish", *given])
        assert stopped.value.code == 2
        assert capsys.readouterr().err.startswith("error: ")


def test_names_and_installations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="organisation/name"):
        publish_space("spinehub")
    monkeypatch.setattr(space, "_ROOT", tmp_path)
    with pytest.raises(ModelError, match="made from a checkout"):
        publish_space("me/spinehub", dry_run=True)


def test_publish_a_space_with_the_models_of_an_organisation(
    hub: Any, elsewhere: Elsewhere, rule_folder: Path, tmp_path: Path
) -> None:
    """What the group published is pinned, preloaded and not sent; the Space's registry leads to it."""
    hub.add("spaces/me/page", {"README.md": b"", "spinehub/__init__.py": b"", "spinehub/old.py": b"", "notes.txt": b""})
    hub.add("spaces/me/other", {"app.py": b"another app"})
    script = f"""
        publish({str(rule_folder)!r}, "the-group/hotspot-dce")
        said = publish_space("me/spinehub", organisation="the-group")
        again = publish_space("me/page")
        tell(link=said, again=again, taken=error(publish_space, "me/other"),
             none=error(publish_space, "me/spinehub", organisation="nobody"),
             denied=error(publish_space, "taken/spinehub"))
    """
    said = elsewhere(tmp_path, script)
    assert said["link"] == f"{hub.url}/spaces/me/spinehub"
    files = hub.files("spaces/me/spinehub")
    assert not [name for name in files if name.startswith("spinehub/pretrained/hotspot-dce")]
    assert "spinehub/pretrained/unet-dce/config.json" in files
    commit = hub.resolve("models/the-group/hotspot-dce", "main")
    values = parsed(files["README.md"].decode())
    assert values["models"] == ["the-group/hotspot-dce"]
    (preload,) = values["preload_from_hub"]
    name, listed, revision = preload.split(" ")
    assert (name, revision) == ("the-group/hotspot-dce", commit)
    there = hub.files("models/the-group/hotspot-dce")
    assert set(listed.split(",")) == set(there) - {".gitattributes", "README.md"}
    entry = json.loads(files["spinehub/registry.json"])["models"]["hotspot-dce"]
    assert (entry["hub"]["repo_id"], entry["hub"]["revision"]) == ("the-group/hotspot-dce", commit)
    page = hub.files("spaces/me/page")
    assert "spinehub/old.py" not in page, "what an older version left is removed"
    assert "notes.txt" in page, "what is not ours stays"
    assert set(EMBEDDED) <= {Path(name).parent.name for name in page}
    assert "the name me/other is taken: that Space holds another app" in said["taken"]
    assert "nobody has none of the models on the Hub" in said["none"]
    assert "did not accept the token for taken/spinehub" in said["denied"]


def test_the_files_that_are_preloaded_are_enough(
    hub: Any, elsewhere: Elsewhere, rule_folder: Path, tmp_path: Path
) -> None:
    """The build fetches the listed files of the pinned commit only; then the Space asks for nothing more."""
    commit = hub.add("models/me/preloaded", {path.name: path.read_bytes() for path in rule_folder.iterdir()})
    script = f"""
        from huggingface_hub import hf_hub_download
        from spinehub.hub.space import _files_of
        from spinehub.models.registry import Published
        for name in _files_of(Published("me/preloaded", {commit!r}, "0" * 64)):
            hf_hub_download("me/preloaded", name, revision={commit!r}, cache_dir={str(tmp_path / "space" / "hub")!r})
        tell()
    """
    elsewhere(tmp_path / "builder", script)
    before = len(hub.requests)
    found = elsewhere(tmp_path / "space", f"tell(said=from_pretrained('me/preloaded', revision={commit!r}).model_id)")
    assert found == {"said": "me/preloaded"}
    assert hub.requests[before:] == []
