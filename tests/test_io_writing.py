"""What is written comes back equal, byte for byte the same each time, and carries nothing of the input's header."""

import gzip
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinehub.errors import InvalidArgumentError
from spinehub.io import describe_source, read_mask, read_series, write_map, write_mask, write_series, write_volume
from spinehub.io.writing import write_labels
from spinehub.series import DynamicSeries, ParametricMap, Protocol
from spinehub.volume import Grid, Mask, Volume

SHAPE = (5, 4, 3)
AFFINE = np.array([[0.0, 0.0, 4.5, -20.0], [-0.75, 0.0, 0.0, 31.5], [0.0, 0.75, 0.0, 7.0], [0.0, 0.0, 0.0, 1.0]])
GRID = Grid(SHAPE, AFFINE)


def series(times_s: Any = None, protocol: Protocol | None = None, frames: int = 4) -> DynamicSeries:
    signal = np.random.default_rng(1).gamma(4.0, 100.0, (*SHAPE, frames)).astype(np.float32)
    return DynamicSeries(signal, GRID, times_s, protocol=protocol or Protocol())


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nii"])
def test_volume_and_mask_come_back_equal(tmp_path: Path, name: str) -> None:
    volume = series().frame(0)
    write_volume(volume, tmp_path / name)
    back = read_series(tmp_path / name)
    assert isinstance(back, Volume)
    np.testing.assert_array_equal(back.voxels, volume.voxels)
    np.testing.assert_array_equal(back.grid.affine, AFFINE)
    mask = Mask(volume.voxels > 400, GRID)
    write_mask(mask, tmp_path / f"mask_{name}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"mask_{name}", GRID).voxels, mask.voxels)
    assert nib.load(tmp_path / f"mask_{name}").get_data_dtype() == np.uint8


def test_map_keeps_what_is_not_valid(tmp_path: Path) -> None:
    values = series().frames[..., 0].copy()
    values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
    write_map(ParametricMap("washout", "%", values, GRID), tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "map.nii.gz").dataobj), values)


@pytest.mark.parametrize("times_s", [None, [0, 6, 12, 18], [0, 407, 814, 1221], [0, 6, 14, 30.5]])
@pytest.mark.parametrize("protocol", [Protocol(), Protocol(0.0045, 0.0017, 12.0, 1.5)])
def test_series_comes_back_with_times_and_protocol(
    tmp_path: Path, times_s: list[float] | None, protocol: Protocol
) -> None:
    written = series(times_s, protocol)
    write_series(written, tmp_path / "x.nii.gz")
    back = read_series(tmp_path / "x.nii.gz")
    assert isinstance(back, DynamicSeries)
    np.testing.assert_array_equal(back.frames, written.frames)
    assert back.protocol == protocol
    if times_s is None:
        assert back.times_s is None
    else:
        np.testing.assert_array_equal(back.times_s, times_s)
    assert (tmp_path / "x.json").exists() == (times_s is not None or protocol != Protocol())


def test_header_states_a_regular_interval_only(tmp_path: Path) -> None:
    write_series(series([0, 6, 12, 18]), tmp_path / "x.nii.gz")
    header = nib.load(tmp_path / "x.nii.gz").header
    assert header.get_xyzt_units() == ("mm", "sec")
    assert header.get_zooms()[3] == 6.0
    write_series(series([0, 6, 12, 19]), tmp_path / "y.nii.gz")
    assert nib.load(tmp_path / "y.nii.gz").header.get_xyzt_units() == ("mm", "unknown")
    sidecar = json.loads((tmp_path / "y.json").read_text())
    assert sidecar == {"VolumeTiming": [0, 6, 12, 19]}


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-3, 1e6), offset=st.floats(-1.0, 1.0), seed=st.integers(0, 99))
def test_int16_series_is_right_to_half_a_step(
    tmp_path_factory: pytest.TempPathFactory, scale: float, offset: float, seed: int
) -> None:
    signal = np.random.default_rng(seed).random((*SHAPE, 2)) + offset
    frames = (scale * signal).astype(np.float32)
    path = tmp_path_factory.mktemp("int16") / "x.nii.gz"
    write_series(DynamicSeries(frames, GRID), path, dtype="int16")
    back = read_series(path)
    assert isinstance(back, DynamicSeries)
    # Half of one of 32767 steps, and the rounding of float32.
    assert np.abs(back.frames - frames).max() <= np.abs(frames).max() * (0.5 / 32767 + 1e-6)
    assert nib.load(path).get_data_dtype() == np.int16


