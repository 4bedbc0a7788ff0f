"""The versioned settings file of the features, its hash, and the columns it fixes."""

import hashlib
from functools import cache
from importlib import resources
from typing import Any

from spinehub.series import Regime

__all__ = ["feature_maps", "feature_names", "settings", "settings_sha256"]


def _settings_bytes() -> bytes:
    return resources.files("spinehub").joinpath("radiomics_settings.yaml").read_bytes().replace(b"\r\n", b"\n")


@cache
def settings() -> dict[str, Any]:
    """Content of ``radiomics_settings.yaml``; the comments there say why each value is what it is."""
    import yaml

    content: dict[str, Any] = yaml.safe_load(_settings_bytes())
    return content


@cache
def settings_sha256() -> str:
    """SHA-256 of the settings file: rows can be compared, and models applied, only where it is equal."""
    return hashlib.sha256(_settings_bytes()).hexdigest()


def _columns(images: tuple[str, ...]) -> tuple[str, ...]:
    classes: dict[str, list[str]] = settings()["features"]
    shape = [f"shape__{feature}" for feature in classes["shape"]]
    per_image = [(name, feature) for name in classes if name != "shape" for feature in classes[name]]
    return tuple(shape + [f"{image}__{name}_{feature}" for image in images for name, feature in per_image])


@cache
def feature_names(regime: Regime) -> tuple[str, ...]:
    """Columns that can be computed in a regime, in the order of the row; ``"dynamic"`` has all of them."""
    return _columns(tuple(settings()["regimes"][regime]))


def feature_maps() -> tuple[str, ...]:
    """Names of the parametric maps that features are computed on; the peak frame beside them is no map."""
    return tuple(name for name in settings()["images"] if name != "peak_frame")
