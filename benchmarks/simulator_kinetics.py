"""Published against simulated enhancement of hot spots: mean and standard deviation, with 95 % intervals.

    python benchmarks/simulator_kinetics.py [CASES [SEED]]

Prints the table of docs/simulator.md and draws docs/simulator_kinetics.png. Simulated figures are those of the
noiseless hot-spot tissue, with frames of 12 s up to 150 and 300 s after arrival (Lang's frame interval and length are
unknown).
"""

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from scipy.stats import chi2, t

from spinehub.simulate import CaseRecipe, draw_lookalike, draw_recipe
from spinehub.simulate.expected import published_figures

FIGURE = Path(__file__).parents[1] / "docs" / "simulator_kinetics.png"
LASTS_S = (300.0, 150.0)
QUANTITIES = {
    "maximum": "maximum / baseline - 1",
    "steepest_rise": "steepest rise / baseline",
    "washout": "wash-out, %",
    "early_enhancement": "enhancement at 45 s / baseline",
}
PUBLISHED: dict[str, dict[str, tuple[float, float, int]]] = {
    "metastasis": {"maximum": (1.7, 0.6, 22), "steepest_rise": (1.1, 0.4, 22), "washout": (-4.9, 12.6, 61)},
    "metastasis_lung": {"washout": (0.25, 10.0, 30)},
    "metastasis_other": {"washout": (-9.8, 12.9, 31)},
    "myeloma": {"maximum": (2.3, 0.7, 9), "steepest_rise": (1.7, 0.5, 9), "washout": (-22.0, 10.0, 9)},
    "lymphoma": {"maximum": (2.7, 0.4, 7), "steepest_rise": (1.0, 0.3, 7), "washout": (3.0, 3.0, 7)},
    "spondylodiscitis": {"maximum": (2.0, 0.8, 24), "steepest_rise": (1.0, 0.6, 24), "washout": (7.0, 10.0, 24)},
    "chordoma": {},
    "chondrosarcoma": {},
    "osteosarcoma": {},
    "ewing_sarcoma": {},
}
"""Mean, standard deviation and number of patients. Lang 2017 (Acad Radiol 24(7)), and Lang 2019 for the wash-out of
metastases; spondylodiscitis stands beside Lang's tuberculosis. None: assumed."""


def drawing(kind: str, seed: int) -> Callable[[int], CaseRecipe]:
    if kind == "metastasis":
        return lambda case: draw_recipe(seed, case, diagnosis="metastasis")
    if kind == "spondylodiscitis":
        return lambda case: draw_lookalike(kind, seed, case)
    return lambda case: draw_recipe(seed, case, histology=kind)


def intervals(mean: float, spread: float, patients: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % intervals of a mean and of a standard deviation, for normal values."""
    half = t.ppf(0.975, patients - 1) * spread / np.sqrt(patients)
    low, high = (spread * np.sqrt((patients - 1) / chi2.ppf(share, patients - 1)) for share in (0.975, 0.025))
    return (mean - half, mean + half), (float(low), float(high))


def row(kind: str, name: str, simulated: dict[float, dict[str, list[float]]]) -> str:
    """One line of the table: published, its intervals, simulated, and whether it lies inside."""
    known = PUBLISHED[kind].get(name)
    cells = [kind, QUANTITIES[name]]
    if known:
        (low, high), (least, most) = intervals(*known)
        cells += [
            f"{known[0]:g} +- {known[1]:g} (n {known[2]})",
            f"{low:.2f} to {high:.2f}",
            f"{least:.2f} to {most:.2f}",
        ]
    else:
        cells += ["assumed" if not PUBLISHED[kind] else "not published", "", ""]
    for last in LASTS_S:
        mean, spread = np.mean(simulated[last][name]), np.std(simulated[last][name], ddof=1)
        verdict = ""
        if known:
            inside = [low <= mean <= high, least <= spread <= most]
            verdict = {(True, True): "inside", (True, False): "SD outside", (False, True): "mean outside"}.get(
                tuple(inside), "outside"
            )
        cells += [f"{mean:.2f} +- {spread:.2f}", verdict]
    return "| " + " | ".join(cells) + " |"


def draw_figure(simulated: dict[str, dict[float, dict[str, list[float]]]]) -> None:
    mpl.use("Agg")
    figure, panels = plt.subplots(1, 4, figsize=(13.0, 4.6), sharey=True, layout="constrained")
    kinds = list(PUBLISHED)[::-1]
    for panel, (name, title) in zip(panels, QUANTITIES.items(), strict=True):
        for place, kind in enumerate(kinds):
            if name in PUBLISHED[kind]:
                mean, spread, patients = PUBLISHED[kind][name]
                low, high = intervals(mean, spread, patients)[0]
                panel.plot([mean - spread, mean + spread], [place + 0.22] * 2, color="#9aa5b1", lw=1.2)
                panel.plot([low, high], [place + 0.22] * 2, color="black", lw=3.0)
                panel.plot(mean, place + 0.22, "o", color="black", ms=5)
            for shift, last, colour in ((0.0, 300.0, "#c0392b"), (-0.22, 150.0, "#2874a6")):
                values = simulated[kind][last][name]
                mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
                panel.plot([mean - spread, mean + spread], [place + shift] * 2, color=colour, lw=1.2)
                panel.plot(mean, place + shift, "s", color=colour, ms=4)
        panel.set_title(title, fontsize=10)
        panel.set_yticks(range(len(kinds)), [kind + ("" if PUBLISHED[kind] else " (assumed)") for kind in kinds])
        panel.grid(axis="x", color="#e5e8eb")
        panel.spines[["top", "right"]].set_visible(False)
    marks = [("o", "black", "published: mean, 95 % interval, SD"), ("s", "#c0392b", "simulated, up to 300 s: mean, SD"),
             ("s", "#2874a6", "simulated, up to 150 s: mean, SD")]  # fmt: skip
    handles = [plt.Line2D([], [], marker=mark, color=colour, ls="", label=label) for mark, colour, label in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(FIGURE, dpi=110)


def main(cases: int = 600, seed: int = 90210) -> None:
    simulated = {}
    for kind in PUBLISHED:
        draw = drawing(kind, seed)
        recipes = [draw(case) for case in range(cases)]
        shown = {last: [published_figures(recipe, last_s=last) for recipe in recipes] for last in LASTS_S}
        simulated[kind] = {
            last: {name: [one[name] for one in rows] for name in QUANTITIES} for last, rows in shown.items()
        }
    print("| tissue | figure | published | 95 % of mean | 95 % of SD | simulated, 300 s | | simulated, 150 s | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in PUBLISHED:
        names = [name for name in QUANTITIES if name in PUBLISHED[kind] or not PUBLISHED[kind] or kind == "metastasis"]
        print("\n".join(row(kind, name, simulated[kind]) for name in names))
    draw_figure(simulated)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
