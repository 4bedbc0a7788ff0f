"""Sizes of cord, body, disc and canal: of real scans from their masks, of simulated people from their geometry.

Part of simulator_realism.py, which prints the table.
"""

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from spinehub.simulate import draw_recipe
from spinehub.simulate.anatomy import LEVELS
from spinehub.simulate.spine import SpineGeometry

Image: TypeAlias = NDArray[np.float32]


def turned(path: Path, plane: str) -> tuple[Image, tuple[float, float, float]]:
    """Array with axes posterior, inferior, left (sagittal) or left, posterior, superior (axial), and its spacing."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    values = np.asarray(image.dataobj, dtype=np.float32)
    x, y, z = (float(step) for step in image.header.get_zooms()[:3])
    if plane == "axial":
        return np.ascontiguousarray(values[::-1, ::-1]), (x, y, z)
    return np.ascontiguousarray(values[::-1, ::-1, ::-1].transpose(1, 2, 0)), (y, z, x)


def sizes(folder: Path) -> list[str]:
    """Rows of the table of sizes: real ones from masks, simulated ones of the geometry of twelve people."""
    rows = []
    for name, level in (("cervical_T1w_1mm", "C5"), ("cervical_T2w_1mm", "C4")):
        mask, step = turned(folder / f"{name}_cordmask.nii.gz", "sagittal")
        cuts = [np.argwhere(mask[:, j] > 0) for j in range(mask.shape[1]) if (mask[:, j] > 0).any()]
        depth = np.median([(np.ptp(cut[:, 0]) + 1) * step[0] for cut in cuts])
        width = np.median([(np.ptp(cut[:, 1]) + 1) * step[2] for cut in cuts])
        rows.append(size_row(f"cord depth, {name}, mm", float(depth), level, "cord_depth"))
        rows.append(size_row(f"cord width, {name}, mm", float(width), level, "cord_width"))
    rows += vertebra_sizes(folder)
    return rows


def vertebra_sizes(folder: Path) -> list[str]:
    """Body, disc and canal of the lumbar crop near the midline, from its masks."""
    parts, step = turned(folder / "vertebra_T2w_crop_subregmask.nii.gz", "sagittal")
    whole, _ = turned(folder / "vertebra_T2w_crop_vertmask.nii.gz", "sagittal")
    canal = parts == 61
    middle = int(np.median(np.argwhere(canal)[:, 2]))
    near = slice(middle - 1, middle + 2)
    body = (parts == 49)[:, :, near] & (whole == 6)[:, :, near]
    disc = (parts == 100)[:, :, near]
    pieces, count = label(disc)
    discs = [median_run(pieces == piece, 1) * step[1] for piece in range(1, count + 1) if (pieces == piece).sum() > 40]
    return [
        size_row("body height, mm", median_run(body, 1) * step[1], "L2", "height"),
        size_row("body depth, mm", median_run(body, 0) * step[0], "L2", "depth"),
        size_row("disc height, mm", float(np.mean(discs)), "L2", "disc"),
        size_row("canal depth, mm", median_run(np.isin(parts, (60, 61))[:, :, near], 0) * step[0], "L2", "canal_depth"),
    ]


def median_run(mask: NDArray[np.bool_], axis: int) -> float:
    """Median number of voxels along an axis, over the lines that meet the mask in more than half of the longest."""
    counts = mask.sum(axis=axis)
    return float(np.median(counts[counts > 0.5 * counts.max()]))


def size_row(name: str, real: float, level: str, table: str) -> str:
    """One row: a real figure, and mean and SD of twelve simulated people."""
    figures = []
    for case in range(12):
        geometry = SpineGeometry(replace(draw_recipe(77, case).anatomy, level=level, collapse=0.0))
        place = LEVELS.index(level)
        if table in ("height", "depth", "disc"):
            figures.append(float(getattr(geometry, table)[place]))
        else:
            order = np.argsort(geometry.tables["s"])
            value = np.interp(geometry.level_s[place], geometry.tables["s"][order], geometry.tables[table][order])
            figures.append(float(value))
    return f"| {name} ({level}) | {real:.1f} | {np.mean(figures):.1f} +- {np.std(figures):.1f} |"
