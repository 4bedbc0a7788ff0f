"""What a training is told, saved beside its result."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from spinehub.errors import InvalidArgumentError

__all__ = ["ROUTES", "Route", "TrainingPlan"]

Route: TypeAlias = Literal["hotspot", "radiomics", "unet", "inception_resnet"]
ROUTES: tuple[Route, ...] = get_args(Route)

_MINUTES = 40.0
_MOST_WARM_UP = 2500
"""Steps after which the loss of a head that is fitted alone no longer fell, on 1,000 simulated cases."""


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides a training besides the cohort.

    Parameters
    ----------
    route
        Which of the four.
    minutes
        Wall-clock budget of the fit of a network (preparation and calibration come on top); the learning rate follows
        it, so a slower machine learns less but finishes its schedule.
    steps
        Number of optimiser steps in place of `minutes`: the same result on every run of one machine.
    seed
        Of the split, the weights, the batches and the clicks.
    batch
        Slices (segmenter) or lesions (classifier) per step.
    learning_rate, weight_decay
        Peak of AdamW's learning rate, and its decay.
    averaging
        Decay per step of the averaged weights that are kept.
    teacher
        Embedded name, folder or Hub id of a finished U-Net that teaches the classifier to see; None: nobody does.
    evaluations
        How often the validation cases are scored; the best of them is kept.
    """

    route: Route
    minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    averaging: float = 0.998
    evaluations: int = 20
    teacher: str | None = None

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise InvalidArgumentError(f"route must be one of {ROUTES}, got {self.route!r}")
        if self.minutes is not None and self.steps is not None:
            raise InvalidArgumentError("minutes and steps must not both be given; choose one budget")
        if self.minutes is not None and not 0 < self.minutes <= 60 * 24 * 14:
            raise InvalidArgumentError(f"minutes must be above 0 and at most two weeks, got {self.minutes}")
        if self.steps is not None and self.steps < 1:
            raise InvalidArgumentError(f"steps must be at least 1, got {self.steps}")
        if self.teacher is not None and self.route != "inception_resnet":
            raise InvalidArgumentError(f"teacher is for inception_resnet alone, got one for {self.route}; leave it out")
        if self.batch < 2 or self.batch % 2:
            raise InvalidArgumentError(f"batch must be an even number, half of each class, got {self.batch}")

    @classmethod
    def of(cls, route: Route, *, fine: bool = False, **changes: Any) -> "TrainingPlan":
        """Plan with the defaults of a route; `fine`: a tenth of the learning rate, for weights that are fitted."""
        defaults: dict[str, Any] = {"learning_rate": 1e-3, "batch": 8} if route == "inception_resnet" else {}
        if fine:
            defaults["learning_rate"] = 0.1 * defaults.get("learning_rate", cls.learning_rate)
        return cls(route, **(defaults | changes))

    def share(self, step: int, seconds: float) -> float:
        """How much of the budget is used, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        return min(1.0, seconds / (60.0 * (_MINUTES if self.minutes is None else self.minutes)))

    @property
    def warm_up_steps(self) -> int:
        """Steps in which the lesion head of the classifier learns alone: as many as the fit, or one a second of it.

        At most 2,500. Each costs about a tenth of a step of the whole network.
        """
        steps = self.steps if self.steps is not None else round(60.0 * (self.minutes or _MINUTES))
        return min(steps, _MOST_WARM_UP)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingPlan":
        """Inverse of :meth:`to_dict`."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})
