"""Grad-CAM: maps whose answer is known by construction, and a classifier end to end."""

from typing import Any

import numpy as np
import pytest
import torch
from phantoms import ball_case

from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionClassifier, explain_by_grad_cam
from spinehub.models.grad_cam import grad_cam
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.volume import Mask


def classifier(seed: int = 3) -> LesionClassifier:
    """Untrained; every stage has something to say."""
    torch.manual_seed(seed)
    model = LesionClassifier.create(PreprocessingSpec(size=32), architecture="resnet10t")
    assert model.pooled.head is not None
    for squeeze in model.pooled.head.squeezes:
        torch.nn.init.normal_(squeeze.weight, std=0.1)
    return model


def explained(model: LesionClassifier, number: int = 1) -> tuple[Any, Mask]:
    case = ball_case(number)
    timing = assess_timing(case.series)
    mask = case.lesions[0].mask
    maps = compute_maps(case.series, timing)
    return explain_by_grad_cam(model, case.series, mask, timing=timing, maps=maps), mask


def test_a_score_that_is_linear_in_the_features_is_shared_out_exactly() -> None:
    features = torch.rand((2, 3, 4, 5), generator=torch.Generator().manual_seed(1)).requires_grad_()
    weights = torch.tensor([2.0, -1.0, 0.0])
    score = (features.sum(dim=(2, 3)) @ weights).sum()
    (gradients,) = torch.autograd.grad(score, features)
    found = grad_cam(features.detach(), gradients)
    assert found.shape == (2, 4, 5)
    torch.testing.assert_close(found.sum(), score.detach())
    torch.testing.assert_close(found[1, 2, 3], 2.0 * features.detach()[1, 0, 2, 3] - features.detach()[1, 1, 2, 3])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"gradients must have the shape \(N, F, h, w\)"):
        grad_cam(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 5))


def test_the_map_lies_on_the_image_where_the_network_looks() -> None:
    found, mask = explained(classifier())
    assert (found.name, found.unit) == ("grad_cam", "log-odds")
    assert found.values.shape == mask.grid.shape
    assert np.isfinite(found.values[mask.voxels]).all()
    assert np.nanmax(np.abs(found.values)) > 0.0
    held = mask.voxels.any(axis=(0, 1))
    assert not np.isfinite(found.values[:, :, ~held]).any(), "slices that are not judged stay empty"


def test_the_other_answer_is_the_opposite_map_and_no_answer_an_empty_one() -> None:
    model = classifier()
    head: Any = model.pooled.head
    plus, _ = explained(model)
    with torch.no_grad():
        head.score.weight.neg_()
    minus, _ = explained(model)
    np.testing.assert_allclose(plus.values, -minus.values, atol=1e-5)
    with torch.no_grad():
        head.score.weight.zero_()
    silent, _ = explained(model)
    np.testing.assert_array_equal(np.nan_to_num(silent.values), 0.0)


def test_the_map_depends_on_the_weights() -> None:
    """The sanity check of Adebayo et al. 2018: a map that stays the same without training shows the image alone."""
    one, mask = explained(classifier(3))
    other, _ = explained(classifier(4))
    inside = mask.voxels
    assert abs(np.corrcoef(one.values[inside], other.values[inside])[0, 1]) < 0.95


def test_weights_that_ask_for_no_gradients_are_explained_and_left_as_they_were() -> None:
    model = classifier()
    for weight in model.pooled.parameters():
        weight.requires_grad_(False)
    model.pooled.train()
    found, _ = explained(model)
    assert np.isfinite(found.values).any()
    assert model.pooled.training
    assert all(weight.grad is None for weight in model.pooled.parameters())


def test_an_empty_mask_is_refused() -> None:
    case = ball_case(1)
    timing = assess_timing(case.series)
    empty = Mask(np.zeros(case.series.grid.shape, bool), case.series.grid)
    with pytest.raises(InvalidArgumentError, match="empty"):
        explain_by_grad_cam(classifier(), case.series, empty, timing=timing, maps={})
