"""The second world as a whole: determinism, geometry, published targets, what may and what must not differ."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.ndimage import label
from scipy.stats import ks_2samp

from spinehub.case import Case
from spinehub.errors import InvalidArgumentError
from spinehub.metrics import auc
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.second_world import SecondRecipe, bayes_posterior, cohort_recipes, draw_recipe, render
from spinehub.second_world.anatomy import paint
from spinehub.second_world.rendering import hot_spot_curve
from spinehub.second_world.signs import HISTOLOGIES, KINETICS
from spinehub.second_world.spine import LEVELS, Spine


def small(recipe: SecondRecipe) -> SecondRecipe:
    """The same recipe on a coarse matrix."""
    scan = recipe.protocol
    columns, rows, slices = scan.matrix
    x, y, z = scan.spacing_mm
    return replace(
        recipe, protocol=replace(scan, matrix=(columns // 3, rows // 3, slices), spacing_mm=(3 * x, 3 * y, z))
    )


@pytest.fixture(scope="module")
def recipe() -> SecondRecipe:
    return small(draw_recipe(5, 1))


@pytest.fixture(scope="module")
def case(recipe: SecondRecipe) -> Case:
    return render(recipe)


def test_same_seed_same_bytes_and_another_case_is_another(recipe: SecondRecipe, case: Case) -> None:
    again = render(SecondRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))))
    np.testing.assert_array_equal(again.series.frames, case.series.frames)
    np.testing.assert_array_equal(again.lesions[0].mask.voxels, case.lesions[0].mask.voxels)
    assert draw_recipe(5, 1) == draw_recipe(5, 1)
    assert draw_recipe(5, 2) != draw_recipe(5, 1)
    assert [each.to_dict() for each in cohort_recipes(2, 5)] == [draw_recipe(5, n).to_dict() for n in range(2)]


def test_case_is_a_timed_dynamic_series_with_a_lesion_in_bone(recipe: SecondRecipe, case: Case) -> None:
    assert case.origin == "simulated"
    assert (case.case_id, case.patient_id) == ("sim2-5-00001",) * 2
    timing = assess_timing(case.series)
    assert timing.regime == "dynamic"
    assert abs(timing.arrival_s - recipe.protocol.arrival_s) < recipe.protocol.frame_duration_s + 6.0
    assert np.ptp(np.diff(case.series.times_s)) > 3.0, "frames are dense first and sparse later"
    assert case.series.grid.acquired_plane == "sagittal"
    mask = case.lesions[0].mask
    volume = np.pi / 6.0 * recipe.lesions[0].diameter_mm ** 3 / 1000.0
    assert mask.volume_ml == pytest.approx(volume, rel=0.06), "to a voxel or two of the coarse grid"
    assert label(mask.voxels)[1] == 1
    spine = Spine(recipe.anatomy)
    assert paint(recipe, spine).bone[mask.voxels].mean() > 0.25


def test_lesion_enhances_and_its_surroundings_much_less(recipe: SecondRecipe, case: Case) -> None:
    peak = compute_maps(case.series)["peak_enhancement"].values
    inside = np.nanmedian(peak[case.lesions[0].mask.voxels])
    bone = paint(recipe, Spine(recipe.anatomy)).shares["marrow"] * ~case.lesions[0].mask.voxels
    assert inside > 2.0 * np.nanmedian(peak[bone > 0.3])


def test_motion_and_interleaving_are_seen(recipe: SecondRecipe) -> None:
    frames = recipe.protocol.frame_count
    still = replace(recipe.scanner, snr=1e6, slips_mm=((0.0, 0.0),) * frames)
    slipped = replace(still, slips_mm=((0.0, 0.0),) * (frames - 1) + ((3.0 * recipe.protocol.spacing_mm[0], 0.0),))
    quiet, moved = (render(replace(recipe, scanner=scanner)).series.frames for scanner in (still, slipped))
    np.testing.assert_array_equal(quiet[..., 0], moved[..., 0])
    coil_free = np.corrcoef(np.roll(quiet[..., -1], 3, axis=0).ravel(), moved[..., -1].ravel())[0, 1]
    assert coil_free > 0.99 > np.corrcoef(quiet[..., -1].ravel(), moved[..., -1].ravel())[0, 1]
    together, apart = (replace(recipe.protocol, interleaved=flag, frame_duration_s=11.0) for flag in (False, True))
    first, second = (render(replace(recipe, scanner=still, protocol=scan)).series.frames for scan in (together, apart))
    rising = int(np.searchsorted(recipe.protocol.frame_times_s, recipe.protocol.arrival_s)) + 1
    change = second[..., rising] - first[..., rising]
    assert change[:, :, 1::2].sum() > 0 > change[:, :, 0::2].sum(), "odd slices are acquired later than even ones"


def test_recipe_of_another_version_or_shape_is_refused(recipe: SecondRecipe) -> None:
    values = recipe.to_dict()
    with pytest.raises(InvalidArgumentError, match=r"must be of version second-1\.0, got '0'"):
        SecondRecipe.from_dict({**values, "version": "0"})
    with pytest.raises(InvalidArgumentError, match="must hold the fields of a SecondRecipe"):
        SecondRecipe.from_dict({**values, "patient": {"age": 3}})
    for arguments, message in (
        ({"seed": -1}, "seed and case must be at least 0"),
        ({"seed": 1, "kinetics": "wild"}, "kinetics must be one of"),
        ({"seed": 1, "diagnosis": "cyst"}, "diagnosis must be one of"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            draw_recipe(**arguments)
    with pytest.raises(InvalidArgumentError, match="cases must be at least 1"):
        cohort_recipes(0, 1)


def enhancement(recipe: SecondRecipe) -> tuple[float, float, float]:
    """Maximum ratio, steepest rise and wash-out (%) of the hot tissue at 12 s a frame over 300 s, as Lang read them."""
    arrival = recipe.protocol.arrival_s + 12.0
    times = np.arange(0.0, arrival + 300.0, 12.0)
    scan = replace(
        recipe.protocol, frame_times_s=tuple(times), frame_duration_s=12.0, interleaved=False, arrival_s=arrival
    )
    curve = hot_spot_curve(replace(recipe, protocol=scan))
    baseline = curve[:2].mean()
    reference, late = np.interp([arrival + 67.0, arrival + 240.0], times, curve)
    return (curve.max() - baseline) / baseline, np.diff(curve).max() / baseline, 100.0 * (late - reference) / reference


def test_metastases_agree_with_the_published_means() -> None:
    """Lang 2017: maximum 1.7 +- 0.6 and wash-in 1.1 +- 0.4 (n 22); Lang 2019: wash-out -4.9 +- 12.6 % (n 61)."""
    read = np.array([enhancement(draw_recipe(11, n, diagnosis="metastasis")) for n in range(250)]).mean(axis=0)
    for found, mean, deviation, count in zip(read, (1.7, 1.1, -4.9), (0.6, 0.4, 12.6), (22, 22, 61), strict=True):
        assert abs(found - mean) < 1.96 * deviation / np.sqrt(count)


def test_primary_tumours_differ_in_the_assumed_direction_and_reversed_turns_it() -> None:
    def washout(kinetics: str) -> float:
        return float(
            np.mean(
                [
                    enhancement(draw_recipe(11, n, diagnosis="primary_malignant", kinetics=kinetics))[2]
                    for n in range(120)
                ]
            )
        )

    assert washout("medium") > washout("none") + 3.0 > washout("reversed") + 6.0


@pytest.fixture(scope="module")
def drawn() -> list[SecondRecipe]:
    return [draw_recipe(3, n) for n in range(2000)]


def test_ceiling_lies_where_the_first_world_s_lies(drawn: list[SecondRecipe]) -> None:
    truth = [int(each.diagnosis == "primary_malignant") for each in drawn]
    assert sum(truth) == 1000
    assert auc(truth, [bayes_posterior(each) for each in drawn]) == pytest.approx(0.90, abs=0.025)


def test_what_must_not_differ_does_not(drawn: list[SecondRecipe]) -> None:
    permitted = {
        "diagnosis", "histology", "site", "mass", "septa", "flow_per_min", "exchange_per_min", "vp", "ve", "rim",
        "patchiness",
    }  # fmt: skip

    def numbers(each: SecondRecipe) -> dict[str, float]:
        lesion = {name: value for name, value in asdict(each.lesions[0]).items() if name not in permitted}
        parts = {
            **lesion,
            **asdict(each.protocol),
            **asdict(each.anatomy),
            **asdict(each.agent),
            **asdict(each.scanner),
        }
        plain = {name: float(value) for name, value in parts.items() if isinstance(value, (int, float))}
        return {**plain, "age": each.patient.age_years, "level_number": LEVELS.index(each.anatomy.level)}

    rows = [numbers(each) for each in drawn]
    primary = np.array([each.diagnosis == "primary_malignant" for each in drawn])
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        assert ks_2samp(values[primary], values[~primary]).pvalue > 1e-4, name


def test_no_single_sign_weighs_more_than_ten(drawn: list[SecondRecipe]) -> None:
    for name in ("site", "mass", "septa"):
        for value in {getattr(each.lesions[0], name) for each in drawn}:
            shares = [
                np.mean([getattr(each.lesions[0], name) == value for each in drawn if each.diagnosis == diagnosis])
                for diagnosis in HISTOLOGIES
            ]
            assert 0.1 < shares[0] / shares[1] < 10.0, (name, value)
    assert set(KINETICS) == {"none", "mild", "medium", "strong", "reversed"}
