"""Feature rows: columns, geometry, missing values. Lesions whose features are known by construction."""

import itertools

import numpy as np
import pytest

from spinehub.errors import GridMismatchError, InvalidArgumentError
from spinehub.features.extraction import FeatureRow, extract_features
from spinehub.features.lattice import Lattice
from spinehub.features.settings import feature_names, settings, settings_sha256
from spinehub.perfusion import Timing
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Volume

SHAPE = (30, 26, 8)
SAGITTAL = np.array([[0.1, 0.0, 4.4, -20], [-1.2, 0.1, 0.1, 90], [0.1, 1.1, -0.2, -60], [0, 0, 0, 1]])
"""Slightly oblique: axes run to the back, the head and the right; slices of 4.4 mm."""
DYNAMIC = Timing("dynamic", 90.0, 30.0, 2, 420.0, True, ())
SINGLE = Timing("single", None, None, 0, None, None, ("one volume only",))


def ball(grid, radius_mm, centre):
    offsets = np.moveaxis(np.indices(grid.shape), 0, -1) - np.asarray(centre)
    return Mask(np.linalg.norm(offsets * grid.spacing_mm, axis=-1) <= radius_mm, grid)


@pytest.fixture
def lesion(rng):
    """Series of 5 frames, its maps, and a mask, with every voxel different."""
    grid = Grid(SHAPE, SAGITTAL)
    mask = ball(grid, 11.0, (14, 12, 4))
    rise = np.array([0.0, 0.0, 0.8, 1.6, 1.2])
    frames = 100 + 5 * rng.standard_normal((*SHAPE, 5)) + 100 * rise * mask.voxels[..., None]
    maps = {
        name: ParametricMap(name, "%", rng.normal(mean, spread, SHAPE), grid)
        for name, mean, spread in (("peak_enhancement", 160, 40), ("early_enhancement", 120, 40), ("washout", -5, 12))
    }
    return DynamicSeries(frames, grid, np.arange(5) * 60.0), mask, maps


def values_of(row: FeatureRow) -> dict[str, float]:
    return dict(zip(row.names, row.values, strict=True))


def test_columns_are_fixed_and_nested():
    everything = feature_names("dynamic")
    assert len(everything) == len(set(everything)) == 14 + 4 * 93
    assert everything[0] == "shape__MeshVolume"
    assert "washout__glcm_JointEntropy" in everything
    assert set(feature_names("single")) < set(feature_names("pre_post")) < set(everything)
    assert len(feature_names("single")) == 14 + 93
    assert len(settings_sha256()) == 64


def test_a_complete_row_and_its_provenance(lesion):
    series, mask, maps = lesion
    row = extract_features(series, mask, DYNAMIC, maps)
    assert row.names == feature_names("dynamic")
    assert np.isfinite(row.values).all()
    assert row.provenance["settings_sha256"] == settings_sha256()
    assert row.provenance["regime"] == "dynamic"
    assert row.provenance["peak_frame"] == "3"
    assert row.provenance["not_computed"] == ""
    assert {"pyradiomics", "SimpleITK", "spinehub", "numpy", "settings_version", "voxels"} <= set(row.provenance)
    assert row.to_dict()["features"]["shape__MeshVolume"] == row.values[0]
    picked = row.select(("washout__firstorder_Mean", "no_such_column"))
    assert picked[0] == values_of(row)["washout__firstorder_Mean"]
    assert np.isnan(picked[1])


def test_shape_and_first_order_are_right_in_mm_and_percent():
    grid = Grid((60, 60, 12), np.diag([0.75, 0.75, 3.0, 1.0]))
    mask = ball(grid, 15.0, (29.5, 29.5, 5.5))
    ramp = np.broadcast_to(np.arange(60)[:, None, None] * 2.0, grid.shape)
    maps = {"peak_enhancement": ParametricMap("peak_enhancement", "%", ramp, grid)}
    frames = np.stack([np.full(grid.shape, 50.0), np.full(grid.shape, 100.0), np.full(grid.shape, 75.0)], axis=-1)
    row = values_of(
        extract_features(DynamicSeries(frames, grid), mask, Timing("pre_post", *[None] * 2, 1, *[None] * 3), maps)
    )
    sphere_mm3 = 4 / 3 * np.pi * 15.0**3
    assert row["shape__MeshVolume"] == pytest.approx(sphere_mm3, rel=0.03)  # voxel staircase
    assert row["shape__Maximum3DDiameter"] == pytest.approx(30.0, abs=3.0)  # one slice
    assert row["shape__MajorAxisLength"] == pytest.approx(4 * 15.0 / np.sqrt(5), rel=0.03)  # 4 SD along an axis
    assert row["peak_enhancement__firstorder_Mean"] == pytest.approx(59.0, abs=0.5)
    # in a ball of radius r the variance along one axis is r^2 / 5; the ramp climbs 2 % per 0.75 mm
    assert row["peak_enhancement__firstorder_Variance"] == pytest.approx((2 / 0.75) ** 2 * 15.0**2 / 5, rel=0.03)
    assert row["peak_frame__firstorder_Mean"] == pytest.approx(2.0)  # frame 1 over the body's baseline of 50


