"""The simulator beside real spine scans: the same region with each scan's voxels and, nearly, its weighting.

    SPINEHUB_TEST_DATA=FOLDER python benchmarks/simulator_realism.py [PICTURE]

Weighting: T1-weighted scans by the spoiled-gradient-echo equation that all cases use; T2-weighted ones approximately
(one spin echo, ``(1 - exp(-TR/T1)) exp(-TE/T2)``, T2 from the literature or assumed, no flow, no stimulated echoes).
The real sequences' TR, TE and flip angles are not known, so contrast is only alike. Three simulated people per scan.

Both sides are measured by the same code: the autocorrelation of what a Gaussian blur (2 voxels) leaves of the flattest
patches; the 10 to 90 % width of the strongest edges; the slope of the radial power spectrum between 0.1 and 0.8 of the
Nyquist frequency; sizes from masks; and how well a small classifier tells real from simulated patches of 16 x 16
voxels (21 figures per patch, logistic regression and random forest, each scan with its simulated partners left out in
turn; 0.5 would be indistinguishable).
"""

import os
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import kurtosis, skew
from simulator_sizes import Image, sizes, turned

from spinehub.simulate import CaseRecipe, draw_recipe
from spinehub.simulate.artefacts import coil_sensitivity
from spinehub.simulate.kspace import Receiver, sampling_of
from spinehub.simulate.scene import Scene, paint_scene
from spinehub.simulate.signal import spoiled_gradient_echo
from spinehub.simulate.spine import SpineGeometry
from spinehub.simulate.tissues import FAT_DENSITY, WATER_TISSUES, tissue_table

PATCH = 16
T2_S = {
    "muscle": 0.029, "cord": 0.102, "csf": 1.578, "disc_young": 0.102, "disc_dry": 0.056, "marrow": 0.049,
    "ligament": 0.010, "bone": 0.003, "artery": 0.0, "vein": 0.0, "organ": 0.050, "wall": 0.040, "lung": 0.010,
    "skin": 0.030,
}  # fmt: skip
"""Muscle, marrow (de Bazelaire 2004), cord, CSF, discs (SyMRI in 32 spines); blood is void by flow; others assumed."""
FAT_T1_S, FAT_T2_S = 0.382, 0.068


@dataclass(frozen=True)
class Scan:
    """A real scan and what is simulated beside it.

    Parameters
    ----------
    file
        Name in the folder of spine scans.
    plane, level
        Of acquisition; vertebra in the middle.
    sequence
        ``(TR s, flip angle)`` of a spoiled gradient echo, or ``(TR s, TE s)`` of a spin echo (both assumed).
    t2
        Whether it is the latter.
    centre_mm
        Of the field of view from the vertebra's centre: x right, y anterior, z superior.
    age_years
        Assumed.
    """

    file: str
    plane: str
    level: str
    sequence: tuple[float, float]
    t2: bool
    centre_mm: tuple[float, float, float]
    age_years: float = 35.0


SCANS = (
    Scan("cervical_T1w_1mm", "sagittal", "C5", (0.009, 9.0), False, (0.0, -14.0, 0.0)),
    Scan("cervical_T2w_1mm", "sagittal", "C4", (1.5, 0.12), True, (0.0, -12.0, 0.0)),
    Scan("cervical_MT1_axial", "axial", "C5", (0.035, 9.0), False, (0.0, -20.0, 0.0)),
    Scan("vertebra_T2w_crop", "sagittal", "L2", (3.0, 0.10), True, (0.0, -15.0, 0.0)),
    Scan("trunk_MR_3mm", "axial", "L1", (0.005, 12.0), False, (0.0, 20.0, 0.0), 55.0),
)


def real_image(folder: Path, scan: Scan) -> tuple[Image, tuple[float, float, float]]:
    """A scan in the axis order of the simulator, with its spacing."""
    return turned(folder / f"{scan.file}.nii.gz", scan.plane)


