"""Which of several clicks shapes the lesion, and what the others make of its region."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing.belief import Belief
from spinehub.growing.channels import Box
from spinehub.growing.consensus import lesion_probability
from spinehub.growing.correction import correct, depth_in
from spinehub.growing.domain import SeedVoxels, distance_from
from spinehub.growing.leak import find_leak
from spinehub.growing.reached import Reached, reach
from spinehub.growing.scene import Scene, look_around
from spinehub.growing.territory import arrival_around
from spinehub.growing.tolerance import overlap_odds
from spinehub.volume import Grid, Index

__all__ = ["shape_by_one"]

_LEAST_KEPT = 1.0 / 3.0
"""A region of which corrections keep less has flooded: what holds three times the lesion says nothing of its shape."""
_INNER_EVIDENCE, _INNER_MM = 4.0, 2.0
"""What a correction keeps is believed by this much more (a natural logarithm), in full from this depth on."""


def shape_by_one(
    channels: NDArray[np.float32],
    within: NDArray[np.bool_],
    seeds: SeedVoxels,
    grid: Grid,
    part: Box,
    reach_mm: float,
    within_slice: bool,
) -> Reached | None:
    """What several clicks reach when one of them shapes the region and the others correct it.

    Parameters
    ----------
    channels, within
        Values ``(C, i, j, k)``, and where the region may go, in one box.
    seeds
        Seeds counted from the corner of the box.
    grid, part
        Grid of the image, and the box as a part of it.
    reach_mm
        Reach of the growing.
    within_slice
        Stay in the acquired slices of the foreground seeds.

    Returns
    -------
    Reached or None
        None for a single click; for one whose region no background click lies in: those then say where larger regions
        may not go, and the votes of all know that better; and where the best region loses more than two thirds of
        itself to the corrections: it flooded, and shifts of its border cannot take that back.

    Notes
    -----
    Who corrects a region clicks where it is wrong. Of several foreground clicks, the one that the others were made for
    is therefore the one whose own region many others contradict, while little of it has to change, and whose votes
    agree on the region: those of a click that floods do not. The number of clicks, the share kept (as Dice) and the
    odds of the Dice that the votes let expect are multiplied, so no weight is set. That click shapes the lesion as if
    it were the only one; the others move the border next to them
    (:func:`spinehub.growing.correction.correct`). Statistics of all clicks together would know more, and each click
    would move borders everywhere.
    """
    if len(seeds.foreground) + len(seeds.background) == 1:
        return None
    views = [_View.of(voxel, channels, within, grid, part, reach_mm) for voxel in seeds.foreground]
    if len(views) == 1 and not any(views[0].region[voxel] for voxel in seeds.background):
        return None
    regions = {view.voxel: view.region for view in views}
    candidates = [(view, correct(view.region, seeds, grid, regions) & within) for view in views]
    shaping, corrected = max(candidates, key=lambda candidate: candidate[0].merit(candidate[1], seeds))
    kept = shaping.region & _joined(corrected, seeds)
    if np.count_nonzero(kept) < _LEAST_KEPT * np.count_nonzero(shaping.region):
        return None
    inner_mm = depth_in(corrected, grid.spacing_mm)
    sure = np.float32(_INNER_EVIDENCE) * np.minimum(inner_mm / np.float32(_INNER_MM), np.float32(1.0))
    evidence = shaping.belief.evidence + sure
    arrival, full = arrival_around(corrected, shaping.scene.slowness(evidence), grid, seeds, within_slice)
    if full == 0.0:  # the clicks have left the seeds alone
        return Reached(arrival, full, None)
    leak = find_leak(arrival, (evidence > 0.0) | corrected, grid, part, full)
    # who corrects a region has seen it: a neck inside it is meant
    return Reached(arrival, full, None if leak is None or leak.tolerance <= full else leak)


@dataclass(frozen=True, eq=False)
class _View:
    """What one click gives as if it were the only one: its scene, what is believed of it, and the region."""

    voxel: Index
    scene: Scene
    belief: Belief
    grid: Grid
    part: Box

    @classmethod
    def of(
        cls,
        voxel: Index,
        channels: NDArray[np.float32],
        within: NDArray[np.bool_],
        grid: Grid,
        part: Box,
        reach_mm: float,
    ) -> "_View":
        away = distance_from([voxel], within.shape, grid.spacing_mm)
        scene = look_around(channels, within, away, SeedVoxels((voxel,), ()), grid.spacing_mm, reach_mm)
        return cls(voxel, scene, Belief.of(scene, lesion_probability(scene, reach_mm), reach_mm), grid, part)

    @cached_property
    def region(self) -> NDArray[np.bool_]:
        """Region at the tolerance that the belief suggests."""
        return reach(self.belief, self.grid, self.part, SeedVoxels((self.voxel,), ()), within_slice=False).region

    def merit(self, corrected: NDArray[np.bool_], seeds: SeedVoxels) -> tuple[float, ...]:
        """How likely the others were made to correct this click; of equal clicks the places in mm decide."""
        score = (1 + _contradictions(self.region, seeds)) * _dice(self.region, corrected)
        score *= overlap_odds(self.region, self.belief.probability)
        # no flip of the file changes places in mm
        return (round(score, 3), *(self.grid.affine[:3, :3] @ self.voxel).round(3))


def _joined(region: NDArray[np.bool_], seeds: SeedVoxels) -> NDArray[np.bool_]:
    """What of a region hangs together with a foreground click."""
    labels, _ = ndimage.label(region)
    clicked = [label for label in (int(labels[voxel]) for voxel in seeds.foreground) if label > 0]
    return np.isin(labels, clicked)


def _contradictions(region: NDArray[np.bool_], seeds: SeedVoxels) -> int:
    missed = sum(not region[voxel] for voxel in seeds.foreground)
    return missed + sum(bool(region[voxel]) for voxel in seeds.background)


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2.0 * float(np.count_nonzero(one & other)) / float(np.count_nonzero(one) + np.count_nonzero(other))
