"""The ``spinehub`` command: one verb per job. Exit status 0 done, 2 wrong usage, 3 input refused.

Each verb imports what it needs when it runs, so that a refused file never waits for the network packages.
"""

import argparse
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from spinehub import words
from spinehub._version import __version__
from spinehub.errors import InvalidArgumentError, ModelError, SpineHubError

if TYPE_CHECKING:
    from spinehub.series import DynamicSeries
    from spinehub.volume import Grid, Seed, Volume

__all__ = ["build_parser", "main"]

_NUMBERS = re.compile(r"-\.?\d[\d.,eE+-]*")
"""A word that starts like an option but is a negative number or a list that starts with one."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see: {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = build_parser().parse_args(_joined(list(sys.argv[1:] if argv is None else argv)))
    try:
        with words.pointed(vars(arguments)):
            arguments.run(arguments)
    except SpineHubError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("error: stopped by the user", file=sys.stderr)
        return 130
    return 0


def _joined(given: list[str]) -> list[str]:
    """Glue ``--seed-mm -10.5,3,2`` to ``--seed-mm=-10.5,3,2``: argparse takes a leading minus for an option."""
    joined: list[str] = []
    for word in given:
        if joined and re.fullmatch(r"--[a-z-]+", joined[-1]) and _NUMBERS.fullmatch(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def build_parser() -> argparse.ArgumentParser:
    """Parser of all verbs; it imports nothing that a verb needs."""
    parser = _Parser(
        prog="spinehub",
        allow_abbrev=False,
        description="Spinal metastasis or primary malignant bone tumour on contrast-enhanced MRI. Research and "
        "teaching software, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"spinehub {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    words.add_analyse(_verb(verbs, "analyse", _analyse, "measure a lesion and ask the four routes"))
    _add_simulate(verbs)
    _add_train(verbs)
    words.add_evaluate(_verb(verbs, "evaluate", _evaluate, "score the routes on a cohort they were not trained on"))
    words.add_publish(
        _verb(verbs, "publish", _publish, "put a model folder, or the page itself, on the Hugging Face Hub")
    )
    words.add_models(_verb(verbs, "models", _models, "list the models: where they come from, licence and scores"))
    words.add_replay(_verb(verbs, "replay", _replay, "do a bundled case again and compare"))
    words.add_sources(_verb(verbs, "demo", _demo, "open the page in a browser"))
    return parser


def _verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def _add_simulate(verbs: Any) -> None:
    parser = _verb(verbs, "simulate", _simulate, "write a cohort of simulated cases, or the ten teaching cases")
    parser.set_defaults(refuse=parser.error)
    words.add_simulate(parser)


def _add_train(verbs: Any) -> None:
    parser = _verb(verbs, "train", _train, "train one route on a cohort")
    parser.add_argument("route", choices=words.ROUTES, metavar="ROUTE", help=", ".join(words.ROUTES))
    parser.add_argument("--data", required=True, type=Path, metavar="COHORT", help="folder with cohort.csv")
    result = parser.add_mutually_exclusive_group(required=True)
    result.add_argument("--output", type=words.output, metavar="DIR", help="folder for the model")
    result.add_argument("--check", action="store_true", help="say everything that is wrong with COHORT, train nothing")
    parser.add_argument(
        "--from", dest="start", metavar="ID", help="fine-tune this model (embedded name, folder, Hub id)"
    )
    parser.add_argument(
        "--recalibrate", action="store_true", help="with --from: keep its weights, fit calibration only"
    )
    parser.add_argument(
        "--teacher", metavar="ID", help="finished U-Net that teaches inception_resnet to see (name, folder, Hub id)"
    )
    parser.add_argument("--minutes", type=words.positive, metavar="M", help="stop after this long")
    parser.add_argument("--seed", default=0, type=words.whole, metavar="S", help="seed of everything random")
    parser.add_argument("--prepared", type=Path, metavar="DIR", help="keep prepared cases here, for several routes")
    parser.add_argument("--resume", action="store_true", help="go on from what is in DIR")


def _analyse(arguments: argparse.Namespace) -> None:
    from spinehub.io import describe_source, read_mask, read_series

    image = read_series(
        *arguments.inputs,
        times_s=arguments.times_s,
        frame_interval_s=arguments.frame_interval_s,
        baseline_frames=arguments.baseline_frames,
    )
    _warn_of_ignored(arguments, image)
    seeds = _seeds(arguments, image.grid)
    mask = None if arguments.mask is None else read_mask(arguments.mask, image.grid)

    from spinehub.growing import GrowingWarning, Limits
    from spinehub.pipeline import DEFAULT_MODELS, analyse
    from spinehub.render.prose import summary_lines
    from spinehub.routes import load_model

    keep_out = None if arguments.keep_out is None else read_mask(arguments.keep_out, image.grid)
    limits = Limits(arguments.intensity_range, arguments.box, keep_out) if mask is None else None
    for route, model_id in arguments.model:
        if model_id not in DEFAULT_MODELS.values():
            load_model(route, model_id)  # a mistyped folder must not wait for the end of the analysis
    with _progress() as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", GrowingWarning)  # the report says it, in its own words
        report = analyse(
            image,
            seeds=seeds if mask is None else (),
            mask=mask,
            tolerance=arguments.tolerance,
            reach_mm=arguments.reach_mm,
            limits=limits,
            repeat=arguments.stability,
            models={**DEFAULT_MODELS, **dict(arguments.model)},
            source=describe_source(*arguments.inputs),
            progress=progress,
        )
        report.save(arguments.output)
    print(*summary_lines(report.to_dict()), sep="\n")
    print(f"Written to {arguments.output}: report.json, report.html and the files beside them")


def _seeds(arguments: argparse.Namespace, grid: "Grid") -> list["Seed"]:
    from spinehub.volume import Seed

    seeds = [Seed.at_index(index, grid) for index in arguments.seed or ()]
    seeds += [Seed.at_position(position) for position in arguments.seed_mm or ()]
    seeds += [Seed.at_index(index, grid, background=True) for index in arguments.background_seed]
    for seed in seeds:
        seed.index_on(grid)
    return seeds


def _warn_of_ignored(arguments: argparse.Namespace, image: "DynamicSeries | Volume") -> None:
    from spinehub.volume import Volume

    if isinstance(image, Volume):
        for name in ("times_s", "frame_interval_s", "baseline_frames"):
            if getattr(arguments, name) is not None:
                _warn(f"--{name.replace('_', '-')} is ignored: the input is a single volume, which has no frames")
    if arguments.mask is not None:
        for name in ("background_seed", "box", "intensity_range", "keep_out"):
            if getattr(arguments, name):
                _warn(f"--{name.replace('_', '-')} is ignored: the region comes from --mask")


def _simulate(arguments: argparse.Namespace) -> None:
    workers = arguments.workers or min(4, os.cpu_count() or 1)
    options = {name: getattr(arguments, name) for name in ("cohort", "kinetics", "world", "noise_from")}
    if arguments.teaching:
        _simulate_teaching(arguments, {"cases": arguments.cases, "seed": arguments.seed, **options}, workers)
        return
    if arguments.cases is None or arguments.seed is None:
        arguments.refuse("a cohort needs --cases and --seed; or give --teaching for the ten teaching cases")
    if arguments.world == "second" and arguments.cohort == "as-published":
        arguments.refuse("--cohort as-published belongs to the first world; leave it out")
    if arguments.noise_from is not None and arguments.world != "second":
        arguments.refuse("--noise-from belongs to --world second")

    from spinehub.cohort import generate_cohort

    given = {name: value for name, value in options.items() if value is not None}
    generate_cohort(arguments.output, arguments.cases, arguments.seed, **given, workers=workers)
    print(f"Written to {arguments.output}: cohort.csv and {arguments.cases} simulated cases")


def _simulate_teaching(arguments: argparse.Namespace, others: dict[str, Any], workers: int) -> None:
    ignored = [f"--{name.replace('_', '-')}" for name, value in others.items() if value is not None]
    if ignored:
        arguments.refuse(f"--teaching writes fixed cases; leave out {', '.join(ignored)}")

    from spinehub.teaching import write_teaching_cases

    count = len(write_teaching_cases(arguments.output, workers=workers))
    print(f"Written to {arguments.output}: {count} teaching cases (simulated); start with teaching.md")


def _train(arguments: argparse.Namespace) -> None:
    if arguments.check:
        _check_cohort(arguments.data)
        return
    from spinehub.training import train_route

    train_route(
        arguments.route,
        arguments.data,
        arguments.output,
        minutes=arguments.minutes,
        seed=arguments.seed,
        resume=arguments.resume,
        prepared=arguments.prepared,
        start=arguments.start,
        recalibrated=arguments.recalibrate,
        teacher=arguments.teacher,
    )
    print(f"Written to {arguments.output}: the weights of {arguments.route}")


def _check_cohort(folder: Path) -> None:
    from spinehub.io import read_cohort
    from spinehub.training.review import review_cohort

    review = review_cohort(read_cohort(folder))
    print(*review.lines(), sep="\n")
    if review.problems:
        raise InvalidArgumentError(f"the cohort has {len(review.problems)} problems that forbid training, listed above")


def _evaluate(arguments: argparse.Namespace) -> None:
    if arguments.folds is None and arguments.minutes is not None:
        arguments.complain("--minutes goes with --folds")
    if arguments.folds is not None and (arguments.model or arguments.stack or arguments.embedding):
        arguments.complain("--folds trains its own models: give no --model, --stack or --embedding with it")

    from spinehub.evaluation import cross_validate, evaluate_cohort

    asked = {} if arguments.regime is None else {"regimes": arguments.regime}
    if arguments.folds is not None:
        cross_validate(arguments.data, arguments.output, folds=arguments.folds, minutes=arguments.minutes, **asked)
    else:
        beside = {"stack": arguments.stack, "embeddings": dict(arguments.embedding)}
        evaluate_cohort(arguments.data, arguments.output, models=dict(arguments.model), **beside, **asked)
    print(f"Written to {arguments.output}: scores of every route")


def _publish(arguments: argparse.Namespace) -> None:
    from spinehub.hub import publish, publish_space

    if (arguments.folder is None) == (arguments.space is None):
        arguments.complain("DIR goes with --repo-id, and --space takes none")
    options = {"private": arguments.private, "dry_run": arguments.dry_run}
    if arguments.space is None:
        print(publish(arguments.folder, arguments.repo_id, register=arguments.register, **options))
        return
    more = {"organisation": arguments.organisation, "zero_gpu": arguments.zero_gpu}
    print(publish_space(arguments.space, **options, **more))


def _models(arguments: argparse.Namespace) -> None:
    from spinehub.hub import describe_models, download_models, list_models, verify_models

    if arguments.download is not None:
        print(*download_models(arguments.download), sep="\n")
        print(f"Written to {arguments.download}; on the other machine: spinehub models --from {arguments.download}")
    elif arguments.verify:
        passed, failed = verify_models()
        print(*passed, *failed, sep="\n")
        if failed:
            raise ModelError(f"{len(failed)} of {len(passed) + len(failed)} models are not what they were")
    else:
        print(describe_models(list_models()))


def _replay(arguments: argparse.Namespace) -> None:
    from spinehub.bundle import replay_in_words

    print(replay_in_words(arguments.bundle, arguments.inputs, dict(arguments.model), arguments.output))


def _demo(_: argparse.Namespace) -> None:
    from spinehub.demo import launch

    launch()


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


@contextmanager
def _progress() -> Iterator[Callable[[float, str], None] | None]:
    """Progress bar, only where a person watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=100, leave=False, bar_format="{bar:20} {percentage:3.0f} % {desc}") as bar:

        def show(fraction: float, text: str) -> None:
            bar.set_description_str(text)
            bar.update(100 * fraction - bar.n)

        yield show
