"""The Hub: fetch a model folder, send one, and say in one sentence what went wrong."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spinehub.errors import ModelError

__all__ = ["download", "is_repo_id", "saying_why", "upload"]

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILES = ["*.json", "*.safetensors"]
_SENT = [*_FILES, "*.md", "*.png", "*.csv"]


def is_repo_id(model_id: str) -> bool:
    """Whether a text has the form ``organisation/name``."""
    return _REPO_ID.fullmatch(model_id) is not None


def download(repo_id: str, revision: str | None = None) -> Path:
    """Fetch the JSON and safetensors files of a repository into the Hub's cache and return their folder.

    A full commit that is in the cache already is taken from there without any request.

    Parameters
    ----------
    repo_id
        ``organisation/name``.
    revision
        Branch, tag or commit; None for the main branch.

    Raises
    ------
    ModelError
        If there is no such repository or revision, it is gated, or the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    from spinehub import __version__

    options = {"allow_patterns": _FILES, "library_name": "spinehub", "library_version": __version__}
    with saying_why(repo_id, revision):
        if revision is not None and _COMMIT.fullmatch(revision):
            try:
                return Path(snapshot_download(repo_id, revision=revision, local_files_only=True, **options))
            except LocalEntryNotFoundError:
                pass  # not in the cache yet
        return Path(snapshot_download(repo_id, revision=revision, **options))


def upload(
    folder: Path, repo_id: str, *, private: bool = False, tag: str | None = None, message: str = "Upload with spinehub"
) -> str:
    """Create a repository where there is none, send a model folder, and return the address of the repository.

    Parameters
    ----------
    folder
        Model folder; weights, JSON, the card and pictures are sent.
    repo_id
        ``organisation/name``.
    private
        Whether a new repository is private.
    tag
        Name this version gets.
    message
        Of the commit.

    Raises
    ------
    ModelError
        If there is no token, the name is taken by someone else, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi

    from spinehub import __version__

    if not is_repo_id(repo_id):
        raise ModelError(f"repo_id must have the form organisation/name, got {repo_id!r}")
    api = HfApi(library_name="spinehub", library_version=__version__)
    with saying_why(repo_id, None):
        address = api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(folder_path=folder, repo_id=repo_id, allow_patterns=_SENT, commit_message=message)
        if tag is not None:
            api.create_tag(repo_id, tag=tag, revision=commit.oid, exist_ok=True)
    return str(address)


@contextmanager
def saying_why(repo_id: str, revision: str | None) -> Iterator[None]:
    """Turn errors of the Hub's client into a :class:`ModelError` of one sentence."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    where = repo_id if revision is None else f"{repo_id} at {revision}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{where} is gated: ask for access on its page and log in with 'hf auth login', or set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"there is no model {repo_id} on the Hub, or it is private: check the name, and log in with "
            "'hf auth login' or set HF_TOKEN if it is yours"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{repo_id} has no revision {revision!r}; name an existing branch, tag or commit") from error
    except errors.LocalEntryNotFoundError as error:
        raise ModelError(
            f"{where} is not in the local cache and the Hub cannot be reached (no network, an outage, or "
            "HF_HUB_OFFLINE is set); connect once or use an embedded model"
        ) from error
    except errors.LocalTokenNotFoundError as error:
        raise ModelError("no Hub token was found: log in with 'hf auth login' or set HF_TOKEN") from error
    except errors.HFValidationError as error:
        raise ModelError(f"repo_id must have the form organisation/name, got {repo_id!r}") from error
    except errors.HfHubHTTPError as error:
        raise ModelError(_refusal(where, error.response.status_code)) from error
    except (errors.OfflineModeIsEnabled, httpx.HTTPError, ConnectionError, TimeoutError) as error:
        raise ModelError(f"the Hub could not be reached for {where}; check the network and HF_HUB_OFFLINE") from error


def _refusal(where: str, status: int) -> str:
    if status in (401, 403):
        return (
            f"the Hub did not accept the token for {where} (status {status}): log in with 'hf auth login' using a "
            "token that may write there, or choose a name under your own account"
        )
    if status == 409:
        return f"{where} exists already and cannot be created again; choose another name"
    return f"the Hub answered {where} with status {status}; try again later"
