"""A model gives no answer to input on which its own evaluation found it no better than a coin."""

import pytest
from route_models import (
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
