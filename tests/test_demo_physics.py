"""The physics sandbox against formulas written out here, and the drawings of the rule against its answers."""

import inspect
import re
from dataclasses import replace

import numpy as np
import pytest

from spinehub.demo.definitions import DEFINITIONS, SOURCES, definitions_dialog, what
from spinehub.demo.physics import LIMITS, Physics, settings_of, simulate
from spinehub.demo.physics_panel import physics_panels
from spinehub.demo.rule_plots import known_rule, plane_plot, simulated_lesions, tree_plot
from spinehub.errors import InvalidArgumentError
from spinehub.models import HotspotRule
from spinehub.simulate import draw_recipe, expected_parameters
from spinehub.simulate.kinetics import parker_blood


def enhancement_by_hand(physics: Physics, after_s: float) -> float:
    """Enhancement in % at one moment: convolution and signal equation summed by brute force."""
    step = 0.01
    t = np.arange(0.0, after_s + step / 2, step)
    plasma = parker_blood(t / 60.0) / (1 - 0.42)
    kep = physics.ktrans_per_min / physics.ve / 60.0
    decay = np.exp(-kep * (after_s - t))
    tissue = physics.ktrans_per_min / 60.0 * np.trapezoid(plasma * decay, t) + physics.vp * plasma[-1]

    def signal(r1: float) -> float:
        e, a = np.exp(-1e-3 * physics.repetition_time_ms * r1), np.deg2rad(physics.flip_angle_deg)
        return float(np.sin(a) * (1 - e) / (1 - np.cos(a) * e))

    before = signal(1 / physics.t1_s)
    return 100.0 * (signal(1 / physics.t1_s + 4.5 * tissue) - before) / before


def test_the_curve_is_the_textbook_one() -> None:
    physics = Physics(frame_interval_s=3.0)
    simulated = simulate(physics)
    for after in (45.0, 67.0, 240.0):
        expected = enhancement_by_hand(physics, after)
        assert np.interp(after, simulated.true_times_s, simulated.true_enhancement) == pytest.approx(expected, rel=2e-3)
        assert np.interp(after, simulated.times_s, simulated.enhancement) == pytest.approx(expected, rel=5e-3)
    assert simulated.readings["early_enhancement"] == pytest.approx(enhancement_by_hand(physics, 45.0), rel=5e-3)


def test_the_two_parameters_hardly_depend_on_the_frames_and_the_older_figures_do() -> None:
    slow, fast = (simulate(Physics(frame_interval_s=interval)).readings for interval in (25.0, 5.0))
    for name in ("early_enhancement", "washout"):
        assert slow[name] == pytest.approx(fast[name], abs=3.0)
    assert abs(slow["washin_ratio"] - fast["washin_ratio"]) > 15.0
    short, long = (simulate(Physics(end_s=end)).readings["last_frame_washout"] for end in (150.0, 350.0))
    assert abs(short - long) > 8.0


def test_two_frames_lie_before_contrast_whatever_the_phase() -> None:
    for phase in (0.0, 0.5, 1.0):
        simulated = simulate(Physics(phase=phase, frame_interval_s=20.0))
        assert simulated.enhancement[:2] == pytest.approx([0.0, 0.0], abs=0.1)
        assert simulated.times_s[2] == pytest.approx(20.0 * (0.5 - phase))


def test_a_short_scan_has_no_washout_and_the_rule_says_so() -> None:
    simulated = simulate(Physics(end_s=150.0))
    assert simulated.readings["washout"] is None
    assert simulated.case is None
    assert simulated.answer.probabilities is None
    assert "wash-out" in simulated.answer.reason


def test_the_rule_is_silent_without_enhancement_and_outside_its_protocols() -> None:
    assert "does not enhance" in simulate(Physics(ktrans_per_min=0.0, vp=0.0)).answer.reason
    assert "flip angle" in simulate(Physics(flip_angle_deg=38.0)).answer.reason


@pytest.mark.parametrize("name", LIMITS)
def test_no_slider_value_outside_its_ends_is_computed(name: str) -> None:
    for value in (LIMITS[name].low - 0.5, LIMITS[name].high * 1e6, float("nan")):
        with pytest.raises(InvalidArgumentError, match=name):
            replace(Physics(), **{name: value})


