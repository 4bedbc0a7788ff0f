"""The two worlds cases can come from, behind one way to draw and one way to render."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

from spinehub import second_world, simulate
from spinehub.case import Case
from spinehub.errors import InvalidArgumentError
from spinehub.io import read_series
from spinehub.second_world import NoiseStatistics, SecondRecipe, measure_noise
from spinehub.series import DynamicSeries
from spinehub.simulate import CaseRecipe, CohortName, KineticPrior

__all__ = ["WORLDS", "Recipe", "WorldName", "exact_posterior", "recipes_of", "rendered"]

WorldName: TypeAlias = Literal["first", "second"]
WORLDS: tuple[WorldName, WorldName] = ("first", "second")
"""``first``: the simulator the models learn from. ``second``: another one, for shift tests only."""
Recipe: TypeAlias = CaseRecipe | SecondRecipe


def recipes_of(
    world: WorldName,
    cases: int,
    seed: int,
    *,
    cohort: CohortName,
    kinetics: KineticPrior,
    noise_from: Path | None = None,
) -> Iterator[Recipe]:
    """Recipes of a cohort; case k depends on (`seed`, k) and the options alone.

    Raises
    ------
    InvalidArgumentError
        If the world is unknown, or has no such cohort or noise.
    """
    if world not in WORLDS:
        raise InvalidArgumentError(f"world must be one of {WORLDS}, got {world!r}")
    if world == "first":
        if noise_from is not None:
            raise InvalidArgumentError("noise_from belongs to the second world, got it with the first; leave it out")
        return simulate.cohort_recipes(cases, seed, cohort=cohort, kinetics=kinetics)
    if cohort != "matched":
        raise InvalidArgumentError(f"cohort of the second world must be matched, got {cohort!r}; leave it out")
    noise = None if noise_from is None else _noise_of(noise_from)
    return second_world.cohort_recipes(cases, seed, kinetics=kinetics, noise=noise)


def rendered(recipe: Recipe) -> Case:
    """Render a recipe in its own world."""
    return second_world.render(recipe) if isinstance(recipe, SecondRecipe) else simulate.render(recipe)


def exact_posterior(values: dict[str, Any]) -> float:
    """Exact probability of ``primary_malignant`` given what the case of a stored recipe shows, in its own world.

    Raises
    ------
    InvalidArgumentError
        If it is no recipe of either world as it is now, or its lesion belongs to neither class.
    """
    if values.get("world") == "second":
        return second_world.bayes_posterior(SecondRecipe.from_dict(values))
    return simulate.bayes_posterior(CaseRecipe.from_dict(values))


def _noise_of(path: Path) -> NoiseStatistics:
    """Noise statistics of a user's scan; its first frame where it is a series. The file's name is not kept."""
    image = read_series(path)
    return measure_noise(image.frame(0) if isinstance(image, DynamicSeries) else image, "own file")
