"""Whether a card may stand beside weights: valid metadata, and no number that ``evaluation.json`` does not hold."""

import re
from collections.abc import Mapping
from typing import Any

from spinehub.cards.rendering import render_card, results_table
from spinehub.cards.wording import FIRST_SENTENCE
from spinehub.errors import ModelError

__all__ = ["check_card"]

_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def check_card(text: str, evaluation: Mapping[str, Any] | None, config: Mapping[str, Any]) -> None:
    """Check the text of a card.

    Parameters
    ----------
    text
        Markdown with YAML metadata on top.
    evaluation
        Content of ``evaluation.json``, or None: then the card may state no results.
    config
        Content of ``config.json``.

    Raises
    ------
    ModelError
        If the metadata is not valid or lacks licence, library or the tag ``spinehub``; if a result or a row of the
        table differs from the evaluation; if it does not say what the models learned from; or if it states the SHA-256
        of a file that is not part of the model.
    """
    data = _metadata(text)
    for name in ("license", "library_name"):
        if not isinstance(data.get(name), str):
            raise ModelError(f"README.md must name its {name} in the front matter, got {data.get(name)!r}; add it")
    if "spinehub" not in (data.get("tags") or ()):
        raise ModelError("README.md must carry the tag spinehub in its front matter, so that others find it; add it")
    if evaluation is None:
        if _results(data):
            raise ModelError(
                "README.md states results, and there is no evaluation.json to check them; run evaluate first"
            )
        return
    _check_numbers(text, data, evaluation, config)
    section: Mapping[str, Any] = next((config[name] for name in ("_spinehub", "spinehub") if name in config), {})
    files = section.get("files", {})
    known = {entry["sha256"] for entry in files.values()} | {evaluation.get("sha256")}
    strange = sorted(set(_HASH.findall(text)) - known)
    if strange:
        raise ModelError(
            f"README.md states a SHA-256 ({strange[0][:12]}...) that no file of the model has; render it again"
        )


def _check_numbers(
    text: str, data: Mapping[str, Any], evaluation: Mapping[str, Any], config: Mapping[str, Any]
) -> None:
    if FIRST_SENTENCE not in text:
        raise ModelError(f"README.md must say: {FIRST_SENTENCE}")
    stated, true = _results(data), _results(_metadata(render_card(evaluation, config)))
    for key in sorted(set(stated) | set(true), key=str):
        if stated.get(key) != true.get(key):
            raise ModelError(
                f"README.md must state the numbers of evaluation.json, but for {' '.join(key)} it says "
                f"{stated.get(key)} in place of {true.get(key)}; render the card again"
            )
    lines = {line.strip() for line in text.splitlines()}
    for row in results_table(evaluation).splitlines():
        if row.strip() not in lines:
            raise ModelError(
                f"README.md must show the results of evaluation.json, and lacks the row {row.strip()!r}; render it anew"
            )


def _metadata(text: str) -> dict[str, Any]:
    import yaml

    found = re.match(r"\s*---\n(.*?)\n---\s*\n", text, re.DOTALL)
    try:
        data = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise ModelError(
            f"README.md must begin with valid YAML metadata between two lines of ---: {problem}"
        ) from error
    if not isinstance(data, dict):
        raise ModelError(
            "README.md must begin with YAML metadata between two lines of ---, at least licence and library"
        )
    return data


def _results(data: Mapping[str, Any]) -> dict[tuple[str, str, str], Any]:
    """Regime, metric and its name -> value, of a model index."""
    try:
        return {
            (str(result["dataset"].get("config")), metric["type"], metric["name"]): metric["value"]
            for model in data.get("model-index") or ()
            for result in model["results"]
            for metric in result["metrics"]
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"model-index in README.md is not as the Hub reads it ({error}); render the card again"
        ) from error
