"""What stands beside the viewer: words of the design to the letter, every text escaped."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinehub.demo import results
from spinehub.demo.cases import Outcome
from spinehub.demo.drawing import nice_ticks
from spinehub.demo.markup import Markup, element, join, text
from spinehub.demo.panels import notices_panel
from spinehub.demo.plots import curve_plot, tolerance_plot
from spinehub.demo.results import result_panel
from spinehub.perfusion import Timing
from spinehub.routes import MeasuredAgreement
from spinehub.series import Curve, DynamicSeries
from spinehub.volume import Grid

DYNAMIC = Timing("dynamic", 30.0, 5.0, 3, 290.0, True)


class Reader(HTMLParser):
    """Collects text, tags and attributes as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.tags, self.attributes = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def route(name: str, share: float | None = None, decision: str = "not_available", **more: Any) -> dict[str, Any]:
    probabilities = None if share is None else {"metastasis": share, "primary_malignant": 1 - share}
    reason = "weights_not_installed: The weights are not installed." if share is None else None
    held_out = {"auc": 0.87, "interval": [0.84, 0.89]}
    return {"name": name, "probabilities": probabilities, "decision": decision, "reason": reason, "model": None,
            "held_out": held_out, **more}  # fmt: skip


def outcome(*routes: dict[str, Any], warnings: tuple[dict[str, str], ...] = (), **more: Any) -> Outcome:
    document = {"lesion": {"volume_ml": 1.0}, "routes": list(routes), "warnings": list(warnings)}
    document["input"] = {"regime": "dynamic"}
    document["parameters"] = {name: {"value": None} for name in ("early_enhancement", "washout")}
    return Outcome(document, **more)


FOUR = (
    route("hotspot", 0.71, "metastasis"),
    route("radiomics", 0.55, "undecided", reason="undecided: The conformal set holds both classes."),
    route("unet", 0.86, "metastasis"),
    route("inception_resnet", 0.12, "primary_malignant"),
)


def as_read(words: str) -> str:
    """Line ends and NUL as any HTML parser may hand them on."""
    return words.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


@given(st.text())
def test_any_text_stays_text(words: str) -> None:
    page = element("p", words, title=words)
    assert not set("${`") & set(page)
    reader = Reader(page)
    assert reader.tags == ["p"]
    assert as_read("".join(reader.words)) == as_read(words)


def test_markup_is_placed_as_it_is_and_none_is_left_out() -> None:
    assert join(Markup("<b>x</b>"), None, "<i>") == "<b>x</b>&lt;i&gt;"
    assert (
        element("i", class_="a", hidden=True, title=None, stroke_width=2) == '<i class="a" hidden stroke-width="2"></i>'
    )
    assert element("br") == "<br>"
    assert text(Markup("<b>")) == "<b>"


def test_the_four_routes_stand_side_by_side_in_words() -> None:
    said = Reader(result_panel(outcome(*FOUR))).text
    for sentence in (
        "Model output on two simulated classes. Not a diagnosis.",
        "Assumes the lesion is one of these two",
        "Two of four methods lean to metastasis; one of four methods leans to primary bone sarcoma or chordoma.",
        "All four learned from the same simulator, so agreement is not independent confirmation.",
        "On simulated cases: AUC 0.87 (0.84-0.89). Accuracy on real patients: unknown.",
        "A missed chordoma or sarcoma may be biopsied or operated on in a way that prevents cure.",
        "Myeloma, plasmacytoma and lymphoma, the commonest primary malignancies of the spine, belong to neither class.",
        "The conformal set holds both classes.",
    ):
        assert sentence in said
    assert "0.71 metastasis" in said
    assert "undecided (0.55 metastasis)" in said
    assert "0.88 primary" in said


def test_the_measured_accuracy_of_such_an_agreement_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = MeasuredAgreement(answered=4, agree=3, cases=47, accuracy=0.553, low=0.425, high=0.681)
    monkeypatch.setattr(results, "measured_agreement", lambda *_: found)
    page = result_panel(outcome(*FOUR))
    assert "where 3 of 4 methods that answered found the same one, it was right in 55 % (42 to 68 %) of 47" in page
    assert 'data-define="measured_agreement"' in page
    monkeypatch.setattr(results, "measured_agreement", lambda *_: None)
    assert "sh-measured" not in result_panel(outcome(*FOUR))


def test_bars_are_told_by_words_too() -> None:
    reader = Reader(result_panel(outcome(*FOUR)))
    labels = [value for name, value in reader.attributes if name == "aria-label"]
    assert labels[0] == "0.71 metastasis, 0.29 primary bone sarcoma or chordoma"
    assert ("style", "width: 71.0%") in reader.attributes


def test_a_route_without_an_answer_gives_its_reason_and_no_bar() -> None:
    page = result_panel(outcome(*[route(one["name"]) for one in FOUR]))
    assert "No method gives an answer for this case." in Reader(page).text
    assert "The weights are not installed." in Reader(page).text
    assert "weights_not_installed" not in page
    assert "sh-bar" not in page


def test_outside_the_training_distribution_the_numbers_are_folded_away() -> None:
    warning = {"code": "outside_training_distribution", "message": "The field of view is 120 mm."}
    page = result_panel(outcome(*FOUR, warnings=(warning,)))
    lead, folded = page.split("<details", 1)
    assert "The field of view is 120 mm." in lead
    assert "sh-bar" not in lead
    assert folded.startswith(' class="sh-folded">')
    assert "methods lean" not in page


def test_before_a_lesion_is_marked_there_are_no_routes() -> None:
    assert "Mark a lesion" in result_panel(None)
    empty = Outcome({"lesion": None, "routes": [], "warnings": []})
    assert "Mark a lesion" in result_panel(empty)


