"""A voxel stays where it is: positions, indices, masks, against nibabel and SimpleITK."""

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from spinehub.io import read_mask, read_series, write_mask
from spinehub.volume import Grid, Mask, Volume

SHAPE = (5, 7, 4)
SPACING = (0.9, 1.4, 4.5)
MARK = (3, 1, 2)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    a, b, c = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def oblique_affine(order: tuple[int, ...] = (0, 1, 2), signs: tuple[int, ...] = (1, 1, 1)) -> np.ndarray:
    axes = np.eye(3)[:, list(order)] * signs
    affine = np.eye(4)
    affine[:3, :3] = rotation((12.0, -7.0, 21.0)) @ axes * SPACING
    affine[:3, 3] = (-31.5, 12.25, 101.0)
    return affine


def marked_voxels() -> np.ndarray:
    voxels = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    voxels[MARK] = 1000.0
    return voxels


def save_nifti(path: Path, affine: np.ndarray, qform: int, sform: int) -> None:
    image = nib.Nifti1Image(marked_voxels(), affine)
    image.header.set_qform(affine, qform)
    image.header.set_sform(affine, sform)
    image.header["pixdim"][1:4] = SPACING
    nib.save(image, path)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_click_at_a_position_returns_the_voxel_in_every_orientation(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    affine = oblique_affine(order, signs)
    save_nifti(tmp_path / "x.nii", affine, 1, 1)
    volume = read_series(tmp_path / "x.nii")
    assert isinstance(volume, Volume)
    position = affine[:3, :3] @ MARK + affine[:3, 3]
    assert volume.grid.index_of(tuple(position)) == MARK
    assert volume.voxels[volume.grid.index_of(tuple(position))] == 1000.0
    np.testing.assert_array_equal(volume.grid.affine, nib.load(tmp_path / "x.nii").affine)
    image = sitk.ReadImage(str(tmp_path / "x.nii"))
    index = image.TransformPhysicalPointToIndex([float(v) for v in position * (-1, -1, 1)])
    assert index == MARK
    assert image.GetPixel(*index) == 1000.0


@pytest.mark.parametrize(("qform", "sform"), [(1, 1), (0, 1), (1, 0)])
def test_either_form_is_enough(tmp_path: Path, qform: int, sform: int) -> None:
    affine = oblique_affine((2, 0, 1), (1, -1, 1))
    save_nifti(tmp_path / "x.nii.gz", affine, qform, sform)
    grid = read_series(tmp_path / "x.nii.gz").grid
    np.testing.assert_allclose(grid.affine, affine, atol=1e-5)  # float32 in the header
    np.testing.assert_array_equal(grid.affine, nib.load(tmp_path / "x.nii.gz").affine)


def test_sform_wins_where_the_forms_disagree(tmp_path: Path) -> None:
    affine = oblique_affine()
    image = nib.Nifti1Image(marked_voxels(), affine)
    image.header.set_sform(affine, 1)
    image.header.set_qform(np.diag([-2.0, 2.0, 2.0, 1.0]), 1)
    nib.save(image, tmp_path / "x.nii")
    np.testing.assert_allclose(read_series(tmp_path / "x.nii").grid.affine, affine, atol=1e-5)


def test_without_any_form_the_voxel_sizes_of_nibabel_are_kept(tmp_path: Path) -> None:
    image = nib.Nifti1Image(marked_voxels(), None)
    image.header["pixdim"][1:4] = SPACING
    nib.save(image, tmp_path / "x.nii")
    grid = read_series(tmp_path / "x.nii").grid
    np.testing.assert_array_equal(grid.affine, nib.load(tmp_path / "x.nii").affine)
    np.testing.assert_allclose(grid.spacing_mm, SPACING, rtol=1e-6)


def test_sheared_grid_is_exact_and_its_mask_too(tmp_path: Path) -> None:
    affine = oblique_affine()
    affine[:3, 2] += 0.4 * affine[:3, 1]  # gantry tilt: slices slide over each other
    image = nib.Nifti1Image(marked_voxels(), affine)
    image.header.set_qform(None, 0)
    nib.save(image, tmp_path / "x.nii")
    grid = read_series(tmp_path / "x.nii").grid
    np.testing.assert_allclose(grid.affine, affine, atol=1e-5)
    assert grid.index_of(grid.position_of(MARK)) == MARK
    write_mask(Mask(marked_voxels() == 1000.0, grid), tmp_path / "mask.nii.gz")
    written = nib.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(written.affine, grid.affine)
    assert int(written.header["qform_code"]) == 0  # a quaternion cannot hold shear
    assert read_mask(tmp_path / "mask.nii.gz", grid).voxels[MARK]


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5])
def test_written_mask_overlays_in_nibabel_and_simpleitk(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    save_nifti(tmp_path / "x.nii.gz", oblique_affine(order, signs), 1, 1)
    grid = read_series(tmp_path / "x.nii.gz").grid
    write_mask(Mask(marked_voxels() == 1000.0, grid), tmp_path / "mask.nii.gz")
    written = nib.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(written.affine, nib.load(tmp_path / "x.nii.gz").affine)
    assert np.argwhere(np.asarray(written.dataobj)).tolist() == [list(MARK)]
    image, mask = (sitk.ReadImage(str(tmp_path / name)) for name in ("x.nii.gz", "mask.nii.gz"))
    # SimpleITK derives its geometry from the float32 header: 1e-5 mm.
    assert mask.GetSize() == image.GetSize()
    np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(mask.GetSpacing(), image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(mask.GetDirection(), image.GetDirection(), atol=1e-6)
    assert mask.GetPixel(*MARK) == 1


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::7])
def test_lps_formats_agree_with_nifti_and_simpleitk(
    tmp_path: Path, ending: str, compressed: bool, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    ras = oblique_affine(order, signs)
    lps = LPS @ ras
    image = sitk.GetImageFromArray(marked_voxels().T)
    image.SetSpacing(SPACING)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / SPACING).ravel().tolist())
    path = tmp_path / f"x.{ending}"
    sitk.WriteImage(image, str(path), compressed)
    volume = read_series(path)
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume.voxels, marked_voxels())
    np.testing.assert_allclose(volume.grid.affine, ras, atol=1e-6)  # decimals of the text header
    assert volume.grid.index_of(volume.grid.position_of(MARK)) == MARK
    point = np.asarray(image.TransformIndexToPhysicalPoint(MARK))
    np.testing.assert_allclose(volume.grid.position_of(MARK), point * (-1, -1, 1), atol=1e-6)


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
def test_a_mask_in_any_format_fits_the_image_it_was_drawn_on(tmp_path: Path, ending: str) -> None:
    save_nifti(tmp_path / "x.nii.gz", oblique_affine(), 1, 1)
    grid = read_series(tmp_path / "x.nii.gz").grid
    image = sitk.ReadImage(str(tmp_path / "x.nii.gz")) > 500
    sitk.WriteImage(image, str(tmp_path / f"mask.{ending}"))
    mask = read_mask(tmp_path / f"mask.{ending}", grid)
    assert np.argwhere(mask.voxels).tolist() == [list(MARK)]
    assert mask.grid is grid


