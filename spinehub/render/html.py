"""The report as one self-contained page: no script, no request, every text of a user or a file escaped."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from spinehub.render import wording
from spinehub.render.prose import findings_text, number, parameter_rows, technique_rows
from spinehub.render.reader import reader_block
from spinehub.render.references import reference_block
from spinehub.render.style import STYLE

__all__ = ["report_page"]

_LIMITATIONS = (
    wording.NOT_IN_EITHER_CLASS,
    "Enhancement in % depends on T1, flip angle and repetition time: compare it only within one protocol.",
    "Diameters, volume and curves are those of the outlined region and no better than the outline: check it by eye.",
    "Scores of the methods come from simulated cases; they neither confirm nor refute any published clinical figure.",
)


def report_page(
    document: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    *,
    explanations: Mapping[str, Mapping[str, Any]] | None = None,
    missing_maps: Mapping[str, str] | None = None,
) -> str:
    """Write the page.

    Parameters
    ----------
    document
        The report as in report.json.
    pictures
        PNG bytes: ``"planes"``, and where there are any ``"curve"`` and ``"class_map_<route>"``.
    explanations
        Route name to its explanation (``"path"``, ``"contributions"``).
    missing_maps
        Map name to the sentence that says why it could not be computed.

    Returns
    -------
    str
        A complete HTML document.
    """
    has_arrival = document["timing"]["arrival_s"] is not None
    sections = (
        _warnings(document["warnings"]),
        _section("Technique", _rows(technique_rows(document))),
        _section("Findings", _findings(document) + _pictures(pictures, has_arrival)),
        _parameters(document, missing_maps or {}),
        _references(document.get("references")),
        _routes(document, pictures, explanations or {}),
        _section("Limitations", _list(_LIMITATIONS) + f'<p class="strong">{escape(wording.BIOPSY_SENTENCE)}</p>'),
        _section("Versions", _versions(document)),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>spinehub report</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n"
        f'<header><h1>spinehub report</h1><p class="banner"><strong>Research and teaching only.</strong> '
        f"{escape(wording.NOT_A_DIAGNOSIS)} Accuracy on real patients: unknown.</p></header>\n"
        + "\n".join(section for section in sections if section)
        + f"\n<footer><p>{escape(document['disclaimer'])}</p></footer>\n</main></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>"


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>\n" for text in texts)


def _findings(document: Mapping[str, Any]) -> str:
    """What the reader states about the lesion, then what was measured; no form to fill in without a lesion."""
    stated = reader_block(document.get("reader")) if document["lesion"] is not None else ""
    return stated + _paragraphs(findings_text(document))


def _list(texts: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>\n"


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f'<table class="facts">{cells}</table>\n'


def _warnings(warnings: list[dict[str, str]]) -> str:
    if not warnings:
        return ""
    items = "".join(
        f"<li><strong>{escape(wording.WARNING_TITLES.get(item['code'], item['code']))}.</strong> "
        f"{escape(item['message'])}</li>"
        for item in warnings
    )
    return f'<section class="warnings"><h2>Read this first</h2><ul>{items}</ul></section>'


def _picture(png: bytes, text: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img alt="{escape(text)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(text)}</figcaption></figure>\n"
    )


def _pictures(pictures: Mapping[str, bytes], has_arrival: bool) -> str:
    lines = " Dashed lines: times at which the parameters are read." if has_arrival else ""
    texts = {
        "planes": "Three planes through the lesion. Patient right is on the left of the screen in axial and coronal "
        "slices, anterior is on the left in sagittal slices.",
        "curve": f"Enhancement over time. Shaded: baseline. Band: middle half of the lesion's voxels.{lines}",
    }
    return "".join(_picture(pictures[name], text) for name, text in texts.items() if name in pictures)


def _parameters(document: Mapping[str, Any], missing_maps: Mapping[str, str]) -> str:
    body = "".join(
        f"<tr><th>{escape(name)}</th><td class='value'>{escape(value)}</td><td>{escape(text)}</td></tr>"
        for name, value, text in parameter_rows(document)
    )
    table = f"<table class='parameters'>{body}</table>\n"
    if missing_maps:
        table += "<p>Maps that could not be computed:</p>\n" + _list(_missing(missing_maps))
    return _section("Parameters of the hot spot", table)


def _references(references: Sequence[Mapping[str, Any]] | None) -> str:
    """Only where a reader placed some."""
    return _section("Reference regions", reference_block(references)) if references else ""


def _missing(missing_maps: Mapping[str, str]) -> Iterable[str]:
    """One sentence per reason, with all the maps it holds for."""
    for reason in dict.fromkeys(missing_maps.values()):
        names = (wording.MAP_NAMES.get(name, name) for name, its in missing_maps.items() if its == reason)
        yield f"{'; '.join(names)}. {wording.plain_reason(reason)}"


def _routes(
    document: Mapping[str, Any], pictures: Mapping[str, bytes], explanations: Mapping[str, Mapping[str, Any]]
) -> str:
    routes = document["routes"]
    table = "".join(_route_row(route) for route in routes)
    head = "<tr><th>Method</th><th>Model output for equal priors</th><th>Held-out score</th></tr>"
    legend = "".join(
        f'<span class="key"><i style="background:{wording.CLASS_COLOURS[name]}"></i>{escape(text)}</span>'
        for name, text in wording.CLASS_NAMES.items()
    )
    numbers = (
        f'<p class="assumption">{escape(wording.ASSUMPTION)}: {legend}</p>\n'
        f'<table class="routes">{head}{table}</table>\n'
        + "".join(_explanation(route["name"], explanations.get(route["name"], {}), pictures) for route in routes)
    )
    lead = f'<p class="strong">{escape(wording.NOT_A_DIAGNOSIS)}</p>\n'
    outside = [item for item in document["warnings"] if item["code"] == "outside_training_distribution"]
    if outside:
        lead += f"<p>{escape(outside[0]['message'])}</p>\n"
    if outside and any(route["probabilities"] for route in routes):
        numbers = f"<details><summary>Show the numbers all the same</summary>\n{numbers}</details>\n"
    else:
        lead += f"<p>{escape(wording.agreement_sentence([route['decision'] for route in routes]))}</p>\n"
    return _section("Model output", lead + numbers)


def _route_row(route: Mapping[str, Any]) -> str:
    name = escape(wording.ROUTE_NAMES[route["name"]])
    decision = escape(wording.DECISION_NAMES[route["decision"]])
    reason = f'<div class="reason">{escape(wording.plain_reason(route["reason"]))}</div>' if route["reason"] else ""
    model = route["model"] or {}
    identity = f'<div class="small">{escape(str(model["id"]))}</div>' if model.get("id") else ""
    score = escape(wording.accuracy_sentence(route["held_out"])) if route["decision"] != "not_available" else ""
    return (
        f"<tr><th>{name}{identity}</th><td>{_bar(route['probabilities'])}<div>{decision}</div>{reason}</td>"
        f'<td class="small">{score}</td></tr>'
    )


def _bar(probabilities: Mapping[str, float] | None) -> str:
    if probabilities is None:
        return ""
    parts = "".join(
        f'<span style="width:{100 * value:.1f}%;background:{wording.CLASS_COLOURS[name]}"></span>'
        for name, value in probabilities.items()
    )
    text = ", ".join(f"{wording.CLASS_NAMES[name]} {value:.2f}" for name, value in probabilities.items())
    return f'<div class="bar">{parts}</div><div class="small">{escape(text)}</div>'


def _explanation(name: str, explanation: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    body = ""
    if explanation.get("path"):
        body += _list(explanation["path"])
    if explanation.get("contributions"):
        items = (f"{feature}: {number(value, 2, sign=True)}" for feature, value in explanation["contributions"][:8])
        body += "<p>Largest contributions (log-odds; above 0 towards primary bone sarcoma or chordoma):</p>"
        body += _list(items)
    if f"class_map_{name}" in pictures:
        text = "Class map: blue voxels read as metastasis, orange as primary bone sarcoma or chordoma."
        body += _picture(pictures[f"class_map_{name}"], text)
    return f"<h3>Why: {escape(wording.ROUTE_NAMES[name])}</h3>\n{body}" if body else ""


def _versions(document: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    weights = [
        f"{route['model']['id']} (SHA-256 {route['model']['sha256'] or 'not known'})"
        for route in document["routes"]
        if route["model"] and route["decision"] != "not_available"
    ]
    body = f'<p class="small">{escape(text)}. Format {escape(document["format"])}.</p>\n'
    return body + (f'<p class="small hash">Weights: {escape("; ".join(weights))}.</p>\n' if weights else "")
