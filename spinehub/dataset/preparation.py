"""Everything that costs time, once per case and regime: clicks, grown masks, inputs of the networks, features."""

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.case import DIAGNOSES, Case
from spinehub.dataset.clicks import simulated_click
from spinehub.errors import InvalidArgumentError, SpineHubError
from spinehub.growing import grow
from spinehub.inputs import PreprocessingSpec, SliceStack, make_stack, mask_slices, reduce_regime
from spinehub.io import CohortRow, read_case
from spinehub.perfusion import Timing, assess_timing, compute_maps, find_hot_spot, hot_spot_parameters
from spinehub.series import DynamicSeries, ParametricMap, Regime
from spinehub.simulate import CaseRecipe, bayes_posterior, render
from spinehub.volume import Mask, Volume

__all__ = ["REGIMES", "CaseSource", "PreparationPlan", "prepare_case", "prepare_cohort"]

REGIMES: tuple[Regime, Regime, Regime] = ("dynamic", "pre_post", "single")
CaseSource: TypeAlias = CohortRow | CaseRecipe | Case
"""A row of a cohort's table, a recipe to be rendered, or the case itself."""

TABULAR = "tabular"
CASE_FILE = "case.json"
DONE_FILE = "done.json"
_RECIPE_FACTS = ("version", "seed", "cohort", "kinetics")
_VERSION = 3
"""Raise it when clicks, growing or features change what is prepared."""
_CLICKED_AGAIN = 4
"""One case in so many is clicked a second time, to see which features keep their value."""


@dataclass(frozen=True)
class PreparationPlan:
    """What is prepared of each case.

    Parameters
    ----------
    stacks
        Preprocessing of each network, by a name of your own.
    tabular
        Whether hot-spot parameters and features are computed.
    seed
        Of the clicks and of the frames that stay when inputs are hidden.
    """

    stacks: Mapping[str, PreprocessingSpec] = field(default_factory=dict)
    tabular: bool = False
    seed: int = 0

    @property
    def keys(self) -> dict[str, str]:
        """For each part its name and the hash of everything it depends on besides the case."""
        parts: dict[str, Any] = {name: spec.to_dict() for name, spec in self.stacks.items()}
        if self.tabular:
            parts[TABULAR] = {"clicked_again": _CLICKED_AGAIN}
        return {name: _digest([_VERSION, self.seed, rules]) for name, rules in parts.items()}


