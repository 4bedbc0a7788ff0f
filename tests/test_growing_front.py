"""The front against closed forms, SimpleITK, and the equation it solves."""

import math

import numba
import numpy as np
import pytest
import SimpleITK as sitk

from spinehub.growing.compiled import compiled
from spinehub.growing.front import march

SPACING = (1.0, 1.5, 4.0)
SHAPE = (21, 17, 9)


def noisy_slowness(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    slowness = np.exp(rng.normal(0.0, 1.5, SHAPE)).astype(np.float32)
    slowness[rng.random(SHAPE) < 0.1] = np.inf
    slowness[10, 8, 4] = slowness[3, 3, 3] = 1.0
    return slowness


def test_along_a_line_time_is_the_sum_of_the_slowness() -> None:
    slowness = np.array([1.0, 2.0, 5.0, 0.5], dtype=np.float32).reshape(1, 4, 1)
    times = march(slowness, (9.0, 1.5, 9.0), [(0, 0, 0)])
    np.testing.assert_allclose(times.ravel(), [0.0, 3.0, 10.5, 11.25])


def test_a_front_from_a_face_is_flat() -> None:
    starts = [(0, j, k) for j in range(17) for k in range(9)]
    times = march(np.full(SHAPE, 2.0, np.float32), SPACING, starts)
    np.testing.assert_allclose(times, np.broadcast_to(2.0 * np.arange(21.0)[:, None, None], SHAPE), rtol=1e-6)


def test_from_a_point_time_is_close_to_distance() -> None:
    times = march(np.ones((41, 41, 41), np.float32), (1.0, 1.0, 1.0), [(20, 20, 20)])
    distance = np.linalg.norm(np.moveaxis(np.indices((41, 41, 41)), 0, -1) - 20, axis=-1)
    far = distance > 8.0
    assert (times >= distance - 1e-4).all(), "a first-order front is never early"
    assert (times[far] / distance[far]).max() < 1.15


@pytest.mark.parametrize("seed", range(4))
def test_times_equal_those_of_another_implementation(seed: int) -> None:
    slowness = noisy_slowness(seed)
    starts = [(10, 8, 4), (3, 3, 3)]
    speed = np.where(np.isfinite(slowness), 1.0 / slowness, 0.0).astype(np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(speed.T))
    image.SetSpacing(SPACING)
    fast_marching = sitk.FastMarchingImageFilter()
    fast_marching.SetTrialPoints(starts)
    expected = sitk.GetArrayFromImage(fast_marching.Execute(image)).T
    times = march(slowness, SPACING, starts)
    np.testing.assert_array_equal(np.isfinite(times), expected < 1e30)
    np.testing.assert_allclose(times[expected < 1e30], expected[expected < 1e30], rtol=1e-5)


def test_times_solve_the_upwind_equation() -> None:
    slowness = noisy_slowness(7)
    times = march(slowness, SPACING, [(10, 8, 4)]).astype(np.float64)
    padded = np.pad(times, 1, constant_values=np.inf)
    squares = np.zeros(SHAPE)
    for axis, step in enumerate(SPACING):
        before = np.take(padded, range(SHAPE[axis]), axis)
        after = np.take(padded, range(2, SHAPE[axis] + 2), axis)
        inner = tuple(slice(None) if n == axis else slice(1, -1) for n in range(3))
        earliest = np.minimum(before, after)[inner]
        upwind = np.where(earliest < times, times - np.where(np.isfinite(earliest), earliest, 0.0), 0.0)
        squares += np.where(np.isfinite(times), upwind / step, 0.0) ** 2
    reached = np.isfinite(times) & (times > 0)
    np.testing.assert_allclose(np.sqrt(squares[reached]), slowness[reached], rtol=1e-3)


def test_a_wall_is_not_passed_and_nothing_is_entered_diagonally() -> None:
    slowness = np.ones((3, 3, 1), np.float32)
    slowness[1, 0] = slowness[0, 1] = np.inf
    times = march(slowness, SPACING, [(0, 0, 0)])
    assert np.isfinite(times).sum() == 1


@pytest.mark.parametrize("until", [0.0, 3.0, 9.0])
def test_stopping_early_leaves_out_what_is_late_and_changes_nothing_else(until: float) -> None:
    slowness = noisy_slowness(1)
    whole = march(slowness, SPACING, [(10, 8, 4)])
    part = march(slowness, SPACING, [(10, 8, 4)], until=until)
    np.testing.assert_array_equal(part, np.where(whole <= until, whole, np.inf))


def test_times_of_very_different_size_are_in_order() -> None:
    slowness = noisy_slowness(5)
    slowness[12:] *= 1e12
    times = march(slowness, SPACING, [(10, 8, 4)])
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.where(np.isfinite(slowness), 1 / slowness, 0).T))
    image.SetSpacing(SPACING)
    expected = sitk.GetArrayFromImage(sitk.FastMarching(image, [(10, 8, 4)], stoppingValue=1e30)).T
    reached = np.isfinite(times)
    np.testing.assert_allclose(times[reached], expected[reached], rtol=1e-4)


def test_without_starts_nothing_is_reached() -> None:
    assert not np.isfinite(march(np.ones(SHAPE, np.float32), SPACING, [])).any()


def test_flips_change_nothing() -> None:
    slowness = noisy_slowness(2)
    times = march(slowness, SPACING, [(10, 8, 4)])
    turned = march(np.ascontiguousarray(slowness[::-1, :, ::-1]), SPACING, [(10, 8, 4)])
    np.testing.assert_allclose(turned[::-1, :, ::-1], times, rtol=1e-6)
    assert math.isclose(times[10, 8, 4], 0.0)


def test_where_compiled_code_cannot_be_kept_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def refuse_cache(cache: bool = False, **options: bool) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", refuse_cache)
    assert compiled(lambda number: number + 1)(2) == 3
