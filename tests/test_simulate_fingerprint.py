"""What the simulator's version promises: the same seed draws this recipe, and the same recipe renders these voxels.

Where a test here fails although the change was meant, raise ``SIMULATOR_VERSION`` and write down what the failure
shows: recipes, cohorts and weights of another version no longer fit.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spinehub.simulate import (
    DIFFERENCES,
    LOOKALIKES,
    SIMULATOR_VERSION,
    CaseRecipe,
    draw_lookalike,
    draw_recipe,
    render,
)

VERSION = "2.0"
DRAWS = {
    "matched": "1c2567f22e38fff2",
    "as-published": "ad3f391c58f35481",
    "reversed kinetics": "77cd804dded227af",
    "null": "14a73864ee5b5df7",
    "extra histologies": "7cab8f36f39a6947",
    "look-alikes": "c8f97a501fa23b83",
}
# fmt: off
VOXELS = {
    "metastasis": (124, 120, 141, 105, 189, 164, 134, 127, 323, 278, 328, 314, 363, 412, 461, 505, 261, 262, 265,
        269, 285, 285, 426, 411, 442, 440, 498, 521, 487, 497, 345, 351, 163, 154, 174, 145, 218, 210, 167, 155,
        474, 449, 513, 490, 564, 558, 573, 614, 278, 279, 314, 296, 307, 303, 452, 452, 527, 508, 570, 584, 574,
        580, 456, 466, 84, 209, 366),
    "primary_malignant": (126, 106, 131, 122, 104, 94, 117, 105, 120, 135, 144, 144, 256, 157, 164, 236, 190, 202,
        162, 173, 248, 262, 249, 316, 366, 356, 476, 471, 416, 405, 437, 441, 158, 146, 149, 147, 127, 116, 138,
        128, 188, 199, 215, 213, 285, 225, 232, 285, 221, 236, 194, 207, 294, 311, 313, 380, 361, 351, 477, 475,
        447, 438, 464, 466, 75, 114, 243),
}
# fmt: on
"""Means of 4 x 4 x 2 blocks of the first frame and of the last one; voxels of the lesion, and its mean in either."""


def plain(value: Any) -> Iterator[str]:
    """Every number of a recipe to six figures: robust against the last bits of another platform's logarithm."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield key
            yield from plain(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from plain(item)
    else:
        yield f"{value:.6g}" if isinstance(value, float) else str(value)


def digest(recipes: list[CaseRecipe]) -> str:
    text = " ".join(word for recipe in recipes for word in plain(recipe.to_dict()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def drawn(name: str) -> list[CaseRecipe]:
    cases = range(12)
    if name == "look-alikes":
        return [draw_lookalike(kind, 2026, case) for kind in LOOKALIKES for case in range(3)]
    if name == "extra histologies":
        return [draw_recipe(2026, case, histology=kind) for kind in ("myeloma", "lymphoma") for case in range(4)]
    options: dict[str, dict[str, Any]] = {
        "matched": {},
        "as-published": {"cohort": "as-published"},
        "reversed kinetics": {"kinetics": "reversed"},
        "null": {"without": DIFFERENCES},
    }
    return [draw_recipe(2026, case, **options[name]) for case in cases]


def shown(diagnosis: Any) -> list[int]:
    recipe = draw_recipe(2026, 4 if diagnosis == "metastasis" else 7, diagnosis=diagnosis)
    protocol = replace(recipe.protocol, matrix=(64, 64, 8), spacing_mm=(3.4, 3.4, 6.0), frame_interval_s=30.0,
                       frame_count=6, arrival_s=50.0)  # fmt: skip
    artefacts = replace(recipe.artefacts, shifts_mm=recipe.artefacts.shifts_mm[:6])
    case = render(replace(recipe, protocol=protocol, artefacts=artefacts))
    pair, inside = case.series.frames[..., [0, 5]], case.lesions[0].mask.voxels
    means = pair.reshape(4, 16, 4, 16, 2, 4, 2).mean(axis=(1, 3, 5), dtype=np.float64)
    values = [*np.moveaxis(means, -1, 0).ravel(), inside.sum(), *pair[inside].mean(axis=0, dtype=np.float64)]
    return [round(float(value)) for value in values]


def test_version_is_the_one_the_fingerprints_belong_to() -> None:
    assert SIMULATOR_VERSION == VERSION


@pytest.mark.parametrize("name", DRAWS)
def test_draws_of_this_version_are_unchanged(name: str) -> None:
    assert digest(drawn(name)) == DRAWS[name]


@pytest.mark.parametrize("diagnosis", VOXELS)
def test_voxels_of_this_version_are_unchanged(diagnosis: str) -> None:
    np.testing.assert_allclose(shown(diagnosis), VOXELS[diagnosis], rtol=0.005, atol=2.0)


def test_fingerprint_notices_a_small_change() -> None:
    recipe = draw_recipe(2026, 0)
    lesion = replace(recipe.lesions[0], delay_s=recipe.lesions[0].delay_s * 1.00002)
    assert digest([recipe]) != digest([replace(recipe, lesions=(lesion,))])
