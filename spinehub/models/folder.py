"""A model folder: ``config.json``, safetensors and what each file must hash to. Reads nothing it cannot trust.

Weights are safetensors, everything else JSON; no file is ever unpickled. A configuration of segmentation_models_pytorch
keeps our part under ``"_spinehub"``, one of timm and our own under ``"spinehub"``, so stock tools still read them.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import ModelError

__all__ = [
    "CONFIG_FILE",
    "EVALUATION_FILE",
    "FORMAT_VERSION",
    "GOLDEN_FILE",
    "GOLDEN_TEXT",
    "load_arrays",
    "model_digest",
    "read_config",
    "read_evaluation",
    "read_tensors",
    "record_files",
    "save_arrays",
    "section_of",
    "tensor_file_of",
    "verify_folder",
    "write_json",
]

CONFIG_FILE = "config.json"
EVALUATION_FILE = "evaluation.json"
GOLDEN_FILE = "golden.safetensors"
GOLDEN_TEXT = "golden.json"
FORMAT_VERSION = 1

_SECTIONS = ("_spinehub", "spinehub")
_PICKLES = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}
_SIDE_FILES = ("domain", "head", "pooling")
"""Tensors whose names start with one of these and a dot live in a file of that name: stock tools do not know them."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(safetensors|json)")
_LONGEST_CONFIG = 4 * 2**20
_BESIDE = (EVALUATION_FILE, GOLDEN_FILE, GOLDEN_TEXT)
"""Files that tell about a model and are not part of what it is."""
_AGAIN = "fetch the model again or write it with save_pretrained"


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json`` of a folder.

    Raises
    ------
    ModelError
        If it is missing, longer than 4 MiB, not a JSON object, or a link that leads out of the folder.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelError(f"{folder.name} holds no {CONFIG_FILE}, so it is not a model folder; {_AGAIN}")
    _require_inside(folder, path)
    if path.stat().st_size > _LONGEST_CONFIG:
        raise ModelError(f"{CONFIG_FILE} of {folder.name} is larger than 4 MiB, which no configuration is; {_AGAIN}")
    return _read_json(path)


def section_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return our part of a configuration.

    Raises
    ------
    ModelError
        If there is none, or its format version is not the one of this release.
    """
    section = next((config[name] for name in _SECTIONS if isinstance(config.get(name), dict)), None)
    if section is None:
        raise ModelError(
            f"{CONFIG_FILE} must hold a part named 'spinehub' or '_spinehub' that says how inputs are made, got the "
            f"keys {sorted(config)[:8]}; a stock timm or smp folder alone cannot be used"
        )
    version = section.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            f"format_version of the model must be {FORMAT_VERSION}, got {version!r}; update spinehub or {_AGAIN}"
        )
    return section


def verify_folder(folder: str | Path) -> dict[str, Any]:
    """Check that a folder holds exactly the weights its configuration lists, byte for byte, and return it.

    Raises
    ------
    ModelError
        If a file is missing, altered, or lies beside the listed ones; if the configuration names a file outside the
        folder; or if there is a pickle, which could run code.
    """
    folder = Path(folder)
    config = read_config(folder)
    files = section_of(config).get("files")
    if not isinstance(files, dict):
        raise ModelError(f"{CONFIG_FILE} of {folder.name} lists no files with their sha256; {_AGAIN}")
    for name, entry in files.items():
        _verify_file(folder, str(name), entry)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _PICKLES:
            raise ModelError(f"{path.name} lies in {folder.name} and could run code when read; remove it")
        if (path.suffix == ".safetensors" or path.name in _BESIDE) and path.name not in files:
            raise ModelError(f"{path.name} lies in {folder.name} but {CONFIG_FILE} does not list it; remove it")
    return config


def _verify_file(folder: Path, name: str, entry: Any) -> None:
    if not _PLAIN_NAME.fullmatch(name) or ".." in name:
        raise ModelError(f"{CONFIG_FILE} must list plain names of safetensors or JSON files, got {name!r}; {_AGAIN}")
    path = folder / name
    if not path.is_file():
        raise ModelError(f"{name} is missing in {folder.name} although {CONFIG_FILE} lists it; {_AGAIN}")
    _require_inside(folder, path)
    expected = entry.get("sha256") if isinstance(entry, dict) else None
    if _sha256(path) != expected:
        raise ModelError(f"{name} in {folder.name} is not the file that was saved: its sha256 differs; {_AGAIN}")


def _require_inside(folder: Path, path: Path) -> None:
    """Refuse a link that leads out of the folder; those of the Hub's cache lead to the files of the same repository."""
    home, target = folder.resolve(), path.resolve()
    kept = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    if target.parent not in (home, kept):
        raise ModelError(
            f"{path.name} in {folder.name} is a link to a file outside the folder; put the file itself there"
        )


def record_files(folder: Path) -> None:
    """Write size and sha256 of every safetensors and JSON file beside it into ``config.json``."""
    config = _read_json(folder / CONFIG_FILE)
    section = next(config[name] for name in _SECTIONS if name in config)
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in (".safetensors", ".json")]
    section["files"] = {
        path.name: {"sha256": _sha256(path), "bytes": path.stat().st_size} for path in paths if path.name != CONFIG_FILE
    }
    write_json(folder / CONFIG_FILE, config)


def model_digest(config: Mapping[str, Any]) -> str:
    """Hash of what a model is: its configuration with the hashes of its weights, without evaluation and golden files.

    Hex sha256. An ``evaluation.json`` can therefore name the model it was made with, and a golden output that another
    processor computed is still that of the same model.
    """
    known = json.loads(json.dumps(config))
    for name in _SECTIONS:
        for file in _BESIDE:
            known.get(name, {}).get("files", {}).pop(file, None)
    return hashlib.sha256(json.dumps(known, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_tensors(folder: Path, config: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Read every listed safetensors file into one mapping; halves become float32.

    Raises
    ------
    ModelError
        If a file is no safetensors, or two files hold a tensor of one name.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for name in sorted(section_of(config)["files"]):
        if not name.endswith(".safetensors") or name == GOLDEN_FILE:
            continue
        part = load_arrays(folder / name)
        twice = sorted(set(part) & set(tensors))
        if twice:
            raise ModelError(f"{name} in {folder.name} holds {twice[0]!r} a second time; {_AGAIN}")
        for key, value in part.items():
            tensors[key] = value.astype(np.float32) if value.dtype == np.float16 else value
    return tensors


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of one safetensors file; :class:`ModelError` where it is none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise ModelError(f"{path.name} in {path.parent.name} is not a readable safetensors file; {_AGAIN}") from error
    return arrays


def save_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write one safetensors file that every framework reads."""
    from safetensors.numpy import save_file

    ordered = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    save_file(ordered, path, metadata={"format": "pt"})


def read_evaluation(folder: Path) -> dict[str, Any] | None:
    """``evaluation.json`` of a folder, None where there is none."""
    path = folder / EVALUATION_FILE
    return _read_json(path) if path.is_file() else None


def tensor_file_of(name: str) -> str:
    """Name of the file, without suffix, that holds a tensor."""
    first = name.partition(".")[0]
    return first if first in _SIDE_FILES else "model"


def write_json(path: Path, values: Any) -> None:
    """Write JSON with sorted keys left as they are, so that a folder saved twice is the same bytes."""
    path.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} in {path.parent.name} is not readable JSON; {_AGAIN}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path.name} in {path.parent.name} must hold one JSON object; {_AGAIN}")
    return values


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
