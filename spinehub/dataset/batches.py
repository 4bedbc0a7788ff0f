"""Batches of slices and of lesions: which ones depends on (seed, step) alone, so that a resumed run sees the same."""

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from spinehub.dataset.augmentation import Augmentation, augment
from spinehub.dataset.prepared import PreparedCase, PreparedStack
from spinehub.dataset.teacher import sign_vector
from spinehub.errors import InvalidArgumentError
from spinehub.series import Regime

__all__ = ["LesionBatch", "LesionBatches", "SliceBatch", "SliceBatches", "prefetch"]

REGIME_SHARES: dict[Regime, float] = {"dynamic": 0.6, "pre_post": 0.3, "single": 0.1}
"""How often inputs are hidden: what a case is shown as. A single volume, which tells the classes apart hardly better
than a coin, is shown least: at a short budget, hiding nothing drew timed series better by 0.07 of Dice."""

CROPS: dict[float, float] = {0.5: 0.5, 0.75: 0.3, 1.0: 0.2}
"""Width of a batch of slices as a share of the input, and how often: half the cost of whole inputs only."""
_STRIDE = 32
_GROWN_SHARE = 0.6
"""How often the region to be judged is the grown one; else the truth, so that the lesion itself is learned."""
_UNMARKED, _MISPLACED = 0.25, 0.15
"""How often a network that reads the region is shown none, and one that lies elsewhere: a mark proves nothing."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, eq=False)
class SliceBatch:
    """Slices of L lesions, as many of each: B in all, those of one lesion in a row.

    Parameters
    ----------
    values
        ``(B, C, H, W)`` float32; C is one more where the region is read.
    labels
        ``(B, H, W)`` int64.
    inside
        ``(B, H, W)`` float32 share of each pixel in the region to be judged: the grown one or the truth.
    targets
        ``(L,)`` float32: probability of ``primary_malignant`` that is asked for.
    signs
        ``(L, K)`` float32 of :func:`spinehub.dataset.teacher.sign_vector`.
    """

    values: torch.Tensor
    labels: torch.Tensor
    inside: torch.Tensor
    targets: torch.Tensor
    signs: torch.Tensor


@dataclass(frozen=True, eq=False)
class LesionBatch:
    """Slices of B lesions.

    Parameters
    ----------
    slices
        ``(B, S, C + 1, H, W)`` float32 with the region last.
    valid
        ``(B, S)`` bool.
    lesion
        ``(B, S, H, W)`` float32 share of each pixel that is lesion.
    targets, signs
        ``(B,)`` and ``(B, K)`` float32, as in :class:`SliceBatch`.
    """

    slices: torch.Tensor
    valid: torch.Tensor
    lesion: torch.Tensor
    targets: torch.Tensor
    signs: torch.Tensor


@dataclass(frozen=True, eq=False)
class _Member:
    """A case as it is drawn from: its inputs by regime, and what is asked about it."""

    stacks: Mapping[Regime, PreparedStack]
    target: float
    signs: NDArray[np.float32]

    @classmethod
    def of(cls, case: PreparedCase, name: str) -> "_Member":
        return cls(case.stacks(name), case.target, sign_vector(case.signs))


class _Cases:
    """Cases of both classes, drawn evenly, each in a random regime."""

    def __init__(self, cases: Sequence[PreparedCase], name: str, seed: int) -> None:
        members = [(case.label, _Member.of(case, name)) for case in cases]
        self.by_class = [[each for label, each in members if label == wanted and each.stacks] for wanted in (0, 1)]
        if not all(self.by_class):
            raise InvalidArgumentError("cases must hold both classes to be learned from; add cases")
        self.seed = seed
        self.spec = next(iter(self.by_class[0][0].stacks.values())).spec

    def augmented(
        self,
        values: torch.Tensor,
        masks: torch.Tensor,
        generator: torch.Generator,
        how: Augmentation,
        size: int | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Augment a batch as its channels allow."""
        maps = 0 if self.spec.channels == "frames" else len(self.spec.maps)
        if self.spec.channels == "maps+slices":
            how = replace(how, hide_late=0.0)  # its last channels are neighbours, not late frames
        return augment(values, masks, maps, generator, how, size=size)

    def generators(self, step: int) -> tuple[np.random.Generator, torch.Generator]:
        """Source of every choice of one batch."""
        rng = np.random.default_rng([self.seed, step])
        return rng, torch.Generator().manual_seed(int(rng.integers(2**62)))

    def draw(self, rng: np.random.Generator, label: int) -> tuple[_Member, PreparedStack]:
        """One case of a class, shown in one regime."""
        member = self.by_class[label][int(rng.integers(len(self.by_class[label])))]
        regimes = list(member.stacks)
        shares = np.array([REGIME_SHARES[regime] for regime in regimes])
        return member, member.stacks[regimes[int(rng.choice(len(regimes), p=shares / shares.sum()))]]


