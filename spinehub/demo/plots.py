"""Small drawings for the page, as SVG text: the enhancement curve and the volume-against-tolerance curve.

Colours and fonts come from panels.css, so that both themes work; every axis names its unit.
"""

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spinehub.demo.drawing import Frame, axes, svg
from spinehub.demo.markup import Markup, element, join
from spinehub.perfusion import Timing
from spinehub.render.prose import number
from spinehub.series import Curve, DynamicSeries

__all__ = ["curve_plot", "reading_marks", "tolerance_plot"]

_MARKS_S = (45.0, 67.0, 240.0)
"""Seconds after arrival at which the two parameters are read."""
_HALF_LABEL = 40.0
"""Half the width of the longest label of a peak, in units of the drawing."""


def curve_plot(
    series: DynamicSeries,
    curve: Curve | None,
    timing: Timing,
    hot_spot: Curve | None = None,
    references: Mapping[str, Curve] | None = None,
    *,
    least_high: float = 10.0,
    figures: str = "",
) -> Markup:
    """Enhancement of the lesion and its hot spot over time, with baseline, quartiles, peak and reading times.

    The browser lays the curve of the voxel under the crosshair into it: the drawing tells it where the axes lie.

    Parameters
    ----------
    series, timing
        What was scanned, and when.
    curve, hot_spot
        Of the lesion; None where there is none.
    references
        Curves of reference regions, by tissue.
    least_high
        Enhancement in % that the axis reaches in any case.
    figures
        Numbers that belong to the curve, for those who cannot see it.
    """
    others = dict(references or {})
    x, unit = _time_axis(series, timing)
    curves = [other.enhancement for other in others.values()]
    if curve is not None:
        curves += [curve.enhancement, curve.lower_quartile, curve.upper_quartile]
    if hot_spot is not None:
        curves.append(hot_spot.enhancement)
    values = np.concatenate([*curves, [0.0, least_high]])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low)
    above = 0.16 * (high - low)  # room for the value of the peak
    frame = Frame((float(x[0]), float(x[-1])), (low - margin, high + above), 44, 22, 600, 150)
    parts = [
        axes(frame, unit, "%", whole=unit.startswith("frame")),
        _baseline_shade(frame, x, timing, in_seconds=unit.startswith("seconds after")),  # no line through its name
    ]
    for tissue, other in others.items():
        parts.append(element("polyline", points=frame.points(x, other.enhancement), class_=f"sh-line sh-ref-{tissue}"))
    if curve is not None:
        parts.append(element("polygon", points=_band_points(frame, x, curve), class_="sh-band"))
        parts.append(element("polyline", points=frame.points(x, curve.enhancement), class_="sh-line sh-lesion"))
    if hot_spot is not None:
        parts.append(element("polyline", points=frame.points(x, hot_spot.enhancement), class_="sh-line sh-spot"))
    main = hot_spot or curve
    if main is not None:
        parts.extend(_dots(frame, x, main.enhancement))
        parts.append(_peak_mark(frame, x, main, timing))
    if unit.startswith("seconds after"):
        parts.extend(reading_marks(frame))
    parts.append(_crosshair_layer(frame, x, unit))
    name = "hot spot" if hot_spot is not None else "lesion"
    label = join("Enhancement over time. ", _in_words(x, unit, main, timing, name), figures)
    return svg(join(*parts), 660, 212, label)


def _crosshair_layer(frame: Frame, x: NDArray[np.float64], unit: str) -> Markup:
    """Empty line that crosshair.js fills from the frames it holds, cut off at the axes."""
    axes_box = {"x": frame.left, "y": frame.top, "width": frame.width, "height": frame.height}
    clip = element("clipPath", element("rect", **axes_box), id="sh-curve-axes")
    mapping = {"x": [round(float(value), 4) for value in x], "unit": unit, "limits": [*frame.x, *frame.y]}
    mapping["box"] = list(axes_box.values())
    line = element(
        "polyline", id="sh-crosshair-curve", points="", clip_path="url(#sh-curve-axes)", class_="sh-line sh-crosshair",
        data_axes=json.dumps(mapping),
    )  # fmt: skip
    return join(clip, line)


def _peak(curve: Curve, timing: Timing) -> int | None:
    """Frame of the highest enhancement after the baseline; None where no frame has one."""
    after = curve.enhancement[timing.baseline_frames :]
    return timing.baseline_frames + int(np.nanargmax(after)) if np.isfinite(after).any() else None


def _peak_mark(frame: Frame, x: NDArray[np.float64], curve: Curve, timing: Timing) -> Markup | None:
    """Ring around the highest frame, and its value above it, where no curve of the lesion runs."""
    at = _peak(curve, timing)
    if at is None:
        return None
    across, down = frame.across(x[at]), frame.down(curve.enhancement[at])
    place = {"x": min(max(across, frame.left + _HALF_LABEL), frame.right - _HALF_LABEL), "y": down - 9}
    text = f"peak {number(curve.enhancement[at], 0)} %"
    said = element("text", text, class_="sh-axis sh-peak-text", text_anchor="middle", **place)
    return join(element("circle", cx=across, cy=down, r=5.5, class_="sh-peak"), said)


