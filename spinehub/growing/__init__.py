"""Seeded region growing: an arrival map is computed once, a tolerance slices it at any time."""

from spinehub.growing.grow import grow
from spinehub.growing.growth import Growth

__all__ = ["Growth", "grow"]
