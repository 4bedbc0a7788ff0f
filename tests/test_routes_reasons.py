"""Reasons are a code, a colon and a sentence, or a sentence alone."""

import pytest

from spinehub.routes.answers import _sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timing_insufficient: the scan ends early", "timing_insufficient: The scan ends early."),
        ("The conformal set holds both classes", "The conformal set holds both classes."),
        ("flip angle: outside the range.", "Flip angle: outside the range."),
    ],
)
def test_reasons_keep_their_code_and_become_sentences(text, expected):
    assert _sentence(text) == expected
