"""Where a model is no better than a coin, or its outlines worse than none: no answer there, and the card says so."""

from collections.abc import Mapping
from typing import Any

from spinehub.cards.wording import REGIMES_IN_WORDS

__all__ = ["CHANCE_PATIENTS", "chance_scores", "chance_sentence", "worthless_outlines"]

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
    scores = _told(evaluation, regime)
    low = (scores.get("auc") or {}).get("low")
    return None if low is None or low > 0.5 else scores


def worthless_outlines(evaluation: Mapping[str, Any] | None, regime: str) -> Mapping[str, Any] | None:
    """Scores of a regime from one click, if outlines there are further from the truth than an empty mask; else None.

    Parameters
    ----------
    evaluation
        Content of ``evaluation.json``; None where a model has none.
    regime
        Of the input.

    Returns
    -------
    mapping or None
        None unless the 95 % interval of the share of the gap between the empty mask's pixel accuracy and 1 that is
        closed lies at or below 0, over :data:`CHANCE_PATIENTS` answers or more.
    """
    scores = _told(evaluation, regime)
    high = (scores.get("gap_closed") or {}).get("high")
    return None if high is None or high > 0.0 else scores


def _told(evaluation: Mapping[str, Any] | None, regime: str) -> Mapping[str, Any]:
    """Scores of a regime from one click; empty where too few answers tell."""
    regimes = (evaluation or {}).get("regimes") or {}
    scores: Mapping[str, Any] = (regimes.get(regime) or {}).get("end_to_end") or {}
    return scores if (scores.get("n_answered") or 0) >= CHANCE_PATIENTS else {}


def chance_sentence(evaluation: Mapping[str, Any]) -> str:
    """Sentences for the results; empty where the model is better than that on all input, or too few judge it."""
    silent = [words for regime, words in REGIMES_IN_WORDS.items() if chance_scores(evaluation, regime) is not None]
    blind = [words for regime, words in REGIMES_IN_WORDS.items() if worthless_outlines(evaluation, regime) is not None]
    told = ""
    if silent:
        told += (
            f"**No better than chance: {' and '.join(silent)}.** The interval of the AUC reaches 0.5 there, so "
            "spinehub shows no answer of this model to such input.\n"
        )
    if blind:
        told += (
            f"**Outlines worse than none: {' and '.join(blind)}.** An empty mask is closer to the truth there. It is "
            "this model's look that tells lesion from other tissue, so where it is asked spinehub shows no answer of "
            "any model to such input.\n"
        )
    return told
