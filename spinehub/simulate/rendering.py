"""From a recipe to a case: deterministic, no chance left."""

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from spinehub.case import Case, Lesion
from spinehub.series import DynamicSeries, Protocol
from spinehub.simulate.artefacts import (
    add_ghosts,
    coil_sensitivity,
    fat_restored,
    folded,
    jerked,
    moved,
    outside_strips,
    pulsation,
    pulse,
    shifted,
)
from spinehub.simulate.kspace import Receiver, sampling_of
from spinehub.simulate.lesion_box import LesionMaps
from spinehub.simulate.lesion_parts import NECROSIS_KTRANS_FACTOR, NECROSIS_T1_FACTOR, LesionRecipe
from spinehub.simulate.lesion_shape import lesion_maps
from spinehub.simulate.parts import Triple
from spinehub.simulate.protocol import protocol_grid
from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.scene import Scene, paint_scene
from spinehub.simulate.signal import fat_phase, frame_times
from spinehub.simulate.spine import SpineGeometry
from spinehub.simulate.tissues import WATER_TISSUES, Tissue, fat_level, tissue_curves, tissue_table
from spinehub.volume import Grid, Mask

__all__ = ["ideal_frames", "lesion_tissue", "render", "render_twin"]

_Array = NDArray[np.float32]
_LOG_KTRANS_NODES = np.arange(-5.0, 1.76, 0.25)
_MATRIX_TISSUE = Tissue(0.5, 0.0012, 0.30)
"""Mineralised matrix: few mobile protons that decay at once (assumed)."""


def render(recipe: CaseRecipe) -> Case:
    """Render a case: the same recipe gives the same bytes."""
    with threadpool_limits(limits=1, user_api="blas"):  # split among threads, sums round otherwise
        return _render(recipe, with_lesions=True)


def render_twin(recipe: CaseRecipe) -> Case:
    """Render the same person, examination and noise without any lesion."""
    with threadpool_limits(limits=1, user_api="blas"):  # split among threads, sums round otherwise
        return _render(recipe, with_lesions=False)


def _render(recipe: CaseRecipe, *, with_lesions: bool) -> Case:
    geometry = SpineGeometry(recipe.anatomy)
    scene = paint_scene(recipe, geometry)
    maps = [lesion_maps(recipe, lesion, geometry, scene) for lesion in recipe.lesions] if with_lesions else []
    pulsating = pulsation(recipe, scene.shares["artery"], scene.shares["csf"])
    frames = ideal_frames(recipe, scene, maps)
    grid = protocol_grid(recipe.protocol)
    series = DynamicSeries(
        np.moveaxis(_received(recipe, frames, pulsating), 0, 3),
        grid,
        times_s=frame_times(recipe.protocol),
        protocol=Protocol(
            repetition_time_s=recipe.protocol.repetition_time_s,
            echo_time_s=recipe.protocol.echo_time_s,
            flip_angle_deg=recipe.protocol.flip_angle_deg,
            field_strength_t=recipe.protocol.field_strength_t,
        ),
    )
    seen = ((part, drawn) for part, drawn in zip(maps, recipe.lesions, strict=False) if (part.share >= 0.5).any())
    lesions = tuple(_lesion(part, drawn, grid) for part, drawn in seen)
    return Case(
        case_id=recipe.case_id,
        patient_id=recipe.case_id,
        series=series,
        lesions=lesions,
        age_years=recipe.patient.age_years,
        sex=recipe.patient.sex,
        origin="simulated",
        recipe=recipe.to_dict(),
    )


def _lesion(maps: LesionMaps, drawn: LesionRecipe, grid: Grid) -> Lesion:
    voxels = np.zeros(grid.shape, dtype=bool)
    voxels[maps.box] = maps.share >= 0.5
    return Lesion(Mask(voxels, grid), level=drawn.level, diagnosis=drawn.diagnosis, histology=drawn.histology)


def lesion_tissue(lesion: LesionRecipe, ktrans_per_min: float) -> Tissue:
    """Viable tissue of a lesion at one Ktrans."""
    signs = lesion.signs
    density = lesion.proton_density * (1.0 - lesion.fat)
    return Tissue(lesion.t1_s, lesion.t2s_s, density, ktrans_per_min, signs.ve, signs.vp, lesion.delay_s)


