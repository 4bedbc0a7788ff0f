"""Which models are on this machine, where they come from, what they scored, and whether they are what they were."""

import json
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from spinehub.cards import held_out_score, render_folder
from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models.folder import (
    CONFIG_FILE,
    model_digest,
    read_config,
    read_evaluation,
    section_of,
    verify_folder,
    write_json,
)
from spinehub.models.registry import Registered, read_registry
from spinehub.models.sources import EMBEDDED, Located, WeightsNotInstalledError, locate, pointed_at, pretrained_folder

__all__ = ["Installed", "describe_models", "download_models", "list_models", "verify_models"]

_CARD = "README.md"
_INDEX = "models.json"
_INDEX_FORMAT = "spinehub-models/1"
_REGIMES = {"dynamic": "dynamic", "pre_post": "pre and post", "single": "one volume"}
_SOURCES = {"end_to_end": "end to end", "truth_mask": "with the true mask"}


@dataclass(frozen=True)
class Installed:
    """A model of the registry, as far as it is on this machine.

    Parameters
    ----------
    name, route
        Of the registry.
    origin
        Where it comes from, or why it is not there.
    sha256
        Hash of the model; None where it is not there.
    bytes
        Of all its files.
    licence
        SPDX name.
    scores
        Held-out scores in words, one per regime.
    """

    name: str
    route: str
    origin: str
    sha256: str | None = None
    bytes: int = 0
    licence: str = "not stated"
    scores: tuple[str, ...] = ()


def list_models() -> tuple[Installed, ...]:
    """Models of the registry in the order of the routes; reads configurations only and asks nothing of the network."""
    return tuple(_installed(name, entry) for name, entry in read_registry().items())


def describe_models(models: tuple[Installed, ...]) -> str:
    """Models in words, for the command line."""
    blocks = []
    for model in models:
        lines = [f"{model.name} (route {model.route})", f"  from     {model.origin}"]
        if model.sha256 is not None:
            lines.append(f"  sha256   {model.sha256} ({model.bytes} bytes)")
            lines.append(f"  licence  {model.licence}")
            lines += [f"  scores   {score}" for score in model.scores or ("not evaluated",)]
        blocks.append("\n".join(lines))
    return "\n".join([*blocks, "Scores are on simulated cases. Accuracy on real patients: unknown."])


def verify_models() -> tuple[list[str], list[str]]:
    """Check every model that is on this machine: files, hashes, that it loads, and its golden output.

    Returns
    -------
    passed, failed
        One sentence per model.
    """
    passed, failed = [], []
    for name, entry in read_registry().items():
        try:
            passed.append(f"{name}: {_verified(name, entry)}")
        except WeightsNotInstalledError as error:
            passed.append(f"{name}: not installed ({error})")
        except ModelError as error:
            failed.append(f"{name}: {error}")
    return passed, failed


def download_models(folder: str | Path) -> list[str]:
    """Copy every model into a folder that a machine without network can use with ``--from``.

    Parameters
    ----------
    folder
        New or empty folder; each model gets a sub-folder with its card.

    Returns
    -------
    list of str
        One sentence per model.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgumentError(f"folder {folder.name} must be new or empty to take the models; choose another one")
    said, index = [], {}
    for name in EMBEDDED:
        try:
            found = locate(name)
        except WeightsNotInstalledError as error:
            said.append(f"{name}: left out ({error})")
            continue
        size = _copy(found, folder / name)
        index[name] = {"from": found.origin, "sha256": model_digest(read_config(folder / name))}
        said.append(f"{name}: {size} bytes from {found.origin}")
    if not index:
        raise ModelError("there is no model to carry: no weights are installed, and the registry names no repository")
    write_json(folder / _INDEX, {"format": _INDEX_FORMAT, "models": index})
    return said


def _installed(name: str, entry: Registered) -> Installed:
    try:
        found = locate(name, offline=True)
        config = read_config(found.folder)
        evaluation = read_evaluation(found.folder)
        section = section_of(config)
    except ModelError as error:
        return Installed(name, entry.route, f"not on this machine: {error}")
    return Installed(
        name,
        entry.route,
        f"{_origin(found)}, format {section['format_version']}",
        model_digest(config),
        _size(found.folder, config),
        _licence(found.folder) or (entry.licence if _is_own(found) else "not stated"),
        tuple(_score(evaluation, regime) for regime in _REGIMES if held_out_score(evaluation, regime)),
    )


def _score(evaluation: dict[str, Any] | None, regime: str) -> str:
    score = held_out_score(evaluation, regime) or {}
    low, high = score["interval"]
    interval = "" if low is None or high is None else f" ({low:.2f}-{high:.2f})"
    return (
        f"{_REGIMES[regime]}: AUC {score['auc']:.2f}{interval} on {score['n']} simulated cases, "
        f"{_SOURCES[score['mask_source']]}"
    )


def _is_own(found: Located) -> bool:
    return found.folder.parent == pretrained_folder()


def _origin(found: Located) -> str:
    entry = _carried_entry(found)
    return found.origin if entry is None else f"{found.origin}, taken from {entry['from']}"


def _carried_entry(found: Located) -> dict[str, str] | None:
    """What the folder made by :func:`download_models` says about a model; None where it is not from one."""
    path = found.folder.parent / _INDEX
    if not pointed_at()[0] or not path.is_file():
        return None
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))["models"][found.name]
        return {"from": str(entry["from"]), "sha256": str(entry["sha256"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{_INDEX} in {path.parent.name} is damaged; make the folder again") from error


def _licence(folder: Path) -> str | None:
    """Licence a card states in its front matter."""
    path = folder / _CARD
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").partition("\n---")[0].splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("license:")), None)


def _size(folder: Path, config: dict[str, Any]) -> int:
    names = [CONFIG_FILE, *section_of(config).get("files", {})]
    return sum((folder / name).stat().st_size for name in names if (folder / name).is_file())


def _verified(name: str, entry: Registered) -> str:
    from spinehub.models import from_pretrained
    from spinehub.models.golden import check_golden

    found = locate(name, offline=True)
    config = verify_folder(found.folder)
    carried = _carried_entry(found)
    expected = carried["sha256"] if carried else (entry.sha256 if _is_own(found) else found.sha256)
    if expected not in (None, model_digest(config)):
        raise ModelError("it is another model than the one that was registered; install spinehub again")
    difference = check_golden(from_pretrained(found.folder), found.folder)
    golden = "no golden output stored" if difference is None else f"golden output reproduced to {difference:.1g}"
    count = len(section_of(config)["files"])
    return f"{count} {'file' if count == 1 else 'files'} as recorded, {golden}"


def _copy(found: Located, target: Path) -> int:
    config = verify_folder(found.folder)
    target.mkdir(parents=True)
    for name in (CONFIG_FILE, *section_of(config)["files"]):
        copyfile(found.folder / name, target / name)
    if (found.folder / _CARD).is_file():
        copyfile(found.folder / _CARD, target / _CARD)
    elif read_evaluation(found.folder) is not None:
        (target / _CARD).write_text(render_folder(found.folder), encoding="utf-8")
    verify_folder(target)
    return sum(path.stat().st_size for path in target.iterdir())
