"""Real files: a hospital's own maps of a three-phase examination, and series without contrast."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from spinehub.perfusion import assess_timing, compute_maps, estimate_motion
from spinehub.series import DynamicSeries
from spinehub.volume import Grid

SPACING = np.diag([0.703, 0.703, 2.0, 1.0])


def stack(folder: Path) -> NDArray[np.float64]:
    """Slices of a DICOM folder ordered by position, ``(columns, rows, slices)``, rescaled as stored."""
    slices = sorted((sitk.ReadImage(str(path)) for path in folder.glob("*.dcm")), key=lambda image: image.GetOrigin())
    return np.stack([sitk.GetArrayFromImage(image)[0].T for image in slices], axis=-1).astype(float)


@pytest.fixture(scope="module")
def breast(shared_data: Path) -> tuple[DynamicSeries, NDArray[np.float64], NDArray[np.float64]]:
    """Three phases, and the hospital's percent enhancement and signal enhancement ratio."""
    folder = shared_data / "b_dce" / "breast_UCSF06"
    phases = np.stack([stack(folder / name) for name in ("t0", "t1", "t2")], axis=-1)
    series = DynamicSeries(phases, Grid(phases.shape[:3], SPACING))
    return series, stack(folder / "PE1"), stack(folder / "SER")


def test_maps_equal_the_hospitals_to_rounding(
    breast: tuple[DynamicSeries, NDArray[np.float64], NDArray[np.float64]],
) -> None:
    series, percent, ratio = breast
    maps = compute_maps(series)
    inside = percent != 0
    assert np.count_nonzero(inside) > 20_000
    np.testing.assert_array_equal(np.floor(maps["percent_enhancement"].values[inside]), percent[inside])
    # The stored ratio is a whole number of thousandths and is cut off at 3.
    inside = ratio != 0
    ours = maps["signal_enhancement_ratio"].values[inside]
    below = ratio[inside] < 3.0
    assert np.abs(ours[below] - ratio[inside][below]).max() <= 0.0011
    assert (ours[~below] >= 2.999).all()


def test_three_phases_of_a_patient_are_pre_post_and_enhanced(
    breast: tuple[DynamicSeries, NDArray[np.float64], NDArray[np.float64]],
) -> None:
    timing = assess_timing(breast[0])
    assert (timing.regime, timing.baseline_frames, timing.contrast_enhanced) == ("pre_post", 1, True)


@pytest.mark.parametrize(
    "name",
    [
        "a_spine/cord_dmri_4D.nii.gz",
        "e_tricky/pcasl_4D.nii.gz",
        "e_tricky/nib_functional.nii",
        "e_tricky/nib_example4d.nii.gz",
        "e_tricky/rn_example_4d.nii.gz",
    ],
)
@pytest.mark.parametrize("timed", [True, False])
def test_series_without_contrast_are_flagged(shared_data: Path, name: str, timed: bool) -> None:
    image = nib.load(shared_data / name)
    frames = np.asarray(image.dataobj, dtype=np.float32)
    times = np.arange(frames.shape[3]) * 20.0 if timed else None
    series = DynamicSeries(frames, Grid(frames.shape[:3], image.affine), times)
    timing = assess_timing(series)
    assert timing.contrast_enhanced is False
    assert timing.regime == "pre_post"
    assert 0.0 <= estimate_motion(series, timing) < 2.0
