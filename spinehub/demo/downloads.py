"""The files a visitor can take away: report, mask, maps, tables, figure, report.json."""

import json
import secrets
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spinehub.bundle import write_bundle
from spinehub.demo.cases import LoadedCase
from spinehub.demo.loading import EXAMPLE
from spinehub.demo.session import OUTPUT, Session
from spinehub.io import write_map
from spinehub.report import write_reader_notes

__all__ = ["write_downloads"]

_SINGLE_FILES = {
    "report_file": "report.html",
    "mask_file": "mask.nii.gz",
    "figure_file": "figure.png",
    "json_file": "report.json",
}
BUNDLE = "case.zip"
_TABLES = ("curve.csv", "features.csv")


def write_downloads(case: LoadedCase, session: Session, folder: Path) -> dict[str, Path]:
    """Write the files of the last analysis and return those there are, by the name of their button.

    Parameters
    ----------
    case
        With its report, or the bundled example with its stored files.
    session
        Whose case it is.
    folder
        Where the files go; earlier ones are replaced.
    """
    output = folder / OUTPUT
    if case.report is not None:
        if not _is_there(case.report.to_dict(), output):
            case.report.save(output)
    elif session.is_example:
        _copy_example(case, output)
    else:
        return {}
    if _stored(output).get("reader") != session.notes.to_dict():
        write_reader_notes(output, session.notes)
    inputs = _uploaded_images(session) if session.with_images else ()
    write_bundle(output / BUNDLE, image=case.image, outputs=output, clicks=_clicks(session), inputs=inputs)
    files = {name: output / file for name, file in _SINGLE_FILES.items() if (output / file).exists()}
    files["bundle_file"] = output / BUNDLE
    tables = [output / name for name in _TABLES if (output / name).exists()]
    maps = sorted((output / "maps").glob("*.nii.gz"))
    return (
        files | _zipped("tables_file", output / "tables.zip", tables) | _zipped("maps_file", output / "maps.zip", maps)
    )


def _is_there(document: dict[str, Any], output: Path) -> bool:
    """Whether the folder holds this very report, whatever the reader has stated since."""
    if not (output / "report.json").exists():
        return False
    return _stored(output) | {"reader": None} == document | {"reader": None}


def _stored(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / "report.json").read_text(encoding="utf-8")))


def _uploaded_images(session: Session) -> tuple[str, ...]:
    """The visitor's images in the order they were read, or the example's series."""
    own = tuple(path for path in session.files if not path.lower().endswith(".json"))
    return (str(EXAMPLE / "series.nii.gz"),) if session.is_example else own


def _clicks(session: Session) -> list[dict[str, Any]]:
    return [{"position_mm": list(seed.position_mm), "background": seed.background} for seed in session.seeds]


def _copy_example(case: LoadedCase, output: Path) -> None:
    """Put the stored outputs into a folder, in place of what another case of the visitor's left there."""
    if _is_there(_stored(EXAMPLE), output):
        return
    maps = output / "maps"
    maps.mkdir(parents=True, exist_ok=True)
    for left in maps.glob("*.nii.gz"):
        if left.name.removesuffix(".nii.gz") not in case.maps:
            left.unlink()
    for name, parametric_map in case.maps.items():
        write_map(parametric_map, maps / f"{name}.nii.gz")
    for name in (*_TABLES, *_SINGLE_FILES.values()):  # report.json comes last: it says that the others are there
        (output / name).write_bytes((EXAMPLE / name).read_bytes())


def _zipped(name: str, archive: Path, files: Iterable[Path]) -> dict[str, Path]:
    """Zip files without compressing them again (maps are compressed already); nothing where there is no file."""
    files = list(files)
    if not files:
        return {}
    part = archive.with_name(f"{archive.name}.{secrets.token_hex(4)}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as packed:
        for file in files:
            packed.write(file, file.name)
    part.replace(archive)  # another visitor may be reading the one before
    return {name: archive}
