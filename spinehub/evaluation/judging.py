"""One case through the pipeline as a user would send it, in every regime, with a click and with the true mask."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite, nan
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.case import DIAGNOSES, Case
from spinehub.dataset import REGIMES, simulated_click
from spinehub.errors import InvalidArgumentError
from spinehub.evaluation.embedding import EmbeddedRoutes, embedding_row, load_embeddings
from spinehub.evaluation.sources import case_of
from spinehub.features import feature_maps
from spinehub.growing import grow
from spinehub.inputs import PreprocessingSpec, crop_box, reduce_regime
from spinehub.io import CohortRow
from spinehub.metrics import (
    confusion_matrix,
    dice,
    empty_mask_pixel_accuracy,
    hd95_mm,
    iou,
    pixel_accuracy,
    surface_distance_mm,
    volume_error,
)
from spinehub.perfusion import Timing, assess_timing, compute_maps
from spinehub.pipeline import measure_lesion
from spinehub.report import RouteAnswer, RouteName
from spinehub.routes import RouteContext, answer_routes, load_model
from spinehub.series import DynamicSeries, Regime
from spinehub.volume import Mask, Seed, Volume

__all__ = ["GROWING", "MASK_SOURCES", "Judgement", "MaskSource", "judge_case", "shown_case"]

MaskSource: TypeAlias = Literal["end_to_end", "truth_mask"]
MASK_SOURCES: tuple[MaskSource, MaskSource] = ("end_to_end", "truth_mask")

GROWING = "growing"
"""Stands in place of a route's name in the rows that score the grown region itself."""
_NETWORKS: frozenset[RouteName] = frozenset({"unet", "inception_resnet"})


@dataclass(frozen=True)
class Judgement:
    """What one route says about one case in one regime.

    Parameters
    ----------
    case_id, patient_id, diagnosis, histology, level, age_years, volume_ml
        Of the case and its index lesion.
    field_strength_t
        Of the scanner, in tesla; None where it is not known.
    regime, mask_source
        How it was shown: with one simulated click and the automatic tolerance, or with the true mask.
    route
        One of the four, ``"<network>_embedding"`` for the regression beside a network, or ``"growing"`` for the grown
        region.
    probability
        Of ``primary_malignant``; None without an answer.
    decision, reason
        As in the report.
    overlap
        Figures of the route's own mask against the true one; None where it makes none.
    confusion
        Voxels by true and found class (background, metastasis, primary malignant), row by row, nine counts within the
        crop the networks see; None where the route names no class per voxel.
    """

    case_id: str
    patient_id: str
    diagnosis: str
    histology: str | None
    level: str | None
    age_years: float | None
    volume_ml: float
    field_strength_t: float | None
    regime: Regime
    mask_source: MaskSource
    route: str
    probability: float | None
    decision: str
    reason: str | None
    overlap: Mapping[str, float] | None = None
    confusion: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON form; None stands for a figure that is not finite."""
        values = asdict(self)
        if self.overlap is not None:
            values["overlap"] = {name: number if isfinite(number) else None for name, number in self.overlap.items()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`, also after a trip through JSON."""
        overlap, confusion = values["overlap"], values["confusion"]
        if overlap is not None:
            overlap = {name: nan if number is None else number for name, number in overlap.items()}
        return cls(**{**values, "overlap": overlap, "confusion": None if confusion is None else tuple(confusion)})

    @property
    def label(self) -> int:
        """1 for ``primary_malignant``."""
        return int(self.diagnosis == "primary_malignant")


def judge_case(
    row: CohortRow,
    models: Mapping[str, Any],
    seed: int,
    *,
    regimes: Sequence[Regime] = REGIMES,
    mask_sources: Sequence[MaskSource] = MASK_SOURCES,
    embeddings: Mapping[str, str] | None = None,
) -> list[Judgement]:
    """Judge one case of a cohort, with the steps of :func:`spinehub.pipeline.analyse`.

    What does not depend on the region (timing, maps) is computed once for both mask sources, and what no figure and
    no model asked for needs (motion, warnings, other maps, features without a model of them) is left out.

    Parameters
    ----------
    row
        Of the cohort's table, or with a recipe to be rendered.
    models
        Route to model or its id, as :func:`spinehub.pipeline.analyse` takes them.
    seed
        Of the click and of the frames that stay when inputs are hidden.
    regimes, mask_sources
        Which to judge.
    embeddings
        Network's route to the file of its embedding, which gets a row of its own.

    Raises
    ------
    InvalidArgumentError
        If the case has no index lesion.
    """
    case = case_of(row)
    if not case.lesions:
        raise InvalidArgumentError(f"case {case.case_id} has no lesion mask, so nothing can be judged; draw one")
    full = assess_timing(case.series)
    truth = case.lesions[0].mask
    networks: Any = {name: load_model(name, models[name]) for name in _NETWORKS & set(models)}
    asked = EmbeddedRoutes({**models, **networks}, load_embeddings(embeddings or {}, networks))
    needed = _maps_needed(asked.models)
    judgements: list[Judgement] = []
    for regime in regimes:
        if regime == "dynamic" and full.regime != "dynamic":
            continue
        image, click = shown_case(case, regime, seed, full)
        timing = full if image is case.series else assess_timing(image)
        maps = compute_maps(image, timing, names=needed) if isinstance(image, DynamicSeries) else {}
        for source in mask_sources:
            growth = grow(image, [click]) if source == "end_to_end" else None
            region = truth if growth is None else growth.mask(growth.suggested_tolerance)
            finding = measure_lesion(image, region, timing, maps, features="radiomics" in models)
            context = RouteContext(image, timing, maps, finding, growth)
            answers = answer_routes(context, asked.models, evaluating=True)
            judgements += _judgements(case, regime, source, region, answers.routes, asked)
    return judgements


