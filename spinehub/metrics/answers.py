"""How good scores, probabilities and decisions are: discrimination, accuracy, calibration."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from spinehub.errors import InvalidArgumentError

__all__ = [
    "accuracy",
    "auc",
    "balanced_accuracy",
    "brier",
    "calibration_slope_intercept",
    "net_benefit",
    "sensitivity",
    "specificity",
]

_LOGIT_LIMIT = 1e-6
"""Probabilities are held this far from 0 and 1 before a logit is taken."""


def _labels_and(name: str, truth: ArrayLike, values: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    labels, numbers = np.asarray(truth), np.asarray(values, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != numbers.shape or labels.size == 0:
        raise InvalidArgumentError(
            f"truth and {name} must be two lists of one length of at least 1, got shapes {labels.shape} and "
            f"{numbers.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise InvalidArgumentError(f"truth must hold 0 and 1 only, got {np.unique(labels).tolist()[:5]}")
    if not np.isfinite(numbers).all():
        raise InvalidArgumentError(f"{name} must be finite; leave out the cases without an answer and count them apart")
    return labels.astype(bool), numbers


def auc(truth: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive case scores higher than a negative one, ties count half.

    Mann-Whitney U / (n1 n0), from mid-ranks (Hanley and McNeil 1982). NaN where one class is missing.
    """
    labels, scores = _labels_and("score", truth, score)
    positives = int(labels.sum())
    negatives = labels.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = stats.rankdata(scores)
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _decisions(truth: ArrayLike, decision: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    labels, decisions = _labels_and("decision", truth, decision)
    if not np.isin(decisions, (0, 1)).all():
        raise InvalidArgumentError(
            f"decision must hold 0 and 1 only, got {np.unique(decisions).tolist()[:5]}; cut a probability at 0.5 first"
        )
    return labels, decisions.astype(bool)


def accuracy(truth: ArrayLike, decision: ArrayLike) -> float:
    """Share of decisions (0 or 1) that are right."""
    labels, decisions = _decisions(truth, decision)
    return float(np.mean(labels == decisions))


def sensitivity(truth: ArrayLike, decision: ArrayLike) -> float:
    """Share of the positive cases decided as positive; NaN without positive cases."""
    labels, decisions = _decisions(truth, decision)
    return float(decisions[labels].mean()) if labels.any() else float("nan")


def specificity(truth: ArrayLike, decision: ArrayLike) -> float:
    """Share of the negative cases decided as negative; NaN without negative cases."""
    labels, decisions = _decisions(truth, decision)
    return float((~decisions[~labels]).mean()) if not labels.all() else float("nan")


def balanced_accuracy(truth: ArrayLike, decision: ArrayLike) -> float:
    """Mean of sensitivity and specificity; NaN where one class is missing."""
    return 0.5 * (sensitivity(truth, decision) + specificity(truth, decision))


def _probabilities(truth: ArrayLike, probability: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    labels, values = _labels_and("probability", truth, probability)
    if values.min() < 0 or values.max() > 1:
        raise InvalidArgumentError(f"probability must lie in 0 to 1, got {values.min():g} to {values.max():g}")
    return labels, values


def brier(truth: ArrayLike, probability: ArrayLike) -> float:
    """Brier score: mean squared difference between the probability of the positive class and the label; 0 is best."""
    labels, values = _probabilities(truth, probability)
    return float(np.mean((values - labels) ** 2))


def net_benefit(truth: ArrayLike, probability: ArrayLike, threshold: float, *, prevalence: float = 0.5) -> float:
    """Net benefit of treating every case whose probability reaches a threshold (Vickers and Elkin 2006).

    sensitivity x prevalence - (1 - specificity) x (1 - prevalence) x threshold / (1 - threshold), which is their
    formula with the prevalence held at the one the probabilities are for, whatever the cohort's. Treating nobody: 0.

    Parameters
    ----------
    truth, probability
        Labels (0 or 1) and probabilities of the positive class.
    threshold
        Above 0 and below 1: how probable the positive class must be to act.
    prevalence
        Of the positive class.
    """
    labels, values = _probabilities(truth, probability)
    if not 0 < threshold < 1:
        raise InvalidArgumentError(f"threshold must lie between 0 and 1, got {threshold}")
    if labels.all() or not labels.any():
        return float("nan")
    acted = values >= threshold
    odds = threshold / (1 - threshold)
    return float(acted[labels].mean() * prevalence - acted[~labels].mean() * (1 - prevalence) * odds)


def calibration_slope_intercept(truth: ArrayLike, probability: ArrayLike) -> tuple[float, float]:
    """Calibration slope and intercept (Cox 1958; Van Calster et al. 2019, doi 10.1186/s12916-019-1466-7).

    Slope: coefficient of logit(probability) in a logistic regression of the label on it. Intercept: of the same
    regression with the slope held at 1 (calibration in the large). Perfect: (1, 0).

    Returns
    -------
    slope, intercept
        Both NaN where one class is missing; the slope is NaN where the classes are separated without overlap or all
        probabilities are equal, since no finite maximum exists then.
    """
    labels, values = _probabilities(truth, probability)
    if labels.all() or not labels.any():
        return float("nan"), float("nan")
    score = special.logit(np.clip(values, _LOGIT_LIMIT, 1 - _LOGIT_LIMIT))
    limit = float(np.abs(score).max()) + abs(float(special.logit(labels.mean()))) + 1.0
    intercept = float(optimize.brentq(lambda a: float(np.sum(special.expit(a + score) - labels)), -limit, limit))
    if score[labels].min() >= score[~labels].max() or score[labels].max() <= score[~labels].min():
        return float("nan"), intercept

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        linear = line[0] * score + line[1]
        residual = special.expit(linear) - labels
        value = np.mean(np.logaddexp(0.0, linear) - labels * linear)
        return float(value), np.array([np.mean(residual * score), np.mean(residual)])

    fit = optimize.minimize(loss, np.array([1.0, intercept]), jac=True, method="BFGS", options={"gtol": 1e-8})
    return float(fit.x[0]), intercept
