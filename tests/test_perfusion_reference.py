"""Reference regions: which voxels a circle holds, and ratios that are true by construction."""

import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion import Reference, assess_timing, compare, reference_mask
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask, Volume

UPTAKE = np.array([0.0, 0.0, 0.5, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9, 0.9])
TIMES = 25.0 * np.arange(10)
LESION, MARROW, DEAD = (8, 8, 2), (8, 20, 2), (20, 20, 2)


def grid() -> Grid:
    """Sagittal slices with permuted and flipped axes, rotated by 20 degrees."""
    angle = np.radians(20.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0, 0, 1.0], [-1.0, 0, 0], [0, 1.0, 0]]) * (1.5, 2.0, 5.0)
    affine[:3, 3] = (5.0, -20.0, 11.0)
    return Grid((30, 28, 5), affine)


def box(place: tuple[int, int, int]) -> Mask:
    voxels = np.zeros(grid().shape, bool)
    voxels[tuple(slice(n - 3, n + 4) if axis < 2 else n for axis, n in enumerate(place))] = True
    return Mask(voxels, grid())


def series() -> DynamicSeries:
    """The lesion rises by 200 %, the marrow by 40 %, everything else by 2 %."""
    rise = np.full(grid().shape, 0.02)
    rise[box(LESION).voxels], rise[box(MARROW).voxels] = 2.0, 0.4
    frames = 100.0 * (1.0 + rise[..., None] * UPTAKE)
    return DynamicSeries(frames.astype(np.float32), grid(), TIMES)


def at(place: tuple[int, int, int], radius_mm: float = 4.0) -> Reference:
    return Reference("marrow", grid().position_of(place), radius_mm)


def test_a_circle_holds_the_voxels_of_its_slice_within_its_radius() -> None:
    mask = reference_mask(at((15, 14, 3), 6.1), grid())
    index = np.stack(np.meshgrid(*map(np.arange, grid().shape), indexing="ij"), axis=-1)
    away = np.hypot((index[..., 0] - 15) * 1.5, (index[..., 1] - 14) * 2.0)
    np.testing.assert_array_equal(mask.voxels, (away <= 6.1) & (index[..., 2] == 3))


def test_the_smallest_circle_holds_one_voxel_and_the_edge_cuts_it() -> None:
    assert reference_mask(at((15, 14, 3), 1.0), grid()).count == 1
    corner = reference_mask(at((0, 0, 0), 5.0), grid())
    assert corner.voxels[0, 0, 0]
    assert 1 < corner.count < reference_mask(at((15, 14, 3), 5.0), grid()).count


def test_ratios_are_those_of_the_curves() -> None:
    image = series()
    found = compare(image, box(LESION), at(MARROW), assess_timing(image))
    assert found.peak_ratio == pytest.approx(5.0, rel=1e-5)
    assert found.early_ratio == pytest.approx(5.0, rel=1e-5)
    assert found.early_at == "45 s after contrast arrival"
    assert found.reason is None
    np.testing.assert_allclose(found.curve.enhancement, 40.0 * UPTAKE, atol=1e-3)


def test_without_times_the_first_frame_after_contrast_stands_for_early() -> None:
    timed = series()
    image = DynamicSeries(timed.frames[..., [1, 2, 3]], timed.grid)
    found = compare(image, box(LESION), at(MARROW), assess_timing(image))
    assert found.early_at == "first frame after contrast"
    assert found.early_ratio == pytest.approx(5.0, rel=1e-5)
    assert found.peak_ratio == pytest.approx(5.0, rel=1e-5)


def test_a_reference_that_hardly_rises_is_no_denominator() -> None:
    image = series()
    found = compare(image, box(LESION), at(DEAD), assess_timing(image))
    assert (found.early_ratio, found.peak_ratio) == (None, None)
    assert "less than 5 %" in (found.reason or "")


def test_one_volume_gives_the_ratio_of_signals() -> None:
    image = Volume(series().frames[..., 4], grid())
    timing = assess_timing(image)
    found = compare(image, box(LESION), at(MARROW), timing)
    assert found.signal_ratio == pytest.approx(300.0 / 140.0, rel=1e-5)
    assert (found.curve, found.peak_ratio) == (None, None)
    assert compare(image, None, at(MARROW), timing).signal_ratio is None


def test_without_a_lesion_there_is_the_curve_alone() -> None:
    image = series()
    found = compare(image, None, at(MARROW), assess_timing(image))
    assert found.curve is not None
    assert found.reason == "No lesion is marked."


@pytest.mark.parametrize(("tissue", "radius_mm"), [("marrow", 0.5), ("marrow", 50.0), ("bone", 4.0)])
def test_what_is_no_circle_is_refused(tissue: str, radius_mm: float) -> None:
    with pytest.raises(InvalidArgumentError, match="reference region"):
        Reference(tissue, (0.0, 0.0, 0.0), radius_mm)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="outside the volume"):
        reference_mask(Reference("muscle", (1e4, 0.0, 0.0)), grid())
