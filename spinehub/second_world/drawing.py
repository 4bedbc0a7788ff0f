"""Drawing recipes of the second world: one case from (seed, case) alone.

Protocols are those of other makers than the first simulator's: thinner slices, longer TR and TE, frames close together
around the arrival and wide apart later, slices that may be acquired interleaved, slabs turned towards coronal.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.errors import InvalidArgumentError
from spinehub.second_world.noise import MEASURED
from spinehub.second_world.recipe import (
    WORLD_VERSION,
    AgentRecipe,
    BodyRecipe,
    NoiseStatistics,
    PersonRecipe,
    ScannerRecipe,
    ScanRecipe,
    SecondRecipe,
    TumourRecipe,
)
from spinehub.second_world.signs import HISTOLOGIES, KINETICS, draw_signs

__all__ = ["cohort_recipes", "draw_recipe"]

_WORLD = 2
"""First number of every seed sequence, so that no stream is one of the first simulator's."""
_STREAMS = ("histology", "person", "level", "scan", "agent", "body", "signs", "tumour", "scanner")
_REGIONS = {"C": (("C4", "C5", "C6", "C7"), 0.11), "T": (tuple(f"T{n}" for n in range(1, 13)), 0.44),
            "L": (tuple(f"L{n}" for n in range(1, 6)), 0.28), "S": (("S1", "S2"), 0.17)}  # fmt: skip
_VIEW_MM = {"C": 190.0, "T": 230.0, "L": 230.0, "S": 230.0}
_LARGEST_MM = {"C": 30.0, "T": 40.0, "L": 52.0, "S": 55.0}
_LEAST_VOXELS = 120


