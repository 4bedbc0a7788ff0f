"""ZeroGPU as a soft import: nothing happens elsewhere, and the same numbers come from a borrowed GPU."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from spinehub.models import from_pretrained, use_device, zero_gpu


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, restored after it was loaded again under another environment."""
    yield zero_gpu
    monkeypatch.undo()
    importlib.reload(zero_gpu)


def test_elsewhere_nothing_is_wrapped(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setitem(sys.modules, "spaces", None)
    importlib.reload(module)
    assert module.borrowing(len) is len
    assert not module.is_zero_gpu()


def test_a_space_without_the_package_works_on_its_processors(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", None)
    importlib.reload(module)
    assert module.borrowing(len) is len


@pytest.mark.parametrize("route", ["unet", "inception_resnet"])
def test_networks_borrow(module: Any, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, route: str) -> None:
    calls = []

    def borrow(duration: int) -> Any:
        def decorate(function: Any) -> Any:
            def borrowed(model: Any, device: str, *values: Any) -> Any:
                calls.append((duration, model.device.type, device))
                return function(model, "cpu", *values)  # this machine need not have the GPU

            return borrowed

        return decorate

    spaces = ModuleType("spaces")
    spaces.GPU = borrow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # as the package pretends in the page's process
    importlib.reload(module)
    assert use_device() == torch.device("cpu")
    model = from_pretrained(folders[route])
    channels = len(model.spec.channel_names) + (route == "inception_resnet")
    values = np.random.default_rng(3).normal(size=(2, channels, 32, 32)).astype(np.float32)
    for got, expected in zip(module.run_network(model, values), model.run(values), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert calls == [(60, "cpu", "cuda")]
