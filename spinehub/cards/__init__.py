"""Model cards: text rendered from ``evaluation.json`` and ``config.json``, so that no number is ever typed."""

from spinehub.cards.checking import check_card
from spinehub.cards.evaluation_file import EVALUATION_FORMAT, held_out_score, validate_evaluation
from spinehub.cards.rendering import render_card, render_folder, render_unscored

__all__ = [
    "EVALUATION_FORMAT",
    "check_card",
    "held_out_score",
    "render_card",
    "render_folder",
    "render_unscored",
    "validate_evaluation",
]
