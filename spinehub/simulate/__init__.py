"""Physics-based simulated cases of contrast-enhanced spine MRI: draw a recipe, then render it.

``draw_recipe`` owns everything random, ``render`` is deterministic. What may and what must not differ between the
classes stands in :mod:`spinehub.simulate.signs`.
"""

from spinehub.simulate.cohort import cohort_recipes, draw_recipe
from spinehub.simulate.expected import expected_parameters
from spinehub.simulate.lesion import swap_lesion
from spinehub.simulate.lookalikes import LOOKALIKES, draw_lookalike
from spinehub.simulate.parts import CohortName, KineticPrior
from spinehub.simulate.recipe import SIMULATOR_VERSION, CaseRecipe
from spinehub.simulate.rendering import render, render_twin
from spinehub.simulate.signs import DIFFERENCES, bayes_posterior, recipe_log_density

__all__ = [
    "DIFFERENCES",
    "LOOKALIKES",
    "SIMULATOR_VERSION",
    "CaseRecipe",
    "CohortName",
    "KineticPrior",
    "bayes_posterior",
    "cohort_recipes",
    "draw_lookalike",
    "draw_recipe",
    "expected_parameters",
    "recipe_log_density",
    "render",
    "render_twin",
    "swap_lesion",
]
