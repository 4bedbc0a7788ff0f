"""Cases and cohort tables on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinehub.case import Case, Lesion
from spinehub.errors import GridMismatchError, InputRefusedError, InvalidArgumentError
from spinehub.io import CohortRow, read_case, read_cohort, write_case, write_cohort_table, write_mask, write_volume
from spinehub.series import DynamicSeries, Protocol
from spinehub.volume import Grid, Mask

GRID = Grid((6, 5, 4), np.diag([-0.9, 0.9, 4.0, 1.0]))


def region(*corner: int) -> Mask:
    voxels = np.zeros(GRID.shape, dtype=bool)
    voxels[tuple(slice(c, c + 2) for c in corner)] = True
    return Mask(voxels, GRID)


def case(**changes: object) -> Case:
    frames = np.random.default_rng(5).gamma(4.0, 100.0, (*GRID.shape, 3)).astype(np.float32)
    built = Case(
        case_id="c1",
        patient_id="p1",
        series=DynamicSeries(frames, GRID, np.array([0.0, 6.5, 14.0]), protocol=Protocol(0.0045, 0.0017, 12.0, 1.5)),
        lesions=(Lesion(region(0, 0, 0)), Lesion(region(3, 2, 2)), Lesion(region(1, 1, 1))),
        age_years=61.25,
        sex="female",
        origin="simulated",
        recipe={"seed": 7, "value": 0.1, "list": [1, 2.5], "name": "x"},
    )
    return replace(built, **changes)  # type: ignore[arg-type]


def row(folder: Path, **changes: object) -> CohortRow:
    built = CohortRow(
        case_id="c1",
        patient_id="p1",
        series=folder / "series.nii.gz",
        lesion_mask=folder / "lesion.nii.gz",
        diagnosis="metastasis",
        age_years=61.25,
        sex="female",
        extra={"level": "L3", "histology": "carcinoma"},
    )
    return replace(built, **changes)  # type: ignore[arg-type]


def test_case_comes_back(tmp_path: Path) -> None:
    written = case()
    write_case(written, tmp_path / "c1")
    assert {path.name for path in (tmp_path / "c1").iterdir()} == {
        "series.nii.gz",
        "series.json",
        "lesion.nii.gz",
        "other_lesions.nii.gz",
        "recipe.json",
    }
    back = read_case(row(tmp_path / "c1"))
    # int16: half of one of 32767 steps of the largest value.
    assert np.abs(back.series.frames - written.series.frames).max() <= written.series.frames.max() / 65000
    np.testing.assert_array_equal(back.series.times_s, written.series.times_s)
    assert back.series.protocol == written.series.protocol
    assert back.recipe == written.recipe
    assert (back.origin, back.age_years, back.sex, back.patient_id) == ("simulated", 61.25, "female", "p1")
    np.testing.assert_array_equal(back.lesions[0].mask.voxels, region(0, 0, 0).voxels)
    np.testing.assert_array_equal(back.lesions[1].mask.voxels, region(3, 2, 2).voxels)
    # The third lesion overlaps the second in one voxel, which stays with the second.
    overlap = region(1, 1, 1).voxels & region(3, 2, 2).voxels
    np.testing.assert_array_equal(back.lesions[2].mask.voxels, region(1, 1, 1).voxels & ~overlap)
    assert (back.lesions[0].level, back.lesions[0].histology) == ("L3", "carcinoma")
    assert {lesion.diagnosis for lesion in back.lesions} == {"metastasis"}


def test_case_files_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_case(case(), tmp_path / name)
    reordered = {"value": 0.1, "name": "x", "list": [1, 2.5], "seed": 7}
    write_case(case(recipe=reordered), tmp_path / "c")
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc"]
    assert contents[0] == contents[1] == contents[2]


def test_one_lesion_and_no_recipe(tmp_path: Path) -> None:
    write_case(case(lesions=(Lesion(region(0, 0, 0)),), recipe=None, origin="scanner"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"series.nii.gz", "series.json", "lesion.nii.gz"}
    back = read_case(row(tmp_path))
    assert (len(back.lesions), back.recipe, back.origin) == (1, None, "scanner")
    assert read_case(row(tmp_path, lesion_mask=None)).lesions == ()


def test_case_without_lesion_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="lesions of a case must number 1 to 256 to be written, got 0"):
        write_case(case(lesions=()), tmp_path / "c1")
    assert not (tmp_path / "c1").exists()


def test_rows_that_cannot_become_a_case(tmp_path: Path) -> None:
    write_case(case(), tmp_path)
    with pytest.raises(InvalidArgumentError, match="diagnosis of case c1 must be one of"):
        read_case(row(tmp_path, diagnosis="myeloma"))
    with pytest.raises(InputRefusedError, match=r"absent\.nii\.gz does not exist"):
        read_case(row(tmp_path, series=tmp_path / "absent.nii.gz"))
    write_volume(case().series.frame(0), tmp_path / "volume.nii.gz")
    with pytest.raises(InputRefusedError, match=r"volume\.nii\.gz of case c1 is one volume; a cohort needs a 4-D"):
        read_case(row(tmp_path, series=tmp_path / "volume.nii.gz"))
    other = Grid(GRID.shape, np.diag([1.0, 1.0, 4.0, 1.0]))
    write_mask(Mask(region(0, 0, 0).voxels, other), tmp_path / "elsewhere.nii.gz")
    with pytest.raises(GridMismatchError, match=r"mask elsewhere\.nii\.gz must lie on the grid of the image"):
        read_case(row(tmp_path, lesion_mask=tmp_path / "elsewhere.nii.gz"))


@pytest.mark.parametrize(("content", "sentence"), [("{", "is not valid JSON"), ("[]", "must hold one JSON object")])
def test_broken_recipe_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    write_case(case(), tmp_path)
    (tmp_path / "recipe.json").write_text(content)
    with pytest.raises(InputRefusedError, match=f"recipe.json {sentence}"):
        read_case(row(tmp_path))


def test_cohort_table_comes_back(tmp_path: Path) -> None:
    rows = (
        row(tmp_path / "c1"),
        row(tmp_path / "c2", case_id="c2", age_years=None, sex=None, lesion_mask=None, extra={"site": "a, b"}),
        row(tmp_path / ".." / "beside", case_id="c3", extra={}),
    )
    write_cohort_table(rows, tmp_path)
    text = (tmp_path / "cohort.csv").read_text()
    assert text.splitlines()[0] == (
        "case_id,patient_id,series,lesion_mask,diagnosis,age_years,sex,level,histology,site"
    )
    assert "c1/series.nii.gz" in text
    assert str(tmp_path) not in text
    back = read_cohort(tmp_path)
    assert [replace(r, extra={}, series=r.series.resolve()) for r in back[:2]] == [
        replace(r, extra={}, series=r.series.resolve()) for r in rows[:2]
    ]
    assert back[1].extra == {"level": "", "histology": "", "site": "a, b"}
    assert back[2].series.resolve() == rows[2].series.resolve()
    assert read_cohort(tmp_path / "cohort.csv") == back


HEADER = "case_id,patient_id,series,lesion_mask,diagnosis,age_years,sex\n"


def test_table_as_spreadsheets_save_it(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER.replace("\n", "\r\n") + " c1 ,p1,s.nii.gz,,metastasis,60,F\r\n"
    (tmp_path / "cohort.csv").write_text(text, encoding="utf-8", newline="")
    (read,) = read_cohort(tmp_path)
    assert (read.case_id, read.sex, read.age_years, read.lesion_mask) == ("c1", "female", 60.0, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("case_id,series\nc1,s.nii\n", r"lacks the column\(s\) patient_id, lesion_mask, diagnosis; add them"),
        (HEADER, "lists no case; add one row per case"),
        (HEADER + "c1,p1,/data/s.nii,,metastasis,60,F\n", "line 2 names series by an absolute path, not relative to"),
        (HEADER + "c1,p1,s.nii,,metastasis,old,F\n", "line 2 has the age 'old', not a number of years"),
        (HEADER + "c1,p1,s.nii,,metastasis,-4,F\n", "line 2 has the age '-4'"),
        (HEADER + "c1,p1,s.nii,,metastasis,4,x\n", "line 2 has the sex 'x', not female or male"),
        (HEADER + "c1,p1,s.nii\n", "line 2 does not have one cell per column"),
        (HEADER + "c1,p1,s.nii,,m,4,F,more\n", "line 2 does not have one cell per column"),
        (HEADER + ",p1,,,metastasis,4,F\n", "line 2 has no case_id; line 2 has no series"),
        (HEADER + ",,,,,,\n" * 9, "line 2 has no case_id; .*, and 22 more"),
        (HEADER + 'c1,"p1\n', "is not a comma-separated table in UTF-8"),
    ],
)
def test_broken_table_is_refused_with_every_reason(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "cohort.csv").write_text(text)
    with pytest.raises(InputRefusedError, match=f"cohort.csv .*{sentence}"):
        read_cohort(tmp_path)


def test_missing_or_binary_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match=r"cohort\.csv does not exist"):
        read_cohort(tmp_path)
    (tmp_path / "cohort.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputRefusedError, match="is not a comma-separated table in UTF-8; save it as one"):
        read_cohort(tmp_path)
