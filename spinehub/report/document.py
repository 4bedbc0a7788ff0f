"""report.json: the report as strict JSON, format ``spinehub-report/1``."""

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np

from spinehub._version import __version__
from spinehub.growing import Leak, Limits, Stability
from spinehub.perfusion import Comparison, Timing
from spinehub.render.wording import DISCLAIMER
from spinehub.report.records import Finding, Report, RouteAnswer
from spinehub.series import DynamicSeries, Protocol

__all__ = ["FORMAT", "report_document", "strict_json", "versions"]

FORMAT = "spinehub-report/1"
_PACKAGES = ("numpy", "scipy", "SimpleITK", "pyradiomics-bhklab", "torch", "timm", "segmentation-models-pytorch")


def report_document(report: Report) -> dict[str, Any]:
    """Plain dictionary of a report; every value is a JSON type and every number finite."""
    finding = report.finding
    document = {
        "format": FORMAT,
        "input": _input(report),
        "timing": _timing(report.timing),
        "growing": None,
        "lesion": _lesion(finding),
        "hot_spot": _hot_spot(finding),
        "parameters": {
            name: {
                "value": parameter.value,
                "uncertainty": parameter.uncertainty,
                "unit": parameter.unit,
                "reason": parameter.reason,
            }
            for name, parameter in report.parameters.items()
        },
        "routes": [_route(answer) for answer in report.routes],
        "warnings": [{"code": warning.code, "message": warning.message} for warning in report.warnings],
        "reader": report.reader.to_dict(),
        "versions": versions(),
        "disclaimer": DISCLAIMER,
    }
    if report.references:  # only where a reader placed some
        document["references"] = [_reference(comparison) for comparison in report.references]
    plain = {name: strict_json(value) for name, value in document.items()}
    # exact: the mask is a comparison with the tolerance, and seeds and reach must grow it again
    plain["growing"] = strict_json(_growing(report), digits=17)
    return plain


def strict_json(value: Any, digits: int = 10) -> Any:
    """Turn records of numpy numbers into JSON types; what is not finite becomes None.

    Numbers keep `digits` significant digits: 10 hold a float32 and drop the noise of binary fractions, 17 hold a
    float64.
    """
    if isinstance(value, Mapping):
        return {str(key): strict_json(item, digits) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return strict_json(value.tolist(), digits)
    if isinstance(value, (list, tuple)):
        return [strict_json(item, digits) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.{digits}g}") if np.isfinite(value) else None
    return value if value is None else str(value)


def versions() -> dict[str, str]:
    """Versions of what computed the numbers; read from package metadata, so that nothing is imported for it."""
    found = {"spinehub": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _reference(comparison: Comparison) -> dict[str, Any]:
    names = ("early_ratio", "peak_ratio", "signal_ratio", "early_at", "reason")
    return {
        **vars(comparison.reference),
        "voxels": comparison.mask.count,
        **{name: getattr(comparison, name) for name in names},
    }


def _input(report: Report) -> dict[str, Any]:
    image, source = report.image, report.source
    names = source.names if source is not None else (image.name,) if image.name else ()
    return {
        "files": names,
        "sha256": source.sha256 if source is not None else (),
        "shape": image.frames.shape if isinstance(image, DynamicSeries) else image.voxels.shape,
        "spacing_mm": image.grid.spacing_mm,
        "regime": report.timing.regime,
        "times_s": image.times_s if isinstance(image, DynamicSeries) else None,
        "protocol": vars(image.protocol) if isinstance(image, DynamicSeries) else vars(Protocol()),
    }


def _timing(timing: Timing) -> dict[str, Any]:
    return {
        "arrival_s": timing.arrival_s,
        "uncertainty_s": timing.uncertainty_s,
        "baseline_frames": timing.baseline_frames,
        "end_s": timing.end_s,
        "contrast_enhanced": timing.contrast_enhanced,
        "reasons": timing.reasons,
    }


def _growing(report: Report) -> dict[str, Any]:
    """How the region was grown; the same keys, empty, where a mask was given instead of seeds."""
    growth = report.growth
    if growth is None:
        empty = ("tolerance", "suggested_tolerance", "leak_tolerance", "leak", "reach_mm", "limits", "stability")
        return {"seeds": [], **dict.fromkeys(empty)}
    grid = report.image.grid
    return {
        "seeds": [
            {
                "index": seed.index_on(grid),
                "position_mm": seed.position_mm,
                "background": seed.background,
            }
            for seed in growth.seeds
        ],
        "tolerance": report.tolerance,
        "suggested_tolerance": growth.suggested_tolerance,
        "leak_tolerance": growth.leak_tolerance,
        "leak": _leak(growth.leak),
        "reach_mm": growth.reach_mm,
        "limits": _limits(growth.limits),
        "stability": _stability(report.stability),
    }


def _leak(leak: Leak | None) -> dict[str, Any] | None:
    """Where the region leaks."""
    if leak is None:
        return None
    return {
        "index": leak.neck,
        "position_mm": leak.neck_mm,
        "area_mm2": leak.neck_area_mm2,
        "volume_before_ml": leak.volume_before_ml,
        "volume_after_ml": leak.volume_after_ml,
    }


def _limits(limits: Limits) -> dict[str, Any] | None:
    """Where the region was not to go; an end of the range that is open, and a limit that is not set, are None."""
    if limits.intensity_range is None and limits.box is None and limits.keep_out is None:
        return None
    return {
        "intensity_range": limits.intensity_range,
        "box": limits.box,
        "keep_out_voxels": None if limits.keep_out is None else limits.keep_out.count,
    }


def _stability(stability: Stability | None) -> dict[str, Any] | None:
    """How far the region agrees with itself, grown again."""
    if stability is None:
        return None
    return {
        "mean_dice": stability.mean_dice,
        "volume_interval_ml": stability.volume_interval_ml,
        "repetitions": stability.repetitions,
        "jitter_mm": stability.jitter_mm,
        "automatic_tolerance": stability.automatic,
    }


def _lesion(finding: Finding | None) -> dict[str, Any] | None:
    if finding is None:
        return None
    measures = finding.measures
    first, last = measures.slices
    return {
        "volume_ml": measures.volume_ml,
        "voxels": measures.voxels,
        "diameters_mm": measures.diameters_mm,
        "centroid_mm": measures.centroid_mm,
        "slices": {"plane": measures.plane, "first": first, "last": last, "count": last - first + 1},
    }


def _hot_spot(finding: Finding | None) -> dict[str, Any] | None:
    if finding is None or finding.hot_spot is None:
        return None
    spot = finding.hot_spot
    return {
        "voxels": spot.mask.count,
        "slice": spot.slice_index,
        "curve_type": spot.curve_type,
        "enhances": spot.enhances,
    }


def _route(answer: RouteAnswer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "probabilities": answer.probabilities,
        "decision": answer.decision,
        "reason": answer.reason,
        "model": answer.model,
        "held_out": answer.held_out,
    }
