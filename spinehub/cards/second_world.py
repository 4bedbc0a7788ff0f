"""What a card says about the second simulated world: another simulator, from which nothing was learned."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from spinehub.cards.wording import REGIMES_IN_WORDS

__all__ = ["SECOND_WORLD", "second_world_problems", "second_world_rows", "second_world_sentence"]

SECOND_WORLD = "second_world"
"""Part of ``evaluation.json``: ``seed``, ``cases`` and for each regime the figures ``auc`` and ``drop``."""
_NAMED_DROP = 0.10
"""A larger fall of the area under the curve is said in the first paragraph."""


def second_world_problems(part: Any, problems_of: Callable[[str, Any, bool], Iterator[str]]) -> Iterator[str]:
    """What is wrong with this part; `problems_of` says it of one figure: where, the figure, whether it is a share."""
    regimes = part.get("regimes") if isinstance(part, Mapping) else None
    counts = [part.get(name) for name in ("seed", "cases")] if isinstance(part, Mapping) else []
    if not isinstance(regimes, Mapping) or not all(type(count) is int and count >= 0 for count in counts):
        yield f"{SECOND_WORLD} must be an object with a seed, a number of cases and regimes"
        return
    for regime, found in regimes.items():
        if regime not in REGIMES_IN_WORDS or not isinstance(found, Mapping) or set(found) != {"auc", "drop"}:
            yield f"{SECOND_WORLD}.regimes must hold auc and drop of known regimes, got {regime!r}"
            continue
        yield from problems_of(f"{SECOND_WORLD}.{regime}.auc", found["auc"], True)
        yield from problems_of(f"{SECOND_WORLD}.{regime}.drop", found["drop"], False)


def second_world_sentence(evaluation: Mapping[str, Any]) -> str:
    """Sentence for the first paragraph; empty where the area falls by 0.10 at most, or was not measured."""
    drops = {regime: found["drop"]["value"] for regime, found in _regimes(evaluation).items()}
    large = [f"{drop:.2f} ({REGIMES_IN_WORDS[regime]})" for regime, drop in drops.items() if drop > _NAMED_DROP]
    return f" **In a second simulated world its AUC falls by {' and by '.join(large)}.**" if large else ""


def second_world_rows(evaluation: Mapping[str, Any], cell: Callable[[Mapping[str, Any]], str]) -> list[list[str]]:
    """Rows of a table with its head, none where nothing was measured; `cell` writes a figure."""
    found = _regimes(evaluation)
    if not found:
        return []
    cases = evaluation[SECOND_WORLD]["cases"]
    head = [f"second simulated world ({cases} patients), end to end", "AUC", "fall from the table above"]
    return [head, *([REGIMES_IN_WORDS[name], cell(row["auc"]), cell(row["drop"])] for name, row in found.items())]


def _regimes(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    regimes: Mapping[str, Any] = evaluation.get(SECOND_WORLD, {}).get("regimes", {})
    return regimes
