"""How likely each voxel belongs to the lesion, before its size is known: many sizes are tried, and vote."""

import numpy as np
from numpy.typing import NDArray

from spinehub.growing.channels import Box
from spinehub.growing.domain import SeedVoxels
from spinehub.growing.evidence import log_ratio
from spinehub.growing.front import march
from spinehub.growing.scene import Scene, context_mm

__all__ = ["lesion_probability"]

_RADII_MM = (8.0, 12.0, 18.0, 27.0, 40.0, 60.0)
_LARGEST_STEP = 0.85
"""A radius beyond this share of the reach would only repeat what the reach itself gives."""
_LEVELS_MM = np.geomspace(2.9, 60.0, 64)
"""Radii of balls of the volumes at which a front is looked at."""
_FEWEST_VOXELS = 4
_EVIDENCE_BOUND = 3.0
_SIZE_POWER = 0.2
"""0 would reward every likely voxel alike, 1 only the mean evidence; between them the border is found."""
_BORDER_WEIGHT = 0.45
_BORDER = 1.15
"""The border of a region is what it gains when its radius grows by this factor."""
_USUAL_RADIUS_MM, _RADIUS_SPREAD = 12.0, 2.0
"""A mild prior on size: one spread is a factor of e^2 in radius."""
_EXTENT_SHARE, _EXTENT_SPREAD = 0.55, 1.0
"""Several clicks in one lesion tell its size better: their extent, as a share, is a likely radius."""
_SHARPNESS = 10.0
"""A candidate whose score is a tenth higher counts e times as much."""

_CONTRADICTION = 0.2
"""Loss of score for each click that a candidate contradicts: it counts a seventh."""


def lesion_probability(scene: Scene, reach_mm: float, clicks: SeedVoxels | None = None) -> NDArray[np.float32]:
    """Share of the votes that each voxel gets.

    Parameters
    ----------
    scene
        The box around the seeds.
    reach_mm
        Largest distance from a seed in mm.
    clicks
        Seeds that a level set should hold or leave out; its score falls with each that it contradicts.

    Returns
    -------
    NDArray
        ``(i, j, k)`` float32, 0 to 1.

    Notes
    -----
    For each of several radii the statistics of a lesion of about that size are taken from around the seeds, and a
    front is marched within the radius. Each of its level sets is a candidate; its vote grows with the evidence it
    gathers for its size and with the slowness of the front at its border.
    """
    radii = [radius for radius in _RADII_MM if radius <= _LARGEST_STEP * reach_mm]
    votes = [_candidates(scene, radius) for radius in [*radii, min(reach_mm, _RADII_MM[-1])]]
    if clicks is not None:
        votes = [
            (box, arrival, tolerances, scores - _CONTRADICTION * _contradicted(box, arrival, tolerances, clicks))
            for box, arrival, tolerances, scores in votes
        ]
    best = max(float(scores.max()) for _, _, _, scores in votes)
    probability = np.zeros(scene.distance.shape, dtype=np.float64)
    total = 0.0
    for box, arrival, tolerances, scores in votes:
        weights = np.exp(_SHARPNESS * (scores - best))
        total += float(weights.sum())
        at_or_above = np.append(weights[::-1].cumsum()[::-1], 0.0)
        probability[box] += at_or_above[np.searchsorted(tolerances, arrival)]
    return (probability / total).astype(np.float32)


def _candidates(
    scene: Scene, radius_mm: float
) -> tuple[Box, NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Box, arrival, tolerances and scores of the level sets of a front within a radius of the seeds."""
    box = _bounds(scene.distance <= context_mm(radius_mm))
    part = scene.cut(box)
    evidence = log_ratio(part.palette, *part.examples(radius_mm)) + part.clicked
    slowness = np.where(part.distance <= radius_mm, part.slowness(evidence), np.inf).astype(np.float32)
    arrival = march(slowness, part.spacing_mm, part.foreground)
    tolerances, scores = _scores(arrival, evidence, slowness, scene)
    return box, arrival, tolerances, scores


def _contradicted(
    box: Box, arrival: NDArray[np.float32], tolerances: NDArray[np.float32], clicks: SeedVoxels
) -> NDArray[np.float64]:
    """Number of clicks ``(N,)`` that the level set of each tolerance contradicts."""
    inside = clicks.within(box)  # what lies beyond the box is in no level set
    count = np.full(tolerances.shape, float(len(clicks.foreground) - len(inside.foreground)))
    for voxel in inside.foreground:
        count += tolerances < arrival[voxel]
    for voxel in inside.background:
        count += tolerances >= arrival[voxel]
    return count


def _bounds(region: NDArray[np.bool_]) -> Box:
    sides = []
    for axis in range(3):
        used = np.flatnonzero(region.any(axis=tuple(other for other in range(3) if other != axis)))
        sides.append(slice(int(used[0]), int(used[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _scores(
    arrival: NDArray[np.float32], evidence: NDArray[np.float32], slowness: NDArray[np.float32], scene: Scene
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Tolerances ``(N,)`` and how well the region of each is supported."""
    reached = np.isfinite(arrival)
    times = arrival[reached]
    voxel_mm3 = float(np.prod(scene.spacing_mm))
    counts = np.unique((4.0 / 3.0 * np.pi * _LEVELS_MM**3 / voxel_mm3).astype(int))
    counts = counts[(counts >= _FEWEST_VOXELS) & (counts <= times.size)]
    tolerances = np.unique(np.sort(times)[counts - 1 if counts.size else [-1]])
    level = np.searchsorted(tolerances, times)

    def gathered(weights: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        return np.cumsum(np.bincount(level, weights, tolerances.size + 1)[: tolerances.size]).astype(np.float64)

    voxels, slow = gathered(), gathered(np.log(slowness[reached]))
    likely = gathered(np.clip(evidence[reached], -_EVIDENCE_BOUND, _EVIDENCE_BOUND)) * voxel_mm3
    volume = voxels * voxel_mm3
    radius = np.cbrt(volume * 3.0 / (4.0 * np.pi))
    gained = np.interp(_BORDER * radius, radius, voxels) - voxels
    border = (np.interp(_BORDER * radius, radius, slow) - slow) / np.maximum(gained, 1.0)
    support = np.log(np.maximum(likely / volume**_SIZE_POWER, 1e-2)) + _BORDER_WEIGHT * border
    return tolerances, support + _size_prior(radius, scene)


def _size_prior(radius: NDArray[np.float64], scene: Scene) -> NDArray[np.float64]:
    """Logarithm of how usual a radius in mm is."""
    usual, spread = _USUAL_RADIUS_MM, _RADIUS_SPREAD
    if _EXTENT_SHARE * scene.extent_mm > usual:
        usual, spread = _EXTENT_SHARE * scene.extent_mm, _EXTENT_SPREAD
    return -0.5 * np.asarray(np.log(radius / usual) / spread) ** 2
