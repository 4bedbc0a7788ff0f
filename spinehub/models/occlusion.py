"""Occlusion (Zeiler and Fergus 2014): cover a piece of the crop, and see how far a network's answer moves.

A piece counts by the change of the answer's log-odds when it is replaced by the tissue around it. It shows what the
network looks at, not why a lesion is what it is, and a network that looks elsewhere than a reader should be doubted.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.inputs import SliceStack, mask_slices
from spinehub.models.calibration import log_odds
from spinehub.models.classifier import LesionClassifier, largest_slices
from spinehub.models.segmenter import LesionSegmenter, SliceReading
from spinehub.models.zero_gpu import run_network
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Volume

__all__ = ["explain_by_occlusion", "log_odds_slope", "occlusion_map", "on_image"]

MOST_SLICES = 3
"""Slices that are judged: those with the largest area of the region; more would only cost time."""
PATCHES_ACROSS = 5
"""Patches along each side of the region's box: 25 evaluations, whatever its size."""
_LEAST_STEP = 3
_MARGIN = 4
"""Pixels around the region's box that are covered too."""

_Score = Callable[[NDArray[np.float32]], float]
_Progress = Callable[[float, str], None]


def explain_by_occlusion(
    model: LesionSegmenter | LesionClassifier,
    image: DynamicSeries | Volume,
    mask: Mask,
    *,
    timing: Timing,
    maps: Mapping[str, ParametricMap],
    progress: _Progress | None = None,
) -> ParametricMap:
    """Where a network's answer for one lesion comes from.

    Parameters
    ----------
    model
        The U-Net or the classifier.
    image, mask, timing, maps
        As for the model's ``predict``.
    progress
        Called before each patch with the share done (0 to 1) and what is being done; what it raises ends the work.

    Returns
    -------
    ParametricMap
        ``"occlusion"`` in log-odds, ``(I, J, K)`` float32: how much the answer loses towards a primary tumour when the
        place is covered. Positive: the place speaks for a primary tumour; negative: for a metastasis. NaN where
        nothing was covered. Scaled by the calibration of the model, where it has one for the regime.

    Raises
    ------
    InvalidArgumentError
        If the mask is empty or lies outside the crop.
    """
    stack = model.stack_of(image, mask, timing, maps)
    inside = mask_slices(mask, stack)
    if not inside.any():
        raise InvalidArgumentError("mask must lie in the crop the network sees to be explained, got one outside it")
    chosen = largest_slices(inside.sum(axis=(1, 2)), MOST_SLICES)
    values, region = stack.values[chosen], inside[chosen]
    change = occlusion_map(_score_of(model, region), values, region, progress=progress)
    return on_image("occlusion", log_odds_slope(model, stack) * change, chosen, stack, image.grid)


def on_image(
    name: str, values: NDArray[np.float32], chosen: NDArray[np.intp], stack: SliceStack, grid: Grid
) -> ParametricMap:
    """Put log-odds of some slices of a stack onto the voxels of an image.

    Parameters
    ----------
    name
        Of the map.
    values
        ``(S, H, W)``; NaN where nothing is known.
    chosen
        ``(S,)`` which slices of the stack they are.
    stack
        What the network saw.
    grid
        Of the image.
    """
    known = np.isfinite(values)
    whole, weight = (np.zeros(stack.grid.shape, np.float32) for _ in range(2))
    whole[chosen], weight[chosen] = np.where(known, values, 0.0), known
    total, share = (stack.to_grid(part, grid) for part in (whole, weight))
    shown = np.full(grid.shape, np.nan, np.float32)
    np.divide(total, share, out=shown, where=share > 0.5)
    return ParametricMap(name, "log-odds", shown, grid)


