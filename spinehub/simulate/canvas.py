"""Painting tissue into voxels, front to back, with soft edges for partial volume."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Canvas", "rounded", "smooth_field", "soft"]

_Array = NDArray[np.float32]
_FEW = 0.7
"""Below this share of points that a tissue covers, it pays to pick them out."""


def soft(distance_mm: NDArray[Any], width_mm: float) -> _Array:
    """Share of a voxel inside a surface from its signed distance (negative inside): a ramp of one voxel's width."""
    share = np.clip(np.float32(0.5) - distance_mm * np.float32(1.0 / width_mm), 0.0, 1.0)
    return share.astype(np.float32, copy=False)


def rounded(first: _Array, second: _Array, radius_mm: float) -> _Array:
    """Signed distance of an intersection whose edge is rounded by a radius."""
    radius = np.float32(radius_mm)
    a, b = first + radius, second + radius
    outside = np.sqrt(np.maximum(a, 0.0) ** 2 + np.maximum(b, 0.0) ** 2)
    return outside + np.minimum(np.maximum(a, b), 0.0) - radius


def smooth_field(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    length_mm: tuple[float, float, float],
) -> _Array:
    """Smooth random field of mean 0 and standard deviation about 1.

    Normal numbers on a grid of nodes `length_mm` apart, joined by cubic B-splines.

    Returns
    -------
    ndarray
        `shape` float32.
    """
    bases = [_spline_basis(n, mm / long) for n, mm, long in zip(shape, spacing_mm, length_mm, strict=True)]
    nodes = rng.standard_normal(tuple(basis.shape[1] for basis in bases), dtype=np.float32)
    field = np.tensordot(bases[0], nodes, axes=(1, 0))
    field = np.einsum("ibc,jb->ijc", field, bases[1], optimize=True)
    return np.ascontiguousarray(np.tensordot(field, bases[2], axes=(2, 1)), dtype=np.float32)


def _spline_basis(count: int, step: float) -> _Array:
    """``(count, nodes)`` weights of a uniform cubic B-spline, scaled so that unit noise keeps unit variance."""
    place = np.arange(count) * step
    cell = np.floor(place).astype(int)
    t = place - cell
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6.0
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    basis = np.zeros((count, int(cell[-1]) + 4), dtype=np.float32)
    for offset in range(4):
        basis[np.arange(count), cell + offset] = weights[:, offset]
    return basis


class Canvas:
    """One slice's sub-slices while tissues are painted on it, the frontmost first.

    Parameters
    ----------
    count
        Number of points.

    Attributes
    ----------
    free
        ``(N,)`` share of each point not yet covered.
    layers
        Tissue name to ``(N,)`` share.
    """

    def __init__(self, count: int) -> None:
        self.free = np.ones(count, dtype=np.float32)
        self.layers: dict[str, _Array] = {}

    def paint(
        self,
        share: NDArray[Any],
        mixture: Mapping[str, NDArray[Any] | float],
        where: NDArray[np.intp] | slice = slice(None),
    ) -> None:
        """Cover `share` ``(M,)`` of the points `where` with a mixture of tissues (parts of 1; none for air)."""
        free = self.free[where]
        covered = share * free
        hit = np.flatnonzero(covered > 0)
        if not hit.size:
            return
        parts = dict(mixture)
        if hit.size < _FEW * covered.size:
            # Most points are missed: go on with the others alone.
            where = hit if isinstance(where, slice) else where[hit]
            free, covered = free[hit], covered[hit]
            parts = {name: part[hit] if isinstance(part, np.ndarray) else part for name, part in mixture.items()}
        self.free[where] = free - covered
        for name, part in parts.items():
            if name not in self.layers:
                self.layers[name] = np.zeros(self.free.size, dtype=np.float32)
            self.layers[name][where] += covered * part
