"""From files to a loaded case: an upload, or the bundled example with its stored result."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from spinehub.demo.cases import LoadedCase, Outcome
from spinehub.demo.scene import case_info
from spinehub.demo.session import Session
from spinehub.growing import Growth, grow
from spinehub.io import describe_source, read_mask, read_series
from spinehub.perfusion import assess_timing, compute_maps, find_hot_spot, region_curve
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Seed, Volume

__all__ = ["EXAMPLE", "example_session", "load_case", "load_example", "parse_times"]

EXAMPLE = Path(__file__).parent / "examples" / "spine"
"""The bundled case: series.nii.gz, series.json, and what `analyse` wrote for it."""


def load_case(session: Session) -> LoadedCase:
    """Read a session's files and compute what needs no lesion.

    Raises
    ------
    SpineHubError
        If a file is refused, or the times do not fit the frames.
    """
    files = [path for path in session.files if not path.lower().endswith(".json")]
    image = read_series(*files, times_s=session.times_s, frame_interval_s=session.frame_interval_s)
    return _loaded(image, *files)


def _loaded(image: DynamicSeries | Volume, *files: str | Path) -> LoadedCase:
    timing = assess_timing(image)
    maps = compute_maps(image, timing) if isinstance(image, DynamicSeries) else {}
    return LoadedCase(image, timing, maps, info=case_info(image, timing, maps), source=describe_source(*files))


@cache
def load_example() -> LoadedCase:
    """The bundled example with its stored result; read once, the same for everybody."""
    case = _loaded(read_series(EXAMPLE / "series.nii.gz"), EXAMPLE / "series.nii.gz")
    document = _stored("report.json")
    mask = read_mask(EXAMPLE / "mask.nii.gz", case.image.grid)
    curve, hot_spot = None, None
    if isinstance(case.image, DynamicSeries):
        curve = region_curve(case.image, mask, case.timing)
        hot_spot = find_hot_spot(case.image, mask, case.timing)
    stored = read_series(EXAMPLE / "agreement.nii.gz")
    agreement = ParametricMap("agreement", "", stored.voxels, stored.grid) if isinstance(stored, Volume) else None
    outcome = Outcome(document, _stored_explanations(case), curve, hot_spot, agreement=agreement)
    return LoadedCase(
        case.image, case.timing, case.maps, case.info, case.source, _stored_growth(case, document), outcome
    )


def example_session(token: str) -> Session:
    """Session of a visitor who has just come: the example with its stored region."""
    growing = _stored("report.json")["growing"]
    return Session(
        token=token,
        seeds=_stored_seeds(growing),
        tolerance=growing["tolerance"],
        reach_mm=growing["reach_mm"],
        revision=1,
    )


def parse_times(text: str) -> tuple[tuple[float, ...] | None, float | None]:
    """Times of the frames or their interval, from what a visitor typed.

    Parameters
    ----------
    text
        One number is the interval; several, separated by commas, spaces or semicolons, are the times.

    Returns
    -------
    times_s, frame_interval_s
        One of them, the other None; both None for an empty text.

    Raises
    ------
    InvalidArgumentError
        If a part is not a number.
    """
    from spinehub.errors import InvalidArgumentError

    parts = text.replace(",", " ").replace(";", " ").split()
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        raise InvalidArgumentError(
            "times must be numbers in seconds, such as 12 for one frame every 12 s, or 0, 12, 24 for the time of each "
            "frame"
        ) from None
    if len(numbers) == 1:
        return None, numbers[0]
    return numbers or None, None


def _stored(name: str) -> dict[str, Any]:
    return dict(json.loads((EXAMPLE / name).read_text(encoding="utf-8")))


def _stored_explanations(case: LoadedCase) -> dict[str, dict[str, Any]]:
    """Explanations of the routes, with the class maps that are there."""
    explanations = _stored("explanations.json")
    for path in EXAMPLE.glob("class_map_*.nii.gz"):
        stored = read_series(path)
        case.image.grid.require_match(stored.grid)
        if isinstance(stored, Volume):
            name = path.name.removeprefix("class_map_").partition(".")[0]
            explanations[name]["class_map"] = np.where(stored.voxels < 0, np.nan, stored.voxels)
    return explanations


def _stored_seeds(growing: dict[str, Any]) -> tuple[Seed, ...]:
    return tuple(
        Seed.at_position(tuple(seed["position_mm"]), background=seed["background"]) for seed in growing["seeds"]
    )


def _stored_growth(case: LoadedCase, document: dict[str, Any]) -> Growth:
    growing = document["growing"]
    return grow(case.image, _stored_seeds(growing), reach_mm=growing["reach_mm"])
