"""Who is looking at what: a small record and a folder per visitor.

Nothing of a visitor stands in module state. The record goes through Gradio's state and holds no voxels; the folder
lies inside Gradio's own file cache under a random name, so that files are served from where they are and never
copied; it goes when the visitor leaves, and by age.
"""

import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import gradio as gr

from spinehub.demo.links import Linked
from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.perfusion import Reference
from spinehub.report import ReaderNotes
from spinehub.teaching import Reading
from spinehub.volume import Seed

__all__ = ["MaskSource", "Session", "Workspace"]

MaskSource: TypeAlias = Literal["growing", "unet", "file"]

EXAMPLE_FOLDER = "example"
OUTPUT = "output"
"""Folder in a visitor's own that holds the files of the last answer."""
_PREFIX = "spinehub-"
MAX_FILE_MB = 300
MAX_FILES = 60
"""Files of one upload: as many as frames the page can show."""


@dataclass(frozen=True)
class Session:
    """What one visitor is looking at; small enough to live in Gradio's state.

    Parameters
    ----------
    token
        Random name of the visitor's folder.
    files
        Paths of the uploaded files in that folder; empty: the bundled example.
    times_s, frame_interval_s
        Times the visitor typed in, where the files had none.
    contrast_given
        What the visitor said about a single volume; None: not asked.
    seeds, tolerance, reach_mm
        The region as it is set now; tolerance None until something was grown.
    undone
        Seeds taken back, the newest last, for redo.
    cuts
        How many leaks of this region were cut at the neck.
    linked
        What the link the page was opened with asks for, until it is done.
    references
        Reference regions, at most one of a tissue.
    mask_source
        Where the mask comes from: grown from the seeds, drawn by the U-Net around them, or a file.
    mask_file
        Path of the visitor's mask, where one was uploaded.
    notes
        What the visitor states in the report.
    with_images
        Whether the case bundle holds the images too; only where the visitor asked for it.
    teaching
        Number of the teaching case that is open; None: none is.
    readings
        What the visitor has committed to on teaching cases.
    revision
        Counts up with each new region: the browser takes its tolerance when it changes.
    """

    token: str
    files: tuple[str, ...] = ()
    times_s: tuple[float, ...] | None = None
    frame_interval_s: float | None = None
    contrast_given: bool | None = None
    seeds: tuple[Seed, ...] = ()
    tolerance: float | None = None
    reach_mm: float = 60.0
    undone: tuple[Seed, ...] = ()
    cuts: int = 0
    linked: Linked | None = None
    references: tuple[Reference, ...] = ()
    mask_source: MaskSource = "growing"
    mask_file: str | None = None
    notes: ReaderNotes = field(default_factory=ReaderNotes)
    with_images: bool = False
    teaching: int | None = None
    readings: tuple[Reading, ...] = ()
    revision: int = 0

    @property
    def is_example(self) -> bool:
        """Whether the bundled example is shown."""
        return not self.files and self.teaching is None

    @property
    def reading(self) -> Reading | None:
        """What the visitor committed to on the open teaching case; None before that, and without one."""
        return next((reading for reading in self.readings if reading.number == self.teaching), None)

    @property
    def labels_hidden(self) -> bool:
        """Whether a teaching case is open on which the visitor has not committed yet: nothing may tell what it is."""
        return self.teaching is not None and self.reading is None

    @property
    def case_key(self) -> tuple[object, ...]:
        """What the loaded voxels depend on."""
        return self.token, self.files, self.times_s, self.frame_interval_s, self.teaching

    @property
    def wanted(self) -> tuple[object, ...]:
        """What the analysis depends on."""
        region = (self.seeds, self.tolerance, self.reach_mm, self.cuts, self.mask_source, self.mask_file)
        return self.case_key, *region, self.contrast_given, self.labels_hidden

    @property
    def files_wanted(self) -> tuple[object, ...]:
        """What the files on offer depend on."""
        return self.wanted, self.references, self.notes, self.with_images


@dataclass
class Workspace:
    """The folders of all visitors, under one random folder of this process.

    Parameters
    ----------
    root
        Made inside Gradio's file cache, because what lies there is served without being copied.
    max_age_s
        A folder nobody wrote to for so long is removed.
    """

    root: Path
    max_age_s: float = 3600.0
    _tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, max_age_s: float = 3600.0) -> "Workspace":
        """Workspace in Gradio's cache folder; what a process that was killed left there goes, once it is old."""
        cache = Path(gr.utils.get_upload_folder())
        cache.mkdir(parents=True, exist_ok=True)
        for abandoned in cache.glob(f"{_PREFIX}*"):
            _remove_if_old(abandoned, max_age_s)
        return cls(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=cache)), max_age_s)

    def enter(self, visitor: str | None) -> str:
        """Make a folder for a visitor (Gradio's session hash) and return its token; old folders go."""
        self.sweep()
        token = secrets.token_urlsafe(18)
        self.folder(token).mkdir()
        if visitor is not None:
            self._tokens[visitor] = token
        return token

    @property
    def shared(self) -> Path:
        """Folder of the bundled example, the same for every visitor."""
        folder = self.root / EXAMPLE_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def folder(self, token: str) -> Path:
        """Folder of a token; refuses anything that is not the name of one folder."""
        if re.fullmatch(r"[A-Za-z0-9_-]+", token) is None:
            raise InvalidArgumentError("session is not known here; reload the page")
        return self.root / token

    def take(self, token: str, uploads: Sequence[str | Path]) -> tuple[str, ...]:
        """Move uploaded files into the visitor's folder and return their new paths."""
        if len(uploads) > MAX_FILES:
            raise InputRefusedError(f"files must be at most {MAX_FILES}, got {len(uploads)}; upload one 4-D file")
        folder = self.folder(token) / "input" / secrets.token_hex(4)
        folder.mkdir(parents=True)
        taken = []
        for upload in map(Path, uploads):
            target = folder / upload.name
            shutil.copyfile(upload, target)
            upload.unlink(missing_ok=True)
            taken.append(str(target))
        return tuple(taken)

    def leave(self, visitor: str | None) -> str | None:
        """Remove the folder of a visitor who has gone; return the token, None where there was none."""
        token = self._tokens.pop(visitor, None) if visitor is not None else None
        if token is not None:
            self.clear(token)
        return token

    def clear(self, token: str) -> None:
        """Remove every file of one visitor."""
        shutil.rmtree(self.folder(token), ignore_errors=True)

    def discard_output(self, token: str) -> None:
        """Remove the files of an answer that nobody waits for any more; what was uploaded stays."""
        shutil.rmtree(self.folder(token) / OUTPUT, ignore_errors=True)

    def count(self, token: str) -> int:
        """Files of one visitor on the disk of the server."""
        return sum(path.is_file() for path in self.folder(token).rglob("*"))

    def sweep(self) -> None:
        """Remove folders nobody wrote to for :attr:`max_age_s`."""
        self.root.mkdir(exist_ok=True)
        for folder in self.root.iterdir():
            if folder.name != EXAMPLE_FOLDER:
                _remove_if_old(folder, self.max_age_s)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.root, ignore_errors=True)


def _remove_if_old(folder: Path, max_age_s: float) -> None:
    """Remove a folder in which nothing was written for so long."""
    touched = [path.lstat().st_mtime for path in (folder, *folder.rglob("*"))]
    if max(touched) < time.time() - max_age_s:
        shutil.rmtree(folder, ignore_errors=True)