def draw_recipe(
    seed: int,
    case: int = 0,
    *,
    kinetics: str = "medium",
    diagnosis: Diagnosis | None = None,
    noise: NoiseStatistics | None = None,
) -> SecondRecipe:
    """Draw everything random about one case; depends on the arguments alone.

    Parameters
    ----------
    seed, case
        Of the cohort and within it, both at least 0.
    kinetics
        How much the kinetics of primary tumours differ (assumed): a key of :data:`spinehub.second_world.KINETICS`.
    diagnosis
        Class of the lesion; None: cases 2 n and 2 n + 1 get the two classes in random order.
    noise
        Statistics of the noise, from :func:`spinehub.second_world.measure_noise`; None: of one of the measured scans.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of its range.
    """
    if seed < 0 or case < 0:
        raise InvalidArgumentError(f"seed and case must be at least 0, got {seed} and {case}")
    if kinetics not in KINETICS:
        raise InvalidArgumentError(f"kinetics must be one of {tuple(KINETICS)}, got {kinetics!r}")
    if diagnosis is not None and diagnosis not in DIAGNOSES:
        raise InvalidArgumentError(f"diagnosis must be one of {DIAGNOSES} or None, got {diagnosis!r}")
    rngs = {name: _stream(seed, case, place) for place, name in enumerate(_STREAMS)}
    diagnosis = diagnosis or DIAGNOSES[(case + int(_stream(seed, case // 2, len(_STREAMS)).integers(2))) % 2]
    mix = HISTOLOGIES[diagnosis]
    histology = str(rngs["histology"].choice(list(mix), p=list(mix.values())))
    region = str(rngs["level"].choice(list(_REGIONS), p=[share for _, share in _REGIONS.values()]))
    level = str(rngs["level"].choice(_REGIONS[region][0]))
    person = PersonRecipe(
        float(rngs["person"].uniform(18.0, 82.0)), ("female", "male")[int(rngs["person"].integers(2))]
    )
    scan = _draw_scan(rngs["scan"], region)
    tumour = _draw_tumour(rngs["tumour"], draw_signs(rngs["signs"], histology, kinetics), region, scan)
    return SecondRecipe(
        world="second",
        version=WORLD_VERSION,
        seed=int(seed),
        case=int(case),
        cohort="matched",
        kinetics=kinetics,
        patient=person,
        protocol=scan,
        agent=_draw_agent(rngs["agent"]),
        anatomy=_draw_body(rngs["body"], level, person),
        lesions=(TumourRecipe(diagnosis=diagnosis, histology=histology, level=level, **tumour),),
        scanner=_draw_scanner(rngs["scanner"], scan.frame_count, noise),
    )


def cohort_recipes(
    cases: int, seed: int, *, kinetics: str = "medium", noise: NoiseStatistics | None = None
) -> Iterator[SecondRecipe]:
    """Recipes of a cohort, one half of each class (an odd last case is either); case k depends on (seed, k) alone."""
    if cases < 1:
        raise InvalidArgumentError(f"cases must be at least 1, got {cases}")
    return (draw_recipe(seed, case, kinetics=kinetics, noise=noise) for case in range(cases))


def _stream(seed: int, case: int, place: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([_WORLD, seed, case, place]))


def _draw_scan(rng: np.random.Generator, region: str) -> ScanRecipe:
    spacing = float(rng.uniform(0.85, 1.30))
    rows = int(np.clip(8 * round(_VIEW_MM[region] * rng.uniform(0.9, 1.1) / spacing / 8.0), 144, 208))
    columns = int(8 * round(rows * rng.uniform(0.75, 1.0) / 8.0))
    thickness = float(rng.uniform(2.8, 3.4))
    fast = float(rng.uniform(6.0, 11.0))
    slow = float(rng.uniform(15.0, 30.0))
    early = fast * np.arange(int(np.ceil(rng.uniform(95.0, 130.0) / fast)))
    end = rng.uniform(300.0, 345.0)
    late = early[-1] + slow * np.arange(1, int(np.ceil((end - early[-1]) / slow)) + 1)
    view = rows * spacing
    along = -rng.uniform(0.0, 0.15) * view if region == "C" else rng.uniform(-0.2, 0.2) * view
    return ScanRecipe(
        field_strength_t=3.0 if rng.random() < 0.6 else 1.5,
        repetition_time_s=float(rng.uniform(0.0045, 0.0080)),
        echo_time_s=float(rng.uniform(0.0016, 0.0034)),
        flip_angle_deg=float(rng.uniform(12.0, 30.0)),
        matrix=(columns, rows, int(rng.integers(14, 19))),
        spacing_mm=(spacing, spacing, thickness),
        kept_frequencies=(float(rng.uniform(0.75, 0.98)), float(rng.uniform(0.65, 0.95))),
        centre_mm=(float(rng.normal(0.0, 2.0)), float(rng.uniform(0.02, 0.14) * view), float(along)),
        tilt_deg=(float(rng.normal(0.0, 5.0)), float(rng.normal(0.0, 4.0)), float(rng.uniform(-18.0, 18.0))),
        position_mm=(float(rng.uniform(-20, 20)), float(rng.uniform(-70, 30)), float(rng.uniform(-90, 90))),
        fat_signal=float(rng.uniform(0.1, 0.4) if rng.random() < 0.4 else 1.0),
        fat_unevenness=float(rng.uniform(0.0, 0.25)),
        interleaved=bool(rng.random() < 0.3),
        frame_times_s=tuple(float(time) for time in (*early, *late)),
        frame_duration_s=fast,
        arrival_s=float(rng.uniform(1.5 * fast + 2.0, 1.5 * fast + 22.0)),
    )


def _draw_agent(rng: np.random.Generator) -> AgentRecipe:
    return AgentRecipe(
        relaxivity_per_mm_s=float(rng.uniform(3.3, 5.0)),
        relaxivity_t2s_per_mm_s=float(rng.uniform(4.5, 8.0)),
        injection_s=float(rng.uniform(4.0, 10.0)),
        input_scale=float(np.exp(rng.normal(0.0, 0.10))),
    )


def _draw_body(rng: np.random.Generator, level: str, person: PersonRecipe) -> BodyRecipe:
    older = float(np.clip((person.age_years - 18.0) / 64.0, 0.0, 1.0))
    flow = 0.10 if person.age_years > 50.0 else 0.22
    return BodyRecipe(
        level=level,
        size=float((0.95 if person.sex == "female" else 1.04) * rng.normal(1.0, 0.04)),
        bend=float(rng.uniform(0.6, 1.15)),
        sway_mm=float(rng.normal(0.0, 2.5)),
        disc_water=float(np.clip(rng.normal(0.85 - 0.6 * older, 0.15), 0.0, 1.0)),
        marrow_fat=float(np.clip(rng.normal(0.28 + 0.32 * older, 0.08), 0.1, 0.75)),
        marrow_grain=float(rng.uniform(0.02, 0.08)),
        muscle_fat=float(np.clip(rng.normal(0.06 + 0.18 * older, 0.05), 0.01, 0.4)),
        texture_slope=float(rng.uniform(2.2, 3.4)),
        back_mm=float(rng.uniform(26.0, 42.0)),
        fat_mm=float(rng.uniform(8.0, 34.0)),
        aorta_mm=(float(rng.normal(-12.0, 4.0)), float(rng.uniform(1.0, 6.0)), float(rng.uniform(8.5, 11.5))),
        t1_factor=float(np.exp(rng.normal(0.0, 0.06))),
        marrow_flow=float(flow * np.exp(rng.normal(0.0, 0.4))),
        muscle_flow=float(0.08 * np.exp(rng.normal(0.0, 0.3))),
        organ_flow=float(0.4 * np.exp(rng.normal(0.0, 0.3))),
        texture_seed=int(rng.integers(2**63)),
    )


def _draw_tumour(rng: np.random.Generator, signs: dict[str, Any], region: str, scan: ScanRecipe) -> dict[str, Any]:
    """Fields of the lesion but its class; only `signs` met the histology."""
    smallest = float((6.0 / np.pi * _LEAST_VOXELS * np.prod(scan.spacing_mm)) ** (1.0 / 3.0))
    diameter = float(np.clip(np.exp(rng.normal(np.log(24.0), 0.36)), smallest, max(_LARGEST_MM[region], smallest)))
    longer = 1.0 if scan.field_strength_t > 2.0 else 0.83
    return {
        **signs,
        "diameter_mm": diameter,
        "offset": tuple(float(value) for value in rng.uniform(-1.0, 1.0, 3)),
        "roughness": float(rng.uniform(0.05, 0.25)),
        "mass_deg": float(rng.choice([15.0, 90.0, 165.0]) + rng.normal(0.0, 20.0)),
        "edge_mm": float(np.exp(rng.uniform(np.log(0.7), np.log(3.5)))),
        "necrosis": float(rng.uniform(0.1, 0.5) if rng.random() < 0.35 else 0.0),
        "t1_s": float(1.45 * longer * np.exp(rng.normal(0.0, 0.15))),
        "t2s_s": float(rng.uniform(0.020, 0.050)),
        "density": float(rng.uniform(0.78, 0.92)),
        "delay_s": float(rng.uniform(1.0, 6.0)),
        "shape_seed": int(rng.integers(2**63)),
    }


def _draw_scanner(rng: np.random.Generator, frames: int, noise: NoiseStatistics | None) -> ScannerRecipe:
    measured = MEASURED[int(rng.integers(len(MEASURED)))]
    restless = 1.0 if rng.random() < 0.15 else 0.25
    drift = np.cumsum(rng.normal(0.0, 0.15 * restless, (frames, 2)), axis=0)
    breath = np.outer(np.sin(1.7 * np.arange(frames) + rng.uniform(0.0, 6.3)), rng.uniform(0.0, 0.3, 2))
    slips = np.clip(drift + breath - (drift + breath)[0], -4.0, 4.0)
    return ScannerRecipe(
        gain=float(np.exp(rng.uniform(np.log(3000.0), np.log(20000.0)))),
        snr=float(np.exp(rng.uniform(np.log(12.0), np.log(40.0)))),
        noise=noise or measured,
        coil_mm=float(rng.uniform(70.0, 120.0)),
        coil_depth_mm=float(rng.uniform(90.0, 180.0)),
        shading_left=float(rng.uniform(0.1, 0.8)),
        slips_mm=tuple((float(first), float(second)) for first, second in slips),
        noise_seed=int(rng.integers(2**63)),
    )
