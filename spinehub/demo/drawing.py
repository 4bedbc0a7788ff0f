"""What every drawing on the page shares: a frame from data to picture, axes with units, SVG as text.

Colours and fonts come from panels.css, so that both themes work.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.demo.markup import Markup, element, join

__all__ = ["Frame", "axes", "nice_ticks", "signed", "svg"]


@dataclass(frozen=True)
class Frame:
    """Data limits and the place of the axes inside the drawing, in units of its view box."""

    x: tuple[float, float]
    y: tuple[float, float]
    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Right end of the axes."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Lower end of the axes."""
        return self.top + self.height

    def across(self, value: float) -> float:
        """Place of an x value."""
        return round(self.left + (value - self.x[0]) / (self.x[1] - self.x[0]) * self.width, 2)

    def down(self, value: float) -> float:
        """Place of a y value."""
        return round(self.top + (self.y[1] - value) / (self.y[1] - self.y[0]) * self.height, 2)

    def points(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
        """Corner list of a polyline; values that are not finite are left out."""
        pairs = zip(x, y, strict=True)
        return " ".join(f"{self.across(a)},{self.down(b)}" for a, b in pairs if np.isfinite(a) and np.isfinite(b))


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers inside an interval, at most `most` of them, evenly spaced by 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-9)
    power = 10.0 ** np.floor(np.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= most)
    return [float(round(n * step, 9)) for n in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def axes(frame: Frame, x_unit: str, y_unit: str, *, whole: bool = False) -> Markup:
    """Grid lines, numbers and units; `whole` leaves out x ticks between whole numbers."""
    # A long unit would stick out to the left of the picture, so it starts at its edge.
    place = {"x": 2.0} if len(y_unit) > 3 else {"x": frame.left - 8, "text_anchor": "end"}
    parts = [element("text", y_unit, y=frame.top - 8, class_="sh-axis", **place)]
    for value in nice_ticks(*frame.y, most=4):
        y = frame.down(value)
        parts.append(element("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="sh-grid"))
        parts.append(element("text", signed(value), x=frame.left - 8, y=y + 4, class_="sh-axis", text_anchor="end"))
    for value in (tick for tick in nice_ticks(*frame.x, most=8) if not whole or tick == int(tick)):
        at = {"x": frame.across(value), "y": frame.bottom + 15}
        parts.append(element("text", signed(value), class_="sh-axis", text_anchor="middle", **at))
    parts.append(element("text", x_unit, x=frame.right, y=frame.bottom + 33, class_="sh-axis", text_anchor="end"))
    return join(*parts)


def svg(content: Markup, width: float, height: float, label: str, *, most_px: float | None = None) -> Markup:
    """Wrap shapes into one picture with a text for those who cannot see it; never drawn wider than `most_px`."""
    return element(
        "svg", content, viewBox=f"0 0 {width} {height}", role="img", aria_label=label, class_="sh-plot",
        preserveAspectRatio="xMidYMid meet", style=None if most_px is None else f"max-width: {most_px:.0f}px",
    )  # fmt: skip


def signed(value: float) -> str:
    """Write a tick with a real minus sign."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
