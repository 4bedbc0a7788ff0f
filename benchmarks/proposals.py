"""How often the U-Net's proposals hit a lesion nobody pointed at, on fresh simulated cases.

    python benchmarks/proposals.py --cases 20 --seed 7114

Prints one line per case and a summary: the share of index lesions in which one of the first 1, 3 and 5 proposals puts
its seed, false proposals per case (seeds in no lesion of the case), and the time of a search.
"""

import argparse
import time

import numpy as np

from spinehub.routes import propose_lesions
from spinehub.simulate import draw_recipe, render


def main() -> None:
    """Render, search and count."""
    parser = argparse.ArgumentParser(description="Hits and false alarms of the U-Net's proposals.")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7114)
    arguments = parser.parse_args()
    ranks, false, seconds = [], [], []
    for number in range(arguments.cases):
        case = render(draw_recipe(arguments.seed, number))
        start = time.perf_counter()
        found = propose_lesions(case.series)
        seconds.append(time.perf_counter() - start)
        places = [proposal.seed.index_on(case.series.grid) for proposal in found]
        index = [bool(case.lesions[0].mask.voxels[place]) for place in places]
        hit = [any(lesion.mask.voxels[place] for lesion in case.lesions) for place in places]
        ranks.append(index.index(True) + 1 if any(index) else 99)
        false.append(hit.count(False))
        print(f"case {number}: {len(found)} proposals, index lesion {ranks[-1]}, false {false[-1]}", flush=True)
    for first in (1, 3, 5):
        hits = sum(rank <= first for rank in ranks)
        print(f"index lesion among the first {first}: {hits} of {len(ranks)}")
    print(f"false proposals per case: mean {np.mean(false):.2f}, most {max(false)}")
    print(f"seconds per search: median {np.median(seconds):.1f}")


if __name__ == "__main__":
    main()
