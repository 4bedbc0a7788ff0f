"""What an installation must hold besides code is named in pyproject.toml."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "spinehub"


def test_every_data_file_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["spinehub"]
    installed = {path for pattern in patterns for path in PACKAGE.glob(pattern) if path.is_file()}
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyi")}
    caches = ("__pycache__", ".")  # what Python and the checkers leave behind
    data = {path for path in files if not any(part.startswith(caches) for part in path.relative_to(PACKAGE).parts)}
    assert {"registry.json", "space.yaml", "radiomics_settings.yaml"} <= {path.name for path in data}
    assert sorted(data - installed) == []
