"""A cohort on disk is the same bytes however it was made, can be resumed, and says all that is wrong with it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import spinehub.simulate
from spinehub import second_world
from spinehub.case import Case
from spinehub.cohort import check_cohort, exact_posterior, generate_cohort, generation
from spinehub.cohort.worlds import recipes_of
from spinehub.errors import InvalidArgumentError
from spinehub.io import CohortRow, read_case, read_cohort, write_mask, write_series, write_volume
from spinehub.second_world import SecondRecipe
from spinehub.simulate import CaseRecipe, cohort_recipes, render
from spinehub.volume import Grid, Mask, Volume


def small_recipes(cases: int, seed: int, **options: Any) -> Iterator[CaseRecipe]:
    """The simulator's recipes on a coarse matrix with few frames, so that a case takes a fraction of a second."""
    for recipe in cohort_recipes(cases, seed, **options):
        protocol = recipe.protocol
        columns, rows, slices = protocol.matrix
        x, y, z = protocol.spacing_mm
        coarse = replace(protocol, matrix=(columns // 6, rows // 6, slices), spacing_mm=(6 * x, 6 * y, z))
        yield replace(recipe, protocol=coarse)


@pytest.fixture
def small_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spinehub.simulate, "cohort_recipes", small_recipes)


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file: of the bytes themselves, telling a difference takes pytest hours."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.usefixtures("small_simulator")
def test_two_workers_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    alone = generate_cohort(tmp_path / "alone", 4, seed=11)
    generate_cohort(tmp_path / "together", 4, seed=11, workers=2)
    files = contents(tmp_path / "alone")
    assert files == contents(tmp_path / "together")
    assert len(alone) == 4
    names = {"series.nii.gz", "series.json", "lesion.nii.gz", "recipe.json"}
    assert set(files) == {"cohort.csv"} | {f"{row.case_id}/{name}" for row in alone for name in names}


@pytest.mark.usefixtures("small_simulator")
def test_cohort_reads_back_as_it_was_simulated(tmp_path: Path) -> None:
    rows = generate_cohort(tmp_path, 4, seed=3, cohort="as-published", kinetics="strong")
    assert read_cohort(tmp_path) == rows
    assert check_cohort(rows) == ()
    assert sorted(row.diagnosis for row in rows) == ["metastasis"] * 2 + ["primary_malignant"] * 2
    recipe = list(small_recipes(4, 3, cohort="as-published", kinetics="strong"))[1]
    simulated, back = render(recipe), read_case(rows[1])
    assert back.recipe == json.loads(json.dumps(recipe.to_dict()))
    assert (back.age_years, back.sex) == (recipe.patient.age_years, recipe.patient.sex)
    assert back.lesions[0].level == recipe.lesions[0].level
    np.testing.assert_array_equal(back.lesions[0].mask.voxels, simulated.lesions[0].mask.voxels)
    np.testing.assert_allclose(back.series.times_s, simulated.series.times_s, rtol=1e-12)
    # int16: half of one of 32767 steps of the largest value.
    error = np.abs(back.series.frames - simulated.series.frames).max()
    assert error <= simulated.series.frames.max() / 65000


@pytest.mark.usefixtures("small_simulator")
def test_interrupted_cohort_is_resumed_and_complete_cases_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []

    def failing(recipe: CaseRecipe) -> Case:
        if recipe.case == 2 and len(rendered) == 2:
            raise KeyboardInterrupt
        rendered.append(recipe.case)
        return render(recipe)

    monkeypatch.setattr(spinehub.simulate, "render", failing)
    with pytest.raises(KeyboardInterrupt):
        generate_cohort(tmp_path / "a", 3, seed=5)
    assert not (tmp_path / "a" / "cohort.csv").exists()
    rendered.append(-1)
    rows = generate_cohort(tmp_path / "a", 3, seed=5)
    assert rendered == [0, 1, -1, 2]
    rows[0].series.unlink()  # a case that lost a file is made again
    (tmp_path / "a" / f".{rows[1].case_id}.part").mkdir()
    generate_cohort(tmp_path / "a", 3, seed=5)
    assert rendered == [0, 1, -1, 2, 0]
    monkeypatch.setattr(spinehub.simulate, "render", render)
    generate_cohort(tmp_path / "b", 3, seed=5)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    generate_cohort(tmp_path / "b", 4, seed=5)
    assert len(read_cohort(tmp_path / "b")) == 4


@pytest.mark.usefixtures("small_simulator")
def test_another_cohort_in_the_folder_is_not_overwritten(tmp_path: Path) -> None:
    generate_cohort(tmp_path, 2, seed=5)
    before = contents(tmp_path)
    with pytest.raises(
        InvalidArgumentError, match="holds a cohort with other cases than these 2; choose an empty folder"
    ):
        generate_cohort(tmp_path, 2, seed=6)
    with pytest.raises(InvalidArgumentError, match="holds a cohort with other cases than these 1"):
        generate_cohort(tmp_path, 1, seed=5)
    with pytest.raises(
        InvalidArgumentError, match="holds case sim-5-00000 drawn in another way; choose an empty folder"
    ):
        generate_cohort(tmp_path, 2, seed=5, kinetics="none")
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("small_simulator")
def test_progress_is_told_and_nothing_is_printed_away_from_a_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[float, str]] = []
    generate_cohort(tmp_path / "a", 2, seed=5, progress=lambda share, text: told.append((share, text)))
    assert told == [(0.5, "simulated sim-5-00000"), (1.0, "simulated sim-5-00001")]
    generate_cohort(tmp_path / "b", 1, seed=5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("small_simulator")
def test_a_larger_cohort_begins_with_the_smaller_one(tmp_path: Path) -> None:
    few = generate_cohort(tmp_path / "few", 3, seed=8)
    generate_cohort(tmp_path / "many", 5, seed=8)
    first, second = contents(tmp_path / "few"), contents(tmp_path / "many")
    shared = [name for name in first if name != "cohort.csv"]
    assert len(shared) == 4 * len(few)
    assert {name: first[name] for name in shared} == {name: second[name] for name in shared}
    many = (tmp_path / "many" / "cohort.csv").read_text().splitlines()
    assert (tmp_path / "few" / "cohort.csv").read_text().splitlines() == many[:4]


@pytest.mark.usefixtures("small_simulator")
def test_a_case_names_its_patient_alike_in_table_and_record(tmp_path: Path) -> None:
    (row,) = generate_cohort(tmp_path, 1, seed=8)
    assert row.patient_id == row.case_id == render(next(small_recipes(1, 8))).patient_id


def small_second(cases: int, seed: int, **options: Any) -> Iterator[SecondRecipe]:
    """Recipes of the second world on a coarse matrix."""
    for recipe in second_world.drawing.cohort_recipes(cases, seed, **options):
        columns, rows, slices = recipe.protocol.matrix
        x, y, z = recipe.protocol.spacing_mm
        coarse = replace(recipe.protocol, matrix=(columns // 6, rows // 6, slices), spacing_mm=(6 * x, 6 * y, z))
        yield replace(recipe, protocol=coarse)


def test_the_second_world_writes_cohorts_of_the_same_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_world, "cohort_recipes", small_second)
    rows = generate_cohort(tmp_path / "a", 2, seed=4, world="second", kinetics="mild", workers=2)
    generate_cohort(tmp_path / "b", 3, seed=4, world="second", kinetics="mild")
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert all(second[name] == content for name, content in first.items() if name != "cohort.csv")
    assert read_cohort(tmp_path / "a") == rows
    assert check_cohort(rows, least_per_class=1) == ()
    back = read_case(rows[0])
    assert back.origin == "simulated"
    assert SecondRecipe.from_dict(back.recipe or {}) == next(small_second(2, 4, kinetics="mild"))
    assert np.ptp(np.diff(back.series.times_s)) > 1.0
    assert exact_posterior(back.recipe or {}) == second_world.bayes_posterior(next(small_second(2, 4, kinetics="mild")))


def test_the_second_world_can_take_its_noise_from_a_scan(tmp_path: Path, rng: np.random.Generator) -> None:
    voxels = np.abs(rng.normal(0, 5, (96, 96, 16)) + 1j * rng.normal(0, 5, (96, 96, 16))).astype(np.float32)
    voxels[30:66, 30:66] += 300.0
    grid = Grid(voxels.shape, np.diag([1.0, 1.0, 4.0, 1.0]))
    write_volume(Volume(voxels, grid), tmp_path / "patient_smith.nii.gz")
    options = {"cohort": "matched", "kinetics": "medium"}
    (recipe,) = recipes_of("second", 1, 4, **options, noise_from=tmp_path / "patient_smith.nii.gz")
    assert isinstance(recipe, SecondRecipe)
    assert max(recipe.scanner.noise.correlation) < 0.3
    assert "smith" not in json.dumps(recipe.to_dict())
    with pytest.raises(InvalidArgumentError, match="noise_from belongs to the second world"):
        recipes_of("first", 1, 4, **options, noise_from=tmp_path / "patient_smith.nii.gz")
    with pytest.raises(InvalidArgumentError, match="cohort of the second world must be matched, got 'as-published'"):
        recipes_of("second", 1, 4, cohort="as-published", kinetics="medium")
    with pytest.raises(InvalidArgumentError, match=r"world must be one of .*, got 'third'"):
        recipes_of("third", 1, 4, **options)


@pytest.mark.usefixtures("small_simulator")
def test_a_disk_that_is_too_small_is_named_before_the_first_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "disk_usage", lambda _path: SimpleNamespace(free=2.0e6))
    with pytest.raises(
        InvalidArgumentError,
        match=r"folder new must lie on a disk with 0\.1 GB free for 2 more case\(s\), got 0\.0 GB; simulate fewer",
    ):
        generate_cohort(tmp_path / "new", 2, seed=5)
    assert not (tmp_path / "new").exists()


def test_the_bound_on_the_size_of_a_case_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spinehub.simulate, "cohort_recipes", small_recipes)
    generate_cohort(tmp_path, 2, seed=6)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.nii.gz"))
    values = sum(np.prod(recipe.protocol.matrix) * recipe.protocol.frame_count for recipe in small_recipes(2, 6))
    assert 1.0 < written / values < generation._BYTES_PER_VALUE


