"""Logistic regression under an elastic net, its strength chosen by patient-level cross-validation."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spinehub.models.folds import patient_folds
from spinehub.models.linear import held_deviations

__all__ = ["ElasticNet", "Rows", "out_of_fold"]

_STRENGTHS = (0.003, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
"""Grid of C of scikit-learn: smaller shrinks more."""
_L1_RATIOS = (0.5, 1.0)
_PAST_MINIMUM = 1.05
"""The search along the grid ends where the loss is this many times its best so far."""
_CORRELATION = 0.95
"""Of two columns whose rank correlation exceeds this, the one later in the settings file is dropped."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What is learned from.

    Parameters
    ----------
    values
        ``(n, F)`` features.
    classes
        ``(n,)`` 0 for ``metastasis``, 1 for ``primary_malignant``: folds are balanced on them.
    patients
        ``(n,)``: no patient is on both sides of a fold.
    targets
        ``(n,)`` probability of ``primary_malignant`` that is asked for: the classes, or what is known of a simulated
        lesion.
    """

    values: NDArray[np.float64]
    classes: NDArray[np.int_]
    patients: NDArray[np.intp]
    targets: NDArray[np.float64]

    def __getitem__(self, rows: NDArray[np.intp]) -> "Rows":
        return Rows(self.values[rows], self.classes[rows], self.patients[rows], self.targets[rows])

    def folds(self, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Pairs of (the others, the rows of the fold)."""
        return patient_folds(self.classes, self.patients, seed)


@dataclass(frozen=True, eq=False)
class ElasticNet:
    """A fitted regression.

    Parameters
    ----------
    kept, stable
        Columns with a coefficient other than 0, and those that were offered.
    coefficients, mean, scale
        ``(len(kept),)``: of standardised values, and what they are standardised with.
    intercept
        Log-odds at the mean.
    strength, l1_ratio
        As chosen.
    """

    kept: NDArray[np.intp]
    stable: NDArray[np.intp]
    coefficients: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    intercept: float
    strength: float
    l1_ratio: float

    @classmethod
    def fit(cls, rows: Rows, seed: int) -> "ElasticNet":
        """Choose columns, strength and mix, then fit all rows."""
        stable = _stable_columns(rows.values)
        mean, scale = rows.values[:, stable].mean(axis=0), rows.values[:, stable].std(axis=0)
        table = held_deviations(rows.values[:, stable], mean, scale)
        strength, l1_ratio = _choose(table, rows, seed)
        fitted = _fit_quietly(_regression(strength, l1_ratio, seed), table, rows.targets)
        used = np.flatnonzero(fitted.coef_[0])
        return cls(
            stable[used], stable, fitted.coef_[0][used], mean[used], scale[used], float(fitted.intercept_[0]),
            strength, l1_ratio,
        )  # fmt: skip

    def log_odds(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)`` for ``(n, F)``."""
        result: NDArray[np.float64] = (
            self.intercept + held_deviations(values[:, self.kept], self.mean, self.scale) @ self.coefficients
        )
        return result


def out_of_fold(rows: Rows, seed: int) -> NDArray[np.float64]:
    """``(n,)`` log-odds of each row, everything repeated without the patients of its fold."""
    scores = np.empty(len(rows.values))
    for rest, fold in rows.folds(seed):
        scores[fold] = ElasticNet.fit(rows[rest], seed + 1).log_odds(rows.values[fold])
    return scores


def _stable_columns(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Columns that vary, without those that repeat an earlier one."""
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95), axis=0)
    varying = np.flatnonzero(high - low > 1e-9 * np.maximum(np.abs(middle), 1e-9))
    correlation = np.abs(np.corrcoef(stats.rankdata(values[:, varying], axis=0), rowvar=False))
    kept: list[int] = []
    for column in range(varying.size):
        if not kept or correlation[column, kept].max() <= _CORRELATION:
            kept.append(column)
    return varying[kept]


def _choose(table: NDArray[np.float64], rows: Rows, seed: int) -> tuple[float, float]:
    """Strength and L1 share of the smallest log loss over grouped folds; the stronger one on a tie."""
    folds = rows.folds(seed)
    losses: dict[tuple[float, float], float] = {}
    for l1_ratio in _L1_RATIOS:
        # From strong to weak, each fit starting from the last; well past the minimum the rest is slow and only worse.
        fitted = [_regression(_STRENGTHS[0], l1_ratio, seed) for _ in folds]
        best = np.inf
        for strength in _STRENGTHS:
            total = 0.0
            for model, (rest, fold) in zip(fitted, folds, strict=True):
                model.set_params(C=strength)
                score = _fit_quietly(model, table[rest], rows.targets[rest]).decision_function(table[fold])
                total += float((np.logaddexp(0.0, score) - rows.targets[fold] * score).sum())
            losses[strength, l1_ratio] = total
            best = min(best, total)
            if total > _PAST_MINIMUM * best:
                break
    return min(losses, key=lambda choice: losses[choice])


def _regression(strength: float, l1_ratio: float, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=strength, l1_ratio=l1_ratio, solver="saga", tol=1e-4, max_iter=2000, warm_start=True, random_state=seed
    )


def _fit_quietly(model: Any, table: NDArray[np.float64], targets: NDArray[np.float64]) -> Any:
    """Fit each row as either class, by its share in it; both classes weigh the same in all."""
    from sklearn.exceptions import ConvergenceWarning

    shares = np.concatenate([(1.0 - targets) / np.mean(1.0 - targets), targets / np.mean(targets)])
    used = shares > 0.0
    classes = np.repeat((0, 1), len(table))
    with warnings.catch_warnings():
        # A weak strength may stop at the last iteration: close enough to its end to be compared.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(np.concatenate([table, table])[used], classes[used], sample_weight=0.5 * shares[used])
