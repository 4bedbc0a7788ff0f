"""A golden input and what the model made of it, stored beside the weights.

Hashes say that files are as they were; the golden output says that they still mean the same: other versions of the
libraries, another machine, or a conversion must give the same numbers. Inputs are made from a fixed seed, not from a
patient. ``golden.safetensors`` holds ``input.*`` and ``output.*``, ``golden.json`` says what they are.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import ModelError
from spinehub.models.folder import GOLDEN_FILE, GOLDEN_TEXT, load_arrays, save_arrays, section_of, write_json

__all__ = ["check_golden", "golden_difference", "golden_input", "golden_output", "golden_slices", "write_golden"]

GOLDEN_FORMAT = "spinehub-golden/1"
Arrays: TypeAlias = dict[str, NDArray[Any]]

_SEED = 20231
_ROWS = 5
_MEANING = {
    "hotspot-rule": "parameters (n, 2): early enhancement and wash-out, %; probability (n,) of primary_malignant",
    "radiomics-linear": "<regime> (n, F): the features of that regime in the order of config.json; output (n,): "
    "probability of primary_malignant, log-odds where the regime is not calibrated",
    "lesion-segmenter": "blocks (N, C, h, w): each number fills 2 x 2 pixels of the slice; softmax (N, 3, 2h, 2w) over "
    "background, metastasis, primary_malignant; activations (N, F)",
    "lesion-classifier": "blocks (N, C, h, w): each number fills 4 x 4 pixels of the slice, the region is the last "
    "channel; probabilities (2,) of metastasis and primary_malignant, not calibrated; activations (F,)",
}
_TOLERANCE = {"hotspot-rule": 1e-9, "radiomics-linear": 1e-9, "lesion-segmenter": 1e-4, "lesion-classifier": 1e-4}
"""Networks compute in single precision, and processors add up in different orders."""
_ENLARGED = {"lesion-segmenter": 2, "lesion-classifier": 4}
"""Pixels along each side that a number of the golden input fills: small files, slices as large as a network needs."""


def write_golden(model: Any, folder: Path) -> None:
    """Write the golden files of a model; their hashes are recorded by whoever finishes the folder."""
    given = golden_input(model)
    got = golden_output(model, given)
    tensors = {f"input.{name}": values for name, values in given.items()}
    save_arrays(tensors | {f"output.{name}": values for name, values in got.items()}, folder / GOLDEN_FILE)
    kind = _kind(model)
    text = {"format": GOLDEN_FORMAT, "kind": kind, "arrays": _MEANING[kind], "tolerance": _TOLERANCE[kind]}
    write_json(folder / GOLDEN_TEXT, text)


def check_golden(model: Any, folder: str | Path) -> float | None:
    """Give the stored input to a model and compare.

    Returns
    -------
    float or None
        Largest difference to the stored output, as :func:`golden_difference`; None where the folder stores none.

    Raises
    ------
    ModelError
        If the outputs differ by more than the kind of model may.
    """
    path = Path(folder) / GOLDEN_FILE
    if not path.is_file():
        return None
    stored = load_arrays(path)
    given = {name.removeprefix("input."): values for name, values in stored.items() if name.startswith("input.")}
    expected = {name.removeprefix("output."): values for name, values in stored.items() if name.startswith("output.")}
    try:
        got = golden_output(model, given)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise ModelError(
            f"the golden input in {path.parent.name} does not fit the model ({error}); save it again"
        ) from error
    difference = golden_difference(expected, got)
    if not difference <= _TOLERANCE[_kind(model)]:
        raise ModelError(
            f"{path.parent.name} does not give its golden output any more: the largest difference is {difference:.2g}, "
            f"{_TOLERANCE[_kind(model)]:g} is allowed; the installed torch, timm or "
            "segmentation_models_pytorch computes something else than the one it was saved with"
        )
    return difference


def golden_difference(expected: Mapping[str, NDArray[Any]], got: Mapping[str, NDArray[Any]]) -> float:
    """Largest difference of any array, relative to its largest value where that is above 1; inf where names differ."""
    if set(expected) != set(got) or any(expected[name].shape != got[name].shape for name in expected):
        return float("inf")
    worst = [np.abs(got[name] - expected[name]).max() / max(1.0, np.abs(expected[name]).max()) for name in expected]
    return float(np.max(worst, initial=0.0))


def golden_input(model: Any) -> Arrays:
    """Make the input of a model, by name."""
    return _INPUTS[_kind(model)](model, np.random.default_rng(_SEED))


def golden_output(model: Any, given: Mapping[str, NDArray[Any]]) -> Arrays:
    """What a model makes of a golden input; networks are evaluated on the processor, in single precision."""
    return _OUTPUTS[_kind(model)](model, given)


def _kind(model: Any) -> str:
    return str(section_of(model.to_config())["kind"])


def _rule_input(model: Any, _: np.random.Generator) -> Arrays:
    limits = [model.ranges[name] for name in ("early_enhancement", "washout")]
    axes = [np.linspace(low, high, _ROWS) for low, high in limits]
    return {"parameters": np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)}


def _rule_output(model: Any, given: Mapping[str, NDArray[Any]]) -> Arrays:
    rows = given["parameters"]
    return {"probability": np.array([_said(model.calibration, model.score(*row), "dynamic") for row in rows])}


def _said(calibration: Any, score: float, regime: str) -> float:
    return float(calibration.probability(score, regime)) if regime in calibration.regimes else score


def _linear_models(model: Any) -> Iterator[tuple[str, Any, Any, str]]:
    for prefix, part in (("", model), ("without_washout.", model.without_washout)):
        for regime, linear in ({} if part is None else part.models).items():
            yield f"{prefix}{regime}", linear, part.calibration, regime


def _linear_input(model: Any, rng: np.random.Generator) -> Arrays:
    return {
        name: linear.mean + linear.scale * rng.normal(size=(_ROWS, linear.mean.size))
        for name, linear, _, _ in _linear_models(model)
    }


def _linear_output(model: Any, given: Mapping[str, NDArray[Any]]) -> Arrays:
    return {
        name: np.array([_said(calibration, linear.score(row), regime) for row in given[name]])
        for name, linear, calibration, regime in _linear_models(model)
    }


def _slices(channels: int, side: int, rng: np.random.Generator) -> Arrays:
    return {"blocks": rng.normal(0.5, 0.5, size=(2, channels, side, side)).astype(np.float32)}


def golden_slices(model: Any) -> NDArray[np.float32]:
    """``(N, C, H, W)`` slices of the golden input of a network, every channel it takes."""
    slices = _enlarged(golden_input(model)["blocks"], _ENLARGED[_kind(model)])
    if getattr(model, "reads_region", False):
        slices = np.concatenate([slices, np.ones_like(slices[:, :1])], axis=1)
    return slices


def _enlarged(blocks: NDArray[Any], times: int) -> NDArray[np.float32]:
    return np.asarray(blocks, dtype=np.float32).repeat(times, axis=2).repeat(times, axis=3)


def _segmenter_input(model: Any, rng: np.random.Generator) -> Arrays:
    return _slices(len(model.spec.channel_names), 16, rng)


def _segmenter_output(model: Any, given: Mapping[str, NDArray[Any]]) -> Arrays:
    with _on_processor(model):
        blocks = _enlarged(given["blocks"], _ENLARGED["lesion-segmenter"])
        everywhere = np.ones((len(blocks), *blocks.shape[2:]), np.float32)
        softmax, activations, score, _ = model.run(blocks, everywhere)
    said = {} if score is None else {"score": np.array([score], np.float32)}
    return {"softmax": softmax, "activations": activations, **said}


def _classifier_input(model: Any, rng: np.random.Generator) -> Arrays:
    return _slices(len(model.spec.channel_names) + 1, 20, rng)  # Inception-ResNet-v2 needs 75 pixels at least


def _classifier_output(model: Any, given: Mapping[str, NDArray[Any]]) -> Arrays:
    with _on_processor(model):
        probabilities, activations = model.run(_enlarged(given["blocks"], _ENLARGED["lesion-classifier"]))
    return {"probabilities": probabilities, "activations": activations}


@contextmanager
def _on_processor(model: Any) -> Iterator[None]:
    before = model.device
    model.to("cpu")
    try:
        yield
    finally:
        model.to(before)


_INPUTS: Mapping[str, Callable[[Any, np.random.Generator], Arrays]] = {
    "hotspot-rule": _rule_input,
    "radiomics-linear": _linear_input,
    "lesion-segmenter": _segmenter_input,
    "lesion-classifier": _classifier_input,
}
_OUTPUTS: Mapping[str, Callable[[Any, Mapping[str, NDArray[Any]]], Arrays]] = {
    "hotspot-rule": _rule_output,
    "radiomics-linear": _linear_output,
    "lesion-segmenter": _segmenter_output,
    "lesion-classifier": _classifier_output,
}
