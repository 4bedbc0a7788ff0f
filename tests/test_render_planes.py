"""Screen <-> voxel conversions and the radiological conventions, on permuted, flipped and oblique grids."""

import itertools

import numpy as np
import pytest

from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.render import OUTLINE_RGB, PLANES, PlaneView, display_window, plane_letters, render_slice
from spinehub.volume import Grid, Mask, Volume

SHAPE = (5, 7, 9)
SPACING = (1.0, 2.0, 3.5)


def rotation(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    a, b = [n for n in range(3) if n != axis]
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


def oblique_grids() -> list[Grid]:
    """All 48 permutations and flips of the axes, tilted by 20 degrees about x and 10 about z."""
    tilt = rotation(0, 20.0) @ rotation(2, 10.0)
    grids = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((-1.0, 1.0), repeat=3):
            matrix = np.zeros((3, 3))
            for array, (patient, sign) in enumerate(zip(order, signs, strict=True)):
                matrix[patient, array] = sign * SPACING[array]
            affine = np.eye(4)
            affine[:3, :3] = tilt @ matrix
            affine[:3, 3] = (-12.0, 30.0, 7.0)
            grids.append(Grid(SHAPE, affine))
    return grids


@pytest.mark.parametrize("plane", PLANES)
def test_pixel_and_voxel_are_inverse_and_agree_with_the_cut(plane):
    values = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    for grid in oblique_grids():
        view = PlaneView.of(grid, plane)
        for index in itertools.product(*(range(n) for n in SHAPE)):
            slice_index, row, column = view.pixel_of(index)
            assert view.voxel_at(slice_index, row, column) == index
        image = view.cut(values, 1)
        assert image.shape == view.image_shape
        assert image[2, 3] == values[view.voxel_at(1, 2, 3)]


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("pixel_mm", [0.5, 1.3])
def test_a_click_on_a_voxel_returns_that_voxel(plane, pixel_mm):
    for grid in oblique_grids()[::7]:
        view = PlaneView.of(grid, plane)
        if pixel_mm > min(view.row_mm, view.column_mm):
            continue  # several voxels share a screen pixel: only the way from the screen is unique
        for index in itertools.product(*(range(n) for n in SHAPE)):
            slice_index, x, y = view.screen_point_of(index, pixel_mm)
            assert view.voxel_at_screen(slice_index, x, y, pixel_mm) == index


@pytest.mark.parametrize("plane", PLANES)
def test_screen_directions_are_radiological(plane):
    left, right, top, bottom = plane_letters(plane)
    axis_of = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    for grid in oblique_grids():
        view = PlaneView.of(grid, plane)
        rows, columns = view.image_shape
        corner = np.array(grid.position_of(view.voxel_at(0, 0, 0)))
        across = np.array(grid.position_of(view.voxel_at(0, 0, columns - 1))) - corner
        down = np.array(grid.position_of(view.voxel_at(0, rows - 1, 0))) - corner
        axis, sign = axis_of[right]
        assert across[axis] * sign > 0
        assert axis_of[left] == (axis, -sign)
        axis, sign = axis_of[bottom]
        assert down[axis] * sign > 0
        assert axis_of[top] == (axis, -sign)


def test_patient_right_is_on_screen_left_and_anterior_left_on_sagittal():
    assert plane_letters("axial") == ("R", "L", "A", "P")
    assert plane_letters("coronal") == ("R", "L", "S", "I")
    assert plane_letters("sagittal") == ("A", "P", "S", "I")


@pytest.mark.parametrize("plane", PLANES)
def test_rendered_slice_keeps_the_aspect_in_mm(plane):
    grid = Grid(SHAPE, np.diag([*SPACING, 1.0]))
    view = PlaneView.of(grid, plane)
    volume = Volume(np.random.default_rng(0).random(SHAPE), grid)
    height, width = render_slice(volume, plane, 2, pixel_mm=0.25).shape[:2]
    assert height * 0.25 == pytest.approx(view.extent_mm[0])
    assert width * 0.25 == pytest.approx(view.extent_mm[1])


def test_outline_surrounds_the_mask_where_the_click_conversion_puts_it():
    grid = Grid(SHAPE, np.diag([*SPACING, 1.0]))
    voxels = np.zeros(SHAPE, dtype=bool)
    voxels[2, 3, 4] = True
    image = render_slice(Volume(np.zeros(SHAPE), grid), "axial", 4, mask=Mask(voxels, grid), pixel_mm=0.25)
    painted = np.argwhere((image == OUTLINE_RGB).all(axis=2))
    _, x, y = PlaneView.of(grid, "axial").screen_point_of((2, 3, 4), 0.25)
    np.testing.assert_allclose(painted.mean(axis=0) + 0.5, (y, x))
    np.testing.assert_array_equal(np.ptp(painted, axis=0) + 1, (2.0 / 0.25, 1.0 / 0.25))
    assert not (image == OUTLINE_RGB).all(axis=2)[int(y), int(x)], "an outline leaves the inside visible"


def test_window_ignores_what_is_not_finite():
    values = np.array([np.nan, np.inf, *range(1001)], dtype=np.float32)
    assert display_window(values) == (10.0, 995.0)
    assert display_window(np.full(3, np.nan)) == (0.0, 1.0)
    assert display_window(np.full(3, 7.0)) == (6.5, 7.5)


def test_not_a_number_is_black():
    grid = Grid((2, 2, 1), np.eye(4))
    image = render_slice(Volume(np.array([[np.nan, 1.0], [0.0, 1.0]])[..., None], grid), "axial", 0, window=(0, 1))
    assert image.min() == 0
    assert image.max() == 255


def test_refusals_name_the_rule():
    grid = Grid(SHAPE, np.eye(4))
    volume = Volume(np.zeros(SHAPE), grid)
    with pytest.raises(InvalidArgumentError, match="slice_index of the axial plane must be between 0 and 8, got 9"):
        render_slice(volume, "axial", 9)
    with pytest.raises(InvalidArgumentError, match="screen point must lie inside"):
        PlaneView.of(grid, "axial").voxel_at_screen(0, -1.0, 0.0, 1.0)
    other = Grid(SHAPE, np.diag([2.0, 1.0, 1.0, 1.0]))
    with pytest.raises(GridMismatchError, match="mask must lie on the grid"):
        render_slice(volume, "axial", 0, mask=Mask(np.ones(SHAPE, dtype=bool), other))
