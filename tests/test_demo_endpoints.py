"""The code on the page is run as it stands, against a page that serves."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinehub.demo.cases import CaseStore
from spinehub.demo.endpoints import CURL_SNIPPET, PYTHON_SNIPPET, Endpoints
from spinehub.demo.handlers import Handlers
from spinehub.demo.session import Workspace
from spinehub.errors import InvalidArgumentError
from spinehub.growing import grow
from spinehub.io import read_mask, read_series, write_series
from spinehub.pipeline import analyse
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Seed

SEED = (76, 62, 3)


def without_models(image: Any, **options: Any) -> Any:
    return analyse(image, **options, models={})


@pytest.fixture(scope="module")
def series_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thin series that holds the voxel the code on the page names, with a ball around it that takes up contrast."""
    grid = Grid((96, 80, 12), np.diag([1.5, 1.5, 4.0, 1.0]))
    place = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1) - SEED
    ball = ((place * (1.5, 1.5, 4.0)) ** 2).sum(axis=-1) < 9.0**2
    uptake = np.array([0.0, 0.0, 0.8, 1.2, 1.3, 1.2, 1.1])
    noise = np.random.default_rng(1).normal(0, 2, (*grid.shape, uptake.size))
    frames = 100 + 20 * uptake + 100 * ball[..., None] * uptake + noise
    folder = tmp_path_factory.mktemp("series")
    write_series(DynamicSeries(frames, grid, 45.0 * np.arange(7)), folder / "series.nii.gz", dtype="int16")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "root")


def run(command: list[str], address: str, folder: Path) -> str:
    environment = os.environ | {"no_proxy": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [part.replace("http://127.0.0.1:7860/", address) for part in command]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_code_runs_as_it_stands(page_address: str, series_folder: Path, page_cache: Path) -> None:
    printed = run([sys.executable, "-c", PYTHON_SNIPPET], page_address, series_folder).split()
    assert "{'value':" in printed
    image = read_series(series_folder / "series.nii.gz")
    growth = grow(image, [Seed.at_index(SEED, image.grid)])
    expected = growth.mask(growth.suggested_tolerance)
    assert np.array_equal(read_mask(printed[-1], image.grid).voxels, expected.voxels)
    assert not list(page_cache.glob("spinehub-*/*/input/*")), "what was uploaded must be gone"


def test_the_curl_code_runs_as_it_stands(page_address: str, series_folder: Path) -> None:
    answer = run(["bash", "-ec", CURL_SNIPPET], page_address, series_folder)
    assert "event: complete" in answer
    assert '"voxels"' in answer


def test_maps_come_with_their_units(series_folder: Path, workspace: Workspace, tmp_path: Path) -> None:
    copy = tmp_path / "series.nii.gz"
    copy.write_bytes((series_folder / "series.nii.gz").read_bytes())
    units, paths = Endpoints(Handlers(workspace, CaseStore(), without_models)).maps([str(copy)], 45.0)
    assert [Path(path).name for path in paths] == [f"{name}.nii.gz" for name in units]
    assert units["peak_enhancement"] == "%"
    assert not copy.exists()


@pytest.mark.parametrize("seeds", [None, "x", [[1, 2]], [[1, 2, 0.5]], [[0, 0, 0]] * 65, {"a": 1}])
def test_what_is_no_list_of_voxels_is_refused(
    seeds: Any, series_folder: Path, workspace: Workspace, tmp_path: Path
) -> None:
    copy = tmp_path / "series.nii.gz"
    copy.write_bytes((series_folder / "series.nii.gz").read_bytes())
    with pytest.raises(InvalidArgumentError, match="list of at most"):
        Endpoints(Handlers(workspace, CaseStore(), without_models)).grow([str(copy)], seeds)


def test_addresses_are_not_fetched(page_address: str) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    file = {"path": "http://127.0.0.1:1/x.nii.gz", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError):
        Client(page_address, verbose=False).predict(files=[file], api_name="/maps")
