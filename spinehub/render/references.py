"""Reference regions in the report: where the reader placed them, and the lesion over each."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from spinehub.render import wording
from spinehub.render.prose import number

__all__ = ["reference_block"]

_NOTE = (
    "Circles placed by the reader. Each ratio is that of the enhancement of the lesion's mean curve to that of the "
    "circle; no threshold for these two classes is known."
)
_SIGNAL_NOTE = (
    "Circles placed by the reader. The ratio is that of mean signals in the one volume there is; no threshold for "
    "these two classes is known."
)


def reference_block(references: Sequence[Mapping[str, Any]]) -> str:
    """Table of the reference regions as HTML, with the reason for each ratio that is missing.

    Parameters
    ----------
    references
        ``"references"`` of report.json, at least one.
    """
    early_at = references[0]["early_at"]  # empty for a single volume, which has no curve
    ratios = {"early_ratio": f"early, {early_at}", "peak_ratio": "peak"} if early_at else {"signal_ratio": "signal"}
    heads = ("Reference", "Circle", *(f"Lesion over it: {text}" for text in ratios.values()))
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    rows = "".join(f"<tr>{_row(one, tuple(ratios))}</tr>" for one in references)
    reasons = "".join(f'<p class="small">{escape(text)}</p>\n' for text in _reasons(references))
    note = _NOTE if early_at else _SIGNAL_NOTE
    return f'<table class="references"><tr>{head}</tr>{rows}</table>\n{reasons}<p class="small">{escape(note)}</p>\n'


def _row(one: Mapping[str, Any], ratios: Sequence[str]) -> str:
    x, y, z = (number(value) for value in one["center_mm"])
    circle = f"{number(one['radius_mm'])} mm around ({x}, {y}, {z}) mm, {one['voxels']} voxels"
    values = ("not available" if one[name] is None else number(one[name], 2) for name in ratios)
    cells = "".join(f'<td class="value">{escape(text)}</td>' for text in values)
    return f'<th scope="row">{escape(_name(one))}</th><td>{escape(circle)}</td>{cells}'


def _reasons(references: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One sentence per reason, with every reference it holds for."""
    for reason in dict.fromkeys(one["reason"] for one in references if one["reason"]):
        yield f"{', '.join(_name(one) for one in references if one['reason'] == reason)}: {reason}"


def _name(one: Mapping[str, Any]) -> str:
    text = wording.TISSUE_NAMES[one["tissue"]]
    return text[0].upper() + text[1:]
