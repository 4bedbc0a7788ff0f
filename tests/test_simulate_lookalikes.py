"""What enhances and is no tumour: each look-alike is where and what it should be."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.simulate import (
    LOOKALIKES,
    CaseRecipe,
    bayes_posterior,
    draw_lookalike,
    draw_recipe,
    expected_parameters,
    render,
)
from spinehub.simulate.anatomy import LEVEL_SIZES, LEVELS
from spinehub.simulate.expected import published_figures
from spinehub.simulate.lesion_box import LesionMaps, box_points, to_vertebra_frame
from spinehub.simulate.lesion_shape import lesion_maps
from spinehub.simulate.scene import Scene, paint_scene
from spinehub.simulate.spine import SpineGeometry

CASES = (0, 1, 2)

_CALM = {"ghost": 0.0, "csf_pulsation": 0.0, "jerks": (), "wrap": 0.0}


def coarse(recipe: CaseRecipe) -> CaseRecipe:
    protocol = replace(
        recipe.protocol, matrix=(72, 72, 13), spacing_mm=(1.5, 1.5, 4.0), centre_mm=(0.0, 0.0, 0.0),
        frame_interval_s=25.0, frame_count=13, arrival_s=45.0, acquired=(1.0, 1.0), taper=0.0, fat_shift_voxels=0.0,
    )  # fmt: skip
    shifts = ((0.0, 0.0, 0.0),) * 13
    return replace(recipe, protocol=protocol, artefacts=replace(recipe.artefacts, shifts_mm=shifts, **_CALM))


@cache
def drawn(kind: str, case: int) -> tuple[CaseRecipe, SpineGeometry, Scene, LesionMaps]:
    recipe = coarse(draw_lookalike(kind, 17, case))
    geometry = SpineGeometry(recipe.anatomy)
    scene = paint_scene(recipe, geometry)
    return recipe, geometry, scene, lesion_maps(recipe, recipe.lesions[0], geometry, scene)


def places(kind: str, case: int, below: int = 0) -> NDArray[np.float32]:
    """``(3, n)`` right, forward, up of the look-alike's voxels in the frame of its vertebra (or one further down)."""
    recipe, geometry, _, maps = drawn(kind, case)
    points = box_points(recipe, maps.box).mean(axis=-1)
    level = LEVELS.index(recipe.lesions[0].level) + below
    return np.stack(to_vertebra_frame(points, level, geometry))[:, maps.share >= 0.5]


def tissue(kind: str, case: int, name: str) -> NDArray[np.float32]:
    """Share of normal bone, disc or canal where the look-alike lies."""
    _, _, scene, maps = drawn(kind, case)
    if name == "disc":
        return (scene.shares["disc_young"] + scene.shares["disc_dry"])[maps.box][maps.share >= 0.5]
    return getattr(scene, name)[maps.box].astype(np.float32).mean(axis=-1)[maps.share >= 0.5]


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="kind must be one of"):
        draw_lookalike("osteophyte", 1)


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_lookalike_belongs_to_no_class_and_depends_on_its_arguments_alone(kind: str) -> None:
    recipe = draw_lookalike(kind, 4, 2)
    assert recipe.diagnosis is None
    assert [lesion.histology for lesion in recipe.lesions] == [kind]
    assert draw_lookalike(kind, 4, 2) == recipe
    assert draw_lookalike(kind, 4, 3) != recipe
    assert CaseRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    with pytest.raises(InvalidArgumentError, match="recipe must hold a lesion of one of the two classes"):
        bayes_posterior(recipe)


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_rendered_lookalike_enhances_and_carries_its_name(kind: str) -> None:
    case = render(drawn(kind, 0)[0])
    (lesion,) = case.lesions
    assert (lesion.histology, lesion.diagnosis) == (kind, None)
    assert 20 < lesion.mask.voxels.sum() < 8000
    curve = case.series.frames[lesion.mask.voxels].mean(axis=0)
    assert curve[4:].max() > 1.1 * curve[:2].mean()


@pytest.mark.parametrize("case", CASES)
def test_haemangioma_is_round_marrow_with_more_fat(case: int) -> None:
    recipe, _, scene, maps = drawn("haemangioma", case)
    marrow = (scene.shares["fat"] + scene.shares["marrow"] > 0.9)[maps.box] & (maps.share >= 0.5)
    assert recipe.lesions[0].fat > scene.shares["fat"][maps.box][marrow].mean() + 0.05
    assert tissue("haemangioma", case, "bone").mean() > 0.9
    assert places("haemangioma", case).std(axis=1).max() < 2.5 * places("haemangioma", case).std(axis=1).min()


