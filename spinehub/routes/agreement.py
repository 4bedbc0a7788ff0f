"""How often routes that agree as these do were right: measured on simulated cases, never multiplied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spinehub.errors import SpineHubError

__all__ = ["MeasuredAgreement", "measured_agreement"]


@dataclass(frozen=True)
class MeasuredAgreement:
    """Accuracy of the class most routes lean to, on simulated cases where as many agreed.

    Parameters
    ----------
    answered, agree
        Routes with a probability, and how many of them lean to the class that most lean to.
    cases
        Simulated cases of the evaluation with these two numbers.
    accuracy, low, high
        Share of them in which that class was the true one, with its 95 % interval.
    """

    answered: int
    agree: int
    cases: int
    accuracy: float
    low: float
    high: float


def measured_agreement(routes: Sequence[Mapping[str, Any]], regime: str) -> MeasuredAgreement | None:
    """Look up how often the class most routes lean to was right, given how many lean to it.

    A route leans to the likelier class, also where it does not decide, as in
    :func:`spinehub.evaluation.comparison.agreement`.

    Parameters
    ----------
    routes
        The routes of a report (:meth:`spinehub.report.Report.to_dict`).
    regime
        Of the input.

    Returns
    -------
    MeasuredAgreement or None
        None on a tie, where no route answered, where such cases were not met, or where the models that answered were
        not evaluated together on one cohort.
    """
    answering = [route for route in routes if route["probabilities"] is not None]
    primary = sum(route["probabilities"]["primary_malignant"] >= 0.5 for route in answering)
    agree = max(primary, len(answering) - primary)
    if 2 * agree == len(answering):
        return None
    tables = [_table((route.get("model") or {}).get("id"), regime) for route in answering]
    if not tables[0] or any(table != tables[0] for table in tables):
        return None
    for row in tables[0]:
        share = row["accuracy"]
        if (row["answered"], row["agree"]) == (len(answering), agree) and share["value"] is not None:
            return MeasuredAgreement(len(answering), agree, row["cases"], share["value"], share["low"], share["high"])
    return None


def _table(model_id: str | None, regime: str) -> list[dict[str, Any]]:
    """Rows of a model's evaluation; read from its folder, since that needs no network library."""
    from spinehub.models.folder import read_evaluation
    from spinehub.models.sources import locate

    if model_id is None:
        return []
    try:
        evaluation = read_evaluation(locate(model_id, offline=True).folder)
    except SpineHubError:
        return []  # an object in memory, or a folder that was elsewhere: its evaluation is not at hand
    return list(((evaluation or {}).get("agreement") or {}).get(regime) or [])
