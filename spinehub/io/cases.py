"""One case on disk: its series, times, lesions and, where it was simulated, its recipe.

A case folder holds ``series.nii.gz``, ``series.json`` (times and sequence parameters, where known), ``lesion.nii.gz``
(the index lesion), ``other_lesions.nii.gz`` (one label per further lesion, where there are any) and, for simulated
cases, ``recipe.json``.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spinehub.case import DIAGNOSES, Case, Diagnosis, Lesion
from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.io.cohort_table import CohortRow
from spinehub.io.formats import read_header
from spinehub.io.guard import refused_on_damage
from spinehub.io.reading import read_mask, read_series
from spinehub.io.voxels import load_frames
from spinehub.io.writing import write_labels, write_mask, write_series, write_text
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask

__all__ = [
    "LESION_FILE",
    "OTHER_LESIONS_FILE",
    "RECIPE_FILE",
    "SERIES_FILE",
    "read_case",
    "read_recipe",
    "recipe_text",
    "write_case",
]

SERIES_FILE = "series.nii.gz"
LESION_FILE = "lesion.nii.gz"
OTHER_LESIONS_FILE = "other_lesions.nii.gz"
RECIPE_FILE = "recipe.json"
_MOST_LESIONS = 255
_MAX_RECIPE = 2**22
_SEXES: dict[str, Literal["female", "male"]] = {"female": "female", "male": "male"}


def write_case(case: Case, folder: str | Path) -> None:
    """Write a case into `folder`, which is made where it does not exist; the same case gives the same bytes.

    The series is stored as scaled int16. ``recipe.json`` is written last, so a folder that has it is complete.

    Raises
    ------
    InvalidArgumentError
        If the case has no lesion, or more than 256, or a value that is not finite.
    """
    if not 1 <= len(case.lesions) <= _MOST_LESIONS + 1:
        raise InvalidArgumentError(
            f"lesions of a case must number 1 to {_MOST_LESIONS + 1} to be written, got {len(case.lesions)}"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_series(case.series, folder / SERIES_FILE, dtype="int16")
    write_mask(case.lesions[0].mask, folder / LESION_FILE)
    if len(case.lesions) > 1:
        labels = np.zeros(case.series.grid.shape, dtype=np.uint8)
        for label, lesion in enumerate(case.lesions[1:], start=1):
            labels[lesion.mask.voxels & (labels == 0)] = label
        write_labels(labels, case.series.grid, folder / OTHER_LESIONS_FILE)
    if case.recipe is not None:
        write_text(folder / RECIPE_FILE, recipe_text(case.recipe))


def recipe_text(recipe: dict[str, Any]) -> str:
    """Return the text of ``recipe.json``: the same recipe, whatever the order of its fields, gives the same text."""
    return json.dumps(recipe, indent=1, sort_keys=True) + "\n"


def read_case(row: CohortRow) -> Case:
    """Read the case of one row of a cohort: its series, its lesions and, where there is one, its recipe.

    Parameters
    ----------
    row
        From :func:`spinehub.io.read_cohort`. ``other_lesions.nii.gz`` and ``recipe.json`` are looked for beside the
        index lesion and the series.

    Raises
    ------
    InputRefusedError
        If a file is missing or refused, or the series is a single volume.
    GridMismatchError
        If a mask does not lie on the grid of the series.
    InvalidArgumentError
        If the diagnosis is not one of the two classes.
    """
    if row.diagnosis not in DIAGNOSES:
        raise InvalidArgumentError(f"diagnosis of case {row.case_id} must be one of {DIAGNOSES}, got {row.diagnosis!r}")
    series = read_series(row.series)
    if not isinstance(series, DynamicSeries):
        raise InputRefusedError(f"{row.series.name} of case {row.case_id} is one volume; a cohort needs a 4-D series")
    diagnosis: Diagnosis = row.diagnosis
    lesions: list[Lesion] = []
    if row.lesion_mask is not None:
        index_mask = read_mask(row.lesion_mask, series.grid)
        lesions.append(
            Lesion(
                index_mask,
                level=row.extra.get("level") or None,
                diagnosis=diagnosis,
                histology=row.extra.get("histology") or None,
            )
        )
        others = _other_lesions(row.lesion_mask.with_name(OTHER_LESIONS_FILE), series.grid)
        lesions += [Lesion(mask, diagnosis=diagnosis) for mask in others]
    recipe = read_recipe(row.series.with_name(RECIPE_FILE))
    return Case(
        case_id=row.case_id,
        patient_id=row.patient_id,
        series=series,
        lesions=tuple(lesions),
        age_years=row.age_years,
        sex=_SEXES.get(row.sex or ""),
        origin="scanner" if recipe is None else "simulated",
        recipe=recipe,
    )


def _other_lesions(path: Path, grid: Grid) -> list[Mask]:
    """Return one mask per label of a file, in the order of the labels; none where there is no file."""
    if not path.is_file():
        return []
    read_mask(path, grid)
    labels = load_frames(read_header(path))[..., 0]
    return [Mask(labels == label, grid) for label in np.unique(labels) if label > 0]


def read_recipe(path: Path) -> dict[str, Any] | None:
    """Return the recipe of a simulated case as plain JSON values, None where there is no such file.

    Raises
    ------
    InputRefusedError
        If the file is not a JSON object.
    """
    if not path.is_file():
        return None
    with refused_on_damage(path.name), path.open("rb") as stream:
        block = stream.read(_MAX_RECIPE)
    try:
        recipe = json.loads(block)
    except (ValueError, RecursionError) as error:
        raise InputRefusedError(f"{path.name} is not valid JSON; simulate the case again") from error
    if not isinstance(recipe, dict):
        raise InputRefusedError(f"{path.name} must hold one JSON object; simulate the case again")
    return recipe
