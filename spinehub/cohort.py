"""Cohorts: simulate one into a folder, and say what is wrong with one before anything is trained on it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Literal

from spinehub.case import DIAGNOSES
from spinehub.errors import InvalidArgumentError, SpineHubError
from spinehub.io import (
    COHORT_FILE,
    LESION_FILE,
    OTHER_LESIONS_FILE,
    RECIPE_FILE,
    SERIES_FILE,
    CohortRow,
    inspect_series,
    read_cohort,
    read_mask,
    read_recipe,
    recipe_text,
    write_case,
    write_cohort_table,
)

if TYPE_CHECKING:
    from spinehub.simulate import CaseRecipe, KineticPrior

__all__ = ["check_cohort", "generate_cohort"]


def generate_cohort(
    folder: str | Path,
    cases: int,
    seed: int,
    *,
    cohort: Literal["matched", "as-published"] = "matched",
    kinetics: "KineticPrior" = "medium",
    workers: int = 1,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[CohortRow, ...]:
    """Simulate a cohort into `folder`: one sub-folder per case and ``cohort.csv``.

    Cases that are already complete are kept, so an interrupted run is resumed by the same call. Case k depends on
    (`seed`, k) alone, and the files are the same bytes for any number of workers.

    Parameters
    ----------
    folder
        Made where it does not exist.
    cases
        Number of cases, half of each class.
    seed
        Of the whole cohort.
    cohort, kinetics
        As in :func:`spinehub.simulate.draw_recipe`.
    workers
        Processes that render side by side.
    progress
        Called after each case with the share done (0 to 1) and a few words; None: a progress bar where standard error
        is a terminal.

    Returns
    -------
    tuple of CohortRow
        What ``cohort.csv`` lists.

    Raises
    ------
    InvalidArgumentError
        If `workers` is below 1, or `folder` holds cases of another cohort.
    """
    from tqdm import tqdm

    from spinehub.simulate import cohort_recipes

    if workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}")
    folder = Path(folder)
    recipes = tuple(cohort_recipes(cases, seed, cohort=cohort, kinetics=kinetics))
    rows = tuple(_row_of(recipe, folder) for recipe in recipes)
    _require_same_cohort(folder, rows)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [recipe for recipe in recipes if not _is_complete(recipe, folder / recipe.case_id)]
    done = _render_all(missing, folder, workers)
    if progress is None:
        # disable=None is tqdm's word for "only where the output is a terminal".
        done = iter(tqdm(done, total=len(missing), desc="simulating", unit="case", disable=None))
    for count, case_id in enumerate(done, start=1):
        if progress is not None:
            progress(count / len(missing), f"simulated {case_id}")
    write_cohort_table(rows, folder)
    return rows


def _row_of(recipe: "CaseRecipe", folder: Path) -> CohortRow:
    """Return the table's row of a simulated case; each case is its own patient."""
    index = recipe.lesions[0]
    case_folder = folder / recipe.case_id
    return CohortRow(
        case_id=recipe.case_id,
        patient_id=recipe.case_id,
        series=case_folder / SERIES_FILE,
        lesion_mask=case_folder / LESION_FILE,
        diagnosis=recipe.diagnosis or "",
        age_years=recipe.patient.age_years,
        sex=recipe.patient.sex,
        extra={"level": index.level, "histology": index.histology, "lesions": str(len(recipe.lesions))},
    )


def _require_same_cohort(folder: Path, rows: Sequence[CohortRow]) -> None:
    if not (folder / COHORT_FILE).is_file():
        return
    if not {row.case_id for row in read_cohort(folder)} <= {row.case_id for row in rows}:
        raise InvalidArgumentError(
            f"folder {folder.name} holds a cohort with other cases than these {len(rows)}; choose an empty folder"
        )


def _is_complete(recipe: "CaseRecipe", folder: Path) -> bool:
    """Whether a case folder was finished from this very recipe; the recipe is the last file to be written."""
    written = read_recipe(folder / RECIPE_FILE)
    if written is None:
        return False
    if recipe_text(written) != recipe_text(recipe.to_dict()):
        raise InvalidArgumentError(
            f"folder {folder.parent.name} holds case {recipe.case_id} drawn in another way; choose an empty folder"
        )
    return all((folder / name).is_file() for name in _files_of(recipe))


