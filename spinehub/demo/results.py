"""The four routes side by side: what each says, how good it was on simulated cases, and why."""

from collections.abc import Mapping
from typing import Any

from spinehub.demo.cases import Outcome
from spinehub.demo.definitions import what
from spinehub.demo.markup import Markup, element, join
from spinehub.demo.physics_panel import plane_legend
from spinehub.demo.rule_plots import known_rule, plane_plot, simulated_lesions, tree_plot
from spinehub.render.prose import number
from spinehub.render.wording import (
    AGREEMENT_SENTENCE,
    ASSUMPTION,
    BIOPSY_SENTENCE,
    CLASS_NAMES,
    DECISION_NAMES,
    NOT_A_DIAGNOSIS,
    NOT_IN_EITHER_CLASS,
    ROUTE_NAMES,
    accuracy_sentence,
    agreement_sentence,
    plain_reason,
)
from spinehub.routes import measured_agreement

__all__ = ["result_panel"]

_OUTSIDE = "outside_training_distribution"
_SHOWN_CONTRIBUTIONS = 6
_NETWORKS = ("unet", "inception_resnet")


def result_panel(outcome: Outcome | None) -> str:
    """Headline, bars and reasons; outside the training distribution it says so first and folds the numbers away."""
    heading = element("h3", NOT_A_DIAGNOSIS)
    if outcome is None or outcome.document["lesion"] is None:
        hint = "Mark a lesion to see what each of the four methods says about it."
        return join(heading, element("p", hint, class_="sh-small"), _caution())
    document = outcome.document
    outside = [item["message"] for item in document["warnings"] if item["code"] == _OUTSIDE]
    routes, why = document["routes"], outcome.explanations
    answered = any(route["probabilities"] is not None for route in routes)
    case = _case(document)
    rows = [_route(route, why.get(route["name"], {}), case) for route in routes]
    table = join(_legend() if answered else None, *rows)
    if outside:
        lead = element("div", *[element("p", message) for message in outside], class_="sh-outside")
        folded = element("summary", "Show the numbers all the same")
        body = element("details", folded, table, class_="sh-folded") if answered else table
        return join(heading, lead, body, _caution())
    return join(heading, *_headline(routes), _measured(document), table, _caution())


def _headline(routes: list[Mapping[str, Any]]) -> list[Markup]:
    sentence = agreement_sentence([route["decision"] for route in routes])
    lead = sentence.removesuffix(AGREEMENT_SENTENCE).strip()
    lines = [element("p", lead, class_="sh-headline")]
    if lead != sentence:
        lines.append(element("p", AGREEMENT_SENTENCE, class_="sh-small"))
    return lines


def _measured(document: Mapping[str, Any]) -> Markup | None:
    """Accuracy on simulated cases given that as many agreed; nothing where none was measured."""
    found = measured_agreement(document["routes"], document["input"]["regime"])
    if found is None:
        return None
    of = (
        f"all {found.answered} methods"
        if found.agree == found.answered
        else f"{found.agree} of {found.answered} methods"
    )
    share, low, high = (f"{100 * value:.0f}" for value in (found.accuracy, found.low, found.high))
    text = (
        f"Counted by the class each finds likelier, decided or not: where {of} that answered found the same one, "
        f"it was right in {share} % ({low} to {high} %) of {found.cases} simulated cases. "
    )
    return element("p", text, what("measured_agreement"), class_="sh-small sh-measured")


def _legend() -> Markup:
    left, right = CLASS_NAMES.values()
    return join(
        element("div", element("span", ASSUMPTION, class_="sh-chip sh-chip-calm")),
        element(
            "div",
            element("span", left, class_="sh-class-metastasis"),
            element("span", right, class_="sh-class-primary"),
            class_="sh-classes",
        ),
    )


def _case(document: Mapping[str, Any]) -> tuple[float, float] | None:
    """Place of the case on the plane of the rule; None where a parameter is missing."""
    early, washout = (document["parameters"][name]["value"] for name in ("early_enhancement", "washout"))
    return None if early is None or washout is None else (early, washout)


def _route(route: Mapping[str, Any], explanation: Mapping[str, Any], case: tuple[float, float] | None) -> Markup:
    name = element("span", ROUTE_NAMES[route["name"]], class_="sh-route-name")
    decision = DECISION_NAMES[route["decision"]]
    if route["probabilities"] is None:
        reason = plain_reason(route["reason"] or "")
        head = element("div", name, element("span", decision, class_="sh-small"), class_="sh-route-head")
        return element("div", head, element("p", reason, class_="sh-small"), class_="sh-route sh-route-none")
    share = route["probabilities"]["metastasis"]
    said = element("span", _said(route["decision"], share), class_="sh-route-said")
    parts = [element("div", name, said, class_="sh-route-head"), _bar(share)]
    parts.append(element("div", "", class_="sh-route-prior", aria_live="polite"))
    parts.append(_why(route, explanation, case))
    return element("div", *parts, class_="sh-route", data_metastasis=f"{share:.6f}")


