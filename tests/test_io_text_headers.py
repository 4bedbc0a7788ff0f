"""NRRD and MetaImage headers written by hand: every branch the libraries' writers do not reach."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from spinehub.errors import InputRefusedError
from spinehub.io import describe_source, read_series
from spinehub.series import DynamicSeries

SHAPE = (4, 3, 2)
BYTES = bytes(range(24))
NRRD = {
    "type": "uchar",
    "dimension": "3",
    "sizes": "4 3 2",
    "space": "left-posterior-superior",
    "space directions": "(1,0,0) (0,2,0) (0,0,3)",
    "space origin": "(5,6,7)",
    "encoding": "raw",
}
MHA = {
    "ObjectType": "Image",
    "NDims": "3",
    "DimSize": "4 3 2",
    "ElementType": "MET_UCHAR",
    "ElementSpacing": "1 2 3",
    "Offset": "5 6 7",
    "ElementDataFile": "LOCAL",
}


def nrrd(path: Path, data: bytes = BYTES, extra: str = "", **changes: str | None) -> Path:
    fields = {**NRRD, **{key.replace("_", " "): value for key, value in changes.items()}}
    lines = [f"{key}: {value}" for key, value in fields.items() if value is not None]
    path.write_bytes(("NRRD0005\n" + "\n".join(lines) + "\n" + extra + "\n").encode() + data)
    return path


def mha(path: Path, data: bytes = BYTES, **changes: str | None) -> Path:
    fields = {**MHA, **changes}
    fields["ElementDataFile"] = fields.pop("ElementDataFile")
    lines = [f"{key} = {value}" for key, value in fields.items() if value is not None]
    path.write_bytes(("\n".join(lines) + "\n").encode() + data)
    return path


def test_plain_nrrd(tmp_path: Path) -> None:
    volume = read_series(nrrd(tmp_path / "x.nrrd"))
    np.testing.assert_array_equal(volume.voxels, np.arange(24).reshape(SHAPE, order="F"))
    np.testing.assert_array_equal(volume.grid.affine, [[-1, 0, 0, -5], [0, -2, 0, -6], [0, 0, 3, 7], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("space", "origin"),
    [
        ("left-posterior-superior", (-5, -6, 7)),
        ("LPS", (-5, -6, 7)),
        ("right-anterior-superior", (5, 6, 7)),
        ("RAS", (5, 6, 7)),
        ("left-anterior-superior", (-5, 6, 7)),
    ],
)
def test_named_spaces_equal_simpleitk(tmp_path: Path, space: str, origin: tuple[int, ...]) -> None:
    path = nrrd(tmp_path / "x.nrrd", space=space)
    grid = read_series(path).grid
    assert grid.position_of((0, 0, 0)) == origin
    point = np.asarray(sitk.ReadImage(str(path)).TransformIndexToPhysicalPoint((2, 1, 1)))
    np.testing.assert_allclose(grid.position_of((2, 1, 1)), point * (-1, -1, 1))


def test_nrrd_without_a_space_is_taken_as_simpleitk_takes_it(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "x.nrrd", space=None, space_directions=None, space_origin=None, spacings="1 2 3")
    grid = read_series(path).grid
    point = np.asarray(sitk.ReadImage(str(path)).TransformIndexToPhysicalPoint((2, 1, 1)))
    np.testing.assert_allclose(grid.position_of((2, 1, 1)), point * (-1, -1, 1))


@pytest.mark.parametrize(("frame_axis", "sizes"), [(0, "2 4 3 1"), (3, "4 3 1 2")])
def test_frames_first_or_last(tmp_path: Path, frame_axis: int, sizes: str) -> None:
    kinds, directions = ["domain"] * 3, ["(1,0,0)", "(0,2,0)", "(0,0,3)"]
    kinds.insert(frame_axis, "list")
    directions.insert(frame_axis, "none")
    path = nrrd(
        tmp_path / "x.nrrd",
        dimension="4",
        sizes=sizes,
        kinds=" ".join(kinds),
        space_directions=" ".join(directions),
    )
    series = read_series(path)
    assert isinstance(series, DynamicSeries)
    stored = np.arange(24).reshape([int(n) for n in sizes.split()], order="F")
    np.testing.assert_array_equal(series.frames, np.moveaxis(stored, frame_axis, 3))


def test_gzip_big_endian_crlf_and_trailing_newline(tmp_path: Path) -> None:
    values = (np.arange(24) * 300).astype(">i2")
    path = nrrd(tmp_path / "x.nrrd", b"", type="short", endian="big", encoding="gzip")
    header = path.read_bytes().replace(b"\n", b"\r\n")
    path.write_bytes(header + gzip.compress(values.tobytes()) + b"\n")
    np.testing.assert_array_equal(read_series(path).voxels, values.reshape(SHAPE, order="F"))


@pytest.mark.parametrize(
    ("tag", "unit", "labels", "times_s"),
    [
        ("TriggerTime", "ms", "0,5000", [0, 5]),
        ("AcquisitionTime", "s", "10,17.5", [0, 7.5]),
        ("EchoTime", "ms", "1,2", None),
        ("TriggerTime", "", "0,5000", None),
        ("TriggerTime", "ms", "0,5000,10000", None),
        ("TriggerTime", "ms", "5000,0", None),
        ("TriggerTime", "ms", "first,second", None),
    ],
)
def test_multivolume_times_need_a_time_a_unit_and_one_label_per_frame(
    tmp_path: Path, tag: str, unit: str, labels: str, times_s: list[float] | None
) -> None:
    extra = (
        f"MultiVolume.FrameIdentifyingDICOMTagName:={tag}\nMultiVolume.FrameIdentifyingDICOMTagUnits:={unit}\n"
        f"MultiVolume.FrameLabels:={labels}\nMultiVolume.DICOM.FlipAngle:=twelve\n"
    )
    path = nrrd(
        tmp_path / "x.nrrd",
        extra=extra,
        dimension="4",
        sizes="4 3 1 2",
        space_directions="(1,0,0) (0,2,0) (0,0,3) none",
    )
    series = read_series(path)
    assert isinstance(series, DynamicSeries)
    assert series.times_s is None if times_s is None else series.times_s.tolist() == times_s
    assert series.protocol.flip_angle_deg is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data file": "/etc/passwd"}, "keeps its voxels in another file, which is not opened; save"),
        ({"datafile": "LIST"}, "keeps its voxels in another file"),
        ({"line skip": "2"}, "skips lines or bytes before its voxels"),
        ({"byte skip": "-1"}, "skips lines or bytes before its voxels"),
        ({"encoding": "ascii"}, "is packed as 'ascii'; save it as raw or gzip"),
        ({"encoding": None}, "lacks the NRRD field 'encoding'"),
        ({"type": "block"}, "holds 'block' voxels"),
        ({"type": "short"}, "does not state its byte order"),
        ({"sizes": "4 3 x"}, "a header value that is not a number"),
        ({"sizes": "4 3 1.5"}, "states sizes that are not whole numbers"),
        ({"sizes": "4 3 inf"}, "states sizes that are not whole numbers"),
        ({"sizes": "4 3"}, "has 2 dimensions"),
        ({"dimension": "4"}, "has 3 dimensions"),
        ({"sizes": "4 3 4000"}, "limit of 2048"),
        ({"kinds": "RGB-color domain domain"}, "holds 'rgb-color domain domain' voxels"),
        ({"kinds": "vector domain domain"}, "is not a 3-D volume or a 4-D series of one"),
        ({"space": "scanner-xyz"}, "which does not say where left and front are; save it in left-posterior-superior"),
        ({"space directions": "(1,0,0) (0,2,0)"}, "states 2 spacedirections for 3 axes"),
        ({"space directions": "(1,0) (0,2) (0,3)"}, "space directions that are not 3-D"),
        ({"space directions": "none (0,2,0) (0,0,3)"}, "is not a 3-D volume"),
        ({"space directions": "(1,0,0) (1,0,0) (0,0,3)"}, "whose axes coincide"),
        ({"space directions": "(nan,0,0) (0,2,0) (0,0,3)"}, "orientation that is not finite"),
        ({"space directions": None}, "does not state its voxel spacing"),
        ({"space directions": None, "spacings": "1 2"}, "states 2 spacings for 3 axes"),
        ({"Type": "short"}, "states the field 'type' twice"),
    ],
)
def test_nrrd_outside_the_rules_is_refused(tmp_path: Path, changes: dict[str, str | None], sentence: str) -> None:
    with pytest.raises(InputRefusedError, match=sentence):
        read_series(nrrd(tmp_path / "x.nrrd", **changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kinds": "domain list domain domain"}, "keeps its frames on a middle axis"),
        ({"space_directions": "(1,0,0,0) (0,2,0,0) (0,0,3,0) (9,0,0,1)"}, "moves its frames in space"),
        ({"space_directions": "(1,0,0,9) (0,2,0,0) (0,0,3,0) (0,0,0,1)"}, "space directions that are not 3-D"),
        ({"space_directions": "none (0,2,0) (0,0,3) none"}, "is not a 3-D volume or a 4-D series of one"),
    ],
)
def test_four_dimensional_nrrd_outside_the_rules_is_refused(
    tmp_path: Path, changes: dict[str, str], sentence: str
) -> None:
    four = {"dimension": "4", "sizes": "4 3 1 2", "space": None, "space_directions": None, "spacings": "1 1 1 nan"}
    with pytest.raises(InputRefusedError, match=sentence):
        read_series(nrrd(tmp_path / "x.nrrd", **{**four, **changes}))


def test_cut_off_nrrd_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="is cut off: its header promises"):
        read_series(nrrd(tmp_path / "x.nrrd", BYTES[:-1]))
    path = nrrd(tmp_path / "y.nrrd", gzip.compress(BYTES)[:-12], encoding="gzip")
    with pytest.raises(InputRefusedError, match="is cut off"):
        read_series(path)


def test_plain_and_compressed_mha(tmp_path: Path) -> None:
    plain = read_series(mha(tmp_path / "x.mha"))
    np.testing.assert_array_equal(plain.voxels, np.arange(24).reshape(SHAPE, order="F"))
    assert plain.grid.position_of((1, 1, 1)) == (-6, -8, 10)
    packed = read_series(mha(tmp_path / "y.mha", zlib.compress(BYTES), CompressedData="True"))
    np.testing.assert_array_equal(packed.voxels, plain.voxels)


@pytest.mark.parametrize("field", ["ElementByteOrderMSB", "BinaryDataByteOrderMSB"])
def test_big_endian_mha(tmp_path: Path, field: str) -> None:
    values = (np.arange(24) * 300).astype(">u2")
    path = mha(tmp_path / "x.mha", values.tobytes(), ElementType="MET_USHORT", **{field: "True"})
    np.testing.assert_array_equal(read_series(path).voxels, values.reshape(SHAPE, order="F"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ElementDataFile": "../secret.raw"}, "keeps its voxels in another file, which is not opened"),
        ({"ElementDataFile": "LIST"}, "keeps its voxels in another file"),
        ({"HeaderSize": "-1"}, "keeps its voxels in another file"),
        ({"ObjectType": "Mesh"}, "is not a binary image"),
        ({"BinaryData": "False"}, "is not a binary image"),
        ({"DimSize": "4 3"}, "has 2 dimensions"),
        ({"NDims": "4"}, "has 3 dimensions"),
        ({"DimSize": "4 3 two"}, "lacks a readable MetaImage field 'DimSize'"),
        ({"DimSize": "4 3 -2"}, "every size must be at least 1"),
        ({"ElementType": "MET_STRING"}, "holds 'MET_STRING' voxels"),
        ({"ElementType": "MET_LONG"}, "holds 'MET_LONG' voxels"),
        ({"ElementSpacing": None}, "lacks a readable MetaImage field 'ElementSize'"),
        ({"ElementSpacing": "1 2"}, "states 2 numbers as ElementSpacing, expected 3"),
        ({"ElementSpacing": "0 2 3"}, "voxel spacing of"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "whose axes coincide"),
        ({"ElementNumberOfChannels": "3"}, "holds RGB colour voxels"),
        ({"ElementNumberOfChannels": ""}, "leaves the MetaImage field 'ElementNumberOfChannels' empty"),
        ({"ElementNumberOfChannels": "500"}, "limit of 200"),
        ({"ElementToIntensityFunctionSlope": "2"}, "rescales its voxels by ElementToIntensityFunctionSlope"),
        ({"Position": "0 0 0"}, "states the field 'Offset' twice"),
        (
            {"NDims": "4", "DimSize": "4 3 1 2", "ElementSpacing": "1 1 1 1", "ElementNumberOfChannels": "2"},
            "holds a 4-D series of vectors",
        ),
        (
            {
                "NDims": "4",
                "DimSize": "4 3 1 2",
                "ElementSpacing": "1 1 1 1",
                "Offset": "0 0 0 0",
                "TransformMatrix": "1 0 0 9 0 1 0 0 0 0 1 0 0 0 0 1",
            },
            "moves its frames in space",
        ),
    ],
)
def test_mha_outside_the_rules_is_refused(tmp_path: Path, changes: dict[str, str | None], sentence: str) -> None:
    with pytest.raises(InputRefusedError, match=sentence):
        read_series(mha(tmp_path / "x.mha", **changes))


def test_mha_without_its_last_field_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mha").write_text("ObjectType = Image\nNDims = 3\n")
    with pytest.raises(InputRefusedError, match="lacks the MetaImage field 'ElementDataFile'"):
        read_series(tmp_path / "x.mha")


def test_damaged_mha_is_refused(tmp_path: Path) -> None:
    path = mha(tmp_path / "x.mha", zlib.compress(BYTES)[:12], CompressedData="True")
    with pytest.raises(InputRefusedError, match="is cut off"):
        read_series(path)
    path = mha(tmp_path / "y.mha", b"no zlib stream at all", CompressedData="True")
    with pytest.raises(InputRefusedError, match="is damaged or cut off"):
        read_series(path)


def test_text_fields_are_named_not_quoted(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "x.nrrd", extra="# SMITH^JOHN\nPatient:=SMITH\n", content="knee of SMITH")
    assert describe_source(path).header_text == ("content", "comments", "key/value pairs")
    path = mha(tmp_path / "x.mha", PatientName="SMITH")
    assert describe_source(path).header_text == ("other fields",)
    assert describe_source(mha(tmp_path / "y.mha")).header_text == ()
