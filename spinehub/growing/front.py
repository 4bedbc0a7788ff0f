"""A front that runs from seed voxels through a field of slowness (fast marching)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinehub.growing.compiled import compiled
from spinehub.volume import Index, Position

__all__ = ["march"]

_INTERVALS = 16384
_INTERVAL_SHARE = 0.05
"""Width of an interval of the queue, as a share of the mean time through a voxel; it changes the speed alone."""


def march(
    slowness: NDArray[np.float32], spacing_mm: Position, starts: Sequence[Index], *, until: float = math.inf
) -> NDArray[np.float32]:
    """Travel time of a front from the nearest start, by first-order fast marching.

    The front solves the eikonal equation ``|grad T| = slowness`` upwind on the six neighbours, so every voxel
    arrives later than one of its neighbours: each set ``T <= tolerance`` is connected to a start.

    Parameters
    ----------
    slowness
        ``(I, J, K)`` float32, above 0; ``+inf`` where the front cannot enter.
    spacing_mm
        Voxel spacing along i, j, k in mm.
    starts
        Voxels where the time is 0.
    until
        The front stops at this time: what it would reach later counts as never reached.

    Returns
    -------
    NDArray
        ``(I, J, K)`` float32 time: mm where the slowness is 1; ``+inf`` where never reached.

    Notes
    -----
    Compiled on first use and kept on disk where that is possible; it releases the interpreter lock. Travel times equal
    SimpleITK's to within rounding and take a fraction of its time (``benchmarks/growing_speed.py``).

    References
    ----------
    J. A. Sethian, A fast marching level set method for monotonically advancing fronts, PNAS 1996;93:1591-1595.
    """
    # A border of one voxel that cannot be entered spares the kernel every check for the edge of the volume.
    bordered = np.full([size + 2 for size in slowness.shape], np.inf, dtype=np.float32)
    bordered[1:-1, 1:-1, 1:-1] = slowness
    first = np.ravel_multi_index((np.asarray(starts, dtype=np.int64).reshape(-1, 3) + 1).T, bordered.shape)
    i, j, k = spacing_mm
    steps = bordered.shape[1] * bordered.shape[2], bordered.shape[2]
    inside = slowness[np.isfinite(slowness)]
    width = _INTERVAL_SHARE * min(spacing_mm) * (float(inside.mean(dtype=np.float64)) if inside.size else 1.0)
    times = _march(bordered.ravel(), first, steps, (i**-2.0, j**-2.0, k**-2.0), float(until), 1.0 / width)
    return np.ascontiguousarray(times.reshape(bordered.shape)[1:-1, 1:-1, 1:-1])


@compiled
def _arrival(a: float, b: float, c: float, wa: float, wb: float, wc: float, slow: float) -> float:
    """Time at a voxel from its earliest neighbours on three axes, whose inverse squared spacings weigh them.

    It solves ``sum of w (t - neighbour)^2 = slow^2`` over the neighbours that are earlier than ``t``.
    """
    if b < a:
        a, b, wa, wb = b, a, wb, wa
    if c < b:
        b, c, wb, wc = c, b, wc, wb
        if b < a:
            a, b, wa, wb = b, a, wb, wa
    time = a + slow / math.sqrt(wa)
    if time > b:
        after_b, weight = b - a, wa + wb
        linear, square = wb * after_b, wb * after_b * after_b - slow * slow
        time = a + (linear + math.sqrt(linear * linear - weight * square)) / weight
        if time > c:
            after_c, weight = c - a, weight + wc
            linear, square = linear + wc * after_c, square + wc * after_c * after_c
            time = a + (linear + math.sqrt(linear * linear - weight * square)) / weight
    return time


@compiled
def _march(
    slowness: NDArray[np.float32],
    starts: NDArray[np.int64],
    steps: tuple[int, int],
    weights: tuple[float, float, float],
    until: float,
    per_time: float,
) -> NDArray[np.float32]:
    """Fast marching on flat arrays with a border that cannot be entered.

    The queue holds, in one integer, the bits of the time (which order as the times do, for they are not negative) and
    the voxel; a voxel enters it at most once for each of its six neighbours, and stale entries are skipped. Times of
    one interval at a time lie in a heap; later ones wait unsorted, a chain per interval, which keeps the heap small.
    The order in which voxels are settled does not depend on how many intervals there are per unit of time.
    """
    times = np.full(slowness.size, np.float32(np.inf))
    bits = times.view(np.uint32)
    settled = np.zeros(slowness.size, np.bool_)
    heap = np.empty(6 * slowness.size + starts.size, np.uint64)
    entries = np.empty(6 * slowness.size, np.uint64)
    following = np.empty(6 * slowness.size, np.int32)
    chains = np.full(_INTERVALS, -1, np.int32)
    size, added, interval = 0, 0, 0
    for start in starts:
        times[start] = 0.0
        size = _push(heap, size, np.uint64(start))
    while interval < _INTERVALS:
        while size > 0:
            voxel = np.int64(heap[0] & np.uint64(0xFFFFFFFF))
            size = _drop_first(heap, size)
            if times[voxel] > until:
                interval = _INTERVALS
                size = 0
                break
            if settled[voxel]:
                continue
            settled[voxel] = True
            for step in (-steps[0], steps[0], -steps[1], steps[1], -1, 1):
                here = voxel + step
                if settled[here] or slowness[here] == np.inf:
                    continue
                a = _earlier(times, settled, here - steps[0], here + steps[0])
                b = _earlier(times, settled, here - steps[1], here + steps[1])
                c = _earlier(times, settled, here - 1, here + 1)
                time = np.float32(_arrival(a, b, c, weights[0], weights[1], weights[2], np.float64(slowness[here])))
                if time < times[here]:
                    times[here] = time
                    entry = (np.uint64(bits[here]) << np.uint64(32)) | np.uint64(here)
                    place = int(min(float(time) * per_time, _INTERVALS - 1.0))
                    if place <= interval:
                        size = _push(heap, size, entry)
                    else:
                        entries[added] = entry
                        following[added] = chains[place]
                        chains[place] = added
                        added += 1
        interval += 1
        if interval < _INTERVALS:
            first = chains[interval]
            while first >= 0:
                if not settled[np.int64(entries[first] & np.uint64(0xFFFFFFFF))]:
                    size = _push(heap, size, entries[first])
                first = following[first]
    times[~settled] = np.inf
    return times


@compiled
def _earlier(times: NDArray[np.float32], settled: NDArray[np.bool_], one: int, other: int) -> float:
    time = np.float32(np.inf)
    if settled[one]:
        time = times[one]
    if settled[other] and times[other] < time:
        time = times[other]
    return np.float64(time)


@compiled
def _push(heap: NDArray[np.uint64], size: int, entry: np.uint64) -> int:
    """Add an entry to a heap whose nodes have four children; return its size."""
    place = size
    while place > 0:
        parent = (place - 1) >> 2
        if heap[parent] <= entry:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = entry
    return size + 1


@compiled
def _drop_first(heap: NDArray[np.uint64], size: int) -> int:
    """Take the smallest entry off the heap; return its size."""
    size -= 1
    entry = heap[size]
    place = 0
    while True:
        child = 4 * place + 1
        if child >= size:
            break
        least = heap[child]
        for sibling in range(child + 1, min(child + 4, size)):
            if heap[sibling] < least:
                child = sibling
                least = heap[child]
        if least >= entry:
            break
        heap[place] = least
        place = child
    heap[place] = entry
    return size
