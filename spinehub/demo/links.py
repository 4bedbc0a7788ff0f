"""A link that carries parameters only: seeds, tolerance and reach of a view, never an image or a name.

``?teaching=3`` opens the third teaching case;
``?seeds=x,y,z;x,y,z&background=x,y,z&tolerance=73&reach=60`` in mm, RAS+; ``image=own`` where the view was of a file of
the sender's, so that the seeds wait until the reader has opened the same file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spinehub.errors import InvalidArgumentError
from spinehub.teaching import teaching_cases
from spinehub.volume import Seed

__all__ = ["Linked", "linked_lesson", "parse_link"]

_MOST_SEEDS = 32
_REACH_MM = (5.0, 100.0)


@dataclass(frozen=True)
class Linked:
    """What a link asks for.

    Parameters
    ----------
    seeds
        Foreground seeds, then background seeds.
    tolerance
        None: the suggested one.
    reach_mm
        As on the slider.
    own_image
        Whether the seeds belong to a file of the sender's.
    """

    seeds: tuple[Seed, ...]
    tolerance: float | None
    reach_mm: float
    own_image: bool


def linked_lesson(parameters: Mapping[str, str]) -> int | None:
    """Number of the teaching case an address asks for; None where it asks for none.

    Raises
    ------
    InvalidArgumentError
        If there is no such case.
    """
    asked = parameters.get("teaching")
    if asked is None:
        return None
    if asked not in {str(case.number) for case in teaching_cases()}:
        raise InvalidArgumentError("teaching must be the number of a case, such as teaching=3; copy the link again")
    return int(asked)


def parse_link(parameters: Mapping[str, str]) -> Linked | None:
    """Read the query of an address; None where it asks for nothing.

    Raises
    ------
    InvalidArgumentError
        If a number is not a number or lies outside its range.
    """
    if "seeds" not in parameters:
        return None
    seeds = (*_seeds(parameters["seeds"], background=False), *_seeds(parameters.get("background", ""), background=True))
    if not seeds or seeds[0].background or len(seeds) > _MOST_SEEDS:
        raise InvalidArgumentError(f"a link must name 1 to {_MOST_SEEDS} seeds, got {len(seeds)}; copy it again")
    tolerance = _number(parameters["tolerance"]) if "tolerance" in parameters else None
    reach = _number(parameters.get("reach", "60"))
    if not _REACH_MM[0] <= reach <= _REACH_MM[1] or (tolerance is not None and tolerance < 0):
        raise InvalidArgumentError("the tolerance or reach of this link is out of range; copy it again")
    return Linked(seeds, tolerance, reach, parameters.get("image") == "own")


def _seeds(text: str, *, background: bool) -> list[Seed]:
    seeds = []
    for part in filter(None, text[:4000].split(";")):
        position = [_number(value) for value in part.split(",")]
        if len(position) != 3:
            raise InvalidArgumentError("each seed of a link must be x,y,z in mm; copy the link again")
        seeds.append(Seed.at_position((position[0], position[1], position[2]), background=background))
    return seeds


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InvalidArgumentError("the numbers of this link could not be read; copy it again")
    return value
