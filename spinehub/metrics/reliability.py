"""How well a measurement repeats itself: intraclass correlation.

Shrout and Fleiss 1979, doi 10.1037/0033-2909.86.2.420.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from spinehub.errors import InvalidArgumentError

__all__ = ["intraclass_correlation"]


def intraclass_correlation(ratings: ArrayLike, form: Literal["1,1", "2,1", "3,1"] = "2,1") -> float:
    """Intraclass correlation of single ratings.

    Parameters
    ----------
    ratings
        ``(n, k)``: n targets (lesions), each measured k times; finite.
    form
        Of Shrout and Fleiss: ``"1,1"`` one-way; ``"2,1"`` two-way random, agreement in value; ``"3,1"`` two-way mixed,
        agreement up to a shift of each rater.

    Returns
    -------
    float
        1 where every target keeps its value and targets differ; NaN where nothing varies at all.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise InvalidArgumentError(
            f"ratings must be finite, at least two targets measured at least twice, got shape {table.shape}"
        )
    n, k = table.shape
    total = float(((table - table.mean()) ** 2).sum())
    between = k * float(((table.mean(axis=1) - table.mean()) ** 2).sum())
    raters = n * float(((table.mean(axis=0) - table.mean()) ** 2).sum())
    bms, wms = between / (n - 1), (total - between) / (n * (k - 1))
    jms, ems = raters / (k - 1), max(0.0, total - between - raters) / ((n - 1) * (k - 1))
    if form == "1,1":
        top, bottom = bms - wms, bms + (k - 1) * wms
    elif form == "2,1":
        top, bottom = bms - ems, bms + (k - 1) * ems + k * (jms - ems) / n
    elif form == "3,1":
        top, bottom = bms - ems, bms + (k - 1) * ems
    else:
        raise InvalidArgumentError(f"form must be '1,1', '2,1' or '3,1', got {form!r}")
    return top / bottom if bottom > 0 else float("nan")
