"""What docs/hub.md promises is there: its Python runs, its commands parse, its names exist."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinehub.cli import build_parser
from spinehub.models import sources

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hub.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.+?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"^spinehub (.+?)(?:\s+#.*)?$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    build_parser().parse_args(shlex.split(command))


def test_python_runs(
    hub: Any, elsewhere: Callable[..., dict[str, Any]], folders: dict[str, Path], tmp_path: Path
) -> None:
    """All snippets in one process, with folders where the text has them and a group that published its U-Net."""
    files = {path.name: path.read_bytes() for path in folders["unet"].iterdir()}
    commit = hub.add("models/your-group/unet-dce", files)
    hub.tags["models/your-group/unet-dce"]["v1.0.0"] = commit
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "unet").symlink_to(folders["unet"])
    (runs / "inception-resnet").symlink_to(folders["inception_resnet"])
    steps = [f"exec(compile({code!r}, 'docs/hub.md', 'exec'), {{}})" for code in SNIPPETS]
    script = "\n".join(["import os", f"os.chdir({str(tmp_path)!r})", *steps, f"tell(steps={len(steps)})"])
    assert elsewhere(tmp_path / "home", script, PYTHONPATH=str(ROOT)) == {"steps": 4}


def test_names_of_files_and_variables_are_right() -> None:
    for name in ("spinehub/registry.json", "spinehub/hub/space.yaml", "tests/hub/imitation.py"):
        assert f"`{name}`" in TEXT
        assert (ROOT / name).is_file()
    for variable in (sources.ORGANISATION_VARIABLE, sources.CARRIED_VARIABLE):
        assert f"{variable}=" in TEXT
