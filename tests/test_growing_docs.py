"""The examples of docs/growing.md run, one after the other, on an image whose region leaks."""

import re
from pathlib import Path

import numpy as np

from spinehub.volume import Grid, Seed, Volume

ROOT = Path(__file__).parents[1]


def test_the_examples_run() -> None:
    grid = Grid((44, 64, 12), np.diag([1.2, 1.2, 4.0, 1.0]))
    places = np.moveaxis(np.indices(grid.shape), 0, -1) * np.array(grid.spacing_mm)
    first, second = (np.linalg.norm(places - np.array(one) * grid.spacing_mm, axis=-1) <= 12.0
                     for one in ((22, 16, 6), (22, 48, 6)))  # fmt: skip
    bridge = np.zeros(grid.shape, bool)
    bridge[20:24, 16:48, 5:7] = True
    noise = np.random.default_rng(0).normal(0.0, 10.0, grid.shape)
    names = {
        "image": Volume(200.0 + 100.0 * (first | second | bridge) + noise, grid),
        "seed": Seed.at_index((22, 16, 6), grid),
        "voxel": (22, 30, 6),
    }
    text = (ROOT / "docs" / "growing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(compile(block, "docs/growing.md", "exec"), names)
    assert names["core"].count > 0
    assert names["mask"].count > 0
    assert names["growth"].reach_mm == 60.0, "reach and tolerance were undone together"
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / "docs" / target).resolve().exists()
