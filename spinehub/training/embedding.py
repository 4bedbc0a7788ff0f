"""``train_embedding``: a logistic regression on the activations of a finished network."""

import json
from collections.abc import Sequence
from pathlib import Path

from spinehub.dataset import read_prepared
from spinehub.errors import InvalidArgumentError
from spinehub.models import LesionSegmenter
from spinehub.models.embedding import EmbeddingModel, embedding_file
from spinehub.models.embedding_fitting import fit_embedding
from spinehub.routes import RouteName, load_model
from spinehub.training.bookkeeping import origin_facts

__all__ = ["train_embedding"]

_PARTS = ("validation", "calibration")
_ORIGIN = ("simulated", "simulated_cases", "cases")


def train_embedding(
    route: RouteName,
    model_folder: str | Path,
    output: str | Path,
    *,
    prepared: str | Path | None = None,
    cases: Sequence[str] | None = None,
    seed: int = 0,
) -> Path:
    """Fit the row ``embed()`` + logistic regression of one network and write its file.

    Fitted on the validation and calibration cases of the network's own training, whose images taught it nothing, or on
    other cases it never saw.

    Parameters
    ----------
    route
        ``"unet"`` or ``"inception_resnet"``.
    model_folder
        Folder of the trained network; or, with `cases`, its name or Hub id.
    output
        Folder for the file: that of the stacked model, as a rule.
    prepared
        Folder of prepared cases; None: that in the record of its training.
    cases
        Prepared cases that taught the network nothing, for one without a record: half precision is another network than
        that it was made from. None: what its own training held out.
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

    kept = Path(model_folder) / "training"
    names = _held_out(kept) if cases is None else list(cases)
    network = load_model(route, str(model_folder))
    known = read_prepared(prepared or kept / "prepared", names)
    scores = (segmenter_scores if isinstance(network, LesionSegmenter) else classifier_scores)(network, known)
    model: EmbeddingModel = fit_embedding(
        scores.activations,
        scores.label,
        scores.regime,
        scores.patient_id,
        route=route,
        network_sha256=network.sha256,
        seed=seed,
    )
    own = {name: network.training[name] for name in _ORIGIN if name in network.training}
    model.training.update(own if cases is None else origin_facts(known, own))
    return model.save(Path(output) / embedding_file(route))


def _held_out(record: Path) -> list[str]:
    """Cases of a training that its network was not fitted on."""
    if not (record / "split.json").is_file():
        raise InvalidArgumentError(
            f"{record.parent.name} must hold training/split.json, which says what the network was not fitted on; train "
            "it again with 'spinehub train', or name cases it never saw (cases=)"
        )
    split = json.loads((record / "split.json").read_text(encoding="utf-8"))
    return [name for part in _PARTS for name in split[part]]
