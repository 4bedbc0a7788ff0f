"""Model cards: text rendered from ``evaluation.json`` and ``config.json``, so that no number is ever typed."""

from spinehub.cards.evaluation_file import EVALUATION_FORMAT, held_out_score, validate_evaluation
from spinehub.cards.rendering import render_card, render_folder

__all__ = ["EVALUATION_FORMAT", "held_out_score", "render_card", "render_folder", "validate_evaluation"]
