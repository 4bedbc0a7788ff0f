"""What a route says about cases it was not fitted on: kept beside the model, so that routes can be stacked later."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinehub.dataset import PreparedCase
from spinehub.errors import InvalidArgumentError
from spinehub.models import Calibration
from spinehub.series import Regime

__all__ = ["HELD_OUT_FILE", "HeldOut", "read_held_out", "write_held_out"]

HELD_OUT_FILE = "held_out.json"


@dataclass(frozen=True)
class HeldOut:
    """Calibrated log-odds of one route.

    Parameters
    ----------
    label, patient
        Of every case that was held out, by ``case_id``.
    log_odds
        For each regime the calibrated log-odds by ``case_id``; a case without an answer is missing.
    """

    label: Mapping[str, int]
    patient: Mapping[str, str]
    log_odds: Mapping[Regime, Mapping[str, float]]


def write_held_out(
    folder: Path,
    cases: Sequence[PreparedCase],
    scores: Mapping[Regime, Mapping[str, float]],
    calibration: Calibration,
    training: Mapping[str, Any],
) -> None:
    """Write ``held_out.json``.

    Parameters
    ----------
    folder
        Record of a training.
    cases
        Those held out: the calibration split of a network, every case where scores are out of fold.
    scores
        For each regime the score by ``case_id``, not calibrated; NaN or missing where there is no answer.
    calibration
        Of the model.
    training
        Record of the model, for where the cases come from.
    """
    log_odds: dict[str, dict[str, float]] = {}
    for regime, by_case in scores.items():
        slope, intercept = calibration.line(regime)
        log_odds[regime] = {
            name: slope * float(score) + intercept for name, score in by_case.items() if np.isfinite(score)
        }
    content = {
        "label": {case.case_id: case.label for case in cases},
        "patient": {case.case_id: case.patient_id for case in cases},
        "log_odds": log_odds,
        "origin": {name: training.get(name) for name in ("simulated", "cases", "simulated_cases")},
    }
    (folder / HELD_OUT_FILE).write_text(json.dumps(content), encoding="utf-8")


def read_held_out(model_folder: str | Path) -> tuple[HeldOut, dict[str, Any]]:
    """Read what a training left behind, and where its cases come from.

    Raises
    ------
    InvalidArgumentError
        If the folder of the model holds no such record.
    """
    path = Path(model_folder) / "training" / HELD_OUT_FILE
    if not path.is_file():
        raise InvalidArgumentError(
            f"{Path(model_folder).name} must hold training/{HELD_OUT_FILE} to be stacked; train it again with "
            "'spinehub train'"
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    return HeldOut(content["label"], content["patient"], content["log_odds"]), dict(content["origin"])
