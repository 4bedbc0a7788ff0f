"""The words a reader meets: disclaimers, names of routes, maps and warnings. One place, so that they cannot drift.

Sentences marked as fixed in the design stand here verbatim; page, report and command line all take them from here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "ACCURACY_SENTENCE",
    "AGREEMENT_SENTENCE",
    "ASSUMPTION",
    "BIOPSY_SENTENCE",
    "CLASS_COLOURS",
    "CLASS_NAMES",
    "CURVE_TYPE_NAMES",
    "DECISION_NAMES",
    "DISCLAIMER",
    "MAP_NAMES",
    "NOT_A_DIAGNOSIS",
    "NOT_IN_EITHER_CLASS",
    "PARAMETER_DEFINITIONS",
    "PARAMETER_NAMES",
    "ROUTE_NAMES",
    "TISSUE_NAMES",
    "UPLOAD_WARNING",
    "WARNING_TITLES",
    "accuracy_sentence",
    "agreement_sentence",
    "plain_reason",
]

NOT_A_DIAGNOSIS = "Model output on two simulated classes. Not a diagnosis."
ASSUMPTION = "Assumes the lesion is one of these two"
ACCURACY_SENTENCE = "On simulated cases: AUC {auc:.2f} ({low:.2f}-{high:.2f}). Accuracy on real patients: unknown."
AGREEMENT_SENTENCE = "All four learned from the same simulator, so agreement is not independent confirmation."
BIOPSY_SENTENCE = (
    "A missed chordoma or sarcoma may be biopsied or operated on in a way that prevents cure. Nothing here may be "
    "used to choose, delay or omit biopsy, referral or treatment."
)
UPLOAD_WARNING = (
    "Do not upload patient data to a public Space. A scan can identify a person even when the header is empty."
)
NOT_IN_EITHER_CLASS = (
    "Myeloma, plasmacytoma and lymphoma, the commonest primary malignancies of the spine, belong to neither class."
)
DISCLAIMER = (
    "Research and teaching software, not a medical device. " + NOT_A_DIAGNOSIS + " Accuracy on real patients: "
    "unknown. " + BIOPSY_SENTENCE
)

CLASS_NAMES = {"metastasis": "metastasis", "primary_malignant": "primary bone sarcoma or chordoma"}
CLASS_COLOURS = {"metastasis": "#2a7fba", "primary_malignant": "#d9822b"}
"""Blue and orange: told apart with every common kind of colour vision, and by lightness in grey print."""

ROUTE_NAMES = {
    "hotspot": "Rule on two parameters",
    "radiomics": "Radiomics",
    "unet": "U-Net",
    "inception_resnet": "Inception-ResNet",
}
DECISION_NAMES = {
    "metastasis": "leans to metastasis",
    "primary_malignant": "leans to primary bone sarcoma or chordoma",
    "undecided": "undecided",
    "not_available": "no answer",
}
MAP_NAMES = {
    "peak_enhancement": "Peak enhancement",
    "early_enhancement": "Early enhancement (45 s)",
    "washout": "Wash-out (67 to 240 s)",
    "washin_ratio": "Steepest rise between two frames",
    "time_to_peak": "Time to peak",
    "iauc90": "Initial area under the curve (90 s)",
    "curve_type": "Curve type (0 none, 1 persistent, 2 plateau, 3 wash-out)",
    "percent_enhancement": "Percent enhancement",
    "signal_enhancement_ratio": "Signal enhancement ratio",
}
PARAMETER_NAMES = {"early_enhancement": "Early enhancement", "washout": "Wash-out"}
PARAMETER_DEFINITIONS = {
    "early_enhancement": "signal of the hot spot 45 s after contrast arrival, in % above its baseline S0",
    "washout": (
        "change of the hot spot's signal from 67 s (or its earlier peak) to 240 s after contrast arrival, in % of the "
        "earlier signal; negative means that signal falls"
    ),
}
TISSUE_NAMES = {"marrow": "normal marrow", "muscle": "muscle", "vessel": "vessel"}
"""Reference regions."""
CURVE_TYPE_NAMES = ("does not enhance", "persistent", "plateau", "wash-out")

WARNING_TITLES = {
    "simulated_weights": "Models trained on simulated cases",
    "outside_training_distribution": "Outside what the models were trained on",
    "not_contrast_enhanced": "No contrast uptake found",
    "no_enhancing_lesion": "The lesion does not enhance",
    "timing_missing": "No credible frame times",
    "timing_insufficient": "Timing is not sufficient",
    "single_volume": "A single volume",
    "leak_suspected": "The region may have leaked",
    "small_lesion": "Small lesion",
    "motion_suspected": "Motion between frames",
    "weights_not_installed": "Weights not installed",
}

_COUNT_WORDS = ("None", "One", "Two", "Three", "Four")


def accuracy_sentence(held_out: Mapping[str, Any] | None) -> str:
    """One route's held-out score in words; says so where there is none."""
    if not held_out or held_out.get("auc") is None:
        return "No held-out score is stored with this model. Accuracy on real patients: unknown."
    low, high = held_out.get("interval") or (None, None)
    if low is None or high is None:
        return f"On simulated cases: AUC {held_out['auc']:.2f}. Accuracy on real patients: unknown."
    return ACCURACY_SENTENCE.format(auc=held_out["auc"], low=low, high=high)


def agreement_sentence(decisions: Sequence[str]) -> str:
    """Say how many of the routes lean to which class, and that agreement is no independent evidence.

    Parameters
    ----------
    decisions
        Decision of each route: a class name, ``"undecided"`` or ``"not_available"``.
    """
    answered = [decision for decision in decisions if decision != "not_available"]
    if not answered:
        return "No method gives an answer for this case."
    leaning = {name: answered.count(name) for name in CLASS_NAMES}
    parts = [
        f"{_count(n)} of {_count(len(decisions)).lower()} {_methods(n)} to {CLASS_NAMES[name]}"
        for name, n in leaning.items()
        if n
    ]
    if not parts:
        return f"{_count(len(answered))} of {_count(len(decisions)).lower()} methods ran and none of them decides."
    text = "; ".join((parts[0], *(part[0].lower() + part[1:] for part in parts[1:])))
    return f"{text}. {AGREEMENT_SENTENCE}"


def plain_reason(reason: str) -> str:
    """Return the sentence of a reason without the code before it (``"small_lesion: The lesion ..."``)."""
    return re.sub(r"^[a-z0-9_]+: ", "", reason)


def _count(number: int) -> str:
    return _COUNT_WORDS[number] if number < len(_COUNT_WORDS) else str(number)


def _methods(number: int) -> str:
    return "methods leans" if number == 1 else "methods lean"
