"""Sagittal slices of a series or volume, resampled in-plane, whatever plane it was acquired in.

The slices follow the file's own axes (the nearest one to right-left, front-back and head-feet), so that the thick
slices of an oblique sagittal series are never interpolated across. Every step is separable: one small matrix of
interpolation weights per axis.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from spinehub.errors import InvalidArgumentError
from spinehub.inputs.regimes import frame_weights
from spinehub.inputs.sampling import Sampler
from spinehub.inputs.spec import NEIGHBOUR_SLICES, PreprocessingSpec
from spinehub.perfusion import Timing, body_signal
from spinehub.series import DynamicSeries, ParametricMap, Regime
from spinehub.volume import Grid, Mask, Position, Volume, frozen_array

__all__ = ["SliceStack", "crop_box", "make_stack", "mask_slices"]

MAP_LIMIT = 5.0
"""Map channels, in units of the specification, are clipped to plus and minus this: enhancement at 500 %."""
FRAME_LIMIT = 10.0
"""Frame channels, in units of the body's median baseline signal, are clipped to plus and minus this."""


@dataclass(frozen=True, eq=False)
class SliceStack:
    """What a network sees of one case.

    Parameters
    ----------
    values
        ``(N, C, H, W)`` float32: slices from the patient's right to left, channels of `spec`, rows from superior to
        inferior, columns from anterior to posterior. A channel that could not be computed is 0 everywhere.
    grid
        Where the pixels are: shape ``(N, H, W)``.
    regime
        What the timing of the input supports.
    spec
        How the values were made.
    """

    values: NDArray[np.float32]
    grid: Grid
    regime: Regime
    spec: PreprocessingSpec

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen_array(self.values, np.float32))
        slices, rows, columns = self.grid.shape
        expected = (slices, len(self.spec.channel_names), rows, columns)
        if self.values.shape != expected:
            raise InvalidArgumentError(f"values must have shape {expected} (N, C, H, W), got {self.values.shape}")

    @cached_property
    def available(self) -> NDArray[np.bool_]:
        """``(C,)`` bool: the channels that hold anything."""
        return frozen_array(self.values.any(axis=(0, 2, 3)), np.bool_)

    def to_grid(self, values: NDArray[Any], grid: Grid) -> NDArray[Any]:
        """Put one number per pixel back onto the voxels of a file.

        Parameters
        ----------
        values
            ``(N, H, W)``; bool and integers are taken from the nearest pixel, floats linearly.
        grid
            Any grid.

        Returns
        -------
        NDArray
            ``(I, J, K)`` of the same dtype; 0 outside the stack.
        """
        if values.shape != self.grid.shape:
            raise InvalidArgumentError(f"values must have the shape of the stack {self.grid.shape}, got {values.shape}")
        result = np.zeros(grid.shape, dtype=values.dtype)
        box = _overlap(self.grid, grid)
        if box is None:
            return result
        low = np.array([part.start for part in box], dtype=float)
        matrix = self.grid.inverse @ grid.affine
        linear = np.issubdtype(values.dtype, np.floating)
        result[box] = affine_transform(
            values if linear else values.astype(np.int16),
            matrix[:3, :3],
            offset=matrix[:3, :3] @ low + matrix[:3, 3],
            output_shape=tuple(part.stop - part.start for part in box),
            order=1 if linear else 0,
            mode="grid-constant",
        ).astype(values.dtype)
        return result


def make_stack(
    image: DynamicSeries | Volume,
    spec: PreprocessingSpec,
    *,
    timing: Timing,
    maps: Mapping[str, ParametricMap],
    center_mm: Position,
) -> SliceStack:
    """Make the input of a network.

    Parameters
    ----------
    image
        Series or volume, in file order.
    spec
        How; from the configuration of the network.
    timing
        Of :func:`spinehub.perfusion.assess_timing`.
    maps
        Of :func:`spinehub.perfusion.compute_maps`; a map that is missing leaves its channel at 0.
    center_mm
        Centre of the crop, RAS+: the centroid of the grown mask, or the seed.

    Returns
    -------
    SliceStack
        Slices around `center_mm`.

    Raises
    ------
    InvalidArgumentError
        If the centre lies outside the volume.
    GridMismatchError
        If a map lies on another grid.
    """
    image.grid.index_of(center_mm)
    sampler = Sampler.around(image.grid, spec, center_mm)
    need_maps = spec.channels != "frames"
    parts = [_map_channels(image.grid, sampler, spec, maps)] if need_maps else []
    if spec.channels != "maps":
        slots = [spec.peak_slot] if spec.channels == "maps+slices" else list(range(len(spec.frame_times_s)))
        frames = _frame_channels(image, sampler, spec, timing, slots)
        parts.append(_neighbours(frames[:, 0]) if spec.channels == "maps+slices" else frames)
    regime: Regime = "single" if isinstance(image, Volume) else timing.regime
    return SliceStack(np.concatenate(parts, axis=1), sampler.grid, regime, spec)


