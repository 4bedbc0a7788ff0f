"""Evaluation: every route end to end on patients it never saw, and on the true mask beside it."""

from spinehub.evaluation.crossing import cross_validate
from spinehub.evaluation.entry import evaluate_cohort
from spinehub.evaluation.stacking import stack_evaluation

__all__ = ["cross_validate", "evaluate_cohort", "stack_evaluation"]
