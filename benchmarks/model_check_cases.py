"""What the model checks show to the routes, one case at a time: each function gives what every route made of it.

Used by model_checks.py. Everything goes through :func:`spinehub.analyse` with one simulated click, as a user would do.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spinehub.dataset import REGIMES, simulated_click
from spinehub.inputs import reduce_regime
from spinehub.io import read_mask, read_series
from spinehub.perfusion import assess_timing
from spinehub.pipeline import analyse
from spinehub.series import DynamicSeries, Regime
from spinehub.simulate import LOOKALIKES, CaseRecipe, bayes_posterior, draw_lookalike, draw_recipe, render, render_twin
from spinehub.volume import Seed, Volume

__all__ = ["CHECKS", "SEEDS", "Row"]

SEEDS = {"swapped": 70101, "deleted": 70102, "lookalikes": 70103, "fresh": 70104, "null": 70105, "null test": 70106}
KINETIC_SIGNS = ("ktrans_per_min", "ve", "vp", "rim_contrast", "unevenness")
"""Signs the kinetic prior scales; the others (site, soft-tissue mass, septa) are the shape."""
OTHER_TUMOURS = ("myeloma", "lymphoma")
DAMAGED = ("upside down", "front to back", "times halved", "times doubled", "frames reversed")
REAL = Path(os.environ.get("SPINEHUB_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
Row = dict[str, Any]
"""``check``, ``kind``, ``regime``, ``case``, ``flagged`` and, by route, ``probability`` and ``decision``."""


def shown(image: DynamicSeries | Volume, seed: Seed, models: Mapping[str, str], **about: Any) -> Row:
    """What the routes say about an image and a click."""
    report = analyse(image, seeds=[seed], models=models)
    routes = {
        route.name: {
            "probability": None if route.probabilities is None else route.probabilities["primary_malignant"],
            "decision": route.decision,
        }
        for route in report.routes
        if route.name in models
    }
    codes = [warning.code for warning in report.warnings]
    flagged = "outside_training_distribution" in codes
    return {**about, "regime": report.timing.regime, "flagged": flagged, "warnings": codes, "routes": routes}


def reduced(series: DynamicSeries, regime: Regime, case: int) -> DynamicSeries | Volume:
    """The series as that regime would show it."""
    rng = np.random.default_rng([case, REGIMES.index(regime)])
    return reduce_regime(series, regime, rng, timing=assess_timing(series))


def swapped(case: int, models: Mapping[str, str]) -> Iterator[Row]:
    """Shape of one class with the kinetics of the other, in one examination."""
    recipes = {
        "chordoma": draw_recipe(SEEDS["swapped"], case, histology="chordoma"),
        "metastasis": draw_recipe(SEEDS["swapped"], case, histology=("metastasis_lung", "metastasis_other")[case % 2]),
    }
    for shape, kinetics in (("chordoma", "metastasis"), ("metastasis", "chordoma")):
        recipe, other = recipes[shape], recipes[kinetics].lesions[0].signs
        signs = replace(recipe.lesions[0].signs, **{name: getattr(other, name) for name in KINETIC_SIGNS})
        mixed = replace(recipe, lesions=(replace(recipe.lesions[0], signs=signs),))
        found, seed = clicked(mixed, case)
        row = shown(found, seed, models, check="swapped", kind=f"shape of {shape}, kinetics of {kinetics}", case=case)
        row["routes"]["exact posterior"] = {"probability": bayes_posterior(mixed), "decision": ""}
        yield row


def deleted(case: int, models: Mapping[str, str]) -> Iterator[Row]:
    """The same person without the lesion, clicked where it was."""
    recipe = draw_recipe(SEEDS["deleted"], case)
    seed = simulated_click(render(recipe).lesions[0].mask, np.random.default_rng(case))
    twin = render_twin(recipe).series
    for regime in REGIMES:
        yield shown(reduced(twin, regime, case), seed, models, check="deleted", kind=regime, case=case)


def lookalikes(case: int, models: Mapping[str, str]) -> Iterator[Row]:
    """What is none of the two classes, and cases of the two classes whose file says something wrong."""
    for kind in (*LOOKALIKES, *OTHER_TUMOURS):
        recipe = (
            draw_lookalike(kind, SEEDS["lookalikes"], case)
            if kind in LOOKALIKES
            else draw_recipe(SEEDS["lookalikes"], case, histology=kind)
        )
        yield shown(*clicked(recipe, case), models, check="lookalikes", kind=kind, case=case)
    series, seed = clicked(draw_recipe(SEEDS["lookalikes"], case), case)
    for kind in DAMAGED:
        yield shown(*damaged(kind, series, seed), models, check="lookalikes", kind=kind, case=case)


def fresh(case: int, models: Mapping[str, str]) -> Iterator[Row]:
    """Cases of the training protocols that no model saw."""
    series, seed = clicked(draw_recipe(SEEDS["fresh"], case), case)
    for regime in REGIMES:
        yield shown(reduced(series, regime, case), seed, models, check="fresh", kind=regime, case=case)


def real(case: int, models: Mapping[str, str]) -> Iterator[Row]:
    """Real scans, none of them contrast-enhanced MRI of a spinal tumour; nothing where their folder is absent."""
    files = sorted(
        path for path in REAL.glob("[ad]_*/*.nii.gz") if "mask" not in path.name and "_seg_" not in path.name
    )
    if case >= len(files):
        return
    image = read_series(files[case])
    drawn = files[case].with_name(files[case].name.replace(".nii.gz", "_mask.nii.gz"))
    if drawn.is_file():
        seed = simulated_click(read_mask(drawn, image.grid), np.random.default_rng(case))
    else:
        i, j, k = (size // 2 for size in image.grid.shape)
        seed = Seed.at_index((i, j, k), image.grid)
    kind = "tumour of the leg or elsewhere" if drawn.is_file() else "no tumour"
    yield shown(image, seed, models, check="real", kind=kind, case=case)


def clicked(recipe: CaseRecipe, case: int) -> tuple[DynamicSeries, Seed]:
    """Rendered series and a click in its index lesion."""
    rendered = render(recipe)
    return rendered.series, simulated_click(rendered.lesions[0].mask, np.random.default_rng(case))


def damaged(kind: str, series: DynamicSeries, seed: Seed) -> tuple[DynamicSeries, Seed]:
    """The same series told wrongly; the click stays in the lesion."""
    if kind == "frames reversed":
        return replace(series, frames=series.frames[..., ::-1].copy()), seed
    if kind.startswith("times"):
        assert series.times_s is not None
        return replace(series, times_s=series.times_s * (0.5 if kind == "times halved" else 2.0)), seed
    axis = series.grid.patient_axes.index(2 if kind == "upside down" else 1)
    index = list(seed.index_on(series.grid))
    index[axis] = series.grid.shape[axis] - 1 - index[axis]
    i, j, k = index
    return replace(series, frames=np.flip(series.frames, axis).copy()), Seed.at_index((i, j, k), series.grid)


CHECKS: dict[str, Callable[[int, Mapping[str, str]], Iterator[Row]]] = {
    "swapped": swapped,
    "deleted": deleted,
    "lookalikes": lookalikes,
    "fresh": fresh,
    "real": real,
}
