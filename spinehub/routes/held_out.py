"""The score a model carries: measured on simulated patients it was never trained on."""

from collections.abc import Mapping
from typing import Any

from spinehub.series import Regime

__all__ = ["held_out_score"]

_FIELDS = ("auc", "accuracy", "interval", "n", "cohort", "regime", "mask_source")


def held_out_score(evaluation: Mapping[str, Any] | None, regime: Regime) -> dict[str, Any] | None:
    """Score of one regime from a model's ``evaluation.json``; None where it holds none.

    End-to-end scores (region grown from one click) are preferred to those on the true mask.
    """
    scores = (evaluation or {}).get("scores") or ()
    rows = [row for row in scores if row.get("regime") == regime and row.get("auc") is not None]
    if not rows:
        return None
    row = min(rows, key=lambda one: one.get("mask_source") != "grown")
    return {**{name: row.get(name) for name in _FIELDS}, "simulated": True}