def _said(decision: str, share: float) -> str:
    if decision == "undecided":
        return f"undecided ({share:.2f} metastasis)"
    name = "metastasis" if share >= 0.5 else "primary"
    return f"{max(share, 1.0 - share):.2f} {name}"


def _bar(share: float) -> Markup:
    left = f"{100 * share:.1f}%"
    label = f"{share:.2f} metastasis, {1 - share:.2f} {CLASS_NAMES['primary_malignant']}"
    return element(
        "div",
        element("span", class_="sh-bar-metastasis", style=f"width: {left}"),
        element("span", class_="sh-bar-primary", style=f"width: {100 - 100 * share:.1f}%"),
        class_="sh-bar", role="img", aria_label=label, title=label,
    )  # fmt: skip


def _why(route: Mapping[str, Any], explanation: Mapping[str, Any], case: tuple[float, float] | None) -> Markup:
    body: list[Markup] = []
    if route["reason"]:
        ask = join(" ", what("undecided")) if route["decision"] == "undecided" else None
        body.append(element("p", plain_reason(route["reason"]), ask))
    if explanation.get("path"):
        body.append(element("ol", *[element("li", step) for step in explanation["path"]]))
        body.append(_rule_drawn((route["model"] or {}).get("id"), case))
    if explanation.get("contributions"):
        body.append(_contributions(explanation["contributions"]))
    if "class_map" in explanation:
        body.append(_class_map(route["name"], explanation))
    if route["name"] in _NETWORKS:
        body.append(_occlusion(route["name"]))
    model = route["model"] or {}
    if model.get("id"):
        text = f"Weights: {model['id']}. Probability for equal priors. "
        body.append(element("p", text, what("probability"), class_="sh-small"))
    if route["held_out"]:
        body.append(element("p", "What an AUC on simulated cases says, and what not. ", what("auc"), class_="sh-small"))
    score = element("span", accuracy_sentence(route["held_out"]))
    return element("details", element("summary", score, element("b", "why?")), *body, class_="sh-why")


def _rule_drawn(model_id: str | None, case: tuple[float, float] | None) -> Markup:
    """Plane and tree of the rule with the case on them."""
    rule = known_rule(model_id)
    if rule is None:
        return Markup("")
    plane = plane_plot(rule, simulated_lesions(), case)
    return join(plane, plane_legend(), element("div", tree_plot(rule, case), class_="sh-tree"))


def _class_map(name: str, explanation: Mapping[str, Any]) -> Markup:
    show = element("button", "Show it on the image", type="button", class_="sh-link", data_overlay=f"class_map_{name}")
    text = "The network colours what it reads as lesion: blue towards metastasis, orange towards a primary tumour. "
    share = explanation.get("lesion_share")
    if share is not None:
        text += f"It reads {100 * share:.0f} % of the region as lesion. "
    return element("p", text, show)


def _occlusion(name: str) -> Markup:
    ask = element("button", "Cover it piece by piece", type="button", class_="sh-link", data_occlude=name)
    text = (
        " (some seconds): each place is replaced by the tissue around it, and the map shows how far the log-odds move. "
        "Orange places speak for a primary tumour, blue ones for a metastasis. It shows what the network looks at, "
        "not why a lesion is what it is. "
    )
    return element("p", ask, text, what("occlusion"))


def _contributions(contributions: list[tuple[str, float]]) -> Markup:
    largest = max((abs(value) for _, value in contributions), default=1.0) or 1.0
    rows = []
    for name, value in contributions[:_SHOWN_CONTRIBUTIONS]:
        side = "primary" if value > 0 else "metastasis"
        bar = element("i", class_=f"sh-push sh-bar-{side}", style=f"width: {60 * abs(value) / largest:.0f}px")
        text = f"{name.replace('__', ' ').replace('_', ' ')} {number(value, 2, sign=True)}"
        rows.append(element("li", bar, element("span", text)))
    text = "Largest contributions in log-odds: blue towards metastasis, orange towards a primary tumour. "
    intro = element("p", text, what("contribution"))
    return join(intro, element("ul", *rows, class_="sh-pushes"))


def _caution() -> Markup:
    return join(
        element("p", BIOPSY_SENTENCE, class_="sh-caution"), element("p", NOT_IN_EITHER_CLASS, class_="sh-small")
    )
