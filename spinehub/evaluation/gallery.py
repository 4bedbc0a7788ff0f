"""The worst cases as a picture: the surest wrong answers, and the regions that missed the lesion most."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.dataset import REGIMES
from spinehub.evaluation.judging import GROWING, Judgement, shown_case
from spinehub.evaluation.sources import case_of
from spinehub.growing import grow
from spinehub.io import CohortRow
from spinehub.perfusion import assess_timing
from spinehub.render.planes import PlaneView, display_window
from spinehub.series import DynamicSeries
from spinehub.volume import Volume

__all__ = ["draw_gallery"]

_WRONG, _MISSED = 8, 4
_COLUMNS = 4


def draw_gallery(judgements: Sequence[Judgement], rows: Sequence[CohortRow], seed: int, picture: Path) -> None:
    """Draw the worst cases of the richest regime, end to end: image, true outline (green), grown region (orange).

    Parameters
    ----------
    judgements
        Of all routes.
    rows
        Of the cohort's table.
    seed
        Of the evaluation, so that the same click is used.
    picture
        PNG file; not written where nothing went wrong.
    """
    from matplotlib.figure import Figure

    worst = _worst(judgements)
    if not worst:
        return
    by_case = {row.case_id: row for row in rows}
    lines = -(-len(worst) // _COLUMNS)
    figure = Figure(figsize=(3.1 * _COLUMNS, 3.5 * lines), layout="constrained")
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for panel in panels:
        panel.axis("off")
    for panel, (judgement, words) in zip(panels, worst, strict=False):
        _draw_case(panel, by_case[judgement.case_id], judgement, seed)
        panel.set_title(f"{judgement.case_id}: {judgement.histology or judgement.diagnosis}\n{words}", fontsize=7)
    figure.savefig(picture, dpi=110)


def _worst(judgements: Sequence[Judgement]) -> list[tuple[Judgement, str]]:
    """At most twelve judgements and what went wrong; each case once."""
    seen = [row for row in judgements if row.mask_source == "end_to_end"]
    regime = next((regime for regime in REGIMES if any(row.regime == regime for row in seen)), None)
    seen = [row for row in seen if row.regime == regime]
    wrong = [row for row in seen if row.probability is not None and (row.probability >= 0.5) != bool(row.label)]
    wrong.sort(key=lambda row: -abs((row.probability or 0.0) - 0.5))
    missed = [row for row in seen if row.route == GROWING and row.overlap is not None]
    missed.sort(key=lambda row: (row.overlap or {})["dice"])
    chosen: dict[str, tuple[Judgement, str]] = {}
    for row in wrong:
        if len(chosen) < _WRONG:
            text = f"{row.route}: {row.probability:.2f} for primary malignant"
            chosen.setdefault(row.case_id, (row, text))
    limit = len(chosen) + _MISSED
    for row in missed:
        if len(chosen) < limit:
            chosen.setdefault(row.case_id, (row, f"grown region: Dice {(row.overlap or {})['dice']:.2f}"))
    return list(chosen.values())


def _draw_case(panel: Any, row: CohortRow, judgement: Judgement, seed: int) -> None:
    case = case_of(row)
    image, click = shown_case(case, judgement.regime, seed, assess_timing(case.series))
    growth = grow(image, [click])
    truth, found = case.lesions[0].mask, growth.mask(growth.suggested_tolerance)
    view = PlaneView.of(truth.grid, truth.grid.acquired_plane)
    across = tuple(axis for axis in range(3) if axis != view.slice_axis)
    middle = int(np.argmax(truth.voxels.sum(axis=across)))
    cut = view.cut(_brightest(image), middle)
    low, high = display_window(cut)
    panel.imshow(cut, cmap="gray", vmin=low, vmax=high, aspect=view.row_mm / view.column_mm)
    for mask, colour in ((truth, "#35d07f"), (found, "#ff9d2e")):
        outline = view.cut(mask.voxels, middle)
        if outline.any():
            panel.contour(outline.astype(float), [0.5], colors=[colour], linewidths=0.9)


def _brightest(image: DynamicSeries | Volume) -> NDArray[np.float32]:
    """The frame with the highest mean signal."""
    if isinstance(image, Volume):
        return image.voxels
    means = [float(np.nanmean(image.frames[..., frame])) for frame in range(image.frames.shape[-1])]
    return image.frames[..., int(np.argmax(means))]
