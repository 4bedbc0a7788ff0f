"""The lesion head: moments of a region by hand, and what they may not depend on."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from spinehub.errors import ModelError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter, from_pretrained
from spinehub.models.lesion_head import (
    LesionHead,
    caught_stages,
    read_head,
    region_moments,
    region_sums,
    regions_of,
    slice_means,
)

TINY = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}
SPEC = PreprocessingSpec(size=32)


def model(seed: int = 0) -> LesionSegmenter:
    torch.manual_seed(seed)
    return LesionSegmenter.create(SPEC, **TINY)


def test_moments_by_hand() -> None:
    features = torch.tensor([[[[1.0, 3.0], [100.0, 5.0]]]])
    inside = torch.tensor([[[[1.0, 1.0], [0.0, 0.5]]]])
    mean, deviation = region_moments(region_sums([features], inside)[0])[0, 0].tolist()
    expected = (1.0 + 3.0 + 0.5 * 5.0) / 2.5
    assert mean == pytest.approx(expected)
    assert deviation == pytest.approx(np.sqrt((1.0 + 9.0 + 0.5 * 25.0) / 2.5 - expected**2), rel=1e-4)


def test_slices_add_up_to_their_lesion() -> None:
    rng = torch.Generator().manual_seed(1)
    features, inside = torch.rand(3, 4, 6, 6, generator=rng), torch.rand(3, 1, 6, 6, generator=rng)
    together = region_moments(region_sums([features], inside)[0].sum(dim=0, keepdim=True))
    side_by_side = features.transpose(0, 1).flatten(1).reshape(1, 4, 18, 6)
    whole = region_moments(region_sums([side_by_side], inside.reshape(1, 1, 18, 6))[0])
    torch.testing.assert_close(together, whole, rtol=1e-4, atol=1e-5)


def test_core_and_ring_of_a_square() -> None:
    inside = torch.zeros(1, 64, 64)
    inside[0, 16:48, 16:48] = 1.0
    whole, core, ring = regions_of(inside)[0]
    assert torch.equal(whole, inside[0])
    assert core[32, 32] == pytest.approx(1.0)
    assert core[16, 16] < 0.02  # a third of what a corner sees is lesion, to the fourth power
    assert core[inside[0] == 0].max() == 0.0
    assert ring[inside[0] == 1].max() == 0.0
    assert ring[15, 32] > ring[12, 32] > 0.0
    assert ring[8, 32] == 0.0  # further off than the blur reaches
    assert torch.equal(regions_of(inside, ["ring"])[0, 0], ring)


def test_rim_and_core_are_told_apart() -> None:
    inside = torch.zeros(1, 32, 32)
    inside[0, 4:28, 4:28] = 1.0
    cold = inside.clone()
    cold[0, 10:22, 10:22] = 0.0
    even = inside * float(cold.sum() / inside.sum())
    rim, flat = (region_moments(region_sums([values[None]], regions_of(inside))[0])[0, :, 0] for values in (cold, even))
    assert rim[0] == pytest.approx(float(flat[0]), abs=1e-5)  # the mean over the whole region cannot
    assert rim[1] < flat[1] - 0.15


def test_stages_of_a_classifier_are_those_timm_names() -> None:
    network = timm.create_model("resnet10t", in_chans=3, num_classes=2).eval()
    values = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features, stages = caught_stages(network, values)
        torch.testing.assert_close(network.forward_head(features), network(values))
    assert stages[0] is values
    assert [stage.shape[1] for stage in stages[1:]] == [stage["num_chs"] for stage in network.feature_info]
    assert [64 // stage.shape[2] for stage in stages[1:]] == [stage["reduction"] for stage in network.feature_info]
    assert not any(module._forward_hooks for module in network.modules())


def test_means_of_slices_by_hand() -> None:
    features = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]], [[[2.0, 2.0], [2.0, 6.0]]]])
    inside = torch.tensor([[[1.0, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert slice_means(features, None).flatten().tolist() == [4.0, 3.0]
    assert slice_means(features, inside).flatten().tolist() == pytest.approx([2.5 / 1.5, 3.0])  # no region: everywhere


def test_an_untrained_stage_is_silent() -> None:
    head = LesionHead((1, 2), hidden=4).eval()
    inside = torch.ones(1, 3, 4, 4)
    first = torch.rand(1, 1, 4, 4)
    scores = [head(region_sums([first, torch.rand(1, 2, 4, 4)], inside)) for _ in range(2)]
    assert torch.equal(*scores)
    assert not torch.equal(scores[0], head(region_sums([2.0 * first, torch.rand(1, 2, 4, 4)], inside)))


def test_an_empty_region_has_finite_moments() -> None:
    moments = region_moments(region_sums([torch.full((1, 2, 4, 4), 7.0)], torch.zeros(1, 1, 4, 4))[0])
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
    bare = LesionSegmenter(model().network, SPEC, architecture=model().architecture, reads_region=True)
    bare.save_pretrained(tmp_path)
    assert not (tmp_path / "head.safetensors").exists()
    again = from_pretrained(tmp_path)
    assert again.head is None
    assert again.run(np.zeros((1, 13, 32, 32), np.float32), np.ones((1, 32, 32), np.float32)).score is None


def test_a_head_of_another_width_is_refused() -> None:
    network = model()
    config = network.to_config()
    about = {"stage_width": 24, "regions": ["whole", "core", "ring"], "log_input": True}
    for change, sentence in (
        ({"hidden": 7}, "lesion head do not fit"),
        ({"hidden": "many"}, "hidden of the lesion head must be a whole number from 1 to 4096"),
        ({"hidden": 96, "stage_width": 0}, "stage_width of the lesion head must be a whole number"),
        ({"hidden": 96, "regions": ["nowhere"]}, "regions of the lesion head must be some of"),
    ):
        config["_spinehub"]["lesion_head"] = {**about, **change}
        with pytest.raises(ModelError, match=sentence):
            LesionSegmenter.from_config(config, network.tensors())


def test_ratios_of_the_input_are_differences_of_what_is_read() -> None:
    head = LesionHead((1,), hidden=1)
    with torch.no_grad():
        head.inner.weight.zero_()
        # The third number of a region is the logarithm of its mean: whole less core.
        head.inner.weight[0, 2], head.inner.weight[0, 6] = 1.0, -1.0
        head.inner.bias.fill_(10.0)  # far from the bend of the activation
        whole, core = torch.tensor([[1.0, 0.5, 0.3]]), torch.tensor([[1.0, 2.0, 4.5]])
        hidden = head.hidden_of([torch.stack([whole, core, core], dim=1)])
    assert float(hidden) - 10.0 == pytest.approx(np.log(0.52 / 2.02), abs=1e-4)
    with pytest.raises(ModelError, match="log_input of the lesion head must be true or false"):
        read_head({"lesion_head": {"hidden": 4, "stage_width": 4, "regions": ["whole"]}}, (1,))


def test_the_first_stage_keeps_its_scale() -> None:
    head = LesionHead((1, 2), hidden=4).eval()
    sums = region_sums([torch.rand(1, 1, 4, 4), torch.rand(1, 2, 4, 4)], torch.ones(1, 3, 4, 4))
    larger = [3.0 * sums[0], sums[1]]
    larger[0][..., 0] = sums[0][..., 0]
    assert not torch.allclose(head(sums), head(larger))
