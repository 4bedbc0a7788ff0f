"""What docs/hub.md promises is there: its Python runs, its commands parse, its names exist."""

import re
import shlex
from pathlib import Path

import pytest

from spinehub.cli import build_parser
from spinehub.models import remote, sources

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hub.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.+?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"^spinehub (.+?)(?:\s+#.*)?$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    build_parser().parse_args(shlex.split(command))


def test_python_runs(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each snippet as it stands, with folders where the text has them and a group whose U-Net was fetched already."""
    for variable in (sources.ORGANISATION_VARIABLE, sources.CARRIED_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    asked = []

    def fetched(repo_id: str, revision: str | None, *, offline: bool) -> Path:
        asked.append((repo_id, revision))
        return folders["unet"]

    monkeypatch.setattr(remote, "download", fetched)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "unet").symlink_to(folders["unet"])
    (tmp_path / "runs" / "inception-resnet").symlink_to(folders["inception_resnet"])
    monkeypatch.chdir(tmp_path)
    for code in SNIPPETS:
        exec(compile(code, "docs/hub.md", "exec"), {})
    assert len(SNIPPETS) == 4
    assert asked == [("your-group/unet-dce", "v1.0.0")] * 2 + [("your-group/unet-dce", None)]


def test_names_of_files_and_variables_are_right() -> None:
    for name in ("spinehub/registry.json", "spinehub/hub/space.yaml", "tests/hub/imitation.py"):
        assert f"`{name}`" in TEXT
        assert (ROOT / name).is_file()
    for variable in (sources.ORGANISATION_VARIABLE, sources.CARRIED_VARIABLE):
        assert f"{variable}=" in TEXT
