"""The rows ``embed()`` + logistic regression: what a plain classifier makes of a network's activations."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.models.embedding import EmbeddingModel
from spinehub.report import RouteAnswer
from spinehub.series import Regime

__all__ = ["EmbeddedRoutes", "embedding_row", "load_embeddings"]


def embedding_row(route: str) -> str:
    """Name of the row beside a network's route."""
    return f"{route}_embedding"


def load_embeddings(files: Mapping[str, str | Path], networks: Mapping[str, Any]) -> dict[str, EmbeddingModel]:
    """Load the embedding of each network's route.

    Raises
    ------
    InvalidArgumentError
        If its network is not judged beside it.
    ModelError
        If it was fitted on another network.
    """
    loaded = {}
    for route, path in files.items():
        if route not in networks:
            raise InvalidArgumentError(f"models must name {route}, whose embedding is to be judged, got {[*networks]}")
        loaded[route] = EmbeddingModel.load(path)
        loaded[route].require_network(networks[route])
    return loaded


class _Listener:
    """Stands where a network keeps its domain and remembers the activations that are held against it.

    So the activations of a lesion come from the same pass that judges it.
    """

    def __init__(self, domain: Any) -> None:
        self._domain = domain
        self.heard: NDArray[Any] | None = None

    def unusual(self, activations: NDArray[Any], regime: Regime) -> tuple[str, ...]:
        self.heard = activations
        return () if self._domain is None else self._domain.unusual(activations, regime)


class EmbeddedRoutes:
    """Models of the routes, some of them networks with an embedding beside them.

    Parameters
    ----------
    models
        Route to loaded model; networks with an embedding are replaced by copies that share their weights.
    embeddings
        Of :func:`load_embeddings`.
    """

    def __init__(self, models: Mapping[str, Any], embeddings: Mapping[str, EmbeddingModel]) -> None:
        self.embeddings = embeddings
        self.models: dict[str, Any] = dict(models)
        self._listeners: dict[str, _Listener] = {}
        for route in embeddings:
            network = copy.copy(models[route])
            network.domain = self._listeners[route] = _Listener(network.domain)
            self.models[route] = network

    def answer(self, said: RouteAnswer, regime: Regime) -> RouteAnswer:
        """What the embedding says about the lesion its network has just judged; nothing where the network is silent.

        Where the network found the image unusual, nothing is decided either.
        """
        listener, model = self._listeners[said.name], self.embeddings[said.name]
        heard, listener.heard = listener.heard, None
        if said.probabilities is None or heard is None:
            return RouteAnswer(said.name, "not_available", reason=said.reason or "no_activations: None were made.")
        answer = model.predict(heard, regime)
        shares = None
        if answer.probabilities is not None:
            shares = {str(name): share for name, share in answer.probabilities.items()}
        if shares is not None and (said.reason or "").startswith("outside_training_distribution"):
            return RouteAnswer(said.name, "undecided", shares, said.reason)
        return RouteAnswer(said.name, answer.decision, shares, answer.reason)