def test_sliders_come_in_the_order_of_the_limits() -> None:
    assert settings_of([limit.start for limit in LIMITS.values()]) == Physics()


def test_panels_name_units_and_sources() -> None:
    curve, verdict = physics_panels(Physics())
    assert "seconds after contrast arrival" in curve
    assert SOURCES["Parker 2006"] in curve
    assert "The rule" in verdict
    assert "early enhancement in %" in verdict


def test_simulated_lesions_are_the_recipes_readings() -> None:
    points, primary = simulated_lesions(3, 12)
    recipes = [draw_recipe(3, case) for case in range(12)]
    known = [recipe for recipe in recipes if np.isfinite(list(expected_parameters(recipe).values())).all()]
    assert points.shape == (len(known), 2)
    assert points[0] == pytest.approx(list(expected_parameters(known[0]).values()))
    assert list(primary) == [recipe.diagnosis == "primary_malignant" for recipe in known]


@pytest.fixture(scope="module")
def rule() -> HotspotRule:
    rule = known_rule()
    assert rule is not None
    return rule


def test_every_region_has_the_colour_of_the_rules_answer(rule: HotspotRule) -> None:
    lesions = simulated_lesions(3, 60)
    drawn = plane_plot(rule, lesions, (100.0, 0.0))
    frame = re.findall(
        r'<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.-]+)" height="([\d.-]+)" class="sh-region (\S+)"', drawn
    )
    decisions = {rule.calibration.answer(rule.score(*point), "dynamic").decision for point in lesions[0]}
    shown = {kind.removeprefix("sh-region-") for *_, kind in frame}
    assert {decision.replace("primary_malignant", "primary") for decision in decisions} <= shown
    area = sum(float(width) * float(height) for _, _, width, height, _ in frame)
    assert area == pytest.approx((330 - 56) * (250 - 64), rel=1e-3)


def test_a_case_far_away_is_still_on_the_plane(rule: HotspotRule) -> None:
    drawn = plane_plot(rule, simulated_lesions(3, 60), (900.0, -80.0))
    x, y = re.search(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="4.5"', drawn).groups()
    assert 44 < float(x) < 318
    assert 22 < float(y) < 208


def test_the_tree_marks_the_way_of_the_case(rule: HotspotRule) -> None:
    passed = rule.walk(100.0, 0.0)
    drawn = tree_plot(rule, (100.0, 0.0))
    assert drawn.count("sh-node-on") == len(passed)
    assert drawn.count("sh-branch-on") == len(passed) - 1
    assert drawn.count("<rect") == len(rule.tree)
    rows = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', drawn)
    assert len({y for _, y, _ in rows}) == len(rule.tree)  # no two nodes side by side: small screens are narrow
    assert all(float(x) + float(width) == pytest.approx(328) for x, _, width in rows)
    way = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"[^>]*sh-node-on', drawn)
    steps = [float(x) for x, _ in sorted(way, key=lambda place: float(place[1]))]
    assert steps == [2.0 + 24.0 * depth for depth in range(len(passed))]  # each answer below its question, further in
    assert "sh-node-on" not in tree_plot(rule, None)


def test_every_question_mark_has_its_entry() -> None:
    dialog = definitions_dialog()
    for name in DEFINITIONS:
        assert f'id="sh-def-{name}"' in dialog
        assert f'data-define="{name}"' in what(name)
    assert all(definition.source in {"", *SOURCES} for definition in DEFINITIONS.values())
    assert all(address.startswith("https://") for address in SOURCES.values())


def test_the_lesions_on_the_plane_are_training_cases_of_the_rule() -> None:
    rule = known_rule()
    assert rule is not None
    trained = rule.training["simulated"]
    assert (trained["seed"], trained["cohort"], trained["kinetics"]) == ([1], ["matched"], ["medium"])
    assert inspect.signature(simulated_lesions).parameters["seed"].default == 1
    points, primary = simulated_lesions()
    assert len(points) == len(primary) <= rule.training["cases"]
