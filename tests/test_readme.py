"""What README promises is there: its commands parse, its Python runs, its files exist."""

import re
from pathlib import Path

import numpy as np
import pytest

from spinehub.cli import build_parser
from spinehub.io import write_series
from spinehub.simulate import draw_recipe, render

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^spinehub (?!analyse)(.+?)(?:\s+#.*)?$", README, re.MULTILINE)


def test_the_two_commands_are_stated_as_they_are_run() -> None:
    assert "pip install -r requirements.txt && python app.py" in README
    assert 'pip install -e ".[test]" && pytest' in README


def test_first_paragraph_says_what_it_is_not() -> None:
    first = README.split("\n\n")[1]
    for words in ("Research and teaching only", "simulated", "unknown"):
        assert words in first


@pytest.mark.parametrize("command", COMMANDS)
def test_command_lines_parse(command: str) -> None:
    build_parser().parse_args(command.split())


def test_links_to_files_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)
    assert code is not None
    recipe = draw_recipe(7, 0)
    case = render(recipe)
    voxel = np.argwhere(case.lesions[0].mask.voxels)[case.lesions[0].mask.count // 2]

    write_series(case.series, tmp_path / "patient07.nii.gz", dtype="int16")
    monkeypatch.chdir(tmp_path)
    text = code.group(1).replace("(88, 120, 9)", str(tuple(int(n) for n in voxel)))
    exec(compile(text, "README.md", "exec"), {"times": case.series.times_s})
    assert (tmp_path / "out" / "report.json").is_file()
