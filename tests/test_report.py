"""Measures against shapes of known size, strict JSON, and the folder a report is written to."""

import csv
import json
import math
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.features import FeatureRow
from spinehub.growing import Growth
from spinehub.io import Source
from spinehub.perfusion import HotSpot, Parameter, Timing
from spinehub.render.wording import DISCLAIMER
from spinehub.report import ROUTES, Finding, Report, ReportWarning, RouteAnswer, curve_rows, measure, strict_json
from spinehub.series import Curve, DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Seed, Volume

TOP_LEVEL = [
    "format",
    "input",
    "timing",
    "growing",
    "lesion",
    "hot_spot",
    "parameters",
    "routes",
    "warnings",
    "reader",
    "versions",
    "disclaimer",
]


def ellipsoid(semi_axes_mm, spacing_mm, shape=(48, 48, 48)) -> Mask:
    grid = Grid(shape, np.diag([*spacing_mm, 1.0]))
    centre = (np.array(shape) - 1) / 2 * np.array(spacing_mm)
    points = np.moveaxis(np.indices(shape), 0, -1) * np.array(spacing_mm) - centre
    return Mask((np.square(points / np.array(semi_axes_mm)).sum(axis=-1) <= 1.0), grid)


def curve(grid: Grid, times=(0.0, 10.0, 20.0, 60.0, 250.0)) -> Curve:
    times = None if times is None else np.array(times)
    signal = np.array([100.0, 100.0, 150.0, 220.0, 190.0])
    percent = signal - 100.0
    return Curve(signal, percent, percent - 5.0, percent + 5.0, times, Mask(np.ones(grid.shape, bool), grid))


@pytest.fixture
def report() -> Report:
    """A dynamic series with a grown lesion, all numbers made up."""
    rng = np.random.default_rng(3)
    grid = Grid((12, 14, 4), np.array([[0, 0, 3.0, -5], [1.5, 0, 0, 10], [0, -1.2, 0, 30], [0, 0, 0, 1.0]]))
    series = DynamicSeries(rng.random((12, 14, 4, 5)) * 100, grid, np.array([0, 10.0, 20, 60, 250]), name="case.nii.gz")
    voxels = np.zeros(grid.shape, bool)
    voxels[4:8, 5:9, 1:3] = True
    mask = Mask(voxels, grid)
    arrival = np.where(voxels, 0.1, np.inf).astype(np.float32)
    arrival[5, 6, 1] = 0.0
    seeds = (Seed.at_index((5, 6, 1), grid), Seed.at_index((0, 0, 0), grid, background=True))
    spot = HotSpot(mask, 1, curve(grid), 2, True)
    finding = Finding(
        mask=mask,
        measures=measure(mask),
        curve=curve(grid),
        hot_spot=spot,
        parameters={
            "early_enhancement": Parameter(112.25, 4.5, "%"),
            "washout": Parameter(None, None, "%", "timing_insufficient: The scan ends too early."),
        },
        features=FeatureRow(
            ("shape__Sphericity", "washout__glcm_Contrast"), (0.7, math.nan), {"settings_sha256": "ab"}
        ),
    )
    probabilities = {"metastasis": 0.8, "primary_malignant": 0.2}
    routes = (
        RouteAnswer("hotspot", "metastasis", probabilities, None, {"id": "hotspot-dce", "sha256": "00"},
                    {"auc": 0.81, "interval": [0.75, 0.87], "simulated": True}, {"path": ("early > 60 %",)}),
        RouteAnswer("radiomics", "undecided", probabilities, None, {"id": "radiomics-dce", "sha256": "11"}, None,
                    {"contributions": (("shape__Sphericity", -0.5),)}),
        RouteAnswer("unet", "metastasis", probabilities, None, {"id": "unet-dce", "sha256": "22"}, None,
                    {"class_map": np.where(voxels, 0.3, np.nan).astype(np.float32)}),
        RouteAnswer("inception_resnet", "not_available", reason="weights_not_installed: not there"),
    )  # fmt: skip
    maps = {"peak_enhancement": ParametricMap("peak_enhancement", "%", rng.random(grid.shape), grid)}
    return Report(
        image=series,
        timing=Timing("dynamic", 14.0, 5.0, 2, 250.0, True),
        maps=maps,
        missing_maps={"washout": "timing_insufficient: The scan ends too early."},
        routes=routes,
        warnings=(ReportWarning("simulated_weights", "Weights come from <simulated> cases."),),
        growth=Growth(ParametricMap("arrival", "mm", arrival, grid), seeds, 60.0, 0.25, 0.75),
        tolerance=np.float64(0.1) + 1e-17,
        findings=(finding,),
        source=Source(("case.nii.gz",), ("ff" * 32,), ()),
    )


