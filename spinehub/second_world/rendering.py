"""From a recipe of the second world to a case: deterministic, no chance left."""

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from spinehub.case import Case, Lesion
from spinehub.second_world.anatomy import WATERS, Anatomy, paint
from spinehub.second_world.exchange import Exchange
from spinehub.second_world.fields import acquired_frequencies
from spinehub.second_world.noise import complex_noise
from spinehub.second_world.recipe import SecondRecipe, TumourRecipe
from spinehub.second_world.scan import scan_grid, slab_affine
from spinehub.second_world.signal import Tissue, fat_phase, slice_delays, spoiled_echo, water_curves
from spinehub.second_world.spine import Spine
from spinehub.second_world.tumour import TumourMaps, grow_tumour
from spinehub.series import DynamicSeries, Protocol
from spinehub.volume import Mask

__all__ = ["hot_spot_curve", "lesion_tissue", "normal_tissue", "render"]

_Array = NDArray[np.float32]
_NODES = np.arange(-3.2, 1.3, 0.55)
_NECROSIS_FLOW, _NECROSIS_T1 = 0.02, 1.4
_FAT_T1_S, _FAT_T2S_S, _FAT_DENSITY = 0.38, 0.028, 0.9
_AT_1_5_T = 0.83
_CROSS_TALK = 0.08
"""Share of a slice's signal that comes from each neighbour: its profile is not a box."""


def render(recipe: SecondRecipe) -> Case:
    """Render a case: the same recipe gives the same bytes."""
    with threadpool_limits(limits=1, user_api="blas"):  # split among threads, sums round otherwise
        return _render(recipe)


def _render(recipe: SecondRecipe) -> Case:
    spine = Spine(recipe.anatomy)
    anatomy = paint(recipe, spine)
    tumour = recipe.lesions[0]
    maps = grow_tumour(recipe, tumour, spine, anatomy)
    grid, scan = scan_grid(recipe.protocol), recipe.protocol
    voxels = np.zeros(grid.shape, dtype=bool)
    voxels[maps.box] = maps.share >= 0.5
    lesion = Lesion(Mask(voxels, grid), level=tumour.level, diagnosis=tumour.diagnosis, histology=tumour.histology)
    protocol = Protocol(scan.repetition_time_s, scan.echo_time_s, scan.flip_angle_deg, scan.field_strength_t)
    frames = _received(recipe, *_echoes(recipe, anatomy, maps))
    return Case(
        case_id=recipe.case_id,
        patient_id=recipe.case_id,
        series=DynamicSeries(frames, grid, times_s=np.array(scan.frame_times_s), protocol=protocol),
        lesions=(lesion,),
        age_years=recipe.patient.age_years,
        sex="female" if recipe.patient.sex == "female" else "male",
        origin="simulated",
        recipe=recipe.to_dict(),
    )


def normal_tissue(recipe: SecondRecipe) -> list[Tissue]:
    """Water of each of :data:`spinehub.second_world.anatomy.WATERS`; T1 is rounded (assumed)."""
    body = recipe.anatomy
    rows = {
        "marrow": (0.95, 0.016, 0.75, Exchange(body.marrow_flow, 0.10, 0.03, 0.15), 0.0, 4.0),
        "cortex": (0.40, 0.0008, 0.15, None, 0.0, 0.0),
        "disc": (1.10, 0.045, 0.85, Exchange(0.004, 0.004, 0.01, 0.30), 0.0, 5.0),
        "csf": (4.20, 0.300, 1.00, None, 0.0, 0.0),
        "cord": (0.85, 0.045, 0.80, Exchange(0.40, 0.0, 0.015, 0.20), 0.0, 2.0),
        "muscle": (0.90, 0.026, 0.80, Exchange(body.muscle_flow, 0.08, 0.02, 0.11), 0.0, 5.0),
        "organ": (0.85, 0.026, 0.80, Exchange(body.organ_flow, 0.20, 0.08, 0.22), 0.0, 4.0),
        "artery": (1.65, 0.060, 0.85, None, 0.58, 0.0),
        "vein": (1.65, 0.030, 0.85, None, 0.50, 10.0),
        "lung": (1.20, 0.0010, 0.20, Exchange(1.50, 0.0, 0.15, 0.10), 0.0, 1.0),
        "skin": (0.95, 0.008, 0.55, Exchange(0.06, 0.05, 0.01, 0.15), 0.0, 5.0),
    }
    factor = body.t1_factor * (1.0 if recipe.protocol.field_strength_t > 2.0 else _AT_1_5_T)
    return [Tissue(rows[name][0] * factor, *rows[name][1:]) for name in WATERS]


