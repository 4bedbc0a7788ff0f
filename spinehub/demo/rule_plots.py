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
_LEAF_WIDTH, _LEAF_HEIGHT, _LEVEL_HEIGHT = 104.0, 46.0, 74.0

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
    """The tree of the rule with the way of the case through it: no goes left, yes goes right.

    Parameters
    ----------
    rule
        At most three questions deep.
    case
        Early enhancement and wash-out in %; None: no way is marked.
    """
    nodes, passed = rule.nodes(), set() if case is None else set(rule.walk(*case))
    places = _places(nodes)
    width = max(x for x, _ in places.values()) + _LEAF_WIDTH / 2 + 2
    height = max(y for _, y in places.values()) + _LEAF_HEIGHT / 2 + 2
    shapes = [_branch(nodes, places, child, passed) for child in range(1, len(nodes))]
    for position, node in enumerate(nodes):
        decision = None
        if node["question"] is None:
            score = rule.calibration.decide(node["primary_malignant"], "dynamic")
            decision = _SIDE[score]
        shapes.append(_box(node, places[position], decision, on_the_way=position in passed))
    label = "Decision tree of the rule; the way of this case is drawn in bold"
    return svg(join(*shapes), width, height, label, most_px=width)


def _places(nodes: Sequence[dict[str, Any]]) -> dict[int, tuple[float, float]]:
    """Centre of each node: leaves side by side, a question above the middle of its two answers."""
    places: dict[int, tuple[float, float]] = {}
    leaves = 0

    def place(position: int) -> float:
        nonlocal leaves
        node = nodes[position]
        if node["question"] is None:
            x = (leaves + 0.5) * (_LEAF_WIDTH + 8) + 2
            leaves += 1
        else:
            x = (place(node["below"]) + place(node["above"])) / 2
        places[position] = (x, node["depth"] * _LEVEL_HEIGHT + _LEAF_HEIGHT / 2 + 2)
        return x

    place(0)
    return places


def _branch(
    nodes: Sequence[dict[str, Any]], places: dict[int, tuple[float, float]], child: int, passed: set[int]
) -> Markup:
    parent = nodes[child]["parent"]
    (x1, y1), (x2, y2) = places[parent], places[child]
    yes = nodes[parent]["above"] == child
    bold = "sh-branch sh-branch-on" if {child, parent} <= passed else "sh-branch"
    line = element("line", x1=x1, y1=y1 + _LEAF_HEIGHT / 2, x2=x2, y2=y2 - _LEAF_HEIGHT / 2, class_=bold)
    middle = {"x": (x1 + x2) / 2 + (6 if yes else -6), "y": (y1 + y2) / 2 + 2}
    anchor = "start" if yes else "end"
    return join(line, element("text", "yes" if yes else "no", class_="sh-axis", text_anchor=anchor, **middle))


def _box(node: dict[str, Any], place: tuple[float, float], decision: str | None, *, on_the_way: bool) -> Markup:
    x, y = place
    kind = "sh-node" if decision is None else f"sh-node sh-region-{decision}"
    if on_the_way:
        kind += " sh-node-on"
    box = element(
        "rect", x=x - _LEAF_WIDTH / 2, y=y - _LEAF_HEIGHT / 2, width=_LEAF_WIDTH, height=_LEAF_HEIGHT, rx=6, class_=kind
    )
    if decision is None:
        parameter, _, limit = node["question"].partition(" > ")
        lines = (parameter, f"above {limit.replace('-', signed(-1)[0])}?")
    else:
        metastases, primaries = node["cases"].values()
        lines = (f"{number(1 - node['primary_malignant'], 2)} metastasis", f"cases {metastases} : {primaries}")
    words = [
        element("text", line, x=x, y=y - 3 + 15 * n, class_="sh-axis sh-node-text", text_anchor="middle")
        for n, line in enumerate(lines)
    ]
    return join(box, *words)
