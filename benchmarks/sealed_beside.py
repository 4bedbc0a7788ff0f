"""Rows beside the routes of the sealed table: the stacked one, and `embed()` + logistic regression of each network.

Fitted on one simulated cohort that taught no route anything and is used up by that: the sealed ones have other seeds.
"""

from collections.abc import Mapping
from pathlib import Path

from spinehub.dataset import PreparationPlan, prepare_cohort
from spinehub.evaluation import evaluate_cohort, stack_evaluation
from spinehub.inputs import PreprocessingSpec
from spinehub.models.classifier import CROP
from spinehub.models.embedding import EmbeddingModel, embedding_file
from spinehub.report import RouteName
from spinehub.routes import load_model
from spinehub.simulate import CaseRecipe, cohort_recipes
from spinehub.training import train_embedding

__all__ = ["rows_beside"]

SEED = 90520
SPECS: dict[RouteName, PreprocessingSpec] = {"unet": PreprocessingSpec(), "inception_resnet": CROP}


def rows_beside(work: Path, cases: int, models: Mapping[str, str], workers: int) -> tuple[Path, dict[str, Path]]:
    """Fit them on `cases` patients, in timed series and before and after contrast: no route answers to one volume.

    Returns
    -------
    tuple
        File of the stacked weights; network's route to the file of its embedding.
    """
    recipes = tuple(cohort_recipes(cases, SEED))
    evaluate_cohort(
        recipes, work / "stacking", models, regimes=("dynamic", "pre_post"), mask_sources=("end_to_end",),
        workers=workers, attach=False,
    )  # fmt: skip
    stack = stack_evaluation(work / "stacking", work / "stacked")
    prepare_cohort(recipes, PreparationPlan({**SPECS}), work / "prepared", workers=workers)
    return stack, {route: _embedding(route, models[route], work, recipes) for route in SPECS if route in models}


def _embedding(route: RouteName, model: str, work: Path, recipes: tuple[CaseRecipe, ...]) -> Path:
    """Its file; kept where it was fitted to the same network and as many cases."""
    path = work / "stacked" / embedding_file(route)
    if path.is_file():
        kept = EmbeddingModel.load(path)
        if kept.network_sha256 == load_model(route, model).sha256 and kept.training["cases"] == len(recipes):
            return path
    names = [recipe.case_id for recipe in recipes]
    return train_embedding(route, model, work / "stacked", prepared=work / "prepared", cases=names)
