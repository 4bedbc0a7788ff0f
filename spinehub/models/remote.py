"""The Hub: fetch a model folder, and say in one sentence what went wrong."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spinehub.errors import ModelError
from spinehub.models.folder import read_config, section_of

__all__ = ["NotOnTheHubError", "download", "is_repo_id", "saying_why"]

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILES = ["*.json", "*.safetensors", "README.md"]


class NotOnTheHubError(ModelError):
    """There is no such repository on the Hub, or not for this user."""


def is_repo_id(model_id: str) -> bool:
    """Whether a text has the form ``organisation/name``."""
    return _REPO_ID.fullmatch(model_id) is not None


def download(repo_id: str, revision: str | None = None, *, offline: bool = False) -> Path:
    """Fetch weights, JSON and card of a repository into the Hub's cache and return their folder.

    A full commit that is complete in the cache is taken from there without any request.

    Parameters
    ----------
    repo_id
        ``organisation/name``.
    revision
        Branch, tag or commit; None for the main branch.
    offline
        Look only into the cache.

    Raises
    ------
    NotOnTheHubError
        If there is no such repository, or not for this user.
    ModelError
        If there is no such revision, the repository is gated, or the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    from spinehub import __version__

    options = {"allow_patterns": _FILES, "library_name": "spinehub", "library_version": __version__}
    if offline:
        try:
            return Path(snapshot_download(repo_id, revision=revision, local_files_only=True, **options))
        except LocalEntryNotFoundError as error:
            raise ModelError(f"{repo_id} has not been fetched to this machine yet; load it once") from error
    with saying_why(repo_id, revision):
        if revision is not None and _COMMIT.fullmatch(revision):
            try:
                folder = Path(snapshot_download(repo_id, revision=revision, local_files_only=True, **options))
            except LocalEntryNotFoundError:
                pass  # not in the cache yet
            else:
                if _is_complete(folder):
                    return folder
        return Path(snapshot_download(repo_id, revision=revision, **options))


def _is_complete(folder: Path) -> bool:
    """Whether a download that may have been interrupted holds every file its configuration lists."""
    try:
        files = section_of(read_config(folder)).get("files")
    except ModelError:
        return False
    return isinstance(files, dict) and all((folder / str(name)).is_file() for name in files)


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
        raise NotOnTheHubError(
            f"there is no {repo_id} on the Hub, or it is private: check the name, and log in with "
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
    if status == 402:
        return f"the Hub asks for a paid plan to do this with {where}; choose another hardware or account"
    if status == 409:
        return f"{where} exists already and cannot be created again; choose another name"
    return f"the Hub answered {where} with status {status}; try again later"
