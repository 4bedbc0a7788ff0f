"""Input function, tissue model and signal equation against OSIPI's reference tables and against plain integration."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

from spinehub.errors import InvalidArgumentError
from spinehub.simulate.kinetics import extended_tofts, parker_blood, plasma_curve
from spinehub.simulate.signal import (
    fat_phase,
    fine_times,
    frame_means,
    spoiled_gradient_echo,
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=float)


def test_parker_input_function_equals_the_reference(shared_data: Path) -> None:
    table = rows(shared_data / "b_dce" / "osipi_parker_aif.csv")
    times = np.array([float(row["time"]) for row in table])
    expected = np.array([float(row["Cb"]) for row in table])
    np.testing.assert_allclose(parker_blood(times), expected, rtol=1e-3, atol=1e-3)


def test_parker_input_function_is_zero_before_arrival() -> None:
    assert parker_blood(-0.01) == 0.0
    assert plasma_curve(np.array([19.9, 20.1]), 20.0, 1.0, 0.42)[0] == 0.0


def test_plasma_holds_the_blood_s_agent_without_red_cells() -> None:
    times = np.arange(0.0, 300.0, 1.0)
    expected = 0.9 * parker_blood((times - 30.0) / 60.0) / 0.58
    np.testing.assert_allclose(plasma_curve(times, 30.0, 0.9, 0.42), expected)


def test_tofts_model_recovers_the_reference_parameters_within_osipi_tolerance(shared_data: Path) -> None:
    table = [row for row in rows(shared_data / "b_dce" / "osipi_tofts.csv") if "highSNR" in row["label"]]
    assert len(table) == 5
    for row in table:
        times, plasma, measured = numbers(row["t"]), numbers(row["ca"]), numbers(row["C"])

        def residual(x: np.ndarray, t=times, cp=plasma, c=measured) -> np.ndarray:
            return extended_tofts(t, cp, float(x[0]), float(x[1])) - c

        ktrans, ve = least_squares(residual, [0.2, 0.3], bounds=([1e-4, 0.01], [5.0, 1.0])).x
        assert ktrans == pytest.approx(float(row["Ktrans"]), abs=0.005 + 0.1 * float(row["Ktrans"]))
        assert ve == pytest.approx(float(row["ve"]), abs=0.05)


def test_signal_equation_inverts_the_reference_conversion(shared_data: Path) -> None:
    for row in rows(shared_data / "b_dce" / "osipi_signal_to_conc.csv"):
        signal, concentration = numbers(row["s"]), numbers(row["conc"])
        before = slice(1, int(row["numbaselinepts"]))  # the reference leaves the first point out of its baseline
        repetition_s, angle, t1 = float(row["TR"]), float(row["FA"]), float(row["T1base"])
        rate = 1.0 / t1 + float(row["r1"]) * concentration
        ratio = spoiled_gradient_echo(rate, repetition_s, angle) / spoiled_gradient_echo(1.0 / t1, repetition_s, angle)
        np.testing.assert_allclose(ratio, signal / signal[before].mean(), rtol=1e-3)


@given(
    ktrans=st.floats(0.001, 1.0), ve=st.floats(0.02, 0.9), vp=st.floats(0.0, 0.3), step_s=st.sampled_from([0.5, 1.0])
)
def test_tofts_convolution_equals_plain_integration(ktrans: float, ve: float, vp: float, step_s: float) -> None:
    times = np.arange(0.0, 120.0, step_s)
    plasma = np.sin(times / 40.0) ** 2 + 0.3
    found = extended_tofts(times, plasma, ktrans, ve, vp)
    fine = np.linspace(0.0, times[-1], 20001)
    kernel = np.exp(-ktrans / ve * (fine[-1] - fine) / 60.0) * np.interp(fine, times, plasma)
    expected = ktrans * np.trapezoid(kernel, fine) / 60.0 + vp * plasma[-1]
    assert found[-1] == pytest.approx(expected, rel=1e-4)
    assert found[0] == pytest.approx(vp * plasma[0])


def test_tofts_without_leakage_is_the_plasma_share() -> None:
    plasma = np.array([0.0, 1.0, 2.0])
    np.testing.assert_array_equal(extended_tofts(np.arange(3.0), plasma, 0.0, 0.2, 0.1), 0.1 * plasma)


def test_tofts_refuses_uneven_times_and_an_empty_extracellular_space() -> None:
    with pytest.raises(InvalidArgumentError, match="equally spaced"):
        extended_tofts(np.array([0.0, 1.0, 3.0]), np.zeros(3), 0.1, 0.2)
    with pytest.raises(InvalidArgumentError, match="ve must be above 0, got 0"):
        extended_tofts(np.arange(3.0), np.zeros(3), 0.1, 0.0)


def test_frames_average_the_curve_over_their_duration() -> None:
    fine = fine_times(40.0, 10.0)
    assert fine[0] == -5.0
    assert fine[-1] >= 45.0
    centres = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    means = frame_means(np.stack([fine, fine**2]), fine, centres, 10.0)
    np.testing.assert_allclose(means[0], centres, atol=1e-9)
    np.testing.assert_allclose(means[1], centres**2 + 100.0 / 12.0, rtol=1e-3, atol=0.1)


@pytest.mark.parametrize(
    ("echo_time_s", "field_t", "half_turns"), [(0.0023, 1.5, 1.0), (0.0023, 3.0, 2.0), (0.0, 3.0, 0.0)]
)
def test_fat_lags_by_half_a_turn_at_the_opposed_phase_echo(
    echo_time_s: float, field_t: float, half_turns: float
) -> None:
    assert fat_phase(echo_time_s, field_t) == pytest.approx(half_turns * np.pi, rel=0.01)
