"""Masks: overlap and distances against brute force and figures known by construction."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spinehub import metrics
from spinehub.errors import InvalidArgumentError

MASKS = hnp.arrays(np.bool_, (4, 5, 3))


def box(shape, *corners):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(low, high) for low, high in corners)] = True
    return mask


def test_overlap_of_two_known_boxes():
    truth = box((10, 10, 1), (0, 4), (0, 5), (0, 1))  # 20 voxels
    found = box((10, 10, 1), (2, 6), (0, 5), (0, 1))  # 20 voxels, 10 shared
    assert metrics.dice(truth, found) == pytest.approx(0.5)
    assert metrics.iou(truth, found) == pytest.approx(10 / 30)
    assert metrics.pixel_accuracy(truth, found) == pytest.approx(0.8)
    assert metrics.empty_mask_pixel_accuracy(truth) == pytest.approx(0.8)
    assert metrics.gap_closed(truth, found) == pytest.approx(0.0)
    assert metrics.volume_error(truth, found, (1, 1, 1)) == 0


@settings(max_examples=50, deadline=None)
@given(MASKS, MASKS)
def test_overlap_properties(truth, found):
    dice, iou = metrics.dice(truth, found), metrics.iou(truth, found)
    assert dice == metrics.dice(found, truth)
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert metrics.pixel_accuracy(truth, found) == pytest.approx(1 - np.mean(truth ^ found))
    if truth.any():
        wrong = np.count_nonzero(truth ^ found) / np.count_nonzero(truth)
        assert metrics.gap_closed(truth, found) == pytest.approx(1 - wrong)


def test_empty_masks():
    empty, full = np.zeros((2, 2, 2), bool), np.ones((2, 2, 2), bool)
    assert metrics.dice(empty, empty) == metrics.iou(empty, empty) == 1.0
    assert metrics.dice(full, empty) == metrics.iou(full, empty) == 0.0
    assert metrics.gap_closed(full, empty) == 0.0
    assert math.isnan(metrics.gap_closed(empty, full))
    assert metrics.hd95_mm(empty, empty, (1, 1, 1)) == metrics.surface_distance_mm(empty, empty, (1, 1, 1)) == 0.0
    assert metrics.hd95_mm(full, empty, (1, 1, 1)) == math.inf
    assert metrics.surface_distance_mm(empty, full, (1, 1, 1)) == math.inf


def test_an_empty_mask_scores_a_high_pixel_accuracy_on_a_small_lesion():
    truth = box((50, 50, 4), (0, 10), (0, 20), (0, 1))
    assert metrics.pixel_accuracy(truth, np.zeros_like(truth)) == metrics.empty_mask_pixel_accuracy(truth) == 0.98


def surface_points(mask, spacing):
    """Surface voxels found one by one, without any morphology."""
    points = []
    for index in np.argwhere(mask):
        for axis, step in itertools.product(range(mask.ndim), (-1, 1)):
            neighbour = index.copy()
            neighbour[axis] += step
            inside = 0 <= neighbour[axis] < mask.shape[axis]
            if not inside or not mask[tuple(neighbour)]:
                points.append(index * np.asarray(spacing))
                break
    return np.array(points)


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS, st.tuples(*[st.floats(0.5, 5)] * 3))
def test_surface_distances_equal_brute_force(truth, found, spacing):
    if not truth.any() or not found.any():
        return
    first, second = surface_points(truth, spacing), surface_points(found, spacing)
    table = np.linalg.norm(first[:, None] - second[None], axis=-1)
    there, back = table.min(axis=1), table.min(axis=0)
    assert metrics.hd95_mm(truth, found, spacing) == pytest.approx(
        max(np.percentile(there, 95), np.percentile(back, 95)), abs=1e-9
    )
    assert metrics.surface_distance_mm(truth, found, spacing) == pytest.approx(
        np.concatenate([there, back]).mean(), abs=1e-9
    )


def test_distances_of_shifted_slabs_are_in_mm_of_each_axis():
    shape = (12, 12, 12)
    truth = box(shape, (2, 3), (0, 12), (0, 12))
    found = box(shape, (5, 6), (0, 12), (0, 12))
    assert metrics.hd95_mm(truth, found, (4.5, 1, 1)) == pytest.approx(13.5)
    assert metrics.surface_distance_mm(truth, found, (1.2, 1, 1)) == pytest.approx(3.6)
    # one layer of 144 voxels more, of 0.5 x 2 x 3 mm
    thicker = box(shape, (2, 4), (0, 12), (0, 12))
    assert metrics.volume_error(truth, thicker, (0.5, 2, 3)) == pytest.approx(0.432)
    assert metrics.volume_error(thicker, truth, (0.5, 2, 3)) == pytest.approx(-0.432)


def test_refusals():
    mask = np.ones((2, 2), bool)
    with pytest.raises(InvalidArgumentError, match="one shape"):
        metrics.dice(mask, np.ones((2, 3), bool))
    with pytest.raises(InvalidArgumentError, match="spacing_mm must hold 2 sizes above 0"):
        metrics.hd95_mm(mask, mask, (1, 1, 1))
    with pytest.raises(InvalidArgumentError, match="spacing_mm"):
        metrics.volume_error(mask, mask, (1, -1))
