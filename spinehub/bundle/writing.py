"""Writing a case bundle: everything that is needed to get the same mask and numbers from the same image elsewhere."""

import json
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spinehub._version import __version__
from spinehub.bundle.archive import FORMAT, MANIFEST, digest
from spinehub.errors import InvalidArgumentError
from spinehub.io.formats import file_stem
from spinehub.series import DynamicSeries
from spinehub.volume import Volume

__all__ = ["BUNDLED_FILES", "write_bundle"]

BUNDLED_FILES = ("report.json", "mask.nii.gz", "features.csv", "curve.csv", "report.html")
"""Outputs a bundle holds, where there are any; maps follow from the image."""
_SAME_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member: the same case gives the same bytes, and no time of day is told."""


def write_bundle(
    path: str | Path,
    *,
    image: DynamicSeries | Volume,
    outputs: str | Path,
    clicks: Sequence[Mapping[str, Any]] = (),
    inputs: Sequence[str | Path] = (),
) -> Path:
    """Write a case bundle.

    Parameters
    ----------
    path
        Zip file to write.
    image
        What was analysed: its times, baseline and protocol go into the settings, since a sidecar or typed times may
        not be there elsewhere.
    outputs
        Folder that :meth:`spinehub.report.Report.save` wrote; seeds, tolerance, reach, models and the hash of the
        image are in its report.json.
    clicks
        What was clicked, in order, for the record.
    inputs
        Image files to put into the bundle, in the order they were read; as a rule none, since a scan can identify a
        person. Their names are not kept.

    Raises
    ------
    InvalidArgumentError
        If the folder holds no report.json, or the bundle cannot be written.
    """
    path, outputs = Path(path), Path(outputs)
    if not (outputs / "report.json").is_file():
        raise InvalidArgumentError("outputs must be a folder with report.json, as a saved report leaves it")
    try:
        names = [name for name in BUNDLED_FILES if (outputs / name).exists()]
        members = {f"outputs/{name}": (outputs / name).read_bytes() for name in names}
        members |= {name: file.read_bytes() for name, file in _input_names(inputs).items()}
        manifest = {
            "format": FORMAT,
            "spinehub": __version__,
            "settings": _settings(image),
            "clicks": list(clicks),
            "files": {name: digest(data) for name, data in members.items()},
        }
        text = json.dumps(manifest, indent=1, allow_nan=False) + "\n"
        _write(path, {MANIFEST: text.encode(), **members})
    except OSError as error:
        raise InvalidArgumentError(f"the bundle could not be written: {error.strerror or error}") from error
    return path


def _settings(image: DynamicSeries | Volume) -> dict[str, Any]:
    if isinstance(image, Volume):
        return {"times_s": None, "baseline_frames": None, "protocol": {}}
    times = None if image.times_s is None else [float(value) for value in image.times_s]
    return {"times_s": times, "baseline_frames": image.baseline_frames, "protocol": vars(image.protocol)}


def _input_names(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Name in the bundle of each image file: a number instead of its own name, the same for both files of a pair."""
    files = [Path(file) for file in inputs]
    stems = list(dict.fromkeys(file_stem(file) for file in files))
    return {f"input/{stems.index(file_stem(file)):03d}{_suffix(file)}": file for file in files}


def _suffix(file: Path) -> str:
    """Ending of an image file, without any part of its name."""
    name = file.name.lower()
    for ending in (".nii.gz", ".img.gz", ".nii", ".hdr", ".img", ".nrrd", ".mha"):
        if name.endswith(ending):
            return ending
    raise InvalidArgumentError(f"inputs must be image files, got one that ends in {file.suffix!r}")


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            stored = name.endswith(".gz")
            entry = zipfile.ZipInfo(name, _SAME_DATE)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    part.replace(path)
