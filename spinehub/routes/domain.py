"""Checks before any number: whether an input is like what the models learned from.

A regime alone is never unusual: hidden inputs are part of training. What counts is how the image was acquired and
whether it shows contrast at all; distances in feature space are checked by the models themselves.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries
from spinehub.volume import Volume

__all__ = ["DEFAULT_RANGES", "acquisition_facts", "merge_ranges", "unusual_acquisition"]

_FACTS = {
    "in_plane_mm": ("in-plane spacing", "mm"),
    "slice_mm": ("slice spacing", "mm"),
    "field_of_view_mm": ("field of view", "mm"),
    "slices": ("number of slices", ""),
    "frame_interval_s": ("frame interval", "s"),
    "repetition_time_s": ("repetition time", "s"),
    "flip_angle_deg": ("flip angle", "degrees"),
    "field_strength_t": ("field strength", "T"),
}

DEFAULT_RANGES: dict[str, tuple[float, float]] = {
    "in_plane_mm": (1.0, 1.6),
    "slice_mm": (4.0, 5.0),
    "field_of_view_mm": (144.0, 333.0),
    "slices": (10.0, 16.0),
    "frame_interval_s": (5.0, 30.0),
    "repetition_time_s": (0.0035, 0.006),
    "flip_angle_deg": (10.0, 25.0),
    "field_strength_t": (1.5, 3.0),
}
"""Lowest and highest value of each fact among simulated cases; used where a model does not state its own."""

_MARGIN = 0.1
"""A value within 10 % of the ends of its range is not called unusual."""
_SAGITTAL = "sagittal"


def acquisition_facts(image: DynamicSeries | Volume, timing: Timing) -> dict[str, float]:
    """What is known about how an image was acquired, by the names of :data:`DEFAULT_RANGES`; unknown facts are absent.

    The frame interval counts only in the dynamic regime: elsewhere no route uses it.
    """
    grid = image.grid
    in_plane = [axis for axis in range(3) if axis != grid.slice_axis]
    facts = {
        "in_plane_mm": max(grid.spacing_mm[axis] for axis in in_plane),
        "slice_mm": grid.spacing_mm[grid.slice_axis],
        "field_of_view_mm": max(grid.spacing_mm[axis] * grid.shape[axis] for axis in in_plane),
        "slices": float(grid.shape[grid.slice_axis]),
    }
    if isinstance(image, DynamicSeries):
        protocol: dict[str, float | None] = {
            "repetition_time_s": image.protocol.repetition_time_s,
            "flip_angle_deg": image.protocol.flip_angle_deg,
            "field_strength_t": image.protocol.field_strength_t,
        }
        if timing.regime == "dynamic":
            protocol["frame_interval_s"] = image.frame_interval_s
        facts |= {name: value for name, value in protocol.items() if value is not None}
    return facts


def unusual_acquisition(
    image: DynamicSeries | Volume, timing: Timing, ranges: Mapping[str, tuple[float, float]] = DEFAULT_RANGES
) -> tuple[str, ...]:
    """Sentence parts that name what is unusual about an image; nothing where it is like the training cases.

    Parameters
    ----------
    image, timing
        The input.
    ranges
        Lowest and highest value of each fact in training; facts without a range are not checked.
    """
    reasons = []
    for name, value in acquisition_facts(image, timing).items():
        if name not in ranges:
            continue
        low, high = ranges[name]
        if not low * (1 - _MARGIN) <= value <= high * (1 + _MARGIN):
            title, unit = _FACTS[name]
            unit = f" {unit}" if unit else ""
            reasons.append(f"{title} {value:.3g}{unit} (training: {low:.3g} to {high:.3g}{unit})")
    plane = image.grid.acquired_plane
    if plane != _SAGITTAL:
        reasons.append(f"{plane} slices (training: {_SAGITTAL})")
    if timing.contrast_enhanced is False:
        reasons.append("no contrast uptake in the body (training: contrast-enhanced series)")
    return tuple(reasons)


def merge_ranges(domains: Iterable[Mapping[str, Any] | None]) -> dict[str, tuple[float, float]]:
    """Ranges of several models in one: a fact is usual only where it is usual for each model that states it.

    Parameters
    ----------
    domains
        The ``domain`` of each model: ``{"acquisition": {fact: [low, high]}, ...}``, or None.
    """
    ranges = dict(DEFAULT_RANGES)
    stated: dict[str, tuple[float, float]] = {}
    for domain in domains:
        for name, (low, high) in ((domain or {}).get("acquisition") or {}).items():
            lowest, highest = stated.get(name, (float("-inf"), float("inf")))
            stated[name] = (max(lowest, float(low)), min(highest, float(high)))
    return {**ranges, **{name: pair for name, pair in stated.items() if name in _FACTS}}
