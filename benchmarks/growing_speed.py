"""Speed of growing: one click on 256x256x16 voxels of 1x1x4 mm with a reach of 60 mm, beside other growers.

    pip install -e ".[bench]"
    OMP_NUM_THREADS=1 python benchmarks/growing_speed.py [ROUNDS]

The image is a phantom: a ball of 20 mm in smoothed noise. All but *stability* run on one thread. The other growers get
the box of the reach, as `grow` cuts it. All are run in turn, ROUNDS times after a first time that is not counted; the
table gives the least and the median wall time, and the least CPU time, which other work on the machine disturbs less.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import flood

from spinehub.growing import Growth, grow, stability
from spinehub.growing.front import march
from spinehub.volume import Grid, Index, Seed, Volume

SHAPE, SPACING_MM, REACH_MM, RADIUS_MM = (256, 256, 16), (1.0, 1.0, 4.0), 60.0, 20.0
CLICK: Index = (120, 130, 8)
SMALL_MS = 10.0


def phantom() -> Volume:
    grid = Grid(SHAPE, np.diag([*SPACING_MM, 1.0]))
    offsets = (np.moveaxis(np.indices(SHAPE), 0, -1) - np.array(CLICK)) * np.array(SPACING_MM)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(0.0, 60.0, SHAPE), (1.5, 1.5, 0.4))
    return Volume(200.0 + 100.0 * (np.linalg.norm(offsets, axis=-1) <= RADIUS_MM) + noise, grid)


def in_reach(volume: Volume) -> tuple[NDArray[np.float32], Index]:
    """Box of the reach, and the click in it."""
    low = [max(n - int(REACH_MM / step), 0) for n, step in zip(CLICK, SPACING_MM, strict=True)]
    high = [n + int(REACH_MM / step) + 1 for n, step in zip(CLICK, SPACING_MM, strict=True)]
    box = tuple(slice(one, other) for one, other in zip(low, high, strict=True))
    i, j, k = (n - one for n, one in zip(CLICK, low, strict=True))
    return np.ascontiguousarray(volume.voxels[box]), (i, j, k)


def itk_image(voxels: NDArray[np.float32]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    image.SetSpacing(SPACING_MM)
    return image


def gradient_and_fast_marching(voxels: NDArray[np.float32], click: Index) -> NDArray[np.float32]:
    gradient = sitk.GradientMagnitudeRecursiveGaussian(itk_image(voxels), sigma=1.0)
    speed = sitk.BoundedReciprocal(gradient)
    return sitk.GetArrayFromImage(sitk.FastMarching(speed, [click])).T


def growers(volume: Volume) -> dict[str, Callable[[], object]]:
    seed = Seed.at_index(CLICK, volume.grid)
    voxels, click = in_reach(volume)
    even = np.ones(voxels.shape, dtype=np.float32)
    growth: Growth = grow(volume, [seed], reach_mm=REACH_MM)
    tolerances = iter(np.resize(np.linspace(1.0, 100.0, 97), 100_000))
    return {
        "grow (arrival, suggestion, leak)": lambda: grow(volume, [seed], reach_mm=REACH_MM),
        "its front alone, once": lambda: march(even, SPACING_MM, [click]),
        "SimpleITK gradient + fast marching": lambda: gradient_and_fast_marching(voxels, click),
        "SimpleITK connected threshold": lambda: sitk.GetArrayFromImage(
            sitk.ConnectedThreshold(itk_image(voxels), [click], lower=250.0, upper=400.0)
        ),
        "scikit-image flood": lambda: flood(voxels, click, tolerance=50.0),
        "a new tolerance (mask)": lambda: growth.mask(float(next(tolerances))),
        "stability, two threads": lambda: stability(volume, [seed], reach_mm=REACH_MM, growth=growth),
    }


def main(rounds: int = 15) -> None:
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    runs = growers(phantom())
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            run()
            if turn > 0:
                wall[name].append(1e3 * (time.perf_counter() - start))
                cpu[name].append(1e3 * (time.process_time() - start_cpu))
    first = min(cpu[next(iter(runs))])
    print("| | least ms | median ms | least CPU ms | CPU, times that of grow |\n|---|---|---|---|---|")
    for name in runs:
        least, median, least_cpu = min(wall[name]), statistics.median(wall[name]), min(cpu[name])
        digits = 2 if least < SMALL_MS else 0
        print(
            f"| {name} | {least:.{digits}f} | {median:.{digits}f} | {least_cpu:.{digits}f} | {least_cpu / first:.2g} |"
        )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