def _in_words(x: NDArray[np.float64], unit: str, curve: Curve | None, timing: Timing, name: str) -> str:
    """What the drawing shows of the lesion, in numbers."""
    if curve is None:
        return "No lesion is marked. "
    at = _peak(curve, timing)
    if at is None:
        return "The curve has no value after contrast. "
    arrival = "" if timing.arrival_s is None else f"Contrast arrives at {number(timing.arrival_s, 0)} s. "
    where = f"in frame {x[at]:.0f}" if unit.startswith("frame") else f"at {number(x[at], 0)} {unit}"
    text = f"{arrival}Curve of the {name}: peak {number(curve.enhancement[at], 0)} % {where}"
    if unit.startswith("seconds after") and np.isfinite(curve.enhancement).all():
        read = [second for second in _MARKS_S if second <= x[-1]]
        values = np.interp(read, x, curve.enhancement)
        pairs = zip(values, read, strict=True)
        text += "".join(f", {number(value, 0)} % at {second:.0f} s" for value, second in pairs)
    return f"{text}. "


def tolerance_plot(
    tolerances: NDArray[np.float64], volume_ml: NDArray[np.float64], tolerance: float, leak: float | None, top: float
) -> Markup:
    """Volume of the region against tolerance, with the leak and, movable by the page, the tolerance set now.

    Parameters
    ----------
    tolerances, volume_ml
        From :meth:`spinehub.growing.Growth.volume_curve`.
    tolerance, leak
        In the same unit; leak None where there is none.
    top
        End of the slider: the drawing spans 0 to this.
    """
    inside = tolerances <= top
    x, y = tolerances[inside], volume_ml[inside]
    frame = Frame((0.0, top), (0.0, max(float(y.max()) if y.size else 0.0, 1e-6) * 1.08), 4, 12, 232, 50)
    shapes = [
        element("text", "volume against tolerance", x=4, y=9, class_="sh-axis"),
        element("text", f"{y.max():.3g} ml" if y.size else "", x=236, y=9, class_="sh-axis", text_anchor="end"),
        element("line", x1=4, x2=236, y1=62, y2=62, class_="sh-rule"),
        element("polyline", points=frame.points(x, y), class_="sh-line sh-volume"),
    ]
    if leak is not None and leak <= top:
        place = frame.across(leak)
        side = {"x": place - 3, "text_anchor": "end"} if place > 120 else {"x": place + 3}
        shapes.append(element("line", x1=place, x2=place, y1=12, y2=62, class_="sh-leak"))
        shapes.append(element("text", f"leaks above {leak:.3g}", y=74, class_="sh-axis", **side))
    now = frame.across(min(tolerance, top))
    marker = element("line", id="sh-tolerance-mark", x1=now, x2=now, y1=10, y2=64, class_="sh-now", data_top=top)
    return svg(join(*shapes, marker), 240, 78, "Volume of the region against tolerance")


def _time_axis(series: DynamicSeries, timing: Timing) -> tuple[NDArray[np.float64], str]:
    if series.times_s is None:
        return np.arange(1.0, series.frame_count + 1), "frame (times not known)"
    if timing.arrival_s is None:
        return np.asarray(series.times_s), "seconds from the first frame"
    return np.asarray(series.times_s) - timing.arrival_s, "seconds after contrast arrival"


def _baseline_shade(frame: Frame, x: NDArray[np.float64], timing: Timing, *, in_seconds: bool) -> Markup | None:
    count = timing.baseline_frames
    if not 1 <= count < x.size:
        return None
    end = 0.0 if in_seconds else float(x[count - 1] + x[count]) / 2
    width = max(frame.across(end) - frame.left, 0.0)
    shade = element("rect", x=frame.left, y=frame.top, width=width, height=frame.height, class_="sh-baseline")
    if width > 52:
        return join(shade, element("text", "baseline", x=frame.left + 4, y=frame.top + 12, class_="sh-axis"))
    place = {"x": frame.left + width / 2 + 4, "y": frame.top + 4}
    turn = f"rotate(-90 {place['x']} {place['y']})"
    return join(shade, element("text", "baseline", transform=turn, text_anchor="end", class_="sh-axis", **place))


def _band_points(frame: Frame, x: NDArray[np.float64], curve: Curve) -> str:
    upper = frame.points(x, curve.upper_quartile)
    return f"{upper} {frame.points(x[::-1], curve.lower_quartile[::-1])}"


def _dots(frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Markup]:
    return [
        element("circle", cx=frame.across(a), cy=frame.down(b), r=3, class_="sh-dot")
        for a, b in zip(x, y, strict=True)
        if np.isfinite(b)
    ]


def reading_marks(frame: Frame) -> list[Markup]:
    """Dotted lines at the times the two parameters are read at."""
    marks = []
    for seconds in (second for second in _MARKS_S if second <= frame.x[1]):
        x = frame.across(seconds)
        side = "end" if seconds == _MARKS_S[0] else "start"  # 45 and 67 s lie close together
        shift = -3 if side == "end" else 3
        marks.append(element("line", x1=x, x2=x, y1=frame.top - 4, y2=frame.top + frame.height, class_="sh-mark"))
        label = element("text", f"{seconds:.0f} s", x=x + shift, y=frame.top - 8, class_="sh-axis", text_anchor=side)
        marks.append(label)
    return marks
