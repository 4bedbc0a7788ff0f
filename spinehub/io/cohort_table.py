"""``cohort.csv``: one row per case, paths relative to the file."""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spinehub.errors import InputRefusedError
from spinehub.io.guard import refused_on_damage, require_file
from spinehub.io.writing import write_text

__all__ = ["COHORT_FILE", "CohortRow", "read_cohort", "write_cohort_table"]

COHORT_FILE = "cohort.csv"
_REQUIRED = ("case_id", "patient_id", "series", "lesion_mask", "diagnosis")
_OPTIONAL = ("age_years", "sex")
_SEXES = {"": None, "female": "female", "f": "female", "male": "male", "m": "male"}
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class CohortRow:
    """One case of a cohort.

    Parameters
    ----------
    case_id
        Unique in the cohort.
    patient_id
        Folds are split on this: two examinations of one patient share it.
    series, lesion_mask
        Files; no mask where none was drawn.
    diagnosis
        As written in the table; :func:`spinehub.cohort.check_cohort` says where it is not one of the two classes.
    age_years, sex
        ``"female"`` or ``"male"``; None where not stated.
    extra
        Every further column, as text.
    """

    case_id: str
    patient_id: str
    series: Path
    lesion_mask: Path | None
    diagnosis: str
    age_years: float | None = None
    sex: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


def read_cohort(folder: str | Path) -> tuple[CohortRow, ...]:
    """Read ``cohort.csv`` of a folder (or the file itself, by whatever name).

    Raises
    ------
    InputRefusedError
        If the table is missing, empty, not text, lacks a column, or has cells that cannot be read: all named at once.
    """
    path = Path(folder)
    path = require_file(path / COHORT_FILE if path.is_dir() else path)
    with refused_on_damage(path.name):
        content = path.read_bytes()
    try:
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        records = list(table)
        columns = list(table.fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputRefusedError(f"{path.name} is not a comma-separated table in UTF-8; save it as one") from error
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        raise InputRefusedError(f"{path.name} lacks the column(s) {', '.join(missing)}; add them")
    if not records:
        raise InputRefusedError(f"{path.name} lists no case; add one row per case")
    problems: list[str] = []
    rows = tuple(_row(path, number, record, problems) for number, record in enumerate(records, start=2))
    if problems:
        more = f", and {len(problems) - _MOST_PROBLEMS} more" if len(problems) > _MOST_PROBLEMS else ""
        raise InputRefusedError(f"{path.name} cannot be used: {'; '.join(problems[:_MOST_PROBLEMS])}{more}")
    return rows


def _row(path: Path, number: int, record: dict[str, str | None], problems: list[str]) -> CohortRow:
    """Return one row; what is wrong with it is added to `problems`."""
    # A row with more cells than columns has them under None; a shorter one has None as values.
    cells = {key: (value or "").strip() for key, value in record.items() if key is not None}
    if None in record or None in record.values():
        problems.append(f"line {number} does not have one cell per column")
    problems += [
        f"line {number} has no {column}" for column in ("case_id", "patient_id", "series") if not cells[column]
    ]
    problems += [
        f"line {number} names {column} by an absolute path, not relative to {path.name}"
        for column in ("series", "lesion_mask")
        if Path(cells[column]).is_absolute()
    ]
    sex = cells.get("sex", "").lower()
    if sex not in _SEXES:
        problems.append(f"line {number} has the sex {sex[:12]!a}, not female or male")
    extra = {key: value for key, value in cells.items() if key not in (*_REQUIRED, *_OPTIONAL)}
    return CohortRow(
        case_id=cells["case_id"],
        patient_id=cells["patient_id"],
        series=path.parent / cells["series"],
        lesion_mask=path.parent / cells["lesion_mask"] if cells["lesion_mask"] else None,
        diagnosis=cells["diagnosis"],
        age_years=_age(number, cells.get("age_years", ""), problems),
        sex=_SEXES.get(sex),
        extra=extra,
    )


def _age(number: int, cell: str, problems: list[str]) -> float | None:
    if not cell:
        return None
    try:
        age = float(cell)
    except ValueError:
        age = np.nan
    if not 0 <= age <= 130:
        problems.append(f"line {number} has the age {cell[:12]!a}, not a number of years")
        return None
    return age


def write_cohort_table(rows: Iterable[CohortRow], folder: str | Path) -> None:
    """Write ``cohort.csv`` into `folder`, with paths relative to it and every extra column of any row."""
    rows, folder = tuple(rows), Path(folder)
    extra = list(dict.fromkeys(key for row in rows for key in row.extra))
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_REQUIRED, *_OPTIONAL, *extra])
    for row in rows:
        age = "" if row.age_years is None else repr(float(row.age_years))
        paths = (_relative(row.series, folder), _relative(row.lesion_mask, folder))
        values = [row.case_id, row.patient_id, *paths, row.diagnosis, age, row.sex or ""]
        table.writerow([*values, *(row.extra.get(key, "") for key in extra)])
    write_text(folder / COHORT_FILE, text.getvalue())


def _relative(path: Path | None, folder: Path) -> str:
    return "" if path is None else Path(os.path.relpath(path, folder)).as_posix()
