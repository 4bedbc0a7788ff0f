"""Growing on real tumours with expert masks, under a simulated user, beside spheres and two other growers.

    pip install -e ".[bench]"
    SPINEHUB_TEST_DATA=FOLDER python benchmarks/growing_real_tumours.py

The first click is the deepest point of the expert's mask; up to four more correct the automatic mask, each at the
deepest point of its largest error, foreground or background. All methods get these clicks; one setting for all cases.

*automatic*: the suggested tolerance. The others are chosen by an oracle that knows the mask: *two sliders*, tolerance
and reach (grown anew at each of nine reaches); *tolerance*, that slider alone at the reach of 60 mm; *sphere*, balls of
one radius around the foreground clicks, without what lies nearer to a background click; *confidence*: SimpleITK's
ConfidenceConnected from the foreground clicks, best of 8 multipliers and 2 numbers of rounds, blind to background
clicks. *FastGrowCut* (ITK, as in 3D Slicer's "grow from seeds") has no oracle: balls of 3 mm around the clicks, and
what lies over 60 mm from the foreground or on the edge of the image as background.

With ``--corrections`` only the automatic mask is measured, after each of the five clicks.

The last table changes one constant at a time; leave-one-out picks the row that is best for the six other cases and
scores the case left out.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from spinehub.growing import Growth, grow
from spinehub.growing.domain import distance_from
from spinehub.io import read_mask, read_series
from spinehub.metrics import dice, hd95_mm
from spinehub.volume import Index, Mask, Seed, Volume

Region: TypeAlias = NDArray[np.bool_]
SARCOMAS = ("002", "018", "024", "041", "051")
CASES = {f"sarcoma {n}": (f"STS_{n}_T1.nii.gz", f"STS_{n}_T1_mask.nii.gz") for n in SARCOMAS} | {
    "brain2": ("brain2_image.nrrd", "brain2_label.nrrd"),
    "prostate (organ)": ("prostate_img.nii.gz", "prostate_seg_one_label.nii.gz"),
}
REACHES_MM = (8.0, 11.0, 15.0, 20.0, 26.0, 34.0, 42.0, 50.0, 60.0)
CLICKS = (1, 2, 3, 5)
FGC_BALL_MM, FGC_FAR_MM = 3.0, 60.0
VARIATIONS = (
    ("consensus", "_SIZE_POWER", (0.1, 0.3)),
    ("consensus", "_BORDER_WEIGHT", (0.0, 0.9)),
    ("consensus", "_SHARPNESS", (5.0, 20.0)),
    ("edges", "_STRONGEST", (0.0, 10.0, 100.0)),
    ("evidence", "_HARDEST", (30.0, 120.0)),
    ("tolerance", "_FIND_MORE", (1.0, 1.6)),
)


def best_cut(values: NDArray[np.floating], truth: Region) -> tuple[float, Region]:
    """Highest Dice of ``values <= threshold`` over all finite thresholds, and that region."""
    order = np.argsort(values, axis=None, kind="stable")[: np.count_nonzero(np.isfinite(values))]
    hits = np.cumsum(truth.ravel()[order])
    scores = 2.0 * hits / (np.arange(1, hits.size + 1) + truth.sum())
    return float(scores.max()), values <= values.ravel()[order[int(scores.argmax())]]


def deepest(region: Region, spacing_mm: tuple[float, float, float]) -> tuple[Index, float]:
    """Voxel of a region farthest from its border, and how far; the edge of the image counts as border."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1), spacing_mm)[1:-1, 1:-1, 1:-1]
    i, j, k = (int(n) for n in np.unravel_index(int(depth.argmax()), region.shape))
    return (i, j, k), float(depth.max())


def automatic(growth: Growth) -> Region:
    return growth.mask(growth.suggested_tolerance).voxels


def session(volume: Volume, truth: Region) -> Iterator[tuple[list[Seed], Growth]]:
    """Clicks so far, and what has grown from them, after each click."""
    seeds: list[Seed] = []
    region = np.zeros(truth.shape, dtype=bool)
    for _ in range(CLICKS[-1]):
        missed, depth = deepest(truth & ~region, volume.grid.spacing_mm)
        leaked, leak_depth = deepest(region & ~truth, volume.grid.spacing_mm)
        held = leak_depth > depth
        seeds = [*seeds, Seed.at_index(leaked if held else missed, volume.grid, background=held)]
        growth = grow(volume, seeds)
        region = automatic(growth)
        yield seeds, growth


