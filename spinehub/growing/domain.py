"""Where the front may go: seed voxels, the box around them, and the reach."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing.channels import Box
from spinehub.volume import Grid, Index, Position, Seed

__all__ = ["SeedVoxels", "box_around", "distance_from", "seed_voxels"]


@dataclass(frozen=True)
class SeedVoxels:
    """Voxels of the seeds, without repeats and in ascending order, so that the order of clicks cannot matter."""

    foreground: tuple[Index, ...]
    background: tuple[Index, ...]

    def within(self, box: Box) -> "SeedVoxels":
        """Return the same voxels counted from the corner of a box; background seeds outside it are dropped."""
        return SeedVoxels(_moved(self.foreground, box), _moved(self.background, box))


def _moved(voxels: tuple[Index, ...], box: Box) -> tuple[Index, ...]:
    inside = [v for v in voxels if all(part.start <= n < part.stop for n, part in zip(v, box, strict=True))]
    return tuple((i - box[0].start, j - box[1].start, k - box[2].start) for i, j, k in inside)


def seed_voxels(seeds: Sequence[Seed], grid: Grid) -> SeedVoxels:
    """Voxels that seeds fall into.

    Raises
    ------
    InvalidArgumentError
        If a seed lies outside the volume, none is in the foreground, or one voxel is both.
    """
    foreground = {seed.index_on(grid) for seed in seeds if not seed.background}
    background = {seed.index_on(grid) for seed in seeds if seed.background}
    if not foreground:
        raise InvalidArgumentError(
            f"seeds must hold at least one foreground seed, got {len(seeds)} seeds of which {len(background)} "
            "are background; click inside the lesion first"
        )
    if both := foreground & background:
        raise InvalidArgumentError(
            f"seeds must not mark one voxel as foreground and background, got both at {min(both)}; remove one of them"
        )
    return SeedVoxels(tuple(sorted(foreground)), tuple(sorted(background)))


def box_around(voxels: Sequence[Index], grid: Grid, reach_mm: float) -> Box:
    """Smallest box that holds all voxels of `grid` within `reach_mm` of the given ones."""
    margin = np.floor(reach_mm / np.asarray(grid.spacing_mm)).astype(int)
    low = np.maximum(np.min(voxels, axis=0) - margin, 0)
    high = np.minimum(np.max(voxels, axis=0) + margin + 1, grid.shape)
    i, j, k = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return i, j, k


def distance_from(voxels: Sequence[Index], shape: Index, spacing_mm: Position) -> NDArray[np.float32]:
    """Straight distance of each voxel of a box from the nearest of the given voxels in mm, ``(i, j, k)`` float32."""
    nearest = np.full(shape, np.inf, dtype=np.float32)
    for voxel in voxels:
        squares = [((np.arange(size) - n) * step) ** 2 for size, n, step in zip(shape, voxel, spacing_mm, strict=True)]
        i, j, k = np.ix_(*squares)
        np.minimum(nearest, (i + j + k).astype(np.float32), out=nearest)
    return np.sqrt(nearest)
