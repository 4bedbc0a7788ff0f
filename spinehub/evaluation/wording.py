"""Paragraphs for a methods and a results section, filled from the figures, in the order reporting guidelines ask for.

The guidelines: CLEAR (radiomics), CLAIM (imaging) and TRIPOD+AI (prediction models). What a simulated cohort cannot
have (eligibility, ethics, a reference standard by biopsy) is said to be not applicable, never left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinehub.cards.wording import ROUTE_WORDS
from spinehub.evaluation.floor import CEILING

__all__ = ["write_text"]

_GUIDELINES = (
    "Filled from the figures of this evaluation for the checklists CLEAR (Kocak et al. 2023), CLAIM (Mongan et al. "
    "2020, updated 2024) and TRIPOD+AI (Collins et al., BMJ 2024;385:e078378). Headings say which demand a paragraph "
    "answers."
)


def write_text(evaluations: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Write Markdown with methods, results and limits.

    Parameters
    ----------
    evaluations
        Route to the content of its ``evaluation.json``; at least one.
    path
        File.
    """
    first = next(iter(evaluations.values()))
    sections = [
        "# Methods and results",
        _GUIDELINES,
        "## Methods",
        *_methods(first),
        *_training(evaluations),
        "### Statistical analysis (CLEAR: performance and uncertainty; CLAIM: metrics; TRIPOD+AI: analysis)",
        _STATISTICS,
        "## Results",
        *_results(evaluations),
        "## Limits (CLEAR, CLAIM and TRIPOD+AI: discussion)",
        _LIMITS if first["simulated"] else _LIMITS_MEASURED,
    ]
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


_STATISTICS = (
    "The positive class is primary malignant; probabilities are for equal priors and were cut at 0.5 for accuracy, "
    "sensitivity and specificity. Intervals are 95 % percentile bootstrap intervals that draw whole patients. Routes "
    "were compared on the cases both answered, by the bootstrap of the difference of their AUC, without correction for "
    "the number of comparisons. Calibration is described by the slope and intercept of Cox 1958, clinical use by the "
    "net benefit of Vickers and Elkin 2006. Sets of possible classes are class-conditional conformal sets (Vovk 2012); "
    "undecided cases count as answered in accuracy and AUC and are reported apart. A case without an answer is never "
    "filled in: it is counted."
)
_LIMITS = (
    "All cases were simulated, by the simulator the models were trained on. Its strength of difference between the "
    "classes was chosen, so these figures say how well labels of the simulator are recovered, not how well patients "
    "would be told apart. There is no external validation. Agreement of routes is no independent evidence."
)
_LIMITS_MEASURED = (
    "One cohort was evaluated. Other scanners, protocols and populations may give other figures; external validation "
    "is needed before any use."
)


def _methods(evaluation: Mapping[str, Any]) -> list[str]:
    cohort = evaluation["cohort"]
    if evaluation["simulated"]:
        data = (
            f"{cohort['cases']} patients were simulated (cohort `{cohort['name']}`, seed {cohort['seed']}, simulator "
            f"version {evaluation['simulator_version']}), one half of each class. Eligibility, recruitment, consent "
            "and ethics approval: not applicable, simulated data. Reference standard: the simulator's own label and "
            "mask."
        )
    else:
        data = (
            f"{cohort['cases']} examinations of the cohort's table were evaluated. Eligibility, dates, setting, ethics "
            "approval and the reference standard cannot be known from the files: state them here."
        )
    return [
        "### Data and reference standard (CLEAR: data; CLAIM: reference standard; TRIPOD+AI: participants, outcome)",
        data,
        "### Input (CLEAR: segmentation, preprocessing; CLAIM: preprocessing; TRIPOD+AI: predictors, missing data)",
        "End to end: the lesion was grown from one simulated click near its deepest point at the automatic tolerance. "
        "True mask: the reference mask itself. Each case was also shown with less (one frame before and one after "
        "contrast without times; one frame alone), since users have such scans.",
        "### Partitions (CLEAR: data split; CLAIM: partitions; TRIPOD+AI: sample size)",
        _partitions(evaluation),
    ]


