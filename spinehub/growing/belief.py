"""What is believed of each voxel before the last march: from one click, and where further clicks correct it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.growing.consensus import lesion_probability
from spinehub.growing.domain import SeedVoxels, distance_from
from spinehub.growing.evidence import log_ratio
from spinehub.growing.scene import Scene, context_mm, look_around
from spinehub.growing.territory import arrival_of
from spinehub.growing.tolerance import suggest_tolerance
from spinehub.volume import Grid, Index

__all__ = ["Belief", "believe"]

_CORRECTED = 2.0
"""A correction weighs 1/e at this many times the depth of the click in the region that it corrects."""


@dataclass(frozen=True, eq=False)
class Belief:
    """Fields ``(i, j, k)`` float32 in a box around the seeds.

    Parameters
    ----------
    probability
        How likely each voxel belongs to the lesion, 0 to 1.
    evidence
        Evidence for the lesion, as a natural logarithm.
    slowness
        Slowness of the front, at least 1; ``+inf`` where it may not go.
    """

    probability: NDArray[np.float32]
    evidence: NDArray[np.float32]
    slowness: NDArray[np.float32]

    @classmethod
    def of(cls, scene: Scene, probability: NDArray[np.float32], reach_mm: float) -> "Belief":
        """Belief from the probability that all sizes agree on."""
        outside = (1.0 - probability) * (scene.known & (scene.distance <= context_mm(reach_mm)))
        evidence = log_ratio(scene.palette, probability, outside) + scene.clicked
        return cls(probability, evidence, scene.slowness(evidence))

    def region(self, grid: Grid, seeds: SeedVoxels, within_slice: bool) -> NDArray[np.bool_]:
        """Region at the tolerance that it suggests."""
        arrival = arrival_of(self.slowness, grid, seeds, within_slice)
        return np.asarray(arrival <= np.float32(suggest_tolerance(arrival, self.probability)))

    def blended(self, other: "Belief", share: NDArray[np.float32]) -> "Belief":
        """Belief that is the other one by a share, ``(i, j, k)`` float32 from 0 to 1."""
        rest = 1.0 - share
        slowness = np.full_like(self.slowness, np.inf)
        open_ = np.isfinite(self.slowness) & np.isfinite(other.slowness)
        slowness[open_] = self.slowness[open_] ** rest[open_] * other.slowness[open_] ** share[open_]
        return Belief(
            rest * self.probability + share * other.probability,
            rest * self.evidence + share * other.evidence,
            slowness,
        )


def believe(
    channels: NDArray[np.float32],
    within: NDArray[np.bool_],
    distance: NDArray[np.float32],
    seeds: SeedVoxels,
    grid: Grid,
    reach_mm: float,
    within_slice: bool,
) -> Belief:
    """Belief about the channels ``(C, i, j, k)`` around seeds.

    Parameters
    ----------
    channels, within, distance
        Values, where the region may go, and the distance from the nearest foreground seed in mm, all in one box.
    seeds
        Seeds counted from the corner of the box.
    grid
        Grid of the image, for its spacing and slice axis.
    reach_mm
        Reach of the growing.
    within_slice
        Stay in the acquired slices of the foreground seeds.

    Notes
    -----
    With corrections there are two views. In one, all clicks make the statistics; it knows most, and each click moves
    borders everywhere. The other grows from one click alone, the one that lies deepest in the region of the first
    view, and lets level sets that contradict other clicks count less. Where a click contradicts the region of the
    second view, the first one holds, by a share that falls with the distance from the click, and the faster the
    nearer the click lies to the border of that region: a small correction stays small.
    """
    scene = look_around(channels, within, distance, seeds, grid.spacing_mm, reach_mm)
    joint = Belief.of(scene, lesion_probability(scene, reach_mm), reach_mm)
    if not scene.corrected:
        return joint
    first = _deepest(joint.region(grid, seeds, within_slice), seeds.foreground, grid)
    lone = SeedVoxels((first,), ())
    away = distance_from([first], within.shape, grid.spacing_mm)
    scene = look_around(channels, within, away, lone, grid.spacing_mm, reach_mm)
    base = Belief.of(scene, lesion_probability(scene, reach_mm, seeds), reach_mm)
    return base.blended(joint, _corrected(base.region(grid, lone, within_slice), seeds, grid))


def _corrected(region: NDArray[np.bool_], seeds: SeedVoxels, grid: Grid) -> NDArray[np.float32]:
    """Share of the correction in each voxel: 1 at clicks that contradict a region, falling with the distance."""
    share = np.zeros(region.shape, dtype=np.float32)
    for voxels, foreground in ((seeds.foreground, True), (seeds.background, False)):
        for voxel in voxels:
            if region[voxel] != foreground:
                away = distance_from([voxel], region.shape, grid.spacing_mm)
                width = np.float32(_CORRECTED * _least(away[region == foreground]))
                np.maximum(share, np.exp(-((away / width) ** 2)), out=share)
    return share


def _deepest(region: NDArray[np.bool_], voxels: tuple[Index, ...], grid: Grid) -> Index:
    """Voxel farthest from the border of a region; of several, the one nearest to the centre of the region."""
    spacing = np.asarray(grid.spacing_mm)
    centre = np.argwhere(region).mean(axis=0)

    def rank(voxel: Index) -> tuple[float, float]:
        depth = _least(distance_from([voxel], region.shape, grid.spacing_mm)[~region])
        return depth, -float(np.linalg.norm((voxel - centre) * spacing))

    return max(voxels, key=rank)


def _least(distances: NDArray[np.float32]) -> float:
    return float(distances.min(initial=np.inf))
