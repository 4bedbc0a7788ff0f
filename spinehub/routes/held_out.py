"""The score a model carries: measured on simulated patients it was never trained on."""

from collections.abc import Mapping
from typing import Any

from spinehub.cards.chance import chance_scores, worthless_outlines
from spinehub.series import Regime

__all__ = ["held_out_score", "no_better_than_chance", "no_trusted_outline"]

_MASK_SOURCES = ("end_to_end", "truth_mask")
"""A region grown from one click is what a user does, so its score comes first."""
_SHOWN = {
    "dynamic": "a timed series",
    "pre_post": "one frame before and one after contrast",
    "single": "a single volume",
}


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


def no_better_than_chance(evaluation: Mapping[str, Any] | None, regime: Regime) -> str | None:
    """Reason not to answer where a model, asked as a user asks it, was not found better than a coin.

    Parameters
    ----------
    evaluation
        Of the model (``evaluation.json``).
    regime
        Of the input.

    Returns
    -------
    str or None
        None where it was found better, or too few cases tell (:func:`spinehub.cards.chance.chance_scores`).
    """
    scores = chance_scores(evaluation, regime)
    if scores is None:
        return None
    return (
        f"no_better_than_chance: On {_SHOWN[regime]} this method was not found better than a coin (AUC "
        f"{_figure(scores['auc'])}, {scores['n_answered']} {_patients(evaluation)}), so it gives no answer."
    )


def no_trusted_outline(evaluation: Mapping[str, Any] | None, regime: Regime) -> str | None:
    """Reason for no route to answer where the U-Net, whose look tells lesion from other tissue, draws worse than none.

    Parameters
    ----------
    evaluation
        Of the U-Net (``evaluation.json``).
    regime
        Of the input.

    Returns
    -------
    str or None
        None where its outlines were not found worse than an empty mask, or too few cases tell
        (:func:`spinehub.cards.chance.worthless_outlines`).
    """
    scores = worthless_outlines(evaluation, regime)
    if scores is None:
        return None
    return (
        f"no_trusted_outline: On {_SHOWN[regime]} the U-Net's outlines were found worse than an empty mask (share of "
        f"the gap in pixel accuracy closed {_figure(scores['gap_closed'])}, {scores['n_answered']} "
        f"{_patients(evaluation)}), so nothing tells lesion from other tissue there and no method may judge it."
    )


def _figure(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.2f}, {figure['low']:.2f} to {figure['high']:.2f}"


def _patients(evaluation: Mapping[str, Any] | None) -> str:
    return "simulated patients" if (evaluation or {}).get("simulated", True) else "patients"