def prepare_cohort(
    sources: Sequence[CaseSource],
    plan: PreparationPlan,
    folder: str | Path,
    *,
    workers: int = 2,
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """Prepare every case into a folder; what is there already and unchanged is kept.

    Parameters
    ----------
    sources
        Cases, with different ``case_id``.
    plan
        What to prepare.
    folder
        One sub-folder per case is made here. About 6 MB per case and network at the default preprocessing.
    workers
        Processes.
    progress
        Called with the share done and a few words; None: a progress bar where standard error is a terminal.

    Raises
    ------
    InvalidArgumentError
        If two cases share a ``case_id``, or a case cannot be prepared (it is named).
    """
    from tqdm import tqdm

    names = [source.case_id for source in sources]
    if len(set(names)) < len(names):
        raise InvalidArgumentError(f"sources must have different case_id, got {len(names) - len(set(names))} twice")
    if workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [source for source in sources if _missing_parts(source, plan, folder)]
    done = _prepare_all(missing, plan, folder, workers)
    if progress is None:
        done = tqdm(done, total=len(missing), desc="preparing", unit="case", disable=None)
    for count, name in enumerate(done, start=1):
        if progress is not None:
            progress(count / len(missing), f"prepared {name}")
    return folder


def _prepare_all(sources: Sequence[CaseSource], plan: PreparationPlan, folder: Path, workers: int) -> Any:
    if workers == 1 or len(sources) < 2:
        return (prepare_case(source, plan, folder) for source in sources)
    return _in_processes(sources, plan, folder, workers)


def _in_processes(sources: Sequence[CaseSource], plan: PreparationPlan, folder: Path, workers: int) -> Any:
    # Spawned, not forked: a forked child inherits locks of threads (BLAS, torch) that no longer run.
    with ProcessPoolExecutor(min(workers, len(sources)), mp_context=get_context("spawn")) as pool:
        for finished in as_completed([pool.submit(prepare_case, source, plan, folder) for source in sources]):
            yield finished.result()


def prepare_case(source: CaseSource, plan: PreparationPlan, folder: str | Path) -> str:
    """Prepare one case and return its ``case_id``; see :func:`prepare_cohort`."""
    from threadpoolctl import threadpool_limits

    target = Path(folder) / source.case_id
    parts = _missing_parts(source, plan, Path(folder))
    if not parts:
        return source.case_id
    try:
        # One thread per process: several of them work side by side.
        with threadpool_limits(limits=1):
            _prepare(_load(source), plan, target, parts)
    except SpineHubError as error:
        raise InvalidArgumentError(f"case {source.case_id} cannot be prepared: {error}") from error
    for part in parts:
        _write_json(target / part / DONE_FILE, {"key": plan.keys[part], "source": _stamp(source)})
    return source.case_id


def _missing_parts(source: CaseSource, plan: PreparationPlan, folder: Path) -> list[str]:
    missing = []
    for part, key in plan.keys.items():
        path = folder / source.case_id / part / DONE_FILE
        if not path.is_file() or json.loads(path.read_text()) != {"key": key, "source": _stamp(source)}:
            missing.append(part)
    return missing


def _load(source: CaseSource) -> Case:
    if isinstance(source, CohortRow):
        return read_case(source)
    return render(source) if isinstance(source, CaseRecipe) else source


def _stamp(source: CaseSource) -> str:
    """Changes when the case does: size and time of its files, or its recipe."""
    if isinstance(source, CohortRow):
        files = [path for path in (source.series, source.lesion_mask) if path is not None and path.exists()]
        return _digest([[path.stat().st_size, path.stat().st_mtime_ns] for path in files])
    if isinstance(source, CaseRecipe):
        return _digest(source.to_dict())
    return _digest([source.case_id, source.recipe])


def _prepare(case: Case, plan: PreparationPlan, target: Path, parts: Sequence[str]) -> None:
    if not case.lesions or case.lesions[0].diagnosis is None:
        raise InvalidArgumentError("the index lesion and its diagnosis must be known")
    for part in parts:
        rmtree(target / part, ignore_errors=True)
        (target / part).mkdir(parents=True)
    full = assess_timing(case.series)
    tables: dict[str, Any] = {}
    stacks: dict[str, dict[str, Any]] = {part: {} for part in parts if part != TABULAR}
    for number, regime in enumerate(REGIMES):
        if regime == "dynamic" and full.regime != "dynamic":
            continue
        rng = np.random.default_rng([plan.seed, zlib.crc32(case.case_id.encode()), number])
        view = _View.of(case, regime, full, rng)
        for name, notes in stacks.items():
            notes[regime] = _write_stack(view, case, plan.stacks[name], target / name / regime)
        if TABULAR in parts:
            tables[regime] = view.table()
            if zlib.crc32(case.case_id.encode()) % _CLICKED_AGAIN == 0:
                again = view.clicked_again(case, rng)
                tables[regime]["features_again"] = again.features()
    for name, notes in stacks.items():
        _write_json(target / name / "stacks.json", {"spec": plan.stacks[name].to_dict(), "regimes": notes})
    if TABULAR in parts:
        _write_json(target / TABULAR / "table.json", tables)
    _write_json(target / CASE_FILE, _facts(case))


@dataclass(frozen=True, eq=False)
class _View:
    """A case as it looks in one regime, with the region one simulated click grows there."""

    image: DynamicSeries | Volume
    timing: Timing
    maps: Mapping[str, ParametricMap]
    grown: Mask

    @classmethod
    def of(cls, case: Case, regime: Regime, full: Timing, rng: np.random.Generator) -> "_View":
        image = reduce_regime(case.series, regime, rng, timing=full)
        timing = full if image is case.series else assess_timing(image)
        maps = compute_maps(image, timing) if isinstance(image, DynamicSeries) else {}
        return cls(image, timing, maps, _grown(image, case, rng))

    def clicked_again(self, case: Case, rng: np.random.Generator) -> "_View":
        """The same image, the region grown from another click."""
        return replace(self, grown=_grown(self.image, case, rng))

    def features(self) -> dict[str, Any]:
        """Features of the grown region, JSON-able: None for NaN."""
        from spinehub.features import extract_features

        row = extract_features(self.image, self.grown, self.timing, self.maps)
        return {
            "names": list(row.names),
            "values": [float(value) if np.isfinite(value) else None for value in row.values],
            "provenance": dict(row.provenance),
        }

    def table(self) -> dict[str, Any]:
        """Features of the grown region; hot-spot parameters where there are times."""
        parameters: dict[str, float | None] = {}
        if self.timing.regime == "dynamic":
            hot_spot = find_hot_spot(self.image, self.grown, self.timing)
            found = hot_spot_parameters(hot_spot, self.timing)
            parameters = {name: parameter.value for name, parameter in found.items()}
        return {"parameters": parameters, "features": self.features()}


def _grown(image: DynamicSeries | Volume, case: Case, rng: np.random.Generator) -> Mask:
    growth = grow(image, [simulated_click(case.lesions[0].mask, rng)])
    return growth.mask(growth.suggested_tolerance)


def _write_stack(view: _View, case: Case, spec: PreprocessingSpec, stem: Path) -> dict[str, Any]:
    stack = make_stack(view.image, spec, timing=view.timing, maps=view.maps, center_mm=view.grown.centroid_mm)
    labels = _labels(case, stack)
    inside = np.round(255.0 * mask_slices(view.grown, stack)).astype(np.uint8)
    held = np.flatnonzero(stack.available)
    np.save(stem.with_suffix(".npy"), stack.values[:, held].astype(np.float16))
    np.save(stem.with_name(f"{stem.name}-masks.npy"), np.stack([labels, inside], axis=1))
    return {
        "channels": held.tolist(),
        "lesion_pixels": (labels > 0).sum(axis=(1, 2)).tolist(),
        "grown_pixels": (inside.sum(axis=(1, 2), dtype=np.int64) / 255.0).tolist(),
    }


def _labels(case: Case, stack: SliceStack) -> NDArray[np.uint8]:
    """``(N, H, W)``: 0 background, else 1 + the index of the diagnosis; every lesion of the case."""
    labels = np.zeros(stack.grid.shape, np.uint8)
    for lesion in case.lesions:
        if lesion.diagnosis is not None:
            labels[mask_slices(lesion.mask, stack) >= 0.5] = 1 + DIAGNOSES.index(lesion.diagnosis)
    return labels


def _facts(case: Case) -> dict[str, Any]:
    grid, series = case.series.grid, case.series
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "diagnosis": case.lesions[0].diagnosis,
        "histology": case.lesions[0].histology,
        "age_years": case.age_years,
        "shape": list(grid.shape),
        "affine": grid.affine.tolist(),
        "frame_interval_s": series.frame_interval_s,
        "protocol": asdict(series.protocol),
        "recipe": {name: case.recipe.get(name) for name in _RECIPE_FACTS} if case.recipe is not None else None,
        "teacher": _teacher(case),
    }


def _teacher(case: Case) -> dict[str, Any] | None:
    """What only the simulator knows of its case: the exact posterior and the drawn signs; None for any other case."""
    try:
        recipe = CaseRecipe.from_dict(case.recipe or {})
        return {"posterior": bayes_posterior(recipe), "signs": asdict(recipe.lesions[0].signs)}
    except InvalidArgumentError:  # no recipe, one of another world or version, or a lesion of neither class
        return None


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _write_json(path: Path, values: Any) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
    part.replace(path)
