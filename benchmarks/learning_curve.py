"""Does radiomics need more cases? Fit on the first 125, 250, 500 and 1,000, and judge the same others.

    python benchmarks/learning_curve.py --prepared runs/prepared [--held-out 276] [--regime dynamic]

Prepared cases must hold features (``spinehub train radiomics`` and ``train_default_models.py`` prepare them). The
whole procedure is repeated for every size: columns, strength, fit. Prints a table: area under the curve on the cases
that were learned from and on the same held-out ones, with a 95 % bootstrap interval over patients. For a network the
same question is answered by its own record: areas on training and held-out cases (``benchmarks/signs.py --part``).
"""

import argparse
from pathlib import Path

import numpy as np

from spinehub.dataset import PreparedCase, read_prepared
from spinehub.features import feature_names
from spinehub.metrics import auc
from spinehub.models.feature_fitting import fit_linear_model
from spinehub.series import Regime
from spinehub.training.small import feature_row

SIZES = (125, 250, 500, 1000)
RESAMPLES = 1000


def main() -> None:
    options = _options()
    ids = sorted(path.parent.parent.name for path in options.prepared.glob("*/tabular/table.json"))
    cases = [case for case in read_prepared(options.prepared, ids) if options.regime in case.tables]
    learned, held = cases[: -options.held_out], cases[-options.held_out :]
    print(f"{options.regime}, {len(held)} held-out cases")
    print("")
    print("| cases | columns used | AUC, learned from | AUC, held out |")
    print("|---|---|---|---|")
    for size in (*(size for size in SIZES if size < len(learned)), len(learned)):
        print(_line(learned[:size], held, options.regime), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Learning curve of radiomics.")
    parser.add_argument("--prepared", type=Path, required=True, help="prepared cases with features")
    parser.add_argument("--held-out", type=int, default=276, help="the last so many cases judge every fit")
    parser.add_argument("--regime", default="dynamic", choices=("dynamic", "pre_post", "single"))
    return parser.parse_args()


def _line(learned: list[PreparedCase], held: list[PreparedCase], regime: Regime) -> str:
    rows = [feature_row(case.tables[regime]["features"]) for case in learned]
    targets = [case.label if case.posterior is None else case.posterior for case in learned]
    fit = fit_linear_model(
        rows, [case.label for case in learned], [case.patient_id for case in learned], regime, targets=targets
    )
    areas = []
    for members in (learned, held):
        table = np.array([feature_row(c.tables[regime]["features"]).select(feature_names(regime)) for c in members])
        columns = [feature_names(regime).index(name) for name in fit.model.names]
        usable = np.isfinite(table[:, columns]).all(axis=1)
        score = np.array([fit.model.score(values) for values in table[usable][:, columns]])
        label = np.array([case.label for case in members])[usable]
        areas.append(_area(label, score))
    return f"| {len(learned)} | {len(fit.model.names)} | {' | '.join(areas)} |"


def _area(label: np.ndarray, score: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    draws = (rng.integers(len(label), size=len(label)) for _ in range(RESAMPLES))
    low, high = np.percentile([auc(label[drawn], score[drawn]) for drawn in draws], (2.5, 97.5))
    return f"{auc(label, score):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
