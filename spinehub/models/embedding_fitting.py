"""Fit the row ``embed()`` + logistic regression on cases the network was not fitted on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.metrics import auc
from spinehub.models.calibration import fit_calibration
from spinehub.models.embedding import EmbeddingModel, Line
from spinehub.models.folds import FOLDS, patient_folds
from spinehub.series import Regime

__all__ = ["fit_embedding"]

_STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Inverse strengths of the ridge that are tried, as scikit-learn counts them; there are more activations than cases."""
_LEAST = 4 * FOLDS


def fit_embedding(
    activations: ArrayLike,
    labels: ArrayLike,
    regimes: Sequence[Regime],
    patients: Sequence[str],
    *,
    route: str,
    network_sha256: str,
    coverage: float = 0.9,
    seed: int = 0,
) -> EmbeddingModel:
    """Fit one ridge logistic regression per regime; its strength and calibration come from folds of patients.

    Parameters
    ----------
    activations
        ``(n, F)`` of ``embed()``, of cases the network was not fitted on: on its own training cases a network is surer
        than it will ever be again.
    labels
        ``(n,)`` 0 for ``metastasis``, 1 for ``primary_malignant``.
    regimes, patients
        ``(n,)`` regime and patient of each row.
    route, network_sha256
        Of the network.
    coverage
        See :func:`spinehub.models.fit_calibration`.
    seed
        Of the folds.

    Raises
    ------
    InvalidArgumentError
        If a regime has fewer than 20 cases, or a class fewer than five patients.
    """
    table, truth = np.asarray(activations, dtype=np.float64), np.asarray(labels, dtype=int)
    names, groups = np.asarray(regimes), np.asarray(patients)
    if table.ndim != 2 or not len(table) == len(truth) == len(names) == len(groups) or not np.isfinite(table).all():
        raise InvalidArgumentError(
            f"activations must be finite, one row per label, regime and patient, got shape {table.shape} for "
            f"{len(truth)} labels, {len(names)} regimes and {len(groups)} patients"
        )
    lines: dict[Regime, Line] = {}
    folded = np.empty(len(truth))
    notes: dict[str, Any] = {"seed": seed}
    for regime in dict.fromkeys(regimes):
        rows = names == regime
        _require_enough(truth[rows], groups[rows], regime)
        strength, folded[rows] = _chosen(table[rows], truth[rows], groups[rows], seed)
        lines[regime] = _fit(table[rows], truth[rows], strength)
        area = round(auc(truth[rows], folded[rows]), 4)
        notes[regime] = {"cases": int(rows.sum()), "strength": strength, "out_of_fold_auc": area}
    calibration = fit_calibration(folded, truth, list(regimes), coverage=coverage)
    return EmbeddingModel(route, network_sha256, lines, calibration, notes)


def _require_enough(truth: NDArray[np.int_], groups: NDArray[Any], regime: Regime) -> None:
    counts = [np.unique(groups[truth == label]).size for label in (0, 1)]
    if len(truth) < _LEAST or min(counts) < FOLDS:
        raise InvalidArgumentError(
            f"activations must be of at least {_LEAST} cases, and {FOLDS} patients of each class, got {len(truth)} "
            f"cases of {counts[0]} and {counts[1]} patients for the regime {regime}; hold out more cases"
        )


def _chosen(
    table: NDArray[np.float64], truth: NDArray[np.int_], groups: NDArray[Any], seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Strength of the lowest log loss out of fold, and the scores it gives there."""
    folds = patient_folds(truth, groups, seed)
    scores = {strength: np.empty(len(truth)) for strength in _STRENGTHS}
    for rest, fold in folds:
        for strength, found in scores.items():
            line = _fit(table[rest], truth[rest], strength)
            found[fold] = [line.score(row) for row in table[fold]]
    loss = {strength: float(np.logaddexp(0.0, np.where(truth == 1, -s, s)).mean()) for strength, s in scores.items()}
    best = min(loss, key=lambda strength: loss[strength])
    return best, scores[best]


def _fit(table: NDArray[np.float64], truth: NDArray[np.int_], strength: float) -> Line:
    from sklearn.linear_model import LogisticRegression

    mean, scale = table.mean(axis=0), table.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    # Both classes count alike: probabilities are for equal priors.
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000).fit((table - mean) / scale, truth)
    return Line(model.coef_[0], mean, scale, float(model.intercept_[0]))
