"""HTML by function call: every text is escaped, so nothing a file or a user says can become markup or code."""

from html import escape

__all__ = ["Markup", "element", "join", "sentence", "text"]

_TEMPLATE_SIGNS = str.maketrans({"$": "&#36;", "{": "&#123;", "}": "&#125;", "`": "&#96;"})
"""Gradio reads templates as code; these signs are what its two template languages start from."""
_VOID = {"br", "img", "input"}


class Markup(str):
    """A piece of HTML that is safe to place as it is."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return any value as escaped text."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)).translate(_TEMPLATE_SIGNS))


def join(*parts: object) -> Markup:
    """Put pieces one after another; what is not yet markup is escaped."""
    return Markup("".join(text(part) for part in parts if part is not None))


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """Return one element.

    Parameters
    ----------
    tag
        Its name.
    children
        Texts (escaped) and elements (placed as they are); None is left out.
    attributes
        ``class_`` becomes ``class``, ``stroke_width`` becomes ``stroke-width``; None leaves an attribute out, True
        writes it without a value.
    """
    written = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        plain = name.rstrip("_").replace("_", "-")
        written.append(f" {plain}" if value is True else f' {plain}="{text(value)}"')
    opening = f"<{tag}{''.join(written)}>"
    return Markup(opening) if tag in _VOID else Markup(f"{opening}{join(*children)}</{tag}>")


def sentence(error: Exception) -> str:
    """Message of an error as one line of text that is safe to show."""
    return escape(" ".join(str(error).split()))
