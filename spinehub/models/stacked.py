"""The stacked row: a logistic regression on what the routes say, evaluated in NumPy; JSON is its only file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from spinehub.errors import ModelError
from spinehub.models.calibration import Answer, Calibration, log_odds
from spinehub.series import Regime

__all__ = ["STACK_FILE", "StackedModel"]

STACK_FILE = "stacked.json"
STACK_FORMAT = "spinehub-stacked/1"


@dataclass(frozen=True)
class StackedModel:
    """Weighted sum of the routes' calibrated log-odds, one set of weights per regime.

    A route without an answer adds nothing: a calibrated log-odds of 0 says that both classes are equally likely.

    Parameters
    ----------
    weights
        For each regime the weight of each route, at least 0, and the intercept under ``"intercept"``.
    calibration
        Of the weighted sum.
    training
        JSON record of the fit.
    """

    weights: Mapping[Regime, Mapping[str, float]]
    calibration: Calibration
    training: dict[str, Any] = field(default_factory=dict)

    model_id = "stacked"
    sha256 = ""

    def score(self, probabilities: Mapping[str, float | None], regime: Regime) -> float:
        """Log-odds of ``primary_malignant``, not calibrated, from the probability each route gives it."""
        weights = self.weights[regime]
        said = {route: value for route, value in probabilities.items() if value is not None and route in weights}
        terms = [weights[route] * float(log_odds(value)) for route, value in said.items()]
        return float(weights["intercept"] + np.sum(terms))

    def predict(self, probabilities: Mapping[str, float | None], regime: Regime) -> Answer:
        """Judge one lesion by what the routes say; not available where none answers or the regime was not fitted."""
        if regime not in self.weights:
            return Answer.unavailable(f"the stacked model was not fitted for the regime {regime}")
        if not any(probabilities.get(route) is not None for route in self.weights[regime]):
            return Answer.unavailable("none of the routes that are stacked gives a probability")
        return self.calibration.answer(self.score(probabilities, regime), regime)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "format": STACK_FORMAT,
            "weights": {regime: dict(weights) for regime, weights in self.weights.items()},
            "calibration": self.calibration.to_dict(),
            "training": self.training,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`; :class:`ModelError` where a field is missing or of the wrong kind."""
        try:
            if values["format"] != STACK_FORMAT:
                raise ModelError(f"format of a stacked model must be {STACK_FORMAT!r}, got {values['format']!r}")
            weights: dict[Regime, dict[str, float]] = {
                regime: {route: float(weight) for route, weight in row.items()}
                for regime, row in values["weights"].items()
            }
            if not all("intercept" in row for row in weights.values()):
                raise ModelError("weights of a stacked model must hold an intercept in each regime")
            return cls(weights, Calibration.from_dict(values["calibration"]), dict(values.get("training") or {}))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ModelError(f"the file of the stacked model lacks {error} or holds no number there") from error

    def save(self, path: str | Path) -> Path:
        """Write the file and return its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{Path(path).name} of the stacked model cannot be read: {error}") from error
        return cls.from_dict(values)
