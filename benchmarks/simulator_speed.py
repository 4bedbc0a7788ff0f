"""Speed and memory of the simulator: the reference case, typical cases, and a cohort with its writing.

    python benchmarks/simulator_speed.py [CASES [SEED]]

The reference case has 192x192x12 voxels and 12 frames. Each row runs in a fresh process with one thread: seconds of
CPU and of wall clock (median of three renderings after a first one), and the largest resident memory. The ratio is
the limit over what was measured, so above 1 is good. A cohort of 1,000 is extrapolated from the mean CPU time of
drawing, rendering and writing CASES cases on two cores.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

LIMIT_S, LIMIT_MB, LIMIT_COHORT_S = 0.8, 600.0, 600.0


def reference() -> dict[str, float]:
    """Render the reference case."""
    from spinehub.simulate import draw_recipe, render

    drawn = draw_recipe(12, 1)
    protocol = replace(
        drawn.protocol, matrix=(192, 192, 12), spacing_mm=(1.25, 1.25, 4.5), frame_interval_s=25.0, frame_count=12,
        arrival_s=45.0,
    )  # fmt: skip
    shifts = (drawn.artefacts.shifts_mm * 12)[:12]
    recipe = replace(drawn, protocol=protocol, artefacts=replace(drawn.artefacts, shifts_mm=shifts))
    render(recipe)
    cpu, wall = [], []
    for _ in range(3):
        begun = time.process_time(), time.perf_counter()
        render(recipe)
        cpu.append(time.process_time() - begun[0])
        wall.append(time.perf_counter() - begun[1])
    return {"cpu_s": float(np.median(cpu)), "wall_s": float(np.median(wall)), "peak_mb": peak_mb()}


def cohort(cases: int, seed: int) -> dict[str, float]:
    """Draw, render and write some cases of a cohort one after the other."""
    from spinehub.io import write_case
    from spinehub.simulate import cohort_recipes, render

    parts = {"draw": 0.0, "render": 0.0, "write": 0.0}
    size, voxels = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        recipes = list(cohort_recipes(cases, seed))
        parts["draw"] = time.process_time() - begun
        for recipe in recipes:
            begun = time.process_time()
            case = render(recipe)
            rendered = time.process_time()
            write_case(case, Path(folder) / recipe.case_id)
            parts["render"] += rendered - begun
            parts["write"] += time.process_time() - rendered
            voxels += case.series.frames.size
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    each = {name: seconds / cases for name, seconds in parts.items()}
    return each | {"voxels": voxels / cases, "mb": size / cases / 1e6, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def fresh(*arguments: str) -> dict[str, float]:
    """Run one row in a process of its own."""
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--row", *arguments]
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    result: dict[str, float] = json.loads(answer)
    return result


def main(cases: int = 24, seed: int = 909) -> None:
    """Print the table."""
    one, many = fresh("reference"), fresh("cohort", str(cases), str(seed))
    print("| what | measured | limit | limit / measured |\n|---|---|---|---|")
    each = many["draw"] + many["render"] + many["write"]
    rows = (
        ("reference case, CPU s", one["cpu_s"], LIMIT_S),
        ("reference case, wall s", one["wall_s"], LIMIT_S),
        ("reference case, peak MB", one["peak_mb"], LIMIT_MB),
        (f"largest of {cases} drawn cases, peak MB", many["peak_mb"], LIMIT_MB),
        ("1,000 cases on two cores, s", 1000.0 * each / 2.0, LIMIT_COHORT_S),
    )
    for name, measured, limit in rows:
        print(f"| {name} | {measured:.3g} | {limit:g} | {limit / measured:.2f} |")
    print(
        f"\nPer drawn case ({many['voxels'] / 1e6:.1f} million values, {many['mb']:.1f} MB on disk): draw "
        f"{many['draw']:.3f} s, render {many['render']:.2f} s, write {many['write']:.2f} s of CPU."
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        name, *numbers = sys.argv[2:]
        print(json.dumps(reference() if name == "reference" else cohort(*(int(number) for number in numbers))))
    else:
        main(*(int(word) for word in sys.argv[1:]))
