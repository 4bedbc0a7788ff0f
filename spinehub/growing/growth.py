"""The result of a growing: the arrival map, and what a tolerance makes of it."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing.leak import Leak
from spinehub.growing.limits import Limits
from spinehub.series import ParametricMap
from spinehub.volume import Mask, Seed, frozen_array

__all__ = ["GrowingWarning", "Growth"]

_CURVE_POINTS = 256


class GrowingWarning(UserWarning):
    """A region was grown where nothing tells the lesion from its surroundings."""


@dataclass(frozen=True, eq=False)
class Growth:
    """An arrival map and the seeds it came from; every tolerance is one comparison away.

    Parameters
    ----------
    arrival
        Map ``"arrival"`` in mm, ``(I, J, K)`` float32: the smallest tolerance at which a voxel joins. 0 at the
        foreground seeds, ``+inf`` out of reach, on invalid voxels and where a background seed holds the voxel.
    seeds
        The seeds in the order given.
    reach_mm
        Largest straight distance from a foreground seed in mm.
    suggested_tolerance
        Tolerance chosen from the border's contrast, below `leak_tolerance`, in mm of arrival.
    leak_tolerance
        Tolerance at which the volume jumps or the region runs through a neck, None where it never does.
    leak
        Where it leaks; None where it does not.
    limits
        Limits of the growing besides its reach.
    within_slice
        Whether it stayed in the acquired slices of the foreground seeds.
    domain
        Voxels within reach and limits that have a value: where the front may go. None where that is not known.
    warning
        Why the region is the seeds alone, in one sentence; None where it was found.
    """

    arrival: ParametricMap
    seeds: tuple[Seed, ...]
    reach_mm: float
    suggested_tolerance: float
    leak_tolerance: float | None
    leak: Leak | None = None
    limits: Limits = field(default_factory=Limits)
    within_slice: bool = False
    domain: Mask | None = None
    warning: str | None = None

    def mask(self, tolerance: float) -> Mask:
        """Region reached within a tolerance.

        Parameters
        ----------
        tolerance
            In mm of arrival, finite and at least 0; 0 gives the foreground seeds alone.

        Returns
        -------
        Mask
            ``arrival <= tolerance`` on the grid of the image.

        Raises
        ------
        InvalidArgumentError
            If the tolerance is negative or not finite.
        """
        if not np.isfinite(tolerance) or tolerance < 0:
            raise InvalidArgumentError(f"tolerance must be a finite number of at least 0, got {tolerance}")
        return Mask(self.arrival.values <= np.float32(tolerance), self.arrival.grid)

    def volume_curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Volume against tolerance, from one sort of the arrival map.

        Returns
        -------
        tolerances
            ``(N,)`` float64, N at most 256, rising from 0 to the largest finite arrival, in mm of arrival.
        volume_ml
            ``(N,)`` float64, volume of ``mask(tolerance)`` in ml.
        """
        return self._curve

    @cached_property
    def _curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        arrivals = np.sort(self.arrival.values[self.arrival.valid]).astype(np.float64)
        tolerances = np.unique(np.linspace(0.0, arrivals[-1], _CURVE_POINTS))
        counts = np.searchsorted(arrivals, tolerances, side="right")
        volume_ml = counts * self.arrival.grid.voxel_volume_ml
        return frozen_array(tolerances, np.float64), frozen_array(volume_ml, np.float64)