def test_grid_of_a_series_of_vector_pixels(tmp_path: Path) -> None:
    frames = np.random.default_rng(3).normal(size=(*SHAPE, 6)).astype(np.float32)
    image = sitk.GetImageFromArray(frames.transpose(2, 1, 0, 3), isVector=True)
    image.SetSpacing(SPACING)
    for ending in ("nrrd", "mha"):
        sitk.WriteImage(image, str(tmp_path / f"x.{ending}"))
        series = read_series(tmp_path / f"x.{ending}")
        np.testing.assert_array_equal(series.frames, frames)
        np.testing.assert_allclose(series.grid.affine, np.diag([-0.9, -1.4, 4.5, 1.0]))


def test_series_of_four_dimensional_itk_images(tmp_path: Path) -> None:
    volumes = [marked_voxels() + index for index in range(3)]
    images = []
    for voxels in volumes:
        image = sitk.GetImageFromArray(voxels.T)
        image.SetSpacing(SPACING)
        image.SetOrigin((5.0, 6.0, 7.0))
        images.append(image)
    joined = sitk.JoinSeries(images, 0.0, 6.0)
    for ending in ("nrrd", "mha", "nii.gz"):
        sitk.WriteImage(joined, str(tmp_path / f"x.{ending}"))
        series = read_series(tmp_path / f"x.{ending}")
        np.testing.assert_array_equal(series.frames, np.stack(volumes, axis=-1))
        expected = Grid(SHAPE, LPS @ np.array([[0.9, 0, 0, 5], [0, 1.4, 0, 6], [0, 0, 4.5, 7], [0, 0, 0, 1]]))
        assert series.grid.matches(expected)
