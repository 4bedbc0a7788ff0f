"""Writing the teaching cases into a folder: a cohort of ten with a page of words."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from spinehub.cohort import write_whole_case
from spinehub.io import LESION_FILE, SERIES_FILE, CohortRow, write_cohort_table
from spinehub.io.writing import write_text
from spinehub.teaching.cases import TeachingCase, teaching_cases

__all__ = ["WORDS_FILE", "write_teaching_cases"]

WORDS_FILE = "teaching.md"
_INTRODUCTION = """# Ten teaching cases

All cases are simulated: physics and anatomy imitate contrast-enhanced MRI of the spine, no patient was examined.
Nothing here may be used for a diagnosis. Each folder holds `series.nii.gz` with its times in `series.json`, the true
lesion in `lesion.nii.gz`, and the recipe it was rendered from. Look at the series first; the truth stands under each
text.
"""


def write_teaching_cases(folder: str | Path, *, workers: int = 1) -> tuple[CohortRow, ...]:
    """Write the ten teaching cases: one sub-folder per case, ``cohort.csv`` and ``teaching.md``.

    The files are the same bytes for any number of workers and on every call; cases that are there are written again.

    Parameters
    ----------
    folder
        Made where it does not exist.
    workers
        Processes that render side by side.

    Returns
    -------
    tuple of CohortRow
        What ``cohort.csv`` lists; look-alikes have no diagnosis there.
    """
    from tqdm import tqdm

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cases = teaching_cases()
    jobs = [(number, folder) for number in range(len(cases))]
    # disable=None is tqdm's word for "only where the output is a terminal".
    with tqdm(total=len(cases), desc="rendering", unit="case", disable=None) as bar:
        if workers == 1:
            for job in jobs:
                _write_one(job)
                bar.update()
        else:
            # Spawned, not forked: a forked child inherits locks of threads that no longer run.
            with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
                for _ in pool.map(_write_one, jobs):
                    bar.update()
    rows = tuple(_row_of(case, folder) for case in cases)
    write_cohort_table(rows, folder)
    write_text(folder / WORDS_FILE, _INTRODUCTION + "".join(_words_of(case) for case in cases))
    return rows


def _write_one(job: tuple[int, Path]) -> None:
    number, folder = job
    write_whole_case(teaching_cases()[number].render(), folder)


def _row_of(case: TeachingCase, folder: Path) -> CohortRow:
    recipe, index = case.recipe, case.recipe.lesions[0]
    return CohortRow(
        case_id=case.case_id,
        patient_id=case.case_id,
        series=folder / case.case_id / SERIES_FILE,
        lesion_mask=folder / case.case_id / LESION_FILE,
        diagnosis=case.diagnosis or "",
        age_years=recipe.patient.age_years,
        sex=recipe.patient.sex,
        extra={"level": index.level, "histology": index.histology, "lesions": str(len(recipe.lesions))},
    )


def _words_of(case: TeachingCase) -> str:
    truth = case.truth[0].upper() + case.truth[1:]
    share = case.posterior_of_truth
    odds = "" if share is None else f" Given all that shows, the simulator itself gives this class {100 * share:.0f} %."
    return (
        f"\n## {case.number}. {case.title}\n\n`{case.case_id}`. {case.vignette}\n\n{case.what_to_see}\n\n"
        f"**Truth:** {truth}.{odds}\n"
    )
