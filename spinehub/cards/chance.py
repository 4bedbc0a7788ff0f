"""Where a model was not found better than a coin: there it gives no answer, and its card says so."""

from collections.abc import Mapping
from typing import Any

from spinehub.cards.wording import REGIMES_IN_WORDS

__all__ = ["CHANCE_PATIENTS", "chance_scores", "chance_sentence"]

CHANCE_PATIENTS = 50
"""Fewer answers do not show that a model is at chance: their interval holds 0.5 for good models too."""


def chance_scores(evaluation: Mapping[str, Any] | None, regime: str) -> Mapping[str, Any] | None:
    """Scores of a regime from one click, if they show no more than chance; else None.

    Parameters
    ----------
    evaluation
        Content of ``evaluation.json``; None where a model has none.
    regime
        Of the input.

    Returns
    -------
    mapping or None
        None unless the 95 % interval of the AUC, over :data:`CHANCE_PATIENTS` answers or more, reaches 0.5.
    """
    regimes = (evaluation or {}).get("regimes") or {}
    scores: Mapping[str, Any] = (regimes.get(regime) or {}).get("end_to_end") or {}
    low = (scores.get("auc") or {}).get("low")
    if low is None or low > 0.5 or (scores.get("n_answered") or 0) < CHANCE_PATIENTS:
        return None
    return scores


def chance_sentence(evaluation: Mapping[str, Any]) -> str:
    """Sentence for the results; empty where the model is better than a coin on all input, or too few judge it."""
    silent = [words for regime, words in REGIMES_IN_WORDS.items() if chance_scores(evaluation, regime) is not None]
    if not silent:
        return ""
    return (
        f"**No better than chance: {' and '.join(silent)}.** The interval of the AUC reaches 0.5 there, so spinehub "
        "shows no answer of this model to such input.\n"
    )
