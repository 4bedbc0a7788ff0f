"""How far the front of seeds goes by itself: its arrival, the tolerance that suggests itself, and the leak beyond."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.growing.belief import Belief
from spinehub.growing.channels import Box
from spinehub.growing.domain import SeedVoxels
from spinehub.growing.leak import Leak, find_leak
from spinehub.growing.territory import arrival_of
from spinehub.growing.tolerance import suggest_tolerance
from spinehub.volume import Grid

__all__ = ["Reached", "reach"]


@dataclass(frozen=True, eq=False)
class Reached:
    """Where a front arrived in a box, the tolerance that suggests itself, and the leak beyond; None without one."""

    arrival: NDArray[np.float32]
    tolerance: float
    leak: Leak | None

    @property
    def region(self) -> NDArray[np.bool_]:
        """Region at the suggested tolerance."""
        return np.asarray(self.arrival <= np.float32(self.tolerance))


def reach(belief: Belief, grid: Grid, part: Box, seeds: SeedVoxels, within_slice: bool) -> Reached:
    """March the front of the seeds through the box `part` of a grid."""
    arrival = arrival_of(belief.slowness, grid, seeds, within_slice)
    suggested = suggest_tolerance(arrival, belief.probability)
    leak = find_leak(arrival, belief.evidence > 0.0, grid, part, suggested)
    if leak is not None and leak.tolerance <= suggested:  # the region came through a neck: stay before it
        before = np.where(arrival < np.float32(leak.tolerance), arrival, np.inf).astype(np.float32)
        suggested = suggest_tolerance(before, belief.probability)
    return Reached(arrival, suggested, leak)
