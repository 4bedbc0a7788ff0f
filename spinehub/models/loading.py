"""Load and save the models of all four routes: an embedded name, a local folder, or a repository on the Hub.

Which class reads a folder follows from its ``config.json`` by an allow-list. Loading is strict: every tensor must be
there, none may be left over, and every file must be byte for byte the one that was saved.
"""

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError, ModelError
from spinehub.models import remote
from spinehub.models.folder import (
    CONFIG_FILE,
    EVALUATION_FILE,
    model_digest,
    read_config,
    read_evaluation,
    read_tensors,
    record_files,
    section_of,
    tensor_file_of,
    verify_folder,
    write_json,
)

__all__ = [
    "EMBEDDED",
    "WeightsNotInstalledError",
    "from_pretrained",
    "push_to_hub",
    "save_embedded",
    "save_pretrained",
    "verify_folder",
    "write_evaluation",
]

EMBEDDED = ("hotspot-dce", "radiomics-dce", "unet-dce", "inception-resnet-v2-dce")
"""Names of the models that come inside the package, in the order of the routes."""

_KINDS = {
    "hotspot-rule": ("hotspot", "HotspotRule"),
    "radiomics-linear": ("feature_classifier", "RadiomicsClassifier"),
    "lesion-segmenter": ("segmenter", "LesionSegmenter"),
    "lesion-classifier": ("classifier", "LesionClassifier"),
}
"""Allow-list: kind in the configuration -> module and class."""

_PRETRAINED = Path(__file__).parents[1] / "pretrained"
_SHARD = "9MB"
"""Hosts refuse files over 10 MB without large-file storage."""


class WeightsNotInstalledError(ModelError):
    """A known embedded model whose weights are not part of this installation (``weights_not_installed``)."""


def from_pretrained(model_id: str | Path, *, revision: str | None = None, expected: type | None = None) -> Any:
    """Load a model of any route.

    Parameters
    ----------
    model_id
        An embedded name (one of :data:`EMBEDDED`), a local folder, or a Hub repository ``organisation/name``, also
        ``organisation/name@revision``.
    revision
        Branch, tag or commit of a Hub repository. A full commit that is in the cache is loaded without any request.
    expected
        Class the model must be of.

    Returns
    -------
    LesionSegmenter, LesionClassifier, RadiomicsClassifier or HotspotRule
        With ``model_id``, ``sha256`` and ``evaluation`` set.

    Raises
    ------
    WeightsNotInstalledError
        If an embedded model is not part of this installation.
    ModelError
        If nothing of that name exists, or the folder is incomplete, altered, or of an unknown kind.
    """
    folder, name = _locate(model_id, revision)
    wanted = _class_of(section_of(read_config(folder)))
    if expected is not None and wanted is not expected:
        raise ModelError(f"{name} must be a {expected.__name__}, but its {CONFIG_FILE} is of a {wanted.__name__}")
    config = verify_folder(folder)
    model = wanted.from_config(config, read_tensors(folder, config))
    # Three facts about where it came from, not part of what it is; frozen records need the detour.
    facts = {"model_id": name, "sha256": model_digest(config), "evaluation": read_evaluation(folder)}
    for field, value in facts.items():
        object.__setattr__(model, field, value)
    return model


def save_pretrained(model: Any, folder: str | Path) -> Path:
    """Write a model as one ``model.safetensors``, ``config.json`` and, where known, ``evaluation.json``.

    Stock tools load the folder of a network: segmentation_models_pytorch the segmenter, timm the classifier.

    Returns
    -------
    Path
        The folder.
    """
    folder = _empty_folder(folder)
    groups = _by_file(model)
    for name, tensors in groups.items():
        _save_file(tensors, folder / f"{name}.safetensors")
    return _finish(model, folder)


