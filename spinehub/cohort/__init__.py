"""Cohorts: simulate one into a folder, and say what is wrong with one before anything is trained on it."""

from spinehub.cohort.checking import check_cohort
from spinehub.cohort.generation import generate_cohort, write_whole_case
from spinehub.cohort.worlds import WORLDS, Recipe, WorldName, exact_posterior

__all__ = ["WORLDS", "Recipe", "WorldName", "check_cohort", "exact_posterior", "generate_cohort", "write_whole_case"]
