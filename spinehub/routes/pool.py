"""The one pool of loaded models: each is loaded once, shared between threads, and never changed."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spinehub.errors import ModelError
from spinehub.report import RouteName

__all__ = ["DEFAULT_MODELS", "load_model"]

DEFAULT_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "hotspot": "hotspot-dce",
        "radiomics": "radiomics-dce",
        "unet": "unet-dce",
        "inception_resnet": "inception-resnet-v2-dce",
    }
)
"""The weights that come with spinehub, by route."""

_CLASSES = {
    "hotspot": "HotspotRule",
    "radiomics": "RadiomicsClassifier",
    "unet": "LesionSegmenter",
    "inception_resnet": "LesionClassifier",
}
_POOL_SIZE = 8
_POOL: OrderedDict[tuple[object, ...], Any] = OrderedDict()
_LOCK = threading.RLock()


def load_model(route: RouteName, model: Any) -> Any:
    """Return the model of a route: an object as it is, anything else loaded by embedded name, folder or Hub id.

    Raises
    ------
    WeightsNotInstalledError
        If an embedded model is not part of this installation.
    ModelError
        If there is no such model, its files are incomplete or altered, or it is of another route.
    """
    if not isinstance(model, (str, Path)):
        return model
    from spinehub.models.sources import pointed_at

    key = (str(model), _changed(model), *pointed_at())
    with _LOCK:  # loading twice at once would double the memory
        if key in _POOL:
            _POOL.move_to_end(key)
        else:
            from spinehub.models import from_pretrained

            _POOL[key] = from_pretrained(model)
            while len(_POOL) > _POOL_SIZE:
                _POOL.popitem(last=False)
        loaded = _POOL[key]
    if type(loaded).__name__ != _CLASSES[route]:
        raise ModelError(
            f"the model of the route {route} must be a {_CLASSES[route]}, and this one is a {type(loaded).__name__}; "
            "give it to its own route"
        )
    return loaded


def _changed(model: str | Path) -> int:
    """When a folder's configuration was written, so that weights trained again are loaded again."""
    config = Path(model) / "config.json"
    return config.stat().st_mtime_ns if config.is_file() else 0
