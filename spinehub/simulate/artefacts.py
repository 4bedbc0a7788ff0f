"""What scanner and patient add to the ideal image: coil shading, motion, pulsation ghosts, receiver noise."""

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.canvas import smooth_field
from spinehub.simulate.protocol import spine_affine
from spinehub.simulate.recipe import CaseRecipe

__all__ = ["add_ghosts", "add_rician_noise", "coil_sensitivity", "moved"]

_Array = NDArray[np.float32]
_STILL_VOXELS = 0.02
_HEARTBEAT_PER_FRAME = 2.4


def coil_sensitivity(recipe: CaseRecipe) -> _Array:
    """``(I, J, K)`` smooth gain of the spine coil: 1 near the spine, falling to the front, and a saturation band."""
    artefacts, protocol = recipe.artefacts, recipe.protocol
    affine = spine_affine(protocol)
    i, j, k = (np.arange(n) for n in protocol.matrix)
    x, y, z = (
        affine[a, 0] * i[:, None, None] + affine[a, 1] * j[None, :, None] + affine[a, 2] * k + affine[a, 3]
        for a in range(3)
    )
    sideways, upward = artefacts.coil_tilt
    log_gain = -np.clip(y, -70.0, 220.0) / artefacts.coil_falloff_mm + (sideways * x + upward * z) / 100.0
    rng = np.random.default_rng(artefacts.field_seed)
    ripple = smooth_field(rng, protocol.matrix, protocol.spacing_mm, (60.0, 60.0, 60.0))
    band = 0.3 + 0.7 / (1.0 + np.exp(np.clip((y - 30.0 - artefacts.saturation_mm) / 5.0, -30.0, 30.0)))
    return np.asarray(np.exp(log_gain + artefacts.coil_ripple * ripple) * band, dtype=np.float32)


def moved(frame: _Array, shift_mm: tuple[float, float, float], recipe: CaseRecipe) -> _Array:
    """One frame ``(I, J, K)`` with the patient displaced by `shift_mm` in the spine frame.

    Cubic (Catmull-Rom) in the plane and linear across slices, edge values repeated outside.
    """
    voxels = np.linalg.inv(spine_affine(recipe.protocol)[:3, :3]) @ np.array(shift_mm)
    for axis, shift in enumerate(voxels):
        if abs(shift) > _STILL_VOXELS:
            frame = _shifted(frame, float(shift), axis, cubic=axis < 2)
    return frame


def _shifted(frame: _Array, shift: float, axis: int, *, cubic: bool) -> _Array:
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


def add_ghosts(frame: _Array, vessels: _Array, number: int, recipe: CaseRecipe) -> None:
    """Add, in place, faint shifted copies of pulsating vessels along the phase-encoding (second) axis."""
    artefacts = recipe.artefacts
    pulse = np.sin(artefacts.ghost_phase + _HEARTBEAT_PER_FRAME * number)
    if artefacts.ghost <= 0:
        return
    size = frame.shape[1]
    source = vessels * frame
    for part in (3, 5):
        step = size // part
        frame += np.float32(artefacts.ghost * pulse) * np.roll(source, step, axis=1)
        frame -= np.float32(artefacts.ghost * pulse) * np.roll(source, -step, axis=1)


def add_rician_noise(frame: _Array, sigma: float, rng: np.random.Generator) -> _Array:
    """Magnitude of the frame after Gaussian noise of standard deviation `sigma` in both receiver channels."""
    real = rng.standard_normal(frame.shape, dtype=np.float32)
    real *= np.float32(sigma)
    real += frame
    imaginary = rng.standard_normal(frame.shape, dtype=np.float32)
    imaginary *= np.float32(sigma)
    np.multiply(real, real, out=real)
    np.multiply(imaginary, imaginary, out=imaginary)
    real += imaginary
    return np.sqrt(real, out=real)
