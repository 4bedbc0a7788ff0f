"""Contrast over time: arrival, baseline, parametric maps, curves, hot spot, motion.

Arrays in, new arrays out; numpy and scipy only.
"""

from spinehub.perfusion.body import body_mask
from spinehub.perfusion.curves import region_curve
from spinehub.perfusion.hot_spot import HotSpot, Parameter, find_hot_spot, hot_spot_parameters
from spinehub.perfusion.maps import baseline, compute_maps, enhancement, why_not
from spinehub.perfusion.motion import estimate_motion
from spinehub.perfusion.reference import TISSUES, Comparison, Reference, Tissue, compare, reference_mask
from spinehub.perfusion.timing import Timing, assess_timing, body_signal

__all__ = [
    "TISSUES",
    "Comparison",
    "HotSpot",
    "Parameter",
    "Reference",
    "Timing",
    "Tissue",
    "assess_timing",
    "baseline",
    "body_mask",
    "body_signal",
    "compare",
    "compute_maps",
    "enhancement",
    "estimate_motion",
    "find_hot_spot",
    "hot_spot_parameters",
    "reference_mask",
    "region_curve",
    "why_not",
]
