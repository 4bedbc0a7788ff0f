"""What the reader states and no software measures: level, compartments, canal, Bilsky grade, SINS, impression."""

from dataclasses import dataclass
from typing import Any

from spinehub.errors import InvalidArgumentError

__all__ = ["BILSKY_GRADES", "CANAL_STATES", "COMPARTMENTS", "SINS_RANGE", "ReaderNotes"]

COMPARTMENTS = (
    "vertebral body",
    "posterior elements",
    "epidural space",
    "paravertebral soft tissue",
    "intervertebral disc",
)
CANAL_STATES = (
    "not reached",
    "reached, thecal sac not deformed",
    "thecal sac deformed",
    "cord or cauda equina compressed",
    "cannot be judged",
)
BILSKY_GRADES = ("0", "1a", "1b", "1c", "2", "3")
"""Epidural spinal cord compression scale: Bilsky MH et al., J Neurosurg Spine 2010;13:324-328."""
SINS_RANGE = (0, 18)
"""Spinal instability neoplastic score: Fisher CG et al., Spine 2010;35:E1221-E1229."""
_MOST_CHARACTERS = {"level": 40, "impression": 1200}


@dataclass(frozen=True)
class ReaderNotes:
    """What a reader states about the lesion; empty where nothing was stated. Nothing of it is computed or checked.

    Parameters
    ----------
    level
        Vertebral level in the reader's words, at most 40 characters.
    compartments
        Of :data:`COMPARTMENTS`; kept in that order.
    canal
        One of :data:`CANAL_STATES`.
    bilsky
        One of :data:`BILSKY_GRADES`.
    sins
        Whole number, 0 to 18.
    impression
        In the reader's words, at most 1200 characters.

    Raises
    ------
    InvalidArgumentError
        If a value is not one of those.
    """

    level: str = ""
    compartments: tuple[str, ...] = ()
    canal: str | None = None
    bilsky: str | None = None
    sins: int | None = None
    impression: str = ""

    def __post_init__(self) -> None:
        for name, most in _MOST_CHARACTERS.items():
            text = " ".join(getattr(self, name).split())
            if len(text) > most:
                raise InvalidArgumentError(f"{name} must be at most {most} characters, got {len(text)}; shorten it")
            object.__setattr__(self, name, text)
        odd = [name for name in self.compartments if name not in COMPARTMENTS]
        if odd:
            raise InvalidArgumentError(f"compartments must be of {COMPARTMENTS}, got {odd[0]!r}")
        kept = tuple(name for name in COMPARTMENTS if name in self.compartments)
        object.__setattr__(self, "compartments", kept)
        for name, allowed in (("canal", CANAL_STATES), ("bilsky", BILSKY_GRADES)):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise InvalidArgumentError(f"{name} must be one of {allowed}, got {value!r}")
        low, high = SINS_RANGE
        if self.sins is not None and not (isinstance(self.sins, int) and low <= self.sins <= high):
            raise InvalidArgumentError(f"sins must be a whole number from {low} to {high}, got {self.sins!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the notes as JSON types, null where nothing was stated."""
        return {
            "level": self.level or None,
            "compartments": list(self.compartments),
            "canal": self.canal,
            "bilsky": self.bilsky,
            "sins": self.sins,
            "impression": self.impression or None,
        }
