"""What a network says about prepared cases, and the calibration, domain and limits fitted on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import PreparedCase, PreparedStack
from spinehub.dataset.batches import REGIME_SHARES
from spinehub.metrics import auc
from spinehub.models import LesionClassifier, LesionSegmenter, fit_calibration
from spinehub.models.activations import ActivationSpace, fit_activations
from spinehub.models.folds import FOLDS, patient_folds
from spinehub.routes.answers import LEAST_LESION_SHARE
from spinehub.series import Regime

__all__ = [
    "LesionScores",
    "Question",
    "calibrate",
    "embedding_auc",
    "gather_scores",
    "least_log_loss",
    "score_figures",
    "validation_stacks",
]

_LEAST_CASES = 20
"""Fewer cases of a regime describe no domain."""
_LESION_SHARES = (0.02, 0.1)
"""Bounds of the share of lesion below which the U-Net says it sees none."""
_MISSED = 0.01
"""Share of the calibration cases that limit may turn away."""

Question: TypeAlias = tuple[PreparedStack, int, float]
"""A case in one regime with its label and the probability of ``primary_malignant`` that is asked for."""
_Judge = Callable[[PreparedStack], tuple[float, float, NDArray[np.float32]] | None]


@dataclass(frozen=True, eq=False)
class LesionScores:
    """One row per case and regime.

    Parameters
    ----------
    score
        ``(n,)`` log-odds of ``primary_malignant``, not calibrated.
    label
        ``(n,)`` 0 or 1.
    regime
        ``(n,)``.
    lesion_share
        ``(n,)`` share of the grown region the network calls lesion; 1 where it does not say.
    activations
        ``(n, F)``.
    case_id, patient_id
        ``(n,)``.
    """

    score: NDArray[np.float64]
    label: NDArray[np.int64]
    regime: tuple[Regime, ...]
    lesion_share: NDArray[np.float64]
    activations: NDArray[np.float32]
    case_id: tuple[str, ...]
    patient_id: tuple[str, ...]

    def by_case(self) -> dict[Regime, dict[str, float]]:
        """Score of each case, by regime."""
        found: dict[Regime, dict[str, float]] = {}
        for regime, case, score in zip(self.regime, self.case_id, self.score, strict=True):
            found.setdefault(regime, {})[case] = float(score)
        return found

    def of(self, regime: Regime) -> NDArray[np.bool_]:
        """Rows of a regime."""
        return np.array([name == regime for name in self.regime], dtype=bool)

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """Regimes that occur, in order."""
        return tuple(dict.fromkeys(self.regime))


def validation_stacks(cases: Sequence[PreparedCase], name: str, seed: int) -> list[Question]:
    """One regime per case with what is asked about it, the same ones throughout a training.

    Regimes are drawn as often as training shows them: with each as often, the outline of single volumes, which is
    hardly learned, chose among the weights.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for case in cases:
        stacks = case.stacks(name)
        if stacks:
            shares = np.array([REGIME_SHARES[regime] for regime in stacks])
            drawn = list(stacks)[int(rng.choice(len(stacks), p=shares / shares.sum()))]
            chosen.append((stacks[drawn], case.label, case.target))
    return chosen


def score_figures(score: NDArray[np.float64], questions: Sequence[Question]) -> dict[str, float]:
    """Log loss at the best single slope, AUC and accuracy, for choosing among weights."""
    label = np.array([label for _, label, _ in questions])
    target = np.array([target for _, _, target in questions])
    figures = {
        "validation_log_loss": least_log_loss(score, target),
        "validation_accuracy": float(((score > 0) == (label == 1)).mean()),
    }
    if np.unique(label).size == 2:
        figures["validation_auc"] = auc(label, score)
    return {name: round(value, 5) for name, value in figures.items()}