def test_one_voxel_measures_its_spacings():
    grid = Grid((3, 3, 3), np.diag([0.5, 2.0, 4.0, 1.0]))
    voxels = np.zeros((3, 3, 3), bool)
    voxels[1, 1, 1] = True
    found = measure(Mask(voxels, grid))
    assert found.diameters_mm == pytest.approx((4.0, 2.0, 0.5), rel=1e-3)
    assert found.volume_ml == pytest.approx(0.004)
    assert found.voxels == 1
    assert found.slices == (1, 1)
    assert found.plane == "axial"
    assert found.centroid_mm == pytest.approx((0.5, 2.0, 4.0))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.2, 1.2, 2.5)])
def test_diameters_of_an_ellipsoid(spacing):
    mask = ellipsoid((17.0, 11.0, 6.0), spacing)
    # every edge is known to half a voxel at either end
    assert measure(mask).diameters_mm == pytest.approx((34.0, 22.0, 12.0), abs=max(spacing))


def test_diameters_do_not_depend_on_how_the_axes_run():
    mask = ellipsoid((17.0, 11.0, 6.0), (1.0, 1.0, 1.5))
    c, s = math.cos(0.5), math.sin(0.5)
    rotation = np.array([[c, -s, 0, 3], [s, c, 0, 4], [0, 0, 1, 5], [0, 0, 0, 1.0]])
    turned = Mask(mask.voxels, Grid(mask.grid.shape, rotation @ mask.grid.affine))
    flip = np.diag([-1.0, 1, 1, 1])
    flipped = Mask(mask.voxels.transpose(2, 0, 1)[::-1], Grid((48, 48, 48), mask.grid.affine[:, [2, 0, 1, 3]] @ flip))
    expected = measure(mask).diameters_mm
    assert measure(turned).diameters_mm == pytest.approx(expected, rel=0.02)  # other directions are tried
    assert measure(flipped).diameters_mm == pytest.approx(expected, rel=0.02)


def test_the_longest_diameter_of_a_box_is_its_diagonal():
    grid = Grid((40, 40, 20), np.eye(4))
    voxels = np.zeros(grid.shape, bool)
    voxels[5:35, 5:25, 5:15] = True
    # between voxel centres, plus one voxel
    assert measure(Mask(voxels, grid)).diameters_mm[0] == pytest.approx(math.dist((0, 0, 0), (29, 19, 9)) + 1, rel=2e-3)


def test_an_empty_mask_is_refused():
    with pytest.raises(InvalidArgumentError, match="mask must hold at least one voxel"):
        measure(Mask(np.zeros((2, 2, 2), bool), Grid((2, 2, 2), np.eye(4))))


def test_strict_json_knows_numpy_and_nothing_infinite():
    value = {
        "a": np.float32(0.1),
        "b": (np.int16(3), np.nan, np.inf, -np.inf),
        "c": np.array([[True, False]]),
        "d": np.bool_(True),
        "e": 0.1 + 0.2,
        1: None,
    }
    plain = strict_json(value)
    assert plain["b"] == [3, None, None, None]
    assert plain["c"] == [[True, False]]
    assert plain["d"] is True
    assert plain["e"] == 0.3
    assert plain["1"] is None
    assert np.float32(plain["a"]) == np.float32(0.1), "rounding must not lose a float32"
    json.dumps(plain, allow_nan=False)


