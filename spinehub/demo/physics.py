"""The physics sandbox: tissue and scan in, curve and the two parameters out, by the simulator's own arithmetic.

One tissue without noise: Parker's population input function (shifted to the arrival), the extended Tofts model, the
spoiled-gradient-echo equation, and the mean over each frame; then the definitions every map is computed with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from spinehub.demo.rule_plots import known_rule
from spinehub.errors import InvalidArgumentError
from spinehub.models.calibration import Answer
from spinehub.perfusion.kinetics import EARLY_S, ENHANCES_PERCENT, KERNELS, REFERENCE_S, WASHOUT_S, Clock
from spinehub.series import Protocol
from spinehub.simulate.kinetics import extended_tofts, plasma_curve
from spinehub.simulate.signal import fine_times, frame_means, spoiled_gradient_echo

__all__ = ["LIMITS", "Physics", "Simulated", "settings_of", "simulate"]

HEMATOCRIT = 0.42
RELAXIVITY = 4.5
"""1/(mM s), between gadoterate and gadobutrol in plasma at 1.5 to 3 T (Szomolanyi 2019)."""
FIELD_T = 3.0


@dataclass(frozen=True)
class Limit:
    """What a slider offers: ends, step, and where it starts."""

    low: float
    high: float
    step: float
    start: float


LIMITS: dict[str, Limit] = {
    "ktrans_per_min": Limit(0.0, 0.6, 0.01, 0.15),
    "ve": Limit(0.05, 0.6, 0.01, 0.25),
    "vp": Limit(0.0, 0.1, 0.005, 0.01),
    "t1_s": Limit(0.4, 2.0, 0.05, 1.2),
    "flip_angle_deg": Limit(5.0, 40.0, 1.0, 15.0),
    "repetition_time_ms": Limit(3.0, 8.0, 0.5, 4.5),
    "frame_interval_s": Limit(3.0, 30.0, 1.0, 12.0),
    "end_s": Limit(60.0, 360.0, 10.0, 300.0),
    "phase": Limit(0.0, 1.0, 0.05, 0.5),
}


@dataclass(frozen=True)
class Physics:
    """One setting of the sandbox.

    Parameters
    ----------
    ktrans_per_min, ve, vp
        Transfer constant in 1/min, extravascular extracellular and plasma volume fractions.
    t1_s
        Of the tissue before contrast, in s.
    flip_angle_deg, repetition_time_ms
        Sequence.
    frame_interval_s, end_s
        Duration of a frame, and how long the scan goes on after arrival, in s.
    phase
        When contrast arrives within its frame: 0 at its start, 1 at its end.
    """

    ktrans_per_min: float = LIMITS["ktrans_per_min"].start
    ve: float = LIMITS["ve"].start
    vp: float = LIMITS["vp"].start
    t1_s: float = LIMITS["t1_s"].start
    flip_angle_deg: float = LIMITS["flip_angle_deg"].start
    repetition_time_ms: float = LIMITS["repetition_time_ms"].start
    frame_interval_s: float = LIMITS["frame_interval_s"].start
    end_s: float = LIMITS["end_s"].start
    phase: float = LIMITS["phase"].start

    def __post_init__(self) -> None:
        for field in fields(self):
            value, limit = float(getattr(self, field.name)), LIMITS[field.name]
            if not limit.low <= value <= limit.high:  # also refuses NaN
                raise InvalidArgumentError(
                    f"{field.name} must lie between {limit.low:g} and {limit.high:g}, got {value:g}; move the slider"
                )


@dataclass(frozen=True, eq=False)
class Simulated:
    """What the sandbox shows.

    Parameters
    ----------
    times_s, enhancement
        ``(T,)`` centres of the frames in s after arrival, and their enhancement in %.
    true_times_s, true_enhancement
        ``(F,)`` the same tissue without frames.
    readings, true_readings
        Map name to the number read from the frames, and from the tissue sampled every half second to 360 s; None
        where the scan ends before.
    answer
        What the rule says; None where it is not installed.
    """

    times_s: NDArray[np.float64]
    enhancement: NDArray[np.float64]
    true_times_s: NDArray[np.float64]
    true_enhancement: NDArray[np.float64]
    readings: dict[str, float | None]
    true_readings: dict[str, float | None]
    answer: Answer | None

    @property
    def case(self) -> tuple[float, float] | None:
        """Place on the plane of the rule; None where a parameter is missing."""
        early, washout = self.readings["early_enhancement"], self.readings["washout"]
        return None if early is None or washout is None else (early, washout)


def simulate(physics: Physics) -> Simulated:
    """Compute one setting; a few milliseconds."""
    interval = physics.frame_interval_s
    arrival = (1.5 + physics.phase) * interval  # two whole frames before contrast
    count = 1 + int(np.floor((arrival + physics.end_s) / interval))
    centres = interval * np.arange(count, dtype=np.float64)
    fine = fine_times(arrival + LIMITS["end_s"].high, interval)
    signal = _signal(physics, fine, arrival)
    frames = frame_means(signal[None], fine, centres, interval)[0]
    base = float(signal[0])
    seen = fine <= arrival + physics.end_s
    readings = _readings(frames, Clock(centres, arrival, 2))
    true_readings = _readings(signal, Clock(fine, arrival, int(np.count_nonzero(fine < arrival))))
    return Simulated(
        centres - arrival, 100.0 * (frames - base) / base, (fine - arrival)[seen],
        100.0 * (signal[seen] - base) / base, readings, true_readings, _answer(physics, readings),
    )  # fmt: skip


def _signal(physics: Physics, fine_s: NDArray[np.float64], arrival_s: float) -> NDArray[np.float64]:
    """Signal on the fine time axis; T2* decay is left out, since echoes are short."""
    plasma = plasma_curve(fine_s, arrival_s, 1.0, HEMATOCRIT)
    tissue = extended_tofts(fine_s, plasma, physics.ktrans_per_min, physics.ve, physics.vp)
    return spoiled_gradient_echo(
        1.0 / physics.t1_s + RELAXIVITY * tissue, 1e-3 * physics.repetition_time_ms, physics.flip_angle_deg
    )


def _readings(signal: NDArray[np.float64], clock: Clock) -> dict[str, float | None]:
    """Every number a map would show of this curve, and the wash-out to the last frame that older papers read."""
    base = np.asarray(signal[: clock.baseline_frames].mean())
    needs = {"early_enhancement": EARLY_S, "washout": WASHOUT_S, "peak_enhancement": 0.0, "washin_ratio": 0.0}
    readings: dict[str, float | None] = {
        name: float(KERNELS[name][1](signal, base, clock)) if clock.covers(after) else None
        for name, after in needs.items()
    }
    reference = np.interp(clock.arrival_s + REFERENCE_S, clock.times_s, signal)
    covered = clock.covers(REFERENCE_S)
    readings["last_frame_washout"] = float(100.0 * (signal[-1] - reference) / reference) if covered else None
    return readings


def _answer(physics: Physics, readings: dict[str, float | None]) -> Answer | None:
    rule = known_rule()
    if rule is None:
        return None
    if (readings["peak_enhancement"] or 0.0) < ENHANCES_PERCENT:
        return Answer.unavailable(f"the tissue does not enhance (its peak is below {ENHANCES_PERCENT:.0f} %)")
    protocol = Protocol(1e-3 * physics.repetition_time_ms, None, physics.flip_angle_deg, FIELD_T)
    early, washout = readings["early_enhancement"], readings["washout"]
    return rule.predict(early, washout, protocol=protocol, frame_interval_s=physics.frame_interval_s)


def settings_of(values: Sequence[float]) -> Physics:
    """Setting from the sliders, in the order of :data:`LIMITS`."""
    return Physics(**dict(zip(LIMITS, map(float, values), strict=True)))
