"""Where a model comes from: a folder carried here, a group's organisation, this installation, or the registry.

A name of :data:`EMBEDDED` is looked for, in this order, in

1. the organisation given as an argument,
2. the folder that ``SPINEHUB_MODELS`` names (made by ``spinehub models --download``, for machines without network),
3. the organisation that ``SPINEHUB_ORGANISATION`` names, as ``<organisation>/<name>``,
4. the weights embedded in this installation,
5. the repository and commit of the registry.

What was pointed at is used or named in an error, never silently replaced by something further down.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models import remote
from spinehub.models.folder import CONFIG_FILE
from spinehub.models.registry import read_registry

__all__ = [
    "CARRIED_VARIABLE",
    "EMBEDDED",
    "ORGANISATION_VARIABLE",
    "Located",
    "WeightsNotInstalledError",
    "locate",
    "pointed_at",
    "pretrained_folder",
]

EMBEDDED = ("hotspot-dce", "radiomics-dce", "unet-dce", "inception-resnet-v2-dce")
"""Names of the models that belong to spinehub, in the order of the routes."""

ORGANISATION_VARIABLE = "SPINEHUB_ORGANISATION"
CARRIED_VARIABLE = "SPINEHUB_MODELS"

_PRETRAINED = Path(__file__).parents[1] / "pretrained"
_ORGANISATION = re.compile(r"[A-Za-z0-9][\w.-]*")


class WeightsNotInstalledError(ModelError):
    """A model known by name whose weights are not there (``weights_not_installed``)."""


@dataclass(frozen=True)
class Located:
    """A model folder that was found.

    Parameters
    ----------
    folder
        The folder.
    name
        What the model goes by in reports; never a path, which may hold a person's name.
    origin
        Where it is from, in words.
    sha256
        The hash the registry expects of a pinned download; None where nothing is expected.
    """

    folder: Path
    name: str
    origin: str
    sha256: str | None = None


def pretrained_folder() -> Path:
    """Folder of the embedded weights."""
    return _PRETRAINED


def pointed_at() -> tuple[str, str]:
    """Carried folder and organisation the environment points at; empty texts where it does not."""
    return os.environ.get(CARRIED_VARIABLE, ""), os.environ.get(ORGANISATION_VARIABLE, "")


def locate(
    model_id: str | Path, revision: str | None = None, organisation: str | None = None, *, offline: bool = False
) -> Located:
    """Find a model by name, local folder or Hub repository, and fetch it where it is on the Hub.

    Parameters
    ----------
    model_id, revision
        As :func:`spinehub.models.from_pretrained`.
    organisation
        Takes a name from this organisation on the Hub.
    offline
        Look only at what is on this machine.

    Raises
    ------
    WeightsNotInstalledError
        If a known name has no weights where they were looked for.
    ModelError
        If there is nothing of that name.
    """
    text = str(model_id)
    if text in EMBEDDED and not isinstance(model_id, Path):  # a path always means a folder
        return _named(text, revision, organisation, offline)
    if organisation is not None:
        raise InvalidArgumentError(f"organisation goes with one of the names {', '.join(EMBEDDED)}, got {text!r}")
    folder = Path(model_id)
    if folder.is_dir():
        _no_revision(folder.name, revision)
        return Located(folder, folder.resolve().name, "a local folder")
    repo_id, _, stated = text.partition("@")
    if not isinstance(model_id, Path) and remote.is_repo_id(repo_id):
        if stated and revision is not None:
            raise InvalidArgumentError(f"revision must be given once, got {revision!r} and {text!r}")
        return _of_repository(repo_id, revision or stated or None, text, offline)
    raise ModelError(
        f"there is no model {folder.name!r}: give one of {', '.join(EMBEDDED)}, a folder that exists, or a Hub "
        "repository organisation/name"
    )


def _named(name: str, revision: str | None, organisation: str | None, offline: bool) -> Located:
    carried, elsewhere = pointed_at()
    if organisation is None and carried:
        _no_revision(name, revision)
        return _carried(Path(carried), name)
    if organisation is not None or elsewhere:
        return _of_organisation(organisation if organisation is not None else elsewhere, name, revision, offline)
    folder, published = _PRETRAINED / name, read_registry()[name].hub
    if revision is None and (folder / CONFIG_FILE).is_file():
        return Located(folder, name, "embedded in this installation")
    if published is None:
        _no_revision(name, revision)
        raise WeightsNotInstalledError(
            f"the weights of {name} are not part of this installation; train them with 'spinehub train' and give "
            "the folder instead of the name"
        )
    found = _of_repository(published.repo_id, revision or published.revision, name, offline)
    return found if revision is not None else Located(found.folder, name, found.origin, published.sha256)


def _carried(folder: Path, name: str) -> Located:
    if not folder.is_dir():
        raise ModelError(
            f"{CARRIED_VARIABLE} must name a folder made by 'spinehub models --download', and {folder.name!r} is none"
        )
    if not (folder / name / CONFIG_FILE).is_file():
        raise WeightsNotInstalledError(f"the folder {folder.name} holds no {name}; make it again where {name} is there")
    return Located(folder / name, name, f"the folder {folder.name}")


def _of_organisation(organisation: str, name: str, revision: str | None, offline: bool) -> Located:
    if not _ORGANISATION.fullmatch(organisation):
        raise InvalidArgumentError(f"organisation must be the plain name of one on the Hub, got {organisation!r}")
    repo_id = f"{organisation}/{name}"
    try:
        return _of_repository(repo_id, revision, repo_id if revision is None else f"{repo_id}@{revision}", offline)
    except remote.NotOnTheHubError as error:
        # Groups may publish some of the routes only: the others are not available, which is no mistake.
        raise WeightsNotInstalledError(str(error)) from error


def _of_repository(repo_id: str, revision: str | None, name: str, offline: bool) -> Located:
    folder = remote.download(repo_id, revision, offline=offline)
    return Located(folder, name, f"the Hub, {repo_id} at {folder.name[:12]}")


def _no_revision(name: str, revision: str | None) -> None:
    if revision is not None:
        raise InvalidArgumentError(f"revision belongs to a Hub repository, and {name} is none; leave it out")
