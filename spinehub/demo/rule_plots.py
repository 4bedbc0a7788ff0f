"""The rule drawn: its plane with decision regions and simulated lesions around the case, and its tree.

The two classes differ in shape as well as in colour: circles are metastases, triangles primary tumours.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.demo.drawing import Frame, axes, signed, svg
from spinehub.demo.markup import Markup, element, join
from spinehub.errors import SpineHubError
from spinehub.models import HotspotRule
from spinehub.render.prose import number
from spinehub.routes import DEFAULT_MODELS, load_model
from spinehub.simulate import cohort_recipes, expected_parameters

__all__ = ["Lesions", "known_rule", "plane_plot", "simulated_lesions", "tree_plot"]

_CASES = 160
_WIDTH, _HEIGHT = 330.0, 250.0
_SIDE = {"metastasis": "metastasis", "primary_malignant": "primary", "undecided": "undecided"}
_ROW, _BOX, _INDENT = 29.0, 23.0, 24.0

Lesions = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Parameters ``(n, 2)`` in % (early enhancement, wash-out) and whether the lesion is a primary tumour ``(n,)``."""


def known_rule(model_id: str | None = None) -> HotspotRule | None:
    """The rule with that id, from the pool; None where it is not installed."""
    try:
        rule: HotspotRule = load_model("hotspot", model_id or DEFAULT_MODELS["hotspot"])
    except SpineHubError:
        return None
    return rule


@cache
def simulated_lesions(seed: int = 1, cases: int = _CASES) -> Lesions:
    """What the hot spots of simulated lesions read without noise; cases whose scan ends too early are left out.

    Parameters
    ----------
    seed
        Of the cohort; the first recipes of the cohort the embedded rule was trained on have seed 1.
    cases
        Number of recipes drawn.
    """
    recipes = list(cohort_recipes(cases, seed))
    read = [expected_parameters(recipe) for recipe in recipes]
    points = np.array([[values["early_enhancement"], values["washout"]] for values in read])
    primary = np.array([recipe.diagnosis == "primary_malignant" for recipe in recipes])
    known = np.isfinite(points).all(axis=1)
    return points[known], primary[known]


def plane_plot(rule: HotspotRule, lesions: Lesions, case: tuple[float, float] | None) -> Markup:
    """Plane of the two parameters: what the rule decides where, simulated lesions, and the case.

    Parameters
    ----------
    rule
        Its thresholds cut the plane; within a piece its answer is the same.
    lesions
        From :func:`simulated_lesions`.
    case
        Early enhancement and wash-out of the case in %; None: no mark.
    """
    frame = _plane_frame(lesions[0], case)
    label = "Wash-out against early enhancement: regions of the rule, simulated lesions"
    parts = [*_regions(rule, frame), axes(frame, "early enhancement in %", "wash-out in %"), *_lesions(frame, lesions)]
    if case is not None:
        x, y = frame.across(case[0]), frame.down(case[1])
        parts.append(element("circle", cx=x, cy=y, r=9, class_="sh-here-ring"))
        parts.append(element("circle", cx=x, cy=y, r=4.5, class_="sh-here"))
        label += f"; this case at {case[0]:.0f} % and {case[1]:.0f} %"
    return svg(join(*parts), _WIDTH, _HEIGHT, label)


def _plane_frame(points: NDArray[np.float64], case: tuple[float, float] | None) -> Frame:
    """Limits that hold 98 % of the lesions on either side, and the case wherever it lies."""
    known = points if len(points) else np.array([[0.0, -50.0], [300.0, 50.0]])
    low, high = np.percentile(known, [1.0, 99.0], axis=0)
    if case is not None:
        low, high = np.minimum(low, case), np.maximum(high, case)
    margin = 0.06 * np.maximum(high - low, 1.0)
    (left, down), (right, up) = low - margin, high + margin
    return Frame((float(left), float(right)), (float(down), float(up)), 44, 22, _WIDTH - 56, _HEIGHT - 64)