def _partitions(evaluation: Mapping[str, Any]) -> str:
    cohort, crossed = evaluation["cohort"], evaluation.get("cross_validation")
    if crossed is not None:
        return (
            f"{crossed['folds']}-fold cross-validation by patient: each case was judged by a model that was fitted and "
            f"calibrated on the other folds of the same cohort (at least {cohort['training_cases']} cases), so no "
            "patient was on both sides. The figures describe the procedure, not one model."
        )
    seed = f" (seed {cohort['training_seed']})" if evaluation["simulated"] else ""
    return (
        f"Training: {cohort['training_cases']} other cases{seed}. No case, patient or seed was shared with them; "
        "thresholds and calibration came from the training cases."
    )


def _training(evaluations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["### Models (CLEAR: modelling; CLAIM: model, training; TRIPOD+AI: analytical methods)"]
    for route, evaluation in evaluations.items():
        words = ROUTE_WORDS[route]
        fit = evaluation["training"].get("fit") or {}
        about = ""
        if fit:
            about = (
                f" Fitted in {fit['steps']} steps ({fit['samples']} samples) in {fit['precision']} on {fit['device']}; "
                f"the weights of step {fit['best_step']} scored best on the validation cases."
            )
        lines.append(f"**{words.title}** (`{evaluation['model']}`, SHA-256 `{evaluation['sha256'] or 'none'}`). "
                     f"{words.summary}{about}")  # fmt: skip
    return lines


def _results(evaluations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["### Discrimination, accuracy and calibration (CLEAR, CLAIM, TRIPOD+AI: performance)"]
    for route, evaluation in evaluations.items():
        for regime, sources in evaluation["regimes"].items():
            scores = sources.get("end_to_end") or next(iter(sources.values()))
            lines.append(_sentence(ROUTE_WORDS[route].title, regime, scores))
    first = next(iter(evaluations.values()))
    ceiling = first["baselines"].get(CEILING)
    if ceiling is not None:
        lines.append(f"No route can exceed the exact posterior of the simulator on average: AUC {_of(ceiling['auc'])}.")
    compared = [
        f"{row['first']} minus {row['second']} {_of(row)} (p = {row['p_value']:.3f}, {row['n']} cases)"
        for row in first["differences"].get("dynamic", [])
        if row["p_value"] is not None
    ]
    if compared:
        lines.append(f"Differences of AUC in timed series: {'; '.join(compared)}.")
    worst = []
    for route, evaluation in evaluations.items():
        name = evaluation["worst_histology"].get("dynamic")
        if name is not None:
            worst.append(f"{route}: {name} ({_of(evaluation['subgroups']['dynamic']['histology'][name]['accuracy'])})")
    if worst:
        lines += [
            "### Subgroups and failures (CLAIM: failure analysis; TRIPOD+AI: fairness)",
            f"Histology of the lowest accuracy, per route, in timed series: {'; '.join(worst)}. All subgroups: "
            "`subgroups.md`; single failures: `failures.csv` and `failures.png`.",
        ]
    return lines


def _sentence(title: str, regime: str, scores: Mapping[str, Any]) -> str:
    text = (
        f"{title}, {regime}: {scores['n_answered']} of {scores['n']} cases got an answer; AUC {_of(scores['auc'])}, "
        f"accuracy {_of(scores['accuracy'])}, sensitivity {_of(scores['sensitivity'])}, specificity "
        f"{_of(scores['specificity'])}, Brier score {_of(scores['brier'])}, calibration slope "
        f"{_of(scores['calibration_slope'])} and intercept {_of(scores['calibration_intercept'])}."
    )
    if "dice" in scores:
        text += (
            f" Mask: Dice {_of(scores['dice'])}, HD95 {_of(scores['hd95_mm'])} mm, pixel accuracy "
            f"{_of(scores['pixel_accuracy'])} beside {_of(scores['empty_mask_pixel_accuracy'])} of an empty mask "
            f"({_of(scores['gap_closed'])} of the gap closed)."
        )
    return text


def _of(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "undefined"
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
