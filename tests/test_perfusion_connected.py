"""The connected set of highest mean: against every connected set of small grids, and against discs."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.perfusion.connected import best_connected_set, connected_pieces

Array = NDArray[np.float64]


def best_by_brute_force(score: Array, piece: NDArray[np.bool_], size: int) -> float:
    """Highest mean over all connected sets, grown one pixel at a time from every pixel."""
    pixels = {tuple(int(n) for n in pixel) for pixel in np.argwhere(piece)}
    sets = {frozenset((pixel,)) for pixel in pixels}
    for _ in range(size - 1):
        sets = {
            chosen | {(r + dr, c + dc)}
            for chosen in sets
            for (r, c), (dr, dc) in itertools.product(chosen, ((0, 1), (1, 0), (0, -1), (-1, 0)))
            if (r + dr, c + dc) in pixels - chosen
        }
    return max(sum(score[pixel] for pixel in chosen) for chosen in sets) / size


@pytest.mark.parametrize("seed", range(8))
def test_the_connected_set_is_the_best_there_is_on_small_grids(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(4, 5))
    piece = max(connected_pieces(rng.random((4, 5)) < 0.9), key=np.count_nonzero)
    size = min(6, int(piece.sum()))
    chosen = best_connected_set(score, piece, size)
    assert np.count_nonzero(chosen) == size
    assert len(connected_pieces(chosen)) == 1
    assert not (chosen & ~piece).any()
    # Not always the optimum by construction, but never far: here within a twentieth of a standard deviation.
    assert score[chosen].mean() >= best_by_brute_force(score, piece, size) - 0.05


def test_the_connected_set_of_a_large_piece_beats_a_disc(rng: np.random.Generator) -> None:
    score = ndimage.gaussian_filter(rng.normal(size=(60, 60)), 3)
    piece = np.ones((60, 60), bool)
    chosen = best_connected_set(score, piece, 80)
    assert np.count_nonzero(chosen) == 80
    assert len(connected_pieces(chosen)) == 1
    disc = np.hypot(*np.mgrid[-5:6, -5:6]) <= 5.1
    assert score[chosen].mean() > ndimage.correlate(score, disc / disc.sum(), mode="constant", cval=-9.0).max()
    np.testing.assert_array_equal(chosen, best_connected_set(score, piece, 80))
