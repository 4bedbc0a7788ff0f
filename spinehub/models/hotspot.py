"""The two-parameter route: a shallow decision tree on early enhancement and wash-out of the hot spot, in JSON only.

Enhancement in % depends on the sequence, so the rule carries the protocols it was fitted on and gives no answer for
others, or where the protocol is unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from spinehub.case import DIAGNOSES
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models.calibration import Answer, Calibration, log_odds
from spinehub.models.folder import FORMAT_VERSION
from spinehub.models.protocol import ProtocolRange
from spinehub.series import Protocol, Regime

__all__ = ["HotspotRule", "Node", "Parameter", "leaf_score", "walk"]

KIND = "hotspot-rule"
Parameter: TypeAlias = Literal["early_enhancement", "washout"]
_PARAMETERS: tuple[Parameter, ...] = get_args(Parameter)
_IN_WORDS = {"early_enhancement": "early enhancement", "washout": "wash-out"}


@dataclass(frozen=True)
class Node:
    """One node of the tree: a question, or a leaf.

    Parameters
    ----------
    cases
        Training cases of ``metastasis`` and ``primary_malignant`` that reach it.
    parameter, threshold
        The question "is the parameter above the threshold (%)?"; both None in a leaf.
    below, above
        Positions of the two children in the list of nodes; both None in a leaf.
    """

    cases: tuple[int, int]
    parameter: Parameter | None = None
    threshold: float | None = None
    below: int | None = None
    above: int | None = None

    @property
    def is_leaf(self) -> bool:
        """Whether the node asks nothing."""
        return self.parameter is None


@dataclass(frozen=True, eq=False)
class HotspotRule:
    """Decision tree of at most three questions; serves the regime ``dynamic`` only.

    Parameters
    ----------
    tree
        Nodes, the root first.
    calibration
        Platt scaling and thresholds.
    protocol
        Protocols it was fitted on.
    ranges
        0.1 and 99.9 % quantiles of either parameter in the training cases, %.
    training
        JSON record of the fit.
    model_id, sha256, evaluation
        Where it was loaded from, the hash of its config, and its ``evaluation.json``.
    """

    tree: tuple[Node, ...]
    calibration: Calibration
    protocol: ProtocolRange
    ranges: Mapping[Parameter, tuple[float, float]]
    training: dict[str, Any] = field(default_factory=dict)
    model_id: str = ""
    sha256: str = ""
    evaluation: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for position, node in enumerate(self.tree):
            children = (node.below, node.above)
            # A child always comes later, so that no walk can run in a circle.
            if not node.is_leaf and not all(c is not None and position < c < len(self.tree) for c in children):
                raise ModelError(f"node {position} of the tree must point to two later nodes, got {children}")
            if node.parameter not in (*_PARAMETERS, None) or (node.threshold is None) != node.is_leaf:
                raise ModelError(f"node {position} of the tree must ask about one of {_PARAMETERS} or be a leaf")
        if not self.tree:
            raise ModelError("the tree of the rule must have at least one node")

    @property
    def thresholds(self) -> dict[Regime, Any]:
        """Smallest probability with which a class stays possible, by regime and class."""
        return dict(self.calibration.thresholds)

    @property
    def domain(self) -> ProtocolRange:
        """Protocols the rule was fitted on."""
        return self.protocol

    def predict(
        self,
        early_enhancement: float | None,
        washout: float | None,
        *,
        protocol: Protocol,
        frame_interval_s: float | None,
    ) -> Answer:
        """Judge one lesion from the two hot-spot parameters.

        Parameters
        ----------
        early_enhancement, washout
            In %, as :func:`spinehub.perfusion.hot_spot_parameters` gives them; None or NaN where not known.
        protocol, frame_interval_s
            Of the series.

        Returns
        -------
        Answer
            Without probabilities, and with a reason, where a parameter is missing or the protocol is unknown or
            outside the fitted range.
        """
        values = [float("nan") if v is None else float(v) for v in (early_enhancement, washout)]
        missing = [_IN_WORDS[name] for name, value in zip(_PARAMETERS, values, strict=True) if not np.isfinite(value)]
        if missing:
            return Answer.unavailable(
                f"the rule needs both parameters of the hot spot, and {' and '.join(missing)} could not be measured"
            )
        reason = self.protocol.why_not(protocol, frame_interval_s)
        return Answer.unavailable(reason) if reason else self.calibration.answer(self.score(*values), "dynamic")

    def score(self, early_enhancement: float, washout: float) -> float:
        """Uncalibrated log-odds of ``primary_malignant``: Laplace-smoothed class shares of the leaf, equal priors."""
        return leaf_score(self.tree[self.walk(early_enhancement, washout)[-1]].cases, self.tree[0].cases)

    def walk(self, early_enhancement: float, washout: float) -> tuple[int, ...]:
        """Positions of the nodes a lesion passes, from the root to its leaf."""
        return walk(self.tree, early_enhancement, washout)

    def path(self, early_enhancement: float, washout: float) -> tuple[str, ...]:
        """The walk in words, one answer per question: ``"early enhancement 112 % > 98 %"``."""
        values = {"early_enhancement": early_enhancement, "washout": washout}
        passed = self.walk(early_enhancement, washout)
        questions = [(self.tree[here], following) for here, following in pairwise(passed)]
        return tuple(
            f"{_IN_WORDS[node.parameter]} {values[node.parameter]:.4g} % {'>' if following == node.above else '≤'} "
            f"{node.threshold:.4g} %"
            for node, following in questions
            if node.parameter is not None
        )

    def unusual(self, early_enhancement: float, washout: float) -> tuple[str, ...]:
        """Parameters outside the range of the training cases, in words."""
        values = {"early_enhancement": early_enhancement, "washout": washout}
        return tuple(
            f"{_IN_WORDS[name]} {values[name]:.4g} % lies outside the {low:.4g} to {high:.4g} % of the training cases"
            for name, (low, high) in self.ranges.items()
            if not low <= values[name] <= high
        )

    def nodes(self) -> list[dict[str, Any]]:
        """The tree for drawing: per node its depth, parent, question or None, cases and calibrated probability."""
        drawn: list[dict[str, Any]] = []
        places: dict[int, tuple[int, int | None]] = {0: (0, None)}
        for position, node in enumerate(self.tree):
            depth, parent = places.get(position, (0, None))
            places |= {child: (depth + 1, position) for child in (node.below, node.above) if child is not None}
            question = f"{_IN_WORDS[node.parameter]} > {node.threshold:.4g} %" if node.parameter is not None else None
            score = leaf_score(node.cases, self.tree[0].cases)
            drawn.append(
                {
                    "depth": depth,
                    "parent": parent,
                    "question": question,
                    "below": node.below,
                    "above": node.above,
                    "cases": dict(zip(DIAGNOSES, node.cases, strict=True)),
                    "primary_malignant": self.calibration.probability(score, "dynamic"),
                }
            )
        return drawn

    def to_config(self) -> dict[str, Any]:
        """The whole model, the content of ``config.json``."""
        return {
            "spinehub": {
                "kind": KIND,
                "format_version": FORMAT_VERSION,
                "tree": [vars(node) | {"cases": dict(zip(DIAGNOSES, node.cases, strict=True))} for node in self.tree],
                "protocol": self.protocol.to_dict(),
                "ranges": {name: list(limits) for name, limits in self.ranges.items()},
                "calibration": self.calibration.to_dict(),
                "training": self.training,
            }
        }

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """No arrays: the rule is JSON only."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> "HotspotRule":
        """Inverse of :meth:`to_config`; `tensors` is not used.

        Raises
        ------
        ModelError
            If a part is missing, malformed or of another format version.
        """
        inner = config.get("spinehub", {})
        if inner.get("kind") != KIND or inner.get("format_version") != FORMAT_VERSION:
            raise ModelError(
                f"config must be of kind {KIND!r} and format version {FORMAT_VERSION}, got {inner.get('kind')!r} and "
                f"{inner.get('format_version')!r}; update spinehub or fetch the model again"
            )
        try:
            tree = tuple(
                Node(**node | {"cases": (int(node["cases"][DIAGNOSES[0]]), int(node["cases"][DIAGNOSES[1]]))})
                for node in inner["tree"]
            )
            ranges = {name: (float(low), float(high)) for name, (low, high) in inner["ranges"].items()}
            calibration, protocol = (
                Calibration.from_dict(inner["calibration"]),
                ProtocolRange.from_dict(inner["protocol"]),
            )
            return cls(tree, calibration, protocol, ranges, dict(inner.get("training", {})))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"the config of the rule is not as it was written ({error!r}); fetch it again") from error

    @classmethod
    def from_pretrained(cls, model_id: str | Path, *, revision: str | None = None) -> Self:
        """Load by embedded name, local folder or Hub repo id; :class:`ModelError` if it is another kind of model."""
        from spinehub.models import loading

        model: Self = loading.from_pretrained(model_id, revision=revision, expected=cls)
        return model

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write ``config.json`` and, where known, ``evaluation.json``; returns the folder."""
        from spinehub.models import loading

        return loading.save_pretrained(self, folder)

    def push_to_hub(self, repo_id: str, *, private: bool = False) -> str:
        """Publish to the Hub; returns the address of its page."""
        from spinehub.models import loading

        return loading.push_to_hub(self, repo_id, private=private)


def walk(tree: tuple[Node, ...], early_enhancement: float, washout: float) -> tuple[int, ...]:
    """Positions of the nodes a lesion passes, from the root to its leaf; "above" means greater than the threshold."""
    values = {"early_enhancement": early_enhancement, "washout": washout}
    if not np.isfinite(list(values.values())).all():
        raise InvalidArgumentError(f"early_enhancement and washout must be finite numbers in %, got {values}")
    passed = [0]
    while (node := tree[passed[-1]]).parameter is not None:
        child = node.above if values[node.parameter] > (node.threshold or 0.0) else node.below
        passed.append(child if child is not None else len(tree))
    return tuple(passed)


def leaf_score(cases: tuple[int, int], root: tuple[int, int]) -> float:
    """Log-odds of ``primary_malignant`` in a node.

    Chance of reaching the node for either class, Laplace-smoothed ((cases + 1) / (all cases of the class + 2)), with
    equal priors.
    """
    reach = [(n + 1) / (total + 2) for n, total in zip(cases, root, strict=True)]
    return float(log_odds(reach[1] / (reach[0] + reach[1])))
