"""Curves of an evaluation as pictures: ROC, calibration, net benefit; one line per route, end to end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import REGIMES
from spinehub.evaluation.comparison import decision_curve
from spinehub.evaluation.judging import Judgement

__all__ = ["draw_pictures"]

_BINS = 8
_COLOURS = {
    "hotspot": "#b07d2b",
    "radiomics": "#2e7d5b",
    "unet": "#1f4e79",
    "inception_resnet": "#8a3b6f",
    "stacked": "#444444",
}


def draw_pictures(judgements: Sequence[Judgement], folder: Path) -> None:
    """Write ``roc.png``, ``calibration.png`` and ``decision_curve.png``; regimes side by side.

    Parameters
    ----------
    judgements
        All of them; those end to end with a probability are drawn.
    folder
        Exists.
    """
    panels: dict[str, dict[str, list[Judgement]]]
    panels = {regime: {route: _answered(judgements, regime, route) for route in _COLOURS} for regime in REGIMES}
    both = {
        regime: {route: rows for route, rows in routes.items() if len({row.label for row in rows}) == 2}
        for regime, routes in panels.items()
    }
    shown = {regime: routes for regime, routes in both.items() if routes}
    if not shown:
        return
    for name, draw in (("roc", _draw_roc), ("calibration", _draw_calibration), ("decision_curve", _draw_benefit)):
        _draw(shown, draw, folder / f"{name}.png")


def _answered(judgements: Sequence[Judgement], regime: str, route: str) -> list[Judgement]:
    key = (route, regime, "end_to_end")
    own = [row for row in judgements if (row.route, row.regime, row.mask_source) == key]
    return [row for row in own if row.probability is not None]


def _draw(shown: Mapping[str, Mapping[str, list[Judgement]]], draw: Any, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(shown), 4.2), layout="constrained")
    for panel, (regime, routes) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        panel.set_title(f"{regime}, simulated cases, end to end", fontsize=9)
        draw(panel, routes)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _columns(rows: Sequence[Judgement]) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    return np.array([row.label for row in rows]), np.array([row.probability for row in rows], dtype=float)


def _draw_roc(panel: Any, routes: Mapping[str, list[Judgement]]) -> None:
    from sklearn.metrics import roc_curve

    for route, rows in routes.items():
        false, true, _ = roc_curve(*_columns(rows))
        panel.plot(false, true, color=_COLOURS[route], label=route, linewidth=1.3)
    panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":")
    panel.set_xlabel("1 - specificity")
    panel.set_ylabel("sensitivity (primary malignant)")


def _draw_calibration(panel: Any, routes: Mapping[str, list[Judgement]]) -> None:
    for route, rows in routes.items():
        truth, share = _columns(rows)
        parts = np.array_split(np.argsort(share, kind="stable"), min(_BINS, len(rows)))
        points = [(share[part].mean(), truth[part].mean()) for part in parts]
        panel.plot(*zip(*points, strict=True), "o-", color=_COLOURS[route], label=route, markersize=3, linewidth=1.0)
    panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":")
    panel.set_xlabel("probability of primary malignant")
    panel.set_ylabel("share that is primary malignant")


def _draw_benefit(panel: Any, routes: Mapping[str, list[Judgement]]) -> None:
    points: list[dict[str, float]] = []
    for route, rows in routes.items():
        points = decision_curve(rows)
        thresholds = [point["threshold"] for point in points]
        panel.plot(thresholds, [p["model"] for p in points], color=_COLOURS[route], label=route, linewidth=1.3)
    thresholds = [point["threshold"] for point in points]
    panel.plot(thresholds, [p["everyone"] for p in points], color="#999999", linewidth=0.8, label="act on all")
    panel.axhline(0.0, color="#999999", linewidth=0.8, linestyle=":", label="act on none")
    panel.set_ylim(-0.1, 0.55)
    panel.set_xlabel("threshold probability (equal priors)")
    panel.set_ylabel("net benefit")
