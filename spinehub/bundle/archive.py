"""Reading a case bundle from a zip that nobody vouches for.

Nothing is unpacked by name: members are read into memory one by one, only names of this format are accepted, and what
a member says about its size is not believed.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinehub.errors import InputRefusedError

__all__ = ["FORMAT", "MANIFEST", "MAX_BYTES", "Bundle", "digest", "read_bundle"]

FORMAT = "spinehub-bundle/1"
MANIFEST = "bundle.json"
MAX_BYTES = 512 * 2**20
"""Most bytes a bundle may hold when unpacked."""
_MAX_MEMBERS = 128
_NAME = re.compile(r"bundle\.json|(outputs|input)/[A-Za-z0-9_-]+(\.[A-Za-z0-9]+){1,2}")
_CHUNK = 2**20


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle that was read and whose hashes agree.

    Parameters
    ----------
    manifest
        Content of bundle.json.
    document
        The report it holds, as in report.json.
    members
        Bytes of every other file by its name in the zip.
    """

    manifest: Mapping[str, Any]
    document: Mapping[str, Any]
    members: Mapping[str, bytes]


def digest(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_bundle(path: str | Path) -> Bundle:
    """Read a case bundle.

    Parameters
    ----------
    path
        Zip file as :func:`spinehub.bundle.write_bundle` writes it.

    Raises
    ------
    InputRefusedError
        If the file is no zip, is larger than :data:`MAX_BYTES` when unpacked, holds a name that is not of this
        format, lacks a part, or a part is not what its hash says.
    """
    members = _members(Path(path))
    manifest, document = (_json(members, name) for name in (MANIFEST, "outputs/report.json"))
    if manifest.get("format") != FORMAT:
        raise InputRefusedError(f"bundle must be of the format {FORMAT}, got {manifest.get('format')!r:.60}")
    hashes = manifest.get("files")
    held = set(members) - {MANIFEST}
    if not isinstance(hashes, dict) or set(hashes) != held:
        raise InputRefusedError("bundle.json must list every file of the bundle; write the bundle again")
    wrong = sorted(name for name in held if digest(members[name]) != hashes[name])
    if wrong:
        raise InputRefusedError(f"bundle was altered: {', '.join(wrong)} is not what its hash says; write it again")
    return Bundle(manifest, document, members)


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(names) > _MAX_MEMBERS or len(set(names)) < len(names):
                raise InputRefusedError(f"bundle must hold at most {_MAX_MEMBERS} files, each once, got {len(names)}")
            for name in names:
                if _NAME.fullmatch(name) is None:
                    raise InputRefusedError(f"bundle holds a name that is not of this format: {name!r:.80}")
            return _read_all(archive, entries)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        # RuntimeError: a member that is encrypted; NotImplementedError: a compression zipfile does not know
        raise InputRefusedError(f"{path.name} is no case bundle that can be read ({error}); write it again") from error


def _read_all(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    """Read every member, counting what really comes out."""
    room = MAX_BYTES
    members = {}
    for entry in entries:
        parts = []
        with archive.open(entry) as stream:
            while block := stream.read(_CHUNK):
                room -= len(block)
                if room < 0:
                    raise InputRefusedError(f"bundle must hold at most {MAX_BYTES >> 20} MiB when unpacked")
                parts.append(block)
        members[entry.filename] = b"".join(parts)
    return members


def _json(members: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        value = json.loads(members[name])
    except KeyError:
        raise InputRefusedError(f"bundle must hold {name}, and does not; is this a case bundle?") from None
    except ValueError as error:
        raise InputRefusedError(f"{name} of the bundle must be JSON ({error}); write the bundle again") from error
    if not isinstance(value, dict):
        raise InputRefusedError(f"{name} of the bundle must be a JSON object; write the bundle again")
    return value
