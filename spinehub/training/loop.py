"""The one training loop of both networks: a learning rate that follows the budget, averaged weights, checkpoints.

Hugging Face Accelerate places weights and joins gradients, so that the same loop runs on a CPU, on a GPU, and on
several of either (``accelerate launch``). Each process takes batches of its own; the first scores, writes and decides.
"""

import atexit
import copy
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import nn
from tqdm import tqdm

from spinehub.dataset import prefetch
from spinehub.training.checkpoints import read_checkpoint, write_checkpoint
from spinehub.training.plan import TrainingPlan
from spinehub.training.record import TrainingLog, draw_curves

__all__ = ["Job", "fit"]

_WARM_UP = 0.05
"""Share of the budget in which the learning rate rises."""
_LAST_RATE = 1e-3
"""Learning rate at the end, as a share of its peak."""
_LOG_EVERY = 20
_SAVE_EVERY_S = 180.0
_LONGEST_GRADIENT = 5.0

_Batch = TypeVar("_Batch")


@dataclass(frozen=True, eq=False)
class Job(Generic[_Batch]):
    """What differs between the networks.

    Parameters
    ----------
    network
        Module to be fitted; holds the best weights afterwards.
    batch_of
        Makes the batch of a step.
    losses_of
        ``(network, batch, half)`` -> named losses; ``"loss"`` is minimised. `half` says whether the forward pass runs
        in bfloat16.
    score_of
        Scores the averaged weights on the validation cases: named figures; ``"score"``, lower is better, chooses.
    """

    network: nn.Module
    batch_of: Callable[[int], _Batch]
    losses_of: Callable[[nn.Module, _Batch, bool], dict[str, torch.Tensor]]
    score_of: Callable[[nn.Module], dict[str, float]]


@dataclass
class _State:
    step: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    best_score: float | None = None
    best_step: int = 0
    half: bool | None = None


def fit(
    job: Job[Any], plan: TrainingPlan, folder: Path, *, progress: Callable[[float, str], None] | None = None
) -> dict[str, Any]:
    """Fit a network within the plan's budget; goes on from the checkpoint in `folder` where there is one.

    Parameters
    ----------
    job
        Network, batches, losses, validation.
    plan
        Budget and rates.
    folder
        For ``log.jsonl``, ``loss.png`` and ``checkpoint/``.
    progress
        Called with the share of the budget used and a few words.

    Returns
    -------
    dict
        JSON record: steps, seconds, samples, best step and score, precision, device.
    """
    fitting = _Fitting(job, plan, folder)
    # disable=None is tqdm's word for "only where the output is a terminal".
    hidden = None if progress is None and fitting.leads else True
    bar: Any = tqdm(total=100, desc="training", unit="%", disable=hidden)
    with bar, closing(prefetch(fitting.own_batch, fitting.state.step)) as batches:
        while not fitting.finished:
            fitting.step(next(batches))
            fitting.evaluate_when_due()
            fitting.save_when_due()
            bar.update(round(100 * fitting.used) - bar.n)
            if progress is not None:
                progress(fitting.used, f"step {fitting.state.step}")
    return fitting.conclude()