def save_embedded(model: Any, folder: str | Path) -> Path:
    """Write a model for ``spinehub/pretrained``: half precision, in shards under 10 MB that git hosts accept.

    Only matrices are halved; biases and statistics of normalisation layers keep float32, since half precision cannot
    hold small variances. :func:`from_pretrained` alone reads such a folder.
    """
    from huggingface_hub import save_torch_state_dict
    from torch import from_numpy

    folder = _empty_folder(folder)
    groups = _by_file(model)
    for name, tensors in groups.items():
        if name != "model":
            _save_file(tensors, folder / f"{name}.safetensors")
    if section_of(model.to_config()).get("kind") not in ("lesion-segmenter", "lesion-classifier"):
        if "model" in groups:
            _save_file(groups["model"], folder / "model.safetensors")
        return _finish(model, folder)
    halved = {key: from_numpy(_halved(value).copy()) for key, value in groups["model"].items()}
    save_torch_state_dict(halved, folder, max_shard_size=_SHARD)
    return _finish(model, folder)


def write_evaluation(folder: str | Path, evaluation: dict[str, Any]) -> None:
    """Put an ``evaluation.json`` into a model folder and record its hash."""
    folder = Path(folder)
    verify_folder(folder)
    write_json(folder / EVALUATION_FILE, evaluation)
    record_files(folder)


def push_to_hub(model: Any, repo_id: str, *, private: bool = False) -> str:
    """Save a model into a temporary folder, send it to the Hub, and return the address of its page."""
    with TemporaryDirectory() as scratch:
        return remote.upload(save_pretrained(model, Path(scratch) / "model"), repo_id, private=private)


def _locate(model_id: str | Path, revision: str | None) -> tuple[Path, str]:
    """Folder of a model and the name it goes by in reports; never a path, which may hold a person's name."""
    text = str(model_id)
    if text in EMBEDDED:
        _no_revision(text, revision)
        folder = _PRETRAINED / text
        if not (folder / CONFIG_FILE).is_file():
            raise WeightsNotInstalledError(
                f"the weights of {text} are not part of this installation; train them with 'spinehub train' and give "
                "the folder instead of the name"
            )
        return folder, text
    folder = Path(model_id)
    if folder.is_dir():
        _no_revision(folder.name, revision)
        return folder, folder.resolve().name
    repo_id, _, stated = text.partition("@")
    if not isinstance(model_id, Path) and remote.is_repo_id(repo_id):
        if stated and revision is not None:
            raise InvalidArgumentError(f"revision must be given once, got {revision!r} and {text!r}")
        return remote.download(repo_id, revision or stated or None), text
    raise ModelError(
        f"there is no model {folder.name!r}: give one of {', '.join(EMBEDDED)}, a folder that exists, or a Hub "
        "repository organisation/name"
    )


def _no_revision(name: str, revision: str | None) -> None:
    if revision is not None:
        raise InvalidArgumentError(f"revision belongs to a Hub repository, and {name} is none; leave it out")


def _class_of(section: Any) -> Any:
    kind = section.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ModelError(f"kind of the model must be one of {', '.join(_KINDS)}, got {kind!r}; update spinehub")
    module, name = _KINDS[kind]
    return getattr(import_module(f"spinehub.models.{module}"), name)


def _by_file(model: Any) -> dict[str, dict[str, NDArray[Any]]]:
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for key, value in model.tensors().items():
        groups.setdefault(tensor_file_of(key), {})[key] = np.asarray(value, order="C")
    return groups


def _halved(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float16) if values.dtype == np.float32 and values.ndim > 1 else values


def _save_file(tensors: dict[str, NDArray[Any]], path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(tensors, path, metadata={"format": "pt"})


def _empty_folder(folder: str | Path) -> Path:
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ours = {path for pattern in ("*.safetensors", "*.safetensors.index.json") for path in folder.glob(pattern)}
    if ours and not (folder / CONFIG_FILE).is_file():
        raise InvalidArgumentError(f"folder {folder.name} holds weights of something else; choose an empty folder")
    for path in ours | {folder / EVALUATION_FILE}:
        path.unlink(missing_ok=True)
    return folder


def _finish(model: Any, folder: Path) -> Path:
    config = model.to_config()
    section_of(config)  # refuses what could not be loaded again
    write_json(folder / CONFIG_FILE, config)
    if model.evaluation is not None:
        write_json(folder / EVALUATION_FILE, model.evaluation)
    record_files(folder)
    return folder