def simulated(scan: Scan, shape: tuple[int, int, int], spacing: tuple[float, float, float], number: int, snr: float):
    """One simulated person with a scan's voxels and weighting: image, scene, geometry."""
    drawn = draw_recipe(4100 + number, SCANS.index(scan), plane=scan.plane)
    anatomy = replace(drawn.anatomy, level=scan.level, collapse=0.0)
    protocol = replace(
        drawn.protocol, matrix=shape, spacing_mm=spacing, centre_mm=scan.centre_mm, tilt_deg=(0.0, 0.0, 0.0),
        field_strength_t=3.0,
    )  # fmt: skip
    recipe = replace(drawn, anatomy=anatomy, protocol=protocol)
    geometry = SpineGeometry(anatomy)
    scene = paint_scene(recipe, geometry)
    signal = weighted(recipe, scene, scan) * coil_sensitivity(recipe)
    receiver = Receiver(sampling_of(protocol), bright(signal) / snr, np.random.default_rng(number))
    return receiver.image(signal.astype(np.float32)), scene, geometry


def weighted(recipe: CaseRecipe, scene: Scene, scan: Scan) -> Image:
    """Ideal signal of a scene."""
    table = tissue_table(recipe)
    repetition, second = scan.sequence
    total = np.zeros(recipe.protocol.matrix)
    for name in (*WATER_TISSUES, "fat"):
        fat = name == "fat"
        t1, density = (FAT_T1_S, FAT_DENSITY) if fat else (table[name].t1_s, table[name].proton_density)
        if scan.t2:
            t2 = FAT_T2_S if fat else T2_S[name]
            level = (1.0 - np.exp(-repetition / t1)) * (np.exp(-second / t2) if t2 > 0 else 0.0)
        else:
            level = float(spoiled_gradient_echo(1.0 / t1, repetition, second))
            level *= 1.0 if fat else float(np.exp(-0.003 / table[name].t2s_s))
        total += density * level * scene.shares[name]
    return total.astype(np.float32)


def body_of(image: Image) -> NDArray[np.bool_]:
    """Voxels well above air."""
    return gaussian_filter(image, 1.0) > 0.25 * np.percentile(image, 90.0)


def noise_correlation(image: Image) -> list[float]:
    """Correlation at 1, 2 and 3 voxels in the plane, in the flattest tenth of the patches."""
    rest = image - gaussian_filter(image, (2.0, 2.0, 0.0))
    patches = [rest[where] for where in patch_places(image)]
    spread = np.array([patch.std() for patch in patches])
    flat = [patch for patch, value in zip(patches, spread, strict=True) if value <= np.quantile(spread, 0.1)]
    found = []
    for lag in (1, 2, 3):
        pairs = [(p[lag:], p[:-lag]) for p in flat] + [(p[:, lag:], p[:, :-lag]) for p in flat]
        top = sum(float((a * b).sum()) for a, b in pairs)
        found.append(top / sum(0.5 * float((a**2).sum() + (b**2).sum()) for a, b in pairs))
    return found


def edge_width_mm(image: Image, spacing: tuple[float, float, float]) -> float:
    """Median 10 to 90 % width of the strongest edges along the first two axes."""
    widths = []
    for axis in (0, 1):
        rows = np.moveaxis(image, axis, -1).reshape(-1, image.shape[axis])
        step = np.abs(np.diff(rows, axis=1))
        step[:, :5], step[:, -5:] = 0.0, 0.0
        strongest = np.argwhere(step >= np.quantile(step, 0.995))[:3000]
        for row, place in strongest:
            profile = rows[row, place - 3 : place + 5]
            profile = profile if profile[-1] > profile[0] else profile[::-1]
            low, high = profile[:4].min(), profile[4:].max()
            if high <= low:
                continue
            begin, end = int(np.argmin(profile[:4])), 4 + int(np.argmax(profile[4:]))
            ramp = (profile[begin : end + 1] - low) / (high - low)
            if (np.diff(ramp) >= 0).all() and ramp.size > 1:
                ten, ninety = np.interp([0.1, 0.9], ramp, np.arange(ramp.size))
                widths.append((ninety - ten) * spacing[axis])
    return float(np.median(widths))


