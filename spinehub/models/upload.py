"""Send a model folder to the Hub as one commit with a tag, and never over something else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinehub.errors import ModelError
from spinehub.models.folder import CONFIG_FILE, read_config, section_of
from spinehub.models.remote import is_repo_id, saying_why

__all__ = ["SENT_PATTERNS", "Sent", "hub_client", "upload"]

SENT_PATTERNS = ["*.json", "*.safetensors", "*.md", "*.png", "*.csv"]
_OURS = ["*.json", "*.safetensors"]
"""What an older version left and the new one lacks is removed: a loader would refuse weights that are not listed."""
_NEUTRAL = {".gitattributes", "README.md", "LICENSE"}
"""A repository with nothing else in it is as good as empty."""


@dataclass(frozen=True)
class Sent:
    """A version on the Hub.

    Parameters
    ----------
    address
        Page of the repository.
    commit
        Full commit.
    tag
        Name of the version; None where none was asked for.
    """

    address: str
    commit: str
    tag: str | None


def upload(
    folder: Path, repo_id: str, *, private: bool = False, tag: str | None = None, message: str = "Upload with spinehub"
) -> Sent:
    """Create a repository where there is none and send a model folder.

    Parameters
    ----------
    folder
        Model folder; weights, JSON, the card and pictures are sent.
    repo_id
        ``organisation/name``.
    private
        Whether a new repository is private.
    tag
        Name this version gets; where another commit has that name already, ``-2`` and so on is added.
    message
        Of the commit.

    Raises
    ------
    ModelError
        If there is no token, the name is taken by something else, or the Hub refuses or cannot be reached.
    """
    require_repo_id(repo_id)
    with hub_client(repo_id) as api:
        if not _is_there(api, repo_id, folder):
            api.create_repo(repo_id, private=private)
        commit = _commit(api, folder, repo_id, message)
        if tag is not None:
            tag = _tagged(api, repo_id, tag, commit)
        return Sent(f"{api.endpoint}/{repo_id}", commit, tag)


def require_repo_id(repo_id: str) -> None:
    """Raise :class:`ModelError` unless a text has the form ``organisation/name``."""
    if not is_repo_id(repo_id):
        raise ModelError(f"repo_id must have the form organisation/name, got {repo_id!r}")


@contextmanager
def hub_client(repo_id: str) -> Iterator[Any]:
    """Client of the Hub for someone who may write; errors become one sentence about `repo_id`."""
    from huggingface_hub import HfApi, get_token

    from spinehub import __version__

    if get_token() is None:
        raise ModelError(
            f"no Hub token was found, and {repo_id} cannot be written without one: log in with 'hf auth login' or set "
            "HF_TOKEN"
        )
    with saying_why(repo_id, None):
        yield HfApi(library_name="spinehub", library_version=__version__)


def _is_there(api: Any, repo_id: str, folder: Path) -> bool:
    """Whether the repository exists; refuses one that holds anything but the same kind of model."""
    if not api.repo_exists(repo_id):
        return False
    files = set(api.list_repo_files(repo_id)) - _NEUTRAL
    if not files:
        return True
    taken = f"the name {repo_id} is taken: that repository holds"
    if CONFIG_FILE not in files:
        raise ModelError(f"{taken} something else; choose another name")
    there = Path(api.hf_hub_download(repo_id, CONFIG_FILE)).parent
    try:
        kind = section_of(read_config(there)).get("kind")
    except ModelError as error:
        raise ModelError(f"{taken} a model that spinehub did not write; choose another name") from error
    if kind != section_of(read_config(folder)).get("kind"):
        raise ModelError(f"{taken} another kind of model ({kind}); choose another name")
    return True


def _commit(api: Any, folder: Path, repo_id: str, message: str) -> str:
    try:
        commit = api.upload_folder(
            folder_path=folder,
            repo_id=repo_id,
            allow_patterns=SENT_PATTERNS,
            delete_patterns=_OURS,
            commit_message=message,
        )
    except ModelError:
        raise
    except ValueError as error:
        if "README.md" not in str(error):
            raise
        raise ModelError(
            f"the Hub refuses the card of {repo_id}: {error}; correct the front matter of README.md"
        ) from error
    return str(commit.oid)


def _tagged(api: Any, repo_id: str, tag: str, commit: str) -> str:
    """Tag a commit, or find that it is tagged so already; a tag never moves."""
    known = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    count, name = 1, tag
    while known.get(name, commit) != commit:
        count += 1
        name = f"{tag}-{count}"
    if name not in known:
        api.create_tag(repo_id, tag=name, revision=commit)
    return name
