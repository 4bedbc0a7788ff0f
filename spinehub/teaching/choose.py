"""Choose the recipes of the teaching cases: ``python -m spinehub.teaching.choose [--only NAME ...]``.

Candidates are drawn one after the other; the first few that fit are rendered and measured, and the one that shows its
lesson best is stored in ``recipes``. After a new version of the simulator the choice is made again and the texts are
read against the pictures.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from spinehub.case import Case
from spinehub.growing import grow
from spinehub.perfusion import (
    assess_timing,
    estimate_motion,
    find_hot_spot,
    hot_spot_parameters,
)
from spinehub.report import deepest_voxel
from spinehub.simulate import CaseRecipe
from spinehub.simulate.scene import paint_scene
from spinehub.simulate.spine import SpineGeometry
from spinehub.teaching.cases import RECIPES, TEXTS, TeachingCase
from spinehub.teaching.lessons import LESSONS, Lesson
from spinehub.volume import Index, Seed

__all__ = ["choose", "facts_of", "spill"]

_DRAWS, _MOST_RENDERED, _CANDIDATES = 20000, 8, 2
_LEAST_IN_VIEW = 0.97
_PARAMETERS = ("early_enhancement", "washout")
_TOLERANCES = (1.0, 1.5, 2.0)
"""Multiples of the suggested tolerance at which the leak is measured."""


def choose(name: str) -> TeachingCase:
    """Best of the first candidates that fit a lesson, lie in view and can be measured, with what was measured on it."""
    lesson = LESSONS[name]
    found: list[tuple[float, TeachingCase]] = []
    for recipe in islice(_candidates(lesson), _MOST_RENDERED):
        case = TeachingCase(0, name, "", "", recipe, lesson.times_factor)
        facts = facts_of(name, case.render(), recipe)
        if facts["in_view"] >= _LEAST_IN_VIEW and facts["early_enhancement"] is not None:
            found.append((_score(name, facts), replace(case, facts=facts)))
        if len(found) == _CANDIDATES:
            break
    if not found:
        raise RuntimeError(f"no candidate of {name} lies in view and can be measured; widen what it must fit")
    return max(found, key=lambda scored: scored[0])[1]


def _candidates(lesson: Lesson) -> Iterator[CaseRecipe]:
    return (lesson.set_up(recipe) for recipe in map(lesson.draw, range(_DRAWS)) if lesson.fits(recipe))


def _score(name: str, facts: dict[str, Any]) -> float:
    """How well a candidate shows its lesson."""
    early, washout = (np.nan_to_num(facts[key] if facts[key] is not None else np.nan) for key in _PARAMETERS)
    if name == "leak":
        return float(facts["canal_ml"]["2"] - 10.0 * facts["canal_ml"]["1"])
    if name == "motion":
        return float(facts["motion_mm"])
    if name in ("chordoma", "infection"):
        return float(washout)
    return float(early - 5.0 * washout if name == "metastasis" else early)


def facts_of(name: str, case: Case, recipe: CaseRecipe) -> dict[str, Any]:
    """What is measured on a rendered case, with the true mask and the times the file states."""
    timing = assess_timing(case.series)
    mask = case.lesions[0].mask
    parameters = hot_spot_parameters(find_hot_spot(case.series, mask, timing), timing)
    volume = np.pi / 6.0 * recipe.lesions[0].diameter_mm ** 3 / 1000.0
    facts: dict[str, Any] = {
        "in_view": 1.0 if case.lesions[0].diagnosis is None else round(mask.volume_ml / volume, 3),
        "volume_ml": round(mask.volume_ml, 1),
    }
    if name == "motion":
        facts["motion_mm"] = round(estimate_motion(case.series, timing), 1)
    if name == "leak":
        facts["canal_ml"] = {f"{share:g}": ml for share, ml in spill(case, recipe).items()}
    for parameter in _PARAMETERS:
        value = parameters[parameter].value
        facts[parameter] = None if value is None else round(float(value), 1)
    return facts


def spill(case: Case, recipe: CaseRecipe, *, held_back: bool = False) -> dict[float, float]:
    """Millilitres of the canal, outside the lesion, in the region grown from the lesion's deepest voxel.

    Parameters
    ----------
    case, recipe
        What was rendered, and from what.
    held_back
        Whether a background seed is set in the canal, where the lesion comes nearest to it.

    Returns
    -------
    dict
        By tolerance, as a multiple of the suggested one.
    """
    mask = case.lesions[0].mask
    scene = paint_scene(recipe, SpineGeometry(recipe.anatomy))
    canal = (scene.canal.astype(np.float32).mean(axis=-1) >= 0.5) & ~mask.voxels
    seeds = [Seed.at_index(deepest_voxel(mask), mask.grid)]
    if held_back:
        far = distance_transform_edt(~mask.voxels, sampling=mask.grid.spacing_mm)
        inner = distance_transform_edt(canal, sampling=mask.grid.spacing_mm) > 2.5
        seeds.append(
            Seed.at_index(_voxel(np.where(inner, far, np.inf).argmin(), far.shape), mask.grid, background=True)
        )
    growth = grow(case.series, seeds)
    reached = {share: growth.mask(share * growth.suggested_tolerance).voxels & canal for share in _TOLERANCES}
    return {share: round(float(part.sum()) * mask.grid.voxel_volume_ml, 2) for share, part in reached.items()}


def _voxel(place: np.intp, shape: tuple[int, ...]) -> Index:
    i, j, k = np.unravel_index(place, shape)
    return int(i), int(j), int(k)


def main() -> None:
    """Choose, store and print."""
    parser = argparse.ArgumentParser(description="Choose the recipes of the teaching cases.")
    parser.add_argument("--only", nargs="+", choices=LESSONS, default=list(LESSONS))
    names = parser.parse_args().only
    assert list(json.loads(TEXTS.read_text(encoding="utf-8"))) == list(LESSONS)
    RECIPES.mkdir(exist_ok=True)
    for name in names:
        case = choose(name)
        stored = {"times_factor": case.times_factor, "facts": case.facts, "recipe": case.recipe.to_dict()}
        path: Path = RECIPES / f"{name}.json"
        path.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
