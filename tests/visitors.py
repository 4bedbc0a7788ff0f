"""What a visitor of the page does, for tests of handlers: clicks, uploads and links on a small made-up case."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from spinehub.io import write_series, write_volume
from spinehub.pipeline import analyse
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Volume

GRID = Grid((16, 18, 6), np.array([[0, 0, 5.0, -12], [-2.0, 0, 0, 20], [0, 2.0, 0, -9], [0, 0, 0, 1]]))
CENTRE = (8, 9, 3)


def ball_series(times: bool = True) -> DynamicSeries:
    """A ball that takes up contrast in a body that hardly does; two baseline frames."""
    place = np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1) - CENTRE
    ball = ((place * (2.0, 2.0, 5.0)) ** 2).sum(axis=-1) < 9.0**2
    uptake = np.array([0.0, 0.0, 0.8, 1.2, 1.3, 1.3, 1.2, 1.2])
    noise = np.random.default_rng(1).normal(0, 2, (*GRID.shape, uptake.size))
    frames = 100 + 20 * uptake + 100 * ball[..., None] * uptake + noise
    return DynamicSeries(frames, GRID, 25.0 * np.arange(uptake.size) if times else None)


class Run:
    """Stands in for the analysis: notes what it was asked, answers without models."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, image: Any, **options: Any) -> Any:
        self.calls.append(options)
        return analyse(image, **{**options, "models": {}})


def click(index: tuple[int, int, int] = CENTRE, *, background: bool = False) -> Any:
    return SimpleNamespace(mm=list(GRID.position_of(index)), background=background)


def uploaded(tmp_path: Path, image: DynamicSeries | Volume, name: str = "own.nii.gz") -> Path:
    path = tmp_path / name
    (write_series if isinstance(image, DynamicSeries) else write_volume)(image, path)
    return path


def linked_request(**query: str) -> Any:
    return SimpleNamespace(session_hash="visitor", query_params=query)


def seeds_in_link(index: tuple[int, int, int] = CENTRE) -> str:
    return ",".join(str(value) for value in GRID.position_of(index))