class _Fitting:
    """A fit under way."""

    def __init__(self, job: Job[Any], plan: TrainingPlan, folder: Path) -> None:
        # bfloat16 is switched per pass here, since it pays on some processors only.
        self.accelerator = Accelerator(mixed_precision="no")
        if self.accelerator.num_processes > 1:
            atexit.register(_leave_group)
        self.job, self.plan, self.folder = job, plan, folder
        self.leads = bool(self.accelerator.is_main_process)
        self.device = self.accelerator.device
        self.network = job.network.to(self.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.best = _copied(self.average)
        self.optimizer = _optimizer(self.network, plan)
        self.state = _State()
        self._resume()
        # Wrapped where there are several processes; the bare network stays for everything but the forward pass.
        self.wrapped: nn.Module = self.accelerator.prepare_model(self.network)
        self.log = TrainingLog(folder / "log.jsonl", keep_until=self.state.step) if self.leads else None
        self.sums: dict[str, float] = {}
        self.summed = 0  # fewer than _LOG_EVERY in the first line after resuming
        self.started, self.saved = time.monotonic() - self.state.seconds, time.monotonic()

    def own_batch(self, step: int) -> Any:
        """Batch of this process; those of one step differ between the processes."""
        return self.job.batch_of(step * self.accelerator.num_processes + self.accelerator.process_index)

    def _resume(self) -> None:
        found = read_checkpoint(self.folder / "checkpoint", self.optimizer)
        if found is None:
            return
        modules, saved = found
        self.network.load_state_dict(modules["network"])
        self.average.load_state_dict(modules["average"])
        self.best = {name: value.to(self.device) for name, value in modules["best"].items()}
        self.state = _State(**saved)

    @property
    def used(self) -> float:
        """Share of the budget that is used."""
        return self.plan.share(self.state.step, self.state.seconds)

    @property
    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self.used >= 1.0 and self.state.step > 0

    def step(self, batch: Any) -> None:
        """Learn from one batch."""
        self.network.train()
        if self.state.half is None:
            self.state.half = bool(self._agreed(float(_faster_in_half(self.job, self.network, batch))))
        rate = self.plan.learning_rate * _rate(self.used)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = self.job.losses_of(self.wrapped, batch, self.state.half)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(losses["loss"])
        self.accelerator.clip_grad_norm_(self.wrapped.parameters(), _LONGEST_GRADIENT)
        self.optimizer.step()
        self.state.step += 1
        self.state.seconds = self._agreed(time.monotonic() - self.started)
        # The first averages follow faster, else they would remember the untrained weights.
        _follow(self.average, self.network, min(self.plan.averaging, self.state.step / (self.state.step + 10.0)))
        self._note(losses, rate)

    def _agreed(self, value: float) -> float:
        """What the first process says, so that all end together."""
        if self.accelerator.num_processes == 1:
            return value
        told: torch.Tensor = broadcast(torch.tensor(value, dtype=torch.float64, device=self.device))
        return float(told)

    def _note(self, losses: dict[str, torch.Tensor], rate: float) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.summed += 1
        if self.state.step % _LOG_EVERY == 0 and self.log is not None:
            means = {name: round(value / self.summed, 5) for name, value in self.sums.items()}
            self.log.write(self.state.step, seconds=round(self.state.seconds, 1), learning_rate=rate, **means)
            self.sums.clear()
            self.summed = 0

    def evaluate_when_due(self) -> None:
        """Score the averaged weights on the validation cases a few times, and at the end."""
        due = self.used * self.plan.evaluations >= self.state.evaluations + 1 or self.finished
        if not due or self.log is None:
            return
        figures = self.job.score_of(self.average)
        self.state.evaluations = max(self.state.evaluations + 1, math.floor(self.used * self.plan.evaluations))
        if self.state.best_score is None or figures["score"] <= self.state.best_score:
            self.state.best_score, self.state.best_step = figures["score"], self.state.step
            self.best = _copied(self.average)
        self.log.write(self.state.step, seconds=round(self.state.seconds, 1), **figures)
        draw_curves(self.log.path, self.folder / "loss.png")

    def save_when_due(self) -> None:
        """Write a checkpoint every few minutes, and at the end."""
        if not self.leads or (time.monotonic() - self.saved < _SAVE_EVERY_S and not self.finished):
            return
        modules = {"network": self.network.state_dict(), "average": self.average.state_dict(), "best": self.best}
        write_checkpoint(self.folder / "checkpoint", modules, self.optimizer, vars(self.state))
        self.saved = time.monotonic()

    def conclude(self) -> dict[str, Any]:
        """Put the best weights into the network and say how it went."""
        self.accelerator.wait_for_everyone()
        self.network.load_state_dict(self.best)
        return {
            "steps": self.state.step,
            "samples": self.state.step * self.plan.batch * self.accelerator.num_processes,
            "fit_seconds": round(self.state.seconds, 1),
            "best_step": self.state.best_step,
            "best_validation_score": self.state.best_score,
            "precision": "bfloat16" if self.state.half else "float32",
            "device": self.device.type,
            "processes": self.accelerator.num_processes,
        }


def _copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _rate(used: float) -> float:
    """Linear rise, then half a cosine, as a share of the peak."""
    if used < _WARM_UP:
        return max(_LAST_RATE, used / _WARM_UP)
    return _LAST_RATE + (1.0 - _LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * (used - _WARM_UP) / (1.0 - _WARM_UP)))


def _optimizer(network: nn.Module, plan: TrainingPlan) -> torch.optim.AdamW:
    """AdamW; biases and normalisation layers are not decayed.

    One pass over the weights in place of several: of Inception-ResNet-v2's 55 million parameters that is a tenth of a
    step on one core.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = bool(parameters) and parameters[0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=plan.learning_rate, fused=fused)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move averaged weights and statistics towards the network's."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1.0 - decay)
        else:
            mean.copy_(value)


def _faster_in_half(job: Job[Any], network: nn.Module, batch: Any) -> bool:
    """Time forward and backward passes in either precision: the faster of two, after one that warms up.

    A busy machine delays passes, so one alone can choose the slower precision for hours.
    """
    before = _copied(network)
    seconds = {}
    for half in (False, True):
        passes = []
        for _ in range(3):
            started = time.perf_counter()
            job.losses_of(network, batch, half)["loss"].backward()
            passes.append(time.perf_counter() - started)
        seconds[half] = min(passes[1:])
    network.zero_grad(set_to_none=True)
    network.load_state_dict(before)  # normalisation layers have counted these passes
    return seconds[True] < seconds[False]


def _leave_group() -> None:
    """Before the interpreter goes: a process that left with its group's threads running now and then aborted."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
