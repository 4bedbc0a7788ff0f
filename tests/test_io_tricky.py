"""Each real, awkward file is either read right or refused in one sentence that says what to do."""

from pathlib import Path

import numpy as np
import pytest

from spinehub.errors import InputRefusedError
from spinehub.io import read_mask, read_series
from spinehub.series import DynamicSeries
from spinehub.volume import Volume

# file: shape with frames, axis codes, sum of the voxels (float64, from nibabel), frame interval in s or None
READ = {
    "gantry_tilt_CT.nii.gz": ((175, 248, 58, 1), "RAS", 95678796.0, None),
    "js_air.hdr.gz": ((79, 67, 64, 1), "AIR", None, None),
    "js_air.img.gz": ((79, 67, 64, 1), "AIR", None, None),
    "js_little.nii.gz": ((64, 64, 21, 1), "LAS", None, None),
    "mirp_uninformative_disconnected_mask.nii.gz": ((8, 8, 8, 1), "LPS", 3.0, None),
    "mirp_uninformative_one_voxel_mask.nii.gz": ((8, 8, 8, 1), "LPS", 1.0, None),
    # Their headers state 2000 s between frames: no frame interval of a scan.
    "nib_example4d.nii.gz": ((128, 96, 24, 2), "LAS", None, None),
    "nib_example_nifti2.nii.gz": ((32, 20, 12, 2), "LAS", None, None),
    "nib_functional.nii": ((17, 21, 3, 20), "LAS", None, 2.0),
    "nib_reoriented_anat_moved.nii": ((21, 26, 22, 1), "RAS", None, None),
    "pcasl_4D.nii.gz": ((52, 68, 20, 10), "RAS", None, 2.54),
    "rn_example_4d.nii.gz": ((96, 96, 60, 3), "LAS", None, 1.0),
    "rs_27_int64.nii": ((3, 3, 3, 1), "RAS", 351.0, None),
    "rs_27_uint8.nii": ((3, 3, 3, 1), "RAS", 351.0, None),
    "rs_minimal.hdr": ((64, 64, 10, 1), "LAS", None, None),
    "rs_minimal.img": ((64, 64, 10, 1), "LAS", None, None),
    "rs_minimal.nii.gz": ((64, 64, 10, 1), "LAS", None, None),
}
REFUSED = {
    "MR_small.dcm": "is a DICOM file; convert the whole DICOM series to NIfTI first, for example with dcm2niix",
    "MR_small_implicit.dcm": "is a DICOM file; convert",
    "no_meta.dcm": "is a DICOM file; convert",
    "mirp_uninformative_empty_mask.nii.gz": "is constant",
    "mirp_uninformative_full_mask.nii.gz": r"is constant \(every voxel is 1\)",
    "mirp_uninformative_uninformative.nii.gz": r"is constant \(every voxel is 1\), so it shows nothing",
    "rs_complex_complex32.nii": "holds complex voxels",
    "rs_rgb_3D.nii": "holds RGB colour voxels, and spinehub reads one real number per voxel; export",
    "rs_rgb_4D.nii": "holds RGB colour voxels",
}


def test_table_names_every_file(shared_data: Path) -> None:
    assert {path.name for path in (shared_data / "e_tricky").iterdir()} == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", sorted(READ))
