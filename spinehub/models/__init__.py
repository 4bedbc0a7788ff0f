"""The models of the four routes, and the way to load, save and publish them.

Names are loaded when first used: reading a configuration or judging by the rule needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinehub.models.calibration import Answer, Calibration, Decision, fit_calibration, log_odds
    from spinehub.models.classifier import LesionClassifier
    from spinehub.models.domain import Domain, fit_domain
    from spinehub.models.feature_classifier import RadiomicsClassifier
    from spinehub.models.grad_cam import explain_by_grad_cam
    from spinehub.models.hotspot import HotspotRule
    from spinehub.models.loading import (
        from_pretrained,
        save_embedded,
        save_pretrained,
        verify_folder,
        write_evaluation,
    )
    from spinehub.models.network import NetworkResult, use_device
    from spinehub.models.occlusion import explain_by_occlusion
    from spinehub.models.segmenter import LesionSegmenter, LesionVote
    from spinehub.models.sources import EMBEDDED, WeightsNotInstalledError

__all__ = [
    "EMBEDDED",
    "Answer",
    "Calibration",
    "Decision",
    "Domain",
    "HotspotRule",
    "LesionClassifier",
    "LesionSegmenter",
    "LesionVote",
    "NetworkResult",
    "RadiomicsClassifier",
    "WeightsNotInstalledError",
    "explain_by_grad_cam",
    "explain_by_occlusion",
    "fit_calibration",
    "fit_domain",
    "from_pretrained",
    "log_odds",
    "save_embedded",
    "save_pretrained",
    "use_device",
    "verify_folder",
    "write_evaluation",
]

_HOMES = {
    "EMBEDDED": "sources",
    "Answer": "calibration",
    "Calibration": "calibration",
    "Decision": "calibration",
    "Domain": "domain",
    "HotspotRule": "hotspot",
    "LesionClassifier": "classifier",
    "LesionSegmenter": "segmenter",
    "LesionVote": "segmenter",
    "NetworkResult": "network",
    "RadiomicsClassifier": "feature_classifier",
    "WeightsNotInstalledError": "sources",
    "explain_by_grad_cam": "grad_cam",
    "explain_by_occlusion": "occlusion",
    "fit_calibration": "calibration",
    "fit_domain": "domain",
    "from_pretrained": "loading",
    "log_odds": "calibration",
    "save_embedded": "loading",
    "save_pretrained": "loading",
    "use_device": "network",
    "verify_folder": "loading",
    "write_evaluation": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spinehub.models' has no attribute {name!r}")
    return getattr(import_module(f"spinehub.models.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
