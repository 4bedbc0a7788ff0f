"""Where an input came from, for the report: names, hashes, and whether its header may hold identifiers."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from spinehub.io.formats import files_of, pair_paths, read_header
from spinehub.io.guard import refused_on_damage

__all__ = ["Source", "describe_source"]

_CHUNK = 2**20


@dataclass(frozen=True)
class Source:
    """The files of one input, without anything that may identify a patient.

    Parameters
    ----------
    names
        File names without folders, in the order given.
    sha256
        Hash of each file, hexadecimal.
    header_text
        Names of the header fields that hold free text, such as ``"descrip"``; never their content.
    """

    names: tuple[str, ...]
    sha256: tuple[str, ...]
    header_text: tuple[str, ...]


def describe_source(*paths: str | Path) -> Source:
    """Describe input files; both files of a NIfTI pair are listed, whichever was given.

    Raises
    ------
    InputRefusedError
        If a file is missing or its header is refused.
    """
    files = files_of(paths)
    fields: dict[str, None] = {}
    for pair in pair_paths(paths):
        fields.update(dict.fromkeys(read_header(*pair).identifying))
    return Source(tuple(file.name for file in files), tuple(_sha256(file) for file in files), tuple(fields))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with refused_on_damage(path.name), path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()
