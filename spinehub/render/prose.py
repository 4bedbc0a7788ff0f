"""A report in a radiologist's words: technique, findings and parameters, from the numbers of report.json."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from spinehub.render import wording

__all__ = ["findings_text", "number", "parameter_rows", "summary_lines", "technique_rows"]

_REGIMES = {
    "dynamic": "dynamic contrast-enhanced series; the times of its frames are known",
    "pre_post": "frames before and after contrast; what depends on seconds cannot be read from them",
    "single": "one volume; whether contrast was given cannot be told from it",
}
_PROTOCOL = (
    ("repetition_time_s", "TR ", 1000.0, " ms"),
    ("echo_time_s", "TE ", 1000.0, " ms"),
    ("flip_angle_deg", "flip angle ", 1.0, "\N{DEGREE SIGN}"),
    ("field_strength_t", "", 1.0, " T"),
)


def number(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """Return a number for reading: fixed digits, a real minus sign, a dash where it is not known."""
    if value is None:
        return "-"
    value = round(value, digits) + 0.0  # no sign on a zero
    text = f"{value:+.{digits}f}" if sign and value else f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def technique_rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of each row of the technique table."""
    source, timing, growing = document["input"], document["timing"], document["growing"]
    if source["files"]:
        yield "Input", ", ".join(source["files"])
    shape = source["shape"]
    spacing = " × ".join(number(value, 2) for value in source["spacing_mm"])
    yield "Grid", f"{' × '.join(str(n) for n in shape[:3])} voxels of {spacing} mm"
    yield "Kind", _REGIMES[source["regime"]]
    yield "Sequence", _sequence_text(source.get("protocol") or {})
    if len(shape) == 4:
        yield "Frames", _frames_text(source, timing)
    if timing["arrival_s"] is not None:
        yield (
            "Contrast arrival",
            (f"{number(timing['arrival_s'])} s after the first frame, ± {number(timing['uncertainty_s'])} s"),
        )
    if growing["seeds"]:
        yield "Region", _growing_text(growing)
        if growing.get("stability"):
            yield "When the click moves", _stability_text(growing["stability"])
    elif document["lesion"] is not None:
        yield "Region", "mask given with the image"
    for file_hash in source["sha256"]:
        yield "SHA-256", file_hash


def _frames_text(source: Mapping[str, Any], timing: Mapping[str, Any]) -> str:
    count, times = source["shape"][3], source["times_s"]
    text = f"{count}, of which {timing['baseline_frames']} before contrast"
    if times is None:
        return text + "; times not known"
    steps = sorted(after - before for before, after in pairwise(times))
    return text + f"; every {number(steps[len(steps) // 2])} s (median), over {number(times[-1])} s"


def _growing_text(growing: Mapping[str, Any]) -> str:
    inside = [seed for seed in growing["seeds"] if not seed["background"]]
    outside = len(growing["seeds"]) - len(inside)
    places = "; ".join(f"({', '.join(number(v) for v in seed['position_mm'])}) mm" for seed in inside)
    text = f"grown from {_plural(len(inside), 'seed')} at {places}"
    if outside:
        text += f", held back by {_plural(outside, 'background seed')}"
    text += f"; tolerance {number(growing['tolerance'], 3)}, reach {number(growing['reach_mm'], 0)} mm"
    if growing["leak_tolerance"] is not None:
        text += f"; leaks from tolerance {number(growing['leak_tolerance'], 3)}"
        if growing.get("leak"):
            text += f" at ({', '.join(number(v) for v in growing['leak']['position_mm'])}) mm"
    return text


def _stability_text(again: Mapping[str, Any]) -> str:
    low, high = (number(value, 2 if value < 10 else 1) for value in again["volume_interval_ml"])
    return (
        f"grown {again['repetitions']} times, from seeds up to {number(again['jitter_mm'], 0)} mm away and with "
        f"tolerances around this one: mean Dice {number(again['mean_dice'], 2)}, 90 % of the volumes between {low} "
        f"and {high} ml"
    )


