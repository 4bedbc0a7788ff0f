"""Checkpoints in safetensors and JSON, written so that a crash never leaves a broken one; no pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch

__all__ = ["read_checkpoint", "write_checkpoint"]

_TENSORS = "checkpoint.safetensors"
_STATE = "checkpoint.json"
_MOMENTS = ("exp_avg", "exp_avg_sq")


def write_checkpoint(
    folder: Path,
    modules: Mapping[str, Mapping[str, torch.Tensor]],
    optimizer: torch.optim.AdamW,
    state: dict[str, Any],
) -> None:
    """Write weights, moments of the optimiser and a few JSON values."""
    from safetensors.torch import save_file

    part, old = folder.with_name(f"{folder.name}.part"), folder.with_name(f"{folder.name}.old")
    for leftover in (part, old):
        rmtree(leftover, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{name}": moments[name] for name in _MOMENTS}
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, part / _TENSORS)
    (part / _STATE).write_text(json.dumps(state), encoding="utf-8")
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    rmtree(old, ignore_errors=True)


def read_checkpoint(
    folder: Path, optimizer: torch.optim.AdamW
) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]] | None:
    """Read what :func:`write_checkpoint` wrote and restore the optimiser; None where there is none."""
    from safetensors.torch import load_file

    if not folder.is_dir():
        folder = folder.with_name(f"{folder.name}.old")
    if not (folder / _STATE).is_file():
        return None
    state: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    modules: dict[str, dict[str, torch.Tensor]] = {}
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in load_file(folder / _TENSORS).items():
        group, _, key = name.partition("/")
        if group != "optimizer":
            modules.setdefault(group, {})[key] = value
            continue
        number, _, moment = key.partition("/")
        steps = torch.tensor(float(state["step"]))
        moments.setdefault(int(number), {"step": steps})[moment] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return modules, state
