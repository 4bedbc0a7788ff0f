"""Words of the command line: each function turns one into its value, or says what it must be."""

import argparse
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "ROUTES",
    "add_analyse",
    "add_evaluate",
    "add_models",
    "add_publish",
    "add_replay",
    "add_simulate",
    "add_sources",
    "box",
    "count",
    "index",
    "intensity_range",
    "model",
    "numbers",
    "output",
    "pointed",
    "position",
    "positive",
    "tolerance",
    "whole",
]

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


def box(text: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Two opposite corners ``I0,J0,K0,I1,J1,K1``."""
    if not re.fullmatch(r"\d{1,18}(,\d{1,18}){5}", text):
        raise argparse.ArgumentTypeError(
            f"must be two corners I0,J0,K0,I1,J1,K1 of whole numbers of at least 0, got {text!r}"
        )
    i, j, k, far_i, far_j, far_k = (int(part) for part in text.split(","))
    return (i, j, k), (far_i, far_j, far_k)


def intensity_range(text: str) -> tuple[float, float]:
    """Two numbers ``LO,HI``, the lower first."""
    ends = numbers(text)
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise argparse.ArgumentTypeError(f"must be two numbers LO,HI, the lower first, got {text!r}")
    return ends[0], ends[1]


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


def add_analyse(parser: argparse.ArgumentParser) -> None:
    """Options of ``analyse``."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="3-D or 4-D file, or one file per frame")
    lesion = parser.add_mutually_exclusive_group(required=True)
    lesion.add_argument("--seed", action="append", type=index, metavar="I,J,K", help="voxel in the lesion; repeatable")
    lesion.add_argument("--seed-mm", action="append", type=position, metavar="X,Y,Z", help="the same in mm, RAS+")
    lesion.add_argument("--mask", type=Path, metavar="MASK", help="mask of the lesion on the image's grid")
    _add_growing(parser)
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--times-s", type=numbers, metavar="T0,T1,...", help="time of each frame in seconds")
    times.add_argument("--frame-interval-s", type=positive, metavar="DT", help="seconds between frames")
    parser.add_argument("--baseline-frames", type=count, metavar="N", help="frames before contrast arrives")
    parser.add_argument("--model", action="append", default=[], type=model, metavar="ROUTE=ID",
                        help=f"weights of a route ({', '.join(ROUTES)}): name, folder or Hub id")  # fmt: skip
    parser.add_argument("--output", required=True, type=output, metavar="DIR", help="folder for the results")
    add_sources(parser)


def _add_growing(parser: argparse.ArgumentParser) -> None:
    """How the region grows from its seeds."""
    parser.add_argument("--background-seed", action="append", default=[], type=index, metavar="I,J,K",
                        help="voxel that must stay outside; repeatable")  # fmt: skip
    parser.add_argument("--tolerance", default="auto", type=tolerance, metavar="auto|FLOAT", help="how far to grow")
    parser.add_argument("--reach-mm", default=60.0, type=positive, metavar="R", help="never farther from a seed")
    parser.add_argument("--stability", action="store_true",
                        help="grow again from seeds a few mm away and say how far the regions agree")  # fmt: skip
    parser.add_argument("--box", type=box, metavar="I0,J0,K0,I1,J1,K1",
                        help="stay between two opposite corners, both inside")  # fmt: skip
    parser.add_argument("--intensity-range", type=intensity_range, metavar="LO,HI",
                        help="stay in voxels of this intensity; of a series, of the mean of its frames after the "
                        "baseline")  # fmt: skip
    parser.add_argument("--keep-out", type=Path, metavar="MASK", help="mask that the region does not enter")


def add_simulate(parser: argparse.ArgumentParser) -> None:
    """Options of ``simulate``."""
    parser.add_argument("--cases", type=count, metavar="N", help="number of cases, half of each class")
    parser.add_argument("--seed", type=whole, metavar="S", help="case k depends on (S, k) alone")
    parser.add_argument("--cohort", choices=("matched", "as-published"),
                        help="how age, level and number of lesions are drawn: alike for both classes (matched, the "
                        "default) or as in the literature")  # fmt: skip
    parser.add_argument("--kinetics", choices=("none", "mild", "medium", "strong", "reversed"),
                        help="how far the enhancement of primary tumours differs from that of metastases: assumed, "
                        "since nothing is published (default: medium)")  # fmt: skip
    parser.add_argument("--world", choices=("first", "second"),
                        help="first: the simulator the models learn from (default); second: an independent one with "
                        "other physics, anatomy and scanners, to test models under a shift")  # fmt: skip
    parser.add_argument("--noise-from", type=Path, metavar="SCAN",
                        help="scan whose noise the second world imitates; only a few numbers are measured")  # fmt: skip
    parser.add_argument("--workers", type=count, metavar="W",
                        help="processes side by side (default: one per core, at most 4); the files are the same bytes "
                        "for any number")  # fmt: skip
    parser.add_argument("--teaching", action="store_true",
                        help="write the ten teaching cases with what to see in each, instead of a cohort")  # fmt: skip
    parser.add_argument("--output", required=True, type=output, metavar="DIR",
                        help="folder for the cases; a cohort that was interrupted there is continued")  # fmt: skip


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Words of ``evaluate``."""
    parser.add_argument("--data", required=True, type=Path, metavar="COHORT", help="folder with cohort.csv")
    parser.add_argument("--model", action="append", default=[], type=model, metavar="ROUTE=ID", help="as in analyse")
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="stacked.json: its answers become a row of their own"
    )
    parser.add_argument("--embedding", action="append", default=[], type=model, metavar="ROUTE=FILE",
                        help="embed() + logistic regression of a network: a row of its own")  # fmt: skip
    parser.add_argument("--regime", action="append", choices=("dynamic", "pre_post", "single"),
                        help="judge only this one; repeatable")  # fmt: skip
    parser.add_argument("--folds", type=count, metavar="N",
                        help="train anew in N folds of patients in place of judging models")  # fmt: skip
    parser.add_argument("--minutes", type=positive, metavar="M",
                        help="with --folds: train the networks too, each in each fold for so long")  # fmt: skip
    parser.add_argument("--output", required=True, type=output, metavar="DIR", help="folder for the scores")
    add_sources(parser)
    parser.set_defaults(complain=parser.error)


def add_publish(parser: argparse.ArgumentParser) -> None:
    """Words of ``publish``."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="model folder, as written by train")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--repo-id", metavar="ID", help="send the model there, such as your-name/unet-dce")
    where.add_argument("--space", metavar="ID", help="send the page there, such as your-name/spinehub")
    parser.add_argument("--organisation", metavar="ORG", help="with --space: whose models it shows")
    parser.add_argument("--zero-gpu", action="store_true", help="with --space: ask for ZeroGPU hardware")
    parser.add_argument(
        "--register", metavar="NAME", help="with --repo-id: note the commit in the registry, as unet-dce"
    )
    parser.add_argument("--private", action="store_true", help="make the repository private")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    parser.set_defaults(complain=parser.error)


