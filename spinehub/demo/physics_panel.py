"""What the physics sandbox shows: the curve, the numbers read from it, and the rule's verdict on its plane."""

import numpy as np

from spinehub.demo.definitions import source_link, what
from spinehub.demo.drawing import Frame, axes, svg
from spinehub.demo.markup import Markup, element, join
from spinehub.demo.physics import Physics, Simulated, simulate
from spinehub.demo.plots import reading_marks
from spinehub.demo.rule_plots import known_rule, plane_plot, simulated_lesions, tree_plot
from spinehub.render.prose import number
from spinehub.render.wording import DECISION_NAMES

__all__ = ["physics_panels"]

_ROWS = {
    "early_enhancement": "Early enhancement, 45 s",
    "washout": "Wash-out, 67 to 240 s",
    "peak_enhancement": "Peak enhancement",
    "washin_ratio": "Steepest rise between two frames",
    "last_frame_washout": "Wash-out to the last frame",
}
_OLDER = ("washin_ratio", "last_frame_washout")


def physics_panels(physics: Physics) -> tuple[str, str]:
    """Curve with its numbers, and verdict with its plane, for one setting."""
    simulated = simulate(physics)
    return join(_curve(simulated, physics), _numbers(simulated), _note()), _verdict(simulated)


def _curve(simulated: Simulated, physics: Physics) -> Markup:
    x, y = simulated.times_s, simulated.enhancement
    low, high = min(0.0, float(y.min())), max(10.0, float(simulated.true_enhancement.max()))
    margin = 0.06 * (high - low)
    frame = Frame((float(x[0]), max(float(x[-1]), 60.0)), (low - margin, high + margin), 44, 22, 600, 190)
    first = float(x[0]) - 0.5 * physics.frame_interval_s
    before = [element("rect", x=frame.left, y=frame.top, width=max(frame.across(0.0) - frame.left, 0.0),
                      height=frame.height, class_="sh-baseline")]  # fmt: skip
    inside = (simulated.true_times_s >= max(first, frame.x[0])) & (simulated.true_times_s <= frame.x[1])
    true_line = frame.points(simulated.true_times_s[inside], simulated.true_enhancement[inside])
    half = 0.5 * physics.frame_interval_s
    steps = [
        element("line", x1=frame.across(max(a - half, frame.x[0])), x2=frame.across(min(a + half, frame.x[1])),
                y1=frame.down(b), y2=frame.down(b), class_="sh-step")
        for a, b in zip(x, y, strict=True)
    ]  # fmt: skip
    dots = [element("circle", cx=frame.across(a), cy=frame.down(b), r=3, class_="sh-dot") for a, b in np.c_[x, y]]
    shapes = join(
        *before, axes(frame, "seconds after contrast arrival", "%"),
        element("polyline", points=true_line, class_="sh-line sh-lesion"), *steps,
        element("polyline", points=frame.points(x, y), class_="sh-line sh-spot"), *dots, *reading_marks(frame),
    )  # fmt: skip
    legend = element(
        "div",
        element("span", element("i", class_="sh-key sh-key-spot"), "what the frames show"),
        element("span", element("i", class_="sh-key sh-key-lesion"), "the tissue itself"),
        class_="sh-legend",
    )
    return join(svg(shapes, 660, 252, "Simulated enhancement over time; the numbers are in the table below"), legend)


def _numbers(simulated: Simulated) -> Markup:
    columns = ("Number", "from these frames", "0.5 s frames, 360 s")
    head = element("tr", *[element("th", column, scope="col") for column in columns])
    rows = []
    for name, title in _ROWS.items():
        label = element("th", title, " ", what(name), scope="row")
        values = (_percent(simulated.readings[name]), _percent(simulated.true_readings[name]))
        cells = [element("td", value) for value in values]
        rows.append(element("tr", label, *cells, class_="sh-older" if name in _OLDER else None))
    table = element("table", element("thead", head), element("tbody", *rows), class_="sh-table")
    older = "Grey: figures of older papers. Change the frame interval or the scan's end: which numbers move?"
    return join(table, element("p", older, class_="sh-small"))


def _percent(value: float | None) -> str:
    return "scan too short" if value is None else f"{number(value, 0)} %"


def _verdict(simulated: Simulated) -> Markup:
    rule = known_rule()
    if rule is None or simulated.answer is None:
        return element("p", "The rule is not part of this installation.", class_="sh-small")
    answer = simulated.answer
    if answer.probabilities is None:
        lead = element("p", "The rule gives no answer.", class_="sh-headline")
        told = element("p", f"{(answer.reason or '')[:1].upper()}{(answer.reason or '')[1:]}.", class_="sh-small")
    else:
        lead = element("p", f"The rule {_decided(answer.decision)}.", class_="sh-headline")
        share = answer.probabilities["metastasis"]
        text = f"{share:.2f} metastasis, {1 - share:.2f} primary, for equal priors. Not a diagnosis. "
        told = element("p", text, what("probability"), class_="sh-small")
    plane = plane_plot(rule, simulated_lesions(), simulated.case)
    tree = tree_plot(rule, simulated.case)
    return join(lead, told, plane, plane_legend(), element("h3", "Its tree"), element("div", tree, class_="sh-tree"))


def _decided(decision: str) -> str:
    return "is undecided" if decision == "undecided" else DECISION_NAMES[decision]


def plane_legend() -> Markup:
    """Signs on the plane of the rule, in words."""
    return element(
        "div",
        element("span", element("i", class_="sh-sign sh-sign-metastasis"), "simulated metastasis"),
        element("span", element("i", class_="sh-sign sh-sign-primary"), "simulated primary"),
        element("span", element("i", class_="sh-sign sh-sign-here"), "this case"),
        element("p", "Shaded: blue where the rule leans to metastasis, orange to primary, grey undecided. The "
                     "lesions are the first of the rule’s training cases, read without noise.", class_="sh-small"),
        class_="sh-legend",
    )  # fmt: skip


def _note() -> Markup:
    return element(
        "p", "A model, not a measurement: one tissue without noise, extended Tofts model, input function of ",
        source_link("Parker 2006"), ", haematocrit 0.42, relaxivity 4.5 per mM and s (",
        source_link("Szomolanyi 2019"), "), 3 T, T2* left out. Computed by the simulator that drew the training cases.",
        class_="sh-small",
    )  # fmt: skip