def two_sliders(volume: Volume, seeds: list[Seed], truth: Region) -> Region:
    cuts = (best_cut(grow(volume, seeds, reach_mm=reach).arrival.values, truth) for reach in REACHES_MM)
    return max(cuts, key=lambda cut: cut[0])[1]


def away_mm(volume: Volume, seeds: list[Seed], *, background: bool) -> NDArray[np.float32]:
    voxels = [seed.index_on(volume.grid) for seed in seeds if seed.background == background]
    return distance_from(voxels, volume.grid.shape, volume.grid.spacing_mm)


def sphere(volume: Volume, seeds: list[Seed], truth: Region) -> Region:
    near, held = away_mm(volume, seeds, background=False), away_mm(volume, seeds, background=True)
    return best_cut(np.where(near < held, near, np.inf), truth)[1]


def confidence_connected(volume: Volume, seeds: list[Seed], truth: Region) -> Region:
    image = sitk.GetImageFromArray(volume.voxels.T)
    starts = [seed.index_on(volume.grid) for seed in seeds if not seed.background]
    regions = (
        sitk.GetArrayFromImage(sitk.ConfidenceConnected(image, starts, rounds, multiplier, 2, 1)).T > 0
        for multiplier in np.arange(1.0, 4.6, 0.5)
        for rounds in (1, 4)
    )
    return max(regions, key=lambda region: dice(truth, region))


def fast_grow_cut(volume: Volume, seeds: list[Seed], truth: Region) -> Region:
    import itk

    near, held = away_mm(volume, seeds, background=False), away_mm(volume, seeds, background=True)
    across = [axis for axis in range(3) if axis != volume.grid.slice_axis]
    edge = np.ones(truth.shape, dtype=bool)
    edge[tuple(slice(1, -1) if axis in across else slice(None) for axis in range(3))] = False
    labels = np.where((near > FGC_FAR_MM) | edge | (held <= FGC_BALL_MM), 2, 0).astype(np.uint8)
    labels[(near <= FGC_BALL_MM) & (near < held)] = 1
    images = [itk.image_from_array(np.ascontiguousarray(array.T)) for array in (volume.voxels, labels)]
    for image in images:
        image.SetSpacing([float(step) for step in volume.grid.spacing_mm])
    grown = itk.fast_grow_cut(images[0], seed_image=images[1])
    return np.asarray(itk.array_from_image(grown).T == 1)


METHODS: dict[str, Callable[[Volume, list[Seed], Region, Growth], Region]] = {
    "automatic": lambda volume, seeds, truth, growth: automatic(growth),
    "tolerance": lambda volume, seeds, truth, growth: best_cut(growth.arrival.values, truth)[1],
    "two sliders": lambda volume, seeds, truth, growth: two_sliders(volume, seeds, truth),
    "sphere": lambda volume, seeds, truth, growth: sphere(volume, seeds, truth),
    "confidence": lambda volume, seeds, truth, growth: confidence_connected(volume, seeds, truth),
    "FastGrowCut": lambda volume, seeds, truth, growth: fast_grow_cut(volume, seeds, truth),
}


def scores(volume: Volume, truth: Region) -> NDArray[np.float64]:
    """``(clicks, methods, 3)``: Dice, HD95 in mm, volume over the truth's."""
    rows = []
    for number, (seeds, growth) in enumerate(session(volume, truth), start=1):
        if number in CLICKS:
            regions = [method(volume, seeds, truth, growth) for method in METHODS.values()]
            spacing = volume.grid.spacing_mm
            rows.append([(dice(truth, r), hd95_mm(truth, r, spacing), r.sum() / truth.sum()) for r in regions])
    return np.array(rows)


def read_cases() -> dict[str, tuple[Volume, Mask]]:
    folder = Path(os.environ["SPINEHUB_TEST_DATA"]) / "d_tumour"
    cases = {}
    for name, (image, label) in CASES.items():
        volume = read_series(folder / image)
        if not isinstance(volume, Volume):
            raise TypeError(f"{image} must be one volume, got {type(volume).__name__}")
        cases[name] = volume, read_mask(folder / label, volume.grid)
    return cases


