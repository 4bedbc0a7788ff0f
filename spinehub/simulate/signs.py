"""What may differ between the classes, as explicit densities; the source of the exact Bayes posterior.

Every sign is drawn given the histology, independently of the other signs. With the probability :data:`SHARED` it
ignores the histology and comes from the pool of both classes, so that the likelihood ratio of any single sign between
the classes is at most ``(2 - SHARED) / SHARED = 10``, whatever its value. A difference that is *switched off* (see
:data:`DIFFERENCES`) always comes from the pool. :data:`STRENGTH` scales all differences at once; how it was set, and
what must not differ, stands in docs/simulator.md.
"""

from collections.abc import Collection
from math import exp, log
from typing import Any

import numpy as np
from scipy.special import logsumexp

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError
from spinehub.simulate.lesion_parts import LesionSigns
from spinehub.simulate.parts import KineticPrior
from spinehub.simulate.population import population_log_density
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.sign_tables import (
    EXTRA_HISTOLOGIES,
    HISTOLOGIES,
    KINETIC_FACTOR,
    SHARED,
    SIGNS,
    Sign,
    pooled_mix,
)

__all__ = ["DIFFERENCES", "bayes_posterior", "draw_signs", "recipe_log_density", "sign_density"]

_DIFFERENCE_OF = {
    "site": "site",
    "soft_tissue_mass": "soft_tissue_mass",
    "septa": "septa",
    "ktrans_per_min": "kinetics",
    "ve": "kinetics",
    "vp": "kinetics",
    "rim_contrast": "rim_contrast",
    "unevenness": "unevenness",
}
DIFFERENCES = (*dict.fromkeys(_DIFFERENCE_OF.values()), "age", "level", "multiplicity")
"""Everything in which the classes may differ; the last three only on `as-published`."""


def _class_density(sign: Sign, value: Any, diagnosis: Diagnosis, factor: float) -> float:
    return sum(share * sign.density(value, name, factor) for name, share in HISTOLOGIES[diagnosis].items())


def _pool_density(sign: Sign, value: Any, factor: float) -> float:
    return sum(_class_density(sign, value, diagnosis, factor) for diagnosis in DIAGNOSES) / len(DIAGNOSES)


def sign_density(name: str, value: str | float, diagnosis: Diagnosis, kinetics: KineticPrior = "medium") -> float:
    """Density of one sign (of its logarithm for positive numbers) in one class, histologies mixed."""
    sign, factor = SIGNS[name], KINETIC_FACTOR[kinetics]
    own, pool = _class_density(sign, value, diagnosis, factor), _pool_density(sign, value, factor)
    return (1.0 - SHARED) * own + SHARED * pool


def draw_signs(
    rng: np.random.Generator, histology: str, kinetics: KineticPrior, without: Collection[str] = ()
) -> LesionSigns:
    """Signs of one lesion; the number of random draws does not depend on the histology.

    Parameters
    ----------
    without
        Differences that are switched off: these signs come from the pool of both classes.
    """
    factor = KINETIC_FACTOR[kinetics]
    names, edges = list(pooled_mix()), np.cumsum(list(pooled_mix().values()))
    drawn: dict[str, Any] = {}
    for name, sign in SIGNS.items():
        shared, stranger, share = rng.random(3)
        pooled = shared < SHARED and histology not in EXTRA_HISTOLOGIES
        if pooled or _DIFFERENCE_OF[name] in without:
            source = names[min(int(np.searchsorted(edges, stranger)), len(names) - 1)]
        else:
            source = histology
        drawn[name] = sign.quantile(float(share), source, factor)
    return LesionSigns(**drawn)


def recipe_log_density(recipe: CaseRecipe, diagnosis: Diagnosis) -> float:
    """Log density of the image-visible signs of the index lesion under one class, histologies mixed exactly.

    What both classes share cancels in the posterior and is left out; on `as-published`, age, region and multiplicity
    come in. Label, histology, identifiers and seeds are not visible and do not enter.

    Raises
    ------
    InvalidArgumentError
        If the index lesion belongs to neither class.
    """
    if recipe.diagnosis is None:
        kind = recipe.lesions[0].histology
        raise InvalidArgumentError(f"recipe must hold a lesion of one of the two classes, got {kind}")
    signs, factor = recipe.lesions[0].signs, KINETIC_FACTOR[recipe.kinetics]
    visible = {name: sign for name, sign in SIGNS.items() if _DIFFERENCE_OF[name] not in recipe.without}
    pools = {name: _pool_density(sign, getattr(signs, name), factor) for name, sign in visible.items()}
    terms, weights = [], []
    for histology, weight in HISTOLOGIES[diagnosis].items():
        total = 0.0
        for name, sign in visible.items():
            own = sign.density(getattr(signs, name), histology, factor)
            total += log((1.0 - SHARED) * own + SHARED * pools[name])
        terms.append(total + population_log_density(recipe, histology))
        weights.append(weight)
    return float(logsumexp(terms, b=weights))


def bayes_posterior(recipe: CaseRecipe) -> float:
    """Exact probability of ``primary_malignant`` given the visible signs, equal priors: the ceiling of any route."""
    metastasis, primary = (recipe_log_density(recipe, diagnosis) for diagnosis in DIAGNOSES)
    return 1.0 / (1.0 + exp(metastasis - primary))
