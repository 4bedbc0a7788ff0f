"""From judgements to everything an evaluation leaves behind: the figures of each route, tables, text, pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spinehub.cards import EVALUATION_FORMAT
from spinehub.dataset import REGIMES
from spinehub.evaluation.comparison import agreement, decision_curve, differences, subgroups, worst_histology
from spinehub.evaluation.figures import answer_figures, mask_figures
from spinehub.evaluation.floor import baselines, exact_posteriors
from spinehub.evaluation.gallery import draw_gallery
from spinehub.evaluation.judging import MASK_SOURCES, Judgement
from spinehub.evaluation.pictures import draw_pictures
from spinehub.evaluation.tables import write_failures, write_predictions, write_subgroups, write_summary
from spinehub.evaluation.wording import write_text
from spinehub.io import CohortRow

__all__ = ["evaluations_of", "write_results"]

_UNKNOWN = "unknown"


def evaluations_of(
    models: Mapping[str, Any],
    judgements: Sequence[Judgement],
    rows: Sequence[CohortRow],
    origin: Mapping[str, Any],
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Content of ``evaluation.json`` of each route.

    Parameters
    ----------
    models
        Route to what it was judged with: ``model_id``, ``sha256``, ``training``, ``calibration`` and, where it has one,
        ``command``; ``more`` are further objects of the file.
    judgements
        Of all of them.
    rows, origin
        Of the cohort, and where it comes from, of :func:`spinehub.evaluation.sources.origin_of`.
    seed
        Of the clicks.
    """
    posterior = exact_posteriors(rows)
    shared = {
        "baselines": baselines(judgements, rows, posterior),
        "differences": differences(judgements),
        "agreement": agreement(judgements),
    }
    return {
        route: _head(route, model, rows, origin, seed)
        | _scores(route, model, judgements, posterior)
        | shared
        | {"training": {name: value for name, value in model.training.items() if name != "acquisition"}}
        | dict(getattr(model, "more", {}))
        for route, model in models.items()
    }


def _head(route: str, model: Any, rows: Sequence[CohortRow], origin: Mapping[str, Any], seed: int) -> dict[str, Any]:
    trained = (model.training.get("simulated") or {}).get("seed") or []
    return {
        "format": EVALUATION_FORMAT,
        "model": model.model_id,
        "sha256": model.sha256,
        "route": route,
        "simulated": bool(origin),
        "simulator_version": ", ".join(origin.get("version", [_UNKNOWN])),
        "command": getattr(model, "command", None)
        or f"spinehub evaluate --data COHORT --model {route}={model.model_id} --output OUTPUT",
        "cohort": {
            "name": ", ".join(origin.get("cohort", [_UNKNOWN])),
            "seed": origin["seed"][0] if origin else 0,
            "cases": len(rows),
            "training_seed": trained[0] if trained else 0,
            "training_cases": int(model.training.get("cases", 0)),
            "click_seed": seed,
        },
    }


def _scores(
    route: str, model: Any, judgements: Sequence[Judgement], posterior: Mapping[str, float] | None
) -> dict[str, Any]:
    """Figures per regime and mask source; subgroups and decision curve of what a user gets, end to end."""
    scores: dict[str, dict[str, Any]] = {"regimes": {}, "subgroups": {}, "worst_histology": {}, "decision_curve": {}}
    for regime in REGIMES:
        for source in MASK_SOURCES:
            own = [j for j in judgements if (j.route, j.regime, j.mask_source) == (route, regime, source)]
            if not any(judgement.probability is not None for judgement in own):
                continue
            figures = answer_figures(own, model.calibration, posterior) | mask_figures(own)
            scores["regimes"].setdefault(regime, {})[source] = figures
            if source == "end_to_end":
                scores["subgroups"][regime] = subgroups(own)
                scores["worst_histology"][regime] = worst_histology(scores["subgroups"][regime])
                scores["decision_curve"][regime] = decision_curve(own)
    return scores


def write_results(
    evaluations: Mapping[str, Any], judgements: Sequence[Judgement], rows: Sequence[CohortRow], output: Path, seed: int
) -> None:
    """Write ``<route>/evaluation.json``, tables, text and pictures into `output`."""
    write_predictions(judgements, output / "predictions.csv")
    write_failures(judgements, output / "failures.csv")
    for route, evaluation in evaluations.items():
        (output / route).mkdir(exist_ok=True)
        text = json.dumps(evaluation, indent=2, allow_nan=False) + "\n"
        (output / route / "evaluation.json").write_text(text, encoding="utf-8")
    write_summary(evaluations, output / "summary.md")
    write_subgroups(evaluations, output / "subgroups.md")
    write_text(evaluations, output / "reporting.md")
    draw_pictures(judgements, output)
    draw_gallery(judgements, rows, seed, output / "failures.png")
