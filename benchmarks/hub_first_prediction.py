"""Time from a new process to the first prediction, from a warm Hub cache at a pinned commit, and the bytes read.

    python benchmarks/hub_first_prediction.py --repeats 3

Each model is published to the imitation of the Hub that the tests use, fetched once, and then loaded again and again by
new processes, which must make no request. Embedded weights stand beside it. Inception-ResNet-v2 is untrained where no
weights come with this installation: its time does not depend on their values. Processor seconds count all threads; they
tell more than the clock where other work runs beside.
"""

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spinehub.models import EMBEDDED, LesionClassifier, WeightsNotInstalledError, from_pretrained

ROOT = Path(__file__).parents[1]
SLICES = {"LesionSegmenter": 20, "LesionClassifier": 8}
"""Slices of a case: all sagittal ones of a spine for the U-Net, those with most of the lesion for the classifier."""

TIMED = """
import json, sys, time
start = time.perf_counter()
import spinehub
model = spinehub.from_pretrained(sys.argv[1], revision=sys.argv[2] or None)
loaded = time.perf_counter()
import numpy as np
kind = type(model).__name__
if kind in {slices!r}:
    channels = len(model.spec.channel_names) + (kind == "LesionClassifier")
    shape = ({slices!r}[kind], channels, model.spec.size, model.spec.size)
    model.run(np.random.default_rng(0).normal(size=shape).astype(np.float32))
else:
    from spinehub.models.golden import golden_input, golden_output
    golden_output(model, golden_input(model))
done = time.perf_counter()
print(json.dumps([loaded - start, done - loaded]))
"""
PUBLISH = """
import sys
from spinehub import from_pretrained
if sys.argv[2] != "bare":
    from spinehub.hub import publish
    publish(sys.argv[1], sys.argv[3])
else:
    from_pretrained(sys.argv[1]).push_to_hub(sys.argv[3])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Time to the first prediction from a warm cache.")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    found = importlib.util.spec_from_file_location("imitation", ROOT / "tests" / "hub" / "imitation.py")
    assert found is not None
    assert found.loader is not None
    imitation = importlib.util.module_from_spec(found)
    found.loader.exec_module(imitation)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores; least of {options.repeats} new processes, seconds"
    )
    print("| model | from | files read, bytes | load | first prediction | whole process | processor |")
    print("|---|---|---|---|---|---|---|")
    with imitation.serving() as hub, TemporaryDirectory() as scratch:
        for name in EMBEDDED:
            measure(name, hub, Path(scratch), options.repeats)


def measure(name: str, hub: Any, scratch: Path, repeats: int) -> None:
    folder = scratch / name
    try:
        model = from_pretrained(name)
        model.save_pretrained(folder)
        rows = [("embedded", name, "", ROOT / "spinehub" / "pretrained" / name)]
    except WeightsNotInstalledError:
        LesionClassifier.create().save_pretrained(folder)
        rows = []
    repo_id, environment = f"me/{name}", settings(hub, scratch)
    way = "full" if (folder / "evaluation.json").is_file() else "bare"
    subprocess.run([sys.executable, "-c", PUBLISH, str(folder), way, repo_id], env=environment, check=True, cwd=ROOT)
    commit = hub.resolve(f"models/{repo_id}", "main")
    timed(repo_id, commit, environment)  # fills the cache
    rows.append(("Hub cache, pinned", repo_id, commit, folder))
    for origin, model_id, revision, files in rows:
        before = len(hub.requests)
        times = [timed(model_id, revision, environment) for _ in range(repeats)]
        assert len(hub.requests) == before, "a warm pinned load must make no request"
        load, first, whole, processor = (min(column) for column in zip(*times, strict=True))
        size = sum(path.stat().st_size for path in files.iterdir())
        print(
            f"| {name} | {origin} | {size:,} | {load:.2f} | {first:.2f} | {whole:.2f} | {processor:.2f} |", flush=True
        )


def timed(model_id: str, revision: str, environment: dict[str, str]) -> tuple[float, float, float, float]:
    before, start = processor_seconds(), time.perf_counter()
    script = TIMED.format(slices=SLICES)
    done = subprocess.run([sys.executable, "-c", script, model_id, revision], env=environment, check=True, cwd=ROOT,
                          capture_output=True, text=True)  # fmt: skip
    load, first = json.loads(done.stdout.splitlines()[-1])
    return load, first, time.perf_counter() - start, processor_seconds() - before


def processor_seconds() -> float:
    """Of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def settings(hub: Any, scratch: Path) -> dict[str, str]:
    quiet = dict.fromkeys(("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"), "1")
    given = {"HF_ENDPOINT": hub.url, "HF_HOME": str(scratch / "home"), "HF_TOKEN": "hf_fake"}
    return {**os.environ, **quiet, **given}


if __name__ == "__main__":
    main()
