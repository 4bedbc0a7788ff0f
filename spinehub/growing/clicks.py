"""What the user did, in order: a log that can be undone, kept as JSON, and replayed to the same mask."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spinehub.errors import InvalidArgumentError
from spinehub.growing.channels import GrowableImage
from spinehub.growing.grow import grow
from spinehub.growing.growth import Growth
from spinehub.growing.steps import Added, Changed, Removed, Settings, Step, step_from_dict, step_to_dict
from spinehub.volume import Mask, Seed

__all__ = ["ClickLog", "Settings"]

FORMAT = "spinehub-clicks/1"
_SETTINGS = ("tolerance", "reach_mm", "within_slice", "limits")


@dataclass(frozen=True, eq=False)
class ClickLog:
    """An immutable log: each method returns the log that follows.

    Parameters
    ----------
    steps
        What was done and stands.
    undone
        What was undone and can be redone, the latest last; a new step forgets it.
    """

    steps: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()

    @property
    def settings(self) -> Settings:
        """Seeds and settings after all steps."""
        settings = Settings()
        for step in self.steps:
            settings = step.apply(settings)
        return settings

    def add(self, seed: Seed) -> "ClickLog":
        """Click: add a foreground or background seed.

        Raises
        ------
        InvalidArgumentError
            If this very seed is there already.
        """
        return self._then(Added(seed))

    def remove(self, seed: Seed) -> "ClickLog":
        """Remove a seed.

        Raises
        ------
        InvalidArgumentError
            If there is no such seed.
        """
        return self._then(Removed(seed))

    def set(self, **changes: Any) -> "ClickLog":
        """Change `tolerance`, `reach_mm`, `within_slice` or `limits` (as in :class:`Settings`), several as one step.

        Raises
        ------
        InvalidArgumentError
            If a setting is of another name, or its value is out of range.
        """
        unknown = sorted(set(changes) - set(_SETTINGS))
        if unknown or not changes:
            raise InvalidArgumentError(
                f"settings must be of {', '.join(_SETTINGS)}, got {', '.join(unknown) or 'none'}"
            )
        return self._then(Changed(dict(changes)))

    def _then(self, step: Step) -> "ClickLog":
        step.apply(self.settings)  # refuses what cannot be
        return ClickLog((*self.steps, step))

    def undo(self) -> "ClickLog":
        """Take the last step back; the same log where there is none."""
        if not self.steps:
            return self
        return ClickLog(self.steps[:-1], (*self.undone, self.steps[-1]))

    def redo(self) -> "ClickLog":
        """Do again what was undone last; the same log where nothing was."""
        if not self.undone:
            return self
        return ClickLog((*self.steps, self.undone[-1]), self.undone[:-1])

    def replay(self, image: GrowableImage) -> tuple[Growth, Mask]:
        """Grow as the log says; the same image gives the same mask, voxel for voxel.

        Parameters
        ----------
        image
            What :func:`spinehub.growing.grow` accepts.

        Returns
        -------
        growth, mask
            The growing and its region at the tolerance of the log.

        Raises
        ------
        InvalidArgumentError
            As :func:`spinehub.growing.grow`.
        """
        settings = self.settings
        limits = settings.limits
        growth = grow(
            image,
            settings.seeds,
            reach_mm=settings.reach_mm,
            within_slice=settings.within_slice,
            intensity_range=limits.intensity_range,
            box=limits.box,
            keep_out=limits.keep_out,
        )
        tolerance = growth.suggested_tolerance if settings.tolerance == "auto" else settings.tolerance
        return growth, growth.mask(tolerance)

    def to_dict(self) -> dict[str, Any]:
        """Return the log as plain JSON types."""
        return {
            "format": FORMAT,
            "steps": [step_to_dict(step) for step in self.steps],
            "undone": [step_to_dict(step) for step in self.undone],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ClickLog":
        """Read what :meth:`to_dict` wrote, also after a round trip through JSON.

        Raises
        ------
        InvalidArgumentError
            If it is not such a log, or its steps do not follow from each other.
        """
        if not isinstance(plain, Mapping) or plain.get("format") != FORMAT:
            raise InvalidArgumentError(f"click log must be an object of the format {FORMAT!r}")
        try:
            steps = tuple(step_from_dict(step) for step in plain["steps"])
            undone = tuple(step_from_dict(step) for step in plain["undone"])
            _ = cls(steps + undone[::-1]).settings  # refuses steps that do not follow from each other
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidArgumentError(f"click log holds a step that cannot be read: {error}") from error
        return cls(steps, undone)
