"""Ten simulated teaching cases: a recipe, a vignette, and what to see.

The recipes are a few kB each; a case is rendered when it is asked for, and has the same bytes every time. They were
chosen by ``python -m spinehub.teaching.choose``; the words are in ``texts.json``.
"""

from spinehub.teaching.cases import TeachingCase, teaching_cases
from spinehub.teaching.reading import ANSWERS, Answer, Reading, Tally, points_lost, probability_said, tally
from spinehub.teaching.writing import write_teaching_cases

__all__ = [
    "ANSWERS",
    "Answer",
    "Reading",
    "Tally",
    "TeachingCase",
    "points_lost",
    "probability_said",
    "tally",
    "teaching_cases",
    "write_teaching_cases",
]
