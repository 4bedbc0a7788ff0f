"""What differs between the classes in the second world, as densities, and the exact posterior that follows.

The signs are those the first simulator permits, in the same direction, with numbers set here independently of it; each
ignores the histology in a share :data:`SHARED` of draws, so that no single sign has a likelihood ratio above 10.
Perfusion of metastases is fitted to Lang (2017, 2019): maximum ratio 1.7, steepest rise 1.1 at 12 s a frame, wash-out
-4.9 %; perfusion of primary tumours is assumed. How strong the signs are was set once, when this world was written,
and never against a trained model.
"""

from math import exp, log, pi, sqrt
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtri

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.second_world.recipe import SecondRecipe, TumourRecipe

__all__ = ["HISTOLOGIES", "KINETICS", "SHARED", "bayes_posterior", "draw_signs"]

SHARED = 2.0 / 11.0
HISTOLOGIES: dict[Diagnosis, dict[str, float]] = {
    "metastasis": {"metastasis_lung": 0.5, "metastasis_other": 0.5},
    "primary_malignant": {"chordoma": 0.35, "chondrosarcoma": 0.25, "osteosarcoma": 0.15, "ewing_sarcoma": 0.25},
}
KINETICS: dict[str, float] = {"none": 0.0, "mild": 0.5, "medium": 1.0, "strong": 1.4, "reversed": -1.0}
"""Factor on the difference of primary tumours from the mean of metastases."""

_CATEGORIES: dict[str, tuple[tuple[str, ...], dict[str, tuple[float, ...]]]] = {
    "site": (
        ("body", "side", "back", "arch"),
        {
            "metastasis": (0.18, 0.20, 0.48, 0.14),
            "chordoma": (0.66, 0.14, 0.16, 0.04),
            "chondrosarcoma": (0.07, 0.08, 0.45, 0.40),
            "osteosarcoma": (0.12, 0.12, 0.56, 0.20),
            "ewing_sarcoma": (0.20, 0.12, 0.53, 0.15),
        },
    ),
    "mass": (
        ("none", "small", "large"),
        {
            "metastasis": (0.54, 0.33, 0.13),
            "chordoma": (0.05, 0.38, 0.57),
            "chondrosarcoma": (0.16, 0.40, 0.44),
            "osteosarcoma": (0.20, 0.42, 0.38),
            "ewing_sarcoma": (0.10, 0.32, 0.58),
        },
    ),
    "septa": (
        ("no", "yes"),
        {
            "metastasis": (0.92, 0.08),
            "chordoma": (0.42, 0.58),
            "chondrosarcoma": (0.42, 0.58),
            "osteosarcoma": (0.85, 0.15),
            "ewing_sarcoma": (0.88, 0.12),
        },
    ),
}
_MEASURES: dict[str, tuple[float, float, dict[str, float]]] = {
    "flow_per_min": (
        log(1.50),
        0.32,
        {
            "metastasis_lung": -0.05, "metastasis_other": 0.05, "chordoma": -0.60, "chondrosarcoma": -0.45,
            "osteosarcoma": 0.15, "ewing_sarcoma": 0.20,
        },
    ),
    "exchange_per_min": (
        log(0.33),
        0.42,
        {
            "metastasis_lung": -0.25, "metastasis_other": 0.25, "chordoma": -0.60, "chondrosarcoma": -0.50,
            "osteosarcoma": 0.10, "ewing_sarcoma": 0.15,
        },
    ),
    "vp": (
        log(0.155),
        0.25,
        {"chordoma": -0.35, "chondrosarcoma": -0.35, "osteosarcoma": 0.10, "ewing_sarcoma": 0.10},
    ),
    "ve": (
        log(0.32),
        0.24,
        {
            "metastasis_lung": 0.18, "metastasis_other": -0.18, "chordoma": 0.32, "chondrosarcoma": 0.40,
            "osteosarcoma": 0.20, "ewing_sarcoma": 0.12,
        },
    ),
    "rim": (
        0.15,
        0.45,
        {"chordoma": 0.10, "chondrosarcoma": 0.45, "osteosarcoma": 0.40, "ewing_sarcoma": 0.30},
    ),
    "patchiness": (
        log(0.22),
        0.35,
        {"chordoma": 0.20, "chondrosarcoma": 0.25, "osteosarcoma": 0.30, "ewing_sarcoma": 0.15},
    ),
}  # fmt: skip
"""Centre, spread and shift by histology; of the logarithm except for the rim."""
_NAMES = (*_CATEGORIES, *_MEASURES)
_SPREADS = 2.8
"""Draws are held within this many spreads."""
_FLUID = 0.95
"""Plasma and interstitium fill no more than this of a tissue; the density ignores the sliver, as that of the tails."""
_MIX = [(name, diagnosis, 0.5 * share) for diagnosis, mix in HISTOLOGIES.items() for name, share in mix.items()]


