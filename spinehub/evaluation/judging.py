"""One case through the pipeline as a user would send it, in every regime, with a click and with the true mask."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.case import Case
from spinehub.dataset import REGIMES, simulated_click
from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec, crop_box, reduce_regime
from spinehub.io import CohortRow, read_case
from spinehub.metrics import dice, empty_mask_pixel_accuracy, hd95_mm, iou, pixel_accuracy
from spinehub.perfusion import assess_timing
from spinehub.pipeline import analyse
from spinehub.report import Report, RouteAnswer
from spinehub.series import Regime
from spinehub.volume import Mask

__all__ = ["MASK_SOURCES", "Judgement", "MaskSource", "judge_case"]

MaskSource: TypeAlias = Literal["end_to_end", "truth_mask"]
MASK_SOURCES: tuple[MaskSource, MaskSource] = ("end_to_end", "truth_mask")

GROWING = "growing"
"""Stands in place of a route's name in the rows that score the grown region itself."""


@dataclass(frozen=True)
class Judgement:
    """What one route says about one case in one regime.

    Parameters
    ----------
    case_id, patient_id, diagnosis, histology, age_years, volume_ml
        Of the case and its index lesion.
    regime, mask_source
        How it was shown: with one simulated click and the automatic tolerance, or with the true mask.
    route
        One of the four, or ``"growing"`` for the grown region.
    probability
        Of ``primary_malignant``; None without an answer.
    decision, reason
        As in the report.
    overlap
        Figures of the route's own mask against the true one; None where it makes none.
    """

    case_id: str
    patient_id: str
    diagnosis: str
    histology: str | None
    age_years: float | None
    volume_ml: float
    regime: Regime
    mask_source: MaskSource
    route: str
    probability: float | None
    decision: str
    reason: str | None
    overlap: Mapping[str, float] | None = None

    @property
    def label(self) -> int:
        """1 for ``primary_malignant``."""
        return int(self.diagnosis == "primary_malignant")


def judge_case(row: CohortRow, models: Mapping[str, Any], seed: int) -> list[Judgement]:
    """Judge one case of a cohort.

    Parameters
    ----------
    row
        Of the cohort's table.
    models
        Route to model or its id, as :func:`spinehub.pipeline.analyse` takes them.
    seed
        Of the click and of the frames that stay when inputs are hidden.

    Raises
    ------
    InvalidArgumentError
        If the case has no index lesion.
    """
    case = read_case(row)
    if not case.lesions:
        raise InvalidArgumentError(f"case {case.case_id} has no lesion mask, so nothing can be judged; draw one")
    full = assess_timing(case.series)
    truth = case.lesions[0].mask
    judgements: list[Judgement] = []
    for number, regime in enumerate(REGIMES):
        if regime == "dynamic" and full.regime != "dynamic":
            continue
        rng = np.random.default_rng([seed, zlib.crc32(case.case_id.encode()), number])
        image = reduce_regime(case.series, regime, rng, timing=full)
        click = simulated_click(truth, rng)
        for source in MASK_SOURCES:
            report = (
                analyse(image, seeds=[click], models=models)
                if source == "end_to_end"
                else analyse(image, mask=truth, models=models)
            )
            judgements += _judgements(case, regime, source, report, set(models))
    return judgements


def _judgements(case: Case, regime: Regime, source: MaskSource, report: Report, asked: set[str]) -> list[Judgement]:
    truth = case.lesions[0].mask
    marked = report.findings[0].mask
    # The same crop for everything that is scored, so that figures can be compared.
    box = crop_box(truth.grid, PreprocessingSpec(), marked.centroid_mm)
    rows = [
        _row(case, regime, source, answer, _own_mask(answer, marked, truth, box))
        for answer in report.routes
        if answer.name in asked
    ]
    if source == "end_to_end":
        rows.append(_row(case, regime, source, None, _overlap(truth, marked.voxels, box)))
    return rows


def _row(
    case: Case, regime: Regime, source: MaskSource, answer: RouteAnswer | None, overlap: Mapping[str, float] | None
) -> Judgement:
    lesion = case.lesions[0]
    probabilities = None if answer is None else answer.probabilities
    return Judgement(
        case.case_id,
        case.patient_id,
        str(lesion.diagnosis),
        lesion.histology,
        case.age_years,
        lesion.mask.volume_ml,
        regime,
        source,
        GROWING if answer is None else answer.name,
        None if probabilities is None else float(probabilities["primary_malignant"]),
        "not_available" if answer is None else answer.decision,
        None if answer is None else answer.reason,
        overlap,
    )


def _own_mask(
    answer: RouteAnswer, marked: Mask, truth: Mask, box: tuple[slice, slice, slice]
) -> Mapping[str, float] | None:
    """Figures of the U-Net's mask: the parts of it that touch the marked region; nothing found is an empty mask."""
    if answer.name != "unet":
        return None
    class_map: NDArray[np.float32] | None = answer.explanation.get("class_map")
    if class_map is None:
        return _overlap(truth, np.zeros(truth.grid.shape, bool), box)
    parts, _ = ndimage.label(np.isfinite(class_map))
    touched = np.unique(parts[marked.voxels & (parts > 0)])
    return _overlap(truth, np.isin(parts, touched) & (parts > 0), box)


def _overlap(truth: Mask, found: NDArray[np.bool_], box: tuple[slice, slice, slice]) -> dict[str, float]:
    """Dice and distances on the whole volume, pixel accuracy within the crop the networks see."""
    return {
        "dice": dice(truth.voxels, found),
        "iou": iou(truth.voxels, found),
        "hd95_mm": hd95_mm(truth.voxels, found, truth.grid.spacing_mm) if found.any() else float("nan"),
        "pixel_accuracy": pixel_accuracy(truth.voxels[box], found[box]),
        "empty_mask_pixel_accuracy": empty_mask_pixel_accuracy(truth.voxels[box]),
    }
