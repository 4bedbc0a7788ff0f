"""Growing from one click on fresh simulated cases, beside growing on one frame and on maps: 3-D Dice.

    python benchmarks/growing_simulated.py [CASES [SEED]]

Two clicks per case: the deepest point of the index lesion, and a voxel drawn near it (at least half as deep).
"""

import sys
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing import grow
from spinehub.growing.channels import GrowableImage
from spinehub.perfusion import compute_maps
from spinehub.simulate import cohort_recipes, render
from spinehub.volume import Mask, Seed


def clicks(mask: Mask, rng: np.random.Generator) -> tuple[Seed, Seed]:
    """Deepest voxel of the mask, and one within 0.4 of its depth that is itself at least half as deep."""
    depth = ndimage.distance_transform_edt(np.pad(mask.voxels, 1), mask.grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    deepest = np.array(np.unravel_index(int(depth.argmax()), depth.shape))
    voxels = np.argwhere(depth >= 0.5 * depth.max())
    away = np.linalg.norm((voxels - deepest) * np.asarray(mask.grid.spacing_mm), axis=1)
    near = voxels[away <= 0.4 * depth.max()]
    one, two = (tuple(int(n) for n in voxel) for voxel in (deepest, rng.choice(near)))
    return Seed.at_index(one, mask.grid), Seed.at_index(two, mask.grid)


def score(image: GrowableImage, click: Seed, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Dice of the automatic mask, and its volume over the truth's."""
    growth = grow(image, [click])
    region = growth.mask(growth.suggested_tolerance).voxels
    return 2.0 * float((region & truth).sum()) / float(region.sum() + truth.sum()), float(region.sum() / truth.sum())


def main(cases: int = 40, seed: int = 909) -> None:
    rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for number, recipe in enumerate(cohort_recipes(cases, seed)):
        case = render(recipe)
        mask, maps = case.lesions[0].mask, compute_maps(case.series)
        images: dict[str, GrowableImage] = {
            "series": case.series,
            "peak and early enhancement": [maps["peak_enhancement"], maps["early_enhancement"]],
            "last frame": case.series.frame(case.series.frame_count - 1),
        }
        for place, click in zip(("deepest", "near it"), clicks(mask, np.random.default_rng(number)), strict=True):
            for name, image in images.items():
                rows[name, place].append(score(image, click, mask.voxels))
    print("| grown on | click | mean | median | 10th percentile | volume over 5 x truth |\n|---|---|---|---|---|---|")
    for (name, place), row in rows.items():
        dice, ratio = np.array(row).T
        figures = f"{dice.mean():.3f} | {np.median(dice):.3f} | {np.percentile(dice, 10):.2f} | {(ratio > 5).sum()}"
        print(f"| {name} | {place} | {figures} of {cases} |")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
