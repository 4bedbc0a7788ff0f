"""The command line: exit status, one-line errors, coordinates, ignored options, and the files it writes."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from commands import run, usage_error

from spinehub import cli
from spinehub.cli import main
from spinehub.pipeline import DEFAULT_MODELS

SHAPE = (20, 24, 6)
AFFINE = np.array([[0, 0, -4.5, 10], [-1.5, 0, 0, 16], [0, -1.5, 0, 18], [0, 0, 0, 1.0]])
SEED = (10, 12, 3)


def signal(frame: int) -> np.ndarray:
    rng = np.random.default_rng(frame)
    image = 100.0 + rng.normal(0, 1, SHAPE)
    image[6:15, 8:17, 1:5] *= 1.0 + min(frame, 3) * 0.4
    return image.astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``series.nii.gz`` (8 frames), ``volume.nii.gz``, ``frame0..2.nii.gz``, ``mask.nii.gz``, ``broken.nii.gz``."""
    folder = tmp_path_factory.mktemp("files")
    nib.save(nib.Nifti1Image(np.stack([signal(n) for n in range(8)], axis=-1), AFFINE), folder / "series.nii.gz")
    nib.save(nib.Nifti1Image(signal(3), AFFINE), folder / "volume.nii.gz")
    for n in range(3):
        nib.save(nib.Nifti1Image(signal(n), AFFINE), folder / f"frame{n}.nii.gz")
    mask = np.zeros(SHAPE, np.uint8)
    mask[7:14, 9:16, 2:5] = 1
    nib.save(nib.Nifti1Image(mask, AFFINE), folder / "mask.nii.gz")
    (folder / "broken.nii.gz").write_bytes(b"not a scan")
    return folder


@pytest.fixture(autouse=True)
def without_weights(monkeypatch):
    """These tests are about the command line: no route is asked unless the test names one."""
    monkeypatch.setattr("spinehub.pipeline.DEFAULT_MODELS", {})


def refusal(capsys, *words: object) -> str:
    assert run(*words) == 3
    text = capsys.readouterr().err
    last = text.splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in text
    return last


def position() -> str:
    return ",".join(str(value) for value in (AFFINE @ (*SEED, 1.0))[:3])


