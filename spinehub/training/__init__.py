"""Training of the four routes from a cohort folder: split by patient, resumable, with its whole record saved."""

from spinehub.training.embedding import train_embedding
from spinehub.training.entry import train_route
from spinehub.training.plan import TrainingPlan
from spinehub.training.stacking import train_stack

__all__ = ["TrainingPlan", "train_embedding", "train_route", "train_stack"]
