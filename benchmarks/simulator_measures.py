"""What the benchmarks measure on simulated cases: small fields of view around a lesion, or around none."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spinehub.metrics import auc, bootstrap_interval
from spinehub.perfusion import assess_timing, compute_maps, find_hot_spot, hot_spot_parameters
from spinehub.series import Protocol
from spinehub.simulate import CaseRecipe, render, render_twin
from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.lesion_box import to_spine_frame
from spinehub.simulate.lesion_shape import lesion_centre
from spinehub.simulate.protocol import spine_affine
from spinehub.simulate.spine import SpineGeometry

_FOLDS, _RESAMPLES = 5, 1000
_BACKGROUND_MM, _BACKGROUND_SLICES = 76.0, 8


@dataclass(frozen=True, eq=False)
class Measured:
    """One case: the two parameters (NaN where not measured), and a few features of maps inside the true mask."""

    primary: bool
    early_enhancement: float
    washout: float
    features: tuple[float, ...]
    protocol: Protocol
    frame_interval_s: float


def centre_in_spine(recipe: CaseRecipe) -> NDArray[np.float64]:
    """Centre of the index lesion in the spine frame, mm."""
    geometry = SpineGeometry(recipe.anatomy)
    lesion = recipe.lesions[0]
    local = lesion_centre(lesion, geometry)[None]
    return np.asarray(to_spine_frame(local, LEVELS.index(lesion.level), geometry)[0])


def cropped(recipe: CaseRecipe, centre_mm: NDArray[np.float64], side_mm: float, slices: int) -> CaseRecipe:
    """The same examination with fewer voxels, around a point of the spine frame."""
    protocol = recipe.protocol
    count = int(np.clip(2 * round(side_mm / protocol.spacing_mm[0] / 2.0), 32, protocol.matrix[0]))
    x, y, z = (float(value) for value in centre_mm)
    matrix = (count, count, min(slices, protocol.matrix[2]))
    artefacts = replace(recipe.artefacts, wrap=0.0)
    return replace(recipe, protocol=replace(protocol, matrix=matrix, centre_mm=(x, y, z)), artefacts=artefacts)


def measure(recipe: CaseRecipe, *, features: bool = False) -> Measured | None:
    """Render around the index lesion and measure inside its true mask; None where that cannot be done."""
    diameter = recipe.lesions[0].diameter_mm
    slices = int(np.ceil(1.2 * diameter / recipe.protocol.spacing_mm[2])) + 2
    case = render(cropped(recipe, centre_in_spine(recipe), 1.4 * diameter + 12.0, slices))
    if not case.lesions:
        return None
    series, mask = case.series, case.lesions[0].mask
    timing = assess_timing(series)
    if timing.regime != "dynamic":
        return None
    found = hot_spot_parameters(find_hot_spot(series, mask, timing), timing)
    early, late = (found[name].value for name in ("early_enhancement", "washout"))
    return Measured(
        primary=recipe.diagnosis == "primary_malignant",
        early_enhancement=np.nan if early is None else early,
        washout=np.nan if late is None else late,
        features=map_features(compute_maps(series, timing), mask.voxels) if features else (),
        protocol=series.protocol,
        frame_interval_s=recipe.protocol.frame_interval_s,
    )


def map_features(maps: Any, inside: NDArray[np.bool_]) -> tuple[float, ...]:
    """Mean, spread, tails, edge against core and roughness of two maps: a small stand-in for radiomics."""
    depth = ndimage.distance_transform_edt(inside)
    core = depth >= np.median(depth[inside])
    row = []
    for name in ("peak_enhancement", "early_enhancement"):
        values = np.nan_to_num(maps[name].values.astype(np.float64)) if name in maps else np.zeros(inside.shape)
        held = values[inside]
        rough = np.abs(values - ndimage.uniform_filter(values, (3, 3, 1)))[inside].mean()
        edge = values[inside & ~core].mean() if (inside & ~core).any() else held.mean()
        row += [held.mean(), held.std(), *np.percentile(held, (10, 90)), edge - values[inside & core].mean(), rough]
    return (*map(float, row), float(np.log(inside.sum())))


def background_features(recipe: CaseRecipe) -> tuple[float, ...]:
    """Cheap statistics of the lesion-free twin around the index vertebra, wherever its lesion would be."""
    view = cropped(recipe, np.zeros(3), _BACKGROUND_MM, _BACKGROUND_SLICES)
    frames = render_twin(view).series.frames.astype(np.float64)
    first, peak = frames[..., 0], frames.max(axis=-1)
    scale = np.median(first) + 1e-6
    edges = np.abs(np.diff(first, axis=0)).mean(), np.abs(np.diff(first, axis=1)).mean()
    gain = (peak - first) / scale
    middle = tuple(slice(n // 3, n - n // 3) for n in first.shape[:2])
    numbers = [*(np.percentile(first, (5, 25, 75, 95)) / scale), *(np.array(edges) / scale), first.std() / scale]
    numbers += [gain.mean(), gain.std(), *np.percentile(gain, (25, 75, 95)), np.log(scale)]
    numbers += [first[middle].mean() / scale, first[middle].std() / scale, gain[middle].mean(), gain[middle].std()]
    return tuple(float(number) for number in numbers)


def place_in_view(recipe: CaseRecipe) -> tuple[float, ...]:
    """Where the index vertebra lies in the field of view, in mm from its middle, along the array axes."""
    to_voxel = np.linalg.inv(spine_affine(recipe.protocol))
    voxel = to_voxel[:3, 3] - (np.array(recipe.protocol.matrix) - 1.0) / 2.0
    return tuple(float(value) for value in voxel * np.array(recipe.protocol.spacing_mm))


def region_columns(recipe: CaseRecipe) -> tuple[float, ...]:
    """Region as columns, and the level's place along the spine."""
    level = recipe.anatomy.level
    return (*(float(level[0] == region) for region in "CTLS"), float(LEVELS.index(level)))


def logistic_scores(rows: list[tuple[float, ...]], truth: NDArray[np.bool_], seed: int = 0) -> NDArray[np.float64]:
    """Out-of-fold probability of a logistic regression on standardised columns."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return np.asarray(cross_val_predict(model, np.array(rows), truth, cv=folds, method="predict_proba")[:, 1])


def with_interval(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> str:
    """Area under the curve with its 95 % bootstrap interval, as a cell of a table."""
    low, high = bootstrap_interval(auc, truth, score, n=_RESAMPLES, seed=0)
    return f"{auc(truth, score):.3f} ({low:.3f} to {high:.3f})"


def accuracy_with_interval(truth: NDArray[np.bool_], decided: NDArray[np.bool_]) -> str:
    """Share of right decisions with its 95 % bootstrap interval, as a cell of a table."""
    right = (truth == decided).astype(float)
    low, high = bootstrap_interval(lambda values: float(np.mean(values)), right, n=_RESAMPLES, seed=0)
    return f"{right.mean():.3f} ({low:.3f} to {high:.3f})"
