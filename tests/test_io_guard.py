"""What must be refused is refused before it costs anything; what is merely odd is read."""

import gzip
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spinehub.errors import GridMismatchError, InputRefusedError, InvalidArgumentError
from spinehub.io import describe_source, read_mask, read_series
from spinehub.series import DynamicSeries
from spinehub.volume import Grid, Volume

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def voxels(shape: tuple[int, ...] = (4, 3, 2)) -> np.ndarray:
    return np.arange(1, np.prod(shape) + 1, dtype=np.int16).reshape(shape)


def save(path: Path, data: np.ndarray | None = None, affine: np.ndarray = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(voxels() if data is None else data, affine), path)
    return path


def header_bytes(shape: tuple[int, ...], **fields: float) -> bytes:
    """NIfTI-1 header of uint8 voxels with chosen fields overwritten, 352 bytes."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_sform(AFFINE, 1)
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["vox_offset"] = 352
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(4)


def test_missing_empty_and_wrong_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "note.nii").write_text("not an image at all " * 40)
    (tmp_path / "short.nii").write_bytes(header_bytes((4, 3, 2))[:200])
    (tmp_path / "bad.nii.gz").write_bytes(b"\x1f\x8b\x08" + bytes(300))
    for name, sentence in {
        "absent.nii.gz": "absent.nii.gz does not exist; check the file name",
        "empty.nii.gz": r"empty.nii.gz is empty \(0 bytes\); copy or export it again",
        "note.nii": "note.nii is not a NIfTI, NRRD or MHA file; convert it to NIfTI first",
        "short.nii": "short.nii is cut off inside its header",
        "bad.nii.gz": "bad.nii.gz is damaged or cut off: its compressed data cannot be unpacked",
    }.items():
        with pytest.raises(InputRefusedError, match=sentence) as refusal:
            read_series(tmp_path / name)
        assert str(tmp_path) not in str(refusal.value)


def test_folder_and_special_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputRefusedError, match="is a folder; give the image file itself, and convert a folder of DICOM"
    ):
        read_series(tmp_path)
    os.mkfifo(tmp_path / "pipe.nii")
    with pytest.raises(InputRefusedError, match=r"pipe.nii is not a regular file"):
        read_series(tmp_path / "pipe.nii")


def test_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "x.nii")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InputRefusedError, match=r"x.nii cannot be read \(Permission denied\); check its permissions"):
        read_series(tmp_path / "x.nii")


def test_no_path_is_a_wrong_argument() -> None:
    with pytest.raises(InvalidArgumentError, match="paths must name at least one file"):
        read_series()


@pytest.mark.parametrize(
    ("shape", "fields", "sentence"),
    [
        ((3, 3), {}, r"is a 2-D image of size \(3, 3\); give the whole 3-D volume"),
        ((3, 3, 3, 2, 2), {}, "has 5 dimensions"),
        ((3, 3, 3, 1, 5), {}, "has 5 dimensions"),
        ((4000, 3, 3), {}, "states 4000 voxels along one axis, more than the limit of 2048; crop it first"),
        ((3, 3, 3, 201), {}, "states 201 frames, more than the limit of 200; keep the dynamic part only"),
        ((2048, 2048, 100), {}, r"states 419 million voxels .* more than the limit of 200 million \(800 MB\); crop it"),
        ((3, 0, 3), {}, "every size must be at least 1"),
        ((3, -3, 3), {}, "every size must be at least 1"),
        ((3, 3, 3), {"vox_offset": 2**21}, "starts? at byte 2.09715e.06, outside 352 to 1048576"),
        ((3, 3, 3), {"vox_offset": 300}, "start at byte 300, outside 352"),
        ((3, 3, 3), {"vox_offset": np.nan}, "start at byte nan"),
        ((3, 3, 3), {"datatype": 9999}, "states voxel type 9999, which NIfTI does not define"),
        ((3, 3, 3), {"datatype": 1536, "bitpix": 128}, "holds 128-bit float voxels"),
        ((3, 3, 3), {"bitpix": 32}, "states 32 bits per voxel, and its voxel type has 8"),
        ((3, 3, 3), {"srow_x": np.nan}, "states an orientation that is not finite"),
        ((3, 3, 3), {"srow_x": 0}, "states a voxel spacing|whose axes coincide"),
        ((3, 3, 3), {"srow_x": 1e-6, "srow_y": 1e-6, "srow_z": 1e-6}, "voxel spacing of .* outside 0.01 to 100 mm"),
        ((3, 3, 3), {"scl_slope": 1, "scl_inter": np.inf}, "intensity offset that is not finite"),
        ((3, 3, 3), {"magic": b""}, "is an Analyze 7.5 file, which does not say where left and right are"),
        ((3, 3, 3), {"magic": b"ni1"}, "says it is one of a pair, and its name says otherwise"),
        ((3, 3, 3), {"sform_code": 0, "qform_code": 1, "quatern_b": 5}, "orientation that cannot be read"),
    ],
)
def test_header_outside_the_rules_is_refused(
    tmp_path: Path, shape: tuple[int, ...], fields: dict[str, float], sentence: str
) -> None:
    (tmp_path / "x.nii").write_bytes(header_bytes(shape, **fields) + bytes(range(1, 200)))
    with pytest.raises(InputRefusedError, match=sentence):
        read_series(tmp_path / "x.nii")


def test_dimension_count_outside_nifti_is_refused(tmp_path: Path) -> None:
    block = bytearray(header_bytes((3, 3, 3)))
    struct.pack_into("<h", block, 40, 9)
    (tmp_path / "x.nii").write_bytes(bytes(block))
    with pytest.raises(InputRefusedError, match="states 9 dimensions, which is not NIfTI"):
        read_series(tmp_path / "x.nii")


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _checksum_broken(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("x.nii", _truncated, "is cut off: its header promises 4.8e-05 MB of voxels and fewer are there"),
        ("x.nii.gz", _truncated, "x.nii.gz is cut off"),
        ("x.nii.gz", _checksum_broken, "is damaged or cut off: its compressed data cannot be unpacked"),
    ],
)
def test_spoilt_file_is_refused(tmp_path: Path, name: str, spoil: Callable[[Path], None], sentence: str) -> None:
    spoil(save(tmp_path / name))
    with pytest.raises(InputRefusedError, match=sentence):
        read_series(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (np.full((4, 3, 2), 7.0), r"is constant \(every voxel is 7\), so it shows nothing"),
        (np.full((4, 3, 2, 3), 7.0), "is constant"),
        (np.full((4, 3, 2), np.nan), "holds no numbers, only NaN or infinite values"),
        (
            np.where(voxels() > 9, np.nan, voxels()),
            "is NaN or infinite in 62 % of its voxels, more than the limit of 50 %",
        ),
        (np.stack([voxels(), np.full((4, 3, 2), np.inf)], axis=-1), "holds no numbers in frame 1"),
        (
            np.where(np.eye(2, dtype=bool)[None, None], np.nan, voxels((4, 3, 2, 2))),
            "has no voxel with a number in every",
        ),
    ],
)
def test_image_without_content_is_refused(tmp_path: Path, data: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputRefusedError, match=sentence):
        read_series(save(tmp_path / "x.nii.gz", data))


def test_voxel_with_a_hole_in_any_frame_becomes_zero_in_all(tmp_path: Path) -> None:
    data = voxels((4, 3, 2, 3)).astype(np.float32)
    data[1, 2, 0, 1] = np.nan
    data[3, 0, 1, 2] = -np.inf
    series = read_series(save(tmp_path / "x.nii", data))
    assert isinstance(series, DynamicSeries)
    expected = data.copy()
    expected[1, 2, 0] = expected[3, 0, 1] = 0.0
    np.testing.assert_array_equal(series.frames, expected)


def test_doubles_beyond_float32_count_as_infinite(tmp_path: Path) -> None:
    data = voxels().astype(np.float64)
    data[0, 0, 0] = 1e300
    assert read_series(save(tmp_path / "x.nii", data)).voxels[0, 0, 0] == 0.0


@pytest.mark.parametrize("code", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_real_type_and_byte_order_is_read(tmp_path: Path, code: str, order: str) -> None:
    data = voxels().astype(np.dtype(code).newbyteorder(order))
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(data.dtype)
    nib.save(nib.Nifti1Image(data, AFFINE, header), tmp_path / "x.nii.gz")
    np.testing.assert_array_equal(read_series(tmp_path / "x.nii.gz").voxels, voxels())


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_scaled_integers_equal_nibabel(tmp_path: Path, kind: type) -> None:
    data = np.random.default_rng(0).normal(3.0, 50.0, (6, 5, 4, 3))
    image = kind(data, AFFINE)
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "x.nii.gz")
    reference = np.asarray(nib.load(tmp_path / "x.nii.gz").dataobj).astype(np.float32)
    np.testing.assert_array_equal(read_series(tmp_path / "x.nii.gz").frames, reference)


@pytest.mark.parametrize("shape", [(4, 3, 2, 1), (4, 3, 2, 1, 1), (4, 3, 1)])
def test_axes_of_size_one(tmp_path: Path, shape: tuple[int, ...]) -> None:
    volume = read_series(save(tmp_path / "x.nii", voxels(shape)))
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume.voxels, voxels(shape).reshape(shape[:3]))


def test_content_decides_the_format_not_the_name(tmp_path: Path) -> None:
    save(tmp_path / "x.nii.gz")
    (tmp_path / "renamed.nii").write_bytes((tmp_path / "x.nii.gz").read_bytes())
    np.testing.assert_array_equal(read_series(tmp_path / "renamed.nii").voxels, voxels())


def test_several_members_and_trailing_bytes_of_gzip(tmp_path: Path) -> None:
    content = header_bytes((4, 3, 2)) + bytes(range(24))
    members = b"".join(gzip.compress(content[start : start + 50]) for start in range(0, len(content), 50))
    (tmp_path / "x.nii.gz").write_bytes(members + b"\n trailing")
    assert read_series(tmp_path / "x.nii.gz").voxels[3, 2, 1] == 23


def test_pairs_may_be_gzipped_and_given_by_either_half(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(voxels(), AFFINE), tmp_path / "x.img")
    (tmp_path / "y.hdr.gz").write_bytes(gzip.compress((tmp_path / "x.hdr").read_bytes()))
    (tmp_path / "y.img").write_bytes((tmp_path / "x.img").read_bytes())
    for name in ("x.hdr", "x.img", "y.hdr.gz", "y.img"):
        np.testing.assert_array_equal(read_series(tmp_path / name).voxels, voxels())
    np.testing.assert_array_equal(read_series(tmp_path / "x.hdr", tmp_path / "x.img").voxels, voxels())
    (tmp_path / "apart").mkdir()
    moved = (tmp_path / "x.img").rename(tmp_path / "apart" / "x.img")
    np.testing.assert_array_equal(read_series(moved, tmp_path / "x.hdr").voxels, voxels())
    with pytest.raises(InputRefusedError, match=r"x.hdr is one half of a pair; put x.img beside it"):
        read_series(tmp_path / "x.hdr")
    (tmp_path / "x.img").write_bytes(b"")
    with pytest.raises(InputRefusedError, match=r"x.img is empty"):
        read_series(tmp_path / "x.hdr")


def test_several_volumes_become_frames_in_the_order_given(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"p{index}.nii.gz", voxels() + 10 * index) for index in (2, 0, 1)]
    series = read_series(*paths)
    assert isinstance(series, DynamicSeries)
    assert series.frames[0, 0, 0].tolist() == [21, 1, 11]
    assert series.times_s is None
    assert series.name == "p2.nii.gz"


def test_frames_on_different_grids_are_named(tmp_path: Path) -> None:
    shifted = AFFINE.copy()
    shifted[0, 3] = 5.0
    first, other = save(tmp_path / "pre.nii"), save(tmp_path / "post.nii", affine=shifted)
    with pytest.raises(GridMismatchError, match=r"^post.nii does not lie on the grid of pre.nii.*resample"):
        read_series(first, other)
    with pytest.raises(GridMismatchError, match=r"^large.nii does not lie on the grid of pre.nii: shape \(4, 3, 3\)"):
        read_series(first, save(tmp_path / "large.nii", voxels((4, 3, 3))))
    with pytest.raises(InputRefusedError, match=r"^four.nii is a series of 2 frames; give one 4-D file alone"):
        read_series(first, save(tmp_path / "four.nii", voxels((4, 3, 2, 2))))


def test_mask_must_be_one_volume_on_the_grid(tmp_path: Path) -> None:
    grid = Grid((4, 3, 2), AFFINE)
    labels = np.where(voxels() > 20, np.nan, voxels() % 3)
    mask = read_mask(save(tmp_path / "mask.nii", labels), grid)
    np.testing.assert_array_equal(mask.voxels, np.isfinite(labels) & (labels != 0))
    with pytest.raises(InputRefusedError, match=r"series.nii has 2 frames, and a mask must be one 3-D volume"):
        read_mask(save(tmp_path / "series.nii", voxels((4, 3, 2, 2))))
    with pytest.raises(GridMismatchError, match=r"mask large.nii must lie on the grid of the image"):
        read_mask(save(tmp_path / "large.nii", voxels((4, 3, 3))), grid)


def test_source_lists_names_hashes_and_fields_but_no_text(tmp_path: Path) -> None:
    import hashlib

    image = nib.Nifti1Image(voxels(), AFFINE)
    image.header["descrip"] = b"SMITH^JOHN"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"born 1950"))
    nib.save(image, tmp_path / "x.nii.gz")
    nib.save(nib.Nifti1Pair(voxels(), AFFINE), tmp_path / "y.img")
    source = describe_source(tmp_path / "x.nii.gz", tmp_path / "y.hdr")
    assert source.names == ("x.nii.gz", "y.hdr", "y.img")
    assert source.sha256[0] == hashlib.sha256((tmp_path / "x.nii.gz").read_bytes()).hexdigest()
    assert source.header_text == ("descrip", "extensions")
    assert "SMITH" not in repr(source)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")
def test_bombs_are_refused_or_harmless_in_bounded_memory_without_torch(tmp_path: Path) -> None:
    megabyte = gzip.compress(bytes(2**20))
    extension = struct.pack("<ii", 400 * 2**20, 6)
    text = "NRRD0004\ntype: uchar\ndimension: 3\nspacings: 1 1 1\nencoding: gzip\nsizes: "
    files = {
        "dims.nii.gz": gzip.compress(header_bytes((32767, 32767, 100, 10))),
        "offset.nii.gz": gzip.compress(header_bytes((4, 3, 2), vox_offset=400 * 2**20)) + 400 * megabyte,
        "extension.nii.gz": gzip.compress(header_bytes((4, 3, 2))[:348] + b"\1\0\0\0" + extension) + 400 * megabyte,
        "tail.nii.gz": gzip.compress(header_bytes((4, 3, 2)) + bytes(range(24))) + 400 * megabyte,
        "zeros.nii.gz": gzip.compress(header_bytes((2048, 2048, 47))) + 200 * megabyte,
        "mask.nii.gz": gzip.compress(header_bytes((2048, 2048, 47))) + 200 * megabyte,
        "zeros.nrrd": f"{text}2048 2048 47\n\n".encode() + 200 * megabyte,
        "dims.nrrd": f"{text}32767 32767 1000\n\n".encode() + megabyte,
        "header.nrrd": f"{text}4 3 2\n".encode() + b"# filler\n" * 100_000,
        "zeros.mha": b"NDims = 3\nDimSize = 2048 2048 47\nElementType = MET_UCHAR\nElementSpacing = 1 1 1\n"
        b"CompressedData = True\nElementDataFile = LOCAL\n" + zlib.compress(bytes(200 * 2**20), 1),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    script = """
        import re, sys
        from pathlib import Path
        from spinehub.errors import InputRefusedError
        from spinehub.io import read_mask, read_series
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try:
                image = (read_mask if path.name.startswith("mask") else read_series)(path)
                print(path.name, "read", image.voxels.shape)
            except InputRefusedError as error:
                print(error)
        print("torch" in sys.modules)
        print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    *lines, torch, peak_kb = finished.stdout.splitlines()
    answers = {line.split()[0]: line for line in lines}
    assert answers.keys() == files.keys()
    assert "read (4, 3, 2)" in answers["tail.nii.gz"]
    # The huge extension lies where the header says the voxels are: the promised 24 bytes are read, no more.
    assert "read (4, 3, 2)" in answers["extension.nii.gz"]
    assert "limit of 2048" in answers["dims.nii.gz"]
    assert "limit of 2048" in answers["dims.nrrd"]
    assert "outside 352 to 1048576" in answers["offset.nii.gz"]
    assert "header of more than 262144 bytes" in answers["header.nrrd"]
    assert "empty mask" in answers["mask.nii.gz"]
    for name in ("zeros.nii.gz", "zeros.nrrd", "zeros.mha"):
        assert "is constant (every voxel is 0)" in answers[name]
    assert torch == "False"
    assert int(peak_kb) < 300 * 1024
    assert finished.stderr == ""
