"""Growing from one click on real tumours with expert masks, beside spheres and confidence-connected growing.

    SPINEHUB_TEST_DATA=FOLDER python benchmarks/growing_real_tumours.py

The click is the deepest point of the expert's mask; Dice in 3-D; one setting for all cases. *automatic*: the suggested
tolerance. The other columns are chosen by an oracle that knows the mask: *best tolerance*; *two sliders* (tolerance
and a shorter reach, cut from the same arrival map); *best sphere*; *confidence*: SimpleITK's ConfidenceConnected, best
of 8 multipliers and 2 numbers of rounds. The second table changes one constant at a time; leave-one-out picks the row
that is best for the six other cases and scores the case left out.
"""

import importlib
import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing import grow
from spinehub.io import read_mask, read_series
from spinehub.volume import Index, Mask, Seed, Volume

SARCOMAS = ("002", "018", "024", "041", "051")
CASES = {f"sarcoma {n}": (f"STS_{n}_T1.nii.gz", f"STS_{n}_T1_mask.nii.gz") for n in SARCOMAS} | {
    "brain2": ("brain2_image.nrrd", "brain2_label.nrrd"),
    "prostate (organ)": ("prostate_img.nii.gz", "prostate_seg_one_label.nii.gz"),
}
COLUMNS = ("automatic", "best tolerance", "two sliders", "best sphere", "confidence", "volume / truth")
REACHES_MM = range(6, 61, 2)
VARIATIONS = (
    ("grow", "_SEED_BALL_MM", (3.0, 6.0)),
    ("evidence", "_DOUBT", (0.3, 0.7)),
    ("evidence", "_HARDEST", (30.0, 120.0)),
    ("tolerance", "_SIZE_POWER", (0.15, 0.5)),
    ("tolerance", "_RADIUS_SPREAD", (1.0, 4.0)),
)


def best_dice(values: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Highest Dice of ``values <= threshold`` over all finite thresholds."""
    order = np.argsort(values, axis=None, kind="stable")[: np.count_nonzero(np.isfinite(values))]
    hits = np.cumsum(truth.ravel()[order])
    return float((2.0 * hits / (np.arange(1, hits.size + 1) + truth.sum())).max())


def dice(region: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2.0 * float((region & truth).sum()) / float(region.sum() + truth.sum())


def deepest(mask: Mask) -> Index:
    """Voxel of the mask farthest from its border; the edge of the image counts as border."""
    depth = ndimage.distance_transform_edt(np.pad(mask.voxels, 1), mask.grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    i, j, k = (int(n) for n in np.unravel_index(int(depth.argmax()), mask.voxels.shape))
    return i, j, k


def confidence_connected(volume: Volume, click: Index, truth: NDArray[np.bool_]) -> float:
    image = sitk.GetImageFromArray(volume.voxels.T)
    regions = (
        sitk.ConfidenceConnected(image, [click], rounds, multiplier, 2, 1)
        for multiplier in np.arange(1.0, 4.6, 0.5)
        for rounds in (1, 4)
    )
    return max(dice(sitk.GetArrayFromImage(region).T > 0, truth) for region in regions)


def automatic(volume: Volume, mask: Mask) -> tuple[float, float]:
    """Dice of the automatic mask, and its volume over the truth's."""
    growth = grow(volume, [Seed.at_index(deepest(mask), volume.grid)])
    region = growth.mask(growth.suggested_tolerance).voxels
    return dice(region, mask.voxels), float(region.sum() / mask.voxels.sum())


def scores(volume: Volume, mask: Mask) -> tuple[float, ...]:
    """One row of the first table."""
    truth, click = mask.voxels, deepest(mask)
    arrival = grow(volume, [Seed.at_index(click, volume.grid)]).arrival.values
    offsets = np.moveaxis(np.indices(truth.shape), 0, -1) - np.array(click)
    distance = np.linalg.norm(offsets * np.asarray(mask.grid.spacing_mm), axis=-1)
    sliders = max(best_dice(np.where(distance <= reach, arrival, np.inf), truth) for reach in REACHES_MM)
    own, ratio = automatic(volume, mask)
    sphere = best_dice(distance, truth)
    return own, best_dice(arrival, truth), sliders, sphere, confidence_connected(volume, click, truth), ratio


def read_cases() -> dict[str, tuple[Volume, Mask]]:
    folder = Path(os.environ["SPINEHUB_TEST_DATA"]) / "d_tumour"
    cases = {}
    for name, (image, label) in CASES.items():
        volume = read_series(folder / image)
        if not isinstance(volume, Volume):
            raise TypeError(f"{image} must be one volume, got {type(volume).__name__}")
        cases[name] = volume, read_mask(folder / label, volume.grid)
    return cases


def stability(cases: dict[str, tuple[Volume, Mask]]) -> None:
    """Print the second table: the automatic Dice with one constant changed at a time, and leave-one-out."""
    rows = {"as shipped": [automatic(*case) for case in cases.values()]}
    for module_name, constant, values in VARIATIONS:
        module = importlib.import_module(f"spinehub.growing.{module_name}")
        shipped = getattr(module, constant)
        for value in values:
            setattr(module, constant, value)
            rows[f"{constant.strip('_').lower()} {value:g} (shipped {shipped:g})"] = [
                automatic(*case) for case in cases.values()
            ]
        setattr(module, constant, shipped)
    print("\n| setting | mean automatic Dice | largest volume / truth |\n|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {np.mean(row, axis=0)[0]:.3f} | {max(ratio for _, ratio in row):.1f} |")
    table = np.array([[own for own, _ in row] for row in rows.values()])
    left_out = [table[np.delete(table, n, axis=1).mean(axis=1).argmax(), n] for n in range(table.shape[1])]
    print(f"| chosen by leave-one-out | {np.mean(left_out):.3f} | |")


def main() -> None:
    cases = read_cases()
    rows = []
    print(f"| case | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}")
    for name, case in cases.items():
        rows.append(scores(*case))
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in rows[-1]) + " |")
    print("| mean | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |")
    stability(cases)


if __name__ == "__main__":
    main()
