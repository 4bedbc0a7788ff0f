"""What a scanner adds: each effect is there, has the size it should have, and vanishes when it is switched off."""

from dataclasses import replace

import numpy as np
import pytest

from spinehub.simulate import CaseRecipe, draw_recipe, render
from spinehub.simulate.artefacts import add_ghosts, fat_restored, folded, jerked, moved, outside_strips, pulsation
from spinehub.simulate.kspace import Receiver, inner_lines, sampling_of, zero_filling
from spinehub.simulate.parts import JerkRecipe
from spinehub.simulate.protocol import spine_affine
from spinehub.simulate.rendering import ideal_frames
from spinehub.simulate.scene import Scene, paint_scene
from spinehub.simulate.spine import SpineGeometry


@pytest.fixture(scope="module")
def recipe() -> CaseRecipe:
    """A quiet case on a coarse matrix: no motion, ghosts, wrap-around or truncation until a test asks for them."""
    drawn = draw_recipe(12, 1)
    protocol = replace(
        drawn.protocol, matrix=(72, 72, 10), spacing_mm=(2.6, 2.6, 4.5), frame_interval_s=25.0, frame_count=6,
        arrival_s=45.0, acquired=(1.0, 1.0), taper=0.0, fat_shift_voxels=0.0,
    )  # fmt: skip
    artefacts = replace(
        drawn.artefacts, shifts_mm=((0.0, 0.0, 0.0),) * 6, jerks=(), ghost=0.0, csf_pulsation=0.0, wrap=0.0,
        fat_failure=0.0, snr=1e4,
    )  # fmt: skip
    return replace(drawn, protocol=protocol, artefacts=artefacts)


@pytest.fixture(scope="module")
def scene(recipe: CaseRecipe) -> Scene:
    return paint_scene(recipe, SpineGeometry(recipe.anatomy))


def with_artefacts(recipe: CaseRecipe, **changed) -> CaseRecipe:
    return replace(recipe, artefacts=replace(recipe.artefacts, **changed))


def test_noise_is_rician(rng: np.random.Generator) -> None:
    full = zero_filling(40, 1.0, 0.0), zero_filling(40, 1.0, 0.0)
    strong = Receiver(full, 2.0, rng).image(np.full((40, 40, 40), 100.0, dtype=np.float32))
    assert strong.mean() == pytest.approx(100.0 + 2.0**2 / 200.0, abs=0.05)
    assert strong.std() == pytest.approx(2.0, rel=0.03)
    air = Receiver(full, 2.0, rng).image(np.zeros((40, 40, 40), dtype=np.float32))
    assert air.mean() == pytest.approx(2.0 * np.sqrt(np.pi / 2.0), rel=0.02)
    assert air.min() >= 0


@pytest.mark.parametrize(("share", "taper"), [(1.0, 0.0), (1.0, 0.5), (0.7, 0.0), (0.6, 0.9)])
def test_noise_of_a_voxel_is_as_asked_whatever_is_sampled(rng: np.random.Generator, share: float, taper: float) -> None:
    sampling = zero_filling(48, share, taper), zero_filling(48, share, taper)
    image = Receiver(sampling, 3.0, rng).image(np.full((48, 48, 30), 500.0, dtype=np.float32))
    assert image.std() == pytest.approx(3.0, rel=0.05)


def test_zero_filling_correlates_the_noise_of_neighbours(rng: np.random.Generator) -> None:
    def neighbours(share: float) -> float:
        sampling = zero_filling(64, share, 0.0), zero_filling(64, share, 0.0)
        image = Receiver(sampling, 3.0, rng).image(np.full((64, 64, 20), 500.0, dtype=np.float32)) - 500.0
        return float(np.corrcoef(image[1:].ravel(), image[:-1].ravel())[0, 1])

    assert abs(neighbours(1.0)) < 0.02
    assert neighbours(0.6) == pytest.approx(np.sinc(0.6), abs=0.06)


def test_truncation_keeps_low_frequencies_and_removes_high_ones() -> None:
    sampling = zero_filling(64, 0.5, 0.0)
    assert sampling is not None
    place = 2.0 * np.pi * np.arange(64) / 64
    kept = sampling.up @ sampling.down
    np.testing.assert_allclose(kept @ np.cos(10 * place), np.cos(10 * place), atol=1e-4)
    np.testing.assert_allclose(kept @ np.sin(20 * place), 0.0, atol=1e-4)
    np.testing.assert_allclose(kept @ np.ones(64), 1.0, atol=1e-5)


