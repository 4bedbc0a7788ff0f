"""The score a model carries: measured on simulated patients it was never trained on."""

from collections.abc import Mapping
from typing import Any

from spinehub.series import Regime

__all__ = ["held_out_score"]

_MASK_SOURCES = ("end_to_end", "truth_mask")
"""A region grown from one click is what a user does, so its score comes first."""


def held_out_score(evaluation: Mapping[str, Any] | None, regime: Regime) -> dict[str, Any] | None:
    """Score of one regime from a model's ``evaluation.json`` (:mod:`spinehub.cards`); None where it holds none.

    Returns
    -------
    dict or None
        ``auc``, ``accuracy``, ``interval`` (of the AUC, 95 %), ``n``, ``cohort``, ``regime``, ``mask_source``,
        ``simulated``.
    """
    evaluation = evaluation or {}
    sources = (evaluation.get("regimes") or {}).get(regime) or {}
    for source in _MASK_SOURCES:
        scores = sources.get(source) or {}
        auc, accuracy = (scores.get(name) or {} for name in ("auc", "accuracy"))
        if auc.get("value") is not None:
            return {
                "auc": auc["value"],
                "accuracy": accuracy.get("value"),
                "interval": [auc.get("low"), auc.get("high")],
                "n": scores.get("n"),
                "cohort": (evaluation.get("cohort") or {}).get("name"),
                "regime": regime,
                "mask_source": source,
                "simulated": bool(evaluation.get("simulated", True)),
            }
    return None
