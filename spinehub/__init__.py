"""Spinal metastasis or primary malignant bone tumour on contrast-enhanced MRI: research and teaching software.

The names below are loaded when they are first used, so that ``import spinehub`` stays fast and needs no torch::

    import spinehub as sh

    series = sh.read_series("patient07.nii.gz", times_s=times)
    report = sh.analyse(series, seeds=[sh.Seed.at_index((88, 120, 9), series.grid)])
    report.save("out/")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spinehub._version import __version__

if TYPE_CHECKING:
    from spinehub.errors import SpineHubError
    from spinehub.features import extract_features
    from spinehub.growing import Growth, grow
    from spinehub.io import read_mask, read_series, write_mask
    from spinehub.models import from_pretrained
    from spinehub.perfusion import assess_timing, compute_maps
    from spinehub.pipeline import analyse
    from spinehub.report import Report
    from spinehub.series import DynamicSeries, ParametricMap
    from spinehub.simulate import draw_recipe
    from spinehub.simulate import render as render_case
    from spinehub.volume import Grid, Mask, Seed, Volume

__all__ = [
    "DynamicSeries",
    "Grid",
    "Growth",
    "Mask",
    "ParametricMap",
    "Report",
    "Seed",
    "SpineHubError",
    "Volume",
    "__version__",
    "analyse",
    "assess_timing",
    "compute_maps",
    "draw_recipe",
    "extract_features",
    "from_pretrained",
    "grow",
    "read_mask",
    "read_series",
    "render_case",
    "write_mask",
]

_HOMES = {
    "DynamicSeries": "series",
    "Grid": "volume",
    "Growth": "growing",
    "Mask": "volume",
    "ParametricMap": "series",
    "Report": "report",
    "Seed": "volume",
    "SpineHubError": "errors",
    "Volume": "volume",
    "analyse": "pipeline",
    "assess_timing": "perfusion",
    "compute_maps": "perfusion",
    "draw_recipe": "simulate",
    "extract_features": "features",
    "from_pretrained": "models",
    "grow": "growing",
    "read_mask": "io",
    "read_series": "io",
    "render_case": "simulate",
    "write_mask": "io",
}
_NAMES_THERE = {"render_case": "render"}
"""Where the name differs from the module's own, since ``render`` is also a module here."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spinehub' has no attribute {name!r}")
    value = getattr(import_module(f"spinehub.{_HOMES[name]}"), _NAMES_THERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