ORDERS = [(order, flips) for order in itertools.permutations(range(3)) for flips in ((), (0,), (1, 2), (0, 1, 2))]


@pytest.mark.parametrize(("order", "flips"), ORDERS[1::5])
def test_axis_order_and_flips_of_the_file_change_nothing(lesion, order, flips):
    series, mask, maps = lesion
    step = np.eye(4)[:, [*order, 3]]
    for axis in flips:
        step[:3, 3] += step[:3, axis] * (np.asarray(SHAPE)[list(order)][axis] - 1)
        step[:3, axis] *= -1
    grid = Grid(tuple(np.asarray(SHAPE)[list(order)]), series.grid.affine @ step)

    def moved(array):
        return np.flip(array.transpose(*order, *range(3, array.ndim)), flips)

    copy = extract_features(
        DynamicSeries(moved(series.frames), grid, series.times_s),
        Mask(moved(mask.voxels), grid),
        DYNAMIC,
        {name: ParametricMap(name, "%", moved(each.values), grid) for name, each in maps.items()},
    )
    expected = extract_features(series, mask, DYNAMIC, maps)
    np.testing.assert_allclose(copy.values, expected.values, rtol=1e-6, atol=1e-9)


def test_position_in_the_volume_and_scanner_gain_change_nothing(lesion):
    series, mask, maps = lesion
    expected = extract_features(series, mask, DYNAMIC, maps)
    louder = DynamicSeries(series.frames * 7.5, series.grid, series.times_s)
    np.testing.assert_allclose(extract_features(louder, mask, DYNAMIC, maps).values, expected.values, rtol=2e-3)


def test_downsampling_averages_noise_instead_of_picking_voxels(rng):
    grid = Grid((64, 64, 3), np.diag([0.5, 0.5, 4.0, 1.0]))
    mask = Mask(np.ones(grid.shape, bool), grid)
    lattice = Lattice.around(mask, 1.5)
    values, share = lattice.resample(rng.normal(0, 1, grid.shape))
    assert lattice.slice_axis == 2
    assert lattice.spacing_mm.tolist() == [1.5, 1.5, 4.0]
    assert share.min() == pytest.approx(1.0)
    assert 0.15 < values.std() < 0.3  # a triangle over six voxels in two directions: about 0.23
    assert values.mean() == pytest.approx(0, abs=0.03)


def test_resampling_keeps_a_plane_exactly(rng):
    grid = Grid((40, 30, 6), np.diag([1.2, 0.9, 4.0, 1.0]))
    mask = ball(grid, 9.0, (20, 15, 3))
    ramp = np.indices(grid.shape)[0] * 1.2
    values, _ = Lattice.around(mask, 1.0).resample(ramp)
    steps = np.diff(values, axis=0)
    np.testing.assert_allclose(steps, 1.0, atol=0.02)  # 0.02: the filter of finite width on a coarser grid


def test_slices_are_found_on_any_axis_and_sagittal_wins_a_tie():
    for axis in range(3):
        spacing = [1.0, 1.0, 1.0]
        spacing[axis] = 4.0
        grid = Grid((12, 12, 12), np.diag([*spacing, 1.0]))
        assert Lattice.around(ball(grid, 4.0, (6, 6, 6)), 1.5).slice_axis == axis
    cube = Grid((12, 12, 12), np.eye(4)[[2, 0, 1, 3]])
    assert Lattice.around(ball(cube, 4.0, (6, 6, 6)), 1.5).slice_axis == 0


