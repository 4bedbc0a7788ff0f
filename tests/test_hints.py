"""A classifier is taught to see by a finished U-Net: same places, no weights left behind, and it does learn."""

from typing import Any

import pytest
import timm
import torch

from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter
from spinehub.models.lesion_head import caught_stages, covered, covered_share
from spinehub.training.hints import Hints, _at_places

SPEC = PreprocessingSpec(size=32)
TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}


def teacher(**options: bool) -> LesionSegmenter:
    torch.manual_seed(0)
    return LesionSegmenter.create(SPEC, **options, **TINY)


def student() -> Any:
    torch.manual_seed(1)
    return timm.create_model("resnet10t", in_chans=14, num_classes=2)


@pytest.mark.parametrize(("places", "pixels"), [(45, 90), (20, 80), (9, 72), (4, 64), (96, 96), (12, 96), (3, 96)])
def test_places_without_padding_cover_the_middle(places: int, pixels: int) -> None:
    """The stages of Inception-ResNet-v2 on 96 pixels, then those of a network that pads."""
    assert covered_share(96, places) * 96 == pytest.approx(pixels)


def test_each_place_is_the_mean_of_its_own_pixels() -> None:
    regions = torch.zeros(1, 1, 96, 96)
    regions[0, 0, 12 + 8 * 2 : 12 + 8 * 3, 12 + 8 * 5 : 12 + 8 * 6] = 1.0  # third row, sixth column of 9 x 9
    found = covered(regions, torch.Size((9, 9)))
    wanted = torch.zeros(1, 1, 9, 9)
    wanted[0, 0, 2, 5] = 1.0
    torch.testing.assert_close(found, wanted)
    padded = torch.rand(1, 2, 32, 32)
    torch.testing.assert_close(covered(padded, torch.Size((8, 8))), torch.nn.functional.avg_pool2d(padded, 4))


def test_inception_places_lie_where_its_receptive_fields_do() -> None:
    """A disturbance of one pixel moves most the place that is said to cover it."""
    torch.manual_seed(0)
    network = timm.create_model("inception_resnet_v2", in_chans=1, num_classes=2).eval()
    picture = torch.randn(1, 1, 96, 96, requires_grad=True)
    _, stages = caught_stages(network, picture)
    place = stages[2]  # conv2d_4a: small receptive fields
    for row, column in ((0, 0), (10, 4), (19, 19)):
        (gradient,) = torch.autograd.grad(place[0, :, row, column].square().sum(), picture, retain_graph=True)
        weight = gradient[0, 0].abs()
        centre = [float((weight.sum(dim=1 - axis) * torch.arange(96)).sum() / weight.sum()) for axis in (0, 1)]
        assert centre == pytest.approx([8 + 4 * row + 1.5, 8 + 4 * column + 1.5], abs=2.5)


def test_features_are_read_at_the_places_of_the_student() -> None:
    rising = torch.linspace(-1.0, 1.0, 65)[None, None, None].expand(1, 1, 65, 65)
    found = _at_places(rising, torch.Size((9, 9)), torch.Size((96, 96)))
    assert found[0, 0, 4].tolist() == pytest.approx([(k - 4) * 8 / 48 for k in range(9)], abs=0.02)
    whole = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(_at_places(whole, torch.Size((8, 8)), torch.Size((32, 32))), whole)


def test_a_student_comes_closer_and_the_teacher_stays() -> None:
    master, network = teacher(), student()
    before = [value.clone() for value in master.network.state_dict().values()]
    hints = Hints(network, SPEC, master)
    assert {name.partition(".")[0] for name in hints.state_dict()} == {"reads"}
    slices, lesion = torch.randn(4, 14, 32, 32), torch.zeros(4, 32, 32)
    lesion[:, 8:24, 8:24] = 1.0
    optimizer = torch.optim.AdamW([*network.parameters(), *hints.parameters()], lr=2e-3)
    losses = []
    for _ in range(30):
        _, stages = caught_stages(network, slices)
        loss = hints(stages, hints.seen(slices), lesion)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    for value, kept in zip(master.network.state_dict().values(), before, strict=True):
        torch.testing.assert_close(value, kept, rtol=0.0, atol=0.0)


def test_a_student_that_sees_the_same_has_nothing_to_learn() -> None:
    master = teacher()
    hints = Hints(student(), SPEC, master)
    seen = hints.seen(torch.randn(4, 14, 32, 32))
    stages = [torch.zeros(4, 14, 32, 32)]
    for (own, _), features, read in zip(hints.places, seen, hints.reads, strict=True):
        deviation, mean = torch.std_mean(features, dim=(0, 2, 3), keepdim=True)
        weights = torch.zeros_like(read.weight)
        weights[:, : features.shape[1], 0, 0] = torch.eye(features.shape[1])
        read.weight, read.bias = torch.nn.Parameter(weights), torch.nn.Parameter(torch.zeros(features.shape[1]))
        stages += [torch.empty(0)] * (own - len(stages))
        more = read.in_channels - features.shape[1]
        scaled = (features - mean) / deviation.clamp(min=1e-3)
        stages.append(torch.cat([scaled, torch.zeros(4, more, *features.shape[-2:])], dim=1))
    assert float(hints(stages, seen, torch.ones(4, 32, 32)).detach()) == pytest.approx(0.0, abs=1e-9)


def test_a_teacher_of_other_channels_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="teacher must be a U-Net that reads the region"):
        Hints(student(), SPEC, teacher(reads_region=False))
    with pytest.raises(InvalidArgumentError, match="looks at the channels of the classifier, got one of 13"):
        Hints(student(), PreprocessingSpec(size=32, channels="maps"), teacher())