def _sequence_text(protocol: Mapping[str, float | None]) -> str:
    """Sequence parameters the file states; contrast agent and dose are in no file that is read."""
    told = []
    for key, name, factor, unit in _PROTOCOL:
        value = protocol.get(key)
        if value is not None:
            told.append(f"{name}{factor * value:.3g}{unit}")
    stated = ", ".join(told) + " (as the file states)" if told else "its parameters are not in the file"
    return f"{stated}; contrast agent and dose are not recorded"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def findings_text(document: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about size, place and enhancement of the lesion."""
    lesion = document["lesion"]
    if lesion is None:
        yield "No lesion was marked: this report holds the maps and pictures of the whole image."
        return
    sizes = " × ".join(number(value, 0) for value in lesion["diameters_mm"])
    slices = lesion["slices"]
    where = ", ".join(f"{axis} {number(value)}" for axis, value in zip("xyz", lesion["centroid_mm"], strict=True))
    yield (
        f"Lesion of {sizes} mm (longest diameter, longest perpendicular to it, and perpendicular to both), volume "
        f"{number(lesion['volume_ml'], 2 if lesion['volume_ml'] < 10 else 1)} ml ({lesion['voxels']} voxels)."
    )
    yield (
        f"It lies on {slices['plane']} slices {slices['first'] + 1} to {slices['last'] + 1}, counted from 1; its "
        f"centre is at {where} mm (right, front and head positive)."
    )
    yield from _enhancement_text(document, slices["plane"])


def _enhancement_text(document: Mapping[str, Any], plane: str) -> Iterator[str]:
    spot = document["hot_spot"]
    if spot is None:
        yield "No hot spot could be read, so nothing is said about how the lesion enhances."
        return
    place = f"The hot spot ({spot['voxels']} voxels on {plane} slice {spot['slice'] + 1})"
    if not spot["enhances"]:
        yield f"{place} does not enhance."
        return
    early, washout = (document["parameters"][name]["value"] for name in ("early_enhancement", "washout"))
    parts = []
    if early is not None:
        parts.append(f"is {number(early, 0)} % above baseline 45 s after contrast arrival")
    if washout is not None:
        change = "falls" if washout < 0 else "rises further"
        parts.append(f"{change} by {number(abs(washout), 0)} % from 67 s (or its earlier peak) to 240 s")
    text = f"{place} {' and '.join(parts)}" if parts else f"{place} enhances"
    if spot["curve_type"] is not None:
        text += f": curve type {spot['curve_type']}, {wording.CURVE_TYPE_NAMES[spot['curve_type']]}"
    yield text + "."


def parameter_rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, value with uncertainty, and definition or reason of each parameter."""
    for name, parameter in document["parameters"].items():
        title, definition = wording.PARAMETER_NAMES[name], wording.PARAMETER_DEFINITIONS[name]
        if parameter["value"] is None:
            yield title, "not available", f"{wording.plain_reason(parameter['reason'])} (Definition: {definition}.)"
            continue
        value = number(parameter["value"], 1)
        if parameter["uncertainty"] is not None:
            value += f" ± {number(parameter['uncertainty'], 1)}"
        yield title, f"{value} {parameter['unit']}", definition[0].upper() + definition[1:] + "."


def summary_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Report in a few lines for a terminal: findings, routes, warnings."""
    yield from findings_text(document)
    yield wording.NOT_A_DIAGNOSIS
    for route in document["routes"]:
        reason = f" ({route['reason'].partition(':')[0]})" if route["reason"] else ""
        yield f"  {wording.ROUTE_NAMES[route['name']]}: {wording.DECISION_NAMES[route['decision']]}{reason}"
    for warning in document["warnings"]:
        yield f"  {warning['code']}: {warning['message']}"
