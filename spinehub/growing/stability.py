"""How much a region depends on where exactly one clicked, and on the tolerance."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.errors import InvalidArgumentError
from spinehub.growing.channels import GrowableImage, grid_of
from spinehub.growing.grow import grow
from spinehub.growing.growth import Growth
from spinehub.growing.limits import Limits
from spinehub.series import ParametricMap
from spinehub.volume import Grid, Index, Mask, Seed

__all__ = ["Stability", "stability"]

_TOLERANCE_FACTORS = (0.85, 1.0, 1.15)
_INTERVAL_PERCENT = (5.0, 95.0)
_FIRST_DRAW = 20
"""Start of the random numbers: the same seeds always jitter to the same places."""


@dataclass(frozen=True, eq=False)
class Stability:
    """Agreement of one growing repeated from jittered seeds and with tolerances around the chosen one.

    Parameters
    ----------
    agreement
        Map ``"agreement"``, ``(I, J, K)``, 0 to 1: share of the repetitions whose region holds the voxel.
    mean_dice
        Mean Dice over all pairs of repetitions; 1 where every one gives the same region.
    volume_ml
        Volume of the region as clicked, in ml.
    volume_interval_ml
        5th and 95th percentile of the volumes of the repetitions in ml.
    repetitions
        Number of regions compared, the one as clicked among them.
    jitter_mm
        Largest distance by which a seed was moved.
    automatic
        Whether each repetition took the tolerance that it suggests itself.
    """

    agreement: ParametricMap
    mean_dice: float
    volume_ml: float
    volume_interval_ml: tuple[float, float]
    repetitions: int
    jitter_mm: float
    automatic: bool = False

    def mask(self, share: float = 0.5) -> Mask:
        """Voxels that at least this share of the repetitions hold.

        Raises
        ------
        InvalidArgumentError
            If the share is not above 0 and at most 1.
        """
        if not 0.0 < share <= 1.0:
            raise InvalidArgumentError(f"share must be above 0 and at most 1, got {share}")
        return Mask(self.agreement.values >= np.float32(share), self.agreement.grid)


def stability(
    image: GrowableImage,
    seeds: Sequence[Seed],
    *,
    tolerance: float | Literal["auto"] = "auto",
    reach_mm: float = 60.0,
    within_slice: bool = False,
    limits: Limits | None = None,
    jitter_mm: float = 4.0,
    draws: int = 6,
    growth: Growth | None = None,
) -> Stability:
    """Grow again from jittered seeds, each time with three tolerances, and compare the regions.

    Parameters
    ----------
    image, seeds, reach_mm, within_slice
        As in :func:`spinehub.growing.grow`.
    tolerance
        Tolerance of the region, in mm of arrival; each repetition takes 0.85, 1 and 1.15 times of it. ``"auto"``: of
        the tolerance it suggests itself, so that the automatic choice is part of what is tried.
    limits
        Limits of the growing.
    jitter_mm
        Foreground seeds move to voxels of the region at most this far away, background seeds to voxels outside it.
    draws
        Number of jittered growings, at least 1.
    growth
        The growing from the seeds as clicked, where it is at hand; it spares one growing.

    Returns
    -------
    Stability
        Always the same for the same arguments.

    Raises
    ------
    InvalidArgumentError
        As :func:`spinehub.growing.grow`, and if `jitter_mm` is not a finite number above 0 or `draws` is below 1.
    """
    if not (np.isfinite(jitter_mm) and jitter_mm > 0) or draws < 1:
        raise InvalidArgumentError(
            f"jitter_mm must be a finite number above 0 and draws at least 1, got {jitter_mm} and {draws}"
        )
    limits = limits or Limits()

    def again(moved: Sequence[Seed]) -> Growth:
        return grow(
            image,
            moved,
            reach_mm=reach_mm,
            within_slice=within_slice,
            intensity_range=limits.intensity_range,
            box=limits.box,
            keep_out=limits.keep_out,
        )

    base = again(seeds) if growth is None else growth
    clicked = base.mask(base.suggested_tolerance if tolerance == "auto" else tolerance)
    grid = grid_of(image)
    # Where nothing tells the lesion from its surroundings, a seed elsewhere finds nothing either.
    jittered = [] if base.warning else _jittered(base, clicked, jitter_mm, draws)
    # Each growing is compiled code and array work that releases the interpreter lock, so threads run side by side.
    with ThreadPoolExecutor(max_workers=min(draws, os.cpu_count() or 1)) as pool:
        others = list(pool.map(again, jittered))
    regions = [clicked.voxels]
    for one in [base, *others]:
        chosen = one.suggested_tolerance if tolerance == "auto" else tolerance
        regions += [
            one.mask(factor * chosen).voxels for factor in _TOLERANCE_FACTORS if one is not base or factor != 1.0
        ]
    return replace(_compared(regions, grid, jitter_mm), automatic=tolerance == "auto")


def _jittered(growth: Growth, region: Mask, jitter_mm: float, draws: int) -> list[list[Seed]]:
    """Seeds moved at random, each foreground seed within the region and each background seed outside it."""
    random = np.random.default_rng(_FIRST_DRAW)
    grid = region.grid
    allowed = np.ones(grid.shape, dtype=bool) if growth.domain is None else growth.domain.voxels
    choices = []
    for seed in growth.seeds:
        index = seed.index_on(grid)
        side = ~region.voxels & allowed if seed.background else region.voxels & allowed
        choices.append((seed, _near(index, side, grid, jitter_mm)))
    moved = []
    for _ in range(draws):
        places = [(seed, near[int(random.integers(len(near)))]) for seed, near in choices]
        moved.append([Seed.at_index(place, grid, background=seed.background) for seed, place in places])
    return moved


def _near(index: Index, side: NDArray[np.bool_], grid: Grid, jitter_mm: float) -> list[Index]:
    """Voxels on a side within a distance of a voxel, itself always among them."""
    margin = [int(jitter_mm / step) for step in grid.spacing_mm]
    box = tuple(slice(max(n - m, 0), n + m + 1) for n, m in zip(index, margin, strict=True))
    voxels = np.argwhere(side[box]) + np.array([part.start for part in box])
    away = np.linalg.norm((voxels - np.asarray(index)) * np.asarray(grid.spacing_mm), axis=1)
    near = [(int(i), int(j), int(k)) for i, j, k in voxels[away <= jitter_mm]]
    return near if index in near else [index, *near]


def _compared(regions: list[NDArray[np.bool_]], grid: Grid, jitter_mm: float) -> Stability:
    touched = np.logical_or.reduce(regions)
    (box,) = ndimage.find_objects(touched.view(np.uint8))
    rows = np.stack([region[box].ravel() for region in regions]).astype(np.float32)
    common = (rows @ rows.T).astype(np.float64)
    sizes = np.diag(common)
    dice = 2.0 * common / (sizes[:, None] + sizes[None, :])
    agreement = np.zeros(grid.shape, dtype=np.float32)
    agreement[box] = rows.mean(axis=0).reshape(touched[box].shape)
    volumes_ml = sizes * grid.voxel_volume_ml
    low, high = np.percentile(volumes_ml, _INTERVAL_PERCENT)
    return Stability(
        agreement=ParametricMap("agreement", "", agreement, grid),
        mean_dice=float(dice[np.triu_indices(len(regions), 1)].mean()),
        volume_ml=float(volumes_ml[0]),
        volume_interval_ml=(float(low), float(high)),
        repetitions=len(regions),
        jitter_mm=float(jitter_mm),
    )