def test_explanations_match_the_route() -> None:
    explanations = {
        "hotspot": {"path": ["Early enhancement 112 % is above 84 %."]},
        "radiomics": {"contributions": [("washout__glcm_Contrast", -0.62), ("shape__Sphericity", 0.2)]},
        "unet": {"class_map": np.zeros((1, 1, 1))},
    }
    page = result_panel(outcome(*FOUR, explanations=explanations))
    assert "Early enhancement 112 % is above 84 %." in page
    assert "washout glcm Contrast \N{MINUS SIGN}0.62" in Reader(page).text
    assert "sh-push sh-bar-metastasis" in page
    assert 'data-overlay="class_map_unet"' in page


def test_notices_say_every_warning_in_words() -> None:
    warning = {"code": "leak_suspected", "message": "The region jumps <b>in size</b>."}
    said = notices_panel(outcome(*FOUR, warnings=(warning,)))
    assert "The region may have leaked" in said
    assert "&lt;b&gt;" in said
    assert notices_panel(None) == ""


def scan(count: int = 8, times: bool = True) -> DynamicSeries:
    times_s = 20.0 * np.arange(count) if times else None
    return DynamicSeries(np.ones((2, 2, 2, count), np.float32), Grid((2, 2, 2), np.eye(4)), times_s)


def curve(count: int = 8, times: bool = True) -> Curve:
    signal = np.linspace(100.0, 200.0, count)
    enhancement = signal - 100.0
    times_s = 20.0 * np.arange(count) if times else None
    return Curve(signal, enhancement, enhancement - 5, enhancement + 5, times_s)


@pytest.mark.parametrize(
    ("timing", "times", "unit"),
    [
        (DYNAMIC, True, "seconds after contrast arrival"),
        (Timing("pre_post", None, None, 1, None, True), True, "seconds from the first frame"),
        (Timing("pre_post", None, None, 1, None, True), False, "frame (times not known)"),
    ],
)
def test_the_curve_names_its_axes(timing: Timing, times: bool, unit: str) -> None:
    drawn = Reader(curve_plot(scan(times=times), curve(times=times), timing, curve(times=times)))
    assert unit in drawn.text
    assert "%" in drawn.words
    assert drawn.tags.count("circle") == 8 + 1  # the frames, and a ring around the highest


def test_the_curve_marks_the_reading_times_it_reaches() -> None:
    said = Reader(curve_plot(scan(), curve(), DYNAMIC)).words
    assert "45 s" in said
    assert "67 s" in said
    assert "240 s" not in said  # the scan ends 110 s after arrival


def test_a_curve_with_gaps_is_drawn_without_them() -> None:
    broken = Curve(*(np.array([np.nan, 1.0, 2.0]),) * 4, np.array([0.0, 10.0, 20.0]))
    page = curve_plot(scan(3), broken, DYNAMIC)
    assert "nan" not in page
    assert Reader(page).tags.count("circle") == 2


def test_the_curve_says_its_numbers_to_those_who_cannot_see_it() -> None:
    signal = np.array([100.0, 100.0, 150.0, 250.0, 230.0, 220.0, 215.0, 210.0])
    rising = Curve(signal, signal - 100.0, signal - 105.0, signal - 95.0, 20.0 * np.arange(8))
    timing = Timing("dynamic", 20.0, 10.0, 2, 20.0, True)
    page = curve_plot(scan(), rising, timing, figures="Early enhancement: 150 %.")
    label = page.partition('aria-label="')[2].partition('"')[0]
    assert label == (
        "Enhancement over time. Contrast arrives at 20 s. Curve of the lesion: peak 150 % at 40 seconds after contrast "
        "arrival, 145 % at 45 s, 126 % at 67 s. Early enhancement: 150 %."
    )
    assert "peak 150 %" in Reader(page).text


def test_the_curve_tells_the_browser_where_its_axes_lie() -> None:
    empty = curve_plot(scan(), None, DYNAMIC, least_high=80.0)
    told = json.loads(unescape(empty.partition('data-axes="')[2].partition('"')[0]))
    assert told["x"] == [20.0 * n - DYNAMIC.arrival_s for n in range(8)]
    assert told["unit"] == "seconds after contrast arrival"
    assert told["limits"][:2] == [told["x"][0], told["x"][-1]]
    assert told["limits"][2] < 0 < 80 < told["limits"][3]
    assert "No lesion is marked." in empty


def test_the_tolerance_plot_marks_leak_and_tolerance() -> None:
    tolerances, volumes = np.linspace(0, 10, 11), np.linspace(0, 50, 11)
    page = tolerance_plot(tolerances, volumes, 4.0, 6.5, 8.0)
    assert "leaks above 6.5" in page
    assert 'data-top="8.0"' in page
    assert "leaks" not in tolerance_plot(tolerances, volumes, 4.0, None, 8.0)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_are_few_even_and_inside(low: float, span: float, most: int) -> None:
    ticks = nice_ticks(low, low + span, most)
    assert len(ticks) <= most + 1
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[0] if steps.size else 0.0, rtol=1e-3, atol=1e-8)


def test_the_rule_is_drawn_with_the_case_on_it() -> None:
    rule = route("hotspot", 0.57, "undecided", model={"id": "hotspot-dce"})
    shown = outcome(rule, explanations={"hotspot": {"path": ["wash-out -3 % ≤ 9 %"]}})
    shown.document["parameters"].update(early_enhancement={"value": 120.0}, washout={"value": -3.0})
    assert "this case at 120 % and -3 %" in result_panel(shown)