def test_analyse_writes_every_output(files, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("analyse", files / "series.nii.gz", "--seed", "10,12,3", "--frame-interval-s", 30, "--output", out) == 0
    for name in ("report.json", "mask.nii.gz", "features.csv", "curve.csv", "figure.png", "report.html"):
        assert (out / name).is_file()
    assert list((out / "maps").glob("*.nii.gz"))
    document = json.loads((out / "report.json").read_text())
    assert document["input"]["files"] == ["series.nii.gz"]
    assert len(document["input"]["sha256"][0]) == 64
    assert document["input"]["times_s"] == [30.0 * n for n in range(8)]
    assert document["growing"]["seeds"][0]["index"] == list(SEED)
    printed = capsys.readouterr()
    assert "Not a diagnosis" in printed.out
    assert printed.err == "", "no progress bar where standard error is not a terminal"


@pytest.mark.parametrize("joined", [True, False])
def test_negative_coordinates_work_both_ways(files, tmp_path, joined):
    assert position().startswith("-")
    words = [f"--seed-mm={position()}"] if joined else ["--seed-mm", position()]
    assert run("analyse", files / "volume.nii.gz", *words, "--output", tmp_path) == 0
    (seed,) = json.loads((tmp_path / "report.json").read_text())["growing"]["seeds"]
    assert seed["index"] == list(SEED)


def test_several_files_are_frames_in_the_order_given(files, tmp_path):
    names = ("frame2.nii.gz", "frame0.nii.gz", "frame1.nii.gz")
    inputs = [files / name for name in names]
    words = ("--seed", "10,12,3", "--times-s", "0,15.5,40", "--baseline-frames", 1, "--output", tmp_path)
    assert run("analyse", *inputs, *words) == 0
    found = json.loads((tmp_path / "report.json").read_text())["input"]
    assert found["files"] == list(names)
    assert found["times_s"] == [0.0, 15.5, 40.0]
    assert found["shape"] == [*SHAPE, 3]


def test_a_mask_in_place_of_seeds(files, tmp_path, capsys):
    words = ("--mask", files / "mask.nii.gz", "--background-seed", "0,0,0", "--output", tmp_path)
    assert run("analyse", files / "series.nii.gz", *words) == 0
    written = np.asarray(nib.load(tmp_path / "mask.nii.gz").dataobj) > 0
    np.testing.assert_array_equal(written, np.asarray(nib.load(files / "mask.nii.gz").dataobj) > 0)
    assert "warning: --background-seed is ignored" in capsys.readouterr().err


def test_background_seeds_tolerance_and_reach(files, tmp_path):
    words = ("--seed", "10,12,3", "--seed", "11,12,3", "--background-seed", "1,1,1", "--tolerance", "0.5")
    assert run("analyse", files / "series.nii.gz", *words, "--reach-mm", "20", "--output", tmp_path) == 0
    growing = json.loads((tmp_path / "report.json").read_text())["growing"]
    assert [seed["background"] for seed in growing["seeds"]] == [False, False, True]
    assert (growing["tolerance"], growing["reach_mm"]) == (0.5, 20.0)


def test_limits_hold_and_are_told(files, tmp_path):
    keep_out = np.zeros(SHAPE, np.uint8)
    keep_out[:8] = 1
    nib.save(nib.Nifti1Image(keep_out, AFFINE), tmp_path / "out.nii.gz")
    words = ("--seed", "10,12,3", "--box", "13,20,3,2,9,1", "--keep-out", tmp_path / "out.nii.gz")
    words = (*words, "--intensity-range", "-5,400", "--reach-mm", "20", "--output", tmp_path)
    assert run("analyse", files / "series.nii.gz", *words) == 0
    region = np.argwhere(np.asarray(nib.load(tmp_path / "mask.nii.gz").dataobj) > 0)
    assert len(region) > 50
    assert (region.min(axis=0) >= (8, 9, 1)).all()
    assert (region.max(axis=0) <= (13, 20, 3)).all()
    assert json.loads((tmp_path / "report.json").read_text())["growing"]["limits"] == {
        "intensity_range": [-5.0, 400.0],
        "box": [[2, 9, 1], [13, 20, 3]],
        "keep_out_voxels": 8 * 24 * 6,
    }


def test_a_stated_mask_needs_no_limits(files, tmp_path, capsys):
    words = ("--mask", files / "mask.nii.gz", "--box", "0,0,0,1,1,1", "--output", tmp_path)
    assert run("analyse", files / "series.nii.gz", *words) == 0
    assert "warning: --box is ignored" in capsys.readouterr().err
    assert json.loads((tmp_path / "report.json").read_text())["growing"]["limits"] is None


def test_stability_is_told_and_its_map_written(files, tmp_path):
    words = ("--seed", "10,12,3", "--reach-mm", "20", "--stability", "--output", tmp_path)
    assert run("analyse", files / "series.nii.gz", *words) == 0
    again = json.loads((tmp_path / "report.json").read_text())["growing"]["stability"]
    low, high = again["volume_interval_ml"]
    assert 0.0 < again["mean_dice"] <= 1.0
    assert low <= high
    agreement = np.asarray(nib.load(tmp_path / "maps" / "agreement.nii.gz").dataobj)
    assert 0.0 < agreement.max() <= 1.0
    assert "mean Dice" in (tmp_path / "report.html").read_text()
    assert run("analyse", files / "series.nii.gz", *words[:4], "--output", tmp_path) == 0
    assert json.loads((tmp_path / "report.json").read_text())["growing"]["stability"] is None
    assert not (tmp_path / "maps" / "agreement.nii.gz").exists(), "no file tells of an earlier report"


def test_timing_of_a_single_volume_is_ignored_with_a_warning(files, tmp_path, capsys):
    words = ("--seed", "10,12,3", "--frame-interval-s", "6", "--output", tmp_path)
    assert run("analyse", files / "volume.nii.gz", *words) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: --frame-interval-s is ignored")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "--seed"),
        (("--seed", "1,2,3", "--mask", "m.nii.gz"), "not allowed with"),
        (("--seed", "1,2"), "three whole numbers"),
        (("--seed", "1,2,x"), "three whole numbers"),
        (("--seed-mm", "1,2"), "three numbers"),
        (("--seed-mm", "1,2,nan"), "finite"),
        (("--seed", "1,2,3", "--tolerance", "much"), "numbers"),
        (("--seed", "1,2,3", "--tolerance", "-1"), "auto or a number of at least 0"),
        (("--seed", "1,2,3", "--reach-mm", "0"), "above 0"),
        (("--seed", "1,2,3", "--box", "0,0,0,5,5"), "two corners"),
        (("--seed", "1,2,3", "--box", "0,0,0,5,5,-1"), "two corners"),
        (("--seed", "1,2,3", "--intensity-range", "5,5"), "the lower first"),
        (("--seed", "1,2,3", "--intensity-range", "5"), "the lower first"),
        (("--seed", "1,2,3", "--baseline-frames", "0"), "at least 1"),
        (("--seed", "1,2,3", "--times-s", "0,5", "--frame-interval-s", "5"), "not allowed with"),
        (("--seed", "1,2,3", "--model", "guess=x"), "ROUTE=ID"),
        (("--seed", "1,2,3", "--model", "unet"), "ROUTE=ID"),
        (("--seed", "1,2,3", "--toler", "1"), "unrecognized"),
    ],
)
def test_wrong_usage_is_2(files, tmp_path, capsys, words, named):
    text = usage_error(capsys, "analyse", files / "series.nii.gz", *words, "--output", tmp_path)
    assert named in text


