"""The radiomics route: one elastic-net logistic regression per regime, evaluated in NumPy.

The file formats are safetensors for the numbers and JSON for names and calibration; scikit-learn is needed to fit
(:mod:`spinehub.models.feature_fitting`), never to predict.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinehub.errors import ModelError
from spinehub.features import FeatureRow
from spinehub.models.calibration import Answer, Calibration
from spinehub.models.domain import Domain
from spinehub.models.folder import FORMAT_VERSION
from spinehub.series import Regime

__all__ = ["Contribution", "LinearModel", "RadiomicsClassifier", "feature_in_words"]

KIND = "radiomics-linear"
_WORDS = re.compile(r"\d+D|\d+|[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_IN_WORDS = {
    "shape": "shape",
    "firstorder": "histogram",
    "peak_enhancement": "peak enhancement",
    "early_enhancement": "early enhancement",
    "washout": "wash-out",
    "peak_frame": "peak frame",
}
_SIDES = ("metastasis", "primary malignant tumour")


def feature_in_words(name: str) -> str:
    """Name of a column for people: ``"washout__glcm_JointEntropy"`` becomes ``"wash-out, GLCM joint entropy"``."""
    image, _, rest = name.partition("__")
    group, _, feature = rest.rpartition("_")
    words = [word if word.isupper() else word.lower() for word in _WORDS.findall(feature)]
    if group:
        words.insert(0, _IN_WORDS.get(group, group.upper()))
    return f"{_IN_WORDS.get(image, image)}, {' '.join(words)}"


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Logistic regression on standardised features, for one regime.

    Parameters
    ----------
    names
        The F features it needs; every coefficient differs from 0.
    coefficients, mean, scale
        ``(F,)`` float64: log-odds per training standard deviation, training mean and standard deviation.
    intercept
        Log-odds of ``primary_malignant`` at the training mean.
    domain
        Where the training cases lie.
    """

    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    intercept: float
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    domain: Domain

    def __post_init__(self) -> None:
        for name in ("coefficients", "mean", "scale"):
            array = np.asarray(getattr(self, name), dtype=np.float64)
            if array.shape != (len(self.names),) or not np.isfinite(array).all():
                raise ModelError(
                    f"{name} of the radiomics model must be {len(self.names)} finite numbers, one per feature name, "
                    f"got shape {array.shape}"
                )
            object.__setattr__(self, name, array)
        if (self.scale <= 0).any() or not np.isfinite(self.intercept):
            raise ModelError("scale of the radiomics model must be above 0 and its intercept finite")

    def terms(self, values: ArrayLike) -> NDArray[np.float64]:
        """``(F,)`` log-odds each feature adds to the intercept."""
        result: NDArray[np.float64] = self.coefficients * (np.asarray(values, dtype=float) - self.mean) / self.scale
        return result


@dataclass(frozen=True)
class Contribution:
    """What one feature adds to the calibrated log-odds of ``primary_malignant``; exact, since the model is linear.

    Parameters
    ----------
    feature
        Column.
    value
        Its value in this row.
    deviations
        Training standard deviations above the training mean.
    log_odds
        Above 0: towards ``primary_malignant``.
    sentence
        The same in words.
    """

    feature: str
    value: float
    deviations: float
    log_odds: float
    sentence: str


