"""The lesion head: moments of a region by hand, and what they may not depend on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spinehub.errors import ModelError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter, from_pretrained
from spinehub.models.lesion_head import LesionHead, region_moments, region_sums

TINY = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}
SPEC = PreprocessingSpec(size=32)


def model(seed: int = 0) -> LesionSegmenter:
    torch.manual_seed(seed)
    return LesionSegmenter.create(SPEC, **TINY)


def test_moments_by_hand() -> None:
    features = torch.tensor([[[[1.0, 3.0], [100.0, 5.0]]]])
    inside = torch.tensor([[[1.0, 1.0], [0.0, 0.5]]])
    mean, deviation = region_moments(region_sums([features], inside)[0])[0].tolist()
    expected = (1.0 + 3.0 + 0.5 * 5.0) / 2.5
    assert mean == pytest.approx(expected)
    assert deviation == pytest.approx(np.sqrt((1.0 + 9.0 + 0.5 * 25.0) / 2.5 - expected**2), rel=1e-4)


def test_slices_add_up_to_their_lesion() -> None:
    rng = torch.Generator().manual_seed(1)
    features, inside = torch.rand(3, 4, 6, 6, generator=rng), torch.rand(3, 6, 6, generator=rng)
    together = region_moments(region_sums([features], inside)[0].sum(dim=0, keepdim=True))
    side_by_side = features.transpose(0, 1).flatten(1).reshape(1, 4, 18, 6)
    whole = region_moments(region_sums([side_by_side], inside.reshape(1, 18, 6))[0])
    torch.testing.assert_close(together, whole, rtol=1e-4, atol=1e-5)


def test_an_empty_region_has_finite_moments() -> None:
    moments = region_moments(region_sums([torch.full((1, 2, 4, 4), 7.0)], torch.zeros(1, 4, 4))[0])
    assert torch.isfinite(moments).all()
    assert moments.abs().max() < 0.01


def test_the_score_needs_a_region_and_not_the_order_of_slices() -> None:
    network = model()
    rng = np.random.default_rng(2)
    values = rng.normal(size=(20, 13, 32, 32)).astype(np.float32)  # more slices than one pass takes
    inside = (rng.uniform(size=(20, 32, 32)) > 0.7).astype(np.float32)
    score = network.run(values, inside).score
    assert score is not None
    assert network.run(values[::-1].copy(), inside[::-1].copy()).score == pytest.approx(score, abs=1e-4)
    assert network.run(values).score is None
    assert network.run(values, np.zeros_like(inside)).score is None


def test_a_head_is_saved_beside_the_network_and_comes_back(tmp_path: Path) -> None:
    before = model(3)
    before.save_pretrained(tmp_path)
    assert (tmp_path / "head.safetensors").is_file()
    after = from_pretrained(tmp_path)
    values = np.random.default_rng(1).normal(size=(2, 13, 32, 32)).astype(np.float32)
    inside = np.ones((2, 32, 32), np.float32)
    assert after.run(values, inside).score == pytest.approx(before.run(values, inside).score, abs=1e-5)


def test_a_network_without_a_head_lets_pixels_vote(tmp_path: Path) -> None:
    bare = LesionSegmenter(model().network, SPEC, architecture=model().architecture)
    bare.save_pretrained(tmp_path)
    assert not (tmp_path / "head.safetensors").exists()
    again = from_pretrained(tmp_path)
    assert again.head is None
    assert again.run(np.zeros((1, 13, 32, 32), np.float32), np.ones((1, 32, 32), np.float32)).score is None


def test_a_head_of_another_width_is_refused() -> None:
    network = model()
    config = network.to_config()
    config["_spinehub"]["lesion_head"] = {"hidden": 7}
    with pytest.raises(ModelError, match="lesion head do not fit"):
        LesionSegmenter.from_config(config, network.tensors())
    config["_spinehub"]["lesion_head"] = {"hidden": "many"}
    with pytest.raises(ModelError, match="whole number from 1 to 4096"):
        LesionSegmenter.from_config(config, network.tensors())


def test_the_first_stage_keeps_its_scale() -> None:
    head = LesionHead((1, 2), hidden=4).eval()
    sums = region_sums([torch.rand(1, 1, 4, 4), torch.rand(1, 2, 4, 4)], torch.ones(1, 4, 4))
    larger = [3.0 * sums[0], sums[1]]
    larger[0][:, 0] = sums[0][:, 0]
    assert not torch.allclose(head(sums), head(larger))
