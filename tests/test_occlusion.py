"""Occlusion: scores whose answer is known by construction, and the two networks end to end."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from phantoms import ball_case

from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionClassifier, LesionSegmenter, explain_by_occlusion
from spinehub.models.occlusion import occlusion_map
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.volume import Mask

TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}


def slices() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two slices of three channels with a bright square; the region is the square and some dark ground below it."""
    values = np.full((2, 3, 64, 64), 0.5, np.float32)
    values[:, :, 20:28, 20:28] = 2.0
    inside = np.zeros((2, 64, 64), np.float32)
    inside[:, 20:44, 20:28] = 1.0
    return values, inside


def test_what_the_score_reads_is_what_the_map_shows() -> None:
    values, inside = slices()
    change = occlusion_map(lambda seen: float(seen[:, 0, 20:28, 20:28].mean()), values, inside)
    assert change.shape == inside.shape
    assert change[0, 24, 24] > 0.05
    np.testing.assert_allclose(change[0, 38:46, 20:28], 0.0, atol=1e-6)
    assert np.isnan(change[0, 0, 0])
    assert np.nanmax(change) <= 1.5 + 1e-6  # never more than covering all of it: 2.0 becomes 0.5


def test_the_sign_follows_the_score() -> None:
    values, inside = slices()
    plus = occlusion_map(lambda seen: float(seen.mean()), values, inside)
    minus = occlusion_map(lambda seen: -float(seen.mean()), values, inside)
    np.testing.assert_allclose(plus, -minus, atol=1e-6)


def test_a_plain_crop_and_a_constant_score_change_nothing() -> None:
    values, inside = slices()
    flat = np.full_like(values, 3.0)
    np.testing.assert_allclose(
        np.nan_to_num(occlusion_map(lambda seen: float(seen.sum()), flat, inside)), 0.0, atol=1e-3
    )
    np.testing.assert_array_equal(np.nan_to_num(occlusion_map(lambda _: 1.7, values, inside)), 0.0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 50), (64, 64)])
def test_time_is_bounded_and_the_region_is_covered_whatever_its_size(height: int, width: int) -> None:
    values, inside = slices()
    inside[:] = 0.0
    inside[:, :height, :width] = 1.0
    calls: list[int] = []
    change = occlusion_map(lambda _: float(calls.append(1) or 0), values, inside)
    assert np.isfinite(change[inside > 0]).all()
    assert len(calls) <= 1 + 36


def test_progress_ends_the_work_when_it_raises() -> None:
    values, inside = slices()
    calls: list[float] = []

    def stop(share: float, _text: str) -> None:
        calls.append(share)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        occlusion_map(lambda _: 0.0, values, inside, progress=stop)
    assert calls == sorted(calls)


def test_a_region_of_another_shape_or_none_is_refused() -> None:
    values, inside = slices()
    for wrong in (inside[:1], np.zeros_like(inside)):
        with pytest.raises(InvalidArgumentError, match="hold a pixel of the region"):
            occlusion_map(lambda _: 0.0, values, wrong)


@pytest.mark.parametrize("kind", ["segmenter", "classifier"])
def test_both_networks_are_explained_on_the_grid_of_the_image(kind: str) -> None:
    torch.manual_seed(3)
    spec = PreprocessingSpec(size=32)
    model: Any = (
        LesionSegmenter.create(spec, **TINY)
        if kind == "segmenter"
        else LesionClassifier.create(spec, architecture="resnet10t")
    )
    case = ball_case(1)
    timing = assess_timing(case.series)
    maps = compute_maps(case.series, timing)
    mask = case.lesions[0].mask
    found = explain_by_occlusion(model, case.series, mask, timing=timing, maps=maps)
    assert (found.name, found.unit) == ("occlusion", "log-odds")
    assert found.values.shape == case.series.grid.shape
    assert np.isfinite(found.values[mask.voxels]).mean() > 0.6
    assert np.nanmax(np.abs(found.values)) > 0.0
    assert np.isnan(found.values[0, 0, 0])
    empty = Mask(np.zeros_like(mask.voxels), mask.grid)
    with pytest.raises(InvalidArgumentError, match="empty"):
        explain_by_occlusion(model, case.series, empty, timing=timing, maps=maps)
