"""Seeded region growing: an arrival map is computed once, a tolerance slices it at any time."""

from spinehub.growing.clicks import ClickLog
from spinehub.growing.cut import cut_at_neck
from spinehub.growing.grow import grow
from spinehub.growing.growth import GrowingWarning, Growth
from spinehub.growing.leak import Leak
from spinehub.growing.limits import Limits
from spinehub.growing.path import GrowthPath, path_to
from spinehub.growing.stability import Stability, stability
from spinehub.growing.steps import Settings

__all__ = [
    "ClickLog",
    "GrowingWarning",
    "Growth",
    "GrowthPath",
    "Leak",
    "Limits",
    "Settings",
    "Stability",
    "cut_at_neck",
    "grow",
    "path_to",
    "stability",
]