def test_truncated_edges_ring_by_gibbs_nine_per_cent_and_a_taper_calms_them() -> None:
    step = np.where(np.abs(np.arange(256) - 128) < 64, 1.0, 0.0)
    plain, tapered = zero_filling(256, 0.3, 0.0), zero_filling(256, 0.3, 1.0)
    assert plain is not None
    assert tapered is not None
    rung, calm = ((part.up @ (part.down @ step)).max() - 1.0 for part in (plain, tapered))
    assert rung == pytest.approx(0.0895, abs=0.015)
    assert calm < 0.7 * rung


def test_rendering_samples_as_many_lines_as_the_protocol_says(recipe: CaseRecipe) -> None:
    coarse = replace(recipe, protocol=replace(recipe.protocol, acquired=(1.0, 0.6), taper=0.0))
    first, second = sampling_of(coarse.protocol)
    assert first is None
    assert second is not None
    assert second.down.shape == (43, 72)
    sharp, blurred = (np.abs(np.fft.fft(render(r).series.frames[..., 0], axis=1)) for r in (recipe, coarse))
    assert blurred[:, 30:43].mean() < 0.35 * sharp[:, 30:43].mean()


def test_movement_within_a_frame_mixes_two_positions(recipe: CaseRecipe) -> None:
    frame = np.zeros(recipe.protocol.matrix, dtype=np.float32)
    frame[20:50, 20:50] = 1.0
    after = moved(frame, (0.0, 0.0, 5.2), recipe)
    np.testing.assert_allclose(jerked(frame, after, 1.0), frame, atol=0.15)
    mixed = jerked(frame, after, 0.3)
    low = inner_lines(72, 0.3)
    np.testing.assert_allclose(np.matmul(low, mixed), np.matmul(low, frame), atol=1e-4)
    high = np.eye(72, dtype=np.float32) - low
    np.testing.assert_allclose(np.matmul(high, mixed), np.matmul(high, after), atol=1e-4)


