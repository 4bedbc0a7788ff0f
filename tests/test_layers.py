"""A module imports only strictly lower floors, and each heavy package has few named owners."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "spinehub"
FLOORS = (
    {"errors", "_version", "words"},
    {"volume"},
    {"series"},
    {"case"},
    {"perfusion", "growing", "metrics", "simulate", "second_world"},
    {"features", "io", "render", "inputs", "cards"},
    {"report", "models", "cohort"},
    {"dataset", "hub", "routes", "teaching"},
    {"training", "pipeline"},
    {"evaluation", "bundle"},
    {"demo"},
    {"cli"},
    {"__main__"},
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
OWNERS = {
    "SimpleITK": {"io", "growing", "features"},
    "accelerate": {"training"},
    "gradio": {"demo"},
    "huggingface_hub": {"hub", "cards", "models"},
    "matplotlib": {"render", "training", "evaluation"},
    "nibabel": {"io"},
    "numba": {"growing"},
    "radiomics": {"features"},
    "segmentation_models_pytorch": {"models"},
    "sklearn": {"models", "metrics", "training", "evaluation"},
    "timm": {"models"},
    "torch": {"models", "dataset", "training", "evaluation", "routes", "pipeline"},
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write the import absolutely"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_module_imports_only_what_its_floor_allows(path: Path) -> None:
    here = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for name in sorted(imported_names(path)):
        top, _, rest = name.partition(".")
        there = rest.partition(".")[0]
        if top == "spinehub" and there not in {here, "__version__"}:
            assert FLOOR[there] < FLOOR[here], f"{here} must not import {there}"
        assert here in OWNERS.get(top, {here}), f"{here} must not import {top}"


def test_every_module_has_a_floor() -> None:
    assert {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES} <= set(FLOOR)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_file_stays_readable(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
