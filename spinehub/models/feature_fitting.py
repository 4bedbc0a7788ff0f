"""Fit the radiomics classifier: stable columns, elastic net by patient-level cross-validation, calibration."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.features import FeatureRow, feature_names
from spinehub.metrics import auc
from spinehub.models.calibration import fit_calibration
from spinehub.models.domain import fit_domain
from spinehub.models.elastic_net import ElasticNet, Rows, out_of_fold
from spinehub.models.feature_classifier import RadiomicsClassifier
from spinehub.models.folds import FOLDS
from spinehub.models.linear import LinearModel
from spinehub.models.stability import repeatable_columns
from spinehub.series import Regime

__all__ = ["LinearFit", "RadiomicsFit", "fit_linear_model", "fit_radiomics"]

_MISSING_SHARE = 0.05
"""Columns that are NaN in more training rows than this are dropped."""


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
    targets: ArrayLike | None = None,
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
    targets
        ``(n,)`` probability of ``primary_malignant`` to be learned; None: the labels. Calibrated on labels either way.
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
        regime: fit_linear_model(each, labels, groups, regime, targets=targets, repeats=again.get(regime), seed=seed)
        for regime, each in rows.items()
    }
    other = None
    if "dynamic" in rows:
        short = fit_linear_model(
            rows["dynamic"], labels, groups, "dynamic", targets=targets, repeats=again.get("dynamic"),
            leave_out=("washout",), seed=seed,
        )  # fmt: skip
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
    targets: ArrayLike | None = None,
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
    asked = truth if targets is None else np.asarray(targets)
    table_rows = Rows(values, classes, patients, asked[usable].astype(float))
    scores = np.full(len(rows), np.nan)
    scores[usable] = out_of_fold(table_rows, seed)
    fit = ElasticNet.fit(table_rows, seed)
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
