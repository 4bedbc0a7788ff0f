"""From ``evaluation.json`` and ``config.json`` to the text of a model card with valid Hub metadata."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinehub.cards.chance import chance_sentence
from spinehub.cards.evaluation_file import (
    ANSWER_FIGURES,
    MASK_FIGURES,
    MASK_SOURCES,
    MORE_ANSWER_FIGURES,
    MORE_MASK_FIGURES,
    REGIMES,
    validate_evaluation,
)
from spinehub.cards.second_world import second_world_rows, second_world_sentence
from spinehub.cards.wording import (
    FIGURES_IN_WORDS,
    FIRST_SENTENCE,
    REGIMES_IN_WORDS,
    ROUTE_OF_KIND,
    ROUTE_WORDS,
    TEMPLATE,
    UNSCORED,
    RouteWords,
)
from spinehub.errors import ModelError

__all__ = ["render_card", "render_folder", "render_unscored", "results_table"]

_LICENSE = "apache-2.0"
_TAGS = ("spinehub", "medical", "mri", "dce-mri", "spine", "simulated-data", "research-only", "not-for-clinical-use")
_SOURCES_IN_WORDS = {"end_to_end": "end to end", "truth_mask": "true mask"}
_HUB_METRICS = {"auc": "roc_auc", "accuracy": "accuracy", "dice": "dice"}
"""Figures that go into the Hub's model index, with the names they have there."""
_BESIDE = ("evaluation.json", "golden.json", "golden.safetensors")
"""Files that tell about the model and are not part of it."""


