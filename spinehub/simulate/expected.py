"""What the hot spot of a recipe's index lesion would read without noise, under the definitions of the maps."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinehub.simulate.recipe import CaseRecipe
from spinehub.simulate.rendering import lesion_tissue
from spinehub.simulate.signal import fat_phase, frame_times
from spinehub.simulate.tissues import fat_level, tissue_curves

__all__ = ["expected_curve", "expected_parameters", "published_figures"]

_EARLY_S, _REFERENCE_S, _LATE_S = 45.0, 67.0, 240.0


def expected_curve(
    recipe: CaseRecipe, *, frame_interval_s: float | None = None, last_s: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and noiseless magnitude of the hot-spot tissue.

    Parameters
    ----------
    frame_interval_s, last_s
        Another frame interval, and the last frame's time after contrast arrival, for comparison with published figures;
        None: the recipe's own.

    Returns
    -------
    times_s, signal
        ``(T,)`` each.
    """
    protocol = recipe.protocol
    if frame_interval_s is not None:
        end = (protocol.frame_count - 1) * protocol.frame_interval_s if last_s is None else protocol.arrival_s + last_s
        count = int(np.floor(end / frame_interval_s)) + 1
        recipe = replace(recipe, protocol=replace(protocol, frame_interval_s=frame_interval_s, frame_count=count))
    lesion = recipe.lesions[0]
    water = tissue_curves(recipe, [lesion_tissue(lesion, lesion.signs.ktrans_per_min)])[0]
    fat = lesion.fat * fat_level(recipe)
    phase = fat_phase(protocol.echo_time_s, protocol.field_strength_t)
    return frame_times(recipe.protocol), np.abs(water + fat * np.exp(1j * phase))


def expected_parameters(recipe: CaseRecipe) -> dict[str, float]:
    """Noiseless early enhancement and wash-out of the index lesion's hot-spot tissue.

    Returns
    -------
    dict
        ``early_enhancement`` (%, 45 s after arrival) and ``washout`` (%, 240 s after arrival against 67 s or the peak
        of a 3-frame moving average before it); NaN where the scan ends before.
    """
    times, signal = expected_curve(recipe)
    since = times - recipe.protocol.arrival_s
    baseline = float(signal[times + 0.5 * recipe.protocol.frame_interval_s <= recipe.protocol.arrival_s].mean())
    at_reference = float(np.interp(_REFERENCE_S, since, signal))
    smooth = np.convolve(signal, np.ones(3) / 3.0, mode="valid")
    peak = int(np.argmax(smooth))
    reference = float(smooth[peak]) if since[peak + 1] < _REFERENCE_S else at_reference
    early = 100.0 * (float(np.interp(_EARLY_S, since, signal)) - baseline) / baseline
    washout = 100.0 * (float(np.interp(_LATE_S, since, signal)) - reference) / reference
    return {
        "early_enhancement": early if since[-1] >= _EARLY_S else float("nan"),
        "washout": washout if since[-1] >= _LATE_S else float("nan"),
    }


def published_figures(recipe: CaseRecipe, *, frame_interval_s: float = 12.0, last_s: float = 300.0) -> dict[str, float]:
    """The figures that Lang 2017 printed for a hot spot, of the noiseless hot-spot tissue.

    Parameters
    ----------
    frame_interval_s, last_s
        Frame interval and the last frame's time after contrast arrival; neither was published.

    Returns
    -------
    dict
        ``maximum`` and ``steepest_rise`` (between two consecutive frames), both over the baseline; ``washout`` (%) of
        the last frame, against the peak of a 3-frame moving average or 67 s, whichever is earlier; and
        ``early_enhancement`` at 45 s over the baseline, which was not published.
    """
    times, signal = expected_curve(recipe, frame_interval_s=frame_interval_s, last_s=last_s)
    since = times - recipe.protocol.arrival_s
    baseline = float(signal[since <= -0.5 * frame_interval_s].mean())
    smooth = np.convolve(signal, np.ones(3) / 3.0, mode="valid")
    peak = int(np.argmax(smooth))
    late = float(np.interp(_REFERENCE_S, since, signal))
    reference = float(smooth[peak]) if since[peak + 1] < _REFERENCE_S else late
    return {
        "maximum": float(signal.max()) / baseline - 1.0,
        "steepest_rise": float(np.diff(signal).max()) / baseline,
        "washout": 100.0 * (float(signal[-1]) / reference - 1.0),
        "early_enhancement": float(np.interp(_EARLY_S, since, signal)) / baseline - 1.0,
    }
