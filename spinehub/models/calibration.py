"""From a raw score to a probability for equal priors, and from that to a decision or to ``undecided``.

Shared by all four routes. A score is a log-odds of ``primary_malignant`` against ``metastasis``. Everything here is
fitted on simulated cases; ``decide`` keeps its promise of coverage only for cases like them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.series import Regime

__all__ = ["Answer", "Calibration", "Decision", "RegimeCalibration", "fit_calibration", "log_odds"]

Decision: TypeAlias = Literal["metastasis", "primary_malignant", "undecided", "not_available"]
"""What a route says; ``undecided``: not exactly one class fits; ``not_available``: no probability at all."""

_PROBABILITY_LIMIT = 1e-6
"""Probabilities are held this far from 0 and 1 before a logit is taken."""


def log_odds(probability: ArrayLike) -> NDArray[np.float64]:
    """Logit of a probability of ``primary_malignant``, finite also at 0 and 1."""
    held = np.clip(np.asarray(probability, dtype=np.float64), _PROBABILITY_LIMIT, 1 - _PROBABILITY_LIMIT)
    result: NDArray[np.float64] = np.log(held / (1 - held))
    return result


def _sigmoid(score: ArrayLike) -> NDArray[np.float64]:
    # tanh does not overflow, unlike exp
    result: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * np.asarray(score, dtype=np.float64)))
    return result


@dataclass(frozen=True)
class Answer:
    """What one model says about one lesion.

    Parameters
    ----------
    probabilities
        Calibrated, for equal priors, summing to 1; None where there is no answer.
    decision
        One of :data:`Decision`.
    reason
        One sentence where `probabilities` is None; else None.
    """

    probabilities: dict[Diagnosis, float] | None
    decision: Decision
    reason: str | None = None

    @classmethod
    def unavailable(cls, reason: str) -> "Answer":
        """No answer, and why."""
        return cls(None, "not_available", reason)


@dataclass(frozen=True)
class RegimeCalibration:
    """Calibration of one model in one regime.

    Parameters
    ----------
    slope, intercept
        Platt scaling: probability of ``primary_malignant`` = sigmoid(slope x score + intercept); slope at least 0.
    thresholds
        For ``metastasis`` and ``primary_malignant``, the smallest probability with which that class stays possible.
    cases
        Number of calibration cases of either class.
    """

    slope: float
    intercept: float
    thresholds: tuple[float, float]
    cases: tuple[int, int]


@dataclass(frozen=True)
class Calibration:
    """Platt scaling and class-conditional conformal thresholds, one set per regime.

    Parameters
    ----------
    regimes
        Fitted numbers of each regime the model serves.
    coverage
        Share of the cases of *each* class whose set of possible classes is meant to hold the true one, 0.9 as a rule.
    """

    regimes: Mapping[Regime, RegimeCalibration]
    coverage: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "regimes", dict(self.regimes))

    @property
    def thresholds(self) -> dict[Regime, dict[Diagnosis, float]]:
        """Smallest probability with which a class stays possible, by regime and class."""
        return {regime: dict(zip(DIAGNOSES, fit.thresholds, strict=True)) for regime, fit in self.regimes.items()}

    def line(self, regime: Regime) -> tuple[float, float]:
        """Slope and intercept of a regime.

        Raises
        ------
        ModelError
            If the model was not calibrated for that regime.
        """
        return self._of(regime).slope, self._of(regime).intercept

    def probability(self, score: float, regime: Regime) -> float:
        """Calibrated probability of ``primary_malignant``, for equal priors, from a log-odds `score`."""
        slope, intercept = self.line(regime)
        return float(_sigmoid(slope * score + intercept))

    def possible(self, probability: float, regime: Regime) -> tuple[Diagnosis, ...]:
        """Classes that stay possible at a calibrated probability of ``primary_malignant``: none, one or both."""
        if not 0 <= probability <= 1:
            raise InvalidArgumentError(f"probability must lie in 0 to 1, got {probability}")
        pairs = zip(DIAGNOSES, (1 - probability, probability), self._of(regime).thresholds, strict=True)
        return tuple(diagnosis for diagnosis, share, threshold in pairs if share >= threshold)

    def decide(self, probability: float, regime: Regime) -> Literal["metastasis", "primary_malignant", "undecided"]:
        """Decide by the conformal set: its only member, or ``undecided`` where both or none stay possible.

        None stays possible where a case resembles the calibration cases of neither class.
        """
        possible = self.possible(probability, regime)
        return possible[0] if len(possible) == 1 else "undecided"

    def answer(self, score: float, regime: Regime) -> Answer:
        """Probabilities and decision for a log-odds `score`."""
        primary = self.probability(score, regime)
        return Answer(dict(zip(DIAGNOSES, (1 - primary, primary), strict=True)), self.decide(primary, regime))

    def to_dict(self) -> dict[str, Any]:
        """JSON form, part of a model's config."""
        return {
            "coverage": self.coverage,
            "regimes": {
                regime: {
                    "slope": fit.slope,
                    "intercept": fit.intercept,
                    "thresholds": dict(zip(DIAGNOSES, fit.thresholds, strict=True)),
                    "cases": dict(zip(DIAGNOSES, fit.cases, strict=True)),
                }
                for regime, fit in self.regimes.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Calibration":
        """Inverse of :meth:`to_dict`.

        Raises
        ------
        ModelError
            If a field is missing or of the wrong kind.
        """
        try:
            regimes = {
                regime: RegimeCalibration(
                    float(fit["slope"]),
                    float(fit["intercept"]),
                    (float(fit["thresholds"]["metastasis"]), float(fit["thresholds"]["primary_malignant"])),
                    (int(fit["cases"]["metastasis"]), int(fit["cases"]["primary_malignant"])),
                )
                for regime, fit in data["regimes"].items()
            }
            return cls(regimes, float(data["coverage"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ModelError(
                f"calibration in the model's config must hold slope, intercept, thresholds and cases per regime; "
                f"{error!r} was met; fetch the model again or write it with save_pretrained"
            ) from error

    def _of(self, regime: Regime) -> RegimeCalibration:
        if regime not in self.regimes:
            raise ModelError(
                f"regime must be one the model was calibrated for ({', '.join(self.regimes)}), got {regime!r}"
            )
        return self.regimes[regime]


def fit_calibration(
    scores: ArrayLike, labels: ArrayLike, regimes: Sequence[Regime], *, coverage: float = 0.9
) -> Calibration:
    """Fit Platt scaling and conformal thresholds, regime by regime, on cases the model was not fitted on.

    Both may use the same cases: Platt scaling is monotone, so it does not change which class stays possible, and the
    coverage of the sets holds as for the raw scores.

    Parameters
    ----------
    scores
        ``(n,)`` log-odds of ``primary_malignant``.
    labels
        ``(n,)`` 0 for ``metastasis``, 1 for ``primary_malignant``.
    regimes
        ``(n,)`` regime each score was made in.
    coverage
        Share of each class whose set shall hold the true class, above 0 and below 1.

    References
    ----------
    Platt 1999, with his smoothed targets; each class weighs one half, so the probability is for equal priors.
    Vovk 2012, class-conditional inductive conformal prediction: at least `coverage` of each class, whatever the scores.
    """
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    names = np.asarray(regimes)
    if values.ndim != 1 or not values.shape == truth.shape == names.shape or values.size == 0:
        raise InvalidArgumentError(
            f"scores, labels and regimes must be lists of one length, got {values.shape}, {truth.shape}, {names.shape}"
        )
    if not np.isfinite(values).all():
        raise InvalidArgumentError("scores must be finite; leave out the cases without an answer")
    if not np.isin(truth, (0, 1)).all():
        raise InvalidArgumentError(f"labels must hold 0 and 1 only, got {np.unique(truth).tolist()[:5]}")
    if not 0 < coverage < 1:
        raise InvalidArgumentError(f"coverage must lie between 0 and 1, got {coverage}")
    fits: dict[Regime, RegimeCalibration] = {}
    for regime in dict.fromkeys(regimes):
        rows = names == regime
        fits[regime] = _fit_regime(values[rows], truth[rows].astype(bool), regime, coverage)
    return Calibration(fits, coverage)


def _fit_regime(
    scores: NDArray[np.float64], primary: NDArray[np.bool_], regime: Regime, coverage: float
) -> RegimeCalibration:
    counts = (int((~primary).sum()), int(primary.sum()))
    if min(counts) == 0:
        raise InvalidArgumentError(
            f"calibration needs cases of both classes in each regime; {regime!r} has {counts[0]} metastases and "
            f"{counts[1]} primary malignant tumours"
        )
    slope, intercept = _platt(scores, primary, counts)
    probability = _sigmoid(slope * scores + intercept)
    thresholds = (_threshold(1 - probability[~primary], coverage), _threshold(probability[primary], coverage))
    return RegimeCalibration(slope, intercept, thresholds, counts)


def _platt(scores: NDArray[np.float64], primary: NDArray[np.bool_], counts: tuple[int, int]) -> tuple[float, float]:
    from scipy import optimize

    target = np.where(primary, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))
    weight = np.where(primary, 0.5 / counts[1], 0.5 / counts[0])
    # Scaled so that one step of the search means the same for logits of a network and of a tree.
    scale = float(scores.std()) or 1.0

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        linear = line[0] * scores / scale + line[1]
        residual = weight * (_sigmoid(linear) - target)
        value = np.sum(weight * (np.logaddexp(0.0, linear) - target * linear))
        return float(value), np.array([np.sum(residual * scores) / scale, np.sum(residual)])

    # A slope below 0 would turn a score that ranks the wrong way around; such a score is worth nothing instead.
    fit = optimize.minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-9},
    )  # fmt: skip
    return float(fit.x[0] / scale), float(fit.x[1])


def _threshold(true_class_probability: NDArray[np.float64], coverage: float) -> float:
    """Largest threshold that a new case of the class misses with a chance of 1 - coverage at most."""
    rank = int(np.floor((1 - coverage) * (true_class_probability.size + 1) + 1e-9))
    return 0.0 if rank == 0 else float(np.sort(true_class_probability)[rank - 1])
