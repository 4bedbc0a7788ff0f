"""The teaching cases as records: loaded from bundled recipes and texts, rendered on demand."""

import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from spinehub.case import Case, Diagnosis
from spinehub.errors import InvalidArgumentError
from spinehub.simulate import CaseRecipe, bayes_posterior, render

__all__ = ["RECIPES", "TEXTS", "TRUTHS", "TeachingCase", "teaching_cases"]

_HERE = Path(__file__).parent
RECIPES = _HERE / "recipes"
TEXTS = _HERE / "texts.json"
TRUTHS = {
    "metastasis_lung": "metastasis of a lung carcinoma",
    "metastasis_other": "metastasis of a carcinoma other than lung",
    "chordoma": "chordoma",
    "chondrosarcoma": "chondrosarcoma",
    "osteosarcoma": "osteosarcoma",
    "ewing_sarcoma": "Ewing sarcoma",
    "haemangioma": "haemangioma (benign; neither of the two classes)",
    "schmorl_node": "Schmorl node (benign; neither of the two classes)",
    "modic_change": "Modic type 1 change (degenerative; neither of the two classes)",
    "osteoporotic_fracture": "osteoporotic fracture (benign; neither of the two classes)",
    "spondylodiscitis": "spondylodiscitis (infection; neither of the two classes)",
    "basivertebral_vein": "wide basivertebral vein (normal; neither of the two classes)",
}


@dataclass(frozen=True)
class TeachingCase:
    """One teaching case.

    Parameters
    ----------
    number
        1 to 10, the order in which they are taught.
    name
        Short name of the lesson, such as ``"motion"``.
    title, what_to_see
        In the words of a teacher; the title does not give the answer away.
    recipe
        Of the simulated examination.
    times_factor
        What the file's frame times are over the true ones: 1, but where wrong times are the lesson.
    facts
        What was measured on the rendered case when it was chosen.
    """

    number: int
    name: str
    title: str
    what_to_see: str
    recipe: CaseRecipe = field(repr=False)
    times_factor: float = 1.0
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def case_id(self) -> str:
        """Name of the case, which tells nothing about it."""
        return f"teaching-{self.number:02d}"

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Class of the lesion, None where it belongs to neither."""
        return self.recipe.diagnosis

    @property
    def truth(self) -> str:
        """What the lesion is, in words."""
        return TRUTHS[self.recipe.lesions[0].histology]

    @property
    def posterior(self) -> float | None:
        """Exact probability of ``primary_malignant`` given all that the case shows; None for a look-alike."""
        return None if self.diagnosis is None else bayes_posterior(self.recipe)

    @property
    def posterior_of_truth(self) -> float | None:
        """The same probability for the class the lesion has: under 0.2 where appearance misleads."""
        if self.posterior is None:
            return None
        return self.posterior if self.diagnosis == "primary_malignant" else 1.0 - self.posterior

    @property
    def vignette(self) -> str:
        """Age, sex, level and examination in two sentences, as the file states them."""
        patient, protocol = self.recipe.patient, self.recipe.protocol
        person = {"female": "woman", "male": "man"}[patient.sex] if patient.age_years >= 18 else "patient"
        kind = {"female": "girl", "male": "boy"}[patient.sex] if person == "patient" else person
        fat = "with fat suppression" if protocol.fat_signal < 1.0 else "without fat suppression"
        interval = protocol.frame_interval_s * self.times_factor
        return (
            f"{kind.capitalize()} of {patient.age_years:.0f}, lesion at {self.recipe.lesions[0].level}. Simulated "
            f"{protocol.plane} series at {protocol.field_strength_t:g} T {fat}: {protocol.frame_count} frames, "
            f"{interval:.1f} s apart."
        )

    def render(self) -> Case:
        """Render the case; the same bytes every time, and those that ``spinehub simulate --teaching`` writes."""
        case = render(self.recipe)
        series = case.series
        if self.times_factor != 1.0 and series.times_s is not None:
            series = replace(series, times_s=series.times_s * self.times_factor)
        return replace(case, case_id=self.case_id, patient_id=self.case_id, series=series)


@cache
def teaching_cases() -> tuple[TeachingCase, ...]:
    """The ten teaching cases, in the order they are taught.

    Raises
    ------
    InvalidArgumentError
        If the bundled recipes belong to another version of the simulator.
    """
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))
    cases = []
    for number, (name, words) in enumerate(texts.items(), start=1):
        path = RECIPES / f"{name}.json"
        if not path.is_file():
            raise InvalidArgumentError(
                f"teaching case {name} must have a recipe in {RECIPES.name}, got none; "
                "run python -m spinehub.teaching.choose"
            )
        stored = json.loads(path.read_text(encoding="utf-8"))
        recipe = CaseRecipe.from_dict(stored["recipe"])
        cases.append(TeachingCase(number, name, **words, **{**stored, "recipe": recipe}))
    return tuple(cases)