def test_wrong_usage_without_a_verb_or_an_output(files, tmp_path, capsys):
    usage_error(capsys)
    usage_error(capsys, "diagnose")
    assert "--output" in usage_error(capsys, "analyse", files / "series.nii.gz", "--seed", "1,2,3")
    (tmp_path / "file").write_text("in the way")
    words = ("--seed", "1,2,3", "--output", tmp_path / "file")
    assert "can be written to" in usage_error(capsys, "analyse", files / "series.nii.gz", *words)
    assert "ROUTE" in usage_error(capsys, "train", "guess", "--data", tmp_path, "--output", tmp_path)
    assert "whole number" in usage_error(capsys, "simulate", "--cases", "0", "--seed", "1", "--output", tmp_path)


@pytest.mark.parametrize(
    ("name", "words", "named"),
    [
        ("missing.nii.gz", ("--seed", "1,2,3"), "missing.nii.gz"),
        ("broken.nii.gz", ("--seed", "1,2,3"), "broken.nii.gz"),
        ("series.nii.gz", ("--seed", "20,2,3"), "outside the volume"),
        ("series.nii.gz", ("--seed", "-1,2,3"), "outside the volume"),
        ("series.nii.gz", ("--seed-mm", "-900.5,3,2"), "outside the volume"),
        ("series.nii.gz", ("--seed", "1,2,3", "--background-seed", "1,2,99"), "outside the volume"),
        ("series.nii.gz", ("--seed", "1,2,3", "--box", "2,2,2,9,9,4"), "outside the box"),
        ("series.nii.gz", ("--seed", "1,2,3", "--box", "0,0,0,9,9,6"), "must lie inside the volume"),
        ("series.nii.gz", ("--seed", "1,2,3", "--intensity-range", "150,400"), "outside intensity_range"),
        ("series.nii.gz", ("--seed", "1,2,3", "--times-s", "0,1,2"), "8 frames"),
        ("series.nii.gz", ("--seed", "1,2,3", "--model", "unet=/no/such/folder"), "there is no model"),
    ],
)
def test_refused_input_is_3_in_one_line(files, tmp_path, capsys, name, words, named):
    out = tmp_path / "out"
    text = refusal(capsys, "analyse", files / name, *words, "--output", out)
    assert named in text
    assert not out.exists(), "a refused input leaves no folder behind"


def test_a_mask_of_another_grid_is_refused(files, tmp_path, capsys):
    other = tmp_path / "other.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), AFFINE), other)
    refusal(capsys, "analyse", files / "series.nii.gz", "--mask", other, "--output", tmp_path / "out")


def test_models_are_the_default_ones_but_for_those_named(files, tmp_path, monkeypatch):
    monkeypatch.setattr("spinehub.pipeline.DEFAULT_MODELS", DEFAULT_MODELS)
    asked = {}

    def analyse(_image, *, models, **_options):
        asked.update(models)
        raise SystemExit(0)

    monkeypatch.setattr("spinehub.pipeline.analyse", analyse)
    loaded = []
    monkeypatch.setattr("spinehub.routes.load_model", lambda *words: loaded.append(words))
    words = ("--seed", "10,12,3", "--model", "unet=my/model", "--output", tmp_path)
    with pytest.raises(SystemExit):
        run("analyse", files / "series.nii.gz", *words)
    assert asked == {**DEFAULT_MODELS, "unet": "my/model"}
    assert loaded == [("unet", "my/model")], "a model that does not exist must be refused before the work"


def test_stopping_is_not_a_traceback(monkeypatch, capsys):
    def stop(_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_demo", stop)
    assert run("demo") == 130
    assert capsys.readouterr().err == "error: stopped by the user\n"


def test_help_and_version(capsys):
    for words in (["--help"], ["analyse", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0
    assert "spinehub 0" in capsys.readouterr().out


def test_python_m_spinehub_and_a_refusal_without_torch(files, tmp_path):
    words = ["analyse", str(files / "broken.nii.gz"), "--seed", "1,2,3", "--output", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "spinehub", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    code = (
        "import sys\nfrom spinehub.cli import main\n"
        f"assert main({words!r}) == 3\n"
        "assert not {'torch', 'timm', 'gradio', 'matplotlib', 'radiomics'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_bar_shows_only_on_a_terminal(monkeypatch, capsys):
    with cli._progress() as progress:
        assert progress is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with cli._progress() as progress:
        progress(0.5, "half")
        progress(1.0, "done")
    assert "half" in capsys.readouterr().err