def one_click(cases: dict[str, tuple[Volume, Mask]]) -> list[float]:
    """Dice of the automatic mask after the first click, for each case."""
    firsts = ((mask.voxels, next(session(volume, mask.voxels))[1]) for volume, mask in cases.values())
    return [dice(truth, automatic(growth)) for truth, growth in firsts]


def stability(cases: dict[str, tuple[Volume, Mask]]) -> None:
    """Print the last table: the automatic Dice with one constant changed at a time, and leave-one-out."""
    rows = {"as shipped": one_click(cases)}
    for module_name, constant, values in VARIATIONS:
        module = importlib.import_module(f"spinehub.growing.{module_name}")
        shipped = getattr(module, constant)
        for value in values:
            setattr(module, constant, value)
            rows[f"{constant.strip('_').lower()} {value:g} (shipped {shipped:g})"] = one_click(cases)
        setattr(module, constant, shipped)
    print("\n| setting | mean automatic Dice, one click |\n|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {np.mean(row):.3f} |")
    table = np.array(list(rows.values()))
    left_out = [table[np.delete(table, n, axis=1).mean(axis=1).argmax(), n] for n in range(table.shape[1])]
    print(f"| chosen by leave-one-out | {np.mean(left_out):.3f} |")


def corrections(cases: dict[str, tuple[Volume, Mask]]) -> None:
    """Print Dice and HD95 of the automatic mask of each case after each click."""
    table = np.empty((len(cases), CLICKS[-1], 3))
    print(f"| clicks | {' | '.join(str(n + 1) for n in range(CLICKS[-1]))} |\n|{'---|' * (CLICKS[-1] + 1)}")
    for row, (name, (volume, mask)) in zip(table, cases.items(), strict=True):
        for entry, (_, growth) in zip(row, session(volume, mask.voxels), strict=True):
            region, truth = automatic(growth), mask.voxels
            entry[:] = dice(truth, region), hd95_mm(truth, region, volume.grid.spacing_mm), region.sum() / truth.sum()
        print(f"| {name} | {' | '.join(f'{overlap:.2f} / {distance:.0f}' for overlap, distance, _ in row)} |")
    print(f"| mean | {' | '.join(f'{overlap:.3f} / {distance:.1f}' for overlap, distance, _ in table.mean(axis=0))} |")
    print(f"Largest volume over the truth's: {table[..., 2].max():.1f}.")


def main() -> None:
    cases = read_cases()
    if sys.argv[1:] == ["--corrections"]:
        corrections(cases)
        return
    table = np.array([scores(volume, mask.voxels) for volume, mask in cases.values()])
    print(f"| one click: Dice / HD95 in mm | {' | '.join(METHODS)} | volume / truth |\n|{'---|' * (len(METHODS) + 2)}")
    for name, row in zip(cases, table[:, 0], strict=True):
        figures = " | ".join(f"{overlap:.2f} / {distance:.0f}" for overlap, distance, _ in row)
        print(f"| {name} | {figures} | {row[0, 2]:.2f} |")
    print(f"\n| mean Dice / mean HD95 in mm | {' | '.join(METHODS)} |\n|{'---|' * (len(METHODS) + 1)}")
    for clicks, row in zip(CLICKS, table.mean(axis=0), strict=True):
        figures = " | ".join(f"{overlap:.3f} / {distance:.1f}" for overlap, distance, _ in row)
        print(f"| {clicks} {'click' if clicks == 1 else 'clicks'} | {figures} |")
    sliders, ball = (table[:, 0, list(METHODS).index(name)] for name in ("two sliders", "sphere"))
    better = int(np.sum(sliders[:, 0] > ball[:, 0])), int(np.sum(sliders[:, 1] < ball[:, 1]))
    print(f"\nTwo sliders beat the best sphere in {better[0]} of {len(cases)} cases in Dice, in {better[1]} in HD95.")
    print(f"Largest automatic volume over the truth's: {table[:, 0, 0, 2].max():.1f} after one click, ", end="")
    print(f"{table[:, :, 0, 2].max():.1f} after any number.")
    stability(cases)


if __name__ == "__main__":
    main()
