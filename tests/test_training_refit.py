"""The lesion head is fitted once more, to whole lesions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinehub.dataset import PreparedCase, PreparedStack
from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.models import LesionClassifier, LesionSegmenter
from spinehub.training.refit import LesionSums, lesion_sums, refit_head

SPEC = PreprocessingSpec(size=32)
TINY: dict[str, Any] = {"encoder_name": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [16, 8, 4]}


def tiny(**options: bool) -> LesionSegmenter:
    torch.manual_seed(0)
    return LesionSegmenter.create(SPEC, **options, **TINY)


def told(model: LesionSegmenter, count: int, seed: int, turned: bool = False) -> LesionSums:
    """Lesions of three slices whose mean of the first channel tells the class; `turned`: the other way round."""
    rng = np.random.default_rng(seed)
    assert model.head is not None
    label = np.arange(count) % 2
    stages = []
    for each in label:
        parts = []
        for place, features in enumerate(model.head.features):
            mean = rng.normal(size=(3, 3, features)) + (2.0 * each if place == 0 else 0.0)
            parts.append(torch.tensor(np.concatenate([np.ones((3, 3, 1)), mean, mean**2 + 1.0], axis=2)).float())
        stages.append(tuple(parts))
    asked = 1 - label if turned else label
    return LesionSums(tuple(stages), torch.tensor(asked, dtype=torch.float32), asked)


def test_the_head_learns_what_whole_lesions_show() -> None:
    model = tiny()
    record = refit_head(model, told(model, 120, 1), told(model, 60, 2), seed=0)
    assert record["after"]["validation_auc"] > 0.95 > record["before"]["validation_auc"]
    assert record["after"]["validation_log_loss"] < record["before"]["validation_log_loss"]
    assert record["lesions"] == 120
    assert 1 <= record["epochs"] <= 24


def test_the_result_depends_on_the_seed_alone() -> None:
    """Dropout too: a resumed training, whose own random numbers stand elsewhere, must end with the same head."""
    found = []
    for drawn_before in (0, 7):
        model = tiny()
        torch.rand(drawn_before)
        refit_head(model, told(model, 40, 1), told(model, 20, 2), seed=0)
        assert model.head is not None
        found.append(torch.cat([value.flatten() for value in model.head.state_dict().values()]))
    torch.testing.assert_close(found[0], found[1], rtol=0.0, atol=0.0)


def test_a_head_that_does_not_get_better_stays_as_it_was() -> None:
    model = tiny()
    refit_head(model, told(model, 120, 1), told(model, 60, 2), seed=0)
    assert model.head is not None
    before = {name: value.clone() for name, value in model.head.state_dict().items()}
    record = refit_head(model, told(model, 120, 3, turned=True), told(model, 60, 2), seed=0)
    assert record["epochs"] == 0
    assert record["after"] == record["before"]
    for name, value in model.head.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0.0, atol=0.0)


def test_only_the_head_changes() -> None:
    model = tiny()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    refit_head(model, told(model, 40, 1), told(model, 20, 2), seed=0)
    for name, value in model.network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0.0, atol=0.0)
    with pytest.raises(InvalidArgumentError, match="must have a lesion head"):
        refit_head(headless(), told(model, 4, 1), told(model, 4, 2), seed=0)


def headless() -> LesionSegmenter:
    model = tiny()
    return LesionSegmenter(model.network, SPEC, architecture=model.architecture)


def case_of(folder: Path, name: str, label: int, grown: bool = True) -> PreparedCase:
    """Prepared case of two slices; the second holds the region."""
    rng = np.random.default_rng(label)
    spec = SPEC
    channels = tuple(range(len(spec.channel_names)))
    np.save(folder / f"{name}.npy", rng.normal(size=(2, len(channels), 32, 32)).astype(np.float16))
    masks = np.zeros((2, 2, 32, 32), np.uint8)
    masks[1, 1, 8:20, 8:20] = 255 if grown else 0
    np.save(folder / f"{name}-masks.npy", masks)
    pixels = np.array([0.0, 144.0 if grown else 0.0])
    stack = PreparedStack(spec, channels, pixels, pixels, folder / name)
    case = PreparedCase(
        folder, {"case_id": name, "patient_id": name, "diagnosis": ("metastasis", "primary_malignant")[label]}
    )
    case.__dict__["stacks"] = lambda _: {"dynamic": stack}
    return case


@pytest.mark.parametrize("reads_region", [True, False])
def test_sums_give_the_score_the_network_gives(tmp_path: Path, reads_region: bool) -> None:
    model = tiny(reads_region=reads_region)
    assert model.head is not None
    torch.nn.init.normal_(model.head.squeezes[0].weight, std=0.1)  # no longer silent
    cases = [case_of(tmp_path, "a", 0), case_of(tmp_path, "b", 1), case_of(tmp_path, "c", 1, grown=False)]
    sums = lesion_sums(model, cases, "unet")
    assert len(sums) == 2  # the third has no region
    assert sums.label.tolist() == [0, 1]
    with torch.no_grad(), model.ready():
        found = model.head(sums.added([0, 1], torch.ones))
    for row, case in enumerate(cases[:2]):
        stack = case.stacks("unet")["dynamic"]
        slices = np.array([1])
        score = model.run(stack.values(slices), stack.inside(slices)).score
        assert float(found[row]) == pytest.approx(score, abs=1e-5)


def test_sums_of_a_classifier(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LesionClassifier.create(SPEC, architecture="resnet10t", slices=1)
    assert model.pooled.head is not None
    cases = [case_of(tmp_path, "a", 0)]
    sums = lesion_sums(model, cases, "inception_resnet")
    with torch.no_grad(), model.ready():
        found = float(model.pooled.head(sums.added([0], torch.ones)))
    stack = cases[0].stacks("inception_resnet")["dynamic"]
    slices = np.array([1])
    values = np.concatenate([stack.values(slices), stack.inside(slices)[:, None]], axis=1)
    share = model.run(values)[0][1]
    assert found == pytest.approx(np.log(share / (1.0 - share)), abs=1e-5)
