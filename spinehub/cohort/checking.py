"""Say what is wrong with a cohort before anything is trained on it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from spinehub.case import DIAGNOSES
from spinehub.errors import SpineHubError
from spinehub.io import CohortRow, inspect_series, read_mask

__all__ = ["check_cohort"]


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