def ideal_frames(recipe: CaseRecipe, scene: Scene, maps: list[LesionMaps]) -> _Array:
    """Noiseless magnitude before coil, motion and noise: ``(T, I, J, K)`` float32, per unit of gain."""
    table = tissue_table(recipe)
    curves = tissue_curves(recipe, [table[name] for name in WATER_TISSUES]).astype(np.float32)
    beat = np.array([pulse(recipe, number) for number in range(curves.shape[1])], dtype=np.float32)
    curves[WATER_TISSUES.index("csf")] *= 1.0 + np.float32(recipe.artefacts.csf_pulsation) * beat
    matrix = recipe.protocol.matrix
    stacked = np.stack([scene.shares[name].reshape(-1) for name in WATER_TISSUES])
    frames = (curves.T @ stacked).reshape(-1, *matrix)
    del stacked
    fat = scene.shares["fat"] * np.float32(fat_level(recipe))
    for part, lesion in zip(maps, recipe.lesions, strict=True) if maps else ():
        inside = (slice(None), *part.box)
        frames[inside] *= 1.0 - part.share
        frames[inside] += _lesion_frames(recipe, lesion, part)
        fat[part.box] = fat[part.box] * (1.0 - part.share) + part.share * np.float32(lesion.fat * fat_level(recipe))
    restored = fat_restored(recipe)
    if restored is not None:
        fat *= restored
    fat = shifted(fat, recipe.protocol.fat_shift_voxels, 0)
    phase = fat_phase(recipe.protocol.echo_time_s, recipe.protocol.field_strength_t)
    in_phase, quadrature = fat * np.float32(np.cos(phase)), (fat * np.float32(np.sin(phase))) ** 2
    for frame in frames:
        frame += in_phase
        np.multiply(frame, frame, out=frame)
        frame += quadrature
        np.sqrt(frame, out=frame)
    return frames


def _lesion_frames(recipe: CaseRecipe, lesion: LesionRecipe, maps: LesionMaps) -> _Array:
    """``(T, box)`` signal of the lesion's part of each voxel; Ktrans varies by voxel through a table of curves."""
    hot = lesion.signs.ktrans_per_min
    tissues = [lesion_tissue(lesion, hot * float(np.exp(node))) for node in _LOG_KTRANS_NODES]
    dead = lesion_tissue(lesion, hot * NECROSIS_KTRANS_FACTOR)
    necrotic = Tissue(dead.t1_s * NECROSIS_T1_FACTOR, dead.t2s_s, dead.proton_density, dead.ktrans_per_min, dead.ve)
    curves = tissue_curves(recipe, [*tissues, necrotic, _MATRIX_TISSUE]).astype(np.float32)
    where = maps.share > 0
    place = (maps.log_ktrans[where] - np.float32(_LOG_KTRANS_NODES[0])) / np.float32(0.25)
    place = np.clip(place, 0.0, len(_LOG_KTRANS_NODES) - 1.001)
    node = place.astype(np.int32)
    part = (place - node)[None]
    table = curves[: len(tissues)]
    alive = table.T[:, node] * (1.0 - part) + table.T[:, node + 1] * part
    necrosis, matrix = maps.necrosis[where], maps.matrix[where]
    signal = alive * (maps.density[where] * (1.0 - necrosis) * (1.0 - matrix))
    signal += curves[-2][:, None] * (necrosis * (1.0 - matrix)) + curves[-1][:, None] * matrix
    frames = np.zeros((curves.shape[1], *maps.share.shape), dtype=np.float32)
    frames[:, where] = signal * maps.share[where]
    return frames


def _received(recipe: CaseRecipe, frames: _Array, pulsating: _Array) -> _Array:
    """Gain, coil, motion, ghosts, wrap-around, finite sampling and noise, in place; ``(T, I, J, K)``.

    Values are whole numbers, as scanners store them.
    """
    artefacts = recipe.artefacts
    coil = coil_sensitivity(recipe) * np.float32(artefacts.gain)
    muscle = float(tissue_curves(recipe, [tissue_table(recipe)["muscle"]])[0, 0])
    sigma = artefacts.gain * muscle / artefacts.snr
    receiver = Receiver(sampling_of(recipe.protocol), sigma, np.random.default_rng(artefacts.noise_seed))
    strips = _strips(recipe)
    for number, shift in enumerate(artefacts.shifts_mm):
        frame = _moved_frame(recipe, frames[number], number, shift)
        add_ghosts(frame, pulsating, number, recipe)
        frame *= coil
        if strips is not None:
            folded(frame, strips[0][number], strips[1][number], artefacts.wrap)
        np.rint(receiver.image(frame), out=frames[number])
    return frames


def _moved_frame(recipe: CaseRecipe, frame: _Array, number: int, shift: Triple) -> _Array:
    """One frame where the patient lay, with the movements during its acquisition."""
    still = moved(frame, shift, recipe)
    for jerk in recipe.artefacts.jerks:
        if jerk.frame == number:
            x, y, z = (a + b for a, b in zip(shift, jerk.shift_mm, strict=True))
            still = jerked(still, moved(frame, (x, y, z), recipe), jerk.share)
    return still


def _strips(recipe: CaseRecipe) -> tuple[_Array, _Array] | None:
    """Frames ``(T, I, W, K)`` of the tissue that folds over from both sides, as the coil receives them."""
    strips = outside_strips(recipe)
    if strips is None:
        return None
    before, behind = (
        ideal_frames(strip, paint_scene(strip, SpineGeometry(strip.anatomy)), [])
        * (coil_sensitivity(strip) * np.float32(strip.artefacts.gain))
        for strip in strips
    )
    return before, behind
