"""The report page and the figures: nothing fetched, nothing unescaped, the fixed sentences verbatim."""

import copy
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion import HotSpot, Timing
from spinehub.render import Scene, report_page
from spinehub.render.figure import case_figure, class_map_figure, curve_figure, figure_png, planes_figure
from spinehub.render.panels import shown_volume
from spinehub.render.prose import findings_text, number, parameter_rows, technique_rows
from spinehub.render.wording import (
    BIOPSY_SENTENCE,
    NOT_A_DIAGNOSIS,
    accuracy_sentence,
    agreement_sentence,
    plain_reason,
)
from spinehub.series import Curve, DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Seed, Volume

PNG = b"\x89PNG\r\n\x1a\n"
SHARES = {"metastasis": 0.8, "primary_malignant": 0.2}


def route(name: str, decision: str = "metastasis") -> dict:
    answered = decision != "not_available"
    return {
        "name": name,
        "probabilities": SHARES if answered else None,
        "decision": decision,
        "reason": None if decision == "metastasis" else "why_not: Because of that.",
        "model": {"id": f"{name}-dce", "sha256": "ab" * 32},
        "held_out": {"auc": 0.8123, "interval": [0.75, 0.871]} if answered else None,
    }


@pytest.fixture
def document() -> dict:
    return {
        "format": "spinehub-report/1",
        "input": {
            "files": ["<script>alert(1)</script>.nii.gz"],
            "sha256": ["ff" * 32],
            "shape": [160, 160, 12, 26],
            "spacing_mm": [1.2, 1.2, 4.5],
            "regime": "dynamic",
            "times_s": [12.0 * n for n in range(26)],
        },
        "timing": {"arrival_s": 30.0, "uncertainty_s": 6.0, "baseline_frames": 2, "end_s": 300.0},
        "growing": {
            "seeds": [
                {"index": [1, 2, 3], "position_mm": [-10.5, 3, 2], "background": False},
                {"index": [1, 2, 9], "position_mm": [0, 0, 0], "background": True},
            ],
            "tolerance": 4.25,
            "reach_mm": 60.0,
            "leak_tolerance": 7.5,
        },
        "lesion": {
            "volume_ml": 14.23,
            "voxels": 1234,
            "diameters_mm": [31.6, 27.8, 22.1],
            "centroid_mm": [-11.2, 50.1, 17.0],
            "slices": {"plane": "sagittal", "first": 4, "last": 8, "count": 5},
        },
        "hot_spot": {"voxels": 35, "slice": 6, "curve_type": 3, "enhances": True},
        "parameters": {
            "early_enhancement": {"value": 112.25, "uncertainty": 8.6, "unit": "%", "reason": None},
            "washout": {"value": None, "uncertainty": None, "unit": "%", "reason": "timing_insufficient: Too short."},
        },
        "routes": [route(name) for name in ("hotspot", "radiomics", "unet")]
        + [route("inception_resnet", "not_available")],
        "warnings": [{"code": "simulated_weights", "message": "Trained on <b>simulated</b> cases."}],
        "versions": {"spinehub": "0.1.0"},
        "disclaimer": "Not a medical device.",
    }


class Tags(HTMLParser):
    """Collect tags and check that they close in order."""

    VOID = frozenset(("meta", "img", "br"))

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


def test_page_is_self_contained_and_runs_nothing(document):
    page = report_page(document, {"planes": PNG, "curve": PNG, "class_map_unet": PNG})
    tags = parsed(page)
    assert not {"script", "link", "iframe", "form", "object", "a"} & set(tags.tags)
    assert tags.tags.count("img") == 3
    assert all(link.startswith("data:image/png;base64,") for link in tags.links)
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in page


