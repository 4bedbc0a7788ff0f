"""``train_embedding``: a logistic regression on the activations of a finished network."""

import json
from pathlib import Path

from spinehub.dataset import read_prepared
from spinehub.errors import InvalidArgumentError
from spinehub.models import LesionSegmenter
from spinehub.models.embedding import EmbeddingModel, embedding_file
from spinehub.models.embedding_fitting import fit_embedding
from spinehub.routes import RouteName, load_model

__all__ = ["train_embedding"]

_PARTS = ("validation", "calibration")
_ORIGIN = ("simulated", "simulated_cases", "cases")


def train_embedding(
    route: RouteName,
    model_folder: str | Path,
    output: str | Path,
    *,
    prepared: str | Path | None = None,
    record: str | Path | None = None,
    seed: int = 0,
) -> Path:
    """Fit the row ``embed()`` + logistic regression of one network and write its file.

    Fitted on the validation and calibration cases of the network's own training: their images taught it nothing.

    Parameters
    ----------
    route
        ``"unet"`` or ``"inception_resnet"``.
    model_folder
        Folder of the trained network.
    output
        Folder for the file: that of the stacked model, as a rule.
    prepared
        Where its training kept the prepared cases; None: inside its record.
    record
        Record of its training; None: ``training/`` in `model_folder`. A network in half precision is another one than
        that it was made from, and keeps no record.
    seed
        Of the folds.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidArgumentError
        If the record of the training lacks its split, or too few cases were held out.
    """
    from spinehub.training.classifier import classifier_scores
    from spinehub.training.segmenter import segmenter_scores

    kept = Path(model_folder) / "training" if record is None else Path(record)
    if not (kept / "split.json").is_file():
        raise InvalidArgumentError(
            f"the record of {Path(model_folder).name} must hold split.json, which says what the network was not fitted "
            "on; train it again with 'spinehub train'"
        )
    split = json.loads((kept / "split.json").read_text(encoding="utf-8"))
    network = load_model(route, str(model_folder))
    cases = read_prepared(prepared or kept / "prepared", [name for part in _PARTS for name in split[part]])
    scores = (segmenter_scores if isinstance(network, LesionSegmenter) else classifier_scores)(network, cases)
    model: EmbeddingModel = fit_embedding(
        scores.activations,
        scores.label,
        scores.regime,
        scores.patient_id,
        route=route,
        network_sha256=network.sha256,
        seed=seed,
    )
    model.training.update({name: network.training[name] for name in _ORIGIN if name in network.training})
    return model.save(Path(output) / embedding_file(route))
