"""The folder a report is written to: report.json, mask, features, curve, figure, page and maps."""

import csv
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spinehub.errors import InvalidArgumentError
from spinehub.io import write_map, write_mask
from spinehub.render import replace_reader_block, report_page
from spinehub.render.wording import MAP_NAMES
from spinehub.report.document import report_document, strict_json
from spinehub.report.reader import ReaderNotes
from spinehub.report.records import Finding, Report
from spinehub.series import Curve, DynamicSeries

__all__ = ["OUTPUT_FILES", "curve_rows", "save_report", "write_reader_notes"]

OUTPUT_FILES = ("report.json", "mask.nii.gz", "features.csv", "curve.csv", "figure.png", "report.html")
MAPS_FOLDER = "maps"
AGREEMENT = "agreement"


def save_report(report: Report, folder: Path) -> Path:
    """Write every output of a report into `folder`, which is made where it is missing.

    Files are written beside their place first and then moved, so that a reader never meets half a file. Outputs of
    an earlier report in the same folder are replaced, and those that this report does not have are removed, so that
    no file tells of another case; other files are left alone. Without a lesion there is no mask and no features.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InvalidArgumentError
        If the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as work:
            _write_all(report, Path(work))
            _move_all(Path(work), folder)
    except OSError as error:
        raise InvalidArgumentError(
            f"output must be a folder that can be written to, got {folder.name!r}: {error.strerror or error}"
        ) from error
    return folder


def write_reader_notes(folder: Path, notes: ReaderNotes) -> None:
    """Put what a reader states into the report.json and report.html of a folder, in place of what was stated there.

    Parameters
    ----------
    folder
        That :func:`save_report` wrote.
    notes
        What the reader states.
    """
    document = json.loads((folder / "report.json").read_text(encoding="utf-8")) | {"reader": notes.to_dict()}
    page = replace_reader_block((folder / "report.html").read_text(encoding="utf-8"), document["reader"])
    for name, text in (("report.json", _json_text(document)), ("report.html", page)):
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / name)


def curve_rows(report: Report) -> Iterable[dict[str, Any]]:
    """Rows of curve.csv: one per frame, signal and enhancement of the lesion and of its hot spot.

    What is not known is None: times without timing, enhancement of a single volume, the hot spot where there is none.
    """
    image, timing = report.image, report.timing
    times = image.times_s if isinstance(image, DynamicSeries) else None
    lesion, spot = report.curve, report.hot_spot
    count = image.frame_count if isinstance(image, DynamicSeries) else 1
    for frame in range(count):
        time_s = None if times is None else float(times[frame])
        since = None if time_s is None or timing.arrival_s is None else time_s - timing.arrival_s
        row: dict[str, Any] = {"frame": frame, "time_s": time_s, "seconds_from_arrival": since}
        row |= _curve_columns("lesion", lesion, frame)
        row |= _curve_columns("hot_spot", spot.curve if spot is not None else None, frame)
        for comparison in report.references:
            columns = _curve_columns(f"reference_{comparison.reference.tissue}", comparison.curve, frame)
            row |= {name: value for name, value in columns.items() if not name.endswith("quartile")}
        yield strict_json(row)


def _curve_columns(region: str, curve: Curve | None, frame: int) -> dict[str, float | None]:
    columns = ("signal", "enhancement", "lower_quartile", "upper_quartile")
    return {f"{region}_{name}": None if curve is None else getattr(curve, name)[frame] for name in columns}


def _write_all(report: Report, folder: Path) -> None:
    document = report_document(report)
    (folder / "report.json").write_text(_json_text(document), encoding="utf-8")
    _write_table(folder / "curve.csv", list(curve_rows(report)))
    if report.finding is not None:
        write_mask(report.finding.mask, folder / "mask.nii.gz")
        _write_table(folder / "features.csv", [_feature_row(report, report.finding)])
    (folder / MAPS_FOLDER).mkdir()
    agreement = {} if report.stability is None else {AGREEMENT: report.stability.agreement}
    for name, parametric_map in (*report.maps.items(), *agreement.items()):
        write_map(parametric_map, folder / MAPS_FOLDER / f"{name}.nii.gz")
    _write_pictures(report, document, folder)


def _json_text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _feature_row(report: Report, finding: Finding) -> dict[str, Any]:
    """One row: where it comes from, every feature (empty where not computed), then the settings' provenance."""
    names = report.source.names if report.source is not None else (report.image.name,)
    row: dict[str, Any] = {"files": " ".join(names), "regime": report.timing.regime}
    if finding.features is not None:
        row |= dict(zip(finding.features.names, finding.features.values, strict=True))
        row |= {f"provenance_{key}": value for key, value in finding.features.provenance.items()}
    return dict(strict_json(row))


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_pictures(report: Report, document: dict[str, Any], folder: Path) -> None:
    # matplotlib loads here, so that a refused input or a report that is not saved never waits for it
    from spinehub.render.figure import case_figure, class_map_figure, curve_figure, figure_png, planes_figure

    scene = report.scene
    (folder / "figure.png").write_bytes(figure_png(case_figure(scene)))
    pictures = {"planes": figure_png(planes_figure(scene))}
    if scene.has_curve:
        pictures["curve"] = figure_png(curve_figure(scene))
    explanations: dict[str, dict[str, Any]] = {answer.name: dict(answer.explanation) for answer in report.routes}
    for name, explanation in explanations.items():
        class_map = explanation.pop("class_map", None)
        if class_map is not None:
            pictures[f"class_map_{name}"] = figure_png(class_map_figure(scene, class_map))
    page = report_page(document, pictures, explanations=explanations, missing_maps=report.missing_maps)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _move_all(work: Path, folder: Path) -> None:
    maps = folder / MAPS_FOLDER
    maps.mkdir(exist_ok=True)
    for name in (*OUTPUT_FILES, *(f"{MAPS_FOLDER}/{map_name}.nii.gz" for map_name in (*MAP_NAMES, AGREEMENT))):
        written, target = work / name, folder / name
        if written.exists():
            written.replace(target)
        else:
            target.unlink(missing_ok=True)
