"""What a reader said about a teaching case, how it is scored, and the tally over a session.

An answer is scored against the simulator's exact posterior and not against the label, so that nobody is wrong on a case
that cannot be decided: who says 0.5 where the posterior is 0.5 loses nothing, whatever the lesion turns out to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import numpy as np

from spinehub.errors import InvalidArgumentError
from spinehub.metrics import brier_regret

__all__ = ["ANSWERS", "GOOD_POINTS", "Answer", "Reading", "Tally", "points_lost", "probability_said", "tally"]

Answer: TypeAlias = Literal["metastasis", "primary_malignant", "undecidable", "neither"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
GOOD_POINTS = 1.0
"""Fewer points lost count as none: the answer lay within 10 percentage points of the posterior."""


def probability_said(answer: Answer, confidence: float = 0.5) -> float | None:
    """Probability of ``primary_malignant`` in an answer.

    Parameters
    ----------
    answer
        One of :data:`ANSWERS`.
    confidence
        How sure the reader is of the class named, 0.5 to 1; not looked at for the other two answers.

    Returns
    -------
    float or None
        0.5 for ``"undecidable"``; None for ``"neither"``, which is no answer about the two classes.

    Raises
    ------
    InvalidArgumentError
        If the answer is not one of the four, or the confidence lies outside 0.5 to 1.
    """
    if answer not in ANSWERS:
        raise InvalidArgumentError(f"answer must be one of {', '.join(ANSWERS)}, got {answer!r}; choose one")
    if answer == "neither":
        return None
    if answer == "undecidable":
        return 0.5
    if not 0.5 <= confidence <= 1.0:
        raise InvalidArgumentError(f"confidence must lie in 0.5 to 1, got {confidence}; below, name the other class")
    return confidence if answer == "primary_malignant" else 1.0 - confidence


def points_lost(posterior: float | None, probability: float | None) -> float | None:
    """Points of 100 an answer loses against the best one: 100 times :func:`spinehub.metrics.brier_regret`.

    None where the lesion belongs to neither class (no posterior) or the answer says that it does (no probability).
    """
    if posterior is None or probability is None:
        return None
    return 100.0 * brier_regret(posterior, probability)


@dataclass(frozen=True)
class Reading:
    """One committed reading; small enough to be kept for a session.

    Parameters
    ----------
    number
        Of the teaching case.
    answer, probability
        What was said, and its probability of ``primary_malignant``.
    posterior
        Of the case; None for a lesion of neither class.
    dice
        Of the reader's region with the true lesion.
    routes
        Route name to its probability of ``primary_malignant`` in the reader's region; empty until they answered.
    """

    number: int
    answer: Answer
    probability: float | None
    posterior: float | None
    dice: float
    routes: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def lost(self) -> float | None:
        """Points the reader lost; None where nothing can be scored."""
        return points_lost(self.posterior, self.probability)

    @property
    def recognised(self) -> bool | None:
        """Whether a lesion of neither class was named as such; None for a lesion of one of the two."""
        return None if self.posterior is not None else self.answer == "neither"

    def lost_by(self, route: str) -> float | None:
        """Points a route lost; None where it gave no answer or nothing can be scored."""
        return points_lost(self.posterior, self.routes.get(route))


@dataclass(frozen=True)
class Tally:
    """A session so far.

    Parameters
    ----------
    read, scored
        Cases read, and of these those with a score of the reader.
    lost, dice
        Means of the reader's points lost and of the Dice overlap; None where there is none.
    routes
        Route name to its mean points lost and the number of cases behind it.
    neither, recognised
        Cases of neither class, and how many of them the reader named as such.
    """

    read: int
    scored: int
    lost: float | None
    dice: float | None
    routes: Mapping[str, tuple[float, int]]
    neither: int
    recognised: int


def tally(readings: Sequence[Reading]) -> Tally:
    """Sum up the readings of a session."""
    own = [reading.lost for reading in readings if reading.lost is not None]
    by_route: dict[str, list[float]] = {}
    for reading in readings:
        for route in reading.routes:
            lost = reading.lost_by(route)
            if lost is not None:
                by_route.setdefault(route, []).append(lost)
    judged = [reading.recognised for reading in readings if reading.recognised is not None]
    return Tally(
        read=len(readings),
        scored=len(own),
        lost=_mean(own),
        dice=_mean([reading.dice for reading in readings]),
        routes={route: (float(np.mean(lost)), len(lost)) for route, lost in by_route.items()},
        neither=len(judged),
        recognised=sum(judged),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
