"""Where the U-Net's outlines go wrong: what the grid allows, what other uses of the same weights would give.

    python benchmarks/outlines.py [--cases 120] [--seed 777001] [--workers 2]

Simulated patients of a seed for development (never a sealed one), timed series, one simulated click. Prints a table of
mean Dice: the true mask put on the network's grid and back, the grown region, the U-Net as it is, the mean of four
crops that lie a little apart, a second look that is shown the first look's mask, and the U-Net without the parts of a
slice that are mostly no lesion, which needs the truth: what tidying up could gain at most.
"""

import argparse
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from threadpoolctl import threadpool_limits

from spinehub.cohort.worlds import Recipe, recipes_of, rendered
from spinehub.evaluation.judging import shown_case
from spinehub.growing import grow
from spinehub.inputs import make_stack, mask_slices
from spinehub.metrics import dice
from spinehub.perfusion import assess_timing, body_mask, compute_maps
from spinehub.routes import load_model
from spinehub.volume import Mask

Bools = NDArray[np.bool_]
SHIFTS_MM = ((0.0, 0.0, 0.0), (0.0, 0.75, 0.75), (0.0, -3.0, 4.0), (0.0, 5.0, -6.2))
SMALL_ML, LARGE_ML = 2.0, 15.0
MOSTLY = 0.4


def main() -> None:
    parser = argparse.ArgumentParser(description="Error analysis of the U-Net's outlines.")
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--seed", type=int, default=777001)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    recipes = tuple(recipes_of("first", options.cases, options.seed, cohort="matched", kinetics="medium"))
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_figures, recipes))
    print("\n".join(_table(found)))


def _figures(recipe: Recipe) -> dict[str, float]:
    with threadpool_limits(limits=1):
        return _judged(recipe)


def _judged(recipe: Recipe) -> dict[str, float]:
    case, model = rendered(recipe), load_model("unet", "unet-dce")
    full = assess_timing(case.series)
    image, click = shown_case(case, "dynamic", 0, full)
    maps = compute_maps(case.series, full, names=set(model.spec.maps))
    growth = grow(image, [click])
    region, truth = growth.mask(growth.suggested_tolerance), case.lesions[0].mask
    body = body_mask(image)

    def seen(marked: Mask, shift: tuple[float, float, float] = SHIFTS_MM[0]) -> NDArray[np.float32]:
        center = tuple(np.add(marked.centroid_mm, shift).tolist())
        stack = make_stack(image, model.spec, timing=full, maps=maps, center_mm=center)
        lesion = 1.0 - model.segment(stack, mask_slices(marked, stack))[:, 0]
        inside: NDArray[np.float32] = stack.to_grid(np.ascontiguousarray(lesion), image.grid)
        return inside

    def drawn(lesion: NDArray[np.float32], marked: Bools) -> Bools:
        return _touching((lesion >= 0.5) & body, marked)

    stack = make_stack(image, model.spec, timing=full, maps=maps, center_mm=region.centroid_mm)
    on_grid = stack.to_grid(mask_slices(truth, stack), image.grid) >= 0.5
    first = seen(region)
    own = drawn(first, region.voxels)
    again = drawn(seen(Mask(own, image.grid)), own) if own.any() else own
    shifted = drawn(np.mean([seen(region, shift) for shift in SHIFTS_MM], axis=0), region.voxels)
    tidy = _mostly_lesion((first >= 0.5) & body, truth.voxels, int(np.argmax(truth.grid.spacing_mm)))
    masks = {
        "the true mask on the network's grid": on_grid,
        "region growing": region.voxels,
        "U-Net": own,
        "mean of four crops": shifted,
        "second look at its own mask": again,
        "only parts of a slice that are mostly lesion": tidy,
    }
    size = truth.voxels.sum()
    held = truth.voxels.any(axis=tuple(set(range(3)) - {int(np.argmax(truth.grid.spacing_mm))}), keepdims=True)
    return {name: dice(truth.voxels, mask) for name, mask in masks.items()} | {
        "volume": truth.volume_ml,
        "too much": float((own & ~truth.voxels).sum() / size),
        "too much, in slices without lesion": float((own & ~held).sum() / size),
        "missed": float((truth.voxels & ~own).sum() / size),
    }


def _touching(found: Bools, marked: Bools) -> Bools:
    parts, _ = ndimage.label(found)
    kept: Bools = np.isin(parts, np.unique(parts[marked & (parts > 0)])) & (parts > 0)
    return kept


def _mostly_lesion(found: Bools, truth: Bools, axis: int) -> Bools:
    """Connected parts of each slice of which at least 0.4 is lesion; the truth decides."""
    flat = np.zeros((3, 3, 3), bool)
    flat[tuple(1 if k == axis else slice(None) for k in range(3))] = ndimage.generate_binary_structure(2, 1)
    parts, count = ndimage.label(found, structure=flat)
    shares = ndimage.mean(truth, parts, np.arange(1, count + 1))
    kept: Bools = np.isin(parts, 1 + np.flatnonzero(np.asarray(shares) >= MOSTLY))
    return kept


def _table(found: list[dict[str, float]]) -> Iterable[str]:
    volume = np.array([each["volume"] for each in found])
    groups = {
        "all": volume > 0.0,
        f"under {SMALL_ML:.0f} ml": volume < SMALL_ML,
        f"{SMALL_ML:.0f} to {LARGE_ML:.0f} ml": (volume >= SMALL_ML) & (volume < LARGE_ML),
        f"{LARGE_ML:.0f} ml and more": volume >= LARGE_ML,
    }
    yield "| mean Dice | " + " | ".join(f"{name} ({int(rows.sum())})" for name, rows in groups.items()) + " |"
    yield "|" + "---|" * (1 + len(groups))
    for name in found[0]:
        if name != "volume":
            values = np.array([each[name] for each in found])
            cells = [f"{values[rows].mean():.3f}" if rows.any() else "" for rows in groups.values()]
            yield f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
