"""Small made-up cases that several tests learn from or judge."""

from typing import Any

import numpy as np

from spinehub.case import DIAGNOSES, Case, Lesion
from spinehub.series import DynamicSeries, Protocol
from spinehub.volume import Grid, Mask


def ball_case(number: int, *, end_s: float = 260.0, histology: str | None = None, **facts: Any) -> Case:
    """A small body with a ball that takes up contrast; a primary tumour's ball takes up more."""
    rng = np.random.default_rng(number)
    affine = np.array([[0, 0, -4.5, 9.0], [-1.5, 0, 0, 22.5], [0, -1.5, 0, 22.5], [0, 0, 0, 1.0]])
    grid = Grid((30, 30, 5), affine)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    ball = np.linalg.norm((index - [15, 15, 2]) * [1.5, 1.5, 4.5], axis=-1) < 8.0
    body = np.hypot(index[..., 0] - 15, index[..., 1] - 15) < 13
    seconds = np.arange(0.0, end_s, 20.0)
    uptake = np.clip((seconds - 40.0) / 40.0, 0.0, 1.0)
    rise = np.where(ball, 0.8 + 1.2 * (number % 2), 0.15)
    frames = 100.0 * body[..., None] * (1.0 + rise[..., None] * uptake) + rng.normal(0, 1, (*grid.shape, len(seconds)))
    series = DynamicSeries(frames.astype(np.float32), grid, seconds, protocol=Protocol(0.005, 0.002, 15.0, 1.5))
    lesion = Lesion(Mask(ball, grid), diagnosis=DIAGNOSES[number % 2], histology=histology)
    return Case(f"case-{number}", f"patient-{number}", series, (lesion,), **facts)
