"""Which features keep their value when the same lesion is clicked again, and so is outlined a little differently."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinehub.metrics import intraclass_correlation
from spinehub.models.linear import held_deviations

__all__ = ["STABLE", "repeatable_columns"]

STABLE = 0.75
"""Least intraclass correlation between two clicks: "good" after Koo and Li 2016 (doi 10.1016/j.jcm.2016.02.012)."""
_LEAST = 20
"""Fewer cases clicked twice say nothing about stability: every feature stays."""


def repeatable_columns(
    table: NDArray[np.float64],
    columns: NDArray[np.intp],
    again: Sequence[NDArray[np.float64] | None] | None,
) -> tuple[NDArray[np.intp], int]:
    """Columns whose intraclass correlation between two clicks is at least :data:`STABLE`.

    Parameters
    ----------
    table
        ``(n, F)`` features of each case.
    columns
        Those to choose from.
    again
        ``(F,)`` features of the same cases from another click, None where a case was not clicked again.

    Returns
    -------
    tuple
        The columns that are kept, and the number of cases clicked twice. A column that never varies has no correlation
        and is kept: it is no matter of stability.
    """
    clicked = [(first, other) for first, other in zip(table, again or (), strict=False) if other is not None]
    if len(clicked) < _LEAST:
        return columns, len(clicked)
    pairs = np.array(clicked)
    return np.array([k for k in columns if _is_stable(pairs[:, :, k])], dtype=np.intp), len(clicked)


def _is_stable(pair: NDArray[np.float64]) -> bool:
    known = pair[np.isfinite(pair).all(axis=1)]
    if len(known) < _LEAST:
        return False
    # Held as the model holds them, so that one odd lesion decides nothing.
    spread = known[:, 0].std()
    held = held_deviations(known, known[:, 0].mean(), spread) if spread > 0 else known
    return not intraclass_correlation(held) < STABLE