def render_folder(folder: str | Path, repo_id: str | None = None) -> str:
    """Text of the card of a model folder that holds ``config.json`` and ``evaluation.json``.

    Parameters
    ----------
    folder
        Model folder.
    repo_id
        As :func:`render_card`.

    Raises
    ------
    ModelError
        If one of the two is missing or not JSON.
    """
    folder = Path(folder)
    contents = []
    for name in ("evaluation.json", "config.json"):
        try:
            contents.append(json.loads((folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{name} is needed for the card of {folder.name} and cannot be read; run 'spinehub evaluate' first"
            ) from error
    evaluation, config = contents
    return render_card(evaluation, config, repo_id)


def render_card(evaluation: Mapping[str, Any], config: Mapping[str, Any], repo_id: str | None = None) -> str:
    """Render the card of one model.

    Parameters
    ----------
    evaluation
        Content of ``evaluation.json``; see :mod:`spinehub.cards.evaluation_file`.
    config
        Content of ``config.json``; its list of files gives the hashes.
    repo_id
        Repository the card is for; None: the model is loaded by its own name.

    Returns
    -------
    str
        Markdown with YAML metadata on top; the same for the same input.

    Raises
    ------
    ModelError
        If the evaluation does not follow its schema.
    """
    validate_evaluation(evaluation)
    words = ROUTE_WORDS[evaluation["route"]]
    return TEMPLATE.format(
        metadata=_metadata(evaluation),
        title=words.title,
        first=FIRST_SENTENCE + second_world_sentence(evaluation),
        summary=words.summary,
        cohort=_cohort(evaluation),
        results=results_table(evaluation),
        mask_note=_mask_note(evaluation["regimes"]) + chance_sentence(evaluation),
        baselines=_baselines(evaluation["baselines"]) + _second_world(evaluation),
        model=repo_id or evaluation["model"],
        stock=_stock(words, repo_id),
        training=_training(evaluation["training"]),
        command=evaluation["command"],
        files=_files(config),
    )


def render_unscored(config: Mapping[str, Any], repo_id: str) -> str:
    """Card of a model without ``evaluation.json``, by its configuration: it states no number.

    Parameters
    ----------
    config
        Content of ``config.json``.
    repo_id
        Repository the card is for.
    """
    from huggingface_hub import ModelCardData

    section: Mapping[str, Any] = next((config[name] for name in ("_spinehub", "spinehub") if name in config), {})
    words = ROUTE_WORDS[ROUTE_OF_KIND[section["kind"]]]
    return UNSCORED.format(
        metadata=ModelCardData(**_facts(words)).to_yaml(),
        title=words.title,
        summary=words.summary,
        model=repo_id,
        stock=_stock(words, repo_id),
        files=_files(config),
    )


def _stock(words: RouteWords, repo_id: str | None) -> str:
    if repo_id is None:
        return words.stock
    return words.stock.replace("local-dir:DIR", f"hf-hub:{repo_id}").replace('"DIR"', f'"{repo_id}"')


def _facts(words: RouteWords) -> dict[str, Any]:
    return {
        "language": "en",
        "license": _LICENSE,
        "library_name": words.library,
        "pipeline_tag": words.pipeline,
        "tags": [*_TAGS, *words.tags],
        "inference": False,
    }


def _metadata(evaluation: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    words = ROUTE_WORDS[evaluation["route"]]
    cohort = evaluation["cohort"]
    results = [
        EvalResult(
            task_type=words.pipeline,
            dataset_type="simulated",
            dataset_name=f"spinehub simulated cohort, {cohort['name']}, {REGIMES_IN_WORDS[regime]}",
            dataset_config=regime,
            dataset_split="test",
            metric_type=metric,
            metric_name=f"{FIGURES_IN_WORDS[figure]}, {_SOURCES_IN_WORDS[source]}, simulated cases",
            metric_value=scores[figure]["value"],
        )
        for regime in REGIMES
        for source, scores in _sources(evaluation["regimes"].get(regime, {}))
        for figure, metric in _HUB_METRICS.items()
        if scores.get(figure, {}).get("value") is not None
    ]
    facts = _facts(words) | {"model_name": evaluation["model"], "eval_results": results or None}
    return str(ModelCardData(**facts).to_yaml())


def _sources(scores: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(source, scores[source]) for source in MASK_SOURCES if source in scores]


def _cohort(evaluation: Mapping[str, Any]) -> str:
    cohort = evaluation["cohort"]
    return (
        f"{cohort['cases']} simulated patients of the cohort `{cohort['name']}` (seed {cohort['seed']}, simulator "
        f"version {evaluation['simulator_version']}) that no training, tuning or threshold ever saw; trained on "
        f"{cohort['training_cases']} others (seed {cohort['training_seed']})."
    )


def results_table(evaluation: Mapping[str, Any]) -> str:
    """One table per group of figures: a row per figure, a column per regime and mask source."""
    regimes: Mapping[str, Any] = evaluation["regimes"]
    columns = [
        (f"{REGIMES_IN_WORDS[regime]}, {_SOURCES_IN_WORDS[source]}", scores)
        for regime in REGIMES
        for source, scores in _sources(regimes.get(regime, {}))
    ]
    head = ["", *(name for name, _ in columns)]
    counts = ["cases with an answer", *(f"{scores['n_answered']} of {scores['n']}" for _, scores in columns)]
    tables = [_table([head, counts, *_rows((*ANSWER_FIGURES, *MORE_ANSWER_FIGURES), columns)])]
    masked = [(name, scores) for name, scores in columns if "dice" in scores]
    if masked:
        tables.append(
            _table([["", *(name for name, _ in masked)], *_rows((*MASK_FIGURES, *MORE_MASK_FIGURES), masked)])
        )
    return "\n\n".join(tables)


def _rows(figures: tuple[str, ...], columns: list[tuple[str, Any]]) -> list[list[str]]:
    """A row per figure that any column has; an older file lacks some."""
    known = [name for name in figures if any(name in scores for _, scores in columns)]
    return [
        [FIGURES_IN_WORDS[name], *(_figure(scores[name]) if name in scores else "" for _, scores in columns)]
        for name in known
    ]


def _figure(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "undefined"
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _mask_note(regimes: Mapping[str, Any]) -> str:
    if not any("dice" in scores for sources in regimes.values() for scores in sources.values()):
        return ""
    return (
        "Pixel accuracy alone means nothing: an empty mask already scores what the row below it says. The share of the "
        "gap closed is (pixel accuracy - empty mask's) / (1 - empty mask's).\n"
    )


def _baselines(baselines: Mapping[str, Any]) -> str:
    if not baselines:
        return ""
    named = (*ANSWER_FIGURES, *MORE_ANSWER_FIGURES, *MASK_FIGURES, *MORE_MASK_FIGURES)
    figures = [name for name in named if any(name in row for row in baselines.values())]
    rows = [
        [str(name), *(_figure(row[figure]) if figure in row else "" for figure in figures)]
        for name, row in baselines.items()
    ]
    head = ["beside it, on the same cases", *(FIGURES_IN_WORDS[figure] for figure in figures)]
    return "\n" + _table([head, *rows])


def _second_world(evaluation: Mapping[str, Any]) -> str:
    rows = second_world_rows(evaluation, _figure)
    return "\n\n" + _table(rows) if rows else ""


def _training(training: Mapping[str, Any]) -> str:
    if not training:
        return "No record."
    record = f"```json\n{json.dumps(training, indent=2, sort_keys=True, ensure_ascii=False)}\n```"
    fit = training.get("fit")
    teacher = fit.get("teacher") if isinstance(fit, Mapping) else None
    if not isinstance(teacher, Mapping):
        return record
    return (
        f"Its stages learned to reproduce what the U-Net `{teacher.get('model')}` sees at the same places (SHA-256 "
        f"{str(teacher.get('sha256'))[:12]}), so that the two agree is no independent evidence.\n\n{record}"
    )


def _files(config: Mapping[str, Any]) -> str:
    section: Mapping[str, Any] = next((config[name] for name in ("_spinehub", "spinehub") if name in config), {})
    files = {name: entry for name, entry in section.get("files", {}).items() if name not in _BESIDE}
    if not files:
        return "`config.json` is the whole model."
    rows = [[f"`{name}`", str(entry.get("bytes", "")), f"`{entry['sha256']}`"] for name, entry in sorted(files.items())]
    return _table([["file", "bytes", "SHA-256"], *rows])
