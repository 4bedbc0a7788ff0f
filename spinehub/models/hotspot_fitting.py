"""Fit the two-parameter rule: depth by patient-level cross-validation, leaves of a fair size, calibration."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.metrics import auc
from spinehub.models.calibration import fit_calibration
from spinehub.models.folds import FOLDS, patient_folds
from spinehub.models.hotspot import HotspotRule, Node, Parameter, leaf_score, walk
from spinehub.models.protocol import ProtocolRange
from spinehub.series import Protocol

__all__ = ["RuleFit", "fit_rule"]

_DEPTHS = (1, 2, 3)
_LEAF_SHARE = 0.05
"""A leaf holds at least this share of the training cases, and at least ten."""
_NAMES: tuple[Parameter, Parameter] = ("early_enhancement", "washout")


@dataclass(frozen=True, eq=False)
class RuleFit:
    """A fitted rule and what it said about cases it was not fitted on.

    Parameters
    ----------
    rule
        Fitted on all usable cases, calibrated on `log_odds`.
    log_odds
        ``(n,)`` out-of-fold log-odds; NaN for cases without both parameters.
    """

    rule: HotspotRule
    log_odds: NDArray[np.float64]


def fit_rule(
    early_enhancement: ArrayLike,
    washout: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[Hashable],
    *,
    protocols: Sequence[Protocol],
    frame_intervals_s: Sequence[float],
    coverage: float = 0.9,
    seed: int = 0,
) -> RuleFit:
    """Fit a tree of at most three questions.

    Parameters
    ----------
    early_enhancement, washout
        ``(n,)`` hot-spot parameters in %; NaN where not measured: such cases are left out.
    labels
        ``(n,)`` 0 for ``metastasis``, 1 for ``primary_malignant``.
    groups
        ``(n,)`` patient of each case.
    protocols, frame_intervals_s
        ``(n,)`` of the training series; the rule will apply to no others.
    coverage
        See :func:`spinehub.models.calibration.fit_calibration`.
    seed
        Of the folds.

    Raises
    ------
    InvalidArgumentError
        If lengths differ, or fewer than 40 cases or five patients of a class have both parameters.
    """
    values = np.column_stack([np.asarray(early_enhancement, float), np.asarray(washout, float)])
    truth = np.asarray(labels)
    if not len(values) == truth.size == len(groups) == len(protocols) == len(frame_intervals_s):
        raise InvalidArgumentError(
            f"parameters, labels, groups, protocols and frame_intervals_s must have one entry per case, got "
            f"{len(values)}, {truth.size}, {len(groups)}, {len(protocols)} and {len(frame_intervals_s)}"
        )
    used = np.flatnonzero(np.isfinite(values).all(axis=1))
    patients = np.unique(np.asarray(groups), return_inverse=True)[1][used]
    table, classes = values[used], truth[used].astype(int)
    counts = [np.unique(patients[classes == label]).size for label in (0, 1)]
    if len(used) < 40 or min(counts) < FOLDS:
        raise InvalidArgumentError(
            f"a rule needs 40 cases with both parameters and {FOLDS} patients of each class, got {len(used)} cases of "
            f"{counts[0]} and {counts[1]} patients; add cases"
        )
    scores = np.full(len(values), np.nan)
    scores[used] = _out_of_fold(table, classes, patients, seed)
    depth = _choose_depth(table, classes, patients, seed)
    calibration = fit_calibration(scores[used], classes, ["dynamic"] * len(used), coverage=coverage)
    limits = np.quantile(table, (0.001, 0.999), axis=0)
    notes: dict[str, Any] = {"rows": len(values), "rows_used": len(used), "depth": depth, "seed": seed}
    notes |= {"out_of_fold_auc": auc(classes, scores[used])}
    rule = HotspotRule(
        _tree(table, classes, depth),
        calibration,
        ProtocolRange.of([protocols[int(k)] for k in used], [frame_intervals_s[int(k)] for k in used]),
        {name: (float(limits[0, k]), float(limits[1, k])) for k, name in enumerate(_NAMES)},
        notes,
    )
    return RuleFit(rule, scores)


def _tree(table: NDArray[np.float64], classes: NDArray[np.int_], depth: int) -> tuple[Node, ...]:
    from sklearn.tree import DecisionTreeClassifier

    leaf = max(10, int(np.ceil(_LEAF_SHARE * len(table))))
    fitted: Any = DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=leaf, class_weight="balanced", random_state=0
    ).fit(table, classes)
    tree = fitted.tree_
    reached = np.asarray(fitted.decision_path(table).todense(), dtype=bool)
    nodes = []
    for position in range(tree.node_count):
        here = classes[reached[:, position]]
        cases = (int((here == 0).sum()), int((here == 1).sum()))
        if tree.children_left[position] < 0:
            nodes.append(Node(cases))
            continue
        nodes.append(
            Node(
                cases,
                _NAMES[tree.feature[position]],
                float(tree.threshold[position]),
                int(tree.children_left[position]),
                int(tree.children_right[position]),
            )
        )
    return tuple(nodes)


def _scores(tree: tuple[Node, ...], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of the leaf each case falls into."""
    leaves = (tree[walk(tree, float(early), float(late))[-1]] for early, late in table)
    return np.array([leaf_score(leaf.cases, tree[0].cases) for leaf in leaves])


def _choose_depth(table: NDArray[np.float64], classes: NDArray[np.int_], patients: NDArray[np.intp], seed: int) -> int:
    """Depth of the smallest log loss over grouped folds; the shallower on a tie."""

    def loss(depth: int) -> float:
        total = 0.0
        for rest, fold in patient_folds(classes, patients, seed):
            score = _scores(_tree(table[rest], classes[rest], depth), table[fold])
            total += float(np.logaddexp(0.0, np.where(classes[fold] == 1, -score, score)).sum())
        return total

    return min(_DEPTHS, key=loss)


def _out_of_fold(
    table: NDArray[np.float64], classes: NDArray[np.int_], patients: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    scores = np.empty(len(table))
    for rest, fold in patient_folds(classes, patients, seed):
        depth = _choose_depth(table[rest], classes[rest], patients[rest], seed + 1)
        scores[fold] = _scores(_tree(table[rest], classes[rest], depth), table[fold])
    return scores
