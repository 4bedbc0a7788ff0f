"""The normal spine: sizes by level, and how a person's anatomy is drawn.

Sizes are rounded means of adult morphometry (cervical, thoracic and lumbar vertebrae after Panjabi et al., Spine 1991
and 1992; quoted from memory, so treat them as assumed to 10 %). Checked against what could be read: L5 after Cook and
Baker, Int J Spine Surg 2021;15:1072 (196 CT: height 30.3 +- 1.9 in front and 26.3 +- 1.9 behind, length 35.7 +- 3.5,
canal 15.6 +- 2.1 long and 28.2 +- 3.1 wide, its length the same in all lumbar levels); cord of 78.1 +- 9.4 mm2 in men
and 74.4 +- 9.4 in women at C5 after Kato et al., Eur Spine J 2012;21:1499 (1,211 volunteers; here 7.8 x 13.3 mm, 81
mm2, and the same spread). Tilts describe a lying person (assumed).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.parts import AnatomyRecipe, PatientRecipe

__all__ = ["LEVELS", "LEVEL_SIZES", "REGIONS", "LevelSizes", "draw_anatomy", "region_of"]

REGIONS = ("C", "T", "L", "S")
LEVELS = (
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    *(f"S{n}" for n in range(1, 6)),
    "Co1",
    "Co2",
)
"""Vertebrae the simulator knows, from the top down."""


@dataclass(frozen=True, eq=False)
class LevelSizes:
    """Published sizes per level, each ``(30,)`` in the order of :data:`LEVELS`; mm unless named otherwise.

    Parameters
    ----------
    height, depth, width
        Of the vertebral body: superior-inferior, anterior-posterior, left-right.
    disc
        Height of the disc below.
    tilt_deg
        How far the vertebra's own up-axis leans to the front.
    canal_depth, canal_width
        Of the spinal canal.
    spinous_length, spinous_drop, spinous_height
        Of the spinous process: length behind the lamina, drop per mm of length, height.
    cord_depth, cord_width
        Of the spinal cord; 0 below the conus.
    """

    height: NDArray[np.float64]
    depth: NDArray[np.float64]
    width: NDArray[np.float64]
    disc: NDArray[np.float64]
    tilt_deg: NDArray[np.float64]
    canal_depth: NDArray[np.float64]
    canal_width: NDArray[np.float64]
    spinous_length: NDArray[np.float64]
    spinous_drop: NDArray[np.float64]
    spinous_height: NDArray[np.float64]
    cord_depth: NDArray[np.float64]
    cord_width: NDArray[np.float64]


def _row(cervical: str, thoracic: str, lumbar: str, sacral: str, coccyx: str) -> NDArray[np.float64]:
    return np.array(" ".join((cervical, thoracic, lumbar, sacral, coccyx)).split(), dtype=np.float64)


LEVEL_SIZES = LevelSizes(
    height=_row(
        "18 13.5 13 12.5 12.5 14", "15.5 16.5 17 17.5 18 18.5 19 19.5 20.5 21.5 22 23.5", "25 26 26.5 27 28",
        "27 22 18 16 14", "10 8",
    ),
    depth=_row(
        "15 15.5 15.5 16 16.5 16.5", "16.5 18 20 21.5 23 25 27 28.5 29.5 30.5 31.5 32.5", "33.5 34.5 35 35.5 35.5",
        "30 20 15 12 10", "8 7",
    ),
    width=_row(
        "18 17 17.5 18.5 20 23", "28 27 26 26 26.5 28 29 30.5 32 34.5 37 40", "42 43 45 47 50", "56 48 40 34 28",
        "15 10",
    ),
    disc=_row(
        "5 5 5.2 5.5 5.5 5", "4 3.5 3.3 3.2 3.3 3.5 3.8 4.2 4.6 5.2 6 7", "8.5 9.5 10.5 11.5 10.5", "3 2 1.5 1.2 2",
        "2 2",
    ),
    tilt_deg=_row(
        "-2 2 6 11 16 21", "22 20 17 13 9 5 1 -3 -7 -10 -12 -13", "-12 -9 -3 6 19", "40 38 24 4 -14", "-30 -38"
    ),
    canal_depth=_row(
        "18 15.5 15 15 15 15", "15.5 15.5 15.5 15.5 15.5 16 16 16 16 15.8 16 17", "16.5 16 15.8 15.8 15.8",
        "15 13 10 8 6", "3 2",
    ),
    canal_width=_row(
        "24 24 24.5 25 25 25", "21 19 18 17.5 17.5 17.5 17.5 17.5 17.5 18 19 21", "23 23.5 24 25.5 28",
        "30 26 20 16 12", "6 4",
    ),
    spinous_length=_row(
        "20 13 13 15 20 26", "28 28 28 30 32 34 34 33 30 27 24 24", "28 30 31 29 22", "11 8 6 5 3", "0 0"
    ),
    spinous_drop=_row(
        "0.3 0.45 0.45 0.5 0.5 0.45", "0.5 0.6 0.7 0.9 1.1 1.2 1.2 1.1 0.9 0.6 0.4 0.25", "0.15 0.12 0.12 0.15 0.25",
        "0.4 0.4 0.4 0.4 0.4", "0 0",
    ),
    spinous_height=_row(
        "9 6 6 6 7 9", "9 9 9 10 10 10 10 11 12 14 17 19", "21 22 22 20 15", "12 10 8 7 6", "0 0"
    ),
    cord_depth=_row(
        "8.5 8.2 8 7.8 7.5 7.2", "7 6.8 6.6 6.5 6.5 6.5 6.5 6.6 6.8 7.2 7.6 7.4", "5 0 0 0 0", "0 0 0 0 0", "0 0"
    ),
    cord_width=_row(
        "12 12.5 13 13.3 13 11.5", "10 9 8.6 8.5 8.5 8.5 8.5 8.6 8.8 9.2 9.6 9", "5.5 0 0 0 0", "0 0 0 0 0", "0 0"
    ),
)  # fmt: skip


def region_of(level: str) -> str:
    """Region of a level: C, T, L or S (the coccyx counts as S)."""
    return "S" if level.startswith("Co") else level[0]


def draw_anatomy(rng: np.random.Generator, level: str, patient: PatientRecipe) -> AnatomyRecipe:
    """Anatomy of one person around the index vertebra `level`; depends on age and sex, never on the class."""
    count = len(LEVELS)
    older = np.clip((patient.age_years - 20.0) / 60.0, 0.0, 1.0)
    female = patient.sex == "female"
    region = region_of(level)
    size = (0.93 if female else 1.03) * rng.normal(1.0, 0.035) * (0.85 + 0.15 * min(patient.age_years / 16.0, 1.0))
    grade = np.clip(rng.normal(0.75 * older, 0.10) + rng.normal(0.0, 0.17, count), 0.0, 1.0)
    marrow_fat = np.clip(rng.normal(0.26 + 0.34 * older - (0.04 if female else 0.0), 0.07), 0.12, 0.75)
    back = {"C": 26.0, "T": 26.0, "L": 38.0, "S": 24.0}[region]
    return AnatomyRecipe(
        level=level,
        size=float(size),
        cord_size=float(np.clip(rng.normal(1.0 if not female else 0.98, 0.06), 0.8, 1.2)),
        curvature=float(rng.uniform(0.65, 1.2)),
        tilt_jitter_deg=_floats(rng.normal(0.0, 1.2, count)),
        disc_grade=_floats(grade),
        marrow_fat_shift=_floats(rng.normal(0.0, 0.025, count)),
        scoliosis_mm=float(abs(rng.normal(0.0, 2.0))),
        scoliosis_phase=float(rng.uniform(0.0, 2.0 * np.pi)),
        collapse=float(rng.uniform(0.1, 0.4) if rng.random() < 0.25 else 0.0),
        marrow_fat=float(marrow_fat),
        marrow_texture=float(rng.uniform(0.03, 0.075) * (1.0 + 0.7 * older)),
        muscle_fat=float(np.clip(rng.normal(0.05 + 0.22 * older, 0.06), 0.01, 0.45)),
        back_mm=float(back * rng.normal(1.0, 0.12)),
        subcutaneous_mm=float(rng.uniform(6.0, 32.0)),
        epidural_fat=float(rng.uniform(0.2, 1.0)),
        aorta_mm=(float(rng.normal(-11.0, 3.5)), float(rng.uniform(2.0, 7.0)), float(rng.normal(10.0, 1.2))),
        texture_seed=int(rng.integers(2**63)),
    )


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