def _row(histology: str) -> str:
    return "metastasis" if histology.startswith("metastasis") else histology


def _centre(name: str, histology: str, factor: float) -> float:
    centre, _, shifts = _MEASURES[name]
    return centre + shifts.get(histology, 0.0) * (1.0 if histology.startswith("metastasis") else factor)


def _density(name: str, value: Any, histology: str, factor: float) -> float:
    if name in _CATEGORIES:
        values, table = _CATEGORIES[name]
        return table[_row(histology)][values.index(value)]
    spread = _MEASURES[name][1]
    z = ((value if name == "rim" else log(value)) - _centre(name, histology, factor)) / spread
    return exp(-0.5 * z * z) / (spread * sqrt(2.0 * pi))


def draw_signs(rng: np.random.Generator, histology: str, kinetics: str) -> dict[str, Any]:
    """Signs of one lesion by name; the number of random draws does not depend on the histology."""
    drawn: dict[str, Any] = {}
    for name in _NAMES:
        shared, stranger, share = rng.random(3)
        pool = np.cumsum([weight for _, _, weight in _MIX])
        other = _MIX[min(int(np.searchsorted(pool, stranger)), len(_MIX) - 1)][0]
        drawn[name] = _quantile(name, float(share), other if shared < SHARED else histology, KINETICS[kinetics])
    drawn["ve"] = min(drawn["ve"], _FLUID - drawn["vp"])
    return drawn


def _quantile(name: str, share: float, histology: str, factor: float) -> Any:
    if name in _CATEGORIES:
        values, table = _CATEGORIES[name]
        place = int(np.searchsorted(np.cumsum(table[_row(histology)]), share))
        return values[min(place, len(values) - 1)]
    offset = float(np.clip(ndtri(share), -_SPREADS, _SPREADS))
    value = _centre(name, histology, factor) + _MEASURES[name][1] * offset
    return value if name == "rim" else exp(value)


def bayes_posterior(recipe: SecondRecipe) -> float:
    """Exact probability of ``primary_malignant`` given the visible signs of the index lesion, equal priors."""
    lesion, factor = recipe.lesions[0], KINETICS[recipe.kinetics]
    metastasis, primary = (_log_density(lesion, diagnosis, factor) for diagnosis in DIAGNOSES)
    return 1.0 / (1.0 + exp(metastasis - primary))


def _log_density(lesion: TumourRecipe, diagnosis: Diagnosis, factor: float) -> float:
    terms, weights = [], []
    for histology, share in HISTOLOGIES[diagnosis].items():
        total = 0.0
        for name in _NAMES:
            value = getattr(lesion, name)
            pooled = sum(weight * _density(name, value, other, factor) for other, _, weight in _MIX)
            total += log((1.0 - SHARED) * _density(name, value, histology, factor) + SHARED * pooled)
        terms.append(total)
        weights.append(share)
    return float(logsumexp(terms, b=weights))
