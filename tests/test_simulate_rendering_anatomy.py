"""Anatomy: what belongs to a level is there and has its size; what belongs elsewhere is not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from spinehub.inputs import PreprocessingSpec, make_stack
from spinehub.perfusion import assess_timing, compute_maps
from spinehub.simulate import CaseRecipe, draw_recipe, render_twin
from spinehub.simulate.anatomy import LEVEL_SIZES, LEVELS
from spinehub.simulate.protocol import spine_affine
from spinehub.simulate.scene import Scene, paint_scene
from spinehub.simulate.spine import SpineGeometry


def person(level: str, plane: str = "sagittal", *, centre: tuple[float, float, float] = (0, 0, 0), **anatomy):
    """One average person at a level, 1.5 mm in the plane."""
    drawn = draw_recipe(12, 1, plane=plane)
    matrix = (112, 112, 9)
    protocol = replace(
        drawn.protocol, matrix=matrix, spacing_mm=(1.5, 1.5, 4.0), tilt_deg=(0.0, 0.0, 0.0), centre_mm=centre
    )
    flat = {
        "tilt_jitter_deg": (0.0,) * len(LEVELS),
        "scoliosis_mm": 0.0,
        "collapse": 0.0,
        "size": 1.0,
        "cord_size": 1.0,
    }
    return replace(drawn, anatomy=replace(drawn.anatomy, level=level, **(flat | anatomy)), protocol=protocol)


def painted(recipe: CaseRecipe) -> tuple[Scene, SpineGeometry]:
    geometry = SpineGeometry(recipe.anatomy)
    return paint_scene(recipe, geometry), geometry


def positions(recipe: CaseRecipe) -> np.ndarray:
    """Positions ``(3, I, J, K)`` of the voxels in the spine frame."""
    affine = spine_affine(recipe.protocol)
    index = np.stack(np.meshgrid(*map(np.arange, recipe.protocol.matrix), indexing="ij")).reshape(3, -1)
    return (affine[:3, :3] @ index + affine[:3, 3:]).reshape(3, *recipe.protocol.matrix)


@pytest.mark.parametrize("level", ["C5", "T8", "L3"])
def test_bodies_have_the_published_height_and_depth(level: str) -> None:
    recipe = person(level)
    scene, geometry = painted(recipe)
    bone, place = scene.bone[:, :, 4].mean(axis=-1) > 0.5, LEVELS.index(level)
    x, y, z = (part[:, :, 4] for part in positions(recipe))
    tilt = geometry.tilt[place]
    up, forward = y * np.sin(tilt) + z * np.cos(tilt), y * np.cos(tilt) - z * np.sin(tilt)
    assert np.abs(x).max() < 1.0
    height = (bone & (np.abs(forward) < 1.0) & (np.abs(up) < 0.75 * LEVEL_SIZES.height[place])).sum() * 2.25 / 2.0
    depth = (bone & (np.abs(up - 4.5) < 1.0) & (np.abs(forward) < 0.65 * LEVEL_SIZES.depth[place])).sum() * 2.25 / 2.0
    assert height == pytest.approx(LEVEL_SIZES.height[place], abs=5.0)  # endplates are hollow in the middle
    assert depth == pytest.approx(LEVEL_SIZES.depth[place], abs=3.5)


def test_ribs_stand_beside_thoracic_vertebrae_only() -> None:
    chest, loin = person("T7", centre=(38.0, -20.0, 0.0)), person("L3", centre=(38.0, -20.0, 0.0))
    pieces = []
    for recipe in (chest, loin):
        scene, _ = painted(recipe)
        far = scene.bone[:, :, :3].mean(axis=-1) > 0.5  # the three slices farthest to the right: 46 to 54 mm
        pieces.append(label(far.any(axis=2))[1])
    assert pieces[0] >= 5
    assert pieces[1] == 0


def test_cord_ends_above_the_cauda() -> None:
    solid = []
    for level in ("T8", "L4"):
        recipe = person(level, "axial", centre=(0.0, -20.0, 0.0))
        scene, _ = painted(recipe)
        inside = scene.canal.mean(axis=-1) > 0.9
        solid.append(((scene.shares["cord"] > 0.95) & inside).sum())
        assert (scene.shares["csf"][inside] > 0.5).any()
    assert solid[0] > 60
    assert solid[1] == 0


def test_old_marrow_is_fatter_and_dry_discs_are_lower() -> None:
    count = len(LEVELS)
    young = person("L3", marrow_fat=0.3, disc_grade=(0.0,) * count)
    old = person("L3", marrow_fat=0.6, disc_grade=(0.9,) * count)
    (first, one), (second, other) = painted(young), painted(old)
    fat = [scene.shares["fat"][(scene.shares["marrow"] > 0.2)].mean() for scene in (first, second)]
    assert fat[1] > fat[0] + 0.2
    assert (other.disc < 0.7 * one.disc).all()
    assert first.shares["disc_young"].sum() > 3.0 * second.shares["disc_young"].sum()


def test_aorta_turns_to_the_front_above_the_fourth_thoracic_vertebra() -> None:
    recipe = person("T5", centre=(-6.0, 40.0, 30.0))
    scene, geometry = painted(recipe)
    artery = (scene.shares["artery"] > 0.5).any(axis=2)
    _, y, z = (part[:, :, 4] for part in positions(recipe))
    top = float(geometry.wall_yz[LEVELS.index("T4"), 1]) + 10.0
    reach = [np.ptp(y[artery & (np.abs(z - level) < 3.0)]) for level in (top, top - 50.0)]
    assert reach[0] > 30.0
    assert not (artery & (z > top + 20.0) & (z < top + 32.0)).any()


def test_facet_joints_part_the_articular_pillars() -> None:
    recipe = person("L3", centre=(16.0, -25.0, 0.0))
    scene, _ = painted(recipe)
    joint = (scene.shares["disc_young"] > 0.1) & (positions(recipe)[1] < -30.0)
    assert 3 < joint.sum() < 400


def test_body_ends_at_the_sides_in_an_axial_slice() -> None:
    drawn = person("L2", "axial", centre=(0.0, 20.0, 0.0), subcutaneous_mm=10.0)
    wide = replace(drawn, protocol=replace(drawn.protocol, matrix=(140, 112, 4), spacing_mm=(3.0, 3.0, 4.0)))
    scene, _ = painted(wide)
    tissue = np.sum(list(scene.shares.values()), axis=0)[:, :, 2] > 0.5
    width = tissue.any(axis=1).sum() * 3.0
    assert 300.0 < width < 345.0
    assert not tissue[0].any()
    assert not tissue[-1].any()


def test_networks_see_sagittal_slices_of_an_axial_series() -> None:
    drawn = draw_recipe(9, 0, plane="axial")
    shifts = ((0.0, 0.0, 0.0),) * 12
    recipe = replace(
        drawn,
        protocol=replace(
            drawn.protocol, matrix=(80, 80, 12), spacing_mm=(2.4, 2.4, 4.5), frame_interval_s=25.0, frame_count=12,
            arrival_s=45.0,
        ),
        artefacts=replace(drawn.artefacts, shifts_mm=shifts, jerks=()),
    )  # fmt: skip
    series = render_twin(recipe).series
    timing = assess_timing(series)
    stack = make_stack(
        series,
        PreprocessingSpec(),
        timing=timing,
        maps=compute_maps(series, timing),
        center_mm=recipe.protocol.position_mm,
    )
    assert stack.values.shape[2:] == (128, 128)
    assert np.isfinite(stack.values).all()
    # A sagittal slice of a stack of 12 axial slices is 54 mm high: 36 rows of 1.5 mm, with nothing above and below.
    filled = np.abs(stack.values[stack.values.shape[0] // 2]).sum(axis=(0, 2)) > 0
    assert 30 <= filled.sum() <= 44
