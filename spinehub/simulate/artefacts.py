"""What scanner and patient add to the ideal image: coil, motion, pulsation, wrap-around, failed fat suppression."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.canvas import smooth_field
from spinehub.simulate.kspace import inner_lines
from spinehub.simulate.parts import ProtocolRecipe
from spinehub.simulate.protocol import spine_affine
from spinehub.simulate.recipe import CaseRecipe

__all__ = [
    "add_ghosts",
    "coil_sensitivity",
    "fat_restored",
    "folded",
    "jerked",
    "moved",
    "outside_strips",
    "pulsation",
    "pulse",
    "shifted",
]

_Array = NDArray[np.float32]
_STILL_VOXELS = 0.02
_HEARTBEAT_PER_FRAME = 2.4
_CSF_GHOST = 0.2
"""Ghosts of cerebrospinal fluid over the change of its signal (assumed)."""
_SHIM_EDGE_MM = 9.0


def coil_sensitivity(recipe: CaseRecipe) -> _Array:
    """``(I, J, K)`` smooth gain of the spine coil: 1 near the spine, falling to the front, and a saturation band."""
    artefacts, protocol = recipe.artefacts, recipe.protocol
    x, y, z = _voxel_positions(protocol)
    sideways, upward = artefacts.coil_tilt
    log_gain = -np.clip(y, -70.0, 220.0) / artefacts.coil_falloff_mm + (sideways * x + upward * z) / 100.0
    rng = np.random.default_rng(artefacts.field_seed)
    ripple = smooth_field(rng, protocol.matrix, protocol.spacing_mm, (60.0, 60.0, 60.0))
    band = 0.3 + 0.7 / (1.0 + np.exp(np.clip((y - 30.0 - artefacts.saturation_mm) / 5.0, -30.0, 30.0)))
    return np.asarray(np.exp(log_gain + artefacts.coil_ripple * ripple) * band, dtype=np.float32)


def _voxel_positions(protocol: ProtocolRecipe) -> tuple[_Array, _Array, _Array]:
    """Positions x, y, z of all voxels in the spine frame, each ``(I, J, K)`` float32 mm."""
    affine = spine_affine(protocol).astype(np.float32)
    i, j, k = (np.arange(n, dtype=np.float32) for n in protocol.matrix)
    x, y, z = (
        affine[a, 0] * i[:, None, None] + affine[a, 1] * j[None, :, None] + (affine[a, 2] * k + affine[a, 3])
        for a in range(3)
    )
    return x, y, z


def moved(frame: _Array, shift_mm: tuple[float, float, float], recipe: CaseRecipe) -> _Array:
    """One frame ``(I, J, K)`` with the patient displaced by `shift_mm` in the spine frame.

    Cubic (Catmull-Rom) in the plane and linear across slices, edge values repeated outside.
    """
    voxels = np.linalg.inv(spine_affine(recipe.protocol)[:3, :3]) @ np.array(shift_mm)
    for axis, shift in enumerate(voxels):
        if abs(shift) > _STILL_VOXELS:
            frame = shifted(frame, float(shift), axis, cubic=axis < 2)
    return frame


def shifted(frame: _Array, shift: float, axis: int, *, cubic: bool = False) -> _Array:
    """Displace an image ``(I, J, K)`` by `shift` voxels along one axis, edge values repeated outside."""
    whole = int(np.floor(-shift))
    t = -shift - whole
    if cubic:
        weights = (
            0.5 * (-(t**3) + 2 * t**2 - t),
            0.5 * (3 * t**3 - 5 * t**2 + 2),
            0.5 * (-3 * t**3 + 4 * t**2 + t),
            0.5 * (t**3 - t**2),
        )
    else:
        weights = (0.0, 1.0 - t, t, 0.0)
    size = frame.shape[axis]
    pad = abs(whole) + 3
    widths = [(0, 0)] * 3
    widths[axis] = (pad, pad)
    padded = np.pad(frame, widths, mode="edge")
    result = np.zeros_like(frame)
    window = [slice(None)] * 3
    for tap, weight in enumerate(weights):
        if weight:
            start = pad + whole + tap - 1
            window[axis] = slice(start, start + size)
            result += np.float32(weight) * padded[tuple(window)]
    return result


def pulse(recipe: CaseRecipe, number: int) -> float:
    """Phase of the heartbeat, -1 to 1, in the middle of a frame: the beat is not a multiple of the frame."""
    return float(np.sin(recipe.artefacts.ghost_phase + _HEARTBEAT_PER_FRAME * number))


def add_ghosts(frame: _Array, pulsating: _Array, number: int, recipe: CaseRecipe) -> None:
    """Add, in place, faint shifted copies of what pulsates along the phase-encoding (second) axis.

    Parameters
    ----------
    frame
        ``(I, J, K)``.
    pulsating
        ``(I, J, K)`` amplitude of the pulsation in each voxel, see :func:`pulsation`.
    number
        Of the frame.
    """
    rows = np.flatnonzero(pulsating.any(axis=(1, 2)))
    if not rows.size:
        return
    seen = slice(int(rows[0]), int(rows[-1]) + 1)
    source = np.float32(pulse(recipe, number)) * pulsating[seen] * frame[seen]
    for part in (3, 5):
        step = frame.shape[1] // part
        for target, origin in ((slice(step, None), slice(None, -step)), (slice(None, step), slice(-step, None))):
            frame[seen, target] += source[:, origin]
            frame[seen, origin] -= source[:, target]


def pulsation(recipe: CaseRecipe, artery: _Array, csf: _Array) -> _Array:
    """Amplitude of the pulsation ghosts in each voxel, ``(I, J, K)``: arteries, and fluid around the cord."""
    artefacts = recipe.artefacts
    amplitude = artefacts.ghost * artery + np.float32(_CSF_GHOST * artefacts.csf_pulsation) * csf
    return np.asarray(amplitude, dtype=np.float32)


def fat_restored(recipe: CaseRecipe) -> _Array | None:
    """Factor ``(I, J, K)`` on the suppressed fat signal where the field is off; None where nothing fails.

    A smooth step across the sagittal plane, bent by a smooth random field: suppression fails towards one border of
    the field of view, as with a poor shim.
    """
    artefacts, protocol = recipe.artefacts, recipe.protocol
    if artefacts.fat_failure <= 0 or protocol.fat_signal >= 1:
        return None
    _, y, z = _voxel_positions(protocol)
    angle = np.deg2rad(artefacts.fat_failure_deg)
    along = (y - protocol.centre_mm[1]) * np.cos(angle) + (z - protocol.centre_mm[2]) * np.sin(angle)
    rng = np.random.default_rng(artefacts.field_seed ^ 1)
    bend = smooth_field(rng, protocol.matrix, protocol.spacing_mm, (70.0, 70.0, 70.0))
    beyond = np.clip((along + 18.0 * bend - artefacts.fat_failure_mm) / _SHIM_EDGE_MM, -30.0, 30.0)
    failed = artefacts.fat_failure / (1.0 + np.exp(-beyond))
    return np.asarray(1.0 + (1.0 / protocol.fat_signal - 1.0) * failed, dtype=np.float32)


def jerked(frame: _Array, after: _Array, share: float) -> _Array:
    """Mix two positions in k-space: inner phase-encoding lines of one image, the outer ones of the other."""
    return after + np.matmul(inner_lines(frame.shape[1], share), frame - after)


def outside_strips(recipe: CaseRecipe) -> tuple[CaseRecipe, CaseRecipe] | None:
    """Recipes of the strips before and behind the field of view that fold over; None without wrap-around."""
    artefacts, protocol = recipe.artefacts, recipe.protocol
    rows, columns, slices = protocol.matrix
    width = min(round(artefacts.wrap_mm / protocol.spacing_mm[1]), columns // 3)
    if artefacts.wrap <= 0 or width < 1:
        return None
    step = spine_affine(protocol)[:3, 1] * (columns + width) / 2.0
    x, y, z = (float(value) for value in step)
    a, b, c = protocol.centre_mm
    before, behind = (
        replace(protocol, matrix=(rows, width, slices), centre_mm=(a + sign * x, b + sign * y, c + sign * z))
        for sign in (-1.0, 1.0)
    )
    calm = replace(artefacts, coil_ripple=0.0, fat_failure=0.0)
    return replace(recipe, protocol=before, artefacts=calm), replace(recipe, protocol=behind, artefacts=calm)


def folded(frame: _Array, before: _Array, behind: _Array, strength: float) -> None:
    """Add, in place, what lies outside the field of view to the opposite ends of the second axis.

    Parameters
    ----------
    frame
        ``(I, J, K)``.
    before, behind
        ``(I, W, K)`` strips adjoining the first and the last column.
    strength
        Share that is left at the border; it falls to nothing over the strip.
    """
    width = before.shape[1]
    fall = (strength * (np.arange(width) + 0.5) / width).astype(np.float32)[None, :, None]
    frame[:, -width:] += before * fall
    frame[:, :width] += behind * fall[:, ::-1]
