"""The U-Net route: equal logits in stock smp, the vote of a region, and when it has no answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.inputs import PreprocessingSpec, make_stack, mask_slices
from spinehub.models import LesionSegmenter, fit_calibration, from_pretrained
from spinehub.models.activations import ActivationSpace, fit_activations
from spinehub.models.segmenter import MODIFIED_UNET
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Mask, Volume

SPEC = PreprocessingSpec(size=32)
TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}


def tiny(**parts: Any) -> LesionSegmenter:
    torch.manual_seed(1)
    model = LesionSegmenter.create(SPEC, **TINY)
    for name, value in parts.items():
        setattr(model, name, value)
    return model


@pytest.fixture(scope="module")
def pair() -> tuple[DynamicSeries, Mask]:
    """A body with a ball inside that doubles its signal; two frames."""
    affine = np.array([[0, 0, -4.5, 18.0], [-1.5, 0, 0, 30.0], [0, -1.5, 0, 30.0], [0, 0, 0, 1.0]])
    grid = Grid((40, 40, 9), affine)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    ball = np.linalg.norm((index - [20, 20, 4]) * [1.5, 1.5, 4.5], axis=-1) < 12.0
    frames = np.full((*grid.shape, 2), 100.0, np.float32)
    frames[..., 1] += 100.0 * ball
    return DynamicSeries(frames, grid), Mask(ball, grid)


def test_constructor_needs_no_network_and_is_small_enough() -> None:
    model = LesionSegmenter.create(**MODIFIED_UNET)
    assert sum(p.numel() for p in model.network.parameters()) <= 10_000_000  # 20 MB in half precision
    assert model.network.segmentation_head[0].out_channels == 3
    assert model.network.encoder.model.conv1.in_channels == 14  # 3 maps, 10 frames, the region
    assert LesionSegmenter.create(reads_region=False, **TINY).architecture["in_channels"] == 13


def test_stock_smp_gives_the_same_logits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(2)
    model = LesionSegmenter.create(**MODIFIED_UNET)
    model.domain = fit_activations(*[{"dynamic": np.random.default_rng(k).normal(size=(40, 256))} for k in (1, 2)])
    model.save_pretrained(tmp_path / "unet")
    stock = smp.from_pretrained(str(tmp_path / "unet")).eval()
    picture = torch.randn(2, 14, 64, 64)
    with torch.no_grad():
        # Tolerance: float32 sums in another order, since ours is channels-last.
        torch.testing.assert_close(
            stock(picture), from_pretrained(tmp_path / "unet").network(picture), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(stock(picture), model.network.eval()(picture), rtol=1e-4, atol=1e-5)


def test_stock_smp_keeps_our_part_when_it_saves_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    tiny().save_pretrained(tmp_path / "unet")
    smp.from_pretrained(str(tmp_path / "unet")).save_pretrained(str(tmp_path / "again"))
    first, again = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("unet", "again"))
    assert again["_spinehub"] == first["_spinehub"]
    assert again["encoder_weights"] is None


def test_softmax_and_determinism(pair: tuple[DynamicSeries, Mask]) -> None:
    series, mask = pair
    timing = assess_timing(series)
    model = tiny()
    stack = make_stack(series, SPEC, timing=timing, maps=compute_maps(series, timing), center_mm=mask.centroid_mm)
    softmax = model.segment(stack)
    assert softmax.shape == (stack.grid.shape[0], 3, 32, 32)
    np.testing.assert_allclose(softmax.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(softmax, model.segment(stack))
    assert model.network.training  # as it was before


def test_a_marked_region_is_the_last_channel() -> None:
    model = tiny()
    rng = np.random.default_rng(4)
    values = rng.normal(size=(3, 13, 32, 32)).astype(np.float32)
    inside = (rng.uniform(size=(3, 32, 32)) > 0.5).astype(np.float32)
    model.network.eval()
    for region, given in ((inside, inside), (np.zeros_like(inside), None)):
        with torch.no_grad():
            logits = model.network(torch.from_numpy(np.concatenate([values, region[:, None]], axis=1)))
        softmax = model.run(values, given).softmax
        np.testing.assert_allclose(softmax, torch.softmax(logits, dim=1), rtol=1e-4, atol=1e-6)
    blind = LesionSegmenter.create(SPEC, reads_region=False, **TINY)
    np.testing.assert_array_equal(blind.run(values, inside).softmax, blind.run(values).softmax)


@pytest.mark.parametrize("said", [None, "yes", 1])
def test_a_configuration_says_whether_the_region_is_read(said: Any) -> None:
    model = tiny()
    config = model.to_config()
    config["_spinehub"]["reads_region"] = said
    with pytest.raises(ModelError, match="reads_region must be true or false"):
        LesionSegmenter.from_config(config, model.tensors())
    config["_spinehub"]["reads_region"] = False
    with pytest.raises(ModelError, match="in_channels of the segmenter must be 13"):
        LesionSegmenter.from_config(config, model.tensors())


def test_vote_of_a_region_by_hand() -> None:
    softmax = np.zeros((1, 3, 2, 2), np.float32)
    softmax[0, :, 0, 0] = (0.2, 0.2, 0.6)
    softmax[0, :, 0, 1] = (0.6, 0.1, 0.3)
    softmax[0, :, 1, 1] = (0.0, 1.0, 0.0)
    inside = np.array([[[1.0, 0.5], [0.0, 0.0]]], np.float32)
    vote = tiny().lesion_vote(softmax, inside)
    assert vote.lesion_share == pytest.approx((0.8 + 0.5 * 0.4) / 1.5)
    assert vote.score == pytest.approx((0.8 * np.log(3.0) + 0.5 * 0.4 * np.log(3.0)) / 1.0)
    skewed = softmax.copy()
    skewed[0, :, 0, 1] = (0.6, 0.3, 0.1)
    expected = (0.8 * np.log(3.0) - 0.5 * 0.4 * np.log(3.0)) / 1.0
    assert tiny().lesion_vote(skewed, inside).score == pytest.approx(expected)
    believed = tiny().lesion_vote(softmax, inside, unshown=softmax[:, [1, 2, 0]])
    assert believed.lesion_share == pytest.approx((0.8 + 0.5 * 0.9) / 1.5)
    assert believed.score == vote.score
    with pytest.raises(InvalidArgumentError, match="at least one pixel"):
        tiny().lesion_vote(softmax, np.zeros((1, 2, 2), np.float32))
    with pytest.raises(InvalidArgumentError, match="softmax must have shape"):
        tiny().lesion_vote(softmax, np.zeros((1, 3, 3), np.float32))


def test_mirrored_classes_mirror_the_score() -> None:
    rng = np.random.default_rng(3)
    softmax = rng.dirichlet((1.0, 1.0, 1.0), (2, 8, 8)).transpose(0, 3, 1, 2).astype(np.float32)
    inside = rng.uniform(size=(2, 8, 8)).astype(np.float32)
    one, other = tiny().lesion_vote(softmax, inside), tiny().lesion_vote(softmax[:, [0, 2, 1]], inside)
    assert one.score == pytest.approx(-other.score, abs=1e-6)
    assert one.lesion_share == pytest.approx(other.lesion_share)


def calibrated(regime: str) -> Any:
    scores = np.linspace(-2, 2, 40)
    return fit_calibration(scores, (scores + 0.3 * np.sin(9 * scores) > 0).astype(int), [regime] * 40)


def test_answer_end_to_end(pair: tuple[DynamicSeries, Mask]) -> None:
    series, mask = pair
    timing = assess_timing(series)
    maps = compute_maps(series, timing)
    model = tiny(calibration=calibrated("pre_post"))
    result = model.predict(series, mask, timing=timing, maps=maps)
    assert result.answer.probabilities is not None
    assert sum(result.answer.probabilities.values()) == pytest.approx(1.0)
    stack = model.stack_of(series, mask, timing, maps)
    inside = mask_slices(mask, stack)
    softmax, _, score, unshown = model.run(stack.values, inside, unshown=True)
    vote = model.lesion_vote(softmax, inside, score, unshown)
    assert vote.score == score  # the head's, not the pixels'
    assert result.answer == model.calibration.answer(vote.score, "pre_post")
    assert result.lesion_share == pytest.approx(vote.lesion_share)
    assert model.embed(stack, mask_slices(mask, stack)).shape == (model.network.encoder.out_channels[-1],)


def test_no_answer_and_why(pair: tuple[DynamicSeries, Mask]) -> None:
    series, mask = pair
    timing = assess_timing(series)
    maps = compute_maps(series, timing)
    unfinished = tiny().predict(series, mask, timing=timing, maps=maps).answer
    assert unfinished.decision == "not_available"
    assert "not calibrated for the regime pre_post" in str(unfinished.reason)
    blind = tiny(calibration=calibrated("pre_post"), least_lesion_share=0.99)
    assert "sees no lesion here" in str(blind.predict(series, mask, timing=timing, maps=maps).answer.reason)
    single = Volume(series.frames[..., 1], series.grid)
    other = tiny(calibration=calibrated("pre_post")).predict(single, mask, timing=assess_timing(single), maps={})
    assert "regime single" in str(other.answer.reason)
    with pytest.raises(InvalidArgumentError, match="empty mask"):
        tiny().predict(series, Mask(np.zeros(mask.grid.shape, bool), mask.grid), timing=timing, maps=maps)


def test_stack_of_another_model_is_refused(pair: tuple[DynamicSeries, Mask]) -> None:
    series, _ = pair
    other = make_stack(
        series, PreprocessingSpec(size=48), timing=assess_timing(series), maps={}, center_mm=(0.0, 0.0, 0.0)
    )
    with pytest.raises(ModelError, match="own preprocessing"):
        tiny().segment(other)


def test_activation_space_accepts_fresh_cases_and_names_strange_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    mixing = rng.normal(size=(6, 64))
    rows = [
        (rng.normal(size=(n, 6)) @ mixing + 0.1 * rng.normal(size=(n, 64))).astype(np.float32) for n in (300, 200, 400)
    ]
    space = fit_activations({"dynamic": rows[0]}, {"dynamic": rows[1]})
    usual = [not space.unusual(row, "dynamic") for row in rows[2]]
    assert np.mean(usual) > 0.95
    assert "distance from the training cases" in space.unusual(6.0 * rows[2][0], "dynamic")[0]
    # As strong as usual, but in directions the training never showed.
    assert space.unusual(rng.permutation(rows[2][0]), "dynamic")
    assert space.unusual(rows[2][0], "single") == ()
    again = ActivationSpace.from_parts(space.to_dict(), space.tensors())
    assert [bool(again.unusual(row, "dynamic")) for row in rows[2]] == [not good for good in usual]
    with pytest.raises(InvalidArgumentError, match="20 cases"):
        fit_activations({"dynamic": rows[0][:3]}, {"dynamic": rows[1]})
    with pytest.raises(ModelError, match=r"domain.axes"):
        ActivationSpace.from_parts(space.to_dict(), {k: v for k, v in space.tensors().items() if k != "domain.axes"})


def test_domain_travels_with_the_model(tmp_path: Path) -> None:
    model = tiny()
    rows = np.random.default_rng(5).normal(size=(60, 64)).astype(np.float32)
    model.domain = fit_activations({"single": rows[:40]}, {"single": rows[40:]})
    model.save_pretrained(tmp_path / "unet")
    loaded = from_pretrained(tmp_path / "unet")
    assert loaded.unusual(100.0 * rows[0], "single") == model.unusual(100.0 * rows[0], "single") != ()