def test_int16_of_zeros_and_of_what_is_not_finite(tmp_path: Path) -> None:
    write_series(DynamicSeries(np.zeros((*SHAPE, 2)), GRID), tmp_path / "x.nii", dtype="int16")
    assert not np.asarray(nib.load(tmp_path / "x.nii").dataobj).any()
    broken = np.ones((*SHAPE, 2), dtype=np.float32)
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(InvalidArgumentError, match='frames must be finite to be written as "int16"'):
        write_series(DynamicSeries(broken, GRID), tmp_path / "y.nii", dtype="int16")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.nii"]


def test_same_data_give_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    contents = []
    for name in ("a.nii.gz", "another_name.nii.gz"):
        write_series(series([0, 6, 12, 18]), tmp_path / name, dtype="int16")
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0][4:8] == bytes(4)  # no time of writing
    assert not contents[0][3] & 0b1000  # no file name


def test_nothing_of_the_input_header_is_carried_over(tmp_path: Path) -> None:
    image = nib.Nifti1Image(series().frames, AFFINE)
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        image.header[field] = b"SMITH^JOHN"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"SMITH^JOHN"))
    nib.save(image, tmp_path / "SMITH.nii.gz")
    read = read_series(tmp_path / "SMITH.nii.gz")
    assert isinstance(read, DynamicSeries)
    write_series(read, tmp_path / "series.nii.gz")
    write_volume(read.frame(0), tmp_path / "volume.nii.gz")
    write_mask(Mask(read.frames[..., 0] > 400, read.grid), tmp_path / "mask.nii.gz")
    for name in ("series", "volume", "mask"):
        content = gzip.decompress((tmp_path / f"{name}.nii.gz").read_bytes())
        assert b"SMITH" not in content
        assert describe_source(tmp_path / f"{name}.nii.gz").header_text == ()


def test_written_headers_are_sound_to_nibabel(tmp_path: Path) -> None:
    write_volume(series().frame(1), tmp_path / "x.nii")
    header = nib.load(tmp_path / "x.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(header.get_qform(), AFFINE, atol=1e-5)
    assert nib.Nifti1Header.diagnose_binaryblock(header.binaryblock) == ""


def test_labels_keep_their_numbers(tmp_path: Path) -> None:
    labels = np.arange(60, dtype=np.uint8).reshape(SHAPE)
    write_labels(labels, GRID, tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "labels.nii.gz").dataobj), labels)


def test_path_must_be_nifti_in_a_folder_that_exists(tmp_path: Path) -> None:
    mask = Mask(np.ones(SHAPE, dtype=bool), GRID)
    with pytest.raises(InvalidArgumentError, match=r"path must end in \.nii\.gz or \.nii, got mask\.nrrd"):
        write_mask(mask, tmp_path / "mask.nrrd")
    with pytest.raises(
        InvalidArgumentError, match=r"path must lie in a folder that exists; create the folder of m\.nii"
    ):
        write_mask(mask, tmp_path / "absent" / "m.nii")


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = Mask(np.ones(SHAPE, dtype=bool), GRID)
    write_mask(mask, tmp_path / "m.nii.gz")
    before = (tmp_path / "m.nii.gz").read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gzip.GzipFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_mask(Mask(~mask.voxels | (np.indices(SHAPE).sum(0) > 2), GRID), tmp_path / "m.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["m.nii.gz"]
    assert (tmp_path / "m.nii.gz").read_bytes() == before
