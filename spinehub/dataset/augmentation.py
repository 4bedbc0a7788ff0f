"""Random changes that keep the class: in-plane rotation, scale and shift, gain, noise, hidden channels.

No flips: front and back, head and feet differ in the body, and the network must learn it. Nothing bends the curve of a
voxel (no gamma, no gain per frame): what tells the classes apart lies in the contrast.
"""

from dataclasses import dataclass

import torch

__all__ = ["Augmentation", "augment"]


@dataclass(frozen=True)
class Augmentation:
    """How far inputs are changed; every number is the end of a symmetric range, or a standard deviation.

    Parameters
    ----------
    rotation_deg, shift
        Rotation in degrees; shift as a share of the crop.
    scale
        Natural logarithm of the zoom.
    gain, map_gain
        Natural logarithms: one gain for all frames of a case (the body signal is an estimate) and one for the maps.
    noise
        Standard deviation of noise added to frames and maps.
    hide_maps, hide_late
        Chance that all maps are hidden, and that the scan ends early: late frames and the wash-out map are hidden.
    """

    rotation_deg: float = 12.0
    shift: float = 0.08
    scale: float = 0.15
    gain: float = 0.1
    map_gain: float = 0.05
    noise: float = 0.04
    hide_maps: float = 0.1
    hide_late: float = 0.15


def augment(
    values: torch.Tensor,
    masks: torch.Tensor,
    maps: int,
    generator: torch.Generator,
    how: Augmentation,
    *,
    size: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Change a batch; every sample in its own way.

    Parameters
    ----------
    values
        ``(B, S, C, H, W)`` float32: S slices of one case are changed alike.
    masks
        ``(B, S, M, H, W)`` float32; moved with the values, linearly interpolated.
    maps
        The first so many channels are maps, the rest frames.
    generator
        On the CPU.
    how
        Strength.
    size
        Only the middle `size` x `size` pixels are made; None: all.

    Returns
    -------
    tuple of Tensor
        New values and masks.
    """
    batch, slices, channels, height, width = values.shape
    both = torch.cat([values, masks], dim=2).flatten(1, 2)
    rows, columns = (height, width) if size is None else (size, size)
    matrices = _matrices(batch, generator, how)
    # Coordinates of the result run from -1 to 1 whatever its size: fewer pixels of the same width span less.
    matrices[:, :, :2] *= torch.tensor([columns / width, rows / height])
    grid = torch.nn.functional.affine_grid(matrices.to(values.device), [batch, 1, rows, columns], align_corners=False)
    both = torch.nn.functional.grid_sample(both, grid, align_corners=False).unflatten(1, (slices, -1))
    values, masks = both[:, :, :channels], both[:, :, channels:]
    # What was not acquired stays 0, and the network must see that it is.
    there = (values.flatten(3) != 0).any(dim=3).any(dim=1)[:, None, :, None, None]
    values = _intensities(values, maps, generator, how)
    return torch.where(there & _shown(batch, channels, maps, generator, how).to(values.device), values, 0.0), masks


def _uniform(count: int, generator: torch.Generator, end: float) -> torch.Tensor:
    return (2.0 * torch.rand(count, generator=generator) - 1.0) * end


def _matrices(batch: int, generator: torch.Generator, how: Augmentation) -> torch.Tensor:
    """``(B, 2, 3)``: where each pixel of the result is taken from."""
    angle = torch.deg2rad(_uniform(batch, generator, how.rotation_deg))
    zoom = torch.exp(_uniform(batch, generator, how.scale))
    matrix = torch.zeros(batch, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = torch.cos(angle) / zoom
    matrix[:, 0, 1], matrix[:, 1, 0] = -torch.sin(angle) / zoom, torch.sin(angle) / zoom
    matrix[:, 0, 2], matrix[:, 1, 2] = (2.0 * _uniform(batch, generator, how.shift) for _ in range(2))
    return matrix


def _intensities(values: torch.Tensor, maps: int, generator: torch.Generator, how: Augmentation) -> torch.Tensor:
    batch, device = len(values), values.device

    def drawn(end: float) -> torch.Tensor:
        return torch.exp(_uniform(batch, generator, end)).view(-1, 1, 1, 1, 1).to(device)

    gain, map_gain = drawn(how.gain), drawn(how.map_gain)
    changed = torch.cat([map_gain * values[:, :, :maps], gain * values[:, :, maps:]], dim=2)
    strength = how.noise * torch.rand(batch, generator=generator).view(-1, 1, 1, 1, 1)
    noise = torch.randn(values.shape, generator=generator) * strength
    return changed + noise.to(device)


def _shown(batch: int, channels: int, maps: int, generator: torch.Generator, how: Augmentation) -> torch.Tensor:
    """``(B, 1, C, 1, 1)`` bool: channels that are not hidden."""
    shown = torch.ones(batch, channels, dtype=torch.bool)
    draws = torch.rand(batch, 3, generator=generator)
    for sample, (hide_maps, hide_late, end) in enumerate(draws.tolist()):
        if channels > maps and hide_maps < how.hide_maps:
            shown[sample, :maps] = False
        elif channels > maps + 1 and hide_late < how.hide_late:
            # The scan ends after the first half of the frames at the earliest; wash-out, the last map, needs the end.
            first_hidden = maps + (channels - maps) // 2 + int(end * (channels - maps) / 2)
            shown[sample, first_hidden:] = False
            shown[sample, max(0, maps - 1) : maps] = False
    return shown.view(batch, 1, channels, 1, 1)
