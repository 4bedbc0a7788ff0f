"""Model cards: text rendered from ``evaluation.json`` and ``config.json``, so that no number is ever typed."""

from spinehub.cards.evaluation_file import EVALUATION_FORMAT, validate_evaluation
from spinehub.cards.rendering import render_card, render_folder

__all__ = ["EVALUATION_FORMAT", "render_card", "render_folder", "validate_evaluation"]