def test_haemangioma_keeps_its_contrast_longer_than_a_metastasis() -> None:
    def washout(recipe: CaseRecipe) -> float:
        in_phase = replace(recipe.protocol, field_strength_t=3.0, echo_time_s=0.0023, frame_interval_s=12.0,
                           frame_count=28, arrival_s=30.0)  # fmt: skip
        return expected_parameters(replace(recipe, protocol=in_phase))["washout"]

    haemangiomas = [washout(draw_lookalike("haemangioma", 8, case)) for case in range(40)]
    metastases = [washout(draw_recipe(8, case, diagnosis="metastasis")) for case in range(40)]
    assert np.mean(haemangiomas) > np.mean(metastases) + 3.0


@pytest.mark.parametrize("case", CASES)
def test_fracture_is_a_band_under_the_upper_endplate_of_a_collapsed_body(case: int) -> None:
    recipe, geometry, _, maps = drawn("osteoporotic_fracture", case)
    level = geometry.index_level
    right, forward, up = places("osteoporotic_fracture", case)
    half = geometry.height[level] / 2.0
    assert up.mean() > 0.2 * half
    assert up.min() > half * (1.0 - 0.4 * recipe.anatomy.collapse) - recipe.lesions[0].rim_mm - 4.0
    assert np.ptp(right) > 2.0 * np.ptp(up)
    assert np.ptp(forward) > 0.7 * geometry.depth[level]
    assert geometry.height[level] < 0.95 * LEVEL_SIZES.height[level] * recipe.anatomy.size
    assert recipe.patient.age_years > 60.0
    assert 0.0 < maps.matrix[maps.share >= 0.5].mean() < 0.5


@pytest.mark.parametrize("case", CASES)
def test_schmorl_node_is_a_pocket_of_disc_with_an_enhancing_rim(case: int) -> None:
    _, geometry, _, maps = drawn("schmorl_node", case)
    up = places("schmorl_node", case)[2]
    side = np.sign(up.mean())
    assert side * up.mean() > 0.1 * geometry.height[geometry.index_level]
    assert np.abs(up).max() > 0.38 * geometry.height[geometry.index_level]
    inside = maps.share >= 0.5
    points = box_points(drawn("schmorl_node", case)[0], maps.box).mean(axis=-1)
    height = side * to_vertebra_frame(points, geometry.index_level, geometry)[2]
    pocket, rim = inside & (maps.necrosis > 0.8), inside & (maps.necrosis < 0.2)
    assert pocket.any()
    assert rim.any()
    assert height[pocket].mean() > height[rim].mean()  # the disc has sunk in from the endplate


@pytest.mark.parametrize("case", CASES)
def test_modic_change_lies_along_both_endplates_and_spares_the_disc(case: int) -> None:
    _, geometry, _, _ = drawn("modic_change", case)
    level = geometry.index_level
    above, below = places("modic_change", case)[2], places("modic_change", case, below=1)[2]
    upper, lower = above > -0.5 * geometry.height[level], below < 0.5 * geometry.height[level + 1]
    assert upper.mean() > 0.2
    assert lower.mean() > 0.2
    assert above[upper].mean() < 0.0 < below[lower].mean()
    assert tissue("modic_change", case, "disc").mean() < 0.15


@pytest.mark.parametrize("case", CASES)
def test_infection_crosses_the_disc_into_both_bodies_and_stays_out_of_the_canal(case: int) -> None:
    _, geometry, _, maps = drawn("spondylodiscitis", case)
    level = geometry.index_level
    above, below = places("spondylodiscitis", case)[2], places("spondylodiscitis", case, below=1)[2]
    assert (tissue("spondylodiscitis", case, "disc") > 0.6).mean() > 0.05
    assert (above > -0.5 * geometry.height[level] + 1.0).mean() > 0.1
    assert (below < 0.5 * geometry.height[level + 1] - 1.0).mean() > 0.1
    assert tissue("spondylodiscitis", case, "canal").mean() < 0.05
    assert 0.01 < maps.necrosis[maps.share >= 0.5].mean() < 0.4


@pytest.mark.parametrize("case", CASES)
def test_vein_is_a_wedge_behind_the_middle_that_fills_early_and_empties(case: int) -> None:
    recipe, geometry, _, _ = drawn("basivertebral_vein", case)
    right, forward, up = places("basivertebral_vein", case)
    assert abs(up.mean()) < 1.5
    assert np.abs(right).max() < 8.0
    assert forward.mean() < 0.45 * geometry.depth[geometry.index_level]
    assert expected_parameters(recipe)["washout"] < -8.0
    assert expected_parameters(recipe)["early_enhancement"] > 80.0


def test_infection_enhances_as_published() -> None:
    """Tuberculosis of Lang 2017 (n 24): maximum 2.0 +- 0.8, steepest rise 1.0 +- 0.6, wash-out 7 +- 10 %."""
    figures = [published_figures(draw_lookalike("spondylodiscitis", 23, case)) for case in range(120)]
    assert 1.66 <= np.mean([one["maximum"] for one in figures]) <= 2.34
    assert 0.75 <= np.mean([one["steepest_rise"] for one in figures]) <= 1.25
    assert 2.8 <= np.mean([one["washout"] for one in figures]) <= 11.2
