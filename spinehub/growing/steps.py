"""One step of a click log, and the settings that steps lead to; both as records and as plain JSON types."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from spinehub.errors import InvalidArgumentError
from spinehub.growing.limits import Limits
from spinehub.volume import Grid, Mask, Seed

__all__ = ["Added", "Changed", "Removed", "Settings", "Step", "step_from_dict", "step_to_dict"]


@dataclass(frozen=True, eq=False)
class Settings:
    """Everything a growing depends on besides its image.

    Parameters
    ----------
    seeds
        Foreground and background seeds, in the order of the clicks.
    tolerance
        In mm of arrival, or ``"auto"``: the suggested one.
    reach_mm
        Largest distance from a foreground seed in mm.
    within_slice
        Stay in the acquired slices of the foreground seeds.
    limits
        Intensity range, box and mask not to enter.
    """

    seeds: tuple[Seed, ...] = ()
    tolerance: float | Literal["auto"] = "auto"
    reach_mm: float = 60.0
    within_slice: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.tolerance != "auto" and not (np.isfinite(self.tolerance) and self.tolerance >= 0):
            raise InvalidArgumentError(
                f"tolerance must be 'auto' or a finite number of at least 0, got {self.tolerance}"
            )
        if not np.isfinite(self.reach_mm) or self.reach_mm <= 0:
            raise InvalidArgumentError(f"reach_mm must be a finite number above 0, got {self.reach_mm}")
        if not isinstance(self.within_slice, bool) or not isinstance(self.limits, Limits):
            raise InvalidArgumentError(
                f"within_slice must be True or False and limits a Limits, got {self.within_slice} and {self.limits}"
            )


@dataclass(frozen=True)
class Added:
    """A seed was added."""

    seed: Seed

    def apply(self, settings: Settings) -> Settings:
        """Settings after this step; raises :class:`InvalidArgumentError` where it cannot be done."""
        if self.seed in settings.seeds:
            raise InvalidArgumentError(f"seed at {self.seed.position_mm} mm is there already")
        return replace(settings, seeds=(*settings.seeds, self.seed))


@dataclass(frozen=True)
class Removed:
    """A seed was removed."""

    seed: Seed

    def apply(self, settings: Settings) -> Settings:
        """Settings after this step; raises :class:`InvalidArgumentError` where it cannot be done."""
        if self.seed not in settings.seeds:
            raise InvalidArgumentError(
                f"seed to remove must be one of the {len(settings.seeds)} seeds, got one at {self.seed.position_mm} mm"
            )
        return replace(settings, seeds=tuple(seed for seed in settings.seeds if seed != self.seed))


@dataclass(frozen=True, eq=False)
class Changed:
    """Settings were changed, by name."""

    changes: Mapping[str, Any]

    def apply(self, settings: Settings) -> Settings:
        """Settings after this step; raises :class:`InvalidArgumentError` where it cannot be done."""
        return replace(settings, **self.changes)


Step: TypeAlias = Added | Removed | Changed
"""What the user did."""


def step_to_dict(step: Step) -> dict[str, Any]:
    """Return a step as plain JSON types: one entry, named after what was done."""
    if isinstance(step, Changed):
        plain = {name: _limits_to_dict(value) if name == "limits" else value for name, value in step.changes.items()}
        return {"set": plain}
    seed = {"position_mm": list(step.seed.position_mm), "background": step.seed.background}
    return {"add" if isinstance(step, Added) else "remove": seed}


def step_from_dict(plain: Mapping[str, Any]) -> Step:
    """Read what :func:`step_to_dict` wrote.

    Raises
    ------
    InvalidArgumentError
        If it is no step.
    """
    ((name, value),) = plain.items()
    if name == "set":
        changes = dict(value)
        if "limits" in changes:
            changes["limits"] = _limits_from_dict(changes["limits"])
        return Changed(changes)
    seed = Seed.at_position(tuple(value["position_mm"]), background=bool(value["background"]))
    if name == "add":
        return Added(seed)
    if name == "remove":
        return Removed(seed)
    raise InvalidArgumentError(f"a step must be add, remove or set, got {name}")


def _limits_to_dict(limits: Limits) -> dict[str, Any]:
    ends = limits.intensity_range
    return {
        # JSON has no infinity: an open end is null.
        "intensity_range": None if ends is None else [end if np.isfinite(end) else None for end in ends],
        "box": None if limits.box is None else [list(corner) for corner in limits.box],
        "keep_out": None if limits.keep_out is None else _mask_to_dict(limits.keep_out),
    }


def _limits_from_dict(plain: Mapping[str, Any]) -> Limits:
    ends, box, mask = plain["intensity_range"], plain["box"], plain["keep_out"]
    if ends is not None:
        low, high = ends
        ends = (-np.inf if low is None else low, np.inf if high is None else high)
    corners = None if box is None else (tuple(box[0]), tuple(box[1]))
    return Limits(ends, corners, None if mask is None else _mask_from_dict(mask))


def _mask_to_dict(mask: Mask) -> dict[str, Any]:
    """Return a mask as the voxels at which it changes, in the order of the last axis first."""
    flat = np.concatenate([[False], mask.voxels.ravel(), [False]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return {"shape": list(mask.grid.shape), "affine": mask.grid.affine.tolist(), "changes": changes.tolist()}


def _mask_from_dict(plain: Mapping[str, Any]) -> Mask:
    grid = Grid(tuple(plain["shape"]), np.array(plain["affine"], dtype=float))
    voxels = np.zeros(int(np.prod(grid.shape)), dtype=bool)
    changes = [int(change) for change in plain["changes"]]
    if len(changes) % 2 or any(low >= high for low, high in pairwise([-1, *changes, voxels.size + 1])):
        raise InvalidArgumentError("a mask of the click log must be an even number of rising voxel numbers")
    for start, stop in zip(changes[::2], changes[1::2], strict=True):
        voxels[start:stop] = True
    return Mask(voxels.reshape(grid.shape), grid)
