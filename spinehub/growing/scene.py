"""What is known about the box around the seeds before anything has grown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.growing.channels import Box
from spinehub.growing.domain import SeedVoxels, distance_from
from spinehub.growing.edges import edge_strength
from spinehub.growing.evidence import Palette, principal_channels, slowness_of
from spinehub.growing.front import march
from spinehub.volume import Index, Position

__all__ = ["Scene", "context_mm", "look_around", "seen_mm"]

_AROUND_MM = 40.0
"""Intensities within this distance set the range of the histogram bins."""
_SEED_BALL = 0.35
_SMALLEST_BALL_MM, _LARGEST_BALL_MM = 2.5, 8.0
"""Voxels this near a seed are examples of the lesion: a share of the radius tried, within limits."""
_CONTEXT, _LEAST_CONTEXT_MM = 1.8, 8.0
_HELD_SHARE = 0.02
"""Voxels near background seeds are this share of the examples of the surroundings: many look like the lesion, which is
why the region leaked there; where they lie says more than what they look like."""
_CLICK_WEIGHT, _FOREGROUND_MM, _BACKGROUND_MM = 1.5, 4.0, 5.0
"""Evidence at a click, as a logarithm, and the way in mm over which it falls by a factor of e."""
_CLICK_EDGES = 0.3
_CLICK_REACH_MM = 20.0
_EASY_MM = 2.5
"""Within about this distance of a click nothing slows its front: the place was stated."""


def context_mm(radius_mm: float) -> float:
    """Distance up to which voxels are examples of the surroundings of a lesion that lies within a radius."""
    return max(_CONTEXT * radius_mm, radius_mm + _LEAST_CONTEXT_MM)


def seen_mm(reach_mm: float) -> float:
    """Distance up to which intensities are looked at: beyond a short reach, so that the surroundings are known."""
    return min(_AROUND_MM, context_mm(reach_mm))


@dataclass(frozen=True, eq=False)
class Scene:
    """Fields ``(i, j, k)`` in a box around the seeds, and the foreground voxels counted from its corner.

    Parameters
    ----------
    palette, edges
        Binned intensities and edge strength.
    distance, held
        Straight distance from the nearest foreground and background seed in mm; ``+inf`` without one.
    clicked
        Evidence of the clicks themselves, falling with the way from them; 0 for a single click.
    within, known
        Where the region may go, and where there are values.
    foreground
        Foreground voxels.
    spacing_mm
        Voxel spacing in mm.
    """

    palette: Palette
    edges: NDArray[np.float32]
    distance: NDArray[np.float32]
    held: NDArray[np.float32]
    clicked: NDArray[np.float32]
    within: NDArray[np.bool_]
    known: NDArray[np.bool_]
    foreground: tuple[Index, ...]
    spacing_mm: Position

    @property
    def corrected(self) -> bool:
        """Whether there is more than one click."""
        return len(self.foreground) > 1 or bool(np.isfinite(self.held).any())

    @property
    def extent_mm(self) -> float:
        """Largest distance between two foreground seeds."""
        places = np.asarray(self.foreground) * np.asarray(self.spacing_mm)
        return float(np.linalg.norm(places[:, None] - places[None], axis=-1).max())

    def examples(self, radius_mm: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights of voxels as examples of a lesion that lies within a radius of its seeds, and of its surroundings."""
        ball = float(np.clip(_SEED_BALL * radius_mm, _SMALLEST_BALL_MM, _LARGEST_BALL_MM))
        inside = np.clip(ball + 1.0 - self.distance, 0.0, 1.0) * self.known
        far = self.known & (self.distance <= context_mm(radius_mm))
        outside = np.clip(self.distance / radius_mm, 0.0, 1.0) ** 3 * far
        nearer = self.held < self.distance
        if nearer.any():
            held = np.clip(ball + 1.0 - self.held, 0.0, 1.0) * self.known * nearer
            inside = inside * ~nearer
            outside = outside + held * _HELD_SHARE * float(outside.sum() / max(held.sum(), 1.0))
        return inside.astype(np.float32), outside.astype(np.float32)

    def slowness(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Slowness of the front, at least 1; ``+inf`` where it may not go."""
        hindrance = slowness_of(evidence) - 1.0 + self.edges
        if self.corrected:
            hindrance *= 1.0 - np.exp(-((np.minimum(self.distance, self.held) / _EASY_MM) ** 2))
        return np.where(self.within, 1.0 + hindrance, np.inf).astype(np.float32)

    def cut(self, box: Box) -> "Scene":
        """Return the part inside a box that holds all foreground voxels."""
        corner = [side.start for side in box]
        return Scene(
            palette=Palette(self.palette.bins[box], self.palette.shape),
            edges=self.edges[box],
            distance=self.distance[box],
            held=self.held[box],
            clicked=self.clicked[box],
            within=self.within[box],
            known=self.known[box],
            foreground=tuple((i - corner[0], j - corner[1], k - corner[2]) for i, j, k in self.foreground),
            spacing_mm=self.spacing_mm,
        )


def look_around(
    channels: NDArray[np.float32],
    within: NDArray[np.bool_],
    distance: NDArray[np.float32],
    seeds: SeedVoxels,
    spacing_mm: Position,
    reach_mm: float,
) -> Scene:
    """Scene of the channels ``(C, i, j, k)`` around seeds, all in one box.

    Parameters
    ----------
    channels, within, distance
        Values, where the region may go, and the distance from the nearest foreground seed in mm.
    seeds
        Seeds counted from the corner of the box.
    spacing_mm
        Voxel spacing in mm.
    reach_mm
        Reach of the growing.
    """
    known = np.asarray(np.isfinite(channels).all(axis=0))
    around = known & (distance <= seen_mm(reach_mm))
    edges = edge_strength(channels, known, seeds.foreground, spacing_mm)
    return Scene(
        palette=Palette.of(principal_channels(channels, around), around, spacing_mm),
        edges=edges,
        distance=distance,
        held=distance_from(seeds.background, distance.shape, spacing_mm),
        clicked=_clicked(np.where(known, 1.0 + _CLICK_EDGES * edges, np.inf).astype(np.float32), seeds, spacing_mm),
        within=within,
        known=known,
        foreground=seeds.foreground,
        spacing_mm=spacing_mm,
    )


def _clicked(slowness: NDArray[np.float32], seeds: SeedVoxels, spacing_mm: Position) -> NDArray[np.float32]:
    """Evidence of the clicks: for the lesion around foreground seeds, against it around background seeds."""
    evidence = np.zeros(slowness.shape, dtype=np.float32)
    if len(seeds.foreground) + len(seeds.background) == 1:
        return evidence
    for voxels, way_mm, sign in ((seeds.foreground, _FOREGROUND_MM, 1.0), (seeds.background, _BACKGROUND_MM, -1.0)):
        if voxels:
            way = march(slowness, spacing_mm, voxels, until=_CLICK_REACH_MM)
            evidence += np.float32(sign * _CLICK_WEIGHT) * np.exp(-way / np.float32(way_mm))
    return evidence
