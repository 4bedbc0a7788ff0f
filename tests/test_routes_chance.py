"""No answer where a model's evaluation found it no better than a coin, or the U-Net's outlines worse than none."""

import pytest
from route_models import (
    FakeNetwork,
    FakeRadiomics,
    context,
    figure,
    models,
)

from spinehub.routes import answer_routes


def at_chance(regime: str, low: float, answered: int, **more) -> dict:
    scores = {"n": 100, "n_answered": answered, "auc": figure(0.57, low, 0.71), "accuracy": figure(0.55, 0.4, 0.7)}
    return {"cohort": {"name": "matched"}, "regimes": {regime: {"end_to_end": scores}}, **more}


def test_a_route_that_was_no_better_than_a_coin_on_such_input_gives_no_answer():
    evaluation = at_chance("dynamic", 0.41, 53)
    silent = FakeRadiomics(evaluation=evaluation)
    answers = answer_routes(context(), models(radiomics=silent))
    assert [route.probabilities is None for route in answers.routes] == [False, True, False, False]
    route = answers.routes[1]
    assert route.decision == "not_available"
    assert not route.explanation
    assert route.held_out["auc"] == 0.57
    assert route.reason == (
        "no_better_than_chance: On a timed series this method was not found better than a coin (AUC 0.57, 0.41 to "
        "0.71, 53 simulated patients), so it gives no answer."
    )
    said = answer_routes(context(), models(radiomics=silent), evaluating=True).routes[1]
    assert said.probabilities is not None, "an evaluation must see what it scores"


@pytest.mark.parametrize(
    ("evaluation", "why"),
    [
        (None, "never evaluated"),
        (at_chance("dynamic", 0.51, 53), "better than a coin"),
        (at_chance("dynamic", 0.41, 49), "too few to tell"),
        (at_chance("single", 0.41, 53), "on other input"),
    ],
)
def test_a_route_answers_unless_it_was_shown_to_be_at_chance(evaluation, why):
    answers = answer_routes(context(), models(radiomics=FakeRadiomics(evaluation=evaluation)))
    assert answers.routes[1].probabilities is not None, why


def outlines(high: float, answered: int = 60) -> dict:
    scores = {
        "n": 100,
        "n_answered": answered,
        "auc": figure(0.67, 0.57, 0.76),
        "gap_closed": figure(-0.43, -0.65, high),
    }
    return {"cohort": {"name": "matched"}, "regimes": {"dynamic": {"end_to_end": scores}}}


def test_no_route_answers_where_the_outlines_of_the_unet_were_worse_than_none():
    asked = models(
        unet=FakeNetwork(evaluation=outlines(-0.25)), radiomics=FakeRadiomics(evaluation=at_chance("dynamic", 0.4, 53))
    )
    answers = answer_routes(context(), asked)
    assert [route.probabilities for route in answers.routes] == [None] * 4
    rule, radiomics, unet, _ = (route.reason for route in answers.routes)
    assert rule == unet
    assert unet == (
        "no_trusted_outline: On a timed series the U-Net's outlines were found worse than an empty mask (share of the "
        "gap in pixel accuracy closed -0.43, -0.65 to -0.25, 60 simulated patients), so nothing tells lesion from "
        "other tissue there and no method may judge it."
    )
    assert radiomics.startswith("no_better_than_chance"), "a route without an answer keeps its own reason"
    scored = answer_routes(context(), asked, evaluating=True)
    assert all(route.probabilities is not None for route in scored.routes), "an evaluation must see what it scores"


def test_no_other_region_is_asked_for_where_none_would_help():
    blind = FakeNetwork(evaluation=outlines(-0.25))
    blind.share = 0.05
    for route in answer_routes(context(), models(unet=blind)).routes:
        assert route.reason.startswith("no_trusted_outline")


@pytest.mark.parametrize(
    ("evaluation", "why"),
    [(outlines(0.01), "may be better than none"), (outlines(-0.25, answered=49), "too few to tell"), (None, "unknown")],
)
def test_outlines_are_trusted_unless_they_were_shown_to_be_worse_than_none(evaluation, why):
    answers = answer_routes(context(), models(unet=FakeNetwork(evaluation=evaluation)))
    assert all(route.probabilities is not None for route in answers.routes), why