def _maps_needed(models: Mapping[str, Any]) -> set[str]:
    """Names of the maps that the models asked for look at; those of the features where radiomics is one of them."""
    needed = set(feature_maps()) if "radiomics" in models else set()
    for name in _NETWORKS & set(models):
        needed |= set(models[name].spec.maps)
    return needed


def shown_case(case: Case, regime: Regime, seed: int, full: Timing) -> tuple[DynamicSeries | Volume, Seed]:
    """What is left of a case in a regime, and the simulated click; the same for the same `seed`.

    Parameters
    ----------
    case
        With an index lesion.
    regime
        How much is left of it.
    seed
        Of the evaluation.
    full
        Timing of the whole series.
    """
    rng = np.random.default_rng([seed, zlib.crc32(case.case_id.encode()), REGIMES.index(regime)])
    image = reduce_regime(case.series, regime, rng, timing=full)
    return image, simulated_click(case.lesions[0].mask, rng)


def _judgements(
    case: Case, regime: Regime, source: MaskSource, marked: Mask, answers: Sequence[RouteAnswer], asked: EmbeddedRoutes
) -> list[Judgement]:
    truth = case.lesions[0].mask
    # The same crop for everything that is scored, so that figures can be compared.
    box = crop_box(truth.grid, PreprocessingSpec(), marked.centroid_mm)
    # A U-Net that reads the region would be given the answer with the true mask.
    outlines = source == "end_to_end" or not getattr(asked.models.get("unet"), "reads_region", False)
    rows = []
    for answer in answers:
        if answer.name in asked.models:
            classes = _own_classes(answer, marked) if answer.name == "unet" and outlines else None
            rows.append(_row(case, regime, source, answer, classes, box))
        if answer.name in asked.embeddings:
            beside = _row(case, regime, source, asked.answer(answer, regime), None, box)
            rows.append(replace(beside, route=embedding_row(answer.name)))
    if source == "end_to_end":
        rows.append(_row(case, regime, source, None, marked.voxels.astype(np.uint8), box))
    return rows


def _row(
    case: Case,
    regime: Regime,
    source: MaskSource,
    answer: RouteAnswer | None,
    classes: NDArray[np.uint8] | None,
    box: tuple[slice, slice, slice],
) -> Judgement:
    lesion = case.lesions[0]
    probabilities = None if answer is None else answer.probabilities
    diagnosis = str(lesion.diagnosis)
    confusion = None
    if classes is not None and answer is not None:
        truth = lesion.mask.voxels[box] * (1 + DIAGNOSES.index(lesion.diagnosis or DIAGNOSES[0]))
        confusion = tuple(int(count) for count in confusion_matrix(truth, classes[box], 3).ravel())
    return Judgement(
        case.case_id,
        case.patient_id,
        diagnosis,
        lesion.histology,
        lesion.level,
        case.age_years,
        lesion.mask.volume_ml,
        case.series.protocol.field_strength_t,
        regime,
        source,
        GROWING if answer is None else answer.name,
        None if probabilities is None else float(probabilities["primary_malignant"]),
        "not_available" if answer is None else answer.decision,
        None if answer is None else answer.reason,
        None if classes is None else _overlap(lesion.mask, classes > 0, box),
        confusion,
    )


def _own_classes(answer: RouteAnswer, marked: Mask) -> NDArray[np.uint8]:
    """``(I, J, K)`` class of each voxel in the parts of the U-Net's mask that touch the marked region, else 0."""
    class_map: NDArray[np.float32] | None = answer.explanation.get("class_map")
    if class_map is None:
        return np.zeros(marked.grid.shape, np.uint8)
    parts, _ = ndimage.label(np.isfinite(class_map))
    touched = np.unique(parts[marked.voxels & (parts > 0)])
    own = np.isin(parts, touched) & (parts > 0)
    return np.where(own, 1 + (np.nan_to_num(class_map) >= 0.5), 0).astype(np.uint8)


def _overlap(truth: Mask, found: NDArray[np.bool_], box: tuple[slice, slice, slice]) -> dict[str, float]:
    """Dice, distances and volume on the whole image, pixel accuracy within the crop the networks see."""
    there, spacing = found.any(), truth.grid.spacing_mm
    return {
        "dice": dice(truth.voxels, found),
        "iou": iou(truth.voxels, found),
        "hd95_mm": hd95_mm(truth.voxels, found, spacing) if there else float("nan"),
        "surface_distance_mm": surface_distance_mm(truth.voxels, found, spacing) if there else float("nan"),
        "volume_error_ml": volume_error(truth.voxels, found, spacing),
        "pixel_accuracy": pixel_accuracy(truth.voxels[box], found[box]),
        "empty_mask_pixel_accuracy": empty_mask_pixel_accuracy(truth.voxels[box]),
    }
