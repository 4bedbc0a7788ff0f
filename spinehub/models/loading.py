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
from spinehub.models.folder import (
    CONFIG_FILE,
    EVALUATION_FILE,
    GOLDEN_TEXT,
    model_digest,
    read_config,
    read_evaluation,
    read_tensors,
    record_files,
    save_arrays,
    section_of,
    tensor_file_of,
    verify_folder,
    write_json,
)
from spinehub.models.golden import write_golden
from spinehub.models.registry import record_embedded
from spinehub.models.sources import EMBEDDED, WeightsNotInstalledError, locate, pretrained_folder
from spinehub.models.upload import upload

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

_KINDS = {
    "hotspot-rule": ("hotspot", "HotspotRule"),
    "radiomics-linear": ("feature_classifier", "RadiomicsClassifier"),
    "lesion-segmenter": ("segmenter", "LesionSegmenter"),
    "lesion-classifier": ("classifier", "LesionClassifier"),
}
"""Allow-list: kind in the configuration -> module and class."""

_SHARD = "9MB"
"""Hosts refuse files over 10 MB without large-file storage."""


def from_pretrained(
    model_id: str | Path,
    *,
    revision: str | None = None,
    organisation: str | None = None,
    expected: type | None = None,
) -> Any:
    """Load a model of any route.

    Parameters
    ----------
    model_id
        A name (one of :data:`EMBEDDED`), a local folder, or a Hub repository ``organisation/name``, also
        ``organisation/name@revision``. A ``Path`` always means a folder.
    revision
        Branch, tag or commit of a Hub repository. A full commit that is in the cache is loaded without any request.
    organisation
        Takes the name from this organisation on the Hub. Without it the environment decides; see
        :mod:`spinehub.models.sources`.
    expected
        Class the model must be of.

    Returns
    -------
    LesionSegmenter, LesionClassifier, RadiomicsClassifier or HotspotRule
        With ``model_id``, ``sha256`` and ``evaluation`` set.

    Raises
    ------
    WeightsNotInstalledError
        If a model known by name has no weights where they were looked for.
    ModelError
        If nothing of that name exists, or the folder is incomplete, altered, or of an unknown kind.
    """
    found = locate(model_id, revision, organisation)
    folder, name = found.folder, found.name
    wanted = _class_of(section_of(read_config(folder)))
    if expected is not None and wanted is not expected:
        raise ModelError(f"{name} must be a {expected.__name__}, but its {CONFIG_FILE} is of a {wanted.__name__}")
    config = verify_folder(folder)
    if found.sha256 not in (None, model_digest(config)):
        raise ModelError(f"{name} from {found.origin} is not the model the registry names; install spinehub again")
    model = wanted.from_config(config, read_tensors(folder, config))
    # Three facts about where it came from, not part of what it is; frozen records need the detour.
    facts = {"model_id": name, "sha256": model_digest(config), "evaluation": read_evaluation(folder)}
    for field, value in facts.items():
        object.__setattr__(model, field, value)
    return model


def save_pretrained(model: Any, folder: str | Path) -> Path:
    """Write a model as one ``model.safetensors``, ``config.json``, golden files and, where known, ``evaluation.json``.

    Stock tools load the folder of a network: segmentation_models_pytorch the segmenter, timm the classifier.

    Returns
    -------
    Path
        The folder.
    """
    folder = _empty_folder(folder)
    groups = _by_file(model)
    for name, tensors in groups.items():
        save_arrays(tensors, folder / f"{name}.safetensors")
    _finish(model, folder)
    write_golden(model, folder)
    record_files(folder)
    return folder


def save_embedded(model: Any, folder: str | Path) -> Path:
    """Write a model for ``spinehub/pretrained``: half precision, in shards under 10 MB that git hosts accept.

    Only matrices are halved; biases and statistics of normalisation layers keep float32, since half precision cannot
    hold small variances. :func:`from_pretrained` alone reads such a folder. The golden output is that of the halved
    weights, read back from the folder; the registry notes the hash of what becomes part of this installation.
    """
    from huggingface_hub import save_torch_state_dict
    from torch import from_numpy

    folder = _empty_folder(folder)
    groups = _by_file(model)
    networks = ("lesion-segmenter", "lesion-classifier")
    halved = section_of(model.to_config()).get("kind") in networks
    for name, tensors in groups.items():
        if name != "model" or not halved:
            save_arrays(tensors, folder / f"{name}.safetensors")
    if halved:
        halves = {key: from_numpy(_halved(value).copy()) for key, value in groups["model"].items()}
        save_torch_state_dict(halves, folder, max_shard_size=_SHARD)
    _finish(model, folder)
    write_golden(from_pretrained(folder), folder)
    record_files(folder)
    if folder.resolve().parent == pretrained_folder().resolve() and folder.resolve().name in EMBEDDED:
        record_embedded(folder.resolve().name, model_digest(read_config(folder)))
    return folder


def write_evaluation(folder: str | Path, evaluation: dict[str, Any]) -> None:
    """Put an ``evaluation.json`` into a model folder and record its hash."""
    folder = Path(folder)
    verify_folder(folder)
    write_json(folder / EVALUATION_FILE, evaluation)
    record_files(folder)


def push_to_hub(model: Any, repo_id: str, *, private: bool = False) -> str:
    """Save a model into a temporary folder, write its card, send both to the Hub, and return the address of the page.

    ``spinehub publish`` checks more: that stock tools load the folder, and that the golden output is reproduced.
    """
    from spinehub.cards import render_card, render_unscored

    with TemporaryDirectory() as scratch:
        folder = save_pretrained(model, Path(scratch) / "model")
        config = read_config(folder)
        scores = model.evaluation
        card = render_unscored(config, repo_id) if scores is None else render_card(scores, config, repo_id)
        (folder / "README.md").write_text(card, encoding="utf-8")
        return upload(folder, repo_id, private=private).address


def _class_of(section: Any) -> Any:
    kind = section.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ModelError(f"kind of the model must be one of {', '.join(_KINDS)}, got {kind!r}; update spinehub")
    module, name = _KINDS[kind]
    return getattr(import_module(f"spinehub.models.{module}"), name)


def _by_file(model: Any) -> dict[str, dict[str, NDArray[Any]]]:
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for key, value in model.tensors().items():
        groups.setdefault(tensor_file_of(key), {})[key] = np.asarray(value)
    return groups


def _halved(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float16) if values.dtype == np.float32 and values.ndim > 1 else values


def _empty_folder(folder: str | Path) -> Path:
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ours = {path for pattern in ("*.safetensors", "*.safetensors.index.json") for path in folder.glob(pattern)}
    if ours and not (folder / CONFIG_FILE).is_file():
        raise InvalidArgumentError(f"folder {folder.name} holds weights of something else; choose an empty folder")
    for path in ours | {folder / EVALUATION_FILE, folder / GOLDEN_TEXT}:
        path.unlink(missing_ok=True)
    return folder


def _finish(model: Any, folder: Path) -> None:
    config = model.to_config()
    section_of(config)  # refuses what could not be loaded again
    write_json(folder / CONFIG_FILE, config)
    if model.evaluation is not None:
        write_json(folder / EVALUATION_FILE, model.evaluation)
    record_files(folder)
