"""What a classifier is taught place by place."""

import math

import pytest
import timm
import torch

from spinehub.models.lesion_head import caught_stages
from spinehub.training.dense import DenseHead, dense_loss


def test_the_loss_by_hand() -> None:
    lesion = torch.zeros(1, 2, 4, 4)
    lesion[0, 0, :2, :2] = 1.0  # the first of four places, all of it
    valid = torch.tensor([[True, False]])
    logits = torch.zeros(2, 3, 2, 2)
    logits[0, :, 0, 0] = torch.tensor([-1.0, 0.0, 2.0])
    logits[1] = 50.0  # a slice that is not there says nothing
    seen = math.log(1.0 + math.exp(2.0)) + 1.0
    background = math.log(2.0)  # of two lesion classes against one
    places = (math.log1p(math.exp(-seen)) + 3.0 * math.log1p(math.exp(background))) / 4.0
    for target in (0.0, 0.3, 1.0):
        judged = math.log1p(math.exp(2.0)) - target * 2.0
        found = dense_loss(logits, lesion, valid, torch.tensor([target]))
        assert float(found) == pytest.approx(places + judged, rel=1e-5)


def test_a_case_without_lesion_asks_for_no_class() -> None:
    logits = torch.randn(2, 3, 4, 4)
    nothing, valid = torch.zeros(1, 2, 8, 8), torch.ones(1, 2, dtype=torch.bool)
    losses = [float(dense_loss(logits, nothing, valid, torch.tensor([target]))) for target in (0.0, 1.0)]
    assert losses[0] == losses[1]


def test_the_stage_is_the_deepest_that_still_shows_a_lesion() -> None:
    network = timm.create_model("resnet10t", in_chans=3, num_classes=2).eval()
    head = DenseHead(network)
    with torch.no_grad():
        _, stages = caught_stages(network, torch.randn(2, 3, 64, 64))
        assert head(stages).shape == (2, 3, 8, 8)
