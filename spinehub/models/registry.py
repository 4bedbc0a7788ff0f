"""The registry: which models belong to spinehub, which embedded folder is which, and where the Hub keeps them.

``spinehub/registry.json`` holds, by name, the route, the licence, the hash of the embedded folder (null: no weights
come with this installation) and, once published, repository, pinned commit and hash on the Hub. The two hashes differ:
embedded weights are halved and sharded, published ones are a single file that stock tools read.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models.folder import write_json

__all__ = [
    "REGISTRY_FILE",
    "REGISTRY_FORMAT",
    "Published",
    "Registered",
    "read_registry",
    "record_embedded",
    "record_published",
    "require_name",
    "write_registry",
]

REGISTRY_FILE = Path(__file__).parents[1] / "registry.json"
REGISTRY_FORMAT = "spinehub-registry/1"
_ROUTE_OF_KIND = {
    "hotspot-rule": "hotspot",
    "radiomics-linear": "radiomics",
    "lesion-segmenter": "unet",
    "lesion-classifier": "inception_resnet",
}


@dataclass(frozen=True)
class Published:
    """A model on the Hub, pinned.

    Parameters
    ----------
    repo_id
        ``organisation/name``.
    revision
        Full commit: 40 hexadecimal digits.
    sha256
        Hash of the model there, as :func:`spinehub.models.folder.model_digest` makes it.
    """

    repo_id: str
    revision: str
    sha256: str

    def __post_init__(self) -> None:
        if len(self.revision) != 40 or set(self.revision) - set("0123456789abcdef"):
            raise InvalidArgumentError(
                f"revision must be a full commit of 40 hexadecimal digits, got {self.revision!r}"
            )


@dataclass(frozen=True)
class Registered:
    """One model of the registry.

    Parameters
    ----------
    route
        The route it serves.
    licence
        SPDX name, in lower case as the Hub writes it.
    sha256
        Hash of the embedded model; None where no weights come with this installation.
    hub
        Where it was published; None where it was not.
    """

    route: str
    licence: str
    sha256: str | None = None
    hub: Published | None = None


def read_registry(path: Path | None = None) -> dict[str, Registered]:
    """Registered models by name, in the order of the routes.

    Raises
    ------
    ModelError
        If the file is missing or not as :func:`write_registry` writes it.
    """
    path = path or REGISTRY_FILE
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != REGISTRY_FORMAT:
            raise KeyError("format")
        return {name: _entry(**entry) for name, entry in values["models"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path.name} must follow {REGISTRY_FORMAT} and could not be read ({error}); install spinehub again"
        ) from error


def write_registry(models: dict[str, Registered], path: Path | None = None) -> None:
    """Write the registry in the order given."""
    entries = {name: asdict(entry) for name, entry in models.items()}
    write_json(path or REGISTRY_FILE, {"format": REGISTRY_FORMAT, "models": entries})


def record_embedded(name: str, sha256: str) -> None:
    """Note the hash of a model that was embedded just now."""
    models = read_registry()
    write_registry(models | {name: replace(models[name], sha256=sha256)})


def require_name(name: str, kind: str) -> None:
    """Refuse a name the registry does not have, or has for another kind of model.

    Raises
    ------
    InvalidArgumentError
        If so; the message lists the names this kind can have.
    """
    fitting = [known for known, entry in read_registry().items() if entry.route == _ROUTE_OF_KIND.get(kind)]
    if name not in fitting:
        raise InvalidArgumentError(f"a model of the kind {kind} can be registered as one of {fitting}, got {name!r}")


def record_published(name: str, there: Published) -> None:
    """Note where a model was published: where no weights are embedded, its name means that version from now on."""
    models = read_registry()
    write_registry(models | {name: replace(models[name], hub=there)})


def _entry(route: str, licence: str, sha256: str | None, hub: dict[str, str] | None) -> Registered:
    return Registered(route, licence, sha256, None if hub is None else Published(**hub))
