"""The lesion as the U-Net draws it around clicks, in place of a grown region."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing import grow
from spinehub.inputs import make_stack, mask_slices
from spinehub.perfusion import Timing, body_mask
from spinehub.routes.proposals import mask_at, prepared_maps
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Index, Mask, Seed, Volume

__all__ = ["network_mask"]


def network_mask(
    image: DynamicSeries | Volume,
    seeds: Sequence[Seed],
    model: Any = "unet-dce",
    *,
    timing: Timing | None = None,
    maps: Mapping[str, ParametricMap] | None = None,
) -> Mask:
    """Lesion as the U-Net itself draws it around seeds, in place of a grown region.

    The network sees one crop and, where it reads regions, the one that grows from the seeds. The mask is every
    component of its lesion voxels that a foreground seed marks (:func:`spinehub.routes.proposals.mask_at`), without
    voxels nearer to a background seed than to a foreground one.

    Parameters
    ----------
    image, model, timing, maps
        As for :func:`spinehub.routes.proposals.propose_lesions`.
    seeds
        At least one foreground seed.

    Raises
    ------
    InvalidArgumentError
        If there is no foreground seed, one lies outside the volume, or the U-Net sees no lesion near one.
    """
    from spinehub.routes.pool import load_model

    places = [seed.index_on(image.grid) for seed in seeds if not seed.background]
    if not places:
        raise InvalidArgumentError("seeds must hold a foreground seed: background seeds alone mark no lesion")
    segmenter = load_model("unet", model)
    timing, maps = prepared_maps(image, timing, maps)
    growth = grow(image, seeds)
    region = growth.mask(growth.suggested_tolerance)
    stack = make_stack(image, segmenter.spec, timing=timing, maps=maps, center_mm=region.centroid_mm)
    softmax = segmenter.segment(stack, mask_slices(region, stack))
    lesion = stack.to_grid(np.ascontiguousarray(1.0 - softmax[:, 0]), image.grid)
    lesion[~body_mask(image)] = 0.0
    probability = ParametricMap("lesion_probability", "", lesion, image.grid)
    inside = np.zeros(image.grid.shape, dtype=bool)
    for place in places:
        inside |= mask_at(probability, place).voxels
    held_back = [seed.index_on(image.grid) for seed in seeds if seed.background]
    if held_back:
        voxels = np.argwhere(inside)
        spacing = np.asarray(image.grid.spacing_mm)
        nearer = _nearest(voxels, held_back, spacing) < _nearest(voxels, places, spacing)
        inside[tuple(voxels[nearer].T)] = False
    return Mask(inside, image.grid)


def _nearest(voxels: NDArray[np.intp], places: list[Index], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance in mm ``(N,)`` of each voxel to the nearest of some places."""
    away = [np.linalg.norm((voxels - place) * spacing, axis=1) for place in places]
    return np.asarray(np.min(away, axis=0))
