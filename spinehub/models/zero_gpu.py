"""ZeroGPU: in a Space with such hardware the networks borrow a GPU for the seconds they run; elsewhere nothing happens.

There the page itself has no GPU: weights stay with the processor and go along with each call. The package ``spaces`` is
needed in such a Space alone.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["borrowing", "is_zero_gpu", "run_network"]

_SECONDS = 60
_Function = TypeVar("_Function", bound=Callable[..., Any])


def is_zero_gpu() -> bool:
    """Whether this is a Space on ZeroGPU hardware."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def borrowing(function: _Function) -> _Function:
    """Decorate a function so that it runs with a GPU on ZeroGPU hardware; the function itself everywhere else."""
    if not is_zero_gpu():
        return function
    try:
        import spaces
    except ImportError:  # the Space was made without it, and works on its processors
        return function
    decorated: _Function = spaces.GPU(duration=_SECONDS)(function)
    return decorated


def _run(model: Any, device: str, *values: Any) -> Any:
    return model.to(device).run(*values)


_run_borrowed = borrowing(_run)


def run_network(model: Any, *values: Any) -> Any:
    """What ``model.run(*values)`` gives, on a borrowed GPU where there is one."""
    if _run_borrowed is _run:
        return model.run(*values)
    return _run_borrowed(model, "cuda", *values)