def test_a_jerk_changes_its_own_frame_only(recipe: CaseRecipe) -> None:
    jerk = JerkRecipe(frame=3, shift_mm=(0.0, 1.0, 3.0), share=0.4)
    still, jerky = render(recipe).series.frames, render(with_artefacts(recipe, jerks=(jerk,))).series.frames
    others = [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(still[..., others], jerky[..., others])
    assert np.abs(still[..., 3] - jerky[..., 3]).mean() > 0.02 * still[..., 3].mean()


def test_tissue_outside_the_field_of_view_folds_to_the_other_end(recipe: CaseRecipe) -> None:
    wrapped = with_artefacts(recipe, wrap=0.5, wrap_mm=26.0)
    strips = outside_strips(wrapped)
    assert strips is not None
    # The strips adjoin the field of view: their inner columns lie one step beyond its ends.
    affine = spine_affine(recipe.protocol)
    for strip, inner, end in ((strips[0], 9, -1), (strips[1], 0, 72)):
        place = spine_affine(strip.protocol)
        np.testing.assert_allclose(place[:3, 1] * inner + place[:3, 3], affine[:3, 1] * end + affine[:3, 3], atol=1e-6)
    plain, folded_over = render(recipe).series.frames, render(wrapped).series.frames
    added = np.abs(folded_over - plain).mean(axis=(0, 2, 3))
    assert added[0] > 5.0 * added[20:50].mean()
    assert added[-1] > 5.0 * added[20:50].mean()
    assert outside_strips(recipe) is None


def test_fold_over_falls_with_the_distance_from_the_border() -> None:
    frame = np.zeros((1, 8, 1), dtype=np.float32)
    folded(frame, np.full((1, 2, 1), 8.0, dtype=np.float32), np.full((1, 2, 1), 4.0, dtype=np.float32), 0.5)
    np.testing.assert_allclose(frame[0, :, 0], [1.5, 0.5, 0, 0, 0, 0, 1.0, 3.0])


def test_fat_suppression_fails_smoothly_towards_one_side(recipe: CaseRecipe) -> None:
    suppressed = replace(recipe, protocol=replace(recipe.protocol, fat_signal=0.1))
    failing = with_artefacts(suppressed, fat_failure=1.0, fat_failure_mm=50.0, fat_failure_deg=90.0)
    factor = fat_restored(failing)
    assert factor is not None
    assert factor[:, 0].mean() > 6.0  # superior: fat nearly as bright as without suppression
    assert factor[:, 50:].max() < 2.0
    assert np.abs(np.diff(factor, axis=1)).max() < 1.5
    geometry = SpineGeometry(recipe.anatomy)
    scene = paint_scene(failing, geometry)
    fat = scene.shares["fat"] > 0.9
    fat[:, 8:] = False
    assert fat.sum() > 20
    assert ideal_frames(failing, scene, [])[0][fat].mean() > 3.0 * ideal_frames(suppressed, scene, [])[0][fat].mean()
    assert fat_restored(suppressed) is None
    assert fat_restored(with_artefacts(recipe, fat_failure=1.0)) is None


def test_pulse_changes_the_fluid_around_the_cord_alone(recipe: CaseRecipe, scene: Scene) -> None:
    pulsing = with_artefacts(recipe, csf_pulsation=0.3)
    still, beating = ideal_frames(recipe, scene, []), ideal_frames(pulsing, scene, [])
    fluid = scene.shares["csf"] > 0.8
    assert fluid.sum() > 10
    ratio = (beating[:, fluid] / still[:, fluid]).mean(axis=1)
    assert np.ptp(ratio) > 0.3
    assert 0.7 <= ratio.min() <= ratio.max() <= 1.3
    elsewhere = scene.shares["csf"] == 0
    np.testing.assert_array_equal(still[:, elsewhere], beating[:, elsewhere])


def test_pulsating_tissue_casts_ghosts_along_the_phase_encoding_axis(recipe: CaseRecipe) -> None:
    frame = np.zeros(recipe.protocol.matrix, dtype=np.float32)
    frame[30, 36, 5] = 100.0
    lone = with_artefacts(recipe, ghost=0.05, ghost_phase=np.pi / 2)
    ghosted = frame.copy()
    add_ghosts(ghosted, pulsation(lone, (frame > 0).astype(np.float32), np.zeros_like(frame)), 0, lone)
    assert np.argwhere(ghosted != frame)[:, 0].tolist() == [30] * 4
    assert sorted(np.argwhere(ghosted != frame)[:, 1]) == [12, 22, 50, 60]
    assert np.abs(ghosted - frame).max() == pytest.approx(5.0)
    fluid = pulsation(with_artefacts(recipe, csf_pulsation=0.3), np.zeros_like(frame), (frame > 0).astype(np.float32))
    assert fluid.max() > 0.01


def test_fat_is_displaced_along_the_readout(recipe: CaseRecipe, scene: Scene) -> None:
    displaced = replace(recipe, protocol=replace(recipe.protocol, fat_shift_voxels=1.0))
    pure = scene.shares["fat"] > 0.97
    still, moved_fat = ideal_frames(recipe, scene, [])[0], ideal_frames(displaced, scene, [])[0]
    inside = pure & np.roll(pure, 1, axis=0)
    inside[0] = False
    np.testing.assert_allclose(moved_fat[inside], np.roll(still, 1, axis=0)[inside], rtol=0.1)
    assert np.abs(moved_fat - still).max() > 0.1 * still.max()


def test_artefacts_are_mostly_mild_and_never_depend_on_the_class() -> None:
    drawn = [draw_recipe(3, case).artefacts for case in range(300)]
    assert 0.08 < np.mean([a.wrap > 0 for a in drawn]) < 0.25
    assert 0.2 < np.mean([a.fat_failure > 0 for a in drawn]) < 0.5
    assert 0.15 < np.mean([len(a.jerks) > 0 for a in drawn]) < 0.5
    assert max(a.csf_pulsation for a in drawn) <= 0.25


@pytest.mark.parametrize("case", [0, 1])
def test_axial_series_cuts_across_the_spine(case: int) -> None:
    drawn = draw_recipe(8, case, plane="axial")
    protocol = replace(drawn.protocol, matrix=(72, 72, 12), spacing_mm=(2.5, 2.5, 4.5))
    rendered = render(replace(drawn, protocol=protocol))
    assert rendered.series.grid.acquired_plane == "axial"
    assert rendered.series.grid.axis_codes == ("L", "P", "S")
    assert rendered.lesions
    assert draw_recipe(8, case).protocol.plane == "sagittal"
