"""The figure of a case: three planes with the mask's outline, and the enhancement curve.

Uses matplotlib's objects without pyplot, so there is no global state: figures can be drawn from several threads.
"""

from io import BytesIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.render.curve_panel import curve_axes, draw_curve
from spinehub.render.panels import draw_class_map, draw_planes, planes_height
from spinehub.render.scene import Scene

__all__ = ["case_figure", "class_map_figure", "curve_figure", "figure_png", "planes_figure"]

DPI = 130
_WIDTH = 11.0
_CURVE = 3.7
_TITLES = 0.5
"""Inches: width of a figure, height of the curve, and of the titles above the planes."""


def figure_png(figure: Figure) -> bytes:
    """Return the figure as PNG bytes, the same for the same figure."""
    buffer = BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": "spinehub"})
    return buffer.getvalue()


def case_figure(scene: Scene) -> Figure:
    """Planes above, curve below; a single volume has no curve."""
    if not scene.has_curve or scene.curve is None:
        return planes_figure(scene)
    above = planes_height(scene, _WIDTH) + _TITLES
    figure = _figure(above + _CURVE)
    rows = figure.add_gridspec(2, 1, height_ratios=(above, _CURVE))
    draw_planes(figure.add_subfigure(rows[0]), scene)
    draw_curve(curve_axes(figure.add_subfigure(rows[1])), scene.curve, scene.timing, scene.hot_spot)
    return figure


def planes_figure(scene: Scene) -> Figure:
    """The three planes alone."""
    figure = _figure(planes_height(scene, _WIDTH) + _TITLES)
    draw_planes(figure, scene)
    return figure


def curve_figure(scene: Scene) -> Figure:
    """The enhancement curve alone.

    Raises
    ------
    InvalidArgumentError
        If the scene has no curve.
    """
    if scene.curve is None:
        raise InvalidArgumentError("scene must hold a curve to draw one; mark a lesion in a series first")
    figure = _figure(_CURVE)
    draw_curve(curve_axes(figure), scene.curve, scene.timing, scene.hot_spot)
    return figure


def class_map_figure(scene: Scene, class_map: NDArray[np.float32]) -> Figure:
    """Acquired slices coloured by what a network reads each voxel as; see :func:`.panels.draw_class_map`."""
    figure = _figure(4.4)
    draw_class_map(figure, scene, class_map)
    return figure


def _figure(height: float) -> Figure:
    return Figure(figsize=(_WIDTH, height), facecolor="white")