def test_awkward_file_is_read_as_nibabel_reads_it(shared_data: Path, name: str) -> None:
    import nibabel as nib

    path = shared_data / "e_tricky" / name
    shape, codes, total, interval_s = READ[name]
    image = read_series(path)
    reference = nib.load(path)
    values = image.voxels[..., np.newaxis] if isinstance(image, Volume) else image.frames
    assert values.shape == shape
    assert "".join(image.grid.axis_codes) == codes
    np.testing.assert_array_equal(values, np.asarray(reference.dataobj).reshape(shape).astype(np.float32))
    np.testing.assert_array_equal(image.grid.affine, reference.affine)
    if total is not None:
        assert values.sum(dtype=np.float64) == total
    if isinstance(image, DynamicSeries):
        assert image.frame_interval_s == pytest.approx(interval_s, abs=1e-12)
    assert image.name == name.replace(".img", ".hdr")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_awkward_file_is_refused_in_one_sentence(shared_data: Path, name: str) -> None:
    with pytest.raises(InputRefusedError, match=REFUSED[name]) as refusal:
        read_series(shared_data / "e_tricky" / name)
    message = str(refusal.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert "/" not in message.replace(name, "")


def test_pair_and_single_file_hold_the_same_voxels(shared_data: Path) -> None:
    pair = read_series(shared_data / "e_tricky" / "rs_minimal.hdr")
    single = read_series(shared_data / "e_tricky" / "rs_minimal.nii.gz")
    np.testing.assert_array_equal(pair.voxels, single.voxels)
    assert pair.grid.matches(single.grid)


@pytest.mark.parametrize(
    ("name", "count"),
    [("full", 512), ("disconnected", 3), ("one_voxel", 1)],
)
def test_mask_may_be_constant_or_scattered(shared_data: Path, name: str, count: int) -> None:
    image = read_series(shared_data / "e_tricky" / "mirp_uninformative_one_voxel_mask.nii.gz")
    mask = read_mask(shared_data / "e_tricky" / f"mirp_uninformative_{name}_mask.nii.gz", image.grid)
    assert mask.count == count


@pytest.mark.parametrize("name", ["e_tricky/mirp_uninformative_empty_mask", "d_tumour/prostate_seg_empty"])
def test_empty_mask_is_refused(shared_data: Path, name: str) -> None:
    with pytest.raises(InputRefusedError, match="is an empty mask; draw the lesion in it first"):
        read_mask(shared_data / f"{name}.nii.gz")


def test_gantry_tilt_is_read_as_a_rotation(shared_data: Path) -> None:
    grid = read_series(shared_data / "e_tricky" / "gantry_tilt_CT.nii.gz").grid
    directions = grid.affine[:3, :3] / np.asarray(grid.spacing_mm)
    # The tilt of 16.5 degrees about the left-right axis stands in the affine; this export is not sheared.
    assert np.degrees(np.arccos(directions[1, 1])) == pytest.approx(16.5, abs=0.1)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-6)
    assert grid.index_of(grid.position_of((17, 200, 41))) == (17, 200, 41)


def test_real_files_equal_their_oracles(shared_data: Path) -> None:
    import nibabel as nib
    import SimpleITK as sitk

    for path in sorted(shared_data.glob("[ad]_*/*.nii.gz")):
        if path.name == "prostate_seg_empty.nii.gz":
            continue
        image = read_series(path)
        values = image.voxels if isinstance(image, Volume) else image.frames
        np.testing.assert_array_equal(values, np.asarray(nib.load(path).dataobj).astype(np.float32), err_msg=path.name)
    for path in sorted(shared_data.glob("[bd]_*/*.nrrd")):
        reference = sitk.ReadImage(str(path))
        array = sitk.GetArrayFromImage(reference)
        array = array[..., np.newaxis] if reference.GetNumberOfComponentsPerPixel() == 1 else array
        array = np.nan_to_num(array.transpose(2, 1, 0, 3).astype(np.float32), posinf=0.0, neginf=0.0)
        image = read_series(path)
        values = image.voxels[..., np.newaxis] if isinstance(image, Volume) else image.frames
        np.testing.assert_array_equal(values, array, err_msg=path.name)
        lps = np.asarray(reference.TransformIndexToPhysicalPoint((3, 2, 0)))
        np.testing.assert_allclose(image.grid.position_of((3, 2, 0)), lps * (-1, -1, 1), atol=1e-9)


def test_times_and_protocol_of_a_slicer_multivolume(shared_data: Path) -> None:
    series = read_series(shared_data / "b_dce" / "pk_DRO3min5secinf.nrrd")
    assert isinstance(series, DynamicSeries)
    np.testing.assert_allclose(series.times_s, np.arange(36) * 5.0)
    assert series.protocol.repetition_time_s == pytest.approx(0.005)
    assert series.protocol.echo_time_s == pytest.approx(0.001)
    assert series.protocol.flip_angle_deg == 15.0
    assert series.grid.axis_codes == ("L", "P", "S")
