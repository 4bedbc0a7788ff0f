"""Close the neck through which a region leaks."""

from spinehub.errors import InvalidArgumentError
from spinehub.growing.growth import Growth
from spinehub.growing.leak import closing_plate
from spinehub.growing.section import Section
from spinehub.volume import Mask

__all__ = ["cut_at_neck"]


def cut_at_neck(growth: Growth) -> Mask:
    """Mask that closes the neck of a growing: grown again with it as `keep_out`, the region does not leak there.

    Parameters
    ----------
    growth
        A growing that leaks.

    Returns
    -------
    Mask
        A plate across the neck, one layer of voxels thick, together with the mask `keep_out` of the growing where
        it had one.

    Raises
    ------
    InvalidArgumentError
        If the growing has no leak.

    Examples
    --------
    >>> growth = grow(image, seeds)                                  # doctest: +SKIP
    >>> growth = grow(image, seeds, keep_out=cut_at_neck(growth))    # doctest: +SKIP
    """
    leak = growth.leak
    if leak is None:
        raise InvalidArgumentError("growth must leak to be cut at the neck, got one without a leak")
    grid = growth.arrival.grid
    neck = Section(leak.neck, leak.direction, leak.neck_area_mm2)
    closed = closing_plate(growth.arrival.values, grid.spacing_mm, neck)
    kept_out = growth.limits.keep_out
    return Mask(closed if kept_out is None else closed | kept_out.voxels, grid)