def add_models(parser: argparse.ArgumentParser) -> None:
    """Words of ``models``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--verify", action="store_true", help="check files, hashes, loading and golden outputs")
    what.add_argument("--download", type=output, metavar="DIR", help="make a folder for a machine without network")
    add_sources(parser)


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``replay``."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="zip file, as the page or a script wrote it")
    parser.add_argument("inputs", nargs="*", type=Path, metavar="INPUT", help="the image it was made from")
    parser.add_argument("--model", action="append", default=[], type=model, metavar="ROUTE=ID", help="as in analyse")
    parser.add_argument("--output", type=output, metavar="DIR", help="folder for the new results")


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Words that say where models come from."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--from", type=Path, dest="carried", metavar="DIR", help="models from 'models --download DIR'")
    where.add_argument("--organisation", metavar="ORG", help="models from ORG on the Hub")
    parser.set_defaults(points=True)


@contextmanager
def pointed(options: Mapping[str, Any]) -> Iterator[None]:
    """Let the environment say where models come from, as long as a command runs; its workers inherit it."""
    given = {"SPINEHUB_MODELS": options.get("carried"), "SPINEHUB_ORGANISATION": options.get("organisation")}
    if not options.get("points") or not any(given.values()):
        yield
        return
    before = {name: os.environ.pop(name, None) for name in given}
    os.environ.update({name: str(value) for name, value in given.items() if value})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
