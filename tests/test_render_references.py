"""Reference regions in the report page: what the numbers say stands there, nothing where a reader placed none."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from phantoms import ball_case

from spinehub.perfusion import Reference, assess_timing, compare
from spinehub.pipeline import analyse
from spinehub.render.references import reference_block
from spinehub.volume import Volume


def cells(page: str) -> list[list[str]]:
    """Texts of the table's rows."""
    table = re.search(r'<table class="references">(.*?)</table>', page, re.DOTALL)
    assert table is not None
    rows = re.findall(r"<tr>(.*?)</tr>", table[1], re.DOTALL)
    return [[unescape(text) for text in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def one(tissue: str, **changes: object) -> dict[str, object]:
    told = {"tissue": tissue, "center_mm": [-6.0, 12.25, 3.0], "radius_mm": 4.0, "voxels": 13, "early_ratio": 2.345}
    told |= {"peak_ratio": 0.5, "signal_ratio": None, "early_at": "45 s after contrast arrival", "reason": None}
    return told | changes


def test_the_saved_page_says_where_each_circle_is_and_the_ratios_of_the_report(tmp_path: Path) -> None:
    case = ball_case(1)
    series, mask = case.series, case.lesions[0].mask
    timing = assess_timing(series)
    placed = [Reference("marrow", series.grid.position_of((6, 15, 2)), 3.0)]
    compared = tuple(compare(series, mask, reference, timing) for reference in placed)
    report = analyse(series, mask=mask, models={})
    report.save(tmp_path / "without")
    assert "Reference regions" not in (tmp_path / "without" / "report.html").read_text(encoding="utf-8")
    replace(report, references=compared).save(tmp_path / "with")
    page = (tmp_path / "with" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Reference regions</h2>" in page
    heads, (name, circle, early, peak) = cells(page)
    assert heads[2:] == ["Lesion over it: early, 45 s after contrast arrival", "Lesion over it: peak"]
    assert name == "Normal marrow"
    assert f"{compared[0].mask.count} voxels" in circle
    lesion, marrow = (series.frames[which.voxels].mean(axis=0).astype(float) for which in (mask, compared[0].mask))
    rises = [100.0 * (curve / curve[: timing.baseline_frames].mean() - 1.0).max() for curve in (lesion, marrow)]
    assert float(peak) == pytest.approx(rises[0] / rises[1], abs=0.006)
    assert float(early) == pytest.approx(compared[0].early_ratio, abs=0.006)


def test_a_ratio_that_is_missing_says_why_once_for_all_it_holds_for() -> None:
    why = "The reference rises by less than 5 %, so a ratio to it says nothing."
    weak = {"early_ratio": None, "peak_ratio": None, "reason": why}
    block = reference_block([one("marrow", **weak), one("muscle"), one("vessel", **weak)])
    assert cells(block)[1:] == [
        ["Normal marrow", "4.0 mm around (\u22126.0, 12.2, 3.0) mm, 13 voxels", "not available", "not available"],
        ["Muscle", "4.0 mm around (\u22126.0, 12.2, 3.0) mm, 13 voxels", "2.35", "0.50"],
        ["Vessel", "4.0 mm around (\u22126.0, 12.2, 3.0) mm, 13 voxels", "not available", "not available"],
    ]
    assert block.count(why) == 1
    assert f"Normal marrow, Vessel: {why}" in block


def test_a_single_volume_has_a_ratio_of_signals() -> None:
    case = ball_case(1)
    volume = Volume(np.asarray(case.series.frames[..., -1]), case.series.grid)
    reference = Reference("muscle", volume.grid.position_of((6, 15, 2)), 3.0)
    compared = compare(volume, case.lesions[0].mask, reference, assess_timing(volume))
    told = one("muscle", early_at="", signal_ratio=compared.signal_ratio, early_ratio=None, peak_ratio=None)
    block = reference_block([told])
    heads, row = cells(block)
    assert heads[2:] == ["Lesion over it: signal"]
    means = [float(volume.voxels[which.voxels].mean()) for which in (case.lesions[0].mask, compared.mask)]
    assert float(row[2]) == pytest.approx(means[0] / means[1], abs=0.006)
    assert "enhancement" not in block


def test_no_text_of_a_document_is_taken_for_markup() -> None:
    block = reference_block([one("marrow", early_at="<i>45</i>", reason="<b>weak</b>")])
    assert not re.search(r"<(i|b)>", block)