def test_single_volume_has_shape_and_peak_frame_only(lesion):
    series, mask, _ = lesion
    row = values_of(extract_features(series.frame(3), mask, SINGLE))
    known = {name for name, value in row.items() if np.isfinite(value)}
    assert known == set(feature_names("single"))


def test_a_missing_map_is_nan_with_its_reason(lesion):
    series, mask, maps = lesion
    del maps["washout"]
    row = extract_features(series, mask, DYNAMIC, maps)
    missing = {name for name, value in values_of(row).items() if np.isnan(value)}
    assert missing == {name for name in row.names if name.startswith("washout__")}
    assert row.provenance["not_computed"] == "washout: not available in this regime or scan"


def test_invalid_voxels_are_left_out_for_that_image_only(lesion):
    series, mask, maps = lesion
    values = np.full(SHAPE, 100.0, np.float32) + 20 * (np.arange(SHAPE[0]) % 2)[:, None, None]
    values[14:] = np.nan
    maps["washout"] = ParametricMap("washout", "%", values / 4, series.grid)
    row = extract_features(series, mask, DYNAMIC, maps)
    assert np.isfinite(row.values).all()
    assert (
        25.0 <= values_of(row)["washout__firstorder_Minimum"] <= values_of(row)["washout__firstorder_Maximum"] <= 30.001
    )
    other = extract_features(*lesion[:2], DYNAMIC, {**maps, "washout": maps["early_enhancement"]})
    assert values_of(other)["shape__MeshVolume"] == values_of(row)["shape__MeshVolume"]
    few = np.where(np.indices(SHAPE).sum(axis=0) == 30, values, np.nan)
    maps["washout"] = ParametricMap("washout", "%", few, series.grid)
    assert (
        "washout: fewer than 16 voxels have a valid value"
        in extract_features(series, mask, DYNAMIC, maps).provenance["not_computed"]
    )


@pytest.mark.parametrize("voxels", [0, 1, 2, 5])
def test_a_tiny_mask_gives_nan_and_a_reason_never_an_exception(lesion, voxels):
    series, _, maps = lesion
    tiny = np.zeros(SHAPE, bool)
    tiny[10, 5 : 5 + voxels, 3] = True
    row = extract_features(series, Mask(tiny, series.grid), DYNAMIC, maps)
    assert np.isnan(row.values).all()
    assert row.names == feature_names("dynamic")
    assert "fewer than 16 voxels" in row.provenance["not_computed"]
    assert set(row.to_dict()["features"].values()) == {None}


def test_a_constant_image_has_no_texture(lesion):
    series, mask, maps = lesion
    maps["washout"] = ParametricMap("washout", "%", np.full(SHAPE, -3.0), series.grid)
    row = extract_features(series, mask, DYNAMIC, maps)
    values = values_of(row)
    assert values["washout__firstorder_Mean"] == pytest.approx(-3.0)
    assert np.isnan(values["washout__firstorder_Skewness"])
    assert np.isnan(values["washout__ngtdm_Coarseness"])
    assert "one grey level only" in row.provenance["not_computed"]


def test_one_wild_voxel_cannot_ask_for_thousands_of_grey_levels(lesion):
    series, mask, maps = lesion
    wild = maps["peak_enhancement"].values.copy()
    wild[14, 12, 4] = 1e7
    maps["peak_enhancement"] = ParametricMap("peak_enhancement", "%", wild, series.grid)
    row = values_of(extract_features(series, mask, DYNAMIC, maps))
    assert row["peak_enhancement__firstorder_Maximum"] == settings()["images"]["peak_enhancement"]["range"][1]
    assert np.isfinite([value for name, value in row.items() if name.startswith("peak_enhancement")]).all()


def test_a_mask_on_another_grid_is_refused(lesion):
    series, _, maps = lesion
    elsewhere = ball(Grid(SHAPE, np.eye(4)), 5.0, (14, 12, 4))
    with pytest.raises(GridMismatchError, match="mask must lie on the grid"):
        extract_features(series, elsewhere, DYNAMIC, maps)


def test_an_image_without_signal_is_refused():
    grid = Grid((16, 16, 16), np.eye(4))
    with pytest.raises(InvalidArgumentError, match="signal above 0"):
        extract_features(Volume(np.zeros(grid.shape), grid), ball(grid, 6.0, (8, 8, 8)), SINGLE)
