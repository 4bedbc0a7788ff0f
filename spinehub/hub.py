"""Put a model folder on the Hugging Face Hub: check it, write its card, send it, tag it."""

from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

from spinehub._version import __version__
from spinehub.cards import render_folder
from spinehub.errors import ModelError
from spinehub.models import from_pretrained, remote

__all__ = ["publish"]

_CARD = "README.md"


def publish(
    folder: str | Path, repo_id: str, *, private: bool = False, dry_run: bool = False, tag: str | None = None
) -> str:
    """Check a model folder and send it to the Hub as one version with a tag.

    What is sent is written anew from the loaded model, with one ``model.safetensors`` that stock tools read, and a card
    rendered from ``evaluation.json`` (or the folder's own ``README.md`` where there is no evaluation).

    Parameters
    ----------
    folder
        Model folder, as training writes it.
    repo_id
        ``organisation/name``; made where it does not exist.
    private
        Whether a new repository is private.
    dry_run
        Only say what would be sent.
    tag
        Name of the version; default ``v<release of spinehub>-<first digits of the model's hash>``.

    Returns
    -------
    str
        Address of the published version, or with `dry_run` the list of files.

    Raises
    ------
    ModelError
        If the folder is incomplete or altered, has neither evaluation nor card, or the Hub refuses.
    """
    folder = Path(folder)
    if not remote.is_repo_id(repo_id):
        raise ModelError(f"repo_id must have the form organisation/name, got {repo_id!r}")
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder.name!r} to publish; give a model folder as training writes it")
    model = from_pretrained(folder)
    tag = tag or f"v{__version__}-{model.sha256[:8]}"
    with TemporaryDirectory() as scratch:
        sent = model.save_pretrained(Path(scratch) / "model")
        _write_card(folder, sent, has_evaluation=model.evaluation is not None)
        if dry_run:
            return _listing(sent, repo_id, tag)
        address = remote.upload(sent, repo_id, private=private, tag=tag, message=f"Publish {tag}")
    return f"{address}/tree/{tag}"


def _write_card(folder: Path, sent: Path, *, has_evaluation: bool) -> None:
    if has_evaluation:
        (sent / _CARD).write_text(render_folder(sent), encoding="utf-8")
    elif (folder / _CARD).is_file():
        copyfile(folder / _CARD, sent / _CARD)
    else:
        raise ModelError(
            f"{folder.name} has no evaluation.json to make a card from; run 'spinehub evaluate' with this folder "
            f"first, or write a {_CARD} into it"
        )


def _listing(sent: Path, repo_id: str, tag: str) -> str:
    files = [f"  {path.name} ({path.stat().st_size} bytes)" for path in sorted(sent.iterdir())]
    return "\n".join([f"Would send to {repo_id}, tagged {tag}:", *files])
