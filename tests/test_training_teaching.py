"""What networks are asked about lesions: losses by hand."""

import numpy as np
import pytest
import torch

from spinehub.dataset.teacher import CATEGORY_SIZES, NUMBERS
from spinehub.training.teaching import SignHead, diagnosis_loss, sign_loss

WIDTH = len(NUMBERS) + sum(CATEGORY_SIZES.values())


def test_the_diagnosis_is_asked_for_as_a_probability() -> None:
    loss = diagnosis_loss(torch.tensor([0.0, 2.0]), torch.tensor([0.3, 0.9]))
    q = 1 / (1 + np.exp(-2.0))
    assert loss.tolist() == pytest.approx([np.log(2), -0.9 * np.log(q) - 0.1 * np.log(1 - q)], rel=1e-5)
    # Least where the answer is the probability itself.
    odds = torch.tensor([np.log(0.3 / 0.7)], requires_grad=True)
    diagnosis_loss(odds, torch.tensor([0.3])).sum().backward()
    assert float(odds.grad) == pytest.approx(0.0, abs=1e-6)


def test_sign_loss_by_hand() -> None:
    signs = torch.full((2, len(NUMBERS) + len(CATEGORY_SIZES)), float("nan"))
    answers = torch.zeros(2, WIDTH)
    assert float(sign_loss(answers, signs)) == 0.0
    signs[0, 1] = 2.0
    assert float(sign_loss(answers, signs)) == pytest.approx(0.5 * 4.0)
    signs[1, len(NUMBERS)] = 3.0  # the last of the first category's values
    first = next(iter(CATEGORY_SIZES.values()))
    assert float(sign_loss(answers, signs)) == pytest.approx((2.0 + np.log(first)) / 2)
    answers[1, len(NUMBERS) + 3] = 30.0
    assert float(sign_loss(answers, signs)) == pytest.approx((2.0 + 0.0) / 2, abs=1e-5)


def test_nobody_knows_anything_and_gradients_still_flow() -> None:
    head = SignHead(3)
    sign_loss(head(torch.ones(1, 3)), torch.full((1, 8), float("nan"))).backward()
    assert head.weight.grad is not None
    assert not head.weight.grad.any()
