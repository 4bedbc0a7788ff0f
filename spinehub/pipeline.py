"""From an image and a click to a report: the one function that the command line, the page and notebooks call."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from spinehub.errors import InvalidArgumentError
from spinehub.features import extract_features
from spinehub.growing import Growth, Limits, Stability, grow, stability
from spinehub.io import Source
from spinehub.perfusion import (
    Timing,
    assess_timing,
    compute_maps,
    estimate_motion,
    find_hot_spot,
    hot_spot_parameters,
    region_curve,
    why_not,
)
from spinehub.render.wording import MAP_NAMES, plain_reason
from spinehub.report import WARNING_CODES, Finding, Report, ReportWarning, measure
from spinehub.routes import DEFAULT_MODELS, RouteContext, answer_routes
from spinehub.series import Curve, DynamicSeries, ParametricMap
from spinehub.volume import Mask, Seed, Volume

__all__ = ["DEFAULT_MODELS", "MOTION_LIMIT_MM", "analyse", "measure_lesion"]

MOTION_LIMIT_MM = 2.0
"""A shift between frames above this, and above one pixel, is reported: it would move a small hot spot off its place."""
SMALLEST_HOT_SPOT = 9
"""Voxels a hot spot needs, hence a lesion."""

_Progress = Callable[[float, str], None]


def analyse(
    image: DynamicSeries | Volume,
    *,
    seeds: Sequence[Seed] = (),
    mask: Mask | None = None,
    tolerance: float | Literal["auto"] = "auto",
    reach_mm: float = 60.0,
    limits: Limits | None = None,
    repeat: bool = False,
    models: Mapping[str, Any] | None = None,
    source: Source | None = None,
    progress: _Progress | None = None,
) -> Report:
    """Measure a lesion and ask the four routes; without a lesion, compute the maps (explore mode).

    Parameters
    ----------
    image
        Series or volume.
    seeds
        Foreground seeds in the lesion and background seeds outside it; the lesion is grown from them.
    mask
        The lesion itself, on the grid of the image, in place of seeds.
    tolerance
        How far to grow, in the unit of :attr:`Growth.arrival`; ``"auto"`` for the suggested tolerance.
    reach_mm
        The region stays within this distance of a foreground seed.
    limits
        Where the region may not go besides, see :class:`spinehub.growing.Limits`; None sets no limit.
    repeat
        Grow again from seeds moved by a few mm and with tolerances around the one used, and report how far the
        regions agree, see :func:`spinehub.growing.stability`.
    models
        Route name to a loaded model, an embedded name, a folder or a Hub id. None: the weights that come with
        spinehub; ``{}``: no model. A route that is not named gives no answer.
    source
        File names and hashes for the report.
    progress
        Called with the share done (0 to 1) and what is being done.

    Returns
    -------
    Report
        Always with four routes, also where none can answer.

    Raises
    ------
    InvalidArgumentError
        If seeds and mask are both given, the mask is empty, a seed lies outside the volume, there are only
        background seeds, the tolerance is negative or not finite, limits are given without seeds, or a seed lies
        outside a limit.
    GridMismatchError
        If the mask, or the one of the limits, lies on another grid.
    """
    tell = progress or (lambda _share, _text: None)
    _check(image, seeds, mask, tolerance)
    if limits is not None and not seeds:
        raise InvalidArgumentError("limits must come with seeds: they say where a region may not grow")
    tell(0.0, "timing and maps")
    timing = assess_timing(image)
    maps = compute_maps(image, timing) if isinstance(image, DynamicSeries) else {}
    growth, used, region = None, None, mask
    if seeds:
        tell(0.3, "region growing")
        within = {} if limits is None else vars(limits)
        growth = grow(image, seeds, reach_mm=reach_mm, **within)  # as anyone grows it, so that tolerances agree
        used = growth.suggested_tolerance if tolerance == "auto" else float(tolerance)
        region = growth.mask(used)
    repeated = None
    if repeat:
        tell(0.35, "region when the click moves")
        repeated = _repeated(image, growth, tolerance)
    finding = None
    if region is not None:
        tell(0.4, "measurements and features")
        finding = measure_lesion(image, region, timing, maps)
    tell(0.6, "routes")
    context = RouteContext(image, timing, maps, finding, growth)
    answers = answer_routes(context, models, before=lambda _name: tell(0.6, "routes"))
    warnings = [*_warnings(image, timing, finding, growth, used), *answers.warnings]
    tell(1.0, "done")
    return Report(
        image=image,
        timing=timing,
        maps=maps,
        missing_maps=_missing_maps(image, timing),
        growth=growth,
        tolerance=used,
        findings=() if finding is None else (finding,),
        routes=answers.routes,
        warnings=_in_order(warnings),
        source=source,
        stability=repeated,
    )


def _repeated(
    image: DynamicSeries | Volume, growth: Growth | None, tolerance: float | Literal["auto"]
) -> Stability | None:
    """How far the region agrees with itself, grown again; None where nothing was grown or nothing could be found."""
    if growth is None or growth.warning is not None:
        return None
    return stability(
        image, growth.seeds, tolerance=tolerance, reach_mm=growth.reach_mm, limits=growth.limits, growth=growth
    )


def _check(
    image: DynamicSeries | Volume, seeds: Sequence[Seed], mask: Mask | None, tolerance: float | Literal["auto"]
) -> None:
    if mask is not None:
        image.grid.require_match(mask.grid)
        if seeds:
            raise InvalidArgumentError("seeds and mask must not be given together: the mask already is the lesion")
        if mask.is_empty:
            raise InvalidArgumentError("mask must hold at least one voxel, got an empty mask")
    if seeds and all(seed.background for seed in seeds):
        raise InvalidArgumentError("seeds must hold a foreground seed: background seeds alone mark no lesion")
    if tolerance != "auto" and not (np.isfinite(tolerance) and tolerance >= 0):
        raise InvalidArgumentError(f"tolerance must be 'auto' or a finite number of at least 0, got {tolerance}")


def measure_lesion(
    image: DynamicSeries | Volume,
    mask: Mask,
    timing: Timing,
    maps: Mapping[str, ParametricMap],
    *,
    features: bool = True,
) -> Finding:
    """Everything that is measured inside a mask and that the routes judge: curve, hot spot, parameters, features.

    Parameters
    ----------
    image, mask
        The series or volume, and the lesion on its grid.
    timing, maps
        Of the image, from :func:`spinehub.perfusion.assess_timing` and :func:`spinehub.perfusion.compute_maps`.
    features
        Whether the radiomics row is computed, which only that route needs.
    """
    hot_spot = find_hot_spot(image, mask, timing)
    return Finding(
        mask=mask,
        measures=measure(mask),
        curve=_single_curve(image, mask) if isinstance(image, Volume) else region_curve(image, mask, timing),
        hot_spot=hot_spot,
        parameters=hot_spot_parameters(hot_spot, timing),
        features=extract_features(image, mask, timing, maps) if features else None,
    )


def _single_curve(volume: Volume, mask: Mask) -> Curve:
    """Mean signal of the region in the one frame there is; enhancement needs two."""
    inside = volume.voxels[mask.voxels].astype(np.float64)
    inside = inside[np.isfinite(inside)]
    mean = np.array([inside.mean() if inside.size else np.nan])
    unknown = np.array([np.nan])
    return Curve(mean, unknown, unknown, unknown, None, mask)


def _missing_maps(image: DynamicSeries | Volume, timing: Timing) -> dict[str, str]:
    """Why maps are absent; figures meant for three phases are not missed in a dynamic series."""
    reasons = {name: why_not(name, image, timing) for name in MAP_NAMES}
    return {
        name: reason
        for name, reason in reasons.items()
        if reason is not None and not (timing.regime == "dynamic" and reason.startswith("three_phases_only"))
    }


def _warnings(
    image: DynamicSeries | Volume,
    timing: Timing,
    finding: Finding | None,
    growth: Growth | None,
    tolerance: float | None,
) -> list[ReportWarning]:
    """What the reader must know about the input and the region; the routes add theirs."""
    warnings = _timing_warnings(image, timing, finding)
    if timing.contrast_enhanced is False:
        warnings.append(
            ReportWarning(
                "not_contrast_enhanced",
                "The body's signal changes by less than 5 % over the frames, so this does not look like a "
                "contrast-enhanced series (it may be diffusion, functional or multi-echo imaging).",
            )
        )
    if growth is not None and tolerance is not None:
        warnings += _leak_warning(growth, tolerance)
    if finding is not None and _is_small(finding):
        text = "The lesion holds too few voxels for a hot spot (at least 9), so its parameters cannot be read."
        plain = growth.warning if growth is not None else None
        warnings.append(ReportWarning("small_lesion", f"{text} {plain[0].upper()}{plain[1:]}." if plain else text))
    if isinstance(image, DynamicSeries):
        warnings += _motion_warning(image, timing)
    return warnings


def _leak_warning(growth: Growth, tolerance: float) -> list[ReportWarning]:
    jump = growth.leak_tolerance
    if jump is None or tolerance < jump:
        return []
    place = ""
    if growth.leak is not None:
        x, y, z = growth.leak.neck_mm
        place = f", where it passes ({x:.0f}, {y:.0f}, {z:.0f}) mm"
    text = f"The region jumps in size at the tolerance {jump:.3g}{place}, and {tolerance:.3g} was used."
    return [ReportWarning("leak_suspected", f"{text} Check the outline or lower the tolerance.")]


def _timing_warnings(image: DynamicSeries | Volume, timing: Timing, finding: Finding | None) -> list[ReportWarning]:
    if isinstance(image, Volume):
        text = "The input is a single volume, which cannot prove that contrast was given: curves and maps need frames."
        return [ReportWarning("single_volume", text)]
    if image.times_s is None:
        return [ReportWarning("timing_missing", " ".join(timing.reasons))]
    if timing.regime != "dynamic":
        return [ReportWarning("timing_insufficient", " ".join(timing.reasons))]
    reason = why_not("washout", image, timing)
    if reason is not None:
        return [ReportWarning("timing_insufficient", plain_reason(reason))]
    return []


def _is_small(finding: Finding) -> bool:
    reason = finding.parameters["early_enhancement"].reason or ""
    return reason.startswith("small_lesion") or finding.mask.count < SMALLEST_HOT_SPOT


def _motion_warning(series: DynamicSeries, timing: Timing) -> list[ReportWarning]:
    shift_mm = estimate_motion(series, timing)
    in_plane = [mm for axis, mm in enumerate(series.grid.spacing_mm) if axis != series.grid.slice_axis]
    if shift_mm <= max(MOTION_LIMIT_MM, *in_plane):
        return []
    text = f"Frames shift by up to {shift_mm:.1f} mm against each other; curves and maps of small regions may be wrong."
    return [ReportWarning("motion_suspected", text)]


def _in_order(warnings: list[ReportWarning]) -> tuple[ReportWarning, ...]:
    return tuple(sorted(warnings, key=lambda warning: WARNING_CODES.index(warning.code)))
