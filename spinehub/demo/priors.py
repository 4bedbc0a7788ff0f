"""The prior dial: how a probability for equal priors becomes one for the lesions you see. Worked out in the browser.

The methods are calibrated for equal priors, so the training prior is divided out already. Age moves the prior only,
and only for weights that learned from a cohort with the same ages in both classes: others have seen age in the image.
"""

import json
from dataclasses import replace
from functools import cache

from spinehub.demo.definitions import what
from spinehub.demo.markup import Markup, element, join
from spinehub.demo.rule_plots import known_rule
from spinehub.simulate import draw_recipe
from spinehub.simulate.population import population_density

__all__ = ["AGES", "age_ratios", "prior_card", "with_prior"]

AGES = range(10, 89)
"""Years for which the published ages say anything."""


def with_prior(metastasis: float, primaries_per_100: float, age_ratio: float = 1.0) -> float:
    """Probability of metastasis after a prior, from one for equal priors.

    Parameters
    ----------
    metastasis
        Calibrated for equal priors, 0 to 1.
    primaries_per_100
        Primary tumours among 100 lesions, above 0 and below 100.
    age_ratio
        How much commoner the age is in primary tumours than in metastases.
    """
    primary = (1.0 - metastasis) * age_ratio * primaries_per_100
    return metastasis * (100.0 - primaries_per_100) / (metastasis * (100.0 - primaries_per_100) + primary)


@cache
def age_ratios() -> tuple[float, ...]:
    """For each of :data:`AGES`, density of the age in primary tumours over that in metastases.

    From the published ages the simulator's ``as-published`` cohort draws from.
    """
    recipe = draw_recipe(0, cohort="as-published")
    ratios = []
    for age in AGES:
        aged = replace(recipe, patient=replace(recipe.patient, age_years=float(age)))
        primary, metastasis = (
            population_density("age", aged, diagnosis) for diagnosis in ("primary_malignant", "metastasis")
        )
        ratios.append(primary / metastasis)
    return tuple(ratios)


def prior_card() -> Markup:
    """The dial, the age box and the formula; page.js writes the result under each bar."""
    dial = element(
        "input", type="range", id="sh-prior", min=1, max=99, step=1, value=50, aria_labelledby="sh-prior-label"
    )
    label = element("label", "Primaries per 100 lesions where you work", id="sh-prior-label", for_="sh-prior")
    shown = element("output", "50", id="sh-prior-now", class_="sh-now-value", for_="sh-prior")
    parts = [element("div", label, shown, class_="sh-pair"), dial]
    if _age_is_new():
        parts.append(_age_box())
    formula = element("code", "odds after = p / (1 − p) · prior / (1 − prior)")
    text = "The methods speak for equal priors (50 of 100); your prior is multiplied in: "
    parts.append(element("p", text, what("prior"), formula, class_="sh-small sh-formula"))
    known = (
        "A known cancer elsewhere makes a metastasis likelier. No figure with a source was found for how much, so "
        "move the dial yourself."
    )
    parts.append(element("p", known, class_="sh-small"))
    return join(*parts)


def _age_is_new() -> bool:
    """Whether the embedded rule learned from a cohort in which age says nothing about the class."""
    rule = known_rule()
    return rule is not None and rule.training.get("simulated", {}).get("cohort") == ["matched"]


def _age_box() -> Markup:
    ratios = json.dumps([round(ratio, 4) for ratio in age_ratios()])
    box = element(
        "input", type="number", id="sh-age", min=AGES[0], max=AGES[-1], step=1, placeholder="not used",
        data_first=AGES[0], data_ratios=ratios,
    )  # fmt: skip
    label = element("label", "Age of the patient in years", for_="sh-age")
    note = element("span", "", id="sh-age-note", class_="sh-small")
    return join(element("div", label, box, class_="sh-pair"), note)
