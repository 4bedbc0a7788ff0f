"""What a reader sees of a teaching case: before the commitment the vignette alone, after it truth, score and tally."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from spinehub.demo.definitions import what
from spinehub.demo.lessons import lesson_numbered
from spinehub.demo.markup import Markup, element, join
from spinehub.demo.session import Session
from spinehub.demo.view import View
from spinehub.render.prose import number
from spinehub.render.wording import CLASS_NAMES, NOT_A_DIAGNOSIS, ROUTE_NAMES
from spinehub.teaching import Reading, Tally, TeachingCase, points_lost, tally, teaching_cases
from spinehub.teaching.reading import GOOD_POINTS
from spinehub.volume import Position

__all__ = ["answer_form", "hidden_result", "lessons_list", "reader_view", "tally_table"]

_HIDDEN = "What the four methods say and what the lesion is come after you commit."
_SIMULATED = "Simulated: no patient was examined."
_STEPS = (
    "Press Seed above the image, click the lesion and set its border. Then say what you think it is, and how sure you "
    "are. Nothing that would tell leaves the server before you commit."
)
_AGE_COUNTS = {
    "as-published": "Age, level and number of lesions are drawn as published for each tumour, so they count.",
    "matched": "Age, sex and level are drawn alike for both classes, so in this case they do not help.",
}
_SAID = {
    "undecidable": "undecidable from this image",
    "neither": "neither of the two classes",
}


def reader_view(session: Session, truth_mm: Position | None = None) -> View:
    """Everything of the reader for a session: her card, the list of cases, the tally.

    Parameters
    ----------
    session
        Of the visitor.
    truth_mm
        Centre of the true lesion, for the button that goes there; looked at only after the commitment.
    """
    lists = {"lessons_panel": lessons_list(session), "tally_panel": tally_table(session.readings)}
    if session.teaching is None:
        return View(reader_group=gr.Column(visible=False), **lists)
    lesson, reading = lesson_numbered(session.teaching), session.reading
    shown = _before(lesson) if reading is None else _after(lesson, reading, session.readings, truth_mm)
    return View(
        reader_group=gr.Column(visible=True),
        reader_panel=shown,
        answer_group=gr.Column(visible=reading is None),
        **lists,
    )


def hidden_result() -> str:
    """What stands in place of the routes until the reader has committed."""
    return join(element("h3", NOT_A_DIAGNOSIS), element("p", _HIDDEN, class_="sh-small"))


def lessons_list(session: Session) -> str:
    """The ten cases with their vignettes; a title only where it gives nothing away any more."""
    rows = []
    for lesson in teaching_cases():
        reading = next((one for one in session.readings if one.number == lesson.number), None)
        rows.append(_row(lesson, reading, is_open=session.teaching == lesson.number))
    return element("ol", *rows, class_="sh-lessons")


def _row(lesson: TeachingCase, reading: Reading | None, *, is_open: bool) -> Markup:
    name = f"Case {lesson.number}"
    parts = [element("strong", name)]
    if reading is not None:
        parts += [element("span", lesson.title, class_="sh-lesson-title"), element("span", _score(reading),
                  class_="sh-tag")]  # fmt: skip
    elif is_open:
        parts.append(element("span", "open", class_="sh-tag"))
    text = element("div", element("div", *parts, class_="sh-case"), element("div", lesson.vignette, class_="sh-small"))
    word = "Look again" if reading is not None else "Open"
    button = element("button", word, type="button", class_="sh-open", data_lesson=lesson.number,
                     aria_label=f"{word}: {name}")  # fmt: skip
    return element("li", text, button)


def _before(lesson: TeachingCase) -> Markup:
    return join(
        _head(lesson),
        element("p", lesson.vignette, class_="sh-vignette"),
        element("p", _AGE_COUNTS[lesson.recipe.cohort], class_="sh-small"),
        element("p", _STEPS, class_="sh-small"),
    )


def _head(lesson: TeachingCase) -> Markup:
    name = element("strong", f"Case {lesson.number} of {len(teaching_cases())}")
    return element("div", name, element("span", "simulated", class_="sh-tag"), class_="sh-case")


def _after(lesson: TeachingCase, reading: Reading, readings: Sequence[Reading], truth_mm: Position | None) -> Markup:
    truth = lesson.truth[0].upper() + lesson.truth[1:]
    return join(
        _head(lesson),
        element("p", element("strong", lesson.title), class_="sh-vignette"),
        element("p", element("span", "It is: ", class_="sh-small"), truth, class_="sh-headline"),
        element("p", _verdict(lesson, reading), class_="sh-verdict", role="status"),
        _table(reading),
        _overlap(reading, truth_mm),
        element("h3", "What to see"),
        element("p", lesson.what_to_see, class_="sh-see"),
        element("p", lesson.vignette, " ", _AGE_COUNTS[lesson.recipe.cohort], " ", _SIMULATED, class_="sh-small"),
        element("p", _so_far(tally(readings)), class_="sh-small"),
    )


def _verdict(lesson: TeachingCase, reading: Reading) -> Markup:
    """What the answer was worth, in plain words."""
    if reading.posterior is None:
        said = "You said so." if reading.recognised else f"You said: {_said(reading)}."
        return join("It belongs to neither class, so a probability for either would answer the wrong question. ", said)
    best = f"The best anyone could say from what can be seen: {_share(reading.posterior)}. "
    if reading.lost is None:
        return join(best, what("posterior"), " You said: neither of the two classes, which has no score here.")
    said = f" You said: {_said(reading)}: {_score(reading)}. "
    return join(best, what("posterior"), said, what("points"), _against(lesson))


def _against(lesson: TeachingCase) -> str:
    """A word of comfort where the image points to the wrong class."""
    share = lesson.posterior_of_truth
    if share is None or share >= 0.5:
        return ""
    name = "metastases" if lesson.diagnosis == "metastasis" else "primary tumours"
    return f" It misleads everyone: of 100 lesions that look like this one, {100 * share:.0f} are {name}."


def _said(reading: Reading) -> str:
    if reading.probability is None or reading.answer == "undecidable":
        return _SAID[reading.answer]
    return _share(reading.probability)


def _share(primary: float) -> str:
    """Probability in words, for the likelier class."""
    name = "a primary tumour" if primary >= 0.5 else "a metastasis"
    return f"{_two(max(primary, 1.0 - primary))} for {name}"


def _two(probability: float) -> str:
    """Two digits; what is nearly certain is not called certain."""
    if 0.995 <= probability < 1.0:
        return "over 0.99"
    return "under 0.01" if 0.0 < probability < 0.005 else f"{probability:.2f}"


def _score(reading: Reading) -> str:
    if reading.posterior is None:
        return "recognised" if reading.recognised else "neither class"
    return "no score" if reading.lost is None else points_in_words(reading.lost)


def points_in_words(lost: float) -> str:
    """Points lost as they are said; below one point the answer was as good as possible."""
    if lost < GOOD_POINTS:
        return "as good as possible"
    points = round(lost)
    return f"{points} {'point' if points == 1 else 'points'} lost"


def _table(reading: Reading) -> Markup:
    """Reader, routes and the best possible answer side by side."""
    head = element("tr", *[element("th", column, scope="col") for column in ("", "primary tumour", "points lost")])
    rows = [_line("You", reading.probability, reading.lost, _SAID.get(reading.answer, "-"))]
    for route, name in ROUTE_NAMES.items():
        waiting = "no answer" if reading.routes else "being asked"
        rows.append(_line(name, reading.routes.get(route), reading.lost_by(route), waiting))
    if reading.posterior is not None:
        rows.append(_line("Best possible", reading.posterior, 0.0, ""))
    caption = element("caption", "Probability of a primary tumour, equal priors; points of 100")
    return element("table", caption, element("thead", head), element("tbody", *rows), class_="sh-table sh-readings")


def _line(name: str, probability: float | None, lost: float | None, without: str) -> Markup:
    cells = [without if probability is None else _two(probability), "-" if lost is None else number(lost, 0)]
    return element("tr", element("th", name, scope="row"), *[element("td", cell) for cell in cells])


def _overlap(reading: Reading, truth_mm: Position | None) -> Markup:
    text = f"Your region and the true lesion: Dice {number(reading.dice, 2)} "
    missed = " It misses the lesion: the methods read your region, not the lesion." if reading.dice < 0.1 else ""
    place = None if truth_mm is None else ",".join(f"{value:.2f}" for value in truth_mm)
    show = element("button", "Show the true lesion", type="button", class_="sh-link", data_overlay="truth",
                   data_goto=place)  # fmt: skip
    return element("p", text, what("dice"), missed, " ", show, class_="sh-small")


def _so_far(total: Tally) -> str:
    cases = f"So far: {total.read} of {len(teaching_cases())} cases read"
    return f"{cases}." if total.lost is None else f"{cases}, {number(total.lost, 0)} points lost on average."


def tally_table(readings: Sequence[Reading]) -> str:
    """The session so far: reader against routes, on the cases each has a score for."""
    total = tally(readings)
    if not total.read:
        return element("p", "Nothing read yet. Open a case; the score of each appears here.", class_="sh-small")
    head = element("tr", *[element("th", column, scope="col") for column in ("", "points lost", "cases")])
    rows = [_sum("You", None if total.lost is None else (total.lost, total.scored))]
    rows += [_sum(name, total.routes.get(route)) for route, name in ROUTE_NAMES.items()]
    always = points_of_always_undecidable(readings)
    rows.append(_sum("Always “undecidable”", always))
    table = element("table", element("thead", head), element("tbody", *rows), class_="sh-table")
    lines = [_so_far(total)]
    if total.dice is not None:
        lines.append(f"Mean Dice of your regions: {number(total.dice, 2)}.")
    if total.neither:
        lines.append(f"Of {total.neither} that belong to neither class you named {total.recognised}.")
    note = "A few simulated cases, three of them chosen because they mislead: a game to learn from, no measurement."
    return join(table, element("p", " ".join(lines), class_="sh-small"), element("p", note, class_="sh-small"))


def points_of_always_undecidable(readings: Sequence[Reading]) -> tuple[float, int] | None:
    """Mean points of one who says 0.5 each time, and the number of cases: what any answer should beat."""
    lost = [points for one in readings if (points := points_lost(one.posterior, 0.5)) is not None]
    return (sum(lost) / len(lost), len(lost)) if lost else None


def _sum(name: str, lost: tuple[float, int] | None) -> Markup:
    cells = ("-", "0") if lost is None else (number(lost[0], 0), str(lost[1]))
    return element("tr", element("th", name, scope="row"), *[element("td", cell) for cell in cells])


def answer_choices() -> list[tuple[str, str]]:
    """Answers as they are offered, and their values."""
    classes = [(name[0].upper() + name[1:], value) for value, name in CLASS_NAMES.items()]
    return [*classes, ("Undecidable from this image", "undecidable"), ("Neither of the two", "neither")]


def answer_form() -> dict[str, Any]:
    """Build the reader's card and return its parts by name."""
    parts: dict[str, Any] = {}
    with gr.Column(visible=False, elem_classes="sh-card", elem_id="sh-reader") as parts["reader_group"]:
        gr.HTML(element("h2", "Your reading"), js_on_load=None, apply_default_css=False)
        parts["reader_panel"] = gr.HTML("", js_on_load=None, apply_default_css=False, elem_id="sh-reading")
        with gr.Column(elem_classes="sh-answer") as parts["answer_group"]:
            parts["answer"] = gr.Radio(answer_choices(), label="What is it?", elem_id="sh-answer")
            parts["confidence"] = gr.Slider(
                50, 100, 75, step=1, label="How sure are you, in %", elem_id="sh-confidence", buttons=[]
            )
            parts["commit"] = gr.Button("Commit", variant="primary", size="sm", elem_id="sh-commit")
        parts["next_case"] = gr.Button("Next case", size="sm", elem_id="sh-next-case")
    return parts
