"""Make the bundled example: ``python -m spinehub.demo.example [--seed S --case K] [--output DIR]``.

A simulated case is rendered, rounded to what its noise leaves visible, and analysed from one click with the
weights that are installed; the page shows the stored result when it opens. After new weights,
``python -m spinehub.demo.example --reanalyse`` keeps the series and the click and writes the result anew.
"""

import argparse
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from spinehub.demo.loading import EXAMPLE
from spinehub.demo.shown import suggested
from spinehub.growing import grow
from spinehub.io import describe_source, read_series, write_map, write_series
from spinehub.pipeline import analyse
from spinehub.report import Report, deepest_voxel, strict_json
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.simulate import draw_recipe, render
from spinehub.volume import Seed

__all__ = ["analyse_example", "make_example"]

SEED, CASE = 2607, 9336
"""Outside the seeds any training cohort is drawn from; a small matrix and few frames keep the file small."""


def make_example(folder: Path, seed: int = SEED, case: int = CASE) -> Report:
    """Render, round, write and analyse one simulated case.

    Parameters
    ----------
    folder
        Where series.nii.gz, series.json and the outputs of the analysis go.
    seed, case
        Which recipe, see :func:`spinehub.simulate.draw_recipe`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rendered = render(draw_recipe(seed, case))
    write_series(_rounded(rendered.series), folder / "series.nii.gz", dtype="int16")
    _packed(folder / "series.nii.gz")
    return analyse_example(folder, Seed.at_index(deepest_voxel(rendered.lesions[0].mask), rendered.series.grid))


def analyse_example(folder: Path, click: Seed | None = None) -> Report:
    """Analyse the series in a folder and store what the page shows of it.

    Parameters
    ----------
    folder
        With series.nii.gz and series.json.
    click
        The seed; None: the one of the report.json that is there.
    """
    if click is None:
        document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        click = Seed.at_position(tuple(document["growing"]["seeds"][0]["position_mm"]))
    image = read_series(folder / "series.nii.gz")
    tolerance = suggested(grow(image, [click]))
    source = describe_source(folder / "series.nii.gz")
    report = analyse(image, seeds=[click], tolerance=tolerance, source=source, repeat=True)
    report.save(folder)
    shutil.rmtree(folder / "maps")  # the page computes them from the series
    _write_explanations(report, folder / "explanations.json")
    return report


def _rounded(series: DynamicSeries) -> DynamicSeries:
    """Signal in whole steps of the noise, read in tissue from the first two frames: whole numbers, a smaller file."""
    first = series.frames[..., 0]
    difference = (series.frames[..., 1] - first)[first > 0.2 * np.percentile(first, 99.0)]
    noise = 1.4826 * float(np.median(np.abs(difference - np.median(difference)))) / np.sqrt(2.0)
    frames = np.rint(series.frames / max(noise, 1e-6)).astype(np.float32)
    return DynamicSeries(frames, series.grid, series.times_s, protocol=series.protocol)


def _packed(path: Path) -> None:
    """Compress a file as far as it goes: it is written once and kept for good."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9, mtime=0))


def _write_explanations(report: Report, path: Path) -> None:
    """Store what the panels show of each explanation; class maps go beside it as NIfTI."""
    for answer in report.routes:
        target = path.with_name(f"class_map_{answer.name}.nii.gz")
        target.unlink(missing_ok=True)
        if "class_map" in answer.explanation:
            # -1 where the network sees no lesion: nearly all of the volume, and no reader takes so many NaN.
            values = np.nan_to_num(np.asarray(answer.explanation["class_map"], dtype=np.float32), nan=-1.0)
            write_map(ParametricMap(target.name.partition(".")[0], "", values, report.image.grid), target)
    if report.stability is not None:
        write_map(report.stability.agreement, path.with_name("agreement.nii.gz"))
    kinds = ("path", "contributions", "lesion_share")
    kept: dict[str, dict[str, Any]] = {
        answer.name: {kind: value for kind, value in answer.explanation.items() if kind in kinds}
        for answer in report.routes
    }
    path.write_text(json.dumps(strict_json(kept), indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Parse the options and make the example."""
    parser = argparse.ArgumentParser(description="Make the bundled example of the page.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--case", type=int, default=CASE)
    parser.add_argument("--output", type=Path, default=EXAMPLE)
    parser.add_argument("--reanalyse", action="store_true", help="keep the series and the click, write the result anew")
    arguments = parser.parse_args()
    if arguments.reanalyse:
        analyse_example(arguments.output)
    else:
        make_example(arguments.output, arguments.seed, arguments.case)


if __name__ == "__main__":
    main()