def mask_slices(mask: Mask, stack: SliceStack) -> NDArray[np.float32]:
    """Resample a mask onto a stack: ``(N, H, W)`` float32, the share of each pixel that lies inside (0 to 1)."""
    return Sampler.between(mask.grid, stack.grid)(mask.voxels)


def crop_box(grid: Grid, spec: PreprocessingSpec, center_mm: Position) -> tuple[slice, slice, slice]:
    """Voxels of a file, along i, j, k, that a stack around a position is made from."""
    grid.index_of(center_mm)
    return Sampler.around(grid, spec, center_mm).box


def _map_channels(
    grid: Grid, sampler: Sampler, spec: PreprocessingSpec, maps: Mapping[str, ParametricMap]
) -> NDArray[np.float32]:
    channels = np.zeros((sampler.grid.shape[0], len(spec.maps), spec.size, spec.size), np.float32)
    for channel, (name, unit) in enumerate(zip(spec.maps, spec.map_unit_percent, strict=True)):
        if name in maps:
            grid.require_match(maps[name].grid, f"map {name}")
            inside = maps[name].values[sampler.box]
            channels[:, channel] = np.clip(sampler.apply(_finite(inside) / np.float32(unit)), -MAP_LIMIT, MAP_LIMIT)
    return channels


def _frame_channels(
    image: DynamicSeries | Volume, sampler: Sampler, spec: PreprocessingSpec, timing: Timing, slots: list[int]
) -> NDArray[np.float32]:
    channels = np.zeros((sampler.grid.shape[0], len(slots), spec.size, spec.size), np.float32)
    frames = image.voxels[..., None] if isinstance(image, Volume) else image.frames
    weights = frame_weights(image, timing, spec, sampler.box) / body_signal(image, timing)

    def mixed(column: NDArray[np.float64]) -> NDArray[np.float32]:
        # Only frames with a weight: a NaN in another frame must not reach this one.
        terms = (column[frame] * frames[(*sampler.box, frame)] for frame in np.flatnonzero(column))
        return sampler.apply(_finite(np.asarray(sum(terms))))

    baselines = [slot for slot, time_s in enumerate(spec.frame_times_s) if time_s < 0.0 and weights[:, slot].any()]
    subtract = spec.frames_as == "change" and bool(baselines)
    before = mixed(weights[:, baselines[0]]) if subtract else np.float32(0.0)
    for channel, slot in enumerate(slots):
        if weights[:, slot].any():
            shown = mixed(weights[:, slot]) - (0.0 if slot in baselines else before)
            channels[:, channel] = np.clip(shown, -FRAME_LIMIT, FRAME_LIMIT)
    return channels


def _neighbours(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(N, H, W)`` -> ``(N, 10, H, W)``: each slice's neighbours, 0 beyond the ends."""
    slices = frame.shape[0]
    channels = np.zeros((slices, len(NEIGHBOUR_SLICES), *frame.shape[1:]), np.float32)
    for channel, offset in enumerate(NEIGHBOUR_SLICES):
        for target in range(max(0, -offset), min(slices, slices - offset)):
            channels[target, channel] = frame[target + offset]
    return channels


def _finite(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    return np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _overlap(stack_grid: Grid, grid: Grid) -> tuple[slice, slice, slice] | None:
    """Box of the voxels of `grid` that may lie inside the stack, None where there are none."""
    ends = [(-1.0, float(size)) for size in stack_grid.shape]
    corners = np.array(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    matrix = grid.inverse @ stack_grid.affine
    points = matrix[:3, :3] @ corners + matrix[:3, 3:]
    low = np.maximum(np.floor(points.min(axis=1)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=1)), np.asarray(grid.shape) - 1).astype(int)
    if (high < low).any():
        return None
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))  # type: ignore[return-value]
