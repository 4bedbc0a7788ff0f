"""Where the U-Net sees lesion when nobody has clicked: over the whole volume, and as a few proposals to look at.

The U-Net learned from simulated cases, on crops that always held a lesion. So every proposal is a place to look at,
never a finding. How many lesions are hit, and how many false proposals a case has, is measured by
``benchmarks/proposals.py``; its figures stand in ``benchmarks/proposals.md``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec, make_stack
from spinehub.perfusion import Timing, assess_timing, body_mask, compute_maps
from spinehub.report import deepest_voxel
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Index, Mask, Position, Seed, Volume

__all__ = [
    "Proposal",
    "lesion_components",
    "lesion_probability",
    "mask_at",
    "prepared_maps",
    "propose_lesions",
    "search_centers",
]

PROBABILITY_FLOOR = 0.5
"""Voxels the U-Net calls lesion: where metastasis and primary together are at least this probable."""
SURE = 0.9
SMALLEST_ML = 0.3
"""A component is proposed where so many ml of it, a ball of 8 mm, are lesion with at least the probability `SURE`."""
MOST_CROPS = 200
"""Crops a search may take; each costs about as much as one answer of the U-Net."""
_OVERLAP_MM = 64.0
"""How far neighbouring crops overlap in the slice, so that a lesion at the edge of one lies inside another."""
_EDGE_MM = 32.0
"""Over this distance from its edge a crop counts less: there the network sees half of a neighbourhood."""
_LEAST_WEIGHT = 0.05

_Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Proposal:
    """One connected component of what the U-Net calls lesion.

    Parameters
    ----------
    mask
        Its voxels.
    seed
        Its deepest point: where a reader would click.
    volume_ml
        In ml.
    probability
        Mean probability of lesion over its voxels, 0.5 to 1: not calibrated, and no probability of being right.
    """

    mask: Mask
    seed: Seed
    volume_ml: float
    probability: float


def propose_lesions(
    image: DynamicSeries | Volume,
    model: Any = "unet-dce",
    *,
    count: int = 5,
    timing: Timing | None = None,
    maps: Mapping[str, ParametricMap] | None = None,
    progress: _Progress | None = None,
) -> tuple[Proposal, ...]:
    """Run the U-Net over the whole volume and return what it calls lesion, the largest and surest first.

    Parameters
    ----------
    image
        Series or volume.
    model
        A :class:`spinehub.models.LesionSegmenter`, or the name, folder or Hub id of one.
    count
        At most so many proposals.
    timing, maps
        Of the image; None: computed here.
    progress
        As for :func:`lesion_probability`.

    Returns
    -------
    tuple of Proposal
        Empty where the U-Net sees no lesion.

    Raises
    ------
    InvalidArgumentError
        If the volume would take more than :data:`MOST_CROPS` crops.
    """
    probability = lesion_probability(image, model, timing=timing, maps=maps, progress=progress)
    return lesion_components(probability, count=count)


def lesion_probability(
    image: DynamicSeries | Volume,
    model: Any = "unet-dce",
    *,
    timing: Timing | None = None,
    maps: Mapping[str, ParametricMap] | None = None,
    progress: _Progress | None = None,
) -> ParametricMap:
    """Probability of lesion, of either class, in every voxel of the body.

    The crop of the network is moved over the body; where crops overlap their probabilities are averaged, and a crop
    counts less towards its edge. One crop is in memory at a time.

    Parameters
    ----------
    image, model, timing, maps
        As for :func:`propose_lesions`.
    progress
        Called before each crop with the share done (0 to 1) and what is being done; what it raises ends the search.

    Returns
    -------
    ParametricMap
        ``"lesion_probability"``, ``(I, J, K)`` float32 between 0 and 1; NaN outside the body.
    """
    from spinehub.routes.pool import load_model

    tell = progress or (lambda _share, _text: None)
    tell(0.0, "loading the U-Net")
    segmenter = load_model("unet", model)
    timing, maps = prepared_maps(image, timing, maps)
    body = body_mask(image)
    centers = search_centers(image.grid, segmenter.spec, body)
    total = np.zeros(image.grid.shape, np.float32)
    weight = np.zeros(image.grid.shape, np.float32)
    for number, center_mm in enumerate(centers):
        tell(number / len(centers), f"U-Net: crop {number + 1} of {len(centers)}")
        stack = make_stack(image, segmenter.spec, timing=timing, maps=maps, center_mm=center_mm)
        lesion = 1.0 - segmenter.segment(stack)[:, 0]
        window = np.broadcast_to(_window(segmenter.spec), lesion.shape)
        total += stack.to_grid(np.ascontiguousarray(lesion * window), image.grid)
        weight += stack.to_grid(np.ascontiguousarray(window), image.grid)
    tell(1.0, "proposals")
    probability = np.full(image.grid.shape, np.nan, np.float32)
    np.divide(total, weight, out=probability, where=body & (weight > 0.0))
    return ParametricMap("lesion_probability", "", np.clip(probability, 0.0, 1.0), image.grid)


def search_centers(grid: Grid, spec: PreprocessingSpec, body: NDArray[np.bool_]) -> tuple[Position, ...]:
    """Centres of crops that together cover every voxel of the body.

    Parameters
    ----------
    grid
        Of the image.
    spec
        Size of a crop.
    body
        ``(I, J, K)`` bool.

    Raises
    ------
    InvalidArgumentError
        If it would take more than :data:`MOST_CROPS` crops.
    """
    held = [np.flatnonzero(body.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    if not all(inside.size for inside in held):
        return ()
    crop_mm = spec.size * spec.spacing_mm
    places = []
    for axis, inside in enumerate(held):
        across = grid.patient_axes[axis] == 0
        width = spec.depth_mm if across else crop_mm
        overlap = max(2.0 * spec.slice_spacing_mm, 2.0 * grid.spacing_mm[axis]) if across else _OVERLAP_MM
        places.append(_spread(int(inside[0]), int(inside[-1]), grid.spacing_mm[axis], width, min(overlap, width / 2)))
    crops = int(np.prod([len(along) for along in places]))
    if crops > MOST_CROPS:
        raise InvalidArgumentError(
            f"image must be covered by at most {MOST_CROPS} crops of {crop_mm:.0f} mm to be searched, got {crops}; "
            "cut out the spine, or click the lesion yourself"
        )
    return tuple(grid.position_of((i, j, k)) for k in places[2] for j in places[1] for i in places[0])


def _spread(first: int, last: int, spacing_mm: float, width_mm: float, overlap_mm: float) -> list[float]:
    """Voxel indices at which crops along one axis are centred, evenly spread from end to end."""
    extent_mm = (last - first + 1) * spacing_mm
    if extent_mm <= width_mm:
        return [(first + last) / 2]
    count = 1 + int(np.ceil((extent_mm - width_mm) / (width_mm - overlap_mm)))
    margin = (width_mm / spacing_mm - 1) / 2
    return [float(place) for place in np.linspace(first + margin, last - margin, count)]


def _window(spec: PreprocessingSpec) -> NDArray[np.float32]:
    """``(H, W)`` weight of each pixel of a crop: 1 in the middle, falling towards the edge."""
    from_edge = (np.minimum(np.arange(spec.size), np.arange(spec.size)[::-1]) + 0.5) * spec.spacing_mm
    side = np.clip(from_edge / _EDGE_MM, _LEAST_WEIGHT, 1.0).astype(np.float32)
    return np.minimum(side[:, None], side[None, :])


def lesion_components(
    probability: ParametricMap, *, count: int = 5, floor: float = PROBABILITY_FLOOR, sure: float = SURE
) -> tuple[Proposal, ...]:
    """Return the connected components of a probability map, those with most probability in them first.

    A component may reach down to `floor`, but it needs :data:`SMALLEST_ML` at or above `sure`: the U-Net is half sure
    of much.

    Parameters
    ----------
    probability
        Of lesion; NaN counts as 0.
    count
        At most so many.
    floor, sure
        Voxels at or above `floor` belong to a component; voxels touch by their faces.

    Raises
    ------
    InvalidArgumentError
        If `count` is below 1, or `floor` and `sure` are not rising and in (0, 1].
    """
    if count < 1 or not 0.0 < floor <= sure <= 1.0:
        raise InvalidArgumentError(
            f"count must be at least 1 and 0 < floor <= sure <= 1, got count {count}, floor {floor} and sure {sure}"
        )
    grid = probability.grid
    values = np.nan_to_num(probability.values, nan=0.0)
    labels, found = ndimage.label(values >= floor)
    numbers = np.arange(1, found + 1)
    sums = np.asarray(ndimage.sum_labels(values, labels, numbers))
    sizes = np.asarray(ndimage.sum_labels(values >= floor, labels, numbers))
    certain = np.asarray(ndimage.sum_labels(values >= sure, labels, numbers))
    large = np.flatnonzero(certain * grid.voxel_volume_ml >= SMALLEST_ML)
    ranked = large[np.argsort(-sums[large], kind="stable")][:count]
    proposals = []
    for place in ranked:
        mask = Mask(labels == place + 1, grid)
        seed = Seed.at_index(deepest_voxel(mask), grid)
        proposals.append(Proposal(mask, seed, mask.volume_ml, float(sums[place] / sizes[place])))
    return tuple(proposals)


def mask_at(
    probability: ParametricMap, index: Index, *, floor: float = PROBABILITY_FLOOR, within_mm: float = 10.0
) -> Mask:
    """Component of a probability map at a voxel, or the one nearest to it.

    Parameters
    ----------
    probability, floor
        As for :func:`lesion_components`.
    index
        The voxel, on the grid of the map.
    within_mm
        How far the nearest component may be from the voxel.

    Raises
    ------
    InvalidArgumentError
        If no component is as near as that.
    """
    labels, _ = ndimage.label(np.nan_to_num(probability.values, nan=0.0) >= floor)
    grid = probability.grid
    if labels[index] == 0:
        places = np.argwhere(labels > 0)
        away = np.linalg.norm((places - index) * np.asarray(grid.spacing_mm), axis=1)
        if away.size == 0 or away.min() > within_mm:
            raise InvalidArgumentError(
                f"the U-Net sees no lesion within {within_mm:.0f} mm of the seed {tuple(index)}; "
                "click elsewhere, or let the region grow"
            )
        i, j, k = places[int(np.argmin(away))]
        index = (int(i), int(j), int(k))
    return Mask(labels == labels[index], grid)


def prepared_maps(
    image: DynamicSeries | Volume, timing: Timing | None, maps: Mapping[str, ParametricMap] | None
) -> tuple[Timing, Mapping[str, ParametricMap]]:
    """Timing and maps, worked out where they were not given."""
    timing = assess_timing(image) if timing is None else timing
    if maps is None:
        maps = compute_maps(image, timing) if isinstance(image, DynamicSeries) else {}
    return timing, maps
