"""Small models that say what they are told to, and a case to ask them about."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from spinehub.features import FeatureRow
from spinehub.perfusion import HotSpot, Parameter, Timing
from spinehub.report import Finding, measure
from spinehub.routes import (
    RouteContext,
)
from spinehub.series import Curve, DynamicSeries, Protocol
from spinehub.volume import Grid, Mask, Volume

SAGITTAL = np.array([[0, 0, 4.5, 0], [-1.2, 0, 0, 90], [0, -1.2, 0, 90], [0, 0, 0, 1.0]])
SHAPE = (160, 160, 12)


def figure(value, low, high) -> dict:
    return {"value": value, "low": low, "high": high}


EVALUATION = {
    "cohort": {"name": "matched"},
    "regimes": {
        "dynamic": {
            "truth_mask": {"n": 50, "auc": figure(0.9, 0.8, 0.95), "accuracy": figure(0.8, 0.7, 0.9)},
            "end_to_end": {"n": 50, "auc": figure(0.8, 0.7, 0.9), "accuracy": figure(0.75, 0.6, 0.8)},
        },
        "single": {
            "end_to_end": {"n": 50, "auc": figure(None, None, None)},
            "truth_mask": {"n": 50, "auc": figure(0.6, 0.5, 0.7)},
        },
    },
}


@dataclass
class Said:
    probabilities: dict | None
    decision: str
    reason: str | None = None


SURE = Said({"metastasis": 0.9, "primary_malignant": 0.1}, "metastasis")
TORN = Said({"metastasis": 0.5, "primary_malignant": 0.5}, "undecided")


@dataclass
class FakeModel:
    """Stands for any of the four models."""

    says: Said = field(default_factory=lambda: SURE)
    strange: tuple[str, ...] = ()
    training: dict = field(default_factory=dict)
    evaluation: dict | None = None
    model_id: str = "fake"
    sha256: str = "abc"
    calls: list = field(default_factory=list)

    def path(self, early, washout):
        return (f"early enhancement {early:g} % > 60 %",)

    def contributions(self, row, regime):
        return (SimpleNamespace(feature="washout__glcm_Contrast", log_odds=-1.5),)

    def unusual(self, *_):
        return self.strange


class FakeRule(FakeModel):
    def predict(self, early, washout, *, protocol, frame_interval_s):
        self.calls.append((early, washout, protocol, frame_interval_s))
        return self.says


class FakeRadiomics(FakeModel):
    def predict(self, row, regime):
        self.calls.append(regime)
        return self.says


class FakeNetwork(FakeModel):
    share = 0.8
    least_lesion_share = 0.1

    def predict(self, image, mask, *, timing, maps):
        softmax = np.zeros((1, 3, 2, 2), np.float32)
        softmax[:, 0], softmax[:, 1], softmax[:, 2] = 0.2, 0.6, 0.2
        stack = SimpleNamespace(to_grid=lambda values, grid: np.full(grid.shape, values.max(), np.float32))
        return SimpleNamespace(
            answer=self.says, unusual=self.strange, stack=stack, softmax=softmax, lesion_share=self.share
        )


def models(**changed) -> dict:
    made = {
        "hotspot": FakeRule(),
        "radiomics": FakeRadiomics(),
        "unet": FakeNetwork(),
        "inception_resnet": FakeNetwork(),
    }
    return made | changed


def context(*, enhances=True, regime="dynamic", shape=SHAPE, affine=SAGITTAL) -> RouteContext:
    grid = Grid(shape, affine)
    voxels = np.zeros(shape, bool)
    voxels[10:16, 10:16, 2:4] = True
    mask = Mask(voxels, grid)
    times = np.arange(4) * 10.0
    frames = np.zeros((*shape, 4), np.float32)
    protocol = Protocol(0.005, 0.002, 15.0, 1.5)
    image = DynamicSeries(frames, grid, times, protocol=protocol)
    timing = Timing("dynamic", 5.0, 5.0, 1, 30.0, True)
    values = np.array([0.0, 10, 60, 80]) if enhances else np.zeros(4)
    curve = Curve(100 + values, values, values, values, times, mask)
    parameters = {"early_enhancement": Parameter(70.0, 5.0, "%"), "washout": Parameter(-12.0, 3.0, "%")}
    spot = HotSpot(mask, 2, curve, 3 if enhances else 0, enhances)
    if regime != "dynamic":
        reason = Parameter(None, None, "%", "timing_missing: The frame times are not known.")
        parameters = {"early_enhancement": reason, "washout": reason}
        image = image.without_times()
        timing = Timing("pre_post", None, None, 1, None, True, ("The frame times are not known.",))
    if regime == "single":
        image, spot = Volume(frames[..., 3], grid), None
        timing = Timing("single", None, None, 0, None, None, ("One volume.",))
    row = FeatureRow(("shape__Sphericity",), (0.5,), {})
    return RouteContext(image, timing, {}, Finding(mask, measure(mask), curve, spot, parameters, row))


def codes(answers) -> list[str]:
    return [warning.code for warning in answers.warnings]
