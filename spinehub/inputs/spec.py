"""The one record that says how inputs of a network are made."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from spinehub.errors import InvalidArgumentError

__all__ = ["NEIGHBOUR_SLICES", "ChannelSet", "PreprocessingSpec"]

ChannelSet: TypeAlias = Literal["maps+frames", "maps", "frames", "maps+slices"]
"""``maps+slices`` is the other reading of "10 layers of CE images": 10 neighbouring slices of the peak frame."""

NEIGHBOUR_SLICES = tuple(range(-5, 5))
"""Offsets, in slices, of the 10 neighbours that ``maps+slices`` shows."""

FrameContent: TypeAlias = Literal["change", "signal"]
"""``change``: a frame is shown as its difference from the baseline, where there is one; ``signal``: as it is."""

_VERSIONS = (1, 2)
_BEFORE_2: dict[str, Any] = {"map_unit_percent": (100.0, 100.0, 100.0), "frames_as": "signal"}
"""Fields that came with version 2, and what version 1 did."""


@dataclass(frozen=True)
class PreprocessingSpec:
    """How a series or volume becomes the channels of sagittal slices.

    Parameters
    ----------
    spacing_mm
        In-plane spacing of the slices.
    size
        Rows and columns of the square crop, in pixels.
    slice_spacing_mm
        Distance of the slices where the file is finer than 2/3 of it from right to left; else slices stay as acquired.
    depth_mm
        Extent of the stack from right to left; slices outside the file are left out.
    frame_times_s
        Times after contrast arrival the frames are interpolated at; a time below 0 means the mean of the baseline.
    maps
        Names of the parametric maps, in channel order.
    map_unit_percent
        So many per cent of each map count as 1. Wash-out varies less than enhancement, so its unit is smaller: a
        network learns nothing from a channel that hardly moves.
    channels
        Which of both are shown.
    frames_as
        As change or as signal; in units of the body's median baseline signal either way. What tells the classes
        apart is small beside the signal itself, so frames are shown as changes.
    version
        Version of these rules; the configurations of version 1 are still read.
    """

    spacing_mm: float = 1.5
    size: int = 128
    slice_spacing_mm: float = 4.5
    depth_mm: float = 90.0
    frame_times_s: tuple[float, ...] = (-10.0, 10.0, 20.0, 30.0, 45.0, 67.0, 90.0, 120.0, 180.0, 240.0)
    maps: tuple[str, ...] = ("peak_enhancement", "early_enhancement", "washout")
    map_unit_percent: tuple[float, ...] = (100.0, 100.0, 20.0)
    channels: ChannelSet = "maps+frames"
    frames_as: FrameContent = "change"
    version: int = _VERSIONS[-1]

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame_times_s", tuple(float(t) for t in self.frame_times_s))
        object.__setattr__(self, "maps", tuple(self.maps))
        object.__setattr__(self, "map_unit_percent", tuple(float(unit) for unit in self.map_unit_percent))
        for name in ("spacing_mm", "slice_spacing_mm", "depth_mm"):
            if not 0.0 < getattr(self, name) < 1000.0:
                raise InvalidArgumentError(f"{name} must be between 0 and 1000 mm, got {getattr(self, name)}")
        if self.size < 8 or self.size % 2:
            raise InvalidArgumentError(f"size must be an even number of at least 8 pixels, got {self.size}")
        if self.channels not in get_args(ChannelSet):
            raise InvalidArgumentError(f"channels must be one of {get_args(ChannelSet)}, got {self.channels!r}")
        if self.frames_as not in get_args(FrameContent):
            raise InvalidArgumentError(f"frames_as must be one of {get_args(FrameContent)}, got {self.frames_as!r}")
        if len(self.map_unit_percent) != len(self.maps) or not all(unit > 0 for unit in self.map_unit_percent):
            raise InvalidArgumentError(
                f"map_unit_percent must hold a number above 0 per map, got {self.map_unit_percent}"
            )
        if self.version not in _VERSIONS:
            raise InvalidArgumentError(
                f"version of the preprocessing must be one of {_VERSIONS}, got {self.version}; update spinehub"
            )

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Name of each channel, in order."""
        frames = tuple(f"frame_{t:+g}s" for t in self.frame_times_s)
        slices = tuple(f"slice_{n:+d}" for n in NEIGHBOUR_SLICES)
        if self.channels == "maps+frames":
            return self.maps + frames
        return {"maps": self.maps, "frames": frames, "maps+slices": self.maps + slices}[self.channels]

    @property
    def peak_slot(self) -> int:
        """Index in `frame_times_s` of the time nearest to 67 s: where a frame without times is put."""
        return min(range(len(self.frame_times_s)), key=lambda n: abs(self.frame_times_s[n] - 67.0))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values; :meth:`from_dict` turns them back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PreprocessingSpec":
        """Read what :meth:`to_dict` wrote; an unknown or missing field is an error, never a silent default."""
        if values.get("version") == 1:
            values = {**_BEFORE_2, **values}
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            wrong = sorted(set(values) ^ names)
            raise InvalidArgumentError(f"preprocessing must hold exactly the fields {sorted(names)}, check {wrong}")
        arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**arguments)
        except TypeError as error:
            raise InvalidArgumentError(f"preprocessing holds a value of the wrong kind: {error}") from error
