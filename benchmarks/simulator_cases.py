"""Contact sheet of twelve simulated cases of one cohort: the slice through the largest part of the lesion, mid-scan.

    python benchmarks/simulator_cases.py [PICTURE [SEED]]

The first case of each pair of class and region in turn, not chosen by eye; the lesion's true border is outlined.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np

from spinehub.simulate import CaseRecipe, cohort_recipes, render
from spinehub.simulate.anatomy import region_of

PLACES = ("C", "T", "L", "S", "T", "L")


def chosen(seed: int) -> list[CaseRecipe]:
    """Twelve recipes: six regions for each class, in the order in which the cohort draws them."""
    recipes = list(cohort_recipes(120, seed))
    found = []
    for diagnosis in ("metastasis", "primary_malignant"):
        waiting = [recipe for recipe in recipes if recipe.diagnosis == diagnosis]
        for region in PLACES:
            recipe = next(one for one in waiting if region_of(one.anatomy.level) == region)
            waiting.remove(recipe)
            found.append(recipe)
    return found


def main(output: str = "docs/simulator_cases.png", seed: int = 2026) -> None:
    """Render the cases and save the picture."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 6, figsize=(12, 4.5))
    for place, recipe in zip(axes.ravel(), chosen(seed), strict=True):
        case = render(recipe)
        voxels = case.lesions[0].mask.voxels
        k = int(np.argmax(voxels.sum(axis=(0, 1))))
        part = case.series.frames[:, :, k, case.series.frame_count // 2].T
        place.imshow(part, cmap="gray", vmin=0, vmax=np.percentile(part, 99.3))
        place.contour(voxels[:, :, k].T, [0.5], colors="tab:red", linewidths=0.6)
        place.set_title(f"simulated, {recipe.lesions[0].histology}, {recipe.anatomy.level}", fontsize=6)
        place.set_axis_off()
    figure.tight_layout()
    figure.savefig(Path(output), dpi=88)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(word) for word in sys.argv[2:3]))