def _files_of(recipe: "CaseRecipe") -> tuple[str, ...]:
    names = (SERIES_FILE, LESION_FILE)
    return (*names, OTHER_LESIONS_FILE) if len(recipe.lesions) > 1 else names


def _render_all(recipes: Sequence["CaseRecipe"], folder: Path, workers: int) -> Iterator[str]:
    """Render and write every recipe; yields the case_id of each finished one."""
    if workers == 1 or len(recipes) < 2:
        for recipe in recipes:
            yield _render_one(recipe, folder)
        return
    # Spawned, not forked: a forked child inherits locks of threads (BLAS, torch) that no longer run.
    with ProcessPoolExecutor(min(workers, len(recipes)), mp_context=get_context("spawn")) as pool:
        for finished in as_completed([pool.submit(_render_one, recipe, folder) for recipe in recipes]):
            yield finished.result()


def _render_one(recipe: "CaseRecipe", folder: Path) -> str:
    """Render one case into its folder, which appears under its name only when complete, and return its case_id."""
    from threadpoolctl import threadpool_limits

    from spinehub.simulate import render

    target = folder / recipe.case_id
    partial = folder / f".{recipe.case_id}.part"
    for leftover in (partial, target):
        if leftover.is_dir():
            rmtree(leftover)
    # One thread per process: faster side by side, and sums are taken in the same order whatever the machine.
    with threadpool_limits(limits=1):
        write_case(render(recipe), partial)
    partial.replace(target)
    return recipe.case_id


def check_cohort(rows: Sequence[CohortRow], *, least_per_class: int = 2) -> tuple[str, ...]:
    """Name every problem of a cohort at once, before anything is trained on it.

    Parameters
    ----------
    rows
        From :func:`spinehub.io.read_cohort`.
    least_per_class
        Patients each class needs.

    Returns
    -------
    tuple of str
        One sentence per problem, empty where the cohort can be used. File names are given without folders.
    """
    checks: tuple[Callable[[Sequence[CohortRow]], Iterator[str]], ...] = (
        _repeated_cases,
        _diagnoses,
        _contradicting_patients,
        lambda rows: _class_counts(rows, least_per_class),
        _files,
    )
    return tuple(problem for check in checks for problem in check(rows))


def _repeated_cases(rows: Sequence[CohortRow]) -> Iterator[str]:
    for case_id, count in Counter(row.case_id for row in rows).items():
        if count > 1:
            yield f"case {case_id} is listed {count} times; give each examination its own case_id"


def _diagnoses(rows: Sequence[CohortRow]) -> Iterator[str]:
    for row in rows:
        if row.diagnosis not in DIAGNOSES:
            yield f"case {row.case_id} has the diagnosis {row.diagnosis!r}; it must be one of {', '.join(DIAGNOSES)}"


def _contradicting_patients(rows: Sequence[CohortRow]) -> Iterator[str]:
    diagnoses: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        diagnoses[row.patient_id].add(row.diagnosis)
    for patient_id, found in diagnoses.items():
        if len(found) > 1:
            yield f"patient {patient_id} has different diagnoses in different rows ({', '.join(sorted(found))})"


def _class_counts(rows: Sequence[CohortRow], least: int) -> Iterator[str]:
    for diagnosis in DIAGNOSES:
        count = len({row.patient_id for row in rows if row.diagnosis == diagnosis})
        if count < least:
            yield f"class {diagnosis} has {count} patient(s); at least {least} are needed"


def _files(rows: Sequence[CohortRow]) -> Iterator[str]:
    for row in rows:
        try:
            header, times_s = inspect_series(row.series)
        except SpineHubError as error:
            yield f"case {row.case_id}: {error}"
            continue
        if header.frame_count < 2:
            yield f"case {row.case_id}: {header.name} is one volume; a cohort needs a 4-D series"
        elif times_s is None:
            yield (
                f"case {row.case_id}: {header.name} has no frame times; list them as VolumeTiming in the .json file "
                "beside it"
            )
        if row.lesion_mask is None:
            yield f"case {row.case_id} has no lesion_mask; draw the index lesion"
            continue
        try:
            read_mask(row.lesion_mask, header.grid)
        except SpineHubError as error:
            yield f"case {row.case_id}: {error}"
