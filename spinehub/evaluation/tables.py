"""What an evaluation leaves behind for people: every prediction, the failures, one table of the main figures."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spinehub.evaluation.judging import GROWING, Judgement

__all__ = ["cell", "write_failures", "write_predictions", "write_subgroups", "write_summary"]

_OVERLAP = (
    "dice",
    "iou",
    "hd95_mm",
    "surface_distance_mm",
    "volume_error_ml",
    "pixel_accuracy",
    "empty_mask_pixel_accuracy",
)
_FAILURES = 50
_SHOWN = (
    "auc",
    "efficiency",
    "accuracy",
    "coverage",
    "undecided_share",
    "calibration_slope",
    "calibration_intercept",
    "dice",
    "pixel_accuracy",
    "empty_mask_pixel_accuracy",
    "gap_closed",
)


def write_predictions(rows: Sequence[Judgement], path: Path) -> None:
    """One line per case, regime, mask source and route; cells are empty where nothing is known."""
    flat = []
    for row in rows:
        cells = asdict(row)
        overlap = cells.pop("overlap") or {}
        cells.pop("confusion")
        flat.append(cells | {name: overlap.get(name) for name in _OVERLAP})
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(flat[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(flat)


def write_failures(rows: Sequence[Judgement], path: Path) -> None:
    """The wrong answers of each route end to end, the surest first, and the worst grown regions."""
    wrong = [
        (abs(row.probability - 0.5), row)
        for row in rows
        if row.mask_source == "end_to_end" and row.probability is not None and (row.probability >= 0.5) != row.label
    ]
    lines = [
        [row.route, row.regime, row.case_id, row.diagnosis, row.histology or "", f"probability {row.probability:.3f}"]
        for _, row in sorted(wrong, key=lambda pair: -pair[0])[:_FAILURES]
    ]
    grown = [row for row in rows if row.route == GROWING and row.overlap is not None]
    worst = sorted(grown, key=lambda row: (row.overlap or {})["dice"])[:_FAILURES]
    lines += [
        [
            row.route,
            row.regime,
            row.case_id,
            row.diagnosis,
            row.histology or "",
            f"Dice {(row.overlap or {})['dice']:.3f}",
        ]
        for row in worst
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["route", "regime", "case_id", "diagnosis", "histology", "what"])
        table.writerows(lines)


def write_summary(evaluations: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Markdown table: a row per route, regime and mask source."""
    lines = [
        f"| route | regime | region | answered | {' | '.join(name.replace('_', ' ') for name in _SHOWN)} |",
        "|" + "---|" * (4 + len(_SHOWN)),
    ]
    for route, evaluation in evaluations.items():
        for regime, sources in evaluation["regimes"].items():
            for source, scores in sources.items():
                cells = [cell(scores.get(name)) for name in _SHOWN]
                counts = f"{scores['n_answered']} of {scores['n']}"
                lines.append(
                    f"| {_row_name(route, evaluation)} | {regime} | {source} | {counts} | {' | '.join(cells)} |"
                )
    first = next(iter(evaluations.values()))
    lines += ["", "Beside them, on the same cases:", "", "| what | AUC | Dice | pixel accuracy |", "|---|---|---|---|"]
    for name, figures in first["baselines"].items():
        lines.append(f"| {name} | {' | '.join(cell(figures.get(k)) for k in ('auc', 'dice', 'pixel_accuracy'))} |")
    lines += [
        "",
        "Differences of AUC on the cases both answered, end to end (95 % interval, two-sided bootstrap p, not "
        "corrected for the number of comparisons):",
        "",
        "| regime | first | second | cases | difference | p |",
        "|---|---|---|---|---|---|",
    ]
    for regime, rows in first["differences"].items():
        for row in rows:
            p_value = "" if row["p_value"] is None else f"{row['p_value']:.3f}"
            names = f"{regime} | {row['first']} | {row['second']} | {row['n']}"
            lines.append(f"| {names} | {cell(row)} | {p_value} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_subgroups(evaluations: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Markdown table: a row per route, regime and subgroup, end to end; the worst histology is marked."""
    lines = ["| route | regime | by | subgroup | answered | accuracy | AUC |", "|---|---|---|---|---|---|---|"]
    for route, evaluation in evaluations.items():
        for regime, kinds in evaluation["subgroups"].items():
            for kind, groups in kinds.items():
                for name, figures in groups.items():
                    worst = kind == "histology" and name == evaluation["worst_histology"][regime]
                    cells = [_row_name(route, evaluation), regime, kind, f"{name} (worst)" if worst else name]
                    cells += [f"{figures['n_answered']} of {figures['n']}"]
                    cells += [cell(figures["accuracy"]), cell(figures["auc"])]
                    lines.append(f"| {' | '.join(cells)} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row_name(route: str, evaluation: Mapping[str, Any]) -> str:
    """Name of a row; it says so where no single model stands behind it."""
    crossed = evaluation.get("cross_validation")
    return route if crossed is None else f"{route} ({crossed['folds']}-fold cross-validation)"


def cell(figure: Mapping[str, float | None] | None) -> str:
    """A figure with its interval where it has one; empty where there is none."""
    if figure is None or figure["value"] is None:
        return ""
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
