"""Fit the radiomics classifier: stable columns, elastic net by patient-level cross-validation, calibration."""

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from spinehub.errors import InvalidArgumentError
from spinehub.features import FeatureRow, feature_names
from spinehub.metrics import auc
from spinehub.models.calibration import fit_calibration
from spinehub.models.domain import fit_domain
from spinehub.models.feature_classifier import RadiomicsClassifier
from spinehub.models.folds import FOLDS, patient_folds
from spinehub.models.linear import LinearModel, held_deviations
from spinehub.models.stability import repeatable_columns
from spinehub.series import Regime

__all__ = ["LinearFit", "RadiomicsFit", "fit_linear_model", "fit_radiomics"]

_STRENGTHS = (0.003, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
"""Grid of C of scikit-learn: smaller shrinks more."""
_L1_RATIOS = (0.5, 1.0)
_PAST_MINIMUM = 1.05
"""The search along the grid ends where the loss is this many times its best so far."""
_MISSING_SHARE = 0.05
"""Columns that are NaN in more training rows than this are dropped."""
_CORRELATION = 0.95
"""Of two columns whose rank correlation exceeds this, the one later in the settings file is dropped."""


@dataclass(frozen=True, eq=False)
class RadiomicsFit:
    """A fitted classifier and what it said about cases it was not fitted on.

    Parameters
    ----------
    classifier
        Fitted on all usable rows, calibrated on `log_odds`.
    log_odds
        For each regime ``(n,)`` out-of-fold log-odds, not calibrated; NaN for rows that could not be used.
    """

    classifier: RadiomicsClassifier
    log_odds: Mapping[Regime, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted model and what it said about cases it was not fitted on.

    Parameters
    ----------
    model
        Fitted on all usable rows.
    log_odds
        ``(n,)`` out-of-fold log-odds, the whole procedure (columns, strength, fit) repeated without the fold's
        patients; NaN for rows that could not be used.
    notes
        JSON record: rows, columns, strength, out-of-fold AUC.
    """

    model: LinearModel
    log_odds: NDArray[np.float64]
    notes: dict[str, Any]


def fit_radiomics(
    rows: Mapping[Regime, Sequence[FeatureRow]],
    labels: ArrayLike,
    groups: Sequence[Hashable],
    *,
    repeats: Mapping[Regime, Sequence[FeatureRow | None]] | None = None,
    coverage: float = 0.9,
    seed: int = 0,
) -> RadiomicsFit:
    """Fit and calibrate one model per regime, and a second dynamic one that does without the wash-out.

    Calibrated on out-of-fold scores.

    Parameters
    ----------
    rows
        For each regime one row per case, all in the order of `labels`.
    labels
        ``(n,)`` 0 for ``metastasis``, 1 for ``primary_malignant``.
    groups
        ``(n,)`` patient of each case.
    repeats
        For each regime the same cases clicked again, None where a case was not.
    coverage
        See :func:`spinehub.models.calibration.fit_calibration`.
    seed
        Of the folds and the solver.
    """
    again: Mapping[Regime, Sequence[FeatureRow | None]] = repeats or {}
    hashes = {row.provenance.get("settings_sha256", "") for each in rows.values() for row in each}
    if len(hashes) != 1:
        raise InvalidArgumentError(f"rows must all be made with one version of the settings, got {len(hashes)}")
    fits = {
        regime: fit_linear_model(each, labels, groups, regime, repeats=again.get(regime), seed=seed)
        for regime, each in rows.items()
    }
    other = None
    if "dynamic" in rows:
        short = fit_linear_model(
            rows["dynamic"], labels, groups, "dynamic", repeats=again.get("dynamic"), leave_out=("washout",), seed=seed
        )
        other = _assemble({"dynamic": short}, labels, coverage, hashes)
    classifier = _assemble(fits, labels, coverage, hashes)
    notes = {"seed": seed, "folds": FOLDS} | {regime: fit.notes for regime, fit in fits.items()}
    if other is not None:
        notes["dynamic_without_washout"] = other.training["dynamic"]
    fitted = replace(classifier, training=notes, without_washout=other)
    return RadiomicsFit(fitted, {regime: fit.log_odds for regime, fit in fits.items()})


def _assemble(
    fits: Mapping[Regime, LinearFit], labels: ArrayLike, coverage: float, hashes: set[str]
) -> RadiomicsClassifier:
    used = {regime: np.isfinite(fit.log_odds) for regime, fit in fits.items()}
    calibration = fit_calibration(
        np.concatenate([fit.log_odds[used[regime]] for regime, fit in fits.items()]),
        np.concatenate([np.asarray(labels)[used[regime]] for regime in fits]),
        [regime for regime in fits for _ in range(int(used[regime].sum()))],
        coverage=coverage,
    )
    models = {regime: fit.model for regime, fit in fits.items()}
    return RadiomicsClassifier(models, calibration, min(hashes), {r: fit.notes for r, fit in fits.items()})


def fit_linear_model(
    rows: Sequence[FeatureRow],
    labels: ArrayLike,
    groups: Sequence[Hashable],
    regime: Regime,
    *,
    repeats: Sequence[FeatureRow | None] | None = None,
    leave_out: tuple[str, ...] = (),
    seed: int = 0,
) -> LinearFit:
    """Fit one regime, without the images named in `leave_out`.

    Rows in which a whole image is missing (a scan too short for the wash-out) are set aside. Then columns with NaN in
    more than 5 % of the rows are dropped, then rows with a NaN left; then columns that do not keep their value when the
    lesion is clicked again (this looks at no label), those that hardly vary, and one of each pair with a rank
    correlation above 0.95. Elastic net and its strength by grouped cross-validation on the log loss.

    Raises
    ------
    InvalidArgumentError
        If fewer than 20 usable rows, fewer than five patients of a class, or other lengths are left.
    """
    truth = np.asarray(labels)
    if not len(rows) == truth.size == len(groups) or not np.isin(truth, (0, 1)).all():
        raise InvalidArgumentError(
            f"rows, labels (0 or 1) and groups must have one entry per case, got {len(rows)}, {truth.size} and "
            f"{len(groups)}"
        )
    names = tuple(name for name in feature_names(regime) if name.partition("__")[0] not in leave_out)
    table = np.array([row.select(names) for row in rows]).reshape(len(rows), len(names))
    whole = _with_all_images(table, names)
    complete = np.flatnonzero(np.isnan(table[whole]).mean(axis=0) <= _MISSING_SHARE)
    again = None if repeats is None else [None if row is None else row.select(names) for row in repeats]
    columns, repeated = repeatable_columns(table, complete, again)
    usable = whole & ~np.isnan(table[:, columns]).any(axis=1)
    patients = np.unique(np.asarray(groups), return_inverse=True)[1][usable]
    values, classes = table[usable][:, columns], truth[usable].astype(int)
    _check_size(classes, patients, regime)
    scores = np.full(len(rows), np.nan)
    scores[usable] = _out_of_fold(values, classes, patients, seed)
    fit = _Fit.on(values, classes, patients, seed)
    picked = tuple(names[k] for k in columns[fit.kept])
    domain = fit_domain(values[:, fit.stable], tuple(names[k] for k in columns[fit.stable]))
    model = LinearModel(picked, fit.coefficients, fit.intercept, fit.mean, fit.scale, domain)
    notes: dict[str, Any] = {
        "rows": len(rows),
        "rows_used": int(usable.sum()),
        "columns": len(names),
        "columns_complete": complete.size,
        "columns_repeatable": columns.size,
        "cases_clicked_again": repeated,
    }
    notes |= {"columns_stable": fit.stable.size, "columns_used": len(picked), "strength": fit.strength}
    notes |= {"l1_ratio": fit.l1_ratio, "out_of_fold_auc": auc(classes, scores[usable])}
    notes["in_words"] = model.in_words()
    return LinearFit(model, scores, notes)


def _with_all_images(table: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Rows in which no image, nor the shape, is missing as a whole."""
    images = np.array([name.partition("__")[0] for name in names])
    absent = [np.isnan(table[:, images == image]).all(axis=1) for image in dict.fromkeys(images.tolist())]
    result: NDArray[np.bool_] = ~np.any(absent, axis=0)
    return result


def _check_size(classes: NDArray[np.int_], patients: NDArray[np.intp], regime: Regime) -> None:
    counts = [np.unique(patients[classes == label]).size for label in (0, 1)]
    if min(counts) < FOLDS or classes.size < 4 * FOLDS:
        raise InvalidArgumentError(
            f"rows must leave at least {4 * FOLDS} complete cases and {FOLDS} patients of each class for the regime "
            f"{regime}, got {classes.size} cases of {counts[0]} and {counts[1]} patients; add cases"
        )


def _out_of_fold(
    values: NDArray[np.float64], classes: NDArray[np.int_], patients: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    scores = np.empty(len(values))
    for rest, fold in patient_folds(classes, patients, seed):
        fit = _Fit.on(values[rest], classes[rest], patients[rest], seed + 1)
        scores[fold] = (
            fit.intercept + held_deviations(values[fold][:, fit.kept], fit.mean, fit.scale) @ fit.coefficients
        )
    return scores


@dataclass(frozen=True, eq=False)
class _Fit:
    kept: NDArray[np.intp]
    coefficients: NDArray[np.float64]
    intercept: float
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    stable: NDArray[np.intp]
    strength: float
    l1_ratio: float

    @classmethod
    def on(
        cls, values: NDArray[np.float64], classes: NDArray[np.int_], patients: NDArray[np.intp], seed: int
    ) -> "_Fit":
        stable = _stable_columns(values)
        mean, scale = values[:, stable].mean(axis=0), values[:, stable].std(axis=0)
        table = held_deviations(values[:, stable], mean, scale)
        strength, l1_ratio = _choose(table, classes, patients, seed)
        fitted = _fit_quietly(_regression(strength, l1_ratio, seed), table, classes)
        used = np.flatnonzero(fitted.coef_[0])
        return cls(
            stable[used], fitted.coef_[0][used], float(fitted.intercept_[0]), mean[used], scale[used],
            stable, strength, l1_ratio,
        )  # fmt: skip


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


def _choose(
    table: NDArray[np.float64], classes: NDArray[np.int_], patients: NDArray[np.intp], seed: int
) -> tuple[float, float]:
    """Strength and L1 share of the smallest log loss over grouped folds; the stronger one on a tie."""
    folds = patient_folds(classes, patients, seed)
    losses: dict[tuple[float, float], float] = {}
    for l1_ratio in _L1_RATIOS:
        # From strong to weak, each fit starting from the last; well past the minimum the rest is slow and only worse.
        fitted = [_regression(_STRENGTHS[0], l1_ratio, seed) for _ in folds]
        best = np.inf
        for strength in _STRENGTHS:
            total = 0.0
            for model, (rest, fold) in zip(fitted, folds, strict=True):
                model.set_params(C=strength)
                score = _fit_quietly(model, table[rest], classes[rest]).decision_function(table[fold])
                total += float(np.logaddexp(0.0, np.where(classes[fold] == 1, -score, score)).sum())
            losses[strength, l1_ratio] = total
            best = min(best, total)
            if total > _PAST_MINIMUM * best:
                break
    return min(losses, key=lambda choice: losses[choice])


def _regression(strength: float, l1_ratio: float, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=strength, l1_ratio=l1_ratio, solver="saga", tol=1e-4, max_iter=2000,
        class_weight="balanced", warm_start=True, random_state=seed,
    )  # fmt: skip


def _fit_quietly(model: Any, table: NDArray[np.float64], classes: NDArray[np.int_]) -> Any:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # A weak strength may stop at the last iteration: close enough to its end to be compared.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(table, classes)
