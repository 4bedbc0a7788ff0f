"""From cases to what is learned from: simulated clicks, grown masks, arrays on disk, splits by patient, batches.

``prepare_cohort`` does everything that costs time once and keeps it; training reads the arrays without copying them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spinehub.dataset.clicks import simulated_click
from spinehub.dataset.preparation import REGIMES, PreparationPlan, prepare_case, prepare_cohort
from spinehub.dataset.prepared import PreparedCase, PreparedStack, read_prepared
from spinehub.dataset.splits import PARTS, split_patients

if TYPE_CHECKING:
    from spinehub.dataset.augmentation import Augmentation, augment
    from spinehub.dataset.batches import LesionBatches, SliceBatches, prefetch

__all__ = [
    "PARTS",
    "REGIMES",
    "Augmentation",
    "LesionBatches",
    "PreparationPlan",
    "PreparedCase",
    "PreparedStack",
    "SliceBatches",
    "augment",
    "prefetch",
    "prepare_case",
    "prepare_cohort",
    "read_prepared",
    "simulated_click",
    "split_patients",
]

_WITH_TORCH = {
    "Augmentation": "augmentation",
    "LesionBatches": "batches",
    "SliceBatches": "batches",
    "augment": "augmentation",
    "prefetch": "batches",
}
"""Loaded when first used: preparing cases in worker processes needs no torch."""


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module 'spinehub.dataset' has no attribute {name!r}")
    value = getattr(import_module(f"spinehub.dataset.{_WITH_TORCH[name]}"), name)
    globals()[name] = value
    return value
