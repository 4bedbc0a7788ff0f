"""Models are loaded once, must be of their route, and are loaded again when they change."""

import os

import pytest

from spinehub.errors import ModelError
from spinehub.routes import load_model


def test_a_model_is_loaded_once_and_must_be_of_its_route(monkeypatch):
    loads = []

    class HotspotRule:
        pass

    def load(model, **_options):
        loads.append(model)
        return HotspotRule()

    monkeypatch.setattr("spinehub.models.loading.from_pretrained", load)
    monkeypatch.setattr("spinehub.routes.pool._POOL", type(load_model.__globals__["_POOL"])())
    assert load_model("hotspot", "some-rule") is load_model("hotspot", "some-rule")
    assert loads == ["some-rule"]
    with pytest.raises(ModelError, match="the route unet must be a LesionSegmenter, and this one is a HotspotRule"):
        load_model("unet", "some-rule")


def test_a_folder_trained_again_is_loaded_again(monkeypatch, tmp_path):
    class HotspotRule:
        pass

    monkeypatch.setattr("spinehub.models.loading.from_pretrained", lambda *_a, **_k: HotspotRule())
    monkeypatch.setattr("spinehub.routes.pool._POOL", type(load_model.__globals__["_POOL"])())
    config = tmp_path / "config.json"
    config.write_text("{}")
    first = load_model("hotspot", tmp_path)
    assert load_model("hotspot", tmp_path) is first
    os.utime(config, ns=(1, 1))
    assert load_model("hotspot", tmp_path) is not first
