"""Folds for cross-validation that never put one patient on both sides."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FOLDS", "patient_folds"]

FOLDS = 5


def patient_folds(
    labels: ArrayLike, groups: Sequence[Hashable] | NDArray[Any], seed: int, folds: int = FOLDS
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of (all other cases, cases of the fold): shuffled, balanced by class, whole patients.

    Parameters
    ----------
    labels
        ``(n,)`` class of each case.
    groups
        ``(n,)`` patient of each case.
    seed
        Same seed, same folds.
    folds
        How many.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.asarray(labels), np.asarray(labels), np.asarray(groups)))
