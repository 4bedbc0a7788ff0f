"""Lesions: each drawn property shows where it should, and nowhere else; a lesion fits into another examination."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from spinehub.simulate import CaseRecipe, draw_recipe, render, swap_lesion
from spinehub.simulate.expected import published_figures
from spinehub.simulate.lesion_box import LesionMaps
from spinehub.simulate.lesion_shape import lesion_maps
from spinehub.simulate.rendering import ideal_frames
from spinehub.simulate.scene import Scene, paint_scene
from spinehub.simulate.spine import SpineGeometry

_CALM = {"ghost": 0.0, "csf_pulsation": 0.0, "jerks": (), "wrap": 0.0}


def coarse(recipe: CaseRecipe) -> CaseRecipe:
    protocol = replace(
        recipe.protocol, matrix=(72, 72, 15), spacing_mm=(1.8, 1.8, 4.0), centre_mm=(0.0, 0.0, 0.0),
        frame_interval_s=25.0, frame_count=12, arrival_s=45.0, acquired=(1.0, 1.0), taper=0.0, fat_shift_voxels=0.0,
    )  # fmt: skip
    shifts = ((0.0, 0.0, 0.0),) * 12
    return replace(recipe, protocol=protocol, artefacts=replace(recipe.artefacts, shifts_mm=shifts, **_CALM))


@cache
def background() -> tuple[CaseRecipe, SpineGeometry, Scene]:
    recipe = coarse(next(r for r in (draw_recipe(6, case) for case in range(60)) if r.anatomy.level in ("L2", "L3")))
    geometry = SpineGeometry(recipe.anatomy)
    return recipe, geometry, paint_scene(recipe, geometry)


def lesion(signs: dict[str, Any] | None = None, **values: Any) -> tuple[CaseRecipe, LesionMaps, np.ndarray]:
    """A plain lumbar lesion of 28 mm with some properties set: recipe, maps, and which voxels of the box it fills."""
    recipe, geometry, scene = background()
    plain = {
        "site": "body_central",
        "soft_tissue_mass": "none",
        "septa": "none",
        "unevenness": 0.1,
        "rim_contrast": 0.3,
    }
    drawn = replace(
        recipe.lesions[0], diameter_mm=28.0, necrosis=0.0, matrix=0.0, margin_mm=1.0, rim_mm=5.0,
        signs=replace(recipe.lesions[0].signs, **plain),
    )  # fmt: skip
    drawn = replace(replace(drawn, signs=replace(drawn.signs, **(signs or {}))), **values)
    maps = lesion_maps(recipe, drawn, geometry, scene)
    return replace(recipe, lesions=(drawn,)), maps, maps.share >= 0.5


def share_of(name: str, maps: LesionMaps, solid: np.ndarray) -> float:
    return float(getattr(background()[2], name)[maps.box].astype(np.float32).mean(axis=-1)[solid].mean())


def test_soft_tissue_mass_takes_the_lesion_out_of_the_bone() -> None:
    outside = [1.0 - share_of("bone", *lesion({"soft_tissue_mass": size})[1:]) for size in ("none", "small", "large")]
    assert outside[0] < 0.35
    assert outside[0] + 0.1 < outside[2]
    assert outside[0] <= outside[1] + 0.02 <= outside[2] + 0.04


def test_lesion_enters_the_canal_as_far_as_drawn() -> None:
    signs = {"site": "posterior", "soft_tissue_mass": "small"}
    filled = [share_of("canal", *lesion(signs, canal_reach=reach)[1:]) for reach in (0.0, 0.3, 0.7)]
    assert filled[0] < 0.05
    assert filled[0] + 0.03 < filled[1] < filled[2]


def test_spared_discs_hold_the_lesion_back() -> None:
    signs = {"site": "body_central", "soft_tissue_mass": "small"}
    crossing, sparing = (share_of("disc", *lesion(signs, disc_sparing=value)[1:]) for value in (0.0, 1.0))
    assert sparing < crossing


def test_site_decides_which_part_of_the_vertebra_is_the_seat() -> None:
    recipe = background()[0]
    forward = {}
    for site in ("body_central", "body_posterior", "posterior"):
        _, maps, solid = lesion({"site": site})
        voxels = np.argwhere(solid) + [part.start for part in maps.box]
        forward[site] = -voxels[:, 0].mean() * recipe.protocol.spacing_mm[0]  # the first axis runs to the back
    assert forward["body_central"] > forward["body_posterior"] > forward["posterior"]
    assert forward["body_central"] - forward["posterior"] > 20.0


def test_necrosis_and_matrix_cover_their_drawn_shares() -> None:
    _, maps, solid = lesion(necrosis=0.4)
    assert 0.1 < maps.necrosis[solid].mean() < 0.45
    _, maps, solid = lesion(matrix=0.4)
    assert maps.matrix[solid].mean() == pytest.approx(0.4, abs=0.06)
    _, maps, solid = lesion()
    assert maps.necrosis.max() == maps.matrix.max() == 0.0


def test_blastic_lesion_is_darker_and_enhances_less_than_a_lytic_one() -> None:
    def signal(matrix: float) -> np.ndarray:
        recipe, maps, solid = lesion(matrix=matrix)
        frames = ideal_frames(recipe, background()[2], [maps])
        return frames[(slice(None), *maps.box)][:, solid].mean(axis=1)

    lytic, blastic = signal(0.0), signal(0.45)
    assert blastic[0] < 0.8 * lytic[0]
    assert np.ptp(blastic) < 0.8 * np.ptp(lytic)


@pytest.mark.parametrize("contrast", [0.8, -0.8])
def test_rim_is_hotter_or_colder_than_the_core(contrast: float) -> None:
    _, maps, solid = lesion({"rim_contrast": contrast, "unevenness": 0.05})
    edge = solid & binary_dilation(~solid, iterations=1)
    core = solid & ~binary_dilation(~solid, iterations=3)
    difference = maps.log_ktrans[edge].mean() - maps.log_ktrans[core].mean()
    assert np.sign(difference) == np.sign(contrast)
    assert abs(difference) > 0.4


def test_fibrous_septa_are_dark_and_arcs_outshine_the_lobules() -> None:
    _, plain, solid = lesion({"unevenness": 0.05})
    _, fibrous, _ = lesion({"unevenness": 0.05, "septa": "fibrous"})
    _, arcs, _ = lesion({"unevenness": 0.05, "septa": "arcs"})
    septa = solid & (fibrous.density < 0.7)
    lobules = solid & (fibrous.density > 0.99)
    assert 0.05 < septa.sum() / solid.sum() < 0.5
    assert plain.density.min() == arcs.density.min() == 1.0
    assert (fibrous.log_ktrans - plain.log_ktrans)[septa].mean() < -0.8
    assert (arcs.log_ktrans - plain.log_ktrans)[lobules].mean() < -0.5
    assert np.abs((arcs.log_ktrans - plain.log_ktrans)[septa]).mean() < 0.25


def test_reaction_of_bone_sets_how_much_matrix_there_is() -> None:
    drawn = [draw_recipe(2, case).lesions[0] for case in range(300)]
    matrix = {
        name: [one.matrix for one in drawn if one.bone_reaction == name] for name in ("lytic", "mixed", "blastic")
    }
    assert set(matrix["lytic"]) == {0.0}
    assert max(matrix["mixed"]) <= min(matrix["blastic"])
    assert len(matrix["lytic"]) > len(matrix["mixed"]) > len(matrix["blastic"]) > 20


def test_swapped_lesion_changes_nothing_away_from_the_two_lesions() -> None:
    recipe, other = (coarse(draw_recipe(14, case)) for case in (0, 1))
    swapped = swap_lesion(recipe, other)
    assert replace(swapped, lesions=recipe.lesions) == recipe
    assert swapped.diagnosis == other.diagnosis != recipe.diagnosis
    one, two = render(recipe), render(swapped)
    geometry = SpineGeometry(recipe.anatomy)
    scene = paint_scene(recipe, geometry)
    touched = np.zeros(one.series.grid.shape, dtype=bool)
    for source in (recipe, swapped):
        maps = lesion_maps(source, source.lesions[0], geometry, scene)
        touched[maps.box] |= maps.share > 0
    np.testing.assert_array_equal(one.series.frames[~touched], two.series.frames[~touched])
    assert np.abs(one.series.frames - two.series.frames)[touched].mean() > 10.0


def test_swapped_lesion_follows_the_field_strength() -> None:
    weak, strong = (
        next(r for r in (draw_recipe(3, n) for n in range(40)) if r.protocol.field_strength_t == t) for t in (1.5, 3.0)
    )
    assert swap_lesion(weak, strong).lesions[0].t1_s == pytest.approx(strong.lesions[0].t1_s / 1.21)
    assert swap_lesion(strong, weak).lesions[0].t1_s == pytest.approx(weak.lesions[0].t1_s * 1.21)
    assert swap_lesion(weak, weak) == replace(weak, lesions=weak.lesions[:1])


@pytest.mark.parametrize(
    ("histology", "peak", "rise", "late"),
    [("myeloma", (1.76, 2.84), (1.32, 2.08), (-29.7, -14.3)), ("lymphoma", (2.33, 3.07), (0.72, 1.28), (0.2, 5.8))],
)
def test_myeloma_and_lymphoma_enhance_as_published(histology: str, peak, rise, late) -> None:
    """Means within the 95 % intervals of Lang 2017 (n 9 and 7; 12 s frames up to 300 s, assumed)."""
    figures = []
    for case in range(200):
        recipe = draw_recipe(41, case, histology=histology)
        assert (recipe.diagnosis, recipe.lesions[0].histology) == (None, histology)
        shown = published_figures(recipe)
        figures.append([shown[name] for name in ("maximum", "steepest_rise", "washout")])
    for value, (low, high) in zip(np.mean(figures, axis=0), (peak, rise, late), strict=True):
        assert low <= value <= high
