"""Where and on what a model was trained: versions, machine, and a fingerprint of the data."""

import hashlib
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from spinehub._version import __version__
from spinehub.io import CohortRow, recipe_text
from spinehub.simulate import CaseRecipe

__all__ = ["data_fingerprint", "environment"]

_PACKAGES = (
    "accelerate",
    "numpy",
    "pyradiomics-bhklab",
    "scikit-learn",
    "scipy",
    "segmentation-models-pytorch",
    "SimpleITK",
    "timm",
    "torch",
)
_TRAILER_BYTES = 8


def environment() -> dict[str, Any]:
    """Versions of what training depends on, and the machine without its name."""
    return {
        "spinehub": __version__,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }


def data_fingerprint(sources: Sequence[CohortRow | CaseRecipe]) -> str:
    """SHA-256 that changes with the table and the content of any file it names, or with any recipe.

    Of each file its size and last eight bytes are taken: a gzip file ends with the checksum and the length of what is
    in it, so that gigabytes need not be read.
    """
    digest = hashlib.sha256()
    for row in sorted(sources, key=lambda source: source.case_id):
        if isinstance(row, CaseRecipe):
            digest.update(recipe_text(row.to_dict()).encode())
            continue
        digest.update(f"{row.case_id}\n{row.patient_id}\n{row.diagnosis}\n{row.age_years}\n".encode())
        for path in (row.series, row.lesion_mask):
            if path is None:
                continue
            size = path.stat().st_size
            with path.open("rb") as file:
                file.seek(max(0, size - _TRAILER_BYTES))
                digest.update(f"{size}\n".encode() + file.read())
    return digest.hexdigest()
