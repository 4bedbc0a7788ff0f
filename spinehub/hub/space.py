"""The page as a Space: the app itself, front matter on its README, and the models from the Hub where they are there."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spinehub._version import __version__
from spinehub.errors import ModelError
from spinehub.hub.publishing import listing
from spinehub.models import remote
from spinehub.models.folder import CONFIG_FILE, model_digest, read_config, section_of
from spinehub.models.registry import Published, Registered, read_registry, write_registry
from spinehub.models.sources import WeightsNotInstalledError, locate
from spinehub.models.upload import hub_client, require_repo_id

__all__ = ["build_space", "front_matter", "publish_space"]

_ROOT = Path(__file__).parents[2]
_TEMPLATE = Path(__file__).with_name("space.yaml")
_FILES = ("app.py", "requirements.txt", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE")
_FOLDERS = ("docs", "model_cards", "spinehub")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.pyi", ".*")
_APP = "spinehub/__init__.py"
_STARTS = "from spinehub.demo import launch\n"
_NEUTRAL = {".gitattributes", "README.md"}

_ON_PROCESSORS = """
# Only for the Space: torch without CUDA, which there is no use for.
--extra-index-url https://download.pytorch.org/whl/cpu
"""
_ON_ZERO_GPU = """
# Only for the Space: a GPU for the seconds a network runs, and the newest torch it is offered for.
spaces>=0.42
torch<2.12
"""


def publish_space(
    repo_id: str,
    *,
    organisation: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    zero_gpu: bool = False,
) -> str:
    """Send the app to a Space.

    Models that are on the Hub, in `organisation` or by the registry, are pinned to their commit, fetched when the Space
    is built, and left out of what is sent; the others go along as they are embedded.

    Parameters
    ----------
    repo_id
        ``organisation/name`` of the Space; made where it does not exist.
    organisation
        Whose models it shows; None: those of the registry.
    private
        Whether a new Space is private.
    dry_run
        Only say what would be sent.
    zero_gpu
        Ask for ZeroGPU hardware in place of processors.

    Returns
    -------
    str
        Address of the Space, or with `dry_run` everything that would be sent.

    Raises
    ------
    ModelError
        If this is no checkout with ``app.py``, the name is taken by something else, or the Hub refuses.
    """
    require_repo_id(repo_id)
    with TemporaryDirectory() as scratch:
        folder = build_space(Path(scratch) / "space", organisation=organisation, zero_gpu=zero_gpu)
        if dry_run:
            return _would_send(folder, repo_id, private=private)
        return _send(folder, repo_id, private=private)


def build_space(folder: Path, *, organisation: str | None = None, zero_gpu: bool = False) -> Path:
    """Write the files of a Space into a new folder; arguments as :func:`publish_space`."""
    if not (_ROOT / "app.py").is_file() or not (_ROOT / "requirements.txt").is_file():
        raise ModelError(
            "a Space is made from a checkout of spinehub with app.py beside it, and this is an installation"
        )
    folder.mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(_ROOT / name, folder / name)
    for name in _FOLDERS:
        shutil.copytree(_ROOT / name, folder / name, ignore=_LEFT_OUT)
    registry = read_registry()
    published = _on_the_hub(registry, organisation)
    for name in published:
        shutil.rmtree(folder / "spinehub" / "pretrained" / name, ignore_errors=True)
    if organisation is not None:
        pinned = {n: Registered(e.route, e.licence, e.sha256, published.get(n)) for n, e in registry.items()}
        write_registry(pinned, folder / "spinehub" / "registry.json")
    readme = folder / "README.md"
    text = front_matter(published, zero_gpu=zero_gpu) + "\n" + readme.read_text(encoding="utf-8")
    readme.write_text(text, encoding="utf-8")
    if zero_gpu:  # a Space on such hardware must name a function that borrows before it serves
        app = folder / "app.py"
        text = app.read_text(encoding="utf-8")
        app.write_text(
            text.replace(_STARTS, f"import spinehub.models.zero_gpu  # noqa: F401\n{_STARTS}"), encoding="utf-8"
        )
    with (folder / "requirements.txt").open("a", encoding="utf-8") as requirements:
        requirements.write(_ON_ZERO_GPU if zero_gpu else _ON_PROCESSORS)
    return folder


def front_matter(published: Mapping[str, Published], *, zero_gpu: bool = False) -> str:
    """Front matter of the Space's README, between two lines of ``---``.

    Parameters
    ----------
    published
        Models on the Hub by name: the Space links to them and fetches their pinned files when it is built.
    zero_gpu
        Ask for ZeroGPU hardware.
    """
    import yaml

    values: dict[str, Any] = yaml.safe_load(_TEMPLATE.read_text(encoding="utf-8"))
    if zero_gpu:
        values["suggested_hardware"] = "zero-a10g"
    if published:
        values["models"] = [model.repo_id for model in published.values()]
        values["preload_from_hub"] = [
            f"{model.repo_id} {','.join(_files_of(model))} {model.revision}" for model in published.values()
        ]
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)}---\n"


def _on_the_hub(registry: Mapping[str, Registered], organisation: str | None) -> dict[str, Published]:
    if organisation is None:
        return {name: entry.hub for name, entry in registry.items() if entry.hub is not None}
    published = {}
    for name in registry:
        try:
            folder = locate(name, organisation=organisation).folder
        except WeightsNotInstalledError:
            continue  # this group did not publish that route
        published[name] = Published(f"{organisation}/{name}", folder.name, model_digest(read_config(folder)))
    if not published:
        raise ModelError(
            f"{organisation} has none of the models on the Hub: publish them as {organisation}/unet-dce etc."
        )
    return published


def _files_of(model: Published) -> list[str]:
    folder = remote.download(model.repo_id, model.revision)
    return [CONFIG_FILE, *section_of(read_config(folder))["files"]]


def _would_send(folder: Path, repo_id: str, *, private: bool) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    text = (folder / "README.md").read_text(encoding="utf-8")
    kind = "private" if private else "public"
    head = [f"Would send to the Space {repo_id} (if new: {kind}):", *listing(files, folder)]
    front = text.partition("\n---\n")[0] + "\n---"
    requirements = (folder / "requirements.txt").read_text(encoding="utf-8")
    return "\n".join([*head, "Front matter of README.md:", front, "requirements.txt:", requirements.rstrip()])


def _send(folder: Path, repo_id: str, *, private: bool) -> str:
    with hub_client(repo_id) as api:
        if api.repo_exists(repo_id, repo_type="space"):
            files = set(api.list_repo_files(repo_id, repo_type="space")) - _NEUTRAL
            if files and _APP not in files:
                raise ModelError(f"the name {repo_id} is taken: that Space holds another app; choose another name")
        else:
            api.create_repo(repo_id, repo_type="space", space_sdk="gradio", private=private)
        api.upload_folder(
            folder_path=folder,
            repo_id=repo_id,
            repo_type="space",
            delete_patterns=[f"{name}/*" for name in _FOLDERS],
            commit_message=f"spinehub {__version__}",
        )
        return f"{api.endpoint}/spaces/{repo_id}"
