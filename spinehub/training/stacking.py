"""Fit the stacked row: how much to trust each route, on cases that no route was fitted on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import REGIMES
from spinehub.errors import InvalidArgumentError
from spinehub.metrics import auc
from spinehub.models import fit_calibration
from spinehub.models.folds import FOLDS, patient_folds
from spinehub.models.stacked import STACK_FILE, StackedModel
from spinehub.series import Regime
from spinehub.training.held_out import HeldOut, read_held_out

__all__ = ["fit_stack", "train_stack"]

_LEAST = 4 * FOLDS
_RIDGE = 1.0
"""Strength of the pull towards a plain mean of the routes, as so many cases."""


def train_stack(folders: Mapping[str, str | Path], output: str | Path, *, seed: int = 0) -> Path:
    """Fit the stacked model of some trained routes and write ``stacked.json``.

    Parameters
    ----------
    folders
        Route to its model folder, all trained on one cohort with one seed; at least two.
    output
        Folder for the file.
    seed
        Of the folds.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidArgumentError
        If a folder lacks its record, or too few cases were held out of every route.
    """
    if len(folders) < 2:
        raise InvalidArgumentError(f"folders must name at least two routes to be stacked, got {len(folders)}")
    found = {route: read_held_out(folder) for route, folder in folders.items()}
    origin = next(iter(found.values()))[1]
    stack = fit_stack({route: held_out for route, (held_out, _) in found.items()}, seed=seed)
    stack.training.update({name: value for name, value in origin.items() if value is not None})
    return stack.save(Path(output) / STACK_FILE)


def fit_stack(routes: Mapping[str, HeldOut], *, coverage: float = 0.9, seed: int = 0) -> StackedModel:
    """Fit one logistic regression per regime on the routes' calibrated log-odds.

    A missing answer is a log-odds of 0. Weights are at least 0 and pulled towards a plain mean, since few cases are
    left. Calibrated on scores of other folds of patients.

    Parameters
    ----------
    routes
        What each route says about cases it was not fitted on; only cases held out of every route are used.
    coverage
        See :func:`spinehub.models.fit_calibration`.
    seed
        Of the folds.
    """
    first = next(iter(routes.values()))
    cases = sorted(set.intersection(*(set(held_out.label) for held_out in routes.values())))
    truth = np.array([first.label[case] for case in cases], dtype=int)
    patients = np.array([first.patient[case] for case in cases])
    weights: dict[Regime, dict[str, float]] = {}
    scores: list[NDArray[np.float64]] = []
    labels: list[NDArray[np.int_]] = []
    regimes: list[Regime] = []
    notes: dict[str, Any] = {"seed": seed}
    for regime in REGIMES:
        serving = [route for route, held_out in routes.items() if held_out.log_odds.get(regime)]
        if not serving:
            continue
        table = np.array([[routes[r].log_odds[regime].get(case, 0.0) for r in serving] for case in cases])
        table = table.reshape(len(cases), len(serving))
        _require_enough(truth, patients, regime)
        weights[regime] = {
            route: float(w) for route, w in zip((*serving, "intercept"), _fit(table, truth), strict=True)
        }
        folded = _out_of_fold(table, truth, patients, seed)
        scores.append(folded)
        labels.append(truth)
        regimes += [regime] * len(cases)
        notes[regime] = {"cases": len(cases), "routes": serving, "out_of_fold_auc": round(auc(truth, folded), 4)}
    if not weights:
        raise InvalidArgumentError("routes must answer in at least one regime to be stacked, got none")
    calibration = fit_calibration(np.concatenate(scores), np.concatenate(labels), regimes, coverage=coverage)
    return StackedModel(weights, calibration, notes)


def _require_enough(truth: NDArray[np.int_], patients: NDArray[Any], regime: Regime) -> None:
    counts = [np.unique(patients[truth == label]).size for label in (0, 1)]
    if len(truth) < _LEAST or min(counts) < FOLDS:
        raise InvalidArgumentError(
            f"routes must share at least {_LEAST} cases that none was fitted on, and {FOLDS} patients of each class, "
            f"got {len(truth)} cases of {counts[0]} and {counts[1]} patients for the regime {regime}; train them on "
            "one cohort with one seed, or add cases"
        )


def _out_of_fold(
    table: NDArray[np.float64], truth: NDArray[np.int_], patients: NDArray[Any], seed: int
) -> NDArray[np.float64]:
    scores = np.empty(len(truth))
    for rest, fold in patient_folds(truth, patients, seed):
        line = _fit(table[rest], truth[rest])
        scores[fold] = table[fold] @ line[:-1] + line[-1]
    return scores


def _fit(table: NDArray[np.float64], truth: NDArray[np.int_]) -> NDArray[np.float64]:
    """Weights of the columns and the intercept."""
    from scipy import optimize, special

    columns = table.shape[1]
    centre = np.full(columns, 1.0 / columns)
    counts = np.bincount(truth, minlength=2)
    weight = 0.5 * len(truth) / counts[truth]  # both classes count alike: probabilities are for equal priors

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        linear = table @ line[:-1] + line[-1]
        residual = weight * (special.expit(linear) - truth)
        pull = line[:-1] - centre
        value = np.sum(weight * (np.logaddexp(0.0, linear) - truth * linear)) + 0.5 * _RIDGE * np.sum(pull**2)
        return float(value), np.append(table.T @ residual + _RIDGE * pull, residual.sum())

    bounds = [*[(0.0, None)] * columns, (None, None)]
    found = optimize.minimize(loss, np.append(centre, 0.0), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x, dtype=np.float64)