def lesion_tissue(tumour: TumourRecipe, scale: float = 1.0) -> Tissue:
    """Viable tissue of a lesion whose flow and exchange are `scale` times those of the hot tissue."""
    perfused = Exchange(tumour.flow_per_min * scale, tumour.exchange_per_min * scale, tumour.vp, tumour.ve)
    return Tissue(tumour.t1_s, tumour.t2s_s, tumour.density, perfused, 0.0, tumour.delay_s)


def hot_spot_curve(recipe: SecondRecipe) -> NDArray[np.float64]:
    """``(T,)`` noiseless signal of the hot tissue of the index lesion in each frame."""
    curve: NDArray[np.float64] = water_curves(recipe.protocol, recipe.agent, [lesion_tissue(recipe.lesions[0])], 0.0)[0]
    return curve


def _echoes(recipe: SecondRecipe, anatomy: Anatomy, maps: TumourMaps) -> tuple[_Array, _Array]:
    """Water ``(T, K, I, J)`` and fat ``(K, I, J)`` as acquired, before coil and noise; slices first."""
    scan, tumour = recipe.protocol, recipe.lesions[0]
    tissues = normal_tissue(recipe) + [lesion_tissue(tumour, float(np.exp(node))) for node in _NODES]
    dead = lesion_tissue(tumour, _NECROSIS_FLOW)
    tissues.append(Tissue(dead.t1_s * _NECROSIS_T1, dead.t2s_s, dead.density, dead.exchange, 0.0, dead.delay_s))
    normal = np.stack([anatomy.shares[name] for name in (*WATERS, "fat")])
    normal[(slice(None), *maps.box)] *= 1.0 - maps.share
    layers = np.zeros((len(tissues) + 1, *scan.matrix), dtype=np.float32)
    layers[: len(WATERS)] = normal[:-1]
    layers[-1] = normal[-1]
    layers[(slice(len(WATERS), -1), *maps.box)] = _lesion_layers(maps)
    sharp = np.ascontiguousarray(np.moveaxis(layers, 3, 1))
    kept = [acquired_frequencies(n, share) for n, share in zip(scan.matrix[:2], scan.kept_frequencies, strict=True)]
    seen = kept[0] @ (sharp @ kept[1].T)
    seen[:, 1:-1] = (1.0 - 2.0 * _CROSS_TALK) * seen[:, 1:-1] + _CROSS_TALK * (seen[:, :-2] + seen[:, 2:])
    water = np.empty((scan.frame_count, *seen.shape[1:]), dtype=np.float32)
    delays = slice_delays(scan)
    for parity, delay in enumerate(delays):
        every = slice(parity, None, len(delays))
        curves = water_curves(scan, recipe.agent, tissues, delay).astype(np.float32)
        water[:, every] = np.tensordot(curves, seen[:-1, every], axes=(0, 0))
    return water, seen[-1] * _fat_level(recipe)


def _lesion_layers(maps: TumourMaps) -> _Array:
    """``(nodes + 1, box)``: share of each voxel at each node of log perfusion (joined linearly), and of necrosis."""
    step = float(_NODES[1] - _NODES[0])
    place = np.clip((maps.log_flow - _NODES[0]) / step, 0.0, len(_NODES) - 1.0)
    alive = maps.share * maps.density * (1.0 - maps.necrosis)
    layers = [alive * np.clip(1.0 - np.abs(place - node), 0.0, 1.0) for node in range(len(_NODES))]
    return np.stack([*layers, maps.share * maps.necrosis]).astype(np.float32)


