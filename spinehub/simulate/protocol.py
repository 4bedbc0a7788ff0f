"""Protocols: sequence, timing, geometry, artefacts and contrast agent as they are drawn, alike for both classes.

Ranges follow published spine protocols (Guan 2020: 1.5 T, TR 4-5 ms, TE 1-2 ms, flip angle 25, 5 mm sagittal slices,
300 s; Philips 3 T: 4.5 mm, under 5 s a frame; Zechmann 2012: 354 s), widened to what a site may use (assumed).
"""

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.anatomy import region_of
from spinehub.simulate.parts import (
    ArtefactRecipe,
    JerkRecipe,
    PatientRecipe,
    PerfusionRecipe,
    PlaneName,
    ProtocolRecipe,
)
from spinehub.volume import Grid

__all__ = ["draw_artefacts", "draw_perfusion", "draw_protocol", "protocol_grid", "spine_affine"]

_FIELD_OF_VIEW_MM = {"C": (190.0, 240.0), "T": (220.0, 300.0), "L": (220.0, 300.0), "S": (220.0, 300.0)}
_AXIAL_VIEW_MM = {"C": (150.0, 190.0), "T": (170.0, 240.0), "L": (170.0, 240.0), "S": (190.0, 250.0)}
_MATRIX_RANGE = (144, 208)
_FRAMES_RANGE = (10, 40)
_SLAB_MM = 48.0
_AXES = {
    "sagittal": ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
    "axial": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
}
"""Rows: x, y, z of the spine frame; columns: the array axes."""
_LONG_SCAN_S = 245.0
"""A long scan ends this much after arrival, or later, so that wash-out at 240 s exists."""


def draw_protocol(rng: np.random.Generator, level: str, plane: PlaneName = "sagittal") -> ProtocolRecipe:
    """Sequence, geometry and timing of one examination; depends on level and plane (what the field of view covers)."""
    axial = plane == "axial"
    field = 3.0 if rng.random() < 0.5 else 1.5
    suppressed = rng.random() < 0.25
    interval, count, arrival = _draw_timing(rng)
    spacing = rng.uniform(1.0, 1.6)
    view = rng.uniform(*(_AXIAL_VIEW_MM if axial else _FIELD_OF_VIEW_MM)[region_of(level)])
    matrix = int(np.clip(8 * round(view / spacing / 8.0), *_MATRIX_RANGE))
    thickness = rng.uniform(4.0, 5.0)
    slices = int(np.clip(round(rng.uniform(_SLAB_MM, 70.0) / thickness), 10, 16))
    view = matrix * spacing
    return ProtocolRecipe(
        plane=plane,
        field_strength_t=field,
        repetition_time_s=float(rng.uniform(0.0035, 0.006)),
        echo_time_s=float(rng.uniform(0.0010, 0.0025)),
        flip_angle_deg=float(rng.uniform(10.0, 25.0)),
        fat_signal=float(rng.uniform(0.05, 0.3)) if suppressed else 1.0,
        matrix=(matrix, matrix, slices),
        spacing_mm=(float(spacing), float(spacing), float(thickness)),
        acquired=_draw_acquired(rng),
        taper=float(rng.uniform(0.2, 0.9)),
        fat_shift_voxels=float(rng.uniform(0.1, 1.0) * (1.0 if field > 2.0 else 0.6)),
        centre_mm=_draw_centre(rng, level, view, axial=axial),
        tilt_deg=_floats(rng.normal(0.0, 2.0, 3)),
        position_mm=(float(rng.uniform(-15, 15)), float(rng.uniform(-60, 20)), float(rng.uniform(-80, 80))),
        position_deg=_floats(rng.normal(0.0, 2.5, 3)),
        frame_interval_s=interval,
        frame_count=count,
        arrival_s=arrival,
    )


def _draw_timing(rng: np.random.Generator) -> tuple[float, int, float]:
    long_scan = rng.random() < 0.85
    duration = rng.uniform(295.0, 360.0) if long_scan else rng.uniform(150.0, 290.0)
    interval = float(np.exp(rng.uniform(np.log(5.0), np.log(25.0))))
    low, high = _FRAMES_RANGE
    interval = float(np.clip(interval, duration / (high - 1), duration / (low - 1)))
    count = int(np.clip(round(duration / interval) + 1, low, high))
    last = (count - 1) * interval
    # Frames 0 and 1 must end before contrast arrives; 1 s is kept clear of it.
    earliest = max(15.0, 1.5 * interval + 1.0)
    latest = min(60.0, last - (_LONG_SCAN_S if long_scan else 125.0))
    return interval, count, float(rng.uniform(earliest, max(latest, earliest)))


def _draw_acquired(rng: np.random.Generator) -> tuple[float, float]:
    """Shares of the lines that are acquired: nearly all along the readout, fewer phase-encoding steps (assumed)."""
    return float(min(1.0, rng.uniform(0.8, 1.15))), float(rng.uniform(0.65, 1.0))


def _draw_centre(rng: np.random.Generator, level: str, view_mm: float, *, axial: bool) -> tuple[float, float, float]:
    """Keep the index vertebra inside the field of view, wherever in it, and the skull mostly out."""
    if axial:
        return float(rng.normal(0.0, 8.0)), float(rng.uniform(-0.1, 0.12) * view_mm), float(rng.uniform(-8.0, 8.0))
    along = rng.uniform(-0.22, 0.22) * view_mm
    if region_of(level) == "C":
        along = -rng.uniform(0.0, 0.2) * view_mm
    front = rng.uniform(-0.04, 0.12) * view_mm
    return float(rng.normal(0.0, 2.5)), float(front), float(along)