def least_log_loss(score: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Log loss of log-odds times the best single slope.

    Scores are calibrated afterwards, so a network must not be punished for being too sure.
    """

    def loss(slope: float) -> float:
        return float((np.logaddexp(0.0, slope * score) - target * slope * score).mean())

    return min(loss(slope) for slope in np.geomspace(0.02, 5.0, 40))


def gather_scores(cases: Sequence[PreparedCase], name: str, judge: _Judge) -> LesionScores:
    """Apply `judge` to every case in every regime; cases it returns None for are left out."""
    rows = []
    for case in cases:
        for regime, stack in case.stacks(name).items():
            said = judge(stack)
            if said is not None:
                rows.append((*said, case.label, regime, case.case_id, case.patient_id))
    score, share, activations, label, regime_names, case_ids, patient_ids = zip(*rows, strict=True)
    return LesionScores(
        np.array(score, dtype=np.float64),
        np.array(label, dtype=np.int64),
        tuple(regime_names),
        np.array(share, dtype=np.float64),
        np.stack(activations),
        tuple(case_ids),
        tuple(patient_ids),
    )


def calibrate(
    model: LesionSegmenter | LesionClassifier, calibration: LesionScores, training: LesionScores
) -> dict[str, object]:
    """Give a fitted network its calibration, its domain and, for the U-Net, its least share of lesion.

    Parameters
    ----------
    model
        Changed in place.
    calibration
        Scores of cases it was not fitted on.
    training
        Scores of cases it was fitted on: where the domain lies.

    Returns
    -------
    dict
        JSON record per regime on the calibration split: cases, AUC, and beside it the AUC of a logistic regression on
        the activations, out of fold (what :meth:`embed` gives, with a plain classifier on top).
    """
    model.domain = _domain(training, calibration)
    record: dict[str, object] = {}
    answered = np.ones(len(calibration.score), dtype=bool)
    if isinstance(model, LesionSegmenter):
        model.least_lesion_share = float(np.clip(np.quantile(calibration.lesion_share, _MISSED), *_LESION_SHARES))
        record["least_lesion_share"] = model.least_lesion_share
        answered = _answered(calibration, model.least_lesion_share)
    model.calibration = fit_calibration(
        calibration.score[answered],
        calibration.label[answered],
        [regime for regime, one in zip(calibration.regime, answered, strict=True) if one],
    )
    for regime in calibration.regimes:
        rows = calibration.of(regime)
        area = auc(calibration.label[rows], calibration.score[rows])
        embedded = embedding_auc(calibration, regime)
        record[regime] = {"cases": int(rows.sum()), "auc": round(area, 4), "embedding_auc": embedded}
    return record


def _answered(scores: LesionScores, least: float) -> NDArray[np.bool_]:
    """Cases in which the U-Net sees enough lesion to be asked: the others are the hard ones, and get no probability.

    Fitted on them too, probabilities came out too near to one half (slope 1.23 in timed series). A regime in which too
    few of a class would be left keeps all of its cases.
    """
    chosen = np.ones(len(scores.score), dtype=bool)
    for regime in scores.regimes:
        rows = scores.of(regime)
        seen = rows & (scores.lesion_share >= max(least, LEAST_LESION_SHARE[regime]))
        if np.bincount(scores.label[seen], minlength=2).min() >= _LEAST_CASES:
            chosen &= seen | ~rows
    return chosen


def embedding_auc(scores: LesionScores, regime: Regime) -> float | None:
    """AUC of a logistic regression on the activations of one regime, out of fold; None for fewer than 20 cases.

    Shrunken hard (ten times what scikit-learn shrinks): there are more activations than cases.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = scores.of(regime)
    label, patients = scores.label[rows], np.array(scores.patient_id)[rows]
    counts = [np.unique(patients[label == each]).size for each in (0, 1)]
    if rows.sum() < _LEAST_CASES or min(counts) < FOLDS:
        return None
    table, found = scores.activations[rows], np.empty(int(rows.sum()))
    for rest, fold in patient_folds(label, patients, 0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        found[fold] = model.fit(table[rest], label[rest]).decision_function(table[fold])
    return round(auc(label, found), 4)


def _domain(training: LesionScores, held_out: LesionScores) -> ActivationSpace | None:
    rows: dict[Regime, NDArray[np.float32]] = {}
    fresh: dict[Regime, NDArray[np.float32]] = {}
    for regime in training.regimes:
        if training.of(regime).sum() >= _LEAST_CASES and held_out.of(regime).any():
            rows[regime] = training.activations[training.of(regime)]
            fresh[regime] = held_out.activations[held_out.of(regime)]
    return fit_activations(rows, fresh) if rows else None
