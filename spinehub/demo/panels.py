"""What stands beside the viewer, as HTML: case, seeds, border, curve with parameters, notices."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spinehub.demo.cases import LoadedCase, Outcome
from spinehub.demo.definitions import what
from spinehub.demo.markup import Markup, element, join
from spinehub.demo.plots import curve_plot, tolerance_plot
from spinehub.demo.reference_panel import (
    comparisons,
    crosshair_key,
    crosshair_said,
    reference_curves,
    reference_keys,
    reference_table,
    without_lesion,
)
from spinehub.demo.session import Session
from spinehub.growing import Growth
from spinehub.perfusion import Comparison
from spinehub.render.prose import number, parameter_rows
from spinehub.render.wording import MAP_NAMES, PARAMETER_NAMES, WARNING_TITLES, plain_reason
from spinehub.series import DynamicSeries

__all__ = [
    "case_panel",
    "curve_panel",
    "notices_panel",
    "seeds_panel",
    "slider_step",
    "slider_top",
    "tolerance_panel",
]

_REGIMES = {
    "dynamic": "dynamic series",
    "pre_post": "frames before and after contrast",
    "single": "single volume",
}
NO_TIMES = "The frame times are not known, so nothing in seconds can be computed. Type them in under 1 Case."
_PROTOCOL_NOTE = "Enhancement in % depends on T1, flip angle and repetition time: compare it only within one protocol."


def case_panel(case: LoadedCase, session: Session) -> str:
    """What is loaded, in two lines, and what could not be worked out from it."""
    image, timing = case.image, case.timing
    shape = " × ".join(str(n) for n in image.grid.shape)
    spacing = " × ".join(f"{mm:.3g}" for mm in image.grid.spacing_mm)
    facts = [join(f"{shape} voxels of {spacing} mm, {image.grid.acquired_plane} ", what("voxel"))]
    if isinstance(image, DynamicSeries):
        interval = image.frame_interval_s
        every = f" every {interval:.3g} s" if interval is not None else ", times not known"
        facts.append(join(f"{image.frame_count} frames{every} ", what("frame_interval")))
    if timing.arrival_s is not None and timing.uncertainty_s is not None:
        arrives = f"contrast arrives at {timing.arrival_s:.0f} ± {timing.uncertainty_s:.0f} s "
        facts.append(join(arrives, what("arrival")))
    if session.is_example:
        name = element("strong", "Simulated example", class_="sh-is-example")
    elif session.teaching is not None:
        name = element("strong", f"Teaching case {session.teaching}, simulated")
    else:
        names = case.source.names if case.source is not None else ()
        name = element("strong", ", ".join(names[:3]) + (" …" if len(names) > 3 else ""), class_="sh-file")
    kind = join(name, element("span", _REGIMES[timing.regime], class_="sh-tag"))
    lines = [element("div", kind, class_="sh-case"), element("div", *_listed(facts), class_="sh-small")]
    reasons = (NO_TIMES,) if isinstance(image, DynamicSeries) and image.times_s is None else timing.reasons
    lines += [element("div", reason, class_="sh-small sh-hint") for reason in reasons]
    if case.source is not None and case.source.header_text:
        fields = ", ".join(case.source.header_text)
        note = f"The header holds free text ({fields}); nothing of it is shown, logged or written out."
        lines.append(element("div", note, class_="sh-small sh-hint"))
    return join(*lines)


def _listed(facts: list[Markup]) -> list[Markup]:
    """Facts in one line, with dots between them."""
    return [fact if place == 0 else join(" · ", fact) for place, fact in enumerate(facts)]


def seeds_panel(case: LoadedCase, session: Session) -> str:
    """List of seeds with voxel and position."""
    if not session.seeds:
        return element("div", "No seed yet. Press Seed above the image and click the lesion.", class_="sh-small")
    rows = []
    for seed in session.seeds:
        index = seed.index_on(case.image.grid)
        kind = "background" if seed.background else "lesion"
        sign = element("span", "", class_=f"sh-seed sh-seed-{kind}", aria_hidden="true")
        place = ", ".join(number(value, 0) for value in seed.position_mm) + " mm"
        voxel = element("span", ", ".join(str(n) for n in index), class_="sh-voxel")
        rows.append(element("li", sign, voxel, element("span", f"{place} · {kind}", class_="sh-small")))
    return element("ul", *rows, class_="sh-seeds", aria_label="Seeds")


def slider_top(case: LoadedCase) -> tuple[float, float]:
    """End and step of the tolerance slider."""
    return (1.0, 0.01) if case.growth is None else (_slider_end(case.growth), slider_step(case.growth))


def slider_step(growth: Growth) -> float:
    """Step of the slider: a power of ten, at least 200 of them up to the end."""
    return float(10.0 ** math.floor(math.log10(_slider_room(growth) / 200.0)))


def _slider_end(growth: Growth) -> float:
    step = slider_step(growth)
    return float(round(math.ceil(_slider_room(growth) / step - 1e-9) * step, 9))


def _slider_room(growth: Growth) -> float:
    """Tolerance worth trying: beyond the leak and the suggestion, but no farther than the region can grow."""
    largest = float(growth.volume_curve()[0][-1])
    wanted = max(3.0 * growth.suggested_tolerance, 1.5 * (growth.leak_tolerance or 0.0))
    return max(min(largest, wanted), 1e-3)


def tolerance_panel(case: LoadedCase, session: Session) -> str:
    """Volume of the region now, and the volume-against-tolerance curve with the leak."""
    growth = case.growth
    if growth is None or session.tolerance is None:
        return element("div", "The border can be set once a seed is placed.", class_="sh-small")
    volume = growth.mask(session.tolerance).volume_ml
    top, _ = slider_top(case)
    plot = tolerance_plot(*growth.volume_curve(), session.tolerance, growth.leak_tolerance, top)
    now = element("span", f"{number(volume, 2 if volume < 10 else 1)} ml", id="sh-volume-now", class_="sh-now-value")
    leak = growth.leak_tolerance
    suggested = join(f"Suggested tolerance: {growth.suggested_tolerance:.3g} ", what("tolerance"), ". ")
    note = "No leak found." if leak is None else f"Above {leak:.3g} the region jumps in size: a leak."
    line = element("div", element("span", "Volume ", what("volume")), now, class_="sh-pair")
    return join(line, plot, element("div", suggested, note, " ", what("leak"), class_="sh-small"))


def curve_panel(case: LoadedCase) -> str:
    """Enhancement curve, the two parameters with their definitions, and the volume."""
    outcome = case.outcome
    compared = comparisons(case)
    if outcome is None or outcome.curve is None or outcome.document["lesion"] is None:
        return join(*without_lesion(case, compared))
    parts: list[Markup] = []
    if isinstance(case.image, DynamicSeries):
        spot = outcome.hot_spot.curve if outcome.hot_spot else None
        curves, figures = reference_curves(compared), _parameters_said(outcome.document)
        parts.append(curve_plot(case.image, outcome.curve, case.timing, spot, curves, figures=figures))
        parts += [_legend(outcome, compared), crosshair_said()]
    else:
        parts.append(element("div", "One volume has no curve: it takes frames over time.", class_="sh-small"))
    parts.append(element("div", *_figures(outcome.document), class_="sh-figures"))
    parts.append(reference_table(case, compared))
    parts.append(_definitions(outcome))
    return join(*parts)


def _legend(outcome: Outcome, compared: Sequence[Comparison]) -> Markup:
    items = [
        element("span", element("i", class_="sh-key sh-key-lesion"), "lesion mean"),
        element("span", element("i", class_="sh-key sh-key-band"), "middle half of its voxels"),
        element("span", "in % over baseline", what("baseline")),
    ]
    if outcome.hot_spot is not None:
        count = outcome.hot_spot.mask.count
        key = element("i", class_="sh-key sh-key-spot")
        items.insert(0, element("span", key, f"hot spot, {count} voxels", what("hot_spot")))
    return element("div", *items, *reference_keys(compared), crosshair_key(), class_="sh-legend")


def _parameters_said(document: Mapping[str, Any]) -> str:
    """The parameters read from the curve, in one sentence."""
    said = [
        f"{PARAMETER_NAMES[name]}: "
        + ("not available" if one["value"] is None else f"{number(one['value'], 0)} {one['unit']}")
        for name, one in document["parameters"].items()
    ]
    return f"{'; '.join(said)}."


def _figures(document: Mapping[str, Any]) -> list[Markup]:
    figures = []
    for name, parameter in document["parameters"].items():
        title = PARAMETER_NAMES[name]
        if parameter["value"] is None:
            figures.append(_figure(title, "not available", name))
            continue
        spread = parameter["uncertainty"]
        after = "" if spread is None else f" ± {number(spread, 0)}"
        figures.append(_figure(title, f"{number(parameter['value'], 0)}{after} {parameter['unit']}", name))
    lesion = document["lesion"]
    volume = lesion["volume_ml"]
    said = f"{number(volume, 2 if volume < 10 else 1)} ml"
    repeated = (document.get("growing") or {}).get("stability")
    if repeated is not None:
        low, high = (number(value, 1) for value in repeated["volume_interval_ml"])
        said += f" ({low} to {high} when the click moves)"
    figures.append(_figure("Volume", said, "volume" if repeated is None else "stability"))
    figures.append(
        _figure("Diameters", " × ".join(number(mm, 0) for mm in lesion["diameters_mm"]) + " mm", "diameters")
    )
    return figures


def _figure(name: str, value: str, define: str) -> Markup:
    return element("span", element("strong", name), " ", value, " ", what(define))


def _definitions(outcome: Outcome) -> Markup:
    rows = [
        element("li", element("strong", name), ": ", plain_reason(text))
        for name, _, text in parameter_rows(outcome.document)
    ]
    diameters = "the longest, the longest across it, and the extent across both, outer edge to outer edge"
    rows.append(element("li", element("strong", "Diameters"), f": {diameters}."))
    rows.append(element("li", _PROTOCOL_NOTE))
    for name, reason in outcome.missing_maps.items():
        rows.append(element("li", element("strong", MAP_NAMES.get(name, name)), f" is missing: {plain_reason(reason)}"))
    return element("details", element("summary", "What do these numbers mean?"), element("ul", *rows), class_="sh-why")


def notices_panel(outcome: Outcome | None) -> str:
    """Every warning of the report in words; empty where there is none."""
    warnings = outcome.document["warnings"] if outcome is not None else []
    if not warnings:
        return ""
    rows = [
        element("li", element("strong", WARNING_TITLES.get(item["code"], item["code"])), ". ", _said(item))
        for item in warnings
    ]
    return join(element("h3", "Notes on this case"), element("ul", *rows, class_="sh-notices"))


def _said(warning: Mapping[str, str]) -> str:
    """Message of a warning; the report's way out of missing times names options this page does not have."""
    return NO_TIMES if warning["code"] == "timing_missing" else warning["message"]
