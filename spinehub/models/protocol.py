"""Sequence parameters a model was fitted on: enhancement in % means something else under others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spinehub.errors import InvalidArgumentError
from spinehub.series import Protocol

__all__ = ["ProtocolRange"]

_IN_WORDS = {
    "repetition_time_s": ("repetition time", "ms", 1000.0),
    "flip_angle_deg": ("flip angle", "degrees", 1.0),
    "field_strength_t": ("field strength", "T", 1.0),
    "frame_interval_s": ("frame interval", "s", 1.0),
}
_PROTOCOL_SLACK = 0.01
"""A protocol value may pass the fitted range by 1 %: scanners round."""


@dataclass(frozen=True)
class ProtocolRange:
    """Lowest and highest value of each sequence parameter in the training series; field strengths are a list."""

    repetition_time_s: tuple[float, float]
    flip_angle_deg: tuple[float, float]
    frame_interval_s: tuple[float, float]
    field_strengths_t: tuple[float, ...]

    @classmethod
    def of(cls, protocols: Sequence[Protocol], frame_intervals_s: Sequence[float]) -> "ProtocolRange":
        """Range of training series, all of whose sequence parameters must be known."""
        table = np.array(
            [[p.repetition_time_s, p.flip_angle_deg, p.field_strength_t] for p in protocols], dtype=np.float64
        ).reshape(-1, 3)
        interval = np.asarray(frame_intervals_s, dtype=np.float64)
        complete = np.isfinite(table).all() and np.isfinite(interval).all()
        if len(table) == 0 or interval.shape != (len(table),) or not complete:
            raise InvalidArgumentError(
                "protocols and frame_intervals_s must name repetition time, flip angle, field strength and frame "
                f"interval of every training series, got {len(table)} protocols and {interval.size} intervals"
            )
        low, high = table.min(axis=0), table.max(axis=0)
        return cls(
            (float(low[0]), float(high[0])),
            (float(low[1]), float(high[1])),
            (float(interval.min()), float(interval.max())),
            tuple(float(v) for v in np.unique(np.round(table[:, 2], 1))),
        )

    def why_not(self, protocol: Protocol, frame_interval_s: float | None) -> str | None:
        """Why the rule does not apply to a series with this protocol; None where it does."""
        values = {
            "repetition_time_s": protocol.repetition_time_s,
            "flip_angle_deg": protocol.flip_angle_deg,
            "field_strength_t": protocol.field_strength_t,
            "frame_interval_s": frame_interval_s,
        }
        unknown = [_IN_WORDS[name][0] for name, value in values.items() if value is None]
        if unknown:
            return (
                f"the file does not say its {' or '.join(unknown)}, and enhancement in % depends on it; "
                "add a JSON sidecar with the sequence parameters"
            )
        for name, value in values.items():
            if value is not None and not self._admits(name, value):
                words, unit, factor = _IN_WORDS[name]
                return (
                    f"the rule was fitted for a {words} of {self._in_words(name)} {unit}, this series has "
                    f"{value * factor:.4g} {unit}"
                )
        return None

    def _admits(self, name: str, value: float) -> bool:
        if name == "field_strength_t":
            return any(abs(value - known) < 0.15 for known in self.field_strengths_t)
        low, high = getattr(self, name)
        return bool(low * (1 - _PROTOCOL_SLACK) <= value <= high * (1 + _PROTOCOL_SLACK))

    def _in_words(self, name: str) -> str:
        factor = _IN_WORDS[name][2]
        if name == "field_strength_t":
            return " or ".join(f"{value:g}" for value in self.field_strengths_t)
        low, high = getattr(self, name)
        return f"{low * factor:.4g} to {high * factor:.4g}"

    def to_dict(self) -> dict[str, list[float]]:
        """JSON form."""
        return {name: list(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Sequence[float]]) -> "ProtocolRange":
        """Inverse of :meth:`to_dict`."""

        def pair(name: str) -> tuple[float, float]:
            low, high = data[name]
            return float(low), float(high)

        return cls(
            pair("repetition_time_s"),
            pair("flip_angle_deg"),
            pair("frame_interval_s"),
            tuple(float(value) for value in data["field_strengths_t"]),
        )
