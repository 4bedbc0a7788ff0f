"""Rendering: deterministic, physical, and each effect is there (small matrices keep it quick)."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, center_of_mass, label
from scipy.stats import kstest, rayleigh
from threadpoolctl import threadpool_limits

from spinehub.perfusion import assess_timing, find_hot_spot, hot_spot_parameters
from spinehub.simulate import CaseRecipe, draw_recipe, expected_parameters, render, render_twin
from spinehub.simulate.artefacts import coil_sensitivity, moved
from spinehub.simulate.canvas import Canvas, rounded, smooth_field, soft
from spinehub.simulate.lesion_shape import lesion_maps
from spinehub.simulate.protocol import protocol_grid, spine_affine
from spinehub.simulate.rendering import ideal_frames
from spinehub.simulate.scene import SUB_SLICES, paint_scene
from spinehub.simulate.spine import SpineGeometry


def small(recipe: CaseRecipe, *, frames: int = 12, slices: int = 11, still: bool = False, **artefacts) -> CaseRecipe:
    """The same case on a coarse matrix with few frames of 25 s."""
    protocol = replace(
        recipe.protocol, matrix=(72, 72, slices), spacing_mm=(2.6, 2.6, 4.5), frame_interval_s=25.0, frame_count=frames,
        arrival_s=45.0, acquired=(1.0, 1.0), taper=0.0, fat_shift_voxels=0.0,
    )  # fmt: skip
    shifts = ((0.0, 0.0, 0.0),) * frames if still else (recipe.artefacts.shifts_mm * frames)[:frames]
    if still:
        artefacts = {"ghost": 0.0, "csf_pulsation": 0.0, "jerks": (), "wrap": 0.0, **artefacts}
    return replace(recipe, protocol=protocol, artefacts=replace(recipe.artefacts, shifts_mm=shifts, **artefacts))


@pytest.fixture(scope="module")
def recipe() -> CaseRecipe:
    return small(draw_recipe(12, 1))


@pytest.fixture(scope="module")
def scene_of(recipe: CaseRecipe):
    return paint_scene(recipe, SpineGeometry(recipe.anatomy))


def test_same_recipe_gives_identical_bytes(recipe: CaseRecipe) -> None:
    one, two = render(recipe), render(CaseRecipe.from_dict(recipe.to_dict()))
    np.testing.assert_array_equal(one.series.frames, two.series.frames)
    np.testing.assert_array_equal(one.lesions[0].mask.voxels, two.lesions[0].mask.voxels)


def test_number_of_threads_changes_no_byte() -> None:
    recipe = draw_recipe(3, 0)
    with threadpool_limits(limits=1):
        alone = render(recipe)
    with threadpool_limits(limits=2):
        np.testing.assert_array_equal(render(recipe).series.frames, alone.series.frames)


def test_case_says_what_it_is(recipe: CaseRecipe) -> None:
    case = render(recipe)
    assert case.origin == "simulated"
    assert case.recipe == recipe.to_dict()
    assert case.patient_id == case.case_id
    assert case.series.baseline_frames is None
    assert case.series.protocol.echo_time_s == recipe.protocol.echo_time_s
    assert case.lesions[0].diagnosis == recipe.diagnosis
    assert case.series.grid.acquired_plane == "sagittal"
    assert case.series.grid.axis_codes == ("P", "I", "L")
    assert np.isfinite(case.series.frames).all()
    assert 100 < case.series.frames.max() < 32767


@pytest.mark.parametrize("case", range(6))
def test_lesion_has_the_drawn_volume_and_is_one_piece(case: int) -> None:
    recipe = small(draw_recipe(31, case), slices=23)  # wide enough for the whole lesion
    lesion = render(recipe).lesions[0]
    drawn_ml = np.pi / 6.0 * recipe.lesions[0].diameter_mm ** 3 / 1000.0
    assert lesion.mask.volume_ml == pytest.approx(drawn_ml, rel=0.1, abs=0.35)
    assert label(lesion.mask.voxels)[1] == 1


@pytest.mark.parametrize("case", range(3))
def test_index_lesion_lies_at_the_index_vertebra(case: int) -> None:
    recipe = small(draw_recipe(32, case))
    grid = protocol_grid(recipe.protocol)
    mask = render(recipe).lesions[0].mask
    to_spine = spine_affine(recipe.protocol) @ grid.inverse
    centre = to_spine[:3, :3] @ np.array(mask.centroid_mm) + to_spine[:3, 3]
    assert np.linalg.norm(centre) < 25.0 + 0.5 * recipe.lesions[0].diameter_mm


def test_twin_equals_the_case_away_from_the_lesion() -> None:
    recipe = small(draw_recipe(12, 1), still=True, ghost=0.0)
    case, twin = render(recipe), render_twin(recipe)
    geometry = SpineGeometry(recipe.anatomy)
    maps = lesion_maps(recipe, recipe.lesions[0], geometry, paint_scene(recipe, geometry))
    touched = np.zeros(case.series.grid.shape, dtype=bool)
    touched[maps.box] = maps.share > 0
    assert not twin.lesions
    np.testing.assert_array_equal(case.series.frames[~touched], twin.series.frames[~touched])
    assert np.abs(case.series.frames - twin.series.frames)[touched].mean() > 10.0


def test_lesions_of_a_multiple_case_are_all_rendered() -> None:
    recipe = small(next(r for r in (draw_recipe(7, k, cohort="as-published") for k in range(40)) if len(r.lesions) > 1))
    lesions = render(recipe).lesions
    assert 1 <= len(lesions) <= len(recipe.lesions)
    assert lesions[0].level == recipe.anatomy.level


def test_a_further_lesion_beyond_the_field_of_view_is_left_out() -> None:
    recipe = small(next(r for r in (draw_recipe(7, k, cohort="as-published") for k in range(40)) if len(r.lesions) > 1))
    index = replace(recipe.lesions[0], level=recipe.anatomy.level)
    far = replace(recipe.lesions[1], level="C3" if recipe.anatomy.level.startswith(("L", "S")) else "S2")
    narrow = replace(recipe.protocol, matrix=(40, 40, 11))
    alone, both = (render(replace(recipe, protocol=narrow, lesions=lesions)) for lesions in ((index,), (index, far)))
    np.testing.assert_array_equal(both.series.frames, alone.series.frames)
    assert len(both.lesions) == 1


def test_noise_in_air_is_rayleigh_distributed(recipe: CaseRecipe) -> None:
    quiet = small(recipe, still=True, ghost=0.0)
    scene = paint_scene(quiet, SpineGeometry(quiet.anatomy))
    air = np.sum(list(scene.shares.values()), axis=0) == 0
    values = render(quiet).series.frames[air].ravel()
    # Stored as whole numbers: spread evenly over the unit each stands for.
    values = values + np.random.default_rng(3).uniform(-0.5, 0.5, values.size)
    sigma = np.sqrt((values.astype(float) ** 2).mean() / 2.0)
    assert values.size > 150
    assert kstest(values, rayleigh(scale=sigma).cdf).pvalue > 0.001
    assert values.mean() / sigma == pytest.approx(np.sqrt(np.pi / 2.0), rel=0.03)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_motion_shifts_the_centroid(recipe: CaseRecipe, axis: int) -> None:
    frame = np.zeros(recipe.protocol.matrix, dtype=np.float32)
    frame[30:40, 30:40, 4:7] = 1.0
    shift = [0.0, 0.0, 0.0]
    shift[axis] = 1.7
    affine = spine_affine(recipe.protocol)
    before, after = (np.array(center_of_mass(part)) for part in (frame, moved(frame, tuple(shift), recipe)))
    np.testing.assert_allclose(affine[:3, :3] @ (after - before), shift, atol=0.2)
    assert moved(frame, (0.0, 0.0, 0.0), recipe) is frame


def test_still_and_moved_series_differ(recipe: CaseRecipe) -> None:
    restless = small(recipe, still=True)
    shifts = (*restless.artefacts.shifts_mm[:-1], (0.0, 3.0, 0.0))
    moving = replace(restless, artefacts=replace(restless.artefacts, shifts_mm=shifts))
    one, two = render(restless).series.frames, render(moving).series.frames
    np.testing.assert_array_equal(one[..., 0], two[..., 0])
    assert np.abs(one[..., -1] - two[..., -1]).mean() > np.abs(one[..., -1]).mean() * 0.02


def test_coil_shading_is_smooth_and_falls_to_the_front(recipe: CaseRecipe) -> None:
    gain = coil_sensitivity(recipe)
    assert gain.min() > 0
    middle = gain[:, 36, 5]
    assert middle[-1] > middle[0]
    assert np.abs(np.diff(np.log(middle), n=2)).max() < 0.35


def test_shares_fill_each_voxel_once(scene_of) -> None:
    total = np.sum(list(scene_of.shares.values()), axis=0)
    assert min(share.min() for share in scene_of.shares.values()) >= -1e-5
    assert total.max() <= 1.0 + 1e-4
    assert np.mean(total > 0.99) > 0.3


def test_partial_volume_keeps_the_sum() -> None:
    fine = np.arange(-10.0, 10.0, 0.25, dtype=np.float32)
    coarse = fine.reshape(-1, 8).mean(axis=1)
    assert soft(fine, 0.25).reshape(-1, 8).mean(axis=1) == pytest.approx(soft(coarse, 2.0), abs=0.13)
    assert soft(coarse, 2.0).sum() * 2.0 == pytest.approx(soft(fine, 0.25).sum() * 0.25, abs=0.2)


def test_thick_slices_average_sub_slices(scene_of) -> None:
    assert SUB_SLICES >= 2
    body = scene_of.bone.astype(np.float32)
    assert np.mean((body.mean(axis=-1) > 0.02) & (body.mean(axis=-1) < 0.98)) > 0.01


def test_rounded_intersection_is_negative_only_inside_both() -> None:
    a, b = np.meshgrid(np.linspace(-5, 5, 41), np.linspace(-5, 5, 41))
    distance = rounded(a, b, 1.0)
    assert (distance[(a > 0) | (b > 0)] >= -1e-6).all()
    assert (distance[(a < -1) & (b < -1)] < 0).all()


def test_canvas_covers_front_to_back() -> None:
    canvas = Canvas(3)
    canvas.paint(np.array([1.0, 0.5, 0.0], dtype=np.float32), {"bone": 1.0})
    canvas.paint(np.ones(3, dtype=np.float32), {"fat": 0.25, "muscle": 0.75})
    np.testing.assert_allclose(canvas.layers["bone"], [1.0, 0.5, 0.0])
    np.testing.assert_allclose(canvas.layers["fat"] + canvas.layers["muscle"], [0.0, 0.5, 1.0])
    np.testing.assert_allclose(canvas.free, 0.0)


def test_smooth_field_has_unit_variance_and_is_smooth(rng: np.random.Generator) -> None:
    field = smooth_field(rng, (60, 60, 30), (1.0, 1.0, 4.0), (6.0, 6.0, 12.0))
    assert field.shape == (60, 60, 30)
    assert field.std() == pytest.approx(1.0, abs=0.15)
    assert np.diff(field, axis=0).std() < 0.5


def test_gadolinium_lowers_the_signal_of_fatty_tissue_at_opposed_phase(recipe: CaseRecipe) -> None:
    protocol = replace(recipe.protocol, field_strength_t=1.5, echo_time_s=0.0023, fat_signal=1.0)
    opposed = replace(recipe, protocol=protocol)
    geometry = SpineGeometry(opposed.anatomy)
    scene = paint_scene(opposed, geometry)
    frames = ideal_frames(opposed, scene, [])
    fatty = (scene.shares["fat"] > 0.75) & (scene.shares["marrow"] + scene.shares["muscle"] > 0.12)
    assert fatty.sum() > 20
    assert frames[-1][fatty].mean() < frames[0][fatty].mean()


def test_enhancement_starts_after_arrival(recipe: CaseRecipe) -> None:
    recipe = small(recipe, csf_pulsation=0.0)
    geometry = SpineGeometry(recipe.anatomy)
    scene = paint_scene(recipe, geometry)
    frames = ideal_frames(recipe, scene, [lesion_maps(recipe, recipe.lesions[0], geometry, scene)])
    np.testing.assert_allclose(frames[1], frames[0], rtol=1e-4, atol=1e-6)
    artery = scene.shares["artery"] > 0.9
    assert frames[3][artery].mean() > 1.5 * frames[0][artery].mean()


def test_measured_hot_spots_agree_with_their_recipes() -> None:
    ratios, differences = [], []
    for case in (3, 13, 19, 0):
        drawn = draw_recipe(11, case)
        shifts = ((0.0, 0.0, 0.0),) * drawn.protocol.frame_count
        recipe = replace(
            drawn,
            artefacts=replace(drawn.artefacts, shifts_mm=shifts, snr=60.0, ghost=0.0, csf_pulsation=0.0, jerks=()),
        )
        rendered = render(recipe)
        timing = assess_timing(rendered.series)
        assert timing.regime == "dynamic"
        assert timing.arrival_s == pytest.approx(recipe.protocol.arrival_s, abs=recipe.protocol.frame_interval_s)
        hot = find_hot_spot(rendered.series, rendered.lesions[0].mask, timing)
        found, truth = hot_spot_parameters(hot, timing), expected_parameters(recipe)
        ratios.append(found["early_enhancement"].value / truth["early_enhancement"])
        differences.append(found["washout"].value - truth["washout"])
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)
    assert max(abs(difference) for difference in differences) < 12.0


def test_lesion_stays_out_of_the_cord(recipe: CaseRecipe, scene_of) -> None:
    maps = lesion_maps(recipe, recipe.lesions[0], SpineGeometry(recipe.anatomy), scene_of)
    solid = maps.share >= 0.5
    cord = scene_of.shares["cord"][maps.box]
    assert cord[solid].mean() < 0.1
    assert not binary_dilation(solid).all()
