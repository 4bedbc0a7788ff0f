"""The imitation of the Hub, a process that talks to it, and one small model of each route."""

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinehub.cards.evaluation_file import ANSWER_FIGURES, MASK_FIGURES
from spinehub.features import feature_names, settings_sha256
from spinehub.models import HotspotRule, RadiomicsClassifier, fit_calibration, fit_domain
from spinehub.models.calibration import Calibration, RegimeCalibration
from spinehub.models.hotspot import Node
from spinehub.models.linear import LinearModel
from spinehub.models.protocol import ProtocolRange

_found = importlib.util.spec_from_file_location("imitation", Path(__file__).with_name("imitation.py"))
assert _found is not None
assert _found.loader is not None
imitation = importlib.util.module_from_spec(_found)
_found.loader.exec_module(imitation)

ROOT = Path(__file__).parents[2]
QUIET = dict.fromkeys(("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"), "1")
HEAD = """
    import json, sys
    from pathlib import Path
    from spinehub import from_pretrained
    from spinehub.errors import ModelError, SpineHubError
    from spinehub.hub import publish, publish_space

    def error(function, *arguments, **options):
        try:
            function(*arguments, **options)
        except SpineHubError as caught:
            return str(caught)
        return "no error"

    def tell(**said):
        print(json.dumps(said))
"""


@pytest.fixture(scope="session")
def hub() -> Iterator[Any]:
    with imitation.serving() as server:
        yield server


@pytest.fixture(scope="session")
def elsewhere(hub: Any) -> Callable[..., dict[str, Any]]:
    """Run a script in a process whose Hub client is pointed at the imitation: it reads its settings on import."""

    def run(home: Path, script: str, **environment: str) -> dict[str, Any]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SPINEHUB_"))}
        given = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_TOKEN": imitation.TOKEN, **environment}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(HEAD) + textwrap.dedent(script)],
            env={**kept, **QUIET, **given}, capture_output=True, text=True, timeout=240, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    return run


def evaluation_of(model: str, route: str) -> dict[str, Any]:
    """A valid ``evaluation.json`` with numbers that can be told apart."""
    names = (*ANSWER_FIGURES, *MASK_FIGURES) if route == "unet" else ANSWER_FIGURES
    figures = {name: {"value": 0.5 + k / 100, "low": 0.4, "high": 0.9} for k, name in enumerate(names)}
    cohort = {"name": "matched", "seed": 7, "cases": 20, "training_seed": 1, "training_cases": 60}
    return {
        "format": "spinehub-evaluation/1", "model": model, "route": route, "simulated": True, "simulator_version": "1",
        "cohort": cohort, "regimes": {"dynamic": {"end_to_end": {"n": 20, "n_answered": 19} | figures}},
        "baselines": {}, "training": {}, "command": "spinehub evaluate",
    }  # fmt: skip


def make_rule() -> HotspotRule:
    tree = (Node((100, 100), "washout", -6.6, 1, 2), Node((60, 20)), Node((40, 80)))
    plain = Calibration({"dynamic": RegimeCalibration(1.0, 0.1, (0.4, 0.4), (100, 100))}, 0.9)
    protocols = ProtocolRange((0.003, 0.006), (10.0, 15.0), (5.0, 15.0), (1.5, 3.0))
    ranges = {"early_enhancement": (20.0, 300.0), "washout": (-50.0, 60.0)}
    return HotspotRule(tree, plain, protocols, ranges, evaluation=evaluation_of("hotspot-dce", "hotspot"))


@pytest.fixture(scope="session")
def rule_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest model: no weights, no torch."""
    return make_rule().save_pretrained(tmp_path_factory.mktemp("rule") / "hotspot-dce")


@pytest.fixture(scope="session")
def folders(rule_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One saved model of each route, by route; the networks are small and untrained."""
    import torch

    from spinehub.inputs import PreprocessingSpec
    from spinehub.models import LesionClassifier, LesionSegmenter

    home = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    spec = PreprocessingSpec(size=32)
    unet = LesionSegmenter.create(spec, encoder_name="tu-resnet10t", encoder_depth=3, decoder_channels=[16, 8, 8])
    classifier = LesionClassifier.create(spec, architecture="resnet10t", slices=3)
    scores = np.linspace(-2, 2, 40)
    calibration = fit_calibration(scores, (scores > 0.1 * np.sin(30 * scores)).astype(int), ["dynamic"] * 40)
    names = feature_names("dynamic")[:5]
    rows = np.random.default_rng(5).normal(3.0, 2.0, size=(40, 5))
    linear = LinearModel(names, np.arange(5) - 2.0, 0.3, rows.mean(0), rows.std(0), fit_domain(rows, names))
    radiomics = RadiomicsClassifier({"dynamic": linear}, calibration, settings_sha256())
    saved = {"hotspot": rule_folder}
    for route, model in (("radiomics", radiomics), ("unet", unet), ("inception_resnet", classifier)):
        object.__setattr__(model, "evaluation", evaluation_of(f"tiny-{route}", route))
        if route != "radiomics":
            model.calibration = calibration
        saved[route] = model.save_pretrained(home / f"tiny-{route}")
    return saved