def _fat_level(recipe: SecondRecipe) -> _Array:
    """``(1, I, 1)`` signal of pure fat; suppression is uneven along the first axis."""
    scan = recipe.protocol
    factor = recipe.anatomy.t1_factor * (1.0 if scan.field_strength_t > 2.0 else _AT_1_5_T)
    steady = float(spoiled_echo(1.0 / (_FAT_T1_S * factor), scan.repetition_time_s, scan.flip_angle_deg))
    wave = np.sin(np.pi * np.arange(scan.matrix[0]) / scan.matrix[0])
    left = scan.fat_signal + scan.fat_unevenness * (1.0 - scan.fat_signal) * wave
    level = left * _FAT_DENSITY * steady * np.exp(-scan.echo_time_s / _FAT_T2S_S)
    return np.asarray(level, dtype=np.float32)[None, :, None]


def _coil(recipe: SecondRecipe) -> _Array:
    """``(K, I, J)`` root of the summed squares of coil elements behind the spine, partly corrected; 1 at it."""
    scan, scanner = recipe.protocol, recipe.scanner
    affine = slab_affine(scan)
    axes = [np.arange(n) for n in scan.matrix]
    index = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    points = np.einsum("ab,b...->a...", affine[:3, :3].astype(np.float32), index)
    points += affine[:3, 3].astype(np.float32)[:, None, None, None]
    behind = -(recipe.anatomy.back_mm + recipe.anatomy.fat_mm + 30.0)
    total, reference = np.zeros(scan.matrix, dtype=np.float32), 0.0
    for number in range(-2, 3):
        element = np.array([0.0, behind, number * scanner.coil_mm + scan.centre_mm[2]])
        away = sum((points[a] - np.float32(element[a])) ** 2 for a in range(3)) / np.float32(scanner.coil_depth_mm**2)
        total += (1.0 + away) ** np.float32(-3.0)
        reference += float((1.0 + (element**2).sum() / scanner.coil_depth_mm**2) ** -3.0)
    gain = (total / np.float32(reference)) ** np.float32(0.5 * scanner.shading_left)
    return np.ascontiguousarray(np.moveaxis(gain, 2, 0))


def _received(recipe: SecondRecipe, water: _Array, fat: _Array) -> _Array:
    """``(I, J, K, T)`` stored magnitude: fat and water with their phase, motion, coil and receiver noise."""
    scan, scanner = recipe.protocol, recipe.scanner
    coil = _coil(recipe) * np.float32(scanner.gain)
    muscle = normal_tissue(recipe)[WATERS.index("muscle")]
    signal = float(water_curves(scan, recipe.agent, [muscle], 0.0)[0, 0])
    sigma = np.float32(scanner.gain * signal / scanner.snr * np.sqrt(2.0))
    turned = np.complex64(np.exp(1j * fat_phase(scan.echo_time_s, scan.field_strength_t)))
    rng = np.random.default_rng(scanner.noise_seed)
    frames = np.empty((*scan.matrix, scan.frame_count), dtype=np.float32)
    for number, slip in enumerate(scanner.slips_mm):
        frame = (water[number] + turned * fat).astype(np.complex64)
        for axis, (moved, step) in enumerate(zip(slip, scan.spacing_mm, strict=False), start=1):
            frame = _shifted(frame, moved / step, axis)
        noise = np.moveaxis(complex_noise(rng, scan.matrix, scanner.noise), 2, 0)
        frames[..., number] = np.moveaxis(np.abs(frame * coil + sigma * noise), 0, 2)
    return frames


def _shifted(frame: NDArray[np.complex64], voxels: float, axis: int) -> NDArray[np.complex64]:
    """A frame moved along an axis of its plane, linear between voxels; what leaves enters on the other side."""
    whole = int(np.floor(voxels))
    part = np.float32(voxels - whole)
    if voxels == 0:
        return frame
    return np.asarray((1 - part) * np.roll(frame, whole, axis) + part * np.roll(frame, whole + 1, axis), np.complex64)