@dataclass(frozen=True, eq=False)
class RadiomicsClassifier:
    """Linear radiomics classifier, one model per regime.

    Parameters
    ----------
    models
        Fitted model of each regime.
    calibration
        Platt scaling and thresholds of each regime.
    settings_sha256
        Hash of the feature settings it was trained with; rows made with others get no answer.
    training
        JSON record of the fit.
    model_id, sha256, evaluation
        Where it was loaded from, the hash of its weights, and its ``evaluation.json``.
    """

    models: Mapping[Regime, LinearModel]
    calibration: Calibration
    settings_sha256: str
    training: dict[str, Any] = field(default_factory=dict)
    model_id: str = ""
    sha256: str = ""
    evaluation: dict[str, Any] | None = None

    @property
    def thresholds(self) -> dict[Regime, Any]:
        """Smallest probability with which a class stays possible, by regime and class."""
        return dict(self.calibration.thresholds)

    @property
    def domain(self) -> dict[Regime, Domain]:
        """Where the training cases lie in feature space, by regime."""
        return {regime: model.domain for regime, model in self.models.items()}

    def predict(self, row: FeatureRow, regime: Regime) -> Answer:
        """Judge one lesion.

        Returns
        -------
        Answer
            Without probabilities, and with a reason that names it, where a feature is missing or the row was made
            with other settings or for a regime the model does not serve.
        """
        reason = self._why_not(row, regime)
        if reason is not None:
            return Answer.unavailable(reason)
        return self.calibration.answer(self.score(row, regime), regime)

    def score(self, row: FeatureRow, regime: Regime) -> float:
        """Uncalibrated log-odds of ``primary_malignant``; NaN where a needed feature is missing."""
        model = self.models[regime]
        return float(model.intercept + model.terms(row.select(model.names)).sum())

    def contributions(self, row: FeatureRow, regime: Regime) -> tuple[Contribution, ...]:
        """What each feature adds, the largest first; with :meth:`starting_point` they sum to the calibrated log-odds.

        Raises
        ------
        ModelError
            If there is no answer to explain; :meth:`predict` says why.
        """
        reason = self._why_not(row, regime)
        if reason is not None:
            raise ModelError(f"there is no answer to explain: {reason}")
        model, slope = self.models[regime], self.calibration.line(regime)[0]
        values = row.select(model.names)
        deviations, terms = (values - model.mean) / model.scale, slope * model.terms(values)
        return tuple(
            Contribution(
                model.names[k],
                float(values[k]),
                float(deviations[k]),
                float(terms[k]),
                f"{feature_in_words(model.names[k])} = {values[k]:.3g} ({abs(deviations[k]):.1f} SD "
                f"{'above' if deviations[k] >= 0 else 'below'} the mean of the simulated training cases) speaks for "
                f"{_SIDES[int(terms[k] > 0)]} ({terms[k]:+.2f})",
            )
            for k in np.argsort(-np.abs(terms), kind="stable")
        )

    def starting_point(self, regime: Regime) -> float:
        """Calibrated log-odds of a lesion whose features all lie at the training mean."""
        slope, intercept = self.calibration.line(regime)
        return slope * self.models[regime].intercept + intercept

    def unusual(self, row: FeatureRow, regime: Regime) -> tuple[str, ...]:
        """What about this row lies outside the training distribution; empty where nothing does or nothing is known."""
        if self._why_not(row, regime) is not None:
            return ()
        domain = self.models[regime].domain
        return domain.unusual(row.select(domain.names))

    def _why_not(self, row: FeatureRow, regime: Regime) -> str | None:
        if regime not in self.models:
            return f"the radiomics model was not trained for the regime {regime}, only for {', '.join(self.models)}"
        if row.provenance.get("settings_sha256") != self.settings_sha256:
            return "the features were made with other settings than the radiomics model was trained with"
        model = self.models[regime]
        missing = [n for n, v in zip(model.names, row.select(model.names), strict=True) if not np.isfinite(v)]
        if not missing:
            return None
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        why = row.provenance.get("not_computed", "")
        return f"the feature {missing[0]}{more} could not be computed" + (f" ({why})" if why else "")

    def to_config(self) -> dict[str, Any]:
        """JSON half of the model, the content of ``config.json``; the arrays are in :meth:`tensors`."""
        regimes = {
            regime: {"features": list(model.names), "intercept": model.intercept, "domain": model.domain.to_dict()}
            for regime, model in self.models.items()
        }
        return {
            "spinehub": {
                "kind": KIND,
                "format_version": FORMAT_VERSION,
                "settings_sha256": self.settings_sha256,
                "regimes": regimes,
                "calibration": self.calibration.to_dict(),
                "training": self.training,
            }
        }

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Arrays by name, float64: ``"<regime>.coefficients"``, ``"<regime>.mean"``, ..."""
        arrays: dict[str, NDArray[np.float64]] = {}
        for regime, model in self.models.items():
            arrays |= {f"{regime}.{name}": getattr(model, name) for name in ("coefficients", "mean", "scale")}
            arrays |= model.domain.tensors(f"{regime}.domain.")
        return arrays

    @classmethod
    def from_config(cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> "RadiomicsClassifier":
        """Inverse of :meth:`to_config` and :meth:`tensors`.

        Raises
        ------
        ModelError
            If a part is missing, of another format version, or does not fit the others.
        """
        inner = config.get("spinehub", {})
        if inner.get("kind") != KIND or inner.get("format_version") != FORMAT_VERSION:
            raise ModelError(
                f"config must be of kind {KIND!r} and format version {FORMAT_VERSION}, got {inner.get('kind')!r} and "
                f"{inner.get('format_version')!r}; update spinehub or fetch the model again"
            )
        try:
            models = {
                regime: LinearModel(
                    tuple(part["features"]),
                    tensors[f"{regime}.coefficients"],
                    float(part["intercept"]),
                    tensors[f"{regime}.mean"],
                    tensors[f"{regime}.scale"],
                    Domain.from_parts(part["domain"], tensors, f"{regime}.domain."),
                )
                for regime, part in inner["regimes"].items()
            }
            calibration = Calibration.from_dict(inner["calibration"])
            return cls(models, calibration, str(inner["settings_sha256"]), dict(inner.get("training", {})))
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"the files of the radiomics model lack {error}; fetch the model again") from error

    @classmethod
    def from_pretrained(cls, model_id: str | Path, *, revision: str | None = None) -> Self:
        """Load by embedded name, local folder or Hub repo id; :class:`ModelError` if it is another kind of model."""
        from spinehub.models import loading

        model: Self = loading.from_pretrained(model_id, revision=revision, expected=cls)
        return model

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write ``config.json``, ``model.safetensors`` and, where known, ``evaluation.json``; returns the folder."""
        from spinehub.models import loading

        return loading.save_pretrained(self, folder)

    def push_to_hub(self, repo_id: str, *, private: bool = False) -> str:
        """Publish to the Hub; returns the address of its page."""
        from spinehub.models import loading

        return loading.push_to_hub(self, repo_id, private=private)
