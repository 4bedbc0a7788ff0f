"""Where a case that is judged comes from: the files of a cohort's row, or a recipe that is rendered on the spot."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from spinehub.case import Case
from spinehub.cohort import Recipe, check_cohort
from spinehub.cohort.worlds import rendered
from spinehub.errors import InvalidArgumentError
from spinehub.io import RECIPE_FILE, CohortRow, read_case, read_cohort, read_recipe

__all__ = ["Cohort", "RenderedRow", "case_of", "origin_of", "recipe_of", "rows_of", "stamp_of"]

Cohort: TypeAlias = "str | Path | Sequence[Recipe]"
"""Folder with ``cohort.csv``, or recipes: these take no disk."""
_NAMED = 5


@dataclass(frozen=True)
class RenderedRow(CohortRow):
    """A case without files: what its row would say, and its recipe.

    Parameters
    ----------
    recipe
        Rendered whenever the case is looked at; its voxels are not rounded to what a file holds.
    """

    recipe: Recipe | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> "RenderedRow":
        """Row of a recipe; each case is its own patient."""
        index = recipe.lesions[0]
        extra = {"level": index.level, "histology": index.histology}
        name, facts = recipe.case_id, recipe.patient
        return cls(name, name, Path(name), None, recipe.diagnosis or "", facts.age_years, facts.sex, extra, recipe)


def rows_of(cohort: Cohort) -> tuple[CohortRow, ...]:
    """Rows of a cohort that can be judged.

    Raises
    ------
    InvalidArgumentError
        If the cohort has problems; they are named.
    """
    if isinstance(cohort, str | Path):
        rows = read_cohort(cohort)
        problems = check_cohort(rows)
    else:
        rows = tuple(RenderedRow.of(recipe) for recipe in cohort)
        lesions = [row.case_id for row in rows if not row.diagnosis]
        problems = tuple(f"case {name} holds a lesion of neither class" for name in lesions)
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise InvalidArgumentError(f"the cohort cannot be judged: {'; '.join(problems[:_NAMED])}{more}")
    return rows


def case_of(row: CohortRow) -> Case:
    """The case itself, read or rendered."""
    if isinstance(row, RenderedRow) and row.recipe is not None:
        return rendered(row.recipe)
    return read_case(row)


def recipe_of(row: CohortRow) -> dict[str, Any] | None:
    """Recipe of a simulated case as plain values; None for a measured one."""
    if isinstance(row, RenderedRow) and row.recipe is not None:
        return row.recipe.to_dict()
    return read_recipe(row.series.with_name(RECIPE_FILE))


def stamp_of(row: CohortRow) -> list[Any]:
    """Changes when the case does: its recipe, or size and time of its files."""
    if isinstance(row, RenderedRow) and row.recipe is not None:
        return [hashlib.sha256(json.dumps(row.recipe.to_dict(), sort_keys=True).encode()).hexdigest()]
    files = [path for path in (row.series, row.lesion_mask) if path is not None]
    return [[path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def origin_of(rows: Sequence[CohortRow]) -> dict[str, Any]:
    """Seeds, names and simulator versions of a simulated cohort; empty for measured cases."""
    recipes = [recipe_of(row) for row in rows]
    known = [recipe for recipe in recipes if recipe is not None]
    if len(known) < len(rows):
        return {}
    return {
        "seed": sorted({recipe["seed"] for recipe in known}),
        "version": sorted({recipe["version"] for recipe in known}),
        "cohort": sorted({_name_of(recipe) for recipe in known}),
    }


def _name_of(recipe: dict[str, Any]) -> str:
    """Cohort of a recipe, with what it departs from the default in."""
    name = str(recipe["cohort"])
    if recipe.get("world") == "second":
        name = f"{name}, second world"
    kinetics = recipe.get("kinetics", "medium")
    name = name if kinetics == "medium" else f"{name}, kinetics {kinetics}"
    return f"{name}, without {' '.join(recipe['without'])}" if recipe.get("without") else name
