"""The click log: undo and redo, JSON, and a replay that gives the same mask."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinehub.errors import InvalidArgumentError
from spinehub.growing import ClickLog, Limits, grow
from spinehub.volume import Grid, Mask, Seed, Volume

GRID = Grid((18, 16, 8), np.array([[0, 0, 4.0, 1], [1.5, 0.1, 0, -7], [-0.1, 1.5, 0, 3.3], [0, 0, 0, 1]]))
DISTANCE = np.linalg.norm(
    (np.moveaxis(np.indices(GRID.shape), 0, -1) - np.array((9, 8, 4))) * np.array(GRID.spacing_mm), axis=-1
)
IMAGE = Volume(200.0 + 100.0 * (DISTANCE <= 8.0) + np.random.default_rng(0).normal(0, 9.0, GRID.shape), GRID)
LESION = Seed.at_index((9, 8, 4), GRID)
OUTSIDE = Seed.at_index((3, 3, 4), GRID, background=True)

masks = st.builds(
    lambda seed, share: Mask(np.random.default_rng(seed).random(GRID.shape) < share, GRID),
    st.integers(0, 99),
    st.sampled_from([0.0, 0.3, 1.0]),
)
limits = st.builds(
    Limits,
    st.none() | st.sampled_from([(-1.5, 3e5), (0.1, float("inf")), (float("-inf"), 250.0)]),
    st.none() | st.sampled_from([((0, 0, 0), (17, 15, 7)), ((12, 11, 6), (3, 2, 1))]),
    st.none() | masks,
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "tolerance": st.just("auto") | st.floats(0, 500),
        "reach_mm": st.floats(0.5, 80),
        "within_slice": st.booleans(),
        "limits": limits,
    },
).filter(bool)
voxels = st.tuples(st.integers(0, 17), st.integers(0, 15), st.integers(0, 7))


@st.composite
def logs(draw: st.DrawFn) -> ClickLog:
    """A log after some clicks, removals, changes, undos and redos."""
    log = ClickLog()
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["add", "add", "set", "remove", "undo", "undo", "redo"]))
        seed = Seed.at_index(draw(voxels), GRID, background=draw(st.booleans()))
        if kind == "add" and seed not in log.settings.seeds:
            log = log.add(seed)
        elif kind == "set":
            log = log.set(**draw(changes))
        elif kind == "remove" and log.settings.seeds:
            log = log.remove(draw(st.sampled_from(log.settings.seeds)))
        elif kind == "undo":
            log = log.undo()
        elif kind == "redo":
            log = log.redo()
    return log


def told(log: ClickLog) -> str:
    return json.dumps(log.to_dict(), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(logs())
def test_undo_then_redo_is_no_change_and_redo_then_undo_too(log: ClickLog) -> None:
    if log.steps:
        assert told(log.undo().redo()) == told(log)
    if log.undone:
        assert told(log.redo().undo()) == told(log)


@settings(max_examples=60, deadline=None)
@given(logs())
def test_json_keeps_a_log_as_it_is(log: ClickLog) -> None:
    back = ClickLog.from_dict(json.loads(told(log)))
    assert told(back) == told(log)
    one, other = log.settings, back.settings
    assert one.seeds == other.seeds
    assert (one.tolerance, one.reach_mm, one.within_slice) == (other.tolerance, other.reach_mm, other.within_slice)
    assert (one.limits.intensity_range, one.limits.box) == (other.limits.intensity_range, other.limits.box)
    if one.limits.keep_out is None:
        assert other.limits.keep_out is None
    else:
        assert one.limits.keep_out.grid.matches(other.limits.keep_out.grid)
        np.testing.assert_array_equal(one.limits.keep_out.voxels, other.limits.keep_out.voxels)


@settings(max_examples=60, deadline=None)
@given(logs())
def test_undoing_everything_leads_back_to_the_start(log: ClickLog) -> None:
    steps = len(log.steps)
    for _ in range(steps):
        log = log.undo()
    assert log.steps == ()
    assert log.settings.seeds == ()
    assert log.undo() is log
    for _ in range(len(log.undone)):
        log = log.redo()
    assert log.redo() is log


def test_a_log_replays_to_the_mask_that_was_seen() -> None:
    keep_out = Mask(np.indices(GRID.shape)[0] > 13, GRID)
    log = (
        ClickLog()
        .add(LESION)
        .add(Seed.at_index((1, 1, 1), GRID))
        .undo()
        .add(OUTSIDE)
        .set(tolerance=40.0, reach_mm=30.0)
        .set(limits=Limits(keep_out=keep_out))
        .set(within_slice=True)
        .undo()
    )
    growth, mask = log.replay(IMAGE)
    seen = grow(IMAGE, [LESION, OUTSIDE], reach_mm=30.0, keep_out=keep_out)
    np.testing.assert_array_equal(growth.arrival.values, seen.arrival.values)
    np.testing.assert_array_equal(mask.voxels, seen.mask(40.0).voxels)
    again = ClickLog.from_dict(json.loads(told(log))).replay(IMAGE)
    np.testing.assert_array_equal(again[1].voxels, mask.voxels)
    np.testing.assert_array_equal(again[0].arrival.values, growth.arrival.values)


def test_without_a_tolerance_the_suggested_one_is_used() -> None:
    growth, mask = ClickLog().add(LESION).replay(IMAGE)
    np.testing.assert_array_equal(mask.voxels, growth.mask(growth.suggested_tolerance).voxels)


def test_a_new_step_forgets_what_was_undone() -> None:
    log = ClickLog().add(LESION).add(OUTSIDE).undo().set(reach_mm=20.0)
    assert log.undone == ()
    assert log.redo() is log
    assert log.settings.seeds == (LESION,)


def test_a_removed_seed_comes_back_where_it_was() -> None:
    log = ClickLog().add(LESION).add(OUTSIDE).remove(LESION)
    assert log.settings.seeds == (OUTSIDE,)
    assert log.undo().settings.seeds == (LESION, OUTSIDE)


def test_impossible_steps_are_refused() -> None:
    log = ClickLog().add(LESION)
    with pytest.raises(InvalidArgumentError, match="is there already"):
        log.add(LESION)
    with pytest.raises(InvalidArgumentError, match="seed to remove must be one of the 1 seeds"):
        log.remove(OUTSIDE)
    with pytest.raises(InvalidArgumentError, match="got speed"):
        log.set(speed=3)
    with pytest.raises(InvalidArgumentError, match="got none"):
        log.set()
    with pytest.raises(InvalidArgumentError, match="tolerance must be 'auto' or a finite number"):
        log.set(tolerance=-1.0)
    with pytest.raises(InvalidArgumentError, match="reach_mm must be a finite number above 0"):
        log.set(reach_mm=float("inf"))
    with pytest.raises(InvalidArgumentError, match="at least one foreground seed"):
        ClickLog().replay(IMAGE)


GOOD = ClickLog().add(LESION).set(limits=Limits(keep_out=Mask(DISTANCE > 20, GRID))).to_dict()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), "spinehub-clicks/9", "must be an object of the format"),
        (("steps",), 7, "cannot be read"),
        (("steps", 0), {}, "cannot be read"),
        (("steps", 0), {"draw": {"position_mm": [0, 0, 0], "background": False}}, "must be add, remove or set"),
        (("steps", 0, "add", "position_mm"), [0, 0], "three finite numbers"),
        (("steps", 0), {"remove": {"position_mm": [0, 0, 0], "background": False}}, "seed to remove"),
        (("steps", 1, "set"), {"colour": 1}, "cannot be read"),
        (("steps", 1, "set"), {"tolerance": "much"}, "cannot be read"),
        (("steps", 1, "set", "limits", "keep_out", "changes"), [5, 3], "rising voxel numbers"),
        (("steps", 1, "set", "limits", "keep_out", "changes"), [5, 10**9], "rising voxel numbers"),
        (("steps", 1, "set"), {"within_slice": 1}, "within_slice must be True or False"),
        (("undone",), None, "cannot be read"),
    ],
)
def test_a_damaged_log_is_refused(path: tuple, value: object, message: str) -> None:
    plain = json.loads(json.dumps(GOOD))
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InvalidArgumentError, match=message):
        ClickLog.from_dict(plain)


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="must be an object"):
        ClickLog.from_dict([])  # type: ignore[arg-type]