def occlusion_map(
    score: _Score, values: NDArray[np.float32], inside: NDArray[np.float32], *, progress: _Progress | None = None
) -> NDArray[np.float32]:
    """Change of a score when patches of the slices are covered.

    A patch is covered in every slice at once, each channel by its median on the frame of pixels around the patch.
    Patches overlap by half; a pixel holds the mean over the patches that cover it.

    Parameters
    ----------
    score
        Score of ``(N, C, H, W)`` slices.
    values
        ``(N, C, H, W)``.
    inside
        ``(N, H, W)`` share of each pixel in the region; patches lie over its bounding box and a few pixels around.
    progress
        As for :func:`explain_by_occlusion`.

    Returns
    -------
    NDArray
        ``(N, H, W)`` float32: score of the slices as they are minus score of the covered ones; NaN where none lay.
    """
    if values.ndim != 4 or inside.shape != (len(values), *values.shape[2:]) or not inside.any():
        raise InvalidArgumentError(
            f"inside must be (N, H, W) of the slices {values.shape} and hold a pixel of the region, got {inside.shape}"
        )
    tell = progress or (lambda _share, _text: None)
    reference = score(values)
    total, count = np.zeros(inside.shape[1:]), np.zeros(inside.shape[1:])
    patches = list(_patches(np.asarray(inside.any(axis=0))))
    for number, (rows, columns) in enumerate(patches):
        tell(number / len(patches), f"occlusion: patch {number + 1} of {len(patches)}")
        total[rows, columns] += reference - score(_covered(values, rows, columns))
        count[rows, columns] += 1
    change = np.full(total.shape, np.nan)
    np.divide(total, count, out=change, where=count > 0)
    return np.broadcast_to(change, inside.shape).astype(np.float32)


def _patches(region: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
    """Overlapping squares over the bounding box of ``(H, W)``."""
    sides = []
    for axis, size in enumerate(region.shape):
        held = np.flatnonzero(region.any(axis=1 - axis))
        sides.append((max(0, int(held[0]) - _MARGIN), min(size, int(held[-1]) + 1 + _MARGIN)))
    longest = max(high - low for low, high in sides)
    step = max(_LEAST_STEP, int(np.ceil(longest / (PATCHES_ACROSS + 1))))
    starts = [range(low, max(low + 1, high - step), step) for low, high in sides]
    for top in starts[0]:
        for left in starts[1]:
            yield slice(top, min(top + 2 * step, sides[0][1])), slice(left, min(left + 2 * step, sides[1][1]))


def _covered(values: NDArray[np.float32], rows: slice, columns: slice) -> NDArray[np.float32]:
    """Slices with a patch replaced by the median of the frame around it, as wide as half the patch."""
    height, width = values.shape[2:]
    rim = max(2, (rows.stop - rows.start) // 2)
    around = (
        slice(max(0, rows.start - rim), min(height, rows.stop + rim)),
        slice(max(0, columns.start - rim), min(width, columns.stop + rim)),
    )
    frame = np.ones((height, width), bool)
    frame[rows, columns] = False
    nearby = values[:, :, *around][..., frame[around]]
    result = values.copy()
    result[:, :, rows, columns] = np.median(nearby, axis=-1)[..., None, None]
    return result


def _score_of(model: LesionSegmenter | LesionClassifier, region: NDArray[np.float32]) -> _Score:
    """Log-odds of a primary tumour for the region, before calibration."""
    if isinstance(model, LesionClassifier):
        return lambda values: float(
            log_odds(run_network(model, np.concatenate([values, region[:, None]], axis=1))[0][1])
        )

    def vote(values: NDArray[np.float32]) -> float:
        reading: SliceReading = run_network(model, values, region)
        return model.lesion_vote(reading.softmax, region, reading.score).score

    return vote


def log_odds_slope(model: LesionSegmenter | LesionClassifier, stack: SliceStack) -> float:
    """What the calibration of a model multiplies its score by; 1 without one for the regime."""
    if model.calibration is None or stack.regime not in model.calibration.regimes:
        return 1.0
    return float(model.calibration.regimes[stack.regime].slope)
