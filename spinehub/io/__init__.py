"""Reading and writing: NIfTI, NRRD and MHA files, sidecars, cases and cohorts on disk."""

from spinehub.io.cases import (
    LESION_FILE,
    OTHER_LESIONS_FILE,
    RECIPE_FILE,
    SERIES_FILE,
    read_case,
    read_recipe,
    recipe_text,
    write_case,
)
from spinehub.io.cohort_table import COHORT_FILE, CohortRow, read_cohort, write_cohort_table
from spinehub.io.formats import read_header
from spinehub.io.guard import MAX_AXIS, MAX_FRAMES, MAX_SAMPLES
from spinehub.io.header import FileHeader
from spinehub.io.reading import inspect_series, read_mask, read_series
from spinehub.io.source import Source, describe_source
from spinehub.io.writing import write_map, write_mask, write_series, write_volume

__all__ = [
    "COHORT_FILE",
    "LESION_FILE",
    "MAX_AXIS",
    "MAX_FRAMES",
    "MAX_SAMPLES",
    "OTHER_LESIONS_FILE",
    "RECIPE_FILE",
    "SERIES_FILE",
    "CohortRow",
    "FileHeader",
    "Source",
    "describe_source",
    "inspect_series",
    "read_case",
    "read_cohort",
    "read_header",
    "read_mask",
    "read_recipe",
    "read_series",
    "recipe_text",
    "write_case",
    "write_cohort_table",
    "write_map",
    "write_mask",
    "write_series",
    "write_volume",
]
