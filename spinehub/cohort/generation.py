"""Simulate a cohort into a folder: side by side, resumable, and the same bytes however it is done."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from shutil import disk_usage, rmtree

from spinehub.case import Case
from spinehub.cohort.worlds import Recipe, WorldName, recipes_of, rendered
from spinehub.errors import InvalidArgumentError
from spinehub.io import (
    COHORT_FILE,
    LESION_FILE,
    OTHER_LESIONS_FILE,
    RECIPE_FILE,
    SERIES_FILE,
    CohortRow,
    read_cohort,
    read_recipe,
    recipe_text,
    write_case,
    write_cohort_table,
)
from spinehub.simulate import CohortName, KineticPrior

__all__ = ["generate_cohort", "write_whole_case"]

_BYTES_PER_VALUE = 1.9
"""A noisy int16 value in a compressed file: 1.81 to 1.89 bytes in six cases of both worlds."""
_SPARE_BYTES = 64 * 2**20


def generate_cohort(
    folder: str | Path,
    cases: int,
    seed: int,
    *,
    cohort: CohortName = "matched",
    kinetics: KineticPrior = "medium",
    world: WorldName = "first",
    noise_from: Path | None = None,
    workers: int = 1,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[CohortRow, ...]:
    """Simulate a cohort into `folder`: one sub-folder per case and ``cohort.csv``.

    Cases that are already complete are kept, so an interrupted run is resumed by the same call, and a larger one adds
    to a smaller one. Case k depends on (`seed`, k) alone, and the files are the same bytes for any number of workers.

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
    world
        ``second``: cases of :mod:`spinehub.second_world`, for evaluation only.
    noise_from
        Scan whose noise statistics the second world takes; None: those of two public scans.
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
        If `workers` is below 1, the options do not fit each other, `folder` holds cases of another cohort, or the disk
        is too small.
    """
    from tqdm import tqdm

    if workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}")
    folder = Path(folder)
    recipes = tuple(recipes_of(world, cases, seed, cohort=cohort, kinetics=kinetics, noise_from=noise_from))
    rows = tuple(_row_of(recipe, folder) for recipe in recipes)
    _require_same_cohort(folder, rows)
    missing = [recipe for recipe in recipes if not _is_complete(recipe, folder / recipe.case_id)]
    _require_space(folder, missing)
    folder.mkdir(parents=True, exist_ok=True)
    done: Iterable[str] = _render_all(missing, folder, workers)
    if progress is None:
        # disable=None is tqdm's word for "only where the output is a terminal".
        done = tqdm(done, total=len(missing), desc="simulating", unit="case", disable=None)
    for count, case_id in enumerate(done, start=1):
        if progress is not None:
            progress(count / len(missing), f"simulated {case_id}")
    write_cohort_table(rows, folder)
    return rows


def _row_of(recipe: Recipe, folder: Path) -> CohortRow:
    """Return the table's row of a simulated case; each case is its own patient, so both have one name."""
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


def _require_space(folder: Path, recipes: Sequence[Recipe]) -> None:
    """Refuse before the first case what would fill the disk after hours."""
    values = sum(_values_of(recipe) for recipe in recipes)
    if not values:
        return
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    needed, free = values * _BYTES_PER_VALUE + _SPARE_BYTES, disk_usage(existing).free
    if needed > free:
        raise InvalidArgumentError(
            f"folder {folder.name} must lie on a disk with {needed / 1e9:.1f} GB free for {len(recipes)} more case(s), "
            f"got {free / 1e9:.1f} GB; simulate fewer cases or choose another disk"
        )


def _values_of(recipe: Recipe) -> int:
    columns, rows, slices = recipe.protocol.matrix
    return columns * rows * slices * recipe.protocol.frame_count


def _is_complete(recipe: Recipe, folder: Path) -> bool:
    """Whether a case folder was finished from this very recipe; the recipe is the last file to be written."""
    written = read_recipe(folder / RECIPE_FILE)
    if written is None:
        return False
    if recipe_text(written) != recipe_text(recipe.to_dict()):
        raise InvalidArgumentError(
            f"folder {folder.parent.name} holds case {recipe.case_id} drawn in another way; choose an empty folder"
        )
    return all((folder / name).is_file() for name in _files_of(recipe))


def _files_of(recipe: Recipe) -> tuple[str, ...]:
    names = (SERIES_FILE, LESION_FILE)
    return (*names, OTHER_LESIONS_FILE) if len(recipe.lesions) > 1 else names


def _render_all(recipes: Sequence[Recipe], folder: Path, workers: int) -> Iterator[str]:
    """Render and write every recipe; yields the case_id of each finished one."""
    if workers == 1 or len(recipes) < 2:
        for recipe in recipes:
            yield _render_one(recipe, folder)
        return
    # Spawned, not forked: a forked child inherits locks of threads (BLAS, torch) that no longer run.
    with ProcessPoolExecutor(min(workers, len(recipes)), mp_context=get_context("spawn")) as pool:
        for finished in as_completed([pool.submit(_render_one, recipe, folder) for recipe in recipes]):
            yield finished.result()


def _render_one(recipe: Recipe, folder: Path) -> str:
    """Render one case into its folder and return its case_id."""
    write_whole_case(rendered(recipe), folder)
    return recipe.case_id


def write_whole_case(case: Case, folder: Path) -> None:
    """Write a case into its own sub-folder, which appears under its name only when complete."""
    target = folder / case.case_id
    partial = folder / f".{case.case_id}.part"
    for leftover in (partial, target):
        if leftover.is_dir():
            rmtree(leftover)
    write_case(case, partial)
    partial.replace(target)
