"""Evaluation: every route end to end on patients it never saw, and on the true mask beside it."""

from spinehub.evaluation.entry import evaluate_cohort

__all__ = ["evaluate_cohort"]
