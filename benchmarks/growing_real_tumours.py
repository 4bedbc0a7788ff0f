"""Growing from one click on real tumours with expert masks, beside the best sphere: 3-D Dice.

    SPINEHUB_TEST_DATA=FOLDER python benchmarks/growing_real_tumours.py

The click is the deepest point of the expert's mask. *automatic*: the suggested tolerance; *best tolerance* and *best
sphere*: chosen by an oracle that knows the mask. One setting for all cases.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing import grow
from spinehub.io import read_mask, read_series
from spinehub.volume import Mask, Seed, Volume

SARCOMAS = ("002", "018", "024", "041", "051")
CASES = {f"sarcoma {n}": (f"STS_{n}_T1.nii.gz", f"STS_{n}_T1_mask.nii.gz") for n in SARCOMAS} | {
    "brain2": ("brain2_image.nrrd", "brain2_label.nrrd"),
    "prostate (organ)": ("prostate_img.nii.gz", "prostate_seg_one_label.nii.gz"),
}


def best_dice(values: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Highest Dice of ``values <= threshold`` over all thresholds."""
    order = np.argsort(values, axis=None, kind="stable")
    hits = np.cumsum(truth.ravel()[order])
    return float((2.0 * hits / (np.arange(1, hits.size + 1) + truth.sum())).max())


def scores(volume: Volume, mask: Mask) -> tuple[float, float, float, float]:
    """Dice of the automatic mask, the best tolerance and the best sphere; volume of the automatic mask over truth."""
    truth, spacing = mask.voxels, mask.grid.spacing_mm
    depth = ndimage.distance_transform_edt(np.pad(truth, 1), spacing)[1:-1, 1:-1, 1:-1]
    i, j, k = (int(n) for n in np.unravel_index(int(depth.argmax()), truth.shape))
    growth = grow(volume, [Seed.at_index((i, j, k), volume.grid)])
    region = growth.mask(growth.suggested_tolerance).voxels
    offsets = np.moveaxis(np.indices(truth.shape), 0, -1) - np.array((i, j, k))
    distance = np.linalg.norm(offsets * np.asarray(spacing), axis=-1)
    dice = 2.0 * float((region & truth).sum()) / float(region.sum() + truth.sum())
    return dice, best_dice(growth.arrival.values, truth), best_dice(distance, truth), region.sum() / truth.sum()


def main() -> None:
    folder = Path(os.environ["SPINEHUB_TEST_DATA"]) / "d_tumour"
    rows = []
    print("| case | automatic | best tolerance | best sphere | volume / truth |\n|---|---|---|---|---|")
    for name, (image, label) in CASES.items():
        volume = read_series(folder / image)
        if not isinstance(volume, Volume):
            raise TypeError(f"{image} must be one volume, got {type(volume).__name__}")
        rows.append(scores(volume, read_mask(folder / label, volume.grid)))
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in rows[-1]) + " |")
    print("| mean | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