class SliceBatches:
    """Batches for the segmenter.

    Parameters
    ----------
    cases
        Prepared cases of both classes.
    name
        Under which their inputs were prepared.
    seed
        Of every choice.
    size
        Slices per batch; half of each class.
    slices
        Slices per lesion.
    lesion_share
        Share of the slices that hold a lesion, drawn in proportion to the square root of its area there.
    how
        Augmentation; None for none.
    crops
        Width of the batches as a share of the whole input, and how often each is drawn, with augmentation only. The
        inputs are centred on the grown region, so the middle of them shows the lesion at a fraction of the cost; the
        whole input comes up too, since it is what the network is given later.
    with_region
        Whether the region of the click, always the grown one, is the last channel.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        name: str,
        *,
        seed: int,
        size: int = 16,
        slices: int = 1,
        lesion_share: float = 0.9,
        how: Augmentation | None = None,
        crops: Mapping[float, float] = CROPS,
        with_region: bool = False,
    ) -> None:
        if size % slices:
            raise InvalidArgumentError(f"size must be a multiple of slices = {slices}, got {size}")
        self._cases = _Cases(cases, name, seed)
        self.size = size
        self.slices = slices
        self.lesion_share = lesion_share
        self.how = how
        self.crops = dict(crops)
        self.with_region = with_region

    def batch(self, step: int) -> SliceBatch:
        """Batch of one step."""
        rng, generator = self._cases.generators(step)
        values, masks, members = [], [], []
        for sample in range(self.size // self.slices):
            member, stack = self._cases.draw(rng, (sample + step) % 2)
            chosen = np.array([self._slice(stack, rng) for _ in range(self.slices)])
            labels, inside = stack.labels(chosen), stack.inside(chosen)
            shown = inside if rng.random() < _GROWN_SHARE and inside.any() else (labels > 0).astype(np.float32)
            values.append(stack.values(chosen))
            # Both classes as soft masks: linear interpolation, then the class that covers half of the pixel.
            soft_masks = [labels == 1, labels == 2, shown, *([_marked(inside, rng)] if self.with_region else [])]
            masks.append(np.stack(soft_masks, axis=1, dtype=np.float32))
            members.append(member)
        images, soft = torch.from_numpy(np.stack(values)), torch.from_numpy(np.stack(masks))
        if self.how is not None:
            images, soft = self._cases.augmented(images, soft, generator, self.how, self._edge(rng))
        images, soft = images.flatten(0, 1), soft.flatten(0, 1)
        images = torch.cat([images, soft[:, 3:]], dim=1)
        moved = torch.where(soft[:, :2].amax(dim=1) >= 0.5, 1 + soft[:, :2].argmax(dim=1), 0)
        return SliceBatch(images, moved.long(), soft[:, 2], *_questions(members))

    def _slice(self, stack: PreparedStack, rng: np.random.Generator) -> int:
        held = np.flatnonzero(stack.lesion_pixels > 0)
        if held.size and rng.random() < self.lesion_share:
            # Not by the area itself: most of what the network draws too much lies in slices that hold little lesion.
            share = np.sqrt(stack.lesion_pixels[held])
            return int(rng.choice(held, p=share / share.sum()))
        return int(rng.integers(stack.slice_count))

    def _edge(self, rng: np.random.Generator) -> int:
        """Width of a batch in pixels: a multiple of what the deepest encoder halves down to one."""
        whole = self._cases.spec.size
        share = float(rng.choice(list(self.crops), p=list(self.crops.values())))
        return min(whole, max(_STRIDE, _STRIDE * round(share * whole / _STRIDE)))


class LesionBatches:
    """Batches for the classifier: several slices of the grown region of each case.

    Parameters
    ----------
    cases, name, seed, how
        As :class:`SliceBatches`.
    size
        Cases per batch; half of each class.
    slices
        Slices per case, drawn in proportion to the region's area.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        name: str,
        *,
        seed: int,
        size: int = 4,
        slices: int = 4,
        how: Augmentation | None = None,
    ) -> None:
        self._cases = _Cases(cases, name, seed)
        self.size = size
        self.slices = slices
        self.how = how

    def batch(self, step: int) -> LesionBatch:
        """Batch of one step."""
        rng, generator = self._cases.generators(step)
        spec = self._cases.spec
        values = np.zeros((self.size, self.slices, len(spec.channel_names), spec.size, spec.size), np.float32)
        masks = np.zeros((self.size, self.slices, 2, spec.size, spec.size), np.float32)
        valid = np.zeros((self.size, self.slices), bool)
        members = []
        for sample in range(self.size):
            member, stack = self._cases.draw(rng, (sample + step) % 2)
            members.append(member)
            chosen = self._chosen(stack, rng)
            values[sample, : len(chosen)] = stack.values(chosen)
            masks[sample, : len(chosen), 0] = stack.inside(chosen)
            masks[sample, : len(chosen), 1] = stack.labels(chosen) > 0
            valid[sample, : len(chosen)] = True
        images, soft = torch.from_numpy(values), torch.from_numpy(masks)
        if self.how is not None:
            images, soft = self._cases.augmented(images, soft, generator, self.how)
        slices = torch.cat([images, soft[:, :, :1]], dim=2)
        return LesionBatch(slices, torch.from_numpy(valid), soft[:, :, 1], *_questions(members))

    def _chosen(self, stack: PreparedStack, rng: np.random.Generator) -> NDArray[np.intp]:
        held = np.flatnonzero(stack.grown_pixels > 0)
        if held.size == 0:
            return np.array([stack.slice_count // 2])
        share = stack.grown_pixels[held] / stack.grown_pixels[held].sum()
        drawn = rng.choice(held, size=min(self.slices, held.size), replace=False, p=share)
        return np.sort(drawn)


def _marked(region: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Region of a click ``(n, H, W)`` as a network is shown it: as it is, nowhere, or somewhere else."""
    fate = rng.random()
    if fate < _UNMARKED:
        return np.zeros_like(region)
    if fate >= _UNMARKED + _MISPLACED:
        return region
    width = region.shape[-1]
    rows, columns = (int(rng.choice((-1, 1)) * rng.integers(width // 12, width // 4)) for _ in range(2))
    return np.roll(region, (rows, columns), axis=(1, 2))


def _questions(members: Sequence[_Member]) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets and signs of the lesions of a batch."""
    targets = torch.tensor([member.target for member in members], dtype=torch.float32)
    return targets, torch.from_numpy(np.stack([member.signs for member in members]))


def prefetch(batch_of: Callable[[int], _Item], start: int, *, ahead: int = 2) -> Generator[_Item, None, None]:
    """Make the next batches in a thread while one is learned from; endless.

    Parameters
    ----------
    batch_of
        Makes the batch of a step.
    start
        First step.
    ahead
        Batches kept ready.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        # A second team of OpenMP threads makes those of the fit sleep between operations: a step took 1.5 to 2 times
        # as long. The limit holds for the thread that sets it once it has asked for its own, and, until set again, for
        # threads to come.
        pool.submit(torch.get_num_threads).result()
        pool.submit(torch.set_num_threads, 1).result()
        torch.set_num_threads(threads)
        waiting = [pool.submit(batch_of, start + k) for k in range(ahead)]
        step = start + ahead
        try:
            while True:
                item = waiting.pop(0).result()
                waiting.append(pool.submit(batch_of, step))
                step += 1
                yield item
        finally:
            for future in waiting:
                future.cancel()
