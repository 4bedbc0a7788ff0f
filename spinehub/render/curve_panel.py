"""The enhancement curve: shaded baseline, arrival, reading times, quartile band, units."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spinehub.perfusion import HotSpot, Timing
from spinehub.series import Curve

__all__ = ["READING_TIMES_S", "curve_axes", "draw_curve"]

READING_TIMES_S = (45.0, 67.0, 240.0)
"""Seconds after arrival at which the two parameters are read; drawn as dashed lines."""

HOT_SPOT_COLOUR = "#14606f"
LESION_COLOUR = "#7a5195"
INK = "#1f2933"
FAINT = "#6b7683"
BASELINE_COLOUR = "#e9edf1"


def curve_axes(figure: Figure | SubFigure) -> Axes:
    """Axes with room for the labels of a curve."""
    ax = figure.subplots()
    figure.subplots_adjust(left=0.075, right=0.97, bottom=0.17, top=0.91)
    return ax


def draw_curve(ax: Axes, curve: Curve, timing: Timing, hot_spot: HotSpot | None = None) -> None:
    """Draw the lesion's curve with its quartile band, and the hot spot's curve on top."""
    x, label = _time_axis(curve, timing)
    in_seconds = curve.times_s is not None and timing.arrival_s is not None
    lesion: dict[str, Any] = {"color": LESION_COLOUR, "linewidth": 0}
    ax.fill_between(
        x, curve.lower_quartile, curve.upper_quartile, alpha=0.16, label="lesion, middle half of its voxels", **lesion
    )
    dashed: dict[str, Any] = {"linestyle": (0, (5, 2)), "marker": "s", "markersize": 3}
    ax.plot(x, curve.enhancement, color=LESION_COLOUR, linewidth=1.4, label="lesion, mean", **dashed)
    if hot_spot is not None:
        text = f"hot spot, mean of {hot_spot.mask.count} voxels"
        ax.plot(
            x, hot_spot.curve.enhancement, color=HOT_SPOT_COLOUR, linewidth=2.0, marker="o", markersize=4, label=text
        )
    margin = 0.02 * (x[-1] - x[0])
    ax.set_xlim(x[0] - margin, x[-1] + margin)
    _shade_baseline(ax, x, timing, in_seconds)
    if in_seconds:
        _mark_times(ax, float(x[-1]))
    if curve.times_s is None:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(label, fontsize=9, color=INK)
    ax.set_ylabel("enhancement over baseline (%)", fontsize=9, color=INK)
    _tidy(ax)


def _tidy(ax: Axes) -> None:
    ax.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    ax.tick_params(labelsize=8, colors=INK)
    ax.grid(axis="y", color="#e3e8ed", linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(loc="lower right", fontsize=8, frameon=True, framealpha=0.9, edgecolor="none")


def _time_axis(curve: Curve, timing: Timing) -> tuple[NDArray[np.float64], str]:
    if curve.times_s is None:
        return np.arange(1.0, curve.signal.size + 1), "frame (times not known)"
    if timing.arrival_s is None:
        return np.asarray(curve.times_s), "time from first frame (s)"
    return np.asarray(curve.times_s) - timing.arrival_s, "time from contrast arrival (s)"


def _shade_baseline(ax: Axes, x: NDArray[np.float64], timing: Timing, in_seconds: bool) -> None:
    if not 1 <= timing.baseline_frames < x.size:
        return
    start = ax.get_xlim()[0]
    end = 0.0 if in_seconds else float(x[timing.baseline_frames - 1] + x[timing.baseline_frames]) / 2
    ax.axvspan(start, end, color=BASELINE_COLOUR, zorder=0, linewidth=0)
    ax.text(
        (start + end) / 2, 0.97, "baseline", rotation=90, transform=ax.get_xaxis_transform(), fontsize=8, color=FAINT,
        ha="center", va="top",
    )  # fmt: skip


def _mark_times(ax: Axes, last_s: float) -> None:
    ax.axvline(0.0, color=INK, linewidth=1.0)
    style: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "fontsize": 8, "color": FAINT, "va": "bottom"}
    ax.text(0.0, 1.02, "arrival", ha="center", **style)
    for seconds in READING_TIMES_S:
        if seconds <= last_s:
            ax.axvline(seconds, color=FAINT, linewidth=0.9, linestyle=(0, (2, 2)))
            ax.text(seconds, 1.02, f"{seconds:.0f} s", ha="center", **style)
