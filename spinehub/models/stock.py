"""Whether stock tools make of a saved folder what we make of it: equal logits, not merely "it loads"."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from spinehub.errors import ModelError
from spinehub.models.golden import golden_slices

__all__ = ["check_stock"]

_TOLERANCE = 1e-4


def check_stock(model: Any, folder: str | Path) -> float | None:
    """Load a network's folder with segmentation_models_pytorch or timm and compare the logits of the golden input.

    Parameters
    ----------
    model
        What was saved.
    folder
        Written by ``save_pretrained``.

    Returns
    -------
    float or None
        Largest difference of the logits; None for models that are no network.

    Raises
    ------
    ModelError
        If the folder does not load there, or the logits differ.
    """
    load = {"lesion-segmenter": _load_smp, "lesion-classifier": _load_timm}.get(getattr(model, "kind", ""))
    if load is None:
        return None
    import torch

    try:
        with redirect_stdout(StringIO()):  # the Hub's mixin prints where it loads from
            stock = load(Path(folder)).eval()
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise ModelError(f"{Path(folder).name} does not load in stock tools: {error}; save it again") from error
    device = model.device
    with model.to("cpu").ready():
        slices = torch.from_numpy(golden_slices(model))
        difference = float((stock(slices) - model.network(slices)).abs().max())
    model.to(device)
    if not difference <= _TOLERANCE:
        raise ModelError(
            f"stock tools give other logits than spinehub (largest difference {difference:.2g}); save it again"
        )
    return difference


def _load_smp(folder: Path) -> Any:
    import segmentation_models_pytorch as smp

    return smp.from_pretrained(str(folder), strict=True)


def _load_timm(folder: Path) -> Any:
    import timm

    return timm.create_model(f"local-dir:{folder}", pretrained=True)
