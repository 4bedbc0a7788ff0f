"""What the routes follow, when they stay silent, and what they make of cases they should not judge.

    python benchmarks/model_checks.py --work runs/checks [--model ROUTE=ID ...] [--cases 200] [--check NAME ...]
        [--sealed runs/sealed/matched] [--null-cases 400 --null-steps 300]

Checks: swapped, deleted, lookalikes, fresh, real (see model_check_cases.py), null, calibration; without --check all
that can run. Cases are rendered from seeds that nothing else uses; what was asked is kept in `--work`, so an
interrupted run goes on. `real` needs the folder SPINEHUB_TEST_DATA names and is left out where it is absent;
`calibration` needs the folder of an evaluation (--sealed); `null` trains every route anew on a simulator without any
difference between the classes and runs only with --null-cases. Writes ``model_checks.md`` into `--work`. Intervals:
95 %, exact binomial.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from model_check_cases import CHECKS, REAL, Row
from model_check_fits import calibration_section, null_section
from scipy.stats import binomtest
from tqdm import tqdm

from spinehub.dataset import REGIMES
from spinehub.models import WeightsNotInstalledError
from spinehub.routes import DEFAULT_MODELS, load_model

CONFIDENT = ("metastasis", "primary_malignant")


def main() -> None:
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    models = dict(word.split("=", 1) for word in options.model) or _installed()
    names = options.check or [*CHECKS, "null", "calibration"]
    lines = ["# Checks of the models", "", *_about(options, models), ""]
    for name in names:
        if name in CHECKS and not (name == "real" and not REAL.is_dir()):
            rows = _asked(name, options, models)
            lines += [f"## {TITLES[name]}", "", *SECTIONS[name](rows, list(models)), ""]
    if "null" in names and options.null_cases:
        lines += [f"## {TITLES['null']}", "", *null_section(options), ""]
    if "calibration" in names and options.sealed is not None:
        lines += [f"## {TITLES['calibration']}", "", *calibration_section(options.sealed, models), ""]
    text = "\n".join(lines)
    (options.work / "model_checks.md").write_text(text, encoding="utf-8")
    print(text)


TITLES = {
    "swapped": "Shape of one class, kinetics of the other",
    "deleted": "The lesion deleted, clicked where it was",
    "lookalikes": "What is neither class, and files that say something wrong",
    "fresh": "Fresh cases of the training protocols",
    "real": "Real scans of something else",
    "null": "Null simulator: every difference switched off, every route trained anew",
    "calibration": "Calibration",
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check what the routes follow and when they stay silent.")
    parser.add_argument("--work", type=Path, required=True, help="folder for answers and tables")
    parser.add_argument("--model", action="append", default=[], metavar="ROUTE=ID", help="name, folder or Hub id")
    parser.add_argument("--check", action="append", choices=list(TITLES), help="only this one; repeatable")
    parser.add_argument("--cases", type=int, default=200, help="cases of each kind")
    parser.add_argument("--sealed", type=Path, help="folder of an evaluation, for the calibration")
    parser.add_argument(
        "--null-cases", type=int, default=0, help="cases the null training learns from; as many test it"
    )
    parser.add_argument("--null-steps", type=int, default=300, help="steps of each network's null training")
    parser.add_argument("--null-routes", nargs="+", default=list(DEFAULT_MODELS), choices=list(DEFAULT_MODELS))
    parser.add_argument("--null-regimes", nargs="+", default=list(REGIMES), choices=REGIMES, help="they are judged in")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    return parser.parse_args()


def _installed() -> dict[str, str]:
    """Default models whose weights are there."""
    found = {}
    for route, name in DEFAULT_MODELS.items():
        try:
            load_model(route, name)
        except WeightsNotInstalledError:
            continue
        found[route] = name
    return found


def _about(options: argparse.Namespace, models: Mapping[str, str]) -> Iterable[str]:
    loaded: dict[str, Any] = {route: load_model(route, given) for route, given in models.items()}
    named = ", ".join(f"{route} `{model.model_id}` ({model.sha256[:12]})" for route, model in loaded.items())
    yield f"Models: {named}. Cases of each kind: {options.cases}, from seeds that nothing else uses; simulated cases"
    yield "say nothing about patients. Cells: share (95 % exact binomial interval; counts)."


def _asked(name: str, options: argparse.Namespace, models: Mapping[str, str]) -> list[Row]:
    """Answers to every case of a check; those that are kept from the same models are not asked for again."""
    path = options.work / f"{name}.jsonl"
    key = json.dumps(sorted((route, load_model(route, given).sha256) for route, given in models.items()))
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    kept = [row for row in kept if row["models"] == key]
    done = {row["case"] for row in kept}
    missing = [case for case in range(options.cases) if case not in done]
    with (
        ProcessPoolExecutor(options.workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool,
        path.open("a") as file,
    ):
        futures = [pool.submit(_ask, name, case, dict(models)) for case in missing]
        for future in tqdm(as_completed(futures), total=len(futures), desc=name, unit="case", disable=None):
            rows = [row | {"models": key} for row in future.result()]
            file.write("".join(json.dumps(row) + "\n" for row in rows))
            file.flush()
            kept += rows
    return [row for row in kept if row["case"] < options.cases]


def _one_thread() -> None:
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
    torch.set_num_threads(1)


def _ask(name: str, case: int, models: Mapping[str, str]) -> list[Row]:
    return list(CHECKS[name](case, models))


def share(hits: Sequence[bool]) -> str:
    """Share with its exact binomial interval, as a cell of a table."""
    if not hits:
        return ""
    found = binomtest(sum(hits), len(hits)).proportion_ci(method="exact")
    return f"{sum(hits) / len(hits):.2f} ({found.low:.2f} to {found.high:.2f}; {sum(hits)} of {len(hits)})"


def _by_kind(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["kind"]].append(row)
    return found


def _head(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |", "|" + "---|" * len(cells)]


def swapped_section(rows: Sequence[Row], routes: Sequence[str]) -> Iterable[str]:
    """Share of the answers that lean to the class the shape is of."""
    yield from _head("case", *(f"{route} follows the shape" for route in (*routes, "exact posterior")))
    for kind, own in _by_kind(rows).items():
        primary = kind.startswith("shape of chordoma")
        cells = []
        for route in (*routes, "exact posterior"):
            shares = [row["routes"][route]["probability"] for row in own]
            cells.append(share([(value >= 0.5) == primary for value in shares if value is not None]))
        yield f"| {kind} | {' | '.join(cells)} |"
    yield ""
    yield "The others follow the kinetics. The exact posterior: how a perfect observer weighs both."


def deleted_section(rows: Sequence[Row], routes: Sequence[str]) -> Iterable[str]:
    """Share of the cases in which a route, and every route, stays silent."""
    yield from _head("shown as", "no route answers (wanted: 0.95)", *(f"{route} silent" for route in routes),
                     "no route decides")  # fmt: skip
    for kind, own in _by_kind(rows).items():
        silent = {route: [row["routes"][route]["probability"] is None for row in own] for route in routes}
        together = [all(column) for column in zip(*silent.values(), strict=True)]
        undecided = [all(answer["decision"] not in CONFIDENT for answer in row["routes"].values()) for row in own]
        cells = [share(together), *(share(column) for column in silent.values()), share(undecided)]
        yield f"| {kind} | {' | '.join(cells)} |"


def confident_section(rows: Sequence[Row], routes: Sequence[str]) -> Iterable[str]:
    """Share of confident answers and of warnings, by kind."""
    yield from _head("kind", "flagged as unusual", "any route decides", *(f"{route} decides" for route in routes))
    for kind, own in _by_kind(rows).items():
        decided = {route: [row["routes"][route]["decision"] in CONFIDENT for row in own] for route in routes}
        together = [any(column) for column in zip(*decided.values(), strict=True)]
        cells = [share([row["flagged"] for row in own]), share(together), *(share(each) for each in decided.values())]
        yield f"| {kind} | {' | '.join(cells)} |"


def fresh_section(rows: Sequence[Row], routes: Sequence[str]) -> Iterable[str]:
    """Share of fresh cases that are accepted, by regime."""
    yield from _head("shown as", "accepted (wanted: 0.95)", *(f"{route} answers" for route in routes))
    for regime in REGIMES:
        own = [row for row in rows if row["kind"] == regime]
        answered = [share([row["routes"][route]["probability"] is not None for row in own]) for route in routes]
        yield f"| {regime} | {share([not row['flagged'] for row in own])} | {' | '.join(answered)} |"


SECTIONS: Mapping[str, Callable[[Sequence[Row], Sequence[str]], Iterable[str]]] = {
    "swapped": swapped_section,
    "deleted": deleted_section,
    "lookalikes": confident_section,
    "real": confident_section,
    "fresh": fresh_section,
}


if __name__ == "__main__":
    main()