def _regions(rule: HotspotRule, frame: Frame) -> list[Markup]:
    """One rectangle per piece of the plane between two neighbouring thresholds."""
    cuts: dict[str, list[float]] = {"early_enhancement": [*frame.x], "washout": [*frame.y]}
    for node in rule.tree:
        if node.parameter is not None and node.threshold is not None:
            known = cuts[node.parameter]
            known.append(min(max(node.threshold, known[0]), known[1]))
    columns, rows = (list(pairwise(sorted(set(values)))) for values in cuts.values())
    shapes = []
    for left, right in columns:
        for low, high in rows:
            score = rule.score((left + right) / 2, (low + high) / 2)
            side = _SIDE[rule.calibration.answer(score, "dynamic").decision]
            shapes.append(
                element(
                    "rect", x=frame.across(left), y=frame.down(high), width=frame.across(right) - frame.across(left),
                    height=frame.down(low) - frame.down(high), class_=f"sh-region sh-region-{side}",
                )
            )  # fmt: skip
    return shapes


def _lesions(frame: Frame, lesions: Lesions) -> list[Markup]:
    shapes = []
    for (early, washout), primary in zip(*lesions, strict=True):
        if not (frame.x[0] <= early <= frame.x[1] and frame.y[0] <= washout <= frame.y[1]):
            continue
        x, y = frame.across(float(early)), frame.down(float(washout))
        if primary:
            corners = f"{x},{y - 3.6} {x - 3.4},{y + 2.6} {x + 3.4},{y + 2.6}"
            shapes.append(element("polygon", points=corners, class_="sh-point sh-point-primary"))
        else:
            shapes.append(element("circle", cx=x, cy=y, r=2.7, class_="sh-point sh-point-metastasis"))
    return shapes


def tree_plot(rule: HotspotRule, case: tuple[float, float] | None) -> Markup:
    """The tree of the rule with the way of the case through it: a row per node, under each question its two answers.

    Parameters
    ----------
    rule
        At most three questions deep.
    case
        Early enhancement and wash-out in %; None: no way is marked.
    """
    nodes, passed = rule.nodes(), set() if case is None else set(rule.walk(*case))
    places = _places(nodes)
    branches = sorted(range(1, len(nodes)), key=lambda child: child in passed)  # the way is drawn over the others
    shapes = [_branch(nodes, places, child, passed) for child in branches]
    for position, node in enumerate(nodes):
        decision = None
        if node["question"] is None:
            score = rule.calibration.decide(node["primary_malignant"], "dynamic")
            decision = _SIDE[score]
        parent = node["parent"]
        answer = "" if parent is None else "yes: " if nodes[parent]["above"] == position else "no: "
        shapes.append(_box(node, places[position], answer, decision, on_the_way=position in passed))
    label = "Decision tree of the rule; the way of this case is drawn in bold"
    return svg(join(*shapes), _WIDTH, len(nodes) * _ROW, label, most_px=_WIDTH)


def _places(nodes: Sequence[dict[str, Any]]) -> dict[int, tuple[float, float]]:
    """Left end and middle of each node's row: a question comes before its answers, the one to "no" first."""
    places: dict[int, tuple[float, float]] = {}

    def place(position: int) -> None:
        node = nodes[position]
        places[position] = (2 + _INDENT * node["depth"], (len(places) + 0.5) * _ROW)
        if node["question"] is not None:
            place(node["below"])
            place(node["above"])

    place(0)
    return places


def _branch(
    nodes: Sequence[dict[str, Any]], places: dict[int, tuple[float, float]], child: int, passed: set[int]
) -> Markup:
    """Down from the question and right to its answer."""
    parent = nodes[child]["parent"]
    (x1, y1), (x2, y2) = places[parent], places[child]
    bold = "sh-branch sh-branch-on" if {child, parent} <= passed else "sh-branch"
    trunk = x1 + _INDENT / 2
    return element("polyline", points=f"{trunk},{y1 + _BOX / 2} {trunk},{y2} {x2},{y2}", class_=bold)


def _box(
    node: dict[str, Any], place: tuple[float, float], answer: str, decision: str | None, *, on_the_way: bool
) -> Markup:
    x, y = place
    kind = "sh-node" if decision is None else f"sh-node sh-region-{decision}"
    if on_the_way:
        kind += " sh-node-on"
    box = element("rect", x=x, y=y - _BOX / 2, width=_WIDTH - 2 - x, height=_BOX, rx=5, class_=kind)
    if decision is None:
        parameter, _, limit = node["question"].partition(" > ")
        line = f"{parameter} above {limit.replace('-', signed(-1)[0])}?"
    else:
        metastases, primaries = node["cases"].values()
        line = f"{number(1 - node['primary_malignant'], 2)} metastasis, cases {metastases} : {primaries}"
    return join(box, element("text", answer + line, x=x + 8, y=y + 4, class_="sh-axis sh-node-text"))
