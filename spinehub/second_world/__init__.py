"""A second, independent simulator, for one purpose: to see what models lose when the world changes under them.

It was written before any model was trained on simulated cases of the frozen first simulator, and nothing is ever tuned
on it: cohorts of it are for evaluation only. It shares no code with :mod:`spinehub.simulate`, so that no mistake is
shared either, and differs in every generator:

===============  =============================================  ====================================================
piece            first simulator                                second world
===============  =============================================  ====================================================
input function   Parker 2006                                    biexponential (Fritz-Hansen 1996) after an injection
tissue model     extended Tofts                                 two-compartment exchange
shape            union of lobes with bumps                      star-shaped bodies of random spherical harmonics
texture          B-spline noise                                 power-law spectra, Worley cells for septa
anatomy          table of sizes per vertebra                    smooth sizes from nine levels, simpler parts
sampling         partial volume of finer slices                 points, slice cross-talk, no motion within frames
protocols        4-5 mm slices, even frame intervals            3 mm, dense then sparse frames, interleaved, turned
noise            Rician, one ideal coil                         quantiles and correlation measured in real scans
===============  =============================================  ====================================================

Kinetics of metastases are fitted to the same published figures through the other model; those of primary tumours are
assumed to differ in the same direction.
"""

from spinehub.second_world.drawing import cohort_recipes, draw_recipe
from spinehub.second_world.noise import measure_noise
from spinehub.second_world.recipe import WORLD_VERSION, NoiseStatistics, SecondRecipe
from spinehub.second_world.rendering import render
from spinehub.second_world.signs import KINETICS, bayes_posterior

__all__ = [
    "KINETICS",
    "WORLD_VERSION",
    "NoiseStatistics",
    "SecondRecipe",
    "bayes_posterior",
    "cohort_recipes",
    "draw_recipe",
    "measure_noise",
    "render",
]
