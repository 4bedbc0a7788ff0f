"""Fixtures every test may use. Tests that need real files skip with a reason where those are absent."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
REAL_DATA = Path(os.environ.get("SPINEHUB_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real, openly licensed files; set SPINEHUB_TEST_DATA to point elsewhere."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"needs the folder of real files, looked for {REAL_DATA.name!r}; set SPINEHUB_TEST_DATA")
    return REAL_DATA


@pytest.fixture(scope="session")
def breast_series_path(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4-D NIfTI of a real three-phase DCE-MRI (TCIA Breast-MRI-NACT-Pilot, UCSF-BR-06): six sagittal slices."""
    import nibabel as nib
    import SimpleITK as sitk

    def slices(phase: str) -> list[sitk.Image]:
        files = (shared_data / "b_dce" / "breast_UCSF06" / phase).glob("*.dcm")
        return sorted((sitk.ReadImage(str(file)) for file in files), key=lambda image: image.GetOrigin()[0])

    stack = slices("t0")
    direction = np.asarray(stack[0].GetDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, 0] = direction[:, 0] * stack[0].GetSpacing()[0]
    affine[:3, 1] = direction[:, 1] * stack[0].GetSpacing()[1]
    affine[:3, 2] = np.subtract(stack[1].GetOrigin(), stack[0].GetOrigin())
    affine[:3, 3] = stack[0].GetOrigin()
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    phases = [[sitk.GetArrayFromImage(image)[0].T for image in slices(name)] for name in ("t0", "t1", "t2")]
    frames = np.asarray(phases, dtype=np.float32).transpose(2, 3, 1, 0)
    path = tmp_path_factory.mktemp("breast") / "breast.nii.gz"
    nib.save(nib.Nifti1Image(frames, lps_to_ras @ affine), path)
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20231)


@pytest.fixture(scope="session")
def page_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which the page of the tests keeps every visitor's files."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="session")
def page_address(page_cache: Path) -> Iterator[str]:
    """Address of a page that serves, the same for all tests."""
    yield from serve(page_cache)


def serve(cache: Path) -> Iterator[str]:
    """Start ``python app.py``, give its address, and stop it; its files must then be gone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(cache)}
    log = cache / "log.txt"
    with (
        log.open("w") as stream,
        subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=stream, stderr=stream) as server,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/", server, log)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
    assert not list(cache.glob("spinehub-*")), "files must go when the server stops"


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(720):
        assert server.poll() is None, log.read_text()
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url):
            return
        time.sleep(0.25)
    raise AssertionError(f"the server did not answer within three minutes: {log.read_text()}")
