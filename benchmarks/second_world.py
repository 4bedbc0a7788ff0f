"""The second world beside the first: enhancement of metastases against published figures, ceiling, time per case.

    python benchmarks/second_world.py [DRAWS [RENDERED]]

Kinetics are read from the noiseless hot-spot tissue at 12 s a frame over 300 s after arrival, as in Lang 2017 and 2019;
seconds are processor time of rendering, both worlds side by side in one run.
"""

import resource
import sys
import time
from dataclasses import replace

import numpy as np
from sklearn.metrics import roc_auc_score

from spinehub import second_world, simulate
from spinehub.second_world.rendering import hot_spot_curve
from spinehub.simulate.expected import expected_curve

PUBLISHED = {"maximum ratio": (1.7, 0.6, 22), "steepest rise": (1.1, 0.4, 22), "wash-out, %": (-4.9, 12.6, 61)}
INTERVAL_S, LAST_S = 12.0, 300.0


def second_curve(recipe: second_world.SecondRecipe) -> tuple[np.ndarray, np.ndarray]:
    """Seconds since arrival and signal of the second world's hot tissue in Lang's protocol."""
    arrival = recipe.protocol.arrival_s + INTERVAL_S
    times = np.arange(0.0, arrival + LAST_S, INTERVAL_S)
    scan = replace(
        recipe.protocol, frame_times_s=tuple(times), frame_duration_s=INTERVAL_S, interleaved=False, arrival_s=arrival
    )
    return times - arrival, hot_spot_curve(replace(recipe, protocol=scan))


def first_curve(recipe: simulate.CaseRecipe) -> tuple[np.ndarray, np.ndarray]:
    """The same of the first world."""
    times, signal = expected_curve(recipe, frame_interval_s=INTERVAL_S, last_s=LAST_S)
    return times - recipe.protocol.arrival_s, signal


def read(since_s: np.ndarray, signal: np.ndarray) -> tuple[float, float, float]:
    """Maximum ratio, steepest rise, wash-out in % between 67 and 240 s."""
    baseline = signal[since_s + 0.5 * INTERVAL_S <= 0.0].mean()
    reference, late = np.interp([67.0, 240.0], since_s, signal)
    rise = np.diff(signal).max() / baseline
    return (signal.max() - baseline) / baseline, rise, 100.0 * (late - reference) / reference


def main(draws: int = 600, rendered: int = 8) -> None:
    worlds = {"first": (simulate, first_curve), "second": (second_world, second_curve)}
    print("| metastases | published | first world | second world |\n|---|---|---|---|")
    figures = {}
    for name, (world, curve) in worlds.items():
        recipes = [world.draw_recipe(77, n, diagnosis="metastasis") for n in range(draws)]
        figures[name] = np.array([read(*curve(recipe)) for recipe in recipes])
    for place, (name, (mean, deviation, count)) in enumerate(PUBLISHED.items()):
        half = 1.96 * deviation / np.sqrt(count)
        cells = [f"{rows[:, place].mean():.2f} +- {rows[:, place].std():.2f}" for rows in figures.values()]
        print(f"| {name} | {mean} +- {deviation}, mean within +- {half:.2f} | {' | '.join(cells)} |")
    for name, (world, _) in worlds.items():
        drawn = [world.draw_recipe(78, n) for n in range(4 * draws)]
        truth = [recipe.diagnosis == "primary_malignant" for recipe in drawn]
        print(f"{name}: Bayes AUC {roc_auc_score(truth, [world.bayes_posterior(recipe) for recipe in drawn]):.3f}")
    seconds = {}
    for name, (world, _) in worlds.items():
        recipes = [world.draw_recipe(79, n) for n in range(rendered)]
        start = time.process_time()
        values = sum(world.render(recipe).series.frames.size for recipe in recipes)
        seconds[name] = (time.process_time() - start) / rendered
        print(f"{name}: {seconds[name]:.2f} s and {values / rendered / 1e6:.1f} million voxel values per case")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(f"second over first: {seconds['second'] / seconds['first']:.2f}; peak memory of the run {peak:.0f} MiB")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
