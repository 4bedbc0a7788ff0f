"""What a network is taught about a lesion besides its class: the simulator's own knowledge as numbers."""

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.sign_tables import SIGNS, Categories

__all__ = ["CATEGORY_SIZES", "NUMBERS", "sign_vector"]

_CENTRE = "metastasis_other"
NUMBERS = tuple(name for name, sign in SIGNS.items() if not isinstance(sign, Categories))
"""Signs that are numbers, in order."""
CATEGORY_SIZES = {name: len(sign.values) for name, sign in SIGNS.items() if isinstance(sign, Categories)}
"""Signs that are one of several values, with how many."""


def sign_vector(signs: Mapping[str, Any] | None) -> NDArray[np.float32]:
    """Signs of one lesion as targets.

    Parameters
    ----------
    signs
        By name, as the simulator drew them; None where nobody knows them.

    Returns
    -------
    NDArray
        ``(K,)`` float32: the :data:`NUMBERS`, from the centre of metastases in units of the spread within a histology
        (of the logarithm where the sign is positive), then the index of each category; NaN where not known.
    """
    if signs is None:
        return np.full(len(NUMBERS) + len(CATEGORY_SIZES), np.nan, np.float32)
    return np.array(
        [_number(name, signs[name]) for name in NUMBERS] + [_category(name, signs[name]) for name in CATEGORY_SIZES],
        np.float32,
    )


def _number(name: str, value: float) -> float:
    sign: Any = SIGNS[name]
    place = log(value) if sign.logarithmic else value
    return float((place - sign.centre(_CENTRE, 1.0)) / sign.spread)


def _category(name: str, value: str) -> float:
    sign: Any = SIGNS[name]
    return float(sign.values.index(value))
