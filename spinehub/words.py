"""Words of the command line: each function turns one into its value, or says what it must be."""

import argparse
import math
import os
import re
from pathlib import Path

__all__ = ["ROUTES", "count", "index", "model", "numbers", "output", "position", "positive", "tolerance", "whole"]

ROUTES = ("hotspot", "radiomics", "unet", "inception_resnet")


def numbers(text: str) -> tuple[float, ...]:
    """Finite numbers with commas between them."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between them, got {text!r}") from None
    if not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"must be finite numbers, got {text!r}")
    return values


def index(text: str) -> tuple[int, int, int]:
    """A voxel ``I,J,K``."""
    try:
        i, j, k = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be three whole numbers I,J,K, got {text!r}") from None
    return i, j, k


def position(text: str) -> tuple[float, ...]:
    """A position ``X,Y,Z`` in mm."""
    if len(numbers(text)) != 3:
        raise argparse.ArgumentTypeError(f"must be three numbers X,Y,Z in mm, got {text!r}")
    return numbers(text)


def positive(text: str) -> float:
    """A number above 0."""
    if len(numbers(text)) != 1 or numbers(text)[0] <= 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return float(text)


def tolerance(text: str) -> float | str:
    """``auto`` or a number of at least 0."""
    if text == "auto":
        return text
    if len(numbers(text)) != 1 or numbers(text)[0] < 0:
        raise argparse.ArgumentTypeError(f"must be auto or a number of at least 0, got {text!r}")
    return float(text)


def whole(text: str) -> int:
    """A whole number of at least 0."""
    if not re.fullmatch(r"\d{1,18}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """A whole number of at least 1."""
    if whole(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def model(text: str) -> tuple[str, str]:
    """``ROUTE=ID``."""
    route, _, model_id = text.partition("=")
    if route not in ROUTES or not model_id:
        raise argparse.ArgumentTypeError(f"must be ROUTE=ID with a route of {', '.join(ROUTES)}, got {text!r}")
    return route, model_id


def output(text: str) -> Path:
    """A folder that exists or can be made; checked before any work is done."""
    folder = Path(text)
    existing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise argparse.ArgumentTypeError(f"must be a folder that can be written to, got {text!r}")
    return folder
