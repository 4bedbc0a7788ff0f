"""Typed endpoints for programs: /analyse, /grow and /maps, with the code that calls them.

What a caller uploads is removed as soon as it is read; results lie in a folder of their own and go by age.
"""

import functools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

from spinehub.demo.handlers import Handlers
from spinehub.demo.markup import sentence
from spinehub.demo.viewer import FileDrop
from spinehub.errors import InvalidArgumentError, SpineHubError
from spinehub.growing import grow
from spinehub.io import Source, describe_source, read_series, write_map, write_mask
from spinehub.perfusion import compute_maps
from spinehub.series import DynamicSeries
from spinehub.volume import Seed, Volume

__all__ = ["CURL_SNIPPET", "PYTHON_SNIPPET", "Endpoints", "add_endpoints"]

Image: TypeAlias = DynamicSeries | Volume
_MOST_SEEDS = 64

PYTHON_SNIPPET = """\
from gradio_client import Client, handle_file

client = Client("http://127.0.0.1:7860/")
files = [handle_file("series.nii.gz"), handle_file("series.json")]
report, mask = client.predict(files=files, seeds=[[76, 62, 3]], api_name="/analyse")
print(report["parameters"]["early_enhancement"], mask)
"""
CURL_SNIPPET = """\
URL=http://127.0.0.1:7860/gradio_api
FILE=$(curl -s -F files=@series.nii.gz $URL/upload | python3 -c 'import json, sys; print(json.load(sys.stdin)[0])')
DATA='{"data": [[{"path": "'$FILE'", "meta": {"_type": "gradio.FileData"}}], [[76, 62, 3]], null, null, 60, null]}'
ID=$(curl -s $URL/call/grow -H "Content-Type: application/json" -d "$DATA" | cut -d '"' -f 4)
curl -s -N $URL/call/grow/$ID
"""


@dataclass(frozen=True)
class Endpoints:
    """The three functions, on the folders and the analysis of one page."""

    handlers: Handlers

    def analyse(
        self,
        files: Sequence[str],
        seeds: Any,
        background_seeds: Any = None,
        tolerance: float | None = None,
        reach_mm: float = 60.0,
        frame_interval_s: float | None = None,
    ) -> tuple[dict[str, Any], str | None]:
        """Measure a lesion and ask the four routes; return report.json and the mask.

        `seeds` and `background_seeds` are lists of voxels [i, j, k]; without a tolerance the suggested one is taken.
        """
        folder, image, source = self._read(files, frame_interval_s)
        placed = _seeds(seeds, background_seeds, image)
        options = {"tolerance": "auto" if tolerance is None else float(tolerance), "reach_mm": float(reach_mm)}
        report = self.handlers.run(image, seeds=placed, source=source, **options)
        report.save(folder / "output")
        mask = folder / "output" / "mask.nii.gz"
        return report.to_dict(), str(mask) if mask.exists() else None

    def grow(
        self,
        files: Sequence[str],
        seeds: Any,
        background_seeds: Any = None,
        tolerance: float | None = None,
        reach_mm: float = 60.0,
        frame_interval_s: float | None = None,
    ) -> tuple[dict[str, Any], str]:
        """Grow a region; return tolerance, leak and volume, and the mask."""
        folder, image, _ = self._read(files, frame_interval_s)
        growth = grow(image, _seeds(seeds, background_seeds, image), reach_mm=float(reach_mm))
        used = growth.suggested_tolerance if tolerance is None else float(tolerance)
        mask = growth.mask(used)
        write_mask(mask, folder / "mask.nii.gz")
        told = {
            "tolerance": used,
            "suggested_tolerance": growth.suggested_tolerance,
            "leak_tolerance": growth.leak_tolerance,
            "voxels": mask.count,
            "volume_ml": mask.volume_ml,
        }
        return told, str(folder / "mask.nii.gz")

    def maps(self, files: Sequence[str], frame_interval_s: float | None = None) -> tuple[dict[str, str], list[str]]:
        """Compute every parametric map there can be; return the unit of each, and the files in the same order."""
        folder, image, _ = self._read(files, frame_interval_s)
        if isinstance(image, Volume):
            raise InvalidArgumentError("files must be a series of two or more frames: one volume has no maps")
        maps = compute_maps(image)
        paths = [folder / f"{name}.nii.gz" for name in maps]
        for parametric_map, path in zip(maps.values(), paths, strict=True):
            write_map(parametric_map, path)
        return {name: parametric_map.unit for name, parametric_map in maps.items()}, [str(path) for path in paths]

    def _read(self, files: Sequence[str], frame_interval_s: float | None) -> tuple[Path, Image, Source]:
        """Read the uploaded files and remove them."""
        if not files:
            raise InvalidArgumentError("files must name at least one uploaded image; upload it first")
        workspace = self.handlers.workspace
        token = workspace.enter(None)
        try:
            taken = workspace.take(token, files)
            images = [path for path in taken if not path.lower().endswith(".json")]
            image = read_series(*images, frame_interval_s=frame_interval_s)
            source = describe_source(*images)
        except SpineHubError:
            workspace.clear(token)
            raise
        shutil.rmtree(workspace.folder(token) / "input", ignore_errors=True)
        return workspace.folder(token), image, source


def _seeds(seeds: Any, background: Any, image: Image) -> list[Seed]:
    placed = []
    for given, is_background in ((seeds, False), (background or [], True)):
        well_formed = isinstance(given, list) and all(
            isinstance(one, list) and len(one) == 3 and all(isinstance(value, int) for value in one) for one in given
        )
        if not well_formed or len(given) > _MOST_SEEDS:
            raise InvalidArgumentError(f"seeds must be a list of at most {_MOST_SEEDS} voxels such as [[76, 62, 3]]")
        placed += [Seed.at_index((one[0], one[1], one[2]), image.grid, background=is_background) for one in given]
    return placed


def _said(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a refusal into one sentence for the caller."""

    @functools.wraps(function)  # names, defaults and docstring are the endpoint's description
    def answer(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except SpineHubError as error:
            raise gr.Error(sentence(error)) from None

    return answer


def add_endpoints(handlers: Handlers) -> None:
    """Add the three endpoints to the page that is being built; nothing of them is seen on it."""
    endpoints = Endpoints(handlers)
    with gr.Row(visible=False):
        files = FileDrop(file_count="multiple", label="files")
        seeds, background = gr.JSON(label="seeds"), gr.JSON(label="background_seeds", value=None)
        tolerance, reach = gr.Number(None, label="tolerance"), gr.Number(60, label="reach_mm")
        interval = gr.Number(None, label="frame_interval_s")
        told, mask, maps = gr.JSON(), gr.File(), gr.File(file_count="multiple")
        trigger = gr.Button()
    region = [files, seeds, background, tolerance, reach, interval]
    for name, inputs, outputs, where in (
        ("analyse", region, [told, mask], "model"),
        ("grow", region, [told, mask], "grow"),
        ("maps", [files, interval], [told, maps], "grow"),
    ):
        function = _said(getattr(endpoints, name))
        trigger.click(function, inputs, outputs, api_name=name, api_visibility="public", concurrency_id=where)
