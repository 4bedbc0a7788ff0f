"""What a classifier is taught by a finished U-Net: to see, place by place, what that one's encoder sees.

Class and signs are a dozen numbers for a lesion of thousands of pixels, and Inception-ResNet-v2 has fifteen times the
U-Net's weights; docs/training.md has what it made of them alone. The features of a network that sees already are
hundreds of numbers at every place (hints: Romero et al. 2015, FitNets). Only training needs these weights.
"""

from typing import Any

import torch
from torch import nn

from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionSegmenter
from spinehub.models.lesion_head import covered, covered_share

__all__ = ["Hints"]

_REDUCTIONS = (4, 8, 16)
"""Pixels of the input per place of the stages that are compared."""
_ELSEWHERE = 0.25
"""Weight of a place without lesion, over that of one that is all lesion, less one."""
_LEAST_DEVIATION = 1e-3


class Hints(nn.Module):
    """Reads the features of a U-Net's encoder from the stages of a classifier.

    Parameters
    ----------
    network
        timm classifier with ``feature_info``.
    spec
        Its preprocessing.
    teacher
        Finished U-Net on the same channels; it stays as it is.

    Raises
    ------
    InvalidArgumentError
        If the U-Net looks at other channels.
    """

    def __init__(self, network: nn.Module, spec: PreprocessingSpec, teacher: LesionSegmenter) -> None:
        super().__init__()
        if teacher.spec.channel_names != spec.channel_names or not teacher.reads_region:
            raise InvalidArgumentError(
                "teacher must be a U-Net that reads the region and looks at the channels of the classifier, got one of "
                f"{len(teacher.spec.channel_names)} channels; train one with 'spinehub train unet'"
            )
        stages: Any = network.feature_info
        encoder: Any = teacher.network.encoder
        held = [each["reduction"] for each in stages]
        self.places = [
            (1 + max(k for k, each in enumerate(held) if each == reduction), reduction.bit_length() - 1)
            for reduction in _REDUCTIONS
            if reduction in held and reduction.bit_length() <= len(encoder.out_channels)
        ]
        self.reads = nn.ModuleList(
            [nn.Conv2d(int(stages[own - 1]["num_chs"]), encoder.out_channels[other], 1) for own, other in self.places]
        )
        self._size = 16 * max(1, round(spec.size * spec.spacing_mm / teacher.spec.spacing_mm / 16))
        self._teacher = [teacher.network]  # in a list: no weights of its own to be fitted, averaged or saved

    @torch.no_grad()
    def seen(self, slices: torch.Tensor) -> list[torch.Tensor]:
        """Features ``(N, F, h, w)`` the U-Net has of slices ``(N, C + 1, H, W)``, one per pair of stages."""
        network: Any = self._teacher[0].to(slices.device).eval()
        small = nn.functional.interpolate(slices.float(), (self._size, self._size), mode="bilinear", antialias=True)
        features = network.encoder(small)
        return [features[other].float() for _, other in self.places]

    def forward(self, stages: list[torch.Tensor], seen: list[torch.Tensor], lesion: torch.Tensor) -> torch.Tensor:
        """Mean squared distance from the U-Net's features, each scaled to a variance of 1.

        Parameters
        ----------
        stages
            Input and stages of the classifier, of :func:`spinehub.models.lesion_head.caught_stages`.
        seen
            Of :meth:`seen`.
        lesion
            ``(N, H, W)`` share of each pixel that is lesion: there it counts most.
        """
        losses = []
        for (own, _), read, features in zip(self.places, self.reads, seen, strict=True):
            student = read(stages[own].float())
            wanted = _at_places(features, student.shape[-2:], stages[0].shape[-2:])
            deviation, mean = torch.std_mean(wanted, dim=(0, 2, 3), keepdim=True)
            wanted = (wanted - mean) / deviation.clamp(min=_LEAST_DEVIATION)
            weight = _ELSEWHERE + covered(lesion[:, None], student.shape[-2:])
            each = (student - wanted).square().mean(dim=1, keepdim=True)
            losses.append((weight * each).sum() / weight.sum())
        return torch.stack(losses).mean()


def _at_places(features: torch.Tensor, places: torch.Size, whole: torch.Size) -> torch.Tensor:
    """Features of the whole input where the places of a stage lie, which cover its middle."""
    high, wide = (covered_share(size, count) for size, count in zip(whole, places, strict=True))
    theta = torch.tensor([[[wide, 0.0, 0.0], [0.0, high, 0.0]]], device=features.device)
    shape = [len(features), features.shape[1], *places]
    grid = nn.functional.affine_grid(theta.expand(len(features), -1, -1), shape, align_corners=False)
    return nn.functional.grid_sample(features, grid, padding_mode="border", align_corners=False)