def test_document_follows_the_contract(report):
    document = report.to_dict()
    assert list(document) == TOP_LEVEL
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["format"] == "spinehub-report/1"
    assert document["input"]["files"] == ["case.nii.gz"]
    assert document["input"]["sha256"] == ["ff" * 32]
    assert document["input"]["shape"] == [12, 14, 4, 5]
    assert document["input"]["spacing_mm"] == pytest.approx([1.5, 1.2, 3.0])
    assert document["input"]["regime"] == "dynamic"
    assert document["input"]["times_s"] == [0, 10, 20, 60, 250]
    assert {"arrival_s": 14.0, "uncertainty_s": 5.0, "baseline_frames": 2, "end_s": 250.0}.items() <= document[
        "timing"
    ].items()
    assert [seed["index"] for seed in document["growing"]["seeds"]] == [[5, 6, 1], [0, 0, 0]]
    assert [seed["background"] for seed in document["growing"]["seeds"]] == [False, True]
    assert document["growing"]["reach_mm"] == 60.0
    assert document["growing"]["leak_tolerance"] == 0.75
    assert document["lesion"]["voxels"] == 32
    assert len(document["lesion"]["diameters_mm"]) == 3
    assert document["lesion"]["slices"] == {"plane": "sagittal", "first": 1, "last": 2, "count": 2}
    assert document["hot_spot"] == {"voxels": 32, "slice": 1, "curve_type": 2, "enhances": True}
    assert document["parameters"]["early_enhancement"]["value"] == 112.25
    assert document["parameters"]["washout"]["value"] is None
    assert document["parameters"]["washout"]["reason"].startswith("timing_insufficient")
    assert [route["name"] for route in document["routes"]] == list(ROUTES)
    assert all(
        set(route) == {"name", "probabilities", "decision", "reason", "model", "held_out"}
        for route in document["routes"]
    )
    assert document["disclaimer"] == DISCLAIMER
    assert document["versions"]["spinehub"]


def test_the_tolerance_is_written_exactly(report):
    exact = replace(report, tolerance=0.1234567890123456)
    assert exact.to_dict()["growing"]["tolerance"] == 0.1234567890123456


def test_explore_mode_has_no_lesion_but_every_key(report):
    document = replace(report, findings=(), growth=None, tolerance=None).to_dict()
    assert list(document) == TOP_LEVEL
    assert document["lesion"] is None
    assert document["hot_spot"] is None
    assert document["growing"]["seeds"] == []
    assert document["growing"]["leak_tolerance"] is None
    assert document["parameters"]["washout"]["reason"].startswith("no_lesion")


def test_saved_folder(report, tmp_path):
    folder = report.save(tmp_path / "new" / "out")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "report.json",
        "mask.nii.gz",
        "features.csv",
        "curve.csv",
        "figure.png",
        "report.html",
        "maps/peak_enhancement.nii.gz",
    }
    assert json.loads((folder / "report.json").read_text()) == report.to_dict()
    image = nib.load(folder / "mask.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj) > 0, report.findings[0].mask.voxels)
    np.testing.assert_allclose(image.affine, report.image.grid.affine, atol=1e-5)
    values = np.asarray(nib.load(folder / "maps" / "peak_enhancement.nii.gz").dataobj)
    np.testing.assert_array_equal(values, report.maps["peak_enhancement"].values)


def test_tables(report, tmp_path):
    folder = report.save(tmp_path)
    with (folder / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [float(row["seconds_from_arrival"]) for row in rows] == [-14, -4, 6, 46, 236]
    assert float(rows[3]["lesion_enhancement"]) == 120
    assert float(rows[3]["hot_spot_upper_quartile"]) == 125
    with (folder / "features.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["files"] == "case.nii.gz"
    assert float(row["shape__Sphericity"]) == 0.7
    assert row["washout__glcm_Contrast"] == ""
    assert row["provenance_settings_sha256"] == "ab"


def test_a_second_report_leaves_nothing_of_the_first(report, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    report.save(tmp_path)
    replace(report, findings=(), growth=None, tolerance=None, maps={}).save(tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"notes.txt", "report.json", "curve.csv", "figure.png", "report.html"}


def test_a_file_in_the_way_is_refused(report, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InvalidArgumentError, match="output must be a folder"):
        report.save(tmp_path / "out")


def test_curve_of_a_single_volume_is_one_row(report):
    volume = Volume(report.image.frames[..., 0], report.image.grid)
    single = replace(report, image=volume, timing=Timing("single", None, None, 0, None, None), findings=())
    (row,) = curve_rows(single)
    assert row["frame"] == 0
    assert row["time_s"] is None
    assert row["lesion_signal"] is None


def test_records_refuse_what_breaks_the_contract(report):
    with pytest.raises(InvalidArgumentError, match="routes must be the four answers"):
        replace(report, routes=report.routes[:3])
    with pytest.raises(InvalidArgumentError, match="code of a warning must be one of"):
        ReportWarning("oops", "text")
    with pytest.raises(InvalidArgumentError, match="name of a route must be one of"):
        RouteAnswer("guess", "undecided")
    with pytest.raises(InvalidArgumentError, match="not available must have a reason"):
        RouteAnswer("unet", "not_available")
