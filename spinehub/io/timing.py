"""When each frame was acquired: from the arguments, the JSON sidecar, or the header, in this order.

A frame's time is the centre of its acquisition. Sidecars list onsets. An MR series repeats one sequence, so its frames
last equally long and centres differ as onsets do, also around a pause for the injection; only where the sidecar gives
one ``FrameDuration`` per frame that fits between the onsets is half of it added.

A single number may mean something else: ``RepetitionTime`` is the sequence TR in most converted files, and
``pixdim[4]`` is often a leftover. It counts as a frame interval only between 0.5 and 120 s. Lists of times mean one
thing only and are taken as they stand.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.io.formats import file_stem
from spinehub.io.guard import refused_on_damage
from spinehub.io.header import FileHeader
from spinehub.series import Protocol

__all__ = [
    "MAX_INTERVAL_S",
    "MIN_INTERVAL_S",
    "checked_arguments",
    "frame_times",
    "protocol_of",
    "read_sidecar",
    "sidecar_path",
    "sidecar_text",
]

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.5, 120.0
"""A single number counts as a frame interval only in this range (DESIGN 5)."""
_MAX_SIDECAR = 2**22
_ONSET_KEYS = ("VolumeTiming", "FrameTimesStart")
_HOW_TO_FIX = "correct or remove it, or give --times-s"

Times = NDArray[np.float64]


def checked_arguments(
    times_s: Sequence[float] | NDArray[Any] | None, frame_interval_s: float | None
) -> tuple[Times | None, float | None]:
    """Check what the caller says about times, before a file is opened.

    Raises
    ------
    InvalidArgumentError
        If both are given, or the interval is not above 0, or the times are not numbers.
    """
    if times_s is not None and frame_interval_s is not None:
        raise InvalidArgumentError("give either times_s or frame_interval_s, not both: they may contradict each other")
    if frame_interval_s is not None and not (np.isfinite(frame_interval_s) and frame_interval_s > 0):
        raise InvalidArgumentError(f"frame_interval_s must be above 0 seconds, got {frame_interval_s}")
    if times_s is None:
        return None, frame_interval_s
    try:
        times = np.asarray(times_s, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"times_s must be numbers in seconds, got {times_s!r:.60}") from error
    if times.ndim != 1:
        raise InvalidArgumentError(f"times_s must be one list of seconds, got an array of shape {times.shape}")
    return times, None


def frame_times(
    header: FileHeader, sidecar: Mapping[str, Any], times_s: Times | None, frame_interval_s: float | None
) -> Times | None:
    """Return ``(T,)`` frame times in seconds (any zero point), None where nothing credible states them.

    Raises
    ------
    InputRefusedError
        If the sidecar lists times that do not fit the series and no argument replaces them.
    """
    count = header.frame_count
    if times_s is not None:
        return times_s
    if frame_interval_s is not None:
        return np.arange(count, dtype=np.float64) * frame_interval_s
    for key in _ONSET_KEYS:
        if sidecar.get(key) is not None:
            onsets = _onsets(header, key, sidecar[key])
            return onsets + _half_durations(sidecar.get("FrameDuration"), onsets)
    for interval in (_number(sidecar, "RepetitionTime"), header.interval_s):
        if interval is not None and MIN_INTERVAL_S <= interval <= MAX_INTERVAL_S:
            return np.arange(count, dtype=np.float64) * interval
    return None if header.times_s is None else np.asarray(header.times_s, dtype=np.float64)


def sidecar_path(path: Path) -> Path:
    """Return where the sidecar of an image lies: ``x.json`` beside ``x.nii.gz``."""
    return path.with_name(file_stem(path) + ".json")


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the JSON sidecar of an image, empty where there is none.

    Raises
    ------
    InputRefusedError
        If there is one that is not a JSON object.
    """
    path = sidecar_path(path)
    if not path.is_file():
        return {}
    with refused_on_damage(path.name), path.open("rb") as stream:
        block = stream.read(_MAX_SIDECAR + 1)
    if len(block) > _MAX_SIDECAR:
        raise InputRefusedError(f"{path.name} is larger than {_MAX_SIDECAR} bytes, so it is no sidecar; remove it")
    try:
        content = json.loads(block)
    except (ValueError, RecursionError) as error:
        raise InputRefusedError(f"{path.name} is not valid JSON; {_HOW_TO_FIX}") from error
    if not isinstance(content, dict):
        raise InputRefusedError(f"{path.name} must hold one JSON object with named fields; {_HOW_TO_FIX}")
    return content


