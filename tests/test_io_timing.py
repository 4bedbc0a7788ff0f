"""Times come from the arguments, the sidecar or the header, in this order, and only when they are credible."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.io import read_series
from spinehub.series import DynamicSeries, Protocol
from spinehub.volume import Volume

FRAMES = 4


def series_file(folder: Path, *, interval: float = 0.0, unit: str = "unknown", frames: int = FRAMES) -> Path:
    data = np.arange(24 * frames, dtype=np.float32).reshape(4, 3, 2, frames)
    image = nib.Nifti1Image(data, np.eye(4))
    image.header["pixdim"][4] = interval
    image.header.set_xyzt_units("mm", unit)
    path = folder / "x.nii.gz"
    nib.save(image, path)
    return path


def times_of(path: Path, **arguments: Any) -> list[float] | None:
    series = read_series(path, **arguments)
    assert isinstance(series, DynamicSeries)
    return None if series.times_s is None else series.times_s.tolist()


@pytest.mark.parametrize(
    ("interval", "unit", "expected"),
    [
        (6.0, "sec", 6.0),
        (6000.0, "msec", 6.0),
        (6e6, "usec", 6.0),
        (2.54, "sec", 2.54),
        (6.0, "unknown", None),
        (6.0, "hz", None),
        (0.0, "sec", None),
        (0.0045, "sec", None),  # a converter's sequence TR
        (4.5, "msec", None),
        (0.5, "sec", 0.5),
        (120.0, "sec", 120.0),
        (121.0, "sec", None),
        (2000.0, "sec", None),
        (np.nan, "sec", None),
    ],
)
def test_header_interval_counts_with_a_unit_and_in_range(
    tmp_path: Path, interval: float, unit: str, expected: float | None
) -> None:
    times = times_of(series_file(tmp_path, interval=interval, unit=unit))
    assert times == (None if expected is None else pytest.approx([0, expected, 2 * expected, 3 * expected], abs=1e-12))


@pytest.mark.parametrize(
    ("sidecar", "expected"),
    [
        ({"VolumeTiming": [0, 7, 14, 21]}, [0, 7, 14, 21]),
        ({"VolumeTiming": [100, 160, 167, 174]}, [0, 60, 67, 74]),
        ({"FrameTimesStart": [0, 8, 16, 24]}, [0, 8, 16, 24]),
        ({"VolumeTiming": [0, 7, 14, 21], "FrameTimesStart": [0, 8, 16, 24], "RepetitionTime": 9}, [0, 7, 14, 21]),
        ({"RepetitionTime": 9}, [0, 9, 18, 27]),
        ({"RepetitionTime": 0.0045}, [0, 6, 12, 18]),  # the sequence TR: the header's interval is used
        ({"RepetitionTime": 600}, [0, 6, 12, 18]),
        ({"RepetitionTime": "9"}, [0, 6, 12, 18]),
        ({"RepetitionTime": True}, [0, 6, 12, 18]),
        ({"VolumeTiming": None}, [0, 6, 12, 18]),
        # Centres are onset + half a duration; equal durations change nothing.
        ({"FrameTimesStart": [0, 10, 20, 50], "FrameDuration": [10, 10, 30, 30]}, [0, 10, 30, 60]),
        ({"FrameTimesStart": [0, 10, 20, 30], "FrameDuration": [10, 10, 10, 10]}, [0, 10, 20, 30]),
        # Meaningless durations, as converters write them for MR, are not believed.
        ({"FrameTimesStart": [0, 3, 6, 12], "FrameDuration": [1200]}, [0, 3, 6, 12]),
        ({"FrameTimesStart": [0, 3, 6, 12], "FrameDuration": [9, 9, 9, 1]}, [0, 3, 6, 12]),
        ({"FrameTimesStart": [0, 3, 6, 12], "FrameDuration": ["a", 3, 3, 3]}, [0, 3, 6, 12]),
        ({"FrameTimesStart": [0, 3, 6, 12], "FrameDuration": [0, 0, 0, 0]}, [0, 3, 6, 12]),
    ],
)
def test_sidecar_before_header(tmp_path: Path, sidecar: dict[str, Any], expected: list[float]) -> None:
    path = series_file(tmp_path, interval=6.0, unit="sec")
    (tmp_path / "x.json").write_text(json.dumps(sidecar))
    assert times_of(path) == expected


def test_the_sequence_tr_of_a_converter_is_no_frame_interval(tmp_path: Path) -> None:
    path = series_file(tmp_path, interval=0.0045, unit="sec")
    (tmp_path / "x.json").write_text('{"RepetitionTime": 0.0045}')
    series = read_series(path)
    assert isinstance(series, DynamicSeries)
    assert series.times_s is None
    assert series.protocol.repetition_time_s == 0.0045


def test_arguments_before_sidecar_even_where_the_sidecar_does_not_fit(tmp_path: Path) -> None:
    path = series_file(tmp_path, interval=6.0, unit="sec")
    (tmp_path / "x.json").write_text('{"VolumeTiming": [0, 1]}')
    assert times_of(path, times_s=[5, 10, 15, 30]) == [0, 5, 10, 25]
    assert times_of(path, times_s=np.array([0.0, 407.0, 761.0, 900.0])) == [0, 407, 761, 900]
    assert times_of(path, frame_interval_s=12) == [0, 12, 24, 36]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"VolumeTiming": [0, 1}', "x.json is not valid JSON; correct or remove it, or give --times-s"),
        ("[" * 100_000, "x.json is not valid JSON"),
        ("\xff", "x.json is not valid JSON"),
        ("[1, 2]", "x.json must hold one JSON object with named fields"),
        ('{"VolumeTiming": [0, 1, 2]}', "lists 3 times as VolumeTiming, but x.nii.gz has 4 frames; correct or remove"),
        ('{"FrameTimesStart": [0]}', "lists 1 times as FrameTimesStart"),
        ('{"VolumeTiming": 5}', "must list VolumeTiming as numbers in seconds"),
        ('{"VolumeTiming": [0, 1, "2", 3]}', "must list VolumeTiming as numbers in seconds"),
        ('{"VolumeTiming": [0, 1, 1, 3]}', "lists times as VolumeTiming that do not rise from frame to frame"),
        ('{"VolumeTiming": [0, 1, 2, NaN]}', "do not rise"),
        (" " * (2**22 + 1), "x.json is larger than 4194304 bytes, so it is no sidecar"),
    ],
)
def test_sidecar_that_cannot_be_used_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    path = series_file(tmp_path)
    (tmp_path / "x.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputRefusedError, match=sentence):
        read_series(path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"times_s": [0, 1, 2, 3], "frame_interval_s": 1}, "give either times_s or frame_interval_s, not both"),
        ({"frame_interval_s": 0}, "frame_interval_s must be above 0 seconds, got 0"),
        ({"frame_interval_s": -3}, "frame_interval_s must be above 0 seconds, got -3"),
        ({"frame_interval_s": float("nan")}, "frame_interval_s must be above 0 seconds, got nan"),
        ({"times_s": [0, 1, 2]}, "times_s must hold one time per frame: the series has 4 frames, got 3 times"),
        ({"times_s": [0, 2, 1, 3]}, "times_s must be finite and strictly increasing"),
        ({"times_s": ["a", 1, 2, 3]}, "times_s must be numbers in seconds"),
        ({"times_s": [[0, 1], [2, 3]]}, r"times_s must be one list of seconds, got an array of shape \(2, 2\)"),
        ({"baseline_frames": 4}, "baseline_frames must be between 1 and 3, got 4"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError, match=sentence):
        read_series(series_file(tmp_path), **arguments)


def test_what_is_said_about_times_is_ignored_for_one_volume(tmp_path: Path) -> None:
    path = series_file(tmp_path, frames=1)
    (tmp_path / "x.json").write_text('{"FrameTimesStart": [0, 1, 2]}')
    assert isinstance(read_series(path, times_s=[0, 1, 2], baseline_frames=7), Volume)
    assert isinstance(read_series(path, frame_interval_s=5), Volume)


def test_baseline_frames_are_carried_on(tmp_path: Path) -> None:
    series = read_series(series_file(tmp_path), baseline_frames=2)
    assert isinstance(series, DynamicSeries)
    assert series.baseline_frames == 2


def test_several_volumes_take_times_from_the_arguments_only(tmp_path: Path) -> None:
    paths = []
    for index in range(3):
        (tmp_path / str(index)).mkdir()
        paths.append(series_file(tmp_path / str(index), interval=6.0, unit="sec", frames=1))
        (tmp_path / str(index) / "x.json").write_text('{"RepetitionTime": 5, "FlipAngle": 12}')
    series = read_series(*paths)
    assert isinstance(series, DynamicSeries)
    assert series.times_s is None
    assert series.protocol.flip_angle_deg == 12
    timed = read_series(*paths, frame_interval_s=30)
    assert isinstance(timed, DynamicSeries)
    np.testing.assert_array_equal(timed.times_s, [0, 30, 60])


@pytest.mark.parametrize(
    ("sidecar", "protocol"),
    [
        ({}, Protocol()),
        ({"RepetitionTime": 0.0045, "EchoTime": 0.0017, "FlipAngle": 12}, Protocol(0.0045, 0.0017, 12)),
        ({"RepetitionTime": 6, "RepetitionTimeExcitation": 0.005}, Protocol(0.005)),
        ({"RepetitionTime": 6, "MagneticFieldStrength": 3}, Protocol(field_strength_t=3)),
        ({"FlipAngle": -5, "EchoTime": "short"}, Protocol()),
    ],
)
def test_protocol_of_the_sidecar(tmp_path: Path, sidecar: dict[str, Any], protocol: Protocol) -> None:
    path = series_file(tmp_path)
    (tmp_path / "x.json").write_text(json.dumps(sidecar))
    series = read_series(path)
    assert isinstance(series, DynamicSeries)
    assert series.protocol == protocol


@pytest.mark.parametrize("name", ["a.nii", "a.b.nii.gz", "a.nrrd", "a.mha", "a.hdr", "a.img.gz", "A.NII.GZ"])
def test_sidecar_stands_beside_the_image_under_its_stem(name: str) -> None:
    from spinehub.io.timing import sidecar_path

    assert sidecar_path(Path("folder") / name).name == f"{'a.b' if 'a.b' in name else name[0]}.json"
