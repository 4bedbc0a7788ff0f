"""Dynamic series, parametric maps and cases refuse what cannot be true."""

import numpy as np
import pytest

from spinehub.case import Case, Lesion
from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask

GRID = Grid((3, 4, 2), np.diag([1.0, 1.0, 4.0, 1.0]))
FRAMES = np.arange(3 * 4 * 2 * 5, dtype=np.float32).reshape(3, 4, 2, 5)


def test_times_start_at_zero() -> None:
    series = DynamicSeries(FRAMES, GRID, times_s=np.array([3.0, 9.0, 15.0, 21.0, 33.0]))
    assert series.times_s is not None
    np.testing.assert_array_equal(series.times_s, [0.0, 6.0, 12.0, 18.0, 30.0])
    assert series.frame_interval_s == 6.0
    assert series.frame_count == 5


def test_without_times_nothing_is_in_seconds() -> None:
    series = DynamicSeries(FRAMES, GRID, times_s=np.arange(5.0)).without_times()
    assert series.times_s is None
    assert series.frame_interval_s is None


def test_frame_is_a_volume_on_the_same_grid() -> None:
    series = DynamicSeries(FRAMES, GRID, name="a.nii.gz")
    np.testing.assert_array_equal(series.frame(4).voxels, FRAMES[..., 4])
    assert series.frame(4).name == "a.nii.gz"
    with pytest.raises(InvalidArgumentError, match="between 0 and 4, got 5"):
        series.frame(5)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"frames": FRAMES[..., :1]}, "at least 2 frames"),
        ({"frames": FRAMES[:2]}, "shape of the grid"),
        ({"times_s": [0.0, 1.0]}, "5 frames, got 2 times"),
        ({"times_s": [0.0, 1.0, 1.0, 2.0, 3.0]}, "strictly increasing"),
        ({"times_s": [0.0, 1.0, np.nan, 2.0, 3.0]}, "finite"),
        ({"baseline_frames": 0}, "between 1 and 4, got 0"),
        ({"baseline_frames": 5}, "between 1 and 4, got 5"),
    ],
)
def test_impossible_series_are_refused(changes: dict[str, object], match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        DynamicSeries(**({"frames": FRAMES, "grid": GRID} | changes))  # type: ignore[arg-type]


def test_a_map_knows_where_it_is_valid() -> None:
    values = np.zeros(GRID.shape)
    values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
    parametric_map = ParametricMap("washout", "%", values, GRID)
    assert parametric_map.valid.sum() == values.size - 2
    with pytest.raises(InvalidArgumentError, match="shape of the grid"):
        ParametricMap("washout", "%", values[:2], GRID)


def test_case_and_lesion_check_what_they_hold() -> None:
    series = DynamicSeries(FRAMES, GRID)
    inside = Mask(np.ones(GRID.shape, bool), GRID)
    case = Case("c1", "p1", series, (Lesion(inside, diagnosis="metastasis"),))
    assert case.lesions[0].diagnosis == "metastasis"
    with pytest.raises(InvalidArgumentError, match="at least one voxel"):
        Lesion(Mask(np.zeros(GRID.shape, bool), GRID))
    with pytest.raises(InvalidArgumentError, match="got 'myeloma'"):
        Lesion(inside, diagnosis="myeloma")  # type: ignore[arg-type]
    elsewhere = Grid((2, 2, 2), np.eye(4))
    with pytest.raises(GridMismatchError, match="lesion mask"):
        Case("c1", "p1", series, (Lesion(Mask(np.ones((2, 2, 2), bool), elsewhere)),))
