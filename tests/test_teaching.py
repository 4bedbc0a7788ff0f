"""The ten teaching cases: complete, small, the same bytes however they are asked for, true to what is said of them."""

import filecmp
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spinehub.case import Case
from spinehub.io import COHORT_FILE, read_case, read_cohort, read_recipe, read_series, write_case
from spinehub.perfusion import (
    assess_timing,
    baseline,
    compute_maps,
    estimate_motion,
    find_hot_spot,
    hot_spot_parameters,
)
from spinehub.pipeline import MOTION_LIMIT_MM
from spinehub.simulate import CaseRecipe, render
from spinehub.simulate.artefacts import fat_restored
from spinehub.teaching import TeachingCase, teaching_cases, write_teaching_cases, writing
from spinehub.teaching.cases import RECIPES, TEXTS
from spinehub.teaching.choose import spill
from spinehub.teaching.lessons import LESSONS


def lesson(name: str) -> TeachingCase:
    return next(case for case in teaching_cases() if case.name == name)


@cache
def rendered(name: str) -> Case:
    """A case several tests look at, rendered once."""
    return lesson(name).render()


def assert_same(found: object, wanted: object, path: str = "recipe") -> None:
    """Equal but for the last digits of a number: exp and log differ there between processors, and a draw with them."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), path
        assert found.keys() == wanted.keys(), path
        for key in wanted:
            assert_same(found[key], wanted[key], f"{path}.{key}")
    elif isinstance(wanted, (list, tuple)):
        assert isinstance(found, (list, tuple)), path
        assert len(found) == len(wanted), path
        for k, item in enumerate(wanted):
            assert_same(found[k], item, f"{path}[{k}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12), path
    else:
        assert found == wanted, path


def test_there_are_ten_with_words_and_they_are_small() -> None:
    cases = teaching_cases()
    assert [case.name for case in cases] == list(LESSONS) == list(json.loads(TEXTS.read_text(encoding="utf-8")))
    assert [case.case_id for case in cases] == [f"teaching-{n:02d}" for n in range(1, 11)]
    assert len({case.title for case in cases}) == 10
    assert sum(path.stat().st_size for path in (*RECIPES.iterdir(), TEXTS)) < 1_000_000
    for case in cases:
        assert 60 <= len(case.what_to_see.split()) <= 170, case.name
        assert f"{case.recipe.patient.age_years:.0f}" in case.vignette
        assert case.recipe.lesions[0].level in case.vignette
        assert "imulated" in case.vignette


def test_titles_do_not_give_the_answer_away() -> None:
    answers = ("metasta", "chordoma", "sarcoma", "haemangioma", "discitis", "infection", "ewing")
    for case in teaching_cases():
        assert not any(answer in case.title.lower() for answer in answers), case.title
        assert not any(answer in case.vignette.lower() for answer in answers), case.vignette


def test_every_histology_of_the_two_classes_and_two_look_alikes_are_there() -> None:
    typical = {case.recipe.lesions[0].histology for case in teaching_cases() if not case.name.startswith("contrary")}
    assert typical == {
        "metastasis_other", "chordoma", "chondrosarcoma", "osteosarcoma", "ewing_sarcoma", "haemangioma",
        "spondylodiscitis",
    }  # fmt: skip
    assert [case.name for case in teaching_cases() if case.posterior is None] == ["fat_suppression", "infection"]
    assert all(
        case.diagnosis is None and "neither" in case.truth for case in teaching_cases() if case.posterior is None
    )


def test_three_look_like_the_other_class_and_the_others_like_their_own() -> None:
    shares = {case.name: case.posterior_of_truth for case in teaching_cases() if case.posterior_of_truth is not None}
    contrary = {name: share for name, share in shares.items() if name.startswith("contrary")}
    assert len(contrary) == 3
    assert max(contrary.values()) < 0.2
    assert min(share for name, share in shares.items() if name not in contrary) > 0.8
    assert {lesson(name).diagnosis for name in contrary} == {"metastasis", "primary_malignant"}


def test_what_was_set_by_hand_is_all_that_differs_from_the_drawn_recipe() -> None:
    for case in teaching_cases():
        drawn = LESSONS[case.name].draw(case.recipe.case)
        assert LESSONS[case.name].fits(drawn), case.name
        assert_same(LESSONS[case.name].set_up(drawn).to_dict(), case.recipe.to_dict(), case.name)
        assert_same(drawn.to_dict()["lesions"], case.recipe.to_dict()["lesions"], case.name)
        assert case.times_factor == LESSONS[case.name].times_factor


def test_files_and_rendered_case_are_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = lesson("wrong_times")
    monkeypatch.setattr(writing, "teaching_cases", lambda: (chosen,))
    rows = write_teaching_cases(tmp_path / "written")
    write_case(rendered("wrong_times"), tmp_path / "direct")
    folder = tmp_path / "written" / chosen.case_id
    assert {path.name for path in folder.iterdir()} == {path.name for path in (tmp_path / "direct").iterdir()}
    for path in folder.iterdir():
        # Not compared as bytes: telling how millions of them differ takes pytest hours.
        assert filecmp.cmp(path, tmp_path / "direct" / path.name, shallow=False), path.name
    assert read_cohort(tmp_path / "written" / COHORT_FILE) == rows
    back = read_case(rows[0])
    assert back.case_id == back.patient_id == chosen.case_id
    assert CaseRecipe.from_dict(read_recipe(folder / "recipe.json") or {}) == chosen.recipe
    words = (tmp_path / "written" / "teaching.md").read_text(encoding="utf-8")
    for part in (chosen.title, chosen.vignette, chosen.what_to_see, "simulated", "Chondrosarcoma"):
        assert part in words


def test_wrong_times_are_half_the_true_ones_and_change_what_is_read() -> None:
    case, recipe = rendered("wrong_times"), lesson("wrong_times").recipe
    true_times = np.arange(recipe.protocol.frame_count) * recipe.protocol.frame_interval_s
    np.testing.assert_allclose(case.series.times_s, 0.5 * true_times)

    def read(series):
        timing = assess_timing(series)
        return {
            name: value.value
            for name, value in hot_spot_parameters(find_hot_spot(series, case.lesions[0].mask, timing), timing).items()
        }

    stated, true = read(case.series), read(replace(case.series, times_s=true_times))
    assert stated["early_enhancement"] > 1.15 * true["early_enhancement"], "45 s on a clock twice too fast are 90 s"
    assert stated["washout"] is None
    assert true["washout"] is not None


def test_leak_reaches_the_canal_and_a_background_seed_holds_it_back() -> None:
    chosen = lesson("leak")
    free = spill(rendered("leak"), chosen.recipe)
    assert free[2.0] > 2.0
    assert free[2.0] > 2.0 * free[1.0]
    assert spill(rendered("leak"), chosen.recipe, held_back=True)[2.0] < 0.6 * free[2.0]


def test_patient_moves_once_and_the_check_for_motion_sees_it() -> None:
    case, recipe = rendered("motion"), lesson("motion").recipe
    shifts = np.array(recipe.artefacts.shifts_mm)
    steps = np.linalg.norm(np.diff(shifts, axis=0), axis=1)
    assert np.count_nonzero(steps > 3.0) == 1
    found = estimate_motion(case.series, assess_timing(case.series))
    assert found > max(MOTION_LIMIT_MM, *case.series.grid.spacing_mm[:2])
    assert found == pytest.approx(float(np.hypot(2.0, 4.0)), abs=1.2)
    calm = replace(recipe, artefacts=replace(recipe.artefacts, shifts_mm=tuple((0.0, 0.0, 0.0) for _ in shifts)))
    still = render(calm).series
    assert estimate_motion(still, assess_timing(still)) < 1.0


def test_fat_suppression_fails_at_the_lesion_and_the_subtraction_hardly_shows_it() -> None:
    case, recipe = rendered("fat_suppression"), lesson("fat_suppression").recipe
    mask = case.lesions[0].mask.voxels
    restored = fat_restored(recipe)
    assert restored is not None
    assert restored[mask].mean() > 3.0
    assert np.quantile(restored, 0.25) < 1.5, "elsewhere fat stays dark"
    before = baseline(case.series, assess_timing(case.series))
    working = render(replace(recipe, artefacts=replace(recipe.artefacts, fat_failure=0.0)))
    assert np.median(before[mask]) > 1.5 * np.median(baseline(working.series, assess_timing(working.series))[mask])
    peak = compute_maps(case.series)["peak_enhancement"].values
    assert np.median(peak[mask]) < np.median(compute_maps(working.series)["peak_enhancement"].values[mask])


@pytest.mark.parametrize("name", ["metastasis", "contrary_ewing"])
def test_measured_facts_hold(name: str) -> None:
    chosen = lesson(name)
    case = chosen.render()
    timing = assess_timing(case.series)
    found = hot_spot_parameters(find_hot_spot(case.series, case.lesions[0].mask, timing), timing)
    for parameter in ("early_enhancement", "washout"):
        assert found[parameter].value == pytest.approx(chosen.facts[parameter], abs=0.06)
    assert case.lesions[0].mask.volume_ml == pytest.approx(chosen.facts["volume_ml"], abs=0.06)


def test_written_series_reads_back_with_the_stated_times(tmp_path: Path) -> None:
    write_case(rendered("wrong_times"), tmp_path)
    np.testing.assert_allclose(
        read_series(tmp_path / "series.nii.gz").times_s, rendered("wrong_times").series.times_s, rtol=1e-12
    )