def sidecar_text(times_s: Times | None, protocol: Protocol) -> str:
    """Return a sidecar that :func:`read_sidecar` and BIDS tools understand; empty fields are left out.

    ``VolumeTiming`` lists onsets; with frames of equal length these are the centres up to a constant.
    """
    fields = {
        "VolumeTiming": None if times_s is None else [float(t) for t in times_s],
        "RepetitionTimeExcitation": protocol.repetition_time_s,
        "EchoTime": protocol.echo_time_s,
        "FlipAngle": protocol.flip_angle_deg,
        "MagneticFieldStrength": protocol.field_strength_t,
    }
    return json.dumps({key: value for key, value in fields.items() if value is not None}, indent=1) + "\n"


def protocol_of(header: FileHeader, sidecar: Mapping[str, Any]) -> Protocol:
    """Return the sequence parameters of the sidecar, those of the header where the sidecar is silent.

    ``RepetitionTime`` counts as the sequence TR below 0.5 s only: above, it is read as the frame interval.
    """
    repetition = _number(sidecar, "RepetitionTimeExcitation")
    if repetition is None:
        stated = _number(sidecar, "RepetitionTime")
        repetition = stated if stated is not None and stated < MIN_INTERVAL_S else None
    stated_in_header = header.protocol
    return Protocol(
        repetition if repetition is not None else stated_in_header.repetition_time_s,
        _number(sidecar, "EchoTime") or stated_in_header.echo_time_s,
        _number(sidecar, "FlipAngle") or stated_in_header.flip_angle_deg,
        _number(sidecar, "MagneticFieldStrength") or stated_in_header.field_strength_t,
    )


def _number(sidecar: Mapping[str, Any], key: str) -> float | None:
    """Return a positive finite number of the sidecar, else None."""
    value = sidecar.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if np.isfinite(value) and value > 0 else None


def _onsets(header: FileHeader, key: str, stated: Any) -> Times:
    name = sidecar_path(Path(header.name)).name
    if not isinstance(stated, list) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in stated):
        raise InputRefusedError(f"{name} must list {key} as numbers in seconds; {_HOW_TO_FIX}")
    if len(stated) != header.frame_count:
        raise InputRefusedError(
            f"{name} lists {len(stated)} times as {key}, but {header.name} has {header.frame_count} frames; "
            f"{_HOW_TO_FIX}"
        )
    onsets = np.asarray(stated, dtype=np.float64)
    if not np.isfinite(onsets).all() or (np.diff(onsets) <= 0).any():
        raise InputRefusedError(f"{name} lists times as {key} that do not rise from frame to frame; {_HOW_TO_FIX}")
    return onsets


def _half_durations(stated: Any, onsets: Times) -> Times | float:
    """Return half of each frame's duration where they are believable, else 0.

    Converters write a lone or meaningless ``FrameDuration`` for MR (dcm2niix issue 616 shows 1200 for frames 3 s
    apart), so durations count only when there is one per frame and none reaches beyond the next onset.
    """
    if not isinstance(stated, list) or len(stated) != onsets.size:
        return 0.0
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in stated):
        return 0.0
    durations = np.asarray(stated, dtype=np.float64)
    fits = (durations > 0).all() and (durations[:-1] <= np.diff(onsets) * 1.001).all()
    return durations / 2 if fits else 0.0
