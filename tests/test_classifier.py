"""The Inception-ResNet route: equal logits in stock timm, attention pooling, and when it has no answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec, make_stack, mask_slices
from spinehub.models import LesionClassifier, fit_calibration, from_pretrained
from spinehub.models.classifier import ARCHITECTURE, CROP, AttentionPooling, largest_slices
from spinehub.perfusion import assess_timing
from spinehub.volume import Grid, Mask, Volume

SPEC = PreprocessingSpec(size=32)


def tiny(**parts: Any) -> LesionClassifier:
    torch.manual_seed(1)
    model = LesionClassifier.create(SPEC, architecture="resnet10t", slices=3)
    for name, value in parts.items():
        setattr(model, name, value)
    return model


@pytest.fixture(scope="module")
def lesion() -> tuple[Volume, Mask]:
    affine = np.array([[0, 0, -4.5, 18.0], [-1.5, 0, 0, 30.0], [0, -1.5, 0, 30.0], [0, 0, 0, 1.0]])
    grid = Grid((40, 40, 9), affine)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    ball = np.linalg.norm((index - [20, 20, 4]) * [1.5, 1.5, 4.5], axis=-1) < 12.0
    return Volume((100.0 + 50.0 * ball).astype(np.float32), grid), Mask(ball, grid)


@pytest.mark.parametrize("architecture", ["resnet10t", ARCHITECTURE])
def test_stock_timm_gives_the_same_logits(tmp_path: Path, architecture: str) -> None:
    torch.manual_seed(2)
    model = LesionClassifier.create(CROP, architecture=architecture)
    model.save_pretrained(tmp_path / "classifier")
    stock = timm.create_model(f"local-dir:{tmp_path / 'classifier'}", pretrained=True).eval()
    loaded = from_pretrained(tmp_path / "classifier")
    slices = torch.randn(1, 3, 14, 96, 96)
    valid = torch.tensor([[True, True, False]])
    with torch.no_grad():
        each = stock(slices[0])
        torch.testing.assert_close(each, loaded.network(slices[0]), rtol=1e-4, atol=1e-6)
        found = loaded.pooled(slices, valid)
        # The last layer is linear: our logits are the attention-weighted mean of stock logits per slice.
        features = stock.forward_head(stock.forward_features(slices[0]), pre_logits=True)
        weights = loaded.pooled.pooling(features[None], valid)[0]
        torch.testing.assert_close(found.logits[0], weights @ each, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found.pooled[0], weights @ features, rtol=1e-4, atol=1e-6)


def test_attention_ignores_padding_and_order() -> None:
    torch.manual_seed(3)
    pooling = AttentionPooling(8)
    rows = torch.randn(1, 4, 8)
    valid = torch.tensor([[True, True, True, False]])
    weights = pooling(rows, valid)
    assert weights[0, 3] == 0.0
    assert float(weights.detach().sum()) == pytest.approx(1.0)
    order = torch.tensor([2, 0, 1, 3])
    torch.testing.assert_close(pooling(rows[:, order], valid), weights[:, order])


def test_largest_slices_in_order() -> None:
    area = np.array([0.0, 3.0, 9.0, 1.0, 5.0])
    assert largest_slices(area, 3).tolist() == [1, 2, 4]
    assert largest_slices(area, 9).tolist() == [1, 2, 3, 4]
    assert largest_slices(np.zeros(3), 2).tolist() == [0]


def test_answer_end_to_end_and_after_saving(lesion: tuple[Volume, Mask], tmp_path: Path) -> None:
    volume, mask = lesion
    scores = np.linspace(-2, 2, 40)
    calibration = fit_calibration(scores, (scores + 0.3 * np.sin(9 * scores) > 0).astype(int), ["single"] * 40)
    model = tiny(calibration=calibration)
    timing = assess_timing(volume)
    result = model.predict(volume, mask, timing=timing, maps={})
    assert result.answer.probabilities is not None
    assert sum(result.answer.probabilities.values()) == pytest.approx(1.0)
    model.save_pretrained(tmp_path / "classifier")
    loaded = LesionClassifier.from_pretrained(tmp_path / "classifier")
    again = loaded.predict(volume, mask, timing=timing, maps={})
    assert again.answer.probabilities == pytest.approx(result.answer.probabilities)
    assert loaded.slices == 3
    stack = make_stack(volume, SPEC, timing=timing, maps={}, center_mm=mask.centroid_mm)
    inside = mask_slices(mask, stack)
    assert model.classify(stack, inside).sum() == pytest.approx(1.0)
    assert model.embed(stack, inside).shape == (512,)


def test_the_region_matters(lesion: tuple[Volume, Mask]) -> None:
    volume, mask = lesion
    stack = make_stack(volume, SPEC, timing=assess_timing(volume), maps={}, center_mm=mask.centroid_mm)
    inside = mask_slices(mask, stack)
    shifted = np.roll(inside, 8, axis=2)
    assert not np.allclose(tiny().classify(stack, inside), tiny().classify(stack, shifted))


def test_no_answer_and_why(lesion: tuple[Volume, Mask]) -> None:
    volume, mask = lesion
    answer = tiny().predict(volume, mask, timing=assess_timing(volume), maps={}).answer
    assert answer.decision == "not_available"
    assert "not calibrated for the regime single" in str(answer.reason)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="slices must be at least 1"):
        LesionClassifier.create(SPEC, architecture="resnet10t", slices=0)
    with pytest.raises(ModelError, match="plain name"):
        LesionClassifier.create(SPEC, architecture="hf-hub:someone/evil")
    with pytest.raises(ModelError, match="cannot build"):
        LesionClassifier.create(SPEC, architecture="no_such_network")
    model = tiny()
    config = model.to_config()
    config["spinehub"]["slices"] = 0
    with pytest.raises(ModelError, match="slices of the classifier"):
        LesionClassifier.from_config(config, model.tensors())
    tensors = model.tensors()
    del tensors["pooling.score.bias"]
    with pytest.raises(ModelError, match="pooling head do not fit"):
        LesionClassifier.from_config(model.to_config(), tensors)
