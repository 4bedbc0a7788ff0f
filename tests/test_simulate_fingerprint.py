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
    "matched": "9f1a2651416b0f48",
    "as-published": "48c6c8d98f9081d0",
    "reversed kinetics": "05ebc8772d2a7fd2",
    "null": "1e1a17f15ae9c3b9",
    "extra histologies": "5bb738c44676b18f",
    "look-alikes": "5f3b6b7647c4389b",
}
# fmt: off
VOXELS = {
    "metastasis": (125, 123, 153, 114, 169, 149, 127, 155, 309, 299, 273, 270, 378, 370, 406, 475, 281, 258, 271,
        273, 295, 292, 353, 380, 504, 480, 562, 577, 546, 555, 350, 357, 160, 161, 198, 159, 206, 195, 150, 172,
        460, 473, 514, 470, 598, 548, 537, 579, 303, 274, 315, 298, 317, 308, 481, 456, 543, 523, 603, 606, 590,
        598, 413, 411, 84, 213, 372),
    "primary_malignant": (108, 98, 106, 97, 87, 84, 68, 67, 130, 140, 156, 156, 224, 184, 226, 238, 234, 236, 168,
        179, 262, 274, 319, 370, 161, 155, 327, 319, 355, 352, 407, 429, 158, 142, 134, 128, 101, 100, 79, 77, 172,
        176, 213, 210, 267, 246, 290, 285, 269, 275, 206, 221, 303, 323, 391, 422, 159, 153, 333, 326, 394, 392,
        443, 465, 75, 114, 246),
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
