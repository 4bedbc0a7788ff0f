"""Measured accuracy given agreement: the row of the evaluation that fits, or nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from spinehub.models.sources import CARRIED_VARIABLE, EMBEDDED, pretrained_folder
from spinehub.report import ROUTES
from spinehub.routes import measured_agreement

NAMES = dict(zip(ROUTES, EMBEDDED, strict=True))


def row(answered: int, agree: int, cases: int, value: float | None) -> dict[str, Any]:
    return {"answered": answered, "agree": agree, "cases": cases,
            "accuracy": {"value": value, "low": 0.1, "high": 0.9}}  # fmt: skip


TABLE = [row(3, 3, 38, 0.7), row(3, 2, 47, 0.5), row(2, 2, 10, None)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models that were evaluated together, carried in a folder."""
    monkeypatch.setenv(CARRIED_VARIABLE, str(tmp_path))
    for name in EMBEDDED:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        write(tmp_path, name, TABLE)
    return tmp_path


def write(folder: Path, name: str, table: list[dict[str, Any]]) -> None:
    (folder / name / "evaluation.json").write_text(json.dumps({"agreement": {"dynamic": table}}))


def said(*shares: float | None) -> list[dict[str, Any]]:
    """Routes with these probabilities of a primary tumour."""
    return [
        {"name": name, "model": {"id": NAMES[name]},
         "probabilities": None if share is None else {"metastasis": 1 - share, "primary_malignant": share}}
        for name, share in zip(ROUTES, shares, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.6, 0.9, 0.7, None), (3, 3, 38, 0.7)),
        ((0.4, 0.1, 0.2, None), (3, 3, 38, 0.7)),
        ((0.4, 0.1, 0.7, None), (3, 2, 47, 0.5)),
        ((None, 0.9, 0.2, 0.3), (3, 2, 47, 0.5)),
    ],
)
def test_the_row_with_as_many_agreeing_is_found(folder: Path, shares: Any, expected: tuple[Any, ...]) -> None:
    found = measured_agreement(said(*shares), "dynamic")
    assert (found.answered, found.agree, found.cases, found.accuracy) == expected
    assert (found.low, found.high) == (0.1, 0.9)


@pytest.mark.parametrize(
    "shares",
    [(None, None, None, None), (0.9, 0.1, None, None), (0.9, 0.9, None, None), (0.9, None, None, None)],
    ids=["nobody answers", "a tie", "no accuracy", "not met"],
)
def test_what_was_not_measured_is_not_said(folder: Path, shares: Any) -> None:
    assert measured_agreement(said(*shares), "dynamic") is None
    assert measured_agreement(said(0.6, 0.9, 0.7, None), "single") is None


def test_models_that_were_evaluated_apart_have_no_shared_figure(folder: Path) -> None:
    write(folder, NAMES["unet"], [row(3, 3, 5, 1.0)])
    assert measured_agreement(said(0.6, 0.9, 0.7, None), "dynamic") is None
    (folder / NAMES["unet"] / "evaluation.json").unlink()
    assert measured_agreement(said(0.6, 0.9, 0.7, None), "dynamic") is None


def test_a_model_whose_folder_is_not_at_hand_says_nothing(folder: Path) -> None:
    routes = said(0.6, 0.9, 0.7, None)
    routes[0]["model"]["id"] = "somebody-s-weights"
    assert measured_agreement(routes, "dynamic") is None
    routes[0]["model"] = None
    assert measured_agreement(routes, "dynamic") is None


def test_the_embedded_models_were_evaluated_together() -> None:
    files = [pretrained_folder() / name / "evaluation.json" for name in EMBEDDED]
    tables = [json.loads(file.read_text(encoding="utf-8"))["agreement"] for file in files if file.is_file()]
    assert tables[0]["dynamic"]
    assert all(table == tables[0] for table in tables)
