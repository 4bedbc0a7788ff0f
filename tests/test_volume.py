"""Grid, volume, mask and seed against nibabel and closed forms."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinehub.errors import GridMismatchError, InvalidArgumentError, SpineHubError
from spinehub.volume import Grid, Mask, Seed, Volume


def oblique_grid(degrees: float = 17.0, shape: tuple[int, int, int] = (5, 7, 3)) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [degrees, -9.0, 4.0], degrees=True).as_matrix() @ np.diag(
        [1.5, 1.0, 4.0]
    )
    affine[:3, 3] = (-31.0, 12.5, 80.0)
    return Grid(shape, affine)


def permuted_grid(order: tuple[int, int, int], signs: tuple[int, int, int]) -> Grid:
    affine = np.zeros((4, 4))
    for array, (patient, sign, spacing) in enumerate(zip(order, signs, (1.0, 1.2, 4.0), strict=True)):
        affine[patient, array] = sign * spacing
    affine[3, 3] = 1.0
    return Grid((6, 5, 4), affine)


GRIDS = st.builds(permuted_grid, st.permutations(range(3)).map(tuple), st.tuples(*[st.sampled_from([-1, 1])] * 3))


@given(GRIDS)
def test_axis_codes_agree_with_nibabel(grid: Grid) -> None:
    assert grid.axis_codes == nib.aff2axcodes(grid.affine)


@given(GRIDS, st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 3)))
def test_index_to_position_and_back(grid: Grid, index: tuple[int, int, int]) -> None:
    assert grid.index_of(grid.position_of(index)) == index
    np.testing.assert_allclose(grid.position_of(index), nib.affines.apply_affine(grid.affine, index))


def test_oblique_grid_is_exact() -> None:
    grid = oblique_grid()
    for index in np.ndindex(grid.shape):
        assert grid.index_of(grid.position_of(index)) == index
    np.testing.assert_allclose(grid.spacing_mm, (1.5, 1.0, 4.0))
    assert grid.voxel_volume_ml == pytest.approx(0.006)


def test_sheared_voxels_keep_their_true_volume() -> None:
    affine = np.eye(4)
    affine[0, 2] = 0.5  # gantry tilt: the parallelepiped keeps base times height
    assert Grid((2, 2, 2), affine).voxel_volume_ml == pytest.approx(0.001)


def test_acquired_plane_is_across_the_widest_spacing() -> None:
    grid = permuted_grid((1, 2, 0), (-1, -1, 1))
    assert (grid.slice_axis, grid.acquired_plane) == (2, "sagittal")
    assert grid.array_axis("axial") == 1
    assert permuted_grid((0, 1, 2), (1, 1, 1)).acquired_plane == "axial"


def test_position_outside_is_refused_with_the_bounds() -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    with pytest.raises(InvalidArgumentError, match=r"outside the volume, which spans \(0.0, 0.0, 0.0\) to \(3.0"):
        grid.index_of((0.0, 0.0, 3.6))
    assert grid.index_of((0.0, 0.0, 3.4)) == (0, 0, 3)
    with pytest.raises(InvalidArgumentError, match="three finite numbers"):
        grid.index_of((0.0, float("nan"), 0.0))


@pytest.mark.parametrize("index", [(-1, 0, 0), (0, 7, 0), (0, 0, 3)])
def test_seed_index_outside_is_refused_and_never_wraps(index: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidArgumentError, match="outside the volume, whose voxels run from"):
        Seed.at_index(index, oblique_grid())


def test_seed_needs_whole_numbers_and_finite_positions() -> None:
    with pytest.raises(InvalidArgumentError, match="whole numbers"):
        Seed.at_index((0.5, 0, 0), oblique_grid())  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="finite numbers in mm"):
        Seed.at_position((0.0, 0.0, float("inf")))


def test_seed_round_trip() -> None:
    grid = oblique_grid()
    seed = Seed.at_index((4, 0, 2), grid, background=True)
    assert seed.background
    assert seed.index_on(grid) == (4, 0, 2)


def test_grids_match_within_a_micrometre_only() -> None:
    grid = oblique_grid()
    moved = grid.affine.copy()
    moved[0, 3] += 5e-4
    assert grid.matches(Grid(grid.shape, moved))
    moved[0, 3] += 5e-3
    assert not grid.matches(Grid(grid.shape, moved))
    with pytest.raises(GridMismatchError, match="mask must lie on the grid of the image"):
        grid.require_match(Grid((5, 7, 4), grid.affine))


@pytest.mark.parametrize(
    ("shape", "affine", "match"),
    [
        ((0, 2, 2), np.eye(4), "sizes of at least 1"),
        ((2, 2), np.eye(4), "three sizes"),
        ((2, 2, 2), np.eye(3), "4 x 4"),
        ((2, 2, 2), np.full((4, 4), np.nan), "finite"),
        ((2, 2, 2), np.diag([1.0, 0.0, 1.0, 1.0]), "invertible"),
    ],
)
def test_impossible_grids_are_refused(shape: tuple[int, ...], affine: np.ndarray, match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        Grid(shape, affine)  # type: ignore[arg-type]


def test_mask_measures() -> None:
    grid = Grid((4, 4, 4), np.diag([1.0, 1.0, 4.0, 1.0]))
    voxels = np.zeros(grid.shape, bool)
    voxels[1:3, 1, 2] = True
    mask = Mask(voxels, grid)
    assert (mask.count, mask.volume_ml) == (2, pytest.approx(0.008))
    assert mask.centroid_mm == (1.5, 1.0, 8.0)
    with pytest.raises(InvalidArgumentError, match="empty mask"):
        _ = Mask(np.zeros(grid.shape, bool), grid).centroid_mm


def test_records_cannot_be_changed_and_leave_the_callers_array_alone() -> None:
    grid = Grid((2, 2, 2), np.eye(4))
    voxels = np.zeros((2, 2, 2), np.float32)
    volume = Volume(voxels, grid)
    with pytest.raises(ValueError, match="read-only"):
        volume.voxels[0, 0, 0] = 1.0
    voxels[0, 0, 0] = 1.0  # the caller's own array stays writable
    with pytest.raises(InvalidArgumentError, match=r"shape of the grid \(2, 2, 2\), got \(2, 2\)"):
        Volume(np.zeros((2, 2)), grid)


def test_every_error_is_a_spinehub_error() -> None:
    assert issubclass(InvalidArgumentError, SpineHubError)
    assert issubclass(GridMismatchError, SpineHubError)