def test_text_of_users_and_models_is_escaped(document):
    document["routes"][0]["model"]["id"] = "<i>id</i>"
    document["routes"][1]["reason"] = "code: <u>reason</u>"
    explanations = {"hotspot": {"path": ["early <em> 60"]}, "radiomics": {"contributions": [("<s>", 0.5)]}}
    page = report_page(document, {}, explanations=explanations, missing_maps={"washout": "x: <q>"})
    assert not re.search(r"<(script|b|i>|u|em|s>|q)\b", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.nii.gz" in page
    parsed(page)


def test_fixed_sentences_stand_verbatim(document):
    page = report_page(document, {})
    for sentence in (
        "Model output on two simulated classes. Not a diagnosis.",
        "Assumes the lesion is one of these two",
        "On simulated cases: AUC 0.81 (0.75-0.87). Accuracy on real patients: unknown.",
        "Three of four methods lean to metastasis. All four learned from the same simulator, so agreement is not "
        "independent confirmation.",
        "A missed chordoma or sarcoma may be biopsied or operated on in a way that prevents cure. Nothing here may be "
        "used to choose, delay or omit biopsy, referral or treatment.",
        "Myeloma, plasmacytoma and lymphoma",
    ):
        assert sentence in page


def test_numbers_are_folded_away_outside_the_training_distribution(document):
    assert "<details>" not in report_page(document, {})
    outside = copy.deepcopy(document)
    outside["warnings"].insert(0, {"code": "outside_training_distribution", "message": "Unlike: 6 slices."})
    page = report_page(outside, {})
    before, _, folded = page.partition("<details>")
    assert "Unlike: 6 slices." in before
    assert "lean to" not in page
    assert "metastasis 0.80" not in before
    assert "metastasis 0.80" in folded
    for one in outside["routes"]:
        one.update(probabilities=None, decision="not_available", reason="x: y")
    assert "<details>" not in report_page(outside, {}), "there is nothing to fold"


def test_page_without_a_lesion(document):
    document |= {"lesion": None, "hot_spot": None, "warnings": []}
    document["growing"] = {"seeds": [], "tolerance": None, "reach_mm": None, "leak_tolerance": None}
    page = report_page(document, {"planes": PNG})
    parsed(page)
    assert "No lesion was marked" in page
    assert "Read this first" not in page


def test_technique_in_words(document):
    rows = dict(technique_rows(document))
    assert rows["Grid"] == "160 × 160 × 12 voxels of 1.20 × 1.20 × 4.50 mm"
    assert rows["Frames"] == "26, of which 2 before contrast; every 12.0 s (median), over 300.0 s"
    assert rows["Contrast arrival"] == "30.0 s after the first frame, ± 6.0 s"
    assert rows["Region"] == (
        "grown from 1 seed at (−10.5, 3.0, 2.0) mm, held back by 1 background seed; tolerance 4.250, reach 60 mm; "
        "leaks from tolerance 7.500"
    )
    assert rows["Sequence"] == "its parameters are not in the file; contrast agent and dose are not recorded"
    document["input"]["protocol"] = {"repetition_time_s": 0.005, "echo_time_s": None, "flip_angle_deg": 21.02}
    assert dict(technique_rows(document))["Sequence"].startswith("TR 5 ms, flip angle 21° (as the file states);")
    document["input"]["times_s"] = None
    document["growing"]["seeds"] = []
    rows = dict(technique_rows(document))
    assert rows["Frames"].endswith("times not known")
    assert rows["Region"] == "mask given with the image"


def test_findings_in_words(document):
    size, place, enhancement = findings_text(document)
    assert size.startswith("Lesion of 32 × 28 × 22 mm")
    assert "volume 14.2 ml (1234 voxels)" in size
    assert "sagittal slices 5 to 9" in place
    assert "x −11.2, y 50.1, z 17.0 mm" in place
    assert "is 112 % above baseline 45 s after contrast arrival" in enhancement
    assert enhancement.endswith("curve type 3, wash-out.")
    document["parameters"]["washout"] |= {"value": -12.4, "reason": None}
    assert "and falls by 12 % from 67 s (or its earlier peak) to 240 s" in list(findings_text(document))[2]
    document["hot_spot"]["enhances"] = False
    assert list(findings_text(document))[2].endswith("does not enhance.")
    document["hot_spot"] = None
    assert "No hot spot" in list(findings_text(document))[2]


def test_parameters_in_words(document):
    early, washout = parameter_rows(document)
    assert early[:2] == ("Early enhancement", "112.2 ± 8.6 %")
    assert washout[1] == "not available"
    assert washout[2].startswith("Too short. (Definition:")


def test_small_words():
    assert number(None) == "-"
    assert number(-3.25, 1) == "−3.2"
    assert number(3.0, 0, sign=True) == "+3"
    assert number(-0.02, 1, sign=True) == number(-0.02) == "0.0"
    assert plain_reason("small_lesion: Too small.") == "Too small."
    assert plain_reason("No code: here") == "No code: here"
    assert accuracy_sentence(None).startswith("No held-out score")
    assert accuracy_sentence({"auc": 0.8}) == "On simulated cases: AUC 0.80. Accuracy on real patients: unknown."


@pytest.mark.parametrize(
    ("decisions", "sentence"),
    [
        (["not_available"] * 4, "No method gives an answer for this case."),
        (
            ["undecided", "undecided", "not_available", "not_available"],
            "Two of four methods ran and none of them decides.",
        ),
        (["metastasis"] * 4, "Four of four methods lean to metastasis. "),
        (
            ["metastasis", "primary_malignant", "metastasis", "undecided"],
            "Two of four methods lean to metastasis; one of four methods leans to primary bone sarcoma or chordoma. ",
        ),
    ],
)
def test_agreement_is_never_called_confirmation(decisions, sentence):
    text = agreement_sentence(decisions)
    assert text.startswith(sentence)
    assert ("not independent confirmation" in text) == ("lean" in text)


@pytest.fixture
def scene() -> Scene:
    rng = np.random.default_rng(1)
    grid = Grid((30, 32, 9), np.array([[0, 0, 4.5, -20], [-1.2, 0, 0, 18], [0, -1.2, 0, 18], [0, 0, 0, 1.0]]))
    voxels = np.zeros(grid.shape, bool)
    voxels[10:18, 12:20, 3:6] = True
    mask = Mask(voxels, grid)
    times = np.arange(6) * 50.0
    rise = np.array([0.0, 0, 60, 90, 80, 70])
    curve = Curve(100 + rise, rise, rise - 5, rise + 5, times, mask)
    series = DynamicSeries(rng.random((*grid.shape, 6)), grid, times)
    timing = Timing("dynamic", 60.0, 25.0, 2, 250.0, True)
    shown = ParametricMap("early_enhancement", "%", rng.random(grid.shape) * 100, grid)
    spot = HotSpot(mask, 4, curve, 2, True)
    seeds = (Seed.at_index((14, 16, 4), grid), Seed.at_index((2, 2, 4), grid, background=True))
    return Scene(series, timing, mask, curve, spot, seeds, shown)


def test_figures_are_drawn_and_repeat(scene):
    for draw in (case_figure, planes_figure):
        first = figure_png(draw(scene))
        assert first.startswith(PNG)
        assert first == figure_png(draw(scene))
    class_map = np.where(scene.mask.voxels, 0.3, np.nan).astype(np.float32)
    assert figure_png(class_map_figure(scene, class_map)).startswith(PNG)


def test_curve_says_its_units_and_times(scene):
    figure = curve_figure(scene)
    (ax,) = figure.axes
    assert "%" in ax.get_ylabel()
    assert ax.get_xlabel() == "time from contrast arrival (s)"
    texts = {text.get_text() for text in ax.texts}
    assert {"baseline", "arrival", "45 s", "67 s"} <= texts
    assert "240 s" not in texts, "the scan ends 190 s after arrival"
    line = next(line for line in ax.lines if "hot spot" in str(line.get_label()))
    np.testing.assert_allclose(line.get_xdata(), scene.curve.times_s - 60.0)
    np.testing.assert_allclose(line.get_ydata(), scene.curve.enhancement)


def test_curve_without_times_counts_frames(scene):
    curve = Curve(scene.curve.signal, scene.curve.enhancement, *[scene.curve.enhancement] * 2)
    timing = Timing("pre_post", None, None, 1, None, True)
    figure = curve_figure(Scene(scene.image.without_times(), timing, scene.mask, curve))
    assert figure.axes[0].get_xlabel() == "frame (times not known)"
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), np.arange(1, 7))


def test_planes_name_their_slices_and_sides(scene):
    titles = [ax.get_title() for ax in planes_figure(scene).axes]
    assert titles[:3] == ["sagittal 4/9", "coronal 11/30", "axial 13/32"]
    assert titles[3] == "Early enhancement (45 s), %"


def test_single_volume_and_explore_mode_can_be_drawn(scene):
    volume = Volume(scene.image.frames[..., 3], scene.image.grid)
    single = Scene(volume, Timing("single", None, None, 0, None, None))
    assert figure_png(case_figure(single)).startswith(PNG)
    assert shown_volume(single)[1] == "single volume"
    explore = Scene(scene.image, scene.timing, shown_map=scene.shown_map)
    assert figure_png(case_figure(explore)).startswith(PNG)
    assert shown_volume(explore)[1] == "frame 3 of 6, 40 s from contrast arrival"
    with pytest.raises(InvalidArgumentError, match="scene must hold a curve"):
        curve_figure(explore)


def test_wording_is_in_the_page_and_nowhere_changed():
    assert NOT_A_DIAGNOSIS == "Model output on two simulated classes. Not a diagnosis."
    assert BIOPSY_SENTENCE.startswith("A missed chordoma or sarcoma")
