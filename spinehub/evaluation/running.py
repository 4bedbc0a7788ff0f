"""Judge a whole cohort in several processes; what was judged is kept, so that an interrupted evaluation goes on."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from spinehub._version import __version__
from spinehub.evaluation.judging import Judgement, MaskSource, judge_case
from spinehub.evaluation.sources import stamp_of
from spinehub.io import CohortRow
from spinehub.models.stacked import StackedModel
from spinehub.report import ROUTES
from spinehub.series import Regime

__all__ = ["judge_cohort", "stacked_judgements"]

_VERSION = 1
_Progress = Callable[[float, str], None]


def judge_cohort(
    rows: Sequence[CohortRow],
    models: Mapping[str, str],
    hashes: Mapping[str, str],
    folder: Path,
    *,
    seed: int,
    workers: int,
    regimes: Sequence[Regime],
    mask_sources: Sequence[MaskSource],
    truth_mask_cases: int | None = None,
    every_regime_cases: int | None = None,
    embeddings: Mapping[str, str] | None = None,
    progress: _Progress | None = None,
) -> list[Judgement]:
    """Judge every case, in the order of the table.

    Parameters
    ----------
    rows
        Of the cohort's table.
    models, hashes
        Route to what it is loaded from, and to the hash of its weights.
    folder
        Gets one file per case; those of the same models and options are read, not judged again.
    seed, regimes, mask_sources
        As :func:`spinehub.evaluation.judging.judge_case`.
    truth_mask_cases
        How many of the first cases are judged with the true mask too; None: all.
    every_regime_cases
        How many of the first cases are judged in every regime, the others in the first of `regimes` alone; None: all.
    embeddings
        Network's route to the file of its embedding; `hashes` holds that of the file too.
    workers
        Processes.
    progress
        Called with the share done and a few words; None: a progress bar where standard error is a terminal.
    """
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    sources = {row.case_id: _sources(mask_sources, place, truth_mask_cases) for place, row in enumerate(rows)}
    shown = {row.case_id: _regimes(regimes, place, every_regime_cases) for place, row in enumerate(rows)}
    about = [_VERSION, __version__, dict(hashes), seed]
    keys = {row.case_id: _key([*about, list(shown[row.case_id]), list(sources[row.case_id])], row) for row in rows}
    known = {row.case_id: _kept(row, folder, keys[row.case_id]) for row in rows}
    missing = [row for row in rows if known[row.case_id] is None]
    common = (dict(models), seed, dict(embeddings or {}))
    done: Any = _judged([(row, sources[row.case_id], shown[row.case_id]) for row in missing], common, workers)
    if progress is None:
        done = tqdm(done, total=len(missing), desc="evaluating", unit="case", disable=None)
    for count, (row, judgements) in enumerate(done, start=1):
        known[row.case_id] = judgements
        content = {"key": keys[row.case_id], "judgements": [judgement.to_dict() for judgement in judgements]}
        part = folder / f"{row.case_id}.part"
        part.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
        part.replace(folder / f"{row.case_id}.json")
        if progress is not None:
            progress(count / len(missing), f"judged {count} of {len(missing)} cases")
    return [judgement for row in rows for judgement in known[row.case_id] or ()]


def _judged(
    tasks: Sequence[tuple[CohortRow, tuple[MaskSource, ...], tuple[Regime, ...]]], common: tuple[Any, ...], workers: int
) -> Iterator[tuple[CohortRow, list[Judgement]]]:
    if not tasks:
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_one_thread) as pool:
        futures = {pool.submit(_judge, *task, *common): task[0] for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _judge(
    row: CohortRow,
    sources: Sequence[MaskSource],
    regimes: Sequence[Regime],
    models: Mapping[str, str],
    seed: int,
    embeddings: Mapping[str, str],
) -> list[Judgement]:
    return judge_case(row, models, seed, regimes=regimes, mask_sources=sources, embeddings=embeddings)


def _sources(wanted: Sequence[MaskSource], place: int, truth_mask_cases: int | None) -> tuple[MaskSource, ...]:
    """Masks a case is judged with: the true one for the first cases only, where so asked."""
    if truth_mask_cases is None or place < truth_mask_cases:
        return tuple(wanted)
    return tuple(source for source in wanted if source != "truth_mask")


def _regimes(wanted: Sequence[Regime], place: int, every_regime_cases: int | None) -> tuple[Regime, ...]:
    """Regimes a case is judged in: all of them for the first cases only, where so asked."""
    return tuple(wanted if every_regime_cases is None or place < every_regime_cases else wanted[:1])


def _one_thread() -> None:
    """Several processes work side by side; each keeps to one thread."""
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
    torch.set_num_threads(1)


def _key(about: Sequence[Any], row: CohortRow) -> str:
    """Changes when the models, the options or the case do."""
    return hashlib.sha256(json.dumps([*about, stamp_of(row)], sort_keys=True).encode()).hexdigest()[:16]


def _kept(row: CohortRow, folder: Path, key: str) -> list[Judgement] | None:
    path = folder / f"{row.case_id}.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["key"] != key:
        return None
    return [Judgement.from_dict(values) for values in content["judgements"]]


def stacked_judgements(judgements: Sequence[Judgement], stack: StackedModel) -> list[Judgement]:
    """What the stacked model makes of the routes' answers: one row per case, regime and mask source."""
    groups: dict[tuple[str, str, str], list[Judgement]] = {}
    for row in judgements:
        if row.route in ROUTES and row.regime in stack.weights:
            groups.setdefault((row.case_id, row.regime, row.mask_source), []).append(row)
    stacked = []
    for rows in groups.values():
        answer = stack.predict({row.route: row.probability for row in rows}, rows[0].regime)
        share = None if answer.probabilities is None else answer.probabilities["primary_malignant"]
        stacked.append(
            replace(
                rows[0],
                route="stacked",
                probability=share,
                decision=answer.decision,
                reason=answer.reason,
                overlap=None,
                confusion=None,
            )
        )
    return stacked
