"""The second world's physics against closed forms, plain integration and the first simulator's own equations."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.second_world.blood import AMPLITUDES_MM, RATES_PER_MIN, plasma_concentration
from spinehub.second_world.exchange import Exchange, tissue_concentration
from spinehub.second_world.fields import acquired_frequencies, power_law_field, surface_radius, worley_borders
from spinehub.second_world.noise import (
    LEVELS,
    MEASURED,
    NoiseStatistics,
    complex_noise,
    measure_noise,
    rayleigh_quantiles,
)
from spinehub.second_world.signal import fat_phase, spoiled_echo
from spinehub.simulate.kinetics import extended_tofts
from spinehub.simulate.signal import fat_phase as first_fat_phase
from spinehub.simulate.signal import spoiled_gradient_echo
from spinehub.volume import Grid, Volume

TIMES = np.arange(0.0, 300.0, 0.5)


def published(minutes: float) -> float:
    return sum(a * np.exp(-m * minutes) for a, m in zip(AMPLITUDES_MM, RATES_PER_MIN, strict=True))


@pytest.mark.parametrize("time_s", [42.0, 47.9, 60.0, 250.0])
def test_injection_averages_the_published_curve(time_s: float) -> None:
    injection = 8.0
    since = time_s - 40.0
    area, _ = quad(lambda u: published((since - u) / 60.0), 0.0, min(injection, since))
    found = plasma_concentration(np.array([time_s]), 40.0, injection, 0.9)
    assert found[0] == pytest.approx(0.9 * area / injection, rel=1e-9)


def test_no_agent_before_arrival_and_the_published_curve_after_a_short_injection() -> None:
    assert plasma_concentration(np.array([0.0, 40.0]), 40.0, 5.0).tolist() == [0.0, 0.0]
    late = plasma_concentration(np.array([160.0]), 40.0, 0.01)
    assert late[0] == pytest.approx(published(2.0), rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(flow=st.floats(0.05, 2.0), exchange=st.floats(0.0, 1.0), vp=st.floats(0.02, 0.3), ve=st.floats(0.05, 0.6))
def test_exchange_model_equals_integration_of_its_equations(flow: float, exchange: float, vp: float, ve: float) -> None:
    def change(minutes: float, state: np.ndarray) -> list[float]:
        arterial = np.interp(60.0 * minutes, TIMES, plasma)
        cp, ce = state
        return [(flow * (arterial - cp) - exchange * (cp - ce)) / vp, exchange * (cp - ce) / ve]

    plasma = plasma_concentration(TIMES, 20.0, 8.0)
    solved = solve_ivp(change, (0.0, 150.0 / 60.0), [0.0, 0.0], rtol=1e-7, atol=1e-9, max_step=0.05)
    expected = vp * solved.y[0][-1] + ve * solved.y[1][-1]
    found = tissue_concentration(TIMES, plasma, Exchange(flow, exchange, vp, ve))
    assert found[300] == pytest.approx(expected, rel=2e-3, abs=1e-5)
    assert found[0] == 0.0


def test_impulse_response_keeps_all_agent_and_starts_at_the_flow() -> None:
    exchange = Exchange(0.8, 0.3, 0.1, 0.3)
    modes = exchange.modes()
    assert sum(area for _, area in modes) == pytest.approx(0.4)
    assert sum(area * rate for rate, area in modes) == pytest.approx(0.8)
    assert exchange.ktrans_per_min == pytest.approx(0.8 * 0.3 / 1.1)


def test_exchange_model_becomes_extended_tofts_where_flow_is_plenty() -> None:
    plasma = plasma_concentration(TIMES, 20.0, 8.0)
    found = tissue_concentration(TIMES, plasma, Exchange(5000.0, 0.2, 0.05, 0.3))
    np.testing.assert_allclose(found, extended_tofts(TIMES, plasma, 0.2, 0.3, 0.05), atol=2e-3)


def test_tissue_without_flow_takes_up_nothing_and_bad_numbers_are_refused() -> None:
    assert not tissue_concentration(TIMES, np.ones_like(TIMES), Exchange(0.0, 0.2, 0.1, 0.3)).any()
    with pytest.raises(InvalidArgumentError, match="vp and ve above 0 and together at most 1"):
        Exchange(1.0, 0.1, 0.5, 0.6)
    with pytest.raises(InvalidArgumentError, match="equally spaced"):
        tissue_concentration(np.array([0.0, 1.0, 3.0]), np.zeros(3), Exchange(1.0, 0.1, 0.1, 0.3))


def test_both_worlds_obey_the_same_signal_equation() -> None:
    rates = np.linspace(0.2, 30.0, 50)
    np.testing.assert_allclose(
        spoiled_echo(rates, 0.0055, 22.0), spoiled_gradient_echo(rates, 0.0055, 22.0), rtol=1e-12
    )
    assert fat_phase(0.0023, 1.5) == first_fat_phase(0.0023, 1.5)


@pytest.mark.parametrize("slope", [0.0, 2.0, 3.5])
def test_power_law_field_has_the_slope_it_was_asked_for(slope: float, rng: np.random.Generator) -> None:
    field = power_law_field(rng, (64, 64, 64), (1.0, 1.0, 2.0), slope)
    assert field.std() == pytest.approx(1.0, rel=1e-5)
    power = np.abs(np.fft.fftn(field)) ** 2
    squares = np.fft.fftfreq(64) ** 2
    frequency = np.sqrt(squares[:, None, None] + squares[None, :, None] + squares[None, None, :] / 4.0)
    seen = (frequency > 0.03) & (frequency < 0.4)
    fitted = np.polyfit(np.log(frequency[seen]), np.log(power[seen]), 1)[0]
    assert fitted == pytest.approx(-slope, abs=0.05)


def test_cells_have_borders_between_them(rng: np.random.Generator) -> None:
    points = np.stack(np.meshgrid(*[np.linspace(0.0, 60.0, 25)] * 3, indexing="ij")).reshape(3, -1).T
    fine, coarse = (worley_borders(np.random.default_rng(3), points, size) for size in (6.0, 20.0))
    assert fine.min() >= 0.0
    assert (fine < 1.5).mean() > 2.0 * (coarse < 1.5).mean() > 0.05
    one, other = np.array([[0.0, 0.0, 0.0]]), np.array([[10.0, 0.0, 0.0]])
    assert worley_borders(rng, np.concatenate([one, other]), 50.0).shape == (2,)


def test_surface_is_a_sphere_without_roughness_and_varies_as_asked(rng: np.random.Generator) -> None:
    directions = rng.standard_normal((4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    np.testing.assert_allclose(surface_radius(rng, directions, 0.0), 1.0)
    spreads = [surface_radius(rng, directions, 0.15).std() for _ in range(40)]
    assert np.sqrt(np.mean(np.square(spreads))) == pytest.approx(0.15, rel=0.25)


def test_missing_frequencies_blur_and_ring_but_keep_the_sum() -> None:
    matrix = acquired_frequencies(64, 0.6)
    edge = np.zeros(64, dtype=np.float32)
    edge[20:44] = 1.0
    seen = matrix @ edge
    assert seen.sum() == pytest.approx(24.0, rel=1e-4)
    assert seen.max() > 1.03
    assert np.abs(np.diff(seen)).max() < 0.7, "the edge takes more than one voxel"
    wave = np.cos(2.0 * np.pi * 25.0 * np.arange(64) / 64.0).astype(np.float32)
    assert np.abs(matrix @ wave).max() < 1e-5
    np.testing.assert_allclose(matrix @ np.roll(wave, 1) + matrix @ np.ones(64, np.float32), 1.0, atol=1e-4)


@pytest.mark.parametrize("statistics", MEASURED, ids=lambda statistics: statistics.source)
def test_noise_has_the_measured_quantiles_and_correlation(
    statistics: NoiseStatistics, rng: np.random.Generator
) -> None:
    noise = complex_noise(rng, (96, 96, 10), statistics)
    magnitude = np.abs(noise)
    found = np.quantile(magnitude, LEVELS)
    np.testing.assert_allclose(found, statistics.quantiles, atol=0.02)
    assert np.abs(found - rayleigh_quantiles()).max() > 0.05, "it is not the noise of one ideal coil"
    for axis, expected in enumerate(statistics.correlation):
        neighbour = np.roll(noise, 1, axis)
        correlation = (noise * neighbour.conj()).mean().real / (magnitude**2).mean()
        assert correlation == pytest.approx(expected, abs=0.03)
    assert np.abs(noise.mean()) < 0.02
    between_slices = (noise[..., 1:] * noise[..., :-1].conj()).mean().real
    assert abs(between_slices) < 0.02


def scanned(noise: np.ndarray) -> Volume:
    """A bright square in the middle of noise."""
    voxels = np.abs(noise) * 7.0
    voxels[30:66, 30:66] += 400.0
    return Volume(voxels.astype(np.float32), Grid(voxels.shape, np.diag([1.0, 1.0, 4.0, 1.0])))


def test_measuring_gives_back_what_made_the_noise(rng: np.random.Generator) -> None:
    ideal = NoiseStatistics("ideal", tuple(rayleigh_quantiles()), (0.0, 0.0))
    found = measure_noise(scanned(complex_noise(rng, (96, 96, 24), ideal)), "mine")
    assert found.source == "mine"
    np.testing.assert_allclose(found.quantiles, ideal.quantiles, atol=0.05)
    assert max(found.correlation) < 0.2
    made = replace(MEASURED[0], source="made")
    again = measure_noise(scanned(complex_noise(rng, (96, 96, 24), made)), "made")
    np.testing.assert_allclose(again.quantiles, made.quantiles, atol=0.06)
    np.testing.assert_allclose(again.correlation, made.correlation, atol=0.1)


def test_scan_with_blanked_air_is_refused() -> None:
    voxels = np.zeros((40, 40, 3), dtype=np.float32)
    voxels[12:28, 12:28] = 100.0
    with pytest.raises(InputRefusedError, match=r"blank\.nii has no corner of air with noise in it"):
        measure_noise(Volume(voxels, Grid(voxels.shape, np.diag([1.0, 1.0, 4.0, 1.0]))), "blank.nii")