def test_workers_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="workers must be at least 1, got 0"):
        generate_cohort(tmp_path / "a", 2, seed=5, workers=0)
    assert not (tmp_path / "a").exists()


@pytest.fixture
def rows(tmp_path: Path, small_simulator: None) -> list[CohortRow]:
    return list(generate_cohort(tmp_path, 4, seed=2))


def test_sound_cohort_has_no_problem(rows: list[CohortRow]) -> None:
    assert check_cohort(rows) == ()
    assert check_cohort(rows, least_per_class=3) == (
        "class metastasis has 2 patient(s); at least 3 are needed",
        "class primary_malignant has 2 patient(s); at least 3 are needed",
    )


def test_every_problem_is_named_at_once(rows: list[CohortRow], tmp_path: Path) -> None:
    cases = [read_case(row) for row in rows]
    grid = cases[0].series.grid
    write_mask(Mask(np.zeros(grid.shape, dtype=bool), grid), tmp_path / "empty.nii.gz")
    write_volume(cases[1].series.frame(0), tmp_path / "volume.nii.gz")
    write_series(cases[2].series.without_times(), tmp_path / "timeless.nii.gz")
    (tmp_path / "timeless.json").unlink()
    sound = rows[0]
    spoilt = [
        replace(sound, lesion_mask=tmp_path / "empty.nii.gz"),
        replace(sound, case_id="v", series=tmp_path / "volume.nii.gz", lesion_mask=None),
        replace(sound, case_id="t", series=tmp_path / "timeless.nii.gz", lesion_mask=rows[2].lesion_mask),
        replace(sound, case_id="m", series=tmp_path / "missing.nii.gz"),
        replace(sound, case_id="w", lesion_mask=tmp_path / "missing_mask.nii.gz"),
        replace(sound, case_id="p", diagnosis="plasmacytoma"),
    ]
    problems = check_cohort([sound, *spoilt])
    expected = (
        f"case {sound.case_id} is listed 2 times; give each examination its own case_id",
        "case p has the diagnosis 'plasmacytoma'; it must be one of metastasis, primary_malignant",
        f"patient {sound.patient_id} has different diagnoses in different rows",
        "has 0 patient(s); at least 2 are needed",
        f"case {sound.case_id}: empty.nii.gz is an empty mask",
        "case v: volume.nii.gz is one volume; a cohort needs a 4-D series",
        "case v has no lesion_mask; draw the index lesion",
        "case t: timeless.nii.gz has no frame times; list them as VolumeTiming in the .json file beside it",
        "case m: missing.nii.gz does not exist",
        "case w: missing_mask.nii.gz does not exist",
    )
    for sentence in expected:
        assert any(sentence in problem for problem in problems), sentence
    assert all(str(tmp_path) not in problem for problem in problems)


def test_mask_of_another_grid_is_a_problem(rows: list[CohortRow]) -> None:
    other = next(row for row in rows[1:] if not read_case(row).series.grid.matches(read_case(rows[0]).series.grid))
    problems = check_cohort([replace(rows[0], lesion_mask=other.lesion_mask), *rows[1:]])
    assert len(problems) == 1
    assert problems[0].startswith(f"case {rows[0].case_id}: mask lesion.nii.gz must lie on the grid of the image")
