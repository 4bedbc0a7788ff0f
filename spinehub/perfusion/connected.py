"""The connected set of pixels of a given size with the highest mean, in one slice.

Finding it exactly is a hard combinatorial problem (a maximum-weight connected subgraph); here sets grow greedily
from many starts, then single pixels are exchanged while that helps.
"""

import heapq
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["best_connected_set", "connected_pieces"]

Pixel: TypeAlias = tuple[int, int]
Scores: TypeAlias = dict[Pixel, float]

_GROWN_PIXELS = 30_000
"""Pixels grown per piece over all starts: bounds the work for very large lesions."""
_MOST_STARTS = 64
_EXCHANGES = 60
_TRIED = 6
"""Exchanges, and pixels tried at either end of one."""


def connected_pieces(allowed: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Pieces of a slice ``(R, C)`` whose pixels share edges, in scan order."""
    labels, count = ndimage.label(allowed)
    return [labels == label for label in range(1, count + 1)]


def best_connected_set(score: NDArray[np.float64], piece: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Find a connected set of `size` pixels of one piece with (nearly) the highest mean score.

    Deterministic. A set shares edges; equal scores are settled by position.

    Parameters
    ----------
    score
        ``(R, C)``, finite inside the piece.
    piece
        ``(R, C)`` bool, connected, at least `size` pixels.
    size
        Number of pixels to choose.

    Returns
    -------
    NDArray
        ``(R, C)`` bool.
    """
    scores: Scores = {(int(r), int(c)): float(score[r, c]) for r, c in np.argwhere(piece)}
    grown = (_grow(scores, start, size) for start in _starts(score, piece, size))
    best = max(grown, key=lambda chosen: sum(scores[pixel] for pixel in chosen))
    best = _exchange(scores, best)
    result = np.zeros(piece.shape, np.bool_)
    result[tuple(np.array(sorted(best)).T)] = True
    return result


def _starts(score: NDArray[np.float64], piece: NDArray[np.bool_], size: int) -> list[Pixel]:
    """Local maxima, highest first; every pixel of a small piece."""
    most = int(np.clip(_GROWN_PIXELS // size, 4, _MOST_STARTS))
    values = np.where(piece, score, -np.inf)
    if np.count_nonzero(piece) > most:
        peaks = piece & (values == ndimage.maximum_filter(values, size=3, mode="constant", cval=-np.inf))
    else:
        peaks = piece
    pixels = np.argwhere(peaks)
    order = np.argsort(-values[peaks], kind="stable")[:most]
    return [(int(r), int(c)) for r, c in pixels[order]]


def _neighbours(pixel: Pixel) -> tuple[Pixel, Pixel, Pixel, Pixel]:
    r, c = pixel
    return (r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)


def _grow(scores: Scores, start: Pixel, size: int) -> set[Pixel]:
    """Add the best pixel on the border until `size` are chosen."""
    chosen: set[Pixel] = set()
    seen = {start}
    border = [(-scores[start], start)]
    while len(chosen) < size:
        _, pixel = heapq.heappop(border)
        chosen.add(pixel)
        for other in _neighbours(pixel):
            if other in scores and other not in seen:
                seen.add(other)
                heapq.heappush(border, (-scores[other], other))
    return chosen


def _exchange(scores: Scores, chosen: set[Pixel]) -> set[Pixel]:
    """Swap a low pixel for a higher one on the border while the set stays connected."""
    for _ in range(_EXCHANGES):
        better = _better_by_one(scores, chosen)
        if better is None:
            break
        chosen = better
    return chosen


def _better_by_one(scores: Scores, chosen: set[Pixel]) -> set[Pixel] | None:
    border = {other for pixel in chosen for other in _neighbours(pixel) if other in scores} - chosen
    lowest = sorted(chosen, key=lambda pixel: (scores[pixel], pixel))[:_TRIED]
    highest = sorted(border, key=lambda pixel: (-scores[pixel], pixel))[:_TRIED]
    for added in highest:
        for removed in lowest:
            if scores[added] <= scores[removed]:
                break
            exchanged = (chosen | {added}) - {removed}
            if _is_connected(exchanged):
                return exchanged
    return None


def _is_connected(pixels: set[Pixel]) -> bool:
    start = next(iter(pixels))
    reached, waiting = {start}, [start]
    while waiting:
        for other in _neighbours(waiting.pop()):
            if other in pixels and other not in reached:
                reached.add(other)
                waiting.append(other)
    return len(reached) == len(pixels)
