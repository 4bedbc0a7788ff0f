"""Seeded region growing: an arrival map is computed once, a tolerance slices it at any time."""

from spinehub.growing.grow import grow
from spinehub.growing.growth import GrowingWarning, Growth
from spinehub.growing.limits import Limits

__all__ = ["GrowingWarning", "Growth", "Limits", "grow"]