def draw_perfusion(rng: np.random.Generator, patient: PatientRecipe, field_strength_t: float) -> PerfusionRecipe:
    """Contrast agent, blood and normal tissue.

    Relaxivity spans gadoterate to gadobutrol in plasma (Szomolanyi 2019). Marrow's Ktrans falls with age and is higher
    in young women, so that its enhancement resembles the published 58 +- 45 % up to 50 years and 22 +- 15 % above.
    """
    young = patient.age_years <= 50.0
    marrow = 0.024 if not young else (0.075 if patient.sex == "female" else 0.042)
    return PerfusionRecipe(
        relaxivity_per_mm_s=float(rng.uniform(3.6, 4.9) - (0.2 if field_strength_t > 2.0 else 0.0)),
        relaxivity_t2s_per_mm_s=float(rng.uniform(5.0, 9.0)),
        input_scale=float(np.exp(rng.normal(0.0, 0.07))),
        hematocrit=float(np.clip(rng.normal(0.42, 0.03), 0.34, 0.50)),
        t1_factor=float(np.exp(rng.normal(0.0, 0.05))),
        marrow_ktrans=float(marrow * np.exp(rng.normal(0.0, 0.45))),
        marrow_ve=float(rng.uniform(0.10, 0.25)),
        muscle_ktrans=float(0.045 * np.exp(rng.normal(0.0, 0.3))),
        organ_ktrans=float(0.25 * np.exp(rng.normal(0.0, 0.3))),
        tissue_delay_s=float(rng.uniform(2.0, 6.0)),
    )


def draw_artefacts(rng: np.random.Generator, frame_count: int) -> ArtefactRecipe:
    """Gain, noise, coil, motion between and within frames, pulsation, wrap-around, failed fat suppression (assumed)."""
    restless = rng.random() < 0.15
    shifts, jerks = _draw_motion(rng, frame_count, restless)
    return ArtefactRecipe(
        gain=float(np.exp(rng.uniform(np.log(6500.0), np.log(13000.0)))),
        snr=float(np.exp(rng.uniform(np.log(12.0), np.log(40.0)))),
        coil_falloff_mm=float(rng.uniform(110.0, 350.0)),
        coil_tilt=(float(rng.normal(0.0, 0.10)), float(rng.normal(0.0, 0.10))),
        coil_ripple=float(rng.uniform(0.02, 0.10)),
        saturation_mm=float(rng.uniform(35.0, 120.0)),
        shifts_mm=shifts,
        jerks=jerks,
        ghost=float(rng.uniform(0.0, 0.05)),
        csf_pulsation=float(rng.uniform(0.0, 0.25)),
        ghost_phase=float(rng.uniform(0.0, 2.0 * np.pi)),
        wrap=float(rng.uniform(0.05, 0.5) if rng.random() < 0.15 else 0.0),
        wrap_mm=float(rng.uniform(10.0, 35.0)),
        fat_failure=float(rng.uniform(0.4, 1.0) if rng.random() < 0.35 else 0.0),
        fat_failure_mm=float(rng.uniform(45.0, 110.0)),
        fat_failure_deg=float(rng.uniform(0.0, 360.0)),
        noise_seed=int(rng.integers(2**63)),
        field_seed=int(rng.integers(2**63)),
    )


def _draw_motion(
    rng: np.random.Generator, frame_count: int, restless: bool
) -> tuple[tuple[tuple[float, float, float], ...], tuple[JerkRecipe, ...]]:
    """Drift, breathing and one jump of a restless patient; a jump falls into a frame, and others only jerk."""
    step = (0.25 if restless else 0.06) * np.array([0.5, 0.7, 1.0])
    drift = np.cumsum(rng.normal(0.0, step, (frame_count, 3)), axis=0)
    jump = np.zeros((frame_count, 3))
    size = rng.normal(0.0, 1.0, 3) * np.array([0.4, 0.8, 1.0])
    when = int(rng.integers(1, frame_count))
    if restless:
        jump[when:] = size
    breathing = rng.normal(0.0, rng.uniform(0.0, 0.25), (frame_count, 1)) * np.array([0.1, 0.6, 1.0])
    shifts = drift + jump + breathing
    shifts = np.clip(shifts - shifts[0], -4.0, 4.0)
    jerks = [JerkRecipe(when - 1, _floats(size), float(rng.uniform(0.3, 0.9)))] if restless else []
    for _ in range(int(rng.poisson(2.0 if restless else 0.25))):
        swing = rng.normal(0.0, 1.0, 3) * np.array([0.5, 1.2, 1.2])
        jerks.append(JerkRecipe(int(rng.integers(frame_count)), _floats(swing), float(rng.uniform(0.2, 0.9))))
    return tuple(_floats(shift) for shift in shifts), tuple(jerks)


def _floats(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    x, y, z = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float64)


def spine_affine(protocol: ProtocolRecipe) -> NDArray[np.float64]:
    """``(4, 4)`` voxel index to the spine frame in mm; where the array axes run depends on the plane."""
    axes = np.array(_AXES[protocol.plane])
    affine = np.eye(4)
    affine[:3, :3] = _rotation(protocol.tilt_deg) @ axes @ np.diag(protocol.spacing_mm)
    middle = (np.array(protocol.matrix, dtype=np.float64) - 1.0) / 2.0
    affine[:3, 3] = np.array(protocol.centre_mm) - affine[:3, :3] @ middle
    return affine


def protocol_grid(protocol: ProtocolRecipe) -> Grid:
    """Grid of the series: the spine frame moved to where the patient lay in the scanner (RAS+)."""
    patient = np.eye(4)
    patient[:3, :3] = _rotation(protocol.position_deg)
    patient[:3, 3] = protocol.position_mm
    return Grid(protocol.matrix, patient @ spine_affine(protocol))
