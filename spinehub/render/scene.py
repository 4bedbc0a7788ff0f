"""What a figure shows: an image and what was found in it."""

from dataclasses import dataclass

from spinehub.perfusion import HotSpot, Timing
from spinehub.series import Curve, DynamicSeries, ParametricMap
from spinehub.volume import Mask, Seed, Volume

__all__ = ["Scene"]


@dataclass(frozen=True, eq=False)
class Scene:
    """What there is to draw of one case.

    Parameters
    ----------
    image, timing
        What was analysed and when its frames were taken.
    mask
        The lesion, outlined in the planes.
    curve, hot_spot
        Curve of the lesion (with its quartile band) and the hot spot.
    seeds
        Marked where their slice is shown.
    shown_map
        Map shown in colour beside the planes; None where none could be computed.
    """

    image: DynamicSeries | Volume
    timing: Timing
    mask: Mask | None = None
    curve: Curve | None = None
    hot_spot: HotSpot | None = None
    seeds: tuple[Seed, ...] = ()
    shown_map: ParametricMap | None = None

    @property
    def has_curve(self) -> bool:
        """Whether there is a curve of more than one frame."""
        return self.curve is not None and self.curve.signal.size > 1
