"""Reference regions: small circles a reader places in normal marrow, muscle or a vessel, to compare a lesion with.

Enhancement in % depends on T1, flip angle and repetition time; a ratio to tissue of the same examination depends on
them less. It needs no model and no times: where a series has none, frames stand in for seconds.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.perfusion.curves import region_curve
from spinehub.perfusion.timing import Timing
from spinehub.series import Curve, DynamicSeries
from spinehub.volume import Grid, Mask, Position, Volume

__all__ = ["TISSUES", "Comparison", "Reference", "Tissue", "compare", "reference_mask"]

Tissue: TypeAlias = Literal["marrow", "muscle", "vessel"]
TISSUES: tuple[Tissue, ...] = get_args(Tissue)
RADIUS_MM = (1.0, 20.0)
EARLY_S = 45.0
LEAST_ENHANCEMENT = 5.0
"""A reference that rises by less, in %, is no denominator: noise would decide the ratio. Assumed."""


@dataclass(frozen=True)
class Reference:
    """One circle in an acquired slice.

    Parameters
    ----------
    tissue
        What the reader says it is.
    center_mm
        RAS+.
    radius_mm
        1 to 20 mm.
    """

    tissue: Tissue
    center_mm: Position
    radius_mm: float = 4.0

    def __post_init__(self) -> None:
        if self.tissue not in TISSUES:
            raise InvalidArgumentError(f"tissue of a reference region must be one of {TISSUES}, got {self.tissue!r}")
        if not RADIUS_MM[0] <= self.radius_mm <= RADIUS_MM[1]:
            raise InvalidArgumentError(
                f"radius of a reference region must be {RADIUS_MM[0]:g} to {RADIUS_MM[1]:g} mm, got {self.radius_mm}"
            )


@dataclass(frozen=True, eq=False)
class Comparison:
    """A lesion beside one reference region.

    Parameters
    ----------
    reference
        The circle.
    mask
        Its voxels.
    curve
        Its curve; None for a single volume.
    early_ratio, peak_ratio
        Enhancement of the lesion's mean curve over that of the reference: early, and at the highest frame of each.
        None with a reason.
    signal_ratio
        Mean signal of the lesion over that of the reference, in the frame that is there; only for a single volume.
    early_at
        What "early" means here: ``"45 s after contrast arrival"``, or ``"first frame after contrast"`` without times.
    reason
        Why a ratio is missing, in one sentence; None where none is.
    """

    reference: Reference
    mask: Mask
    curve: Curve | None
    early_ratio: float | None
    peak_ratio: float | None
    signal_ratio: float | None
    early_at: str
    reason: str | None


def reference_mask(reference: Reference, grid: Grid) -> Mask:
    """Voxels of the acquired slice whose centre lies within the circle; at least the one at its centre.

    Raises
    ------
    InvalidArgumentError
        If the centre lies outside the volume.
    """
    center = grid.index_of(reference.center_mm)
    reach = [
        0 if axis == grid.slice_axis else int(reference.radius_mm / spacing)
        for axis, spacing in enumerate(grid.spacing_mm)
    ]
    box = tuple(slice(max(0, n - r), n + r + 1) for n, r in zip(center, reach, strict=True))
    voxels = np.zeros(grid.shape, dtype=bool)
    place = np.stack(
        np.meshgrid(*[np.arange(size)[part] for size, part in zip(grid.shape, box, strict=True)], indexing="ij")
    )
    offset = grid.affine[:3, :3] @ (place.reshape(3, -1) - np.asarray(center)[:, None])
    inside = np.linalg.norm(offset, axis=0) <= reference.radius_mm
    voxels[box] = inside.reshape(place.shape[1:])
    return Mask(voxels, grid)


def compare(image: DynamicSeries | Volume, lesion: Mask | None, reference: Reference, timing: Timing) -> Comparison:
    """Put a lesion beside a reference region.

    Parameters
    ----------
    image
        Series or volume.
    lesion
        Its mask; None: the curve of the reference alone.
    reference
        The circle.
    timing
        Of the image.

    Returns
    -------
    Comparison
        Without ratios where there is no lesion or the reference rises by less than 5 %.
    """
    mask = reference_mask(reference, image.grid)
    early_at = f"{EARLY_S:.0f} s after contrast arrival" if timing.regime == "dynamic" else "first frame after contrast"
    if isinstance(image, Volume):
        return _compare_signals(image, lesion, reference, mask)
    curve = region_curve(image, mask, timing)
    if lesion is None:
        return Comparison(reference, mask, curve, None, None, None, early_at, "No lesion is marked.")
    own = region_curve(image, lesion, timing)
    weak = f"rises by less than {LEAST_ENHANCEMENT:.0f} %"
    peak, no_peak = _ratio(_peak(own, timing), _peak(curve, timing), LEAST_ENHANCEMENT, weak)
    early, no_early = _ratio(_early(own, timing), _early(curve, timing), LEAST_ENHANCEMENT, weak)
    return Comparison(reference, mask, curve, early, peak, None, early_at, no_peak or no_early)


def _compare_signals(image: Volume, lesion: Mask | None, reference: Reference, mask: Mask) -> Comparison:
    """One volume: the ratio of the two mean signals."""
    if lesion is None:
        return Comparison(reference, mask, None, None, None, None, "", "No lesion is marked.")
    ratio, reason = _ratio(_mean(image, lesion), _mean(image, mask), 0.0, "has no signal")
    return Comparison(reference, mask, None, None, None, ratio, "", reason)


def _mean(volume: Volume, mask: Mask) -> float:
    inside = volume.voxels[mask.voxels].astype(np.float64)
    inside = inside[np.isfinite(inside)]
    return float(inside.mean()) if inside.size else float("nan")


def _after(curve: Curve, timing: Timing) -> NDArray[np.float64]:
    return curve.enhancement[timing.baseline_frames :]


def _peak(curve: Curve, timing: Timing) -> float:
    after = _after(curve, timing)
    return float(np.nanmax(after)) if np.isfinite(after).any() else float("nan")


def _early(curve: Curve, timing: Timing) -> float:
    """Enhancement 45 s after arrival, linear between frames; without usable times in the first frame after contrast."""
    if timing.regime != "dynamic" or curve.times_s is None or timing.arrival_s is None:
        after = _after(curve, timing)
        return float(after[0]) if after.size else float("nan")
    since = curve.times_s - timing.arrival_s
    return float(np.interp(EARLY_S, since, curve.enhancement)) if since[-1] >= EARLY_S else float("nan")


def _ratio(lesion: float, reference: float, least: float, weak: str) -> tuple[float | None, str | None]:
    if not np.isfinite(lesion) or not np.isfinite(reference):
        return None, "The frames do not allow the ratio."
    if reference <= least:
        return None, f"The reference {weak}, so a ratio to it says nothing."
    return lesion / reference, None
