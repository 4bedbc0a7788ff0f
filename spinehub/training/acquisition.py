"""How the training cases were acquired: the ranges outside which an input is called unusual."""

from collections.abc import Sequence

import numpy as np

from spinehub.dataset import PreparedCase
from spinehub.perfusion import Timing
from spinehub.routes import acquisition_facts
from spinehub.series import DynamicSeries, Protocol
from spinehub.volume import Grid

__all__ = ["acquisition_ranges"]


def acquisition_ranges(cases: Sequence[PreparedCase]) -> dict[str, list[float]]:
    """Lowest and highest value of each fact of :func:`spinehub.routes.acquisition_facts` over the cases."""
    values: dict[str, list[float]] = {}
    for case in cases:
        for name, value in _facts(case).items():
            values.setdefault(name, []).append(value)
    return {name: [min(known), max(known)] for name, known in values.items()}


def _facts(case: PreparedCase) -> dict[str, float]:
    """Facts need no voxels, so an empty series of the same grid and protocol stands for the case."""
    shape = tuple(case.facts["shape"])
    interval = case.facts["frame_interval_s"]
    series = DynamicSeries(
        np.zeros((*shape, 2), np.float32),
        Grid(shape, np.asarray(case.facts["affine"])),
        None if interval is None else np.array([0.0, interval]),
        protocol=Protocol(**case.facts["protocol"]),
    )
    timed = interval is not None
    timing = Timing("dynamic" if timed else "pre_post", 0.0 if timed else None, None, 1, None, True)
    return acquisition_facts(series, timing)