def spectrum_slope(image: Image) -> float:
    """Slope of log power against log frequency, mean over the slices, between 0.1 and 0.8 of Nyquist."""
    rows, columns, _ = image.shape
    window = np.hanning(rows)[:, None] * np.hanning(columns)[None]
    radius = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None]) / 0.5
    power = np.mean(
        [np.abs(np.fft.fft2((part - part.mean()) * window)) ** 2 for part in np.moveaxis(image, 2, 0)], axis=0
    )
    edges = np.geomspace(0.1, 0.8, 9)
    means = [power[(radius >= low) & (radius < high)].mean() for low, high in pairwise(edges)]
    return float(np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(means), 1)[0])


def patch_places(image: Image) -> list[tuple[slice, slice, int]]:
    """Patches that lie in the body."""
    body = body_of(image)
    rows, columns, slices = image.shape
    places = []
    for k in range(slices):
        for i in range(0, rows - PATCH + 1, PATCH // 2):
            for j in range(0, columns - PATCH + 1, PATCH // 2):
                where = (slice(i, i + PATCH), slice(j, j + PATCH), k)
                if body[where].mean() > 0.6:
                    places.append(where)
    return places


def patch_figures(patch: Image) -> list[float]:
    """Numbers about one patch that do not depend on its scale."""
    values = patch / max(float(patch.mean()), 1e-6)
    rest = values - values.mean()
    steps = np.concatenate([np.abs(np.diff(values, axis=0)).ravel(), np.abs(np.diff(values, axis=1)).ravel()])
    curve = np.abs(values[2:] - 2 * values[1:-1] + values[:-2]).mean()
    variance = max(float(rest.var()), 1e-9)
    lags = [float((rest[n:] * rest[:-n]).mean() / variance) for n in (1, 2, 3, 4)]
    lags += [float((rest[:, n:] * rest[:, :-n]).mean() / variance) for n in (1, 2, 3, 4)]
    power = np.abs(np.fft.fft2(rest)) ** 2
    radius = np.hypot(np.fft.fftfreq(PATCH)[:, None], np.fft.fftfreq(PATCH)[None])
    bands = [
        power[(radius >= a) & (radius < a + 0.1)].sum() / max(power.sum(), 1e-9) for a in (0.0, 0.1, 0.2, 0.3, 0.4)
    ]
    quantiles = np.quantile(steps, [0.5, 0.9, 0.99]) / max(float(steps.mean()), 1e-9)
    shape = [float(skew(values, axis=None)), float(kurtosis(values, axis=None))]
    return [float(values.std()), float(steps.mean()), float(curve), *shape, *lags, *bands, *map(float, quantiles)]


def classifier_auc(real: list[Image], fake: list[list[Image]]) -> dict[str, tuple[float, list[float]]]:
    """Mean and single AUC over the scans left out."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    rows, truth, group = [], [], []
    for number, (one, many) in enumerate(zip(real, fake, strict=True)):
        for image, kind in ((one, 1), *((other, 0) for other in many)):
            places = patch_places(image)
            most = 300 if kind else 300 // len(many)
            chosen = rng.permutation(len(places))[:most]
            rows += [patch_figures(image[places[place]]) for place in chosen]
            truth += [kind] * len(chosen)
            group += [number] * len(chosen)
    figures, answers, groups = np.nan_to_num(np.array(rows)), np.array(truth), np.array(group)
    models = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "random forest": RandomForestClassifier(200, min_samples_leaf=5, random_state=0),
    }
    found = {}
    for name, model in models.items():
        single = []
        for left in range(len(real)):
            model.fit(figures[groups != left], answers[groups != left])
            held = groups == left
            single.append(float(roc_auc_score(answers[held], model.predict_proba(figures[held])[:, 1])))
        found[name] = (float(np.mean(single)), single)
    return found


def bright(image: Image) -> float:
    """Signal of bright tissue: the 90th percentile of all voxels."""
    return float(np.percentile(image, 90.0))


def noise_level(image: Image) -> float:
    """Signal of bright tissue over the spread of what a blur leaves in the flattest patches."""
    rest = image - gaussian_filter(image, (2.0, 2.0, 0.0))
    places = patch_places(image)
    spread = np.array([rest[where].std() for where in places])
    flat = [where for where, value in zip(places, spread, strict=True) if value <= np.quantile(spread, 0.1)]
    return bright(image) / float(np.median([rest[where].std() for where in flat]))


def matched_snr(scan: Scan, image: Image, spacing: tuple[float, float, float]) -> float:
    """Signal over noise to simulate, so that noise and texture together read as they do in the real scan.

    What the flattest patches vary by is noise and texture: variances add, and the texture's share is read from a
    simulated person without noise. Texture stronger than all of the real variation leaves a tenth of it for the noise.
    """
    shape = (image.shape[0], image.shape[1], image.shape[2])
    wanted = noise_level(image) ** -2.0
    clean = noise_level(simulated(scan, shape, spacing, 0, 1e6)[0]) ** -2.0
    noisy = noise_level(simulated(scan, shape, spacing, 0, wanted**-0.5)[0]) ** -2.0
    share = np.clip((wanted - clean) / (noisy - clean), 0.1, 1.0)
    return float((share * wanted) ** -0.5)


def picture(path: Path, real: list[Image], fake: list[list[Image]], steps: list[tuple[float, ...]]) -> None:
    """Real scans above, simulated ones below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(real), figsize=(2.5 * len(real), 5.6))
    for column, scan in enumerate(SCANS):
        for row, image in ((0, real[column]), (1, fake[column][0])):
            part = image[:, :, image.shape[2] // 2].T
            place = axes[row, column]
            place.imshow(
                part, cmap="gray", vmin=0, vmax=np.percentile(part, 99.5), aspect=steps[column][1] / steps[column][0]
            )
            place.set_axis_off()
            place.set_title(f"{'real' if row == 0 else 'simulated'}: {scan.file}", fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(output: str = "docs/simulator_realism.png") -> None:
    """Print the tables and save the picture."""
    folder = Path(os.environ["SPINEHUB_TEST_DATA"]) / "a_spine"
    real, fake, steps = [], [], []
    print("| scan | | correlation at 1, 2, 3 voxels | edge 10-90 %, mm | spectrum slope |\n|---|---|---|---|---|")
    for scan in SCANS:
        image, spacing = real_image(folder, scan)
        image = np.maximum(image, 0.0)
        snr = matched_snr(scan, image, spacing)
        shape = (image.shape[0], image.shape[1], image.shape[2])
        people = [simulated(scan, shape, spacing, number, snr)[0] for number in range(3)]
        real.append(image)
        fake.append(people)
        steps.append(spacing)
        for name, images in (("real", [image]), ("simulated", people)):
            lags = np.mean([noise_correlation(one) for one in images], axis=0)
            edge = np.mean([edge_width_mm(one, spacing) for one in images])
            slope = np.mean([spectrum_slope(one) for one in images])
            correlation = ", ".join(f"{lag:.2f}" for lag in lags)
            print(f"| {scan.file} | {name} | {correlation} | {edge:.2f} | {slope:.2f} |", flush=True)
    print("\n| size | real | simulated, 12 people |\n|---|---|---|")
    print("\n".join(sizes(folder)))
    print(
        "\n| classifier | mean AUC | " + " | ".join(scan.file for scan in SCANS) + " |\n|---|---|" + "---|" * len(SCANS)
    )
    for name, (mean, single) in classifier_auc(real, fake).items():
        print(f"| {name} | {mean:.2f} | " + " | ".join(f"{value:.2f}" for value in single) + " |")
    picture(Path(output), real, fake, steps)


if __name__ == "__main__":
    main(*sys.argv[1:])
