"""Put a model folder on the Hugging Face Hub: check it, write its card, send it, tag it."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spinehub._version import __version__
from spinehub.cards import check_card, render_folder
from spinehub.errors import ModelError
from spinehub.models import from_pretrained
from spinehub.models.folder import read_config, section_of
from spinehub.models.golden import check_golden
from spinehub.models.registry import Published, record_published, require_name
from spinehub.models.stock import check_stock
from spinehub.models.upload import require_repo_id, upload

__all__ = ["listing", "publish"]

_CARD = "README.md"


def publish(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    tag: str | None = None,
    register: str | None = None,
) -> str:
    """Check a model folder and send it to the Hub as one version with a tag.

    What is sent is written anew from the loaded model, with one ``model.safetensors`` that stock tools read, golden
    files, and a card: the folder's own ``README.md``, or one rendered from ``evaluation.json``. Before anything is sent
    the files are as recorded, the golden output is reproduced, stock tools give equal logits, and every number of the
    card is that of the evaluation.

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

    register
        Name, such as ``unet-dce``, under which the registry of this installation notes repository, commit and hash.

    Returns
    -------
    str
        Address of the published version and how to load it pinned, or with `dry_run` the list of files.

    Raises
    ------
    ModelError
        If one of the checks fails, or the Hub refuses.
    """
    folder = Path(folder)
    require_repo_id(repo_id)
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder.name!r} to publish; give a model folder as training writes it")
    model = from_pretrained(folder)
    if register is not None:
        require_name(register, section_of(read_config(folder))["kind"])
    check_golden(model, folder)
    with TemporaryDirectory() as scratch:
        sent = model.save_pretrained(Path(scratch) / folder.resolve().name)
        _write_card(folder, sent, repo_id, model)
        check_stock(model, sent)
        saved = from_pretrained(sent)
        check_golden(saved, sent)
        tag = tag or f"v{__version__}-{saved.sha256[:8]}"
        message = f"Publish {tag}"
        if dry_run:
            return _would_send(sent, repo_id, tag, message, private=private)
        there = upload(sent, repo_id, private=private, tag=tag, message=message)
    if register is not None:
        record_published(register, Published(repo_id, there.commit, saved.sha256))
    pinned = f'spinehub.from_pretrained("{repo_id}", revision="{there.commit}")'
    return f"{there.address}/tree/{there.tag}\nLoad exactly this version with {pinned}"


def listing(paths: Iterable[Path], root: Path) -> list[str]:
    """One line per file: path, bytes and the first digits of its sha256; a last line with their number and sum."""
    lines, total = [], 0
    for path in sorted(paths):
        content = path.read_bytes()
        total += len(content)
        name = path.relative_to(root).as_posix()
        lines.append(f"  {name} ({len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:12]})")
    return [*lines, f"{len(lines)} files, {total} bytes"]


def _write_card(folder: Path, sent: Path, repo_id: str, model: Any) -> None:
    own = folder / _CARD
    if own.is_file():
        text = own.read_text(encoding="utf-8")
    elif model.evaluation is not None:
        text = render_folder(sent, repo_id)
    else:
        raise ModelError(
            f"{folder.name} has no evaluation.json to make a card from; run 'spinehub evaluate' with this folder "
            f"first, or write a {_CARD} into it"
        )
    check_card(text, model.evaluation, read_config(sent))
    (sent / _CARD).write_text(text, encoding="utf-8")


def _would_send(sent: Path, repo_id: str, tag: str, message: str, *, private: bool) -> str:
    kind = "private" if private else "public"
    card = (sent / _CARD).read_text(encoding="utf-8")
    head = [
        f"Checked: hashes, golden output, stock loading, card. Would send to {repo_id} (if new: {kind}), tagged {tag}:",
        *listing(sent.iterdir(), sent),
        f"Commit message: {message}",
        f"The card, {_CARD}:",
    ]
    return "\n".join([*head, "", card])
