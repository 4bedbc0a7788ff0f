"""The radiomics route: one elastic-net logistic regression per regime, evaluated in NumPy.

The file formats are safetensors for the numbers and JSON for names and calibration; scikit-learn is needed to fit
(:mod:`spinehub.models.feature_fitting`), never to predict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spinehub.errors import ModelError
from spinehub.features import FeatureRow
from spinehub.models.calibration import Answer, Calibration
from spinehub.models.domain import Domain
from spinehub.models.folder import FORMAT_VERSION
from spinehub.models.linear import LinearModel, feature_in_words
from spinehub.series import Regime

__all__ = ["Contribution", "RadiomicsClassifier", "feature_in_words"]

KIND = "radiomics-linear"
_OTHER = "without_washout."
_SIDES = ("metastasis", "primary malignant tumour")


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
        Training standard deviations above the training mean; more than 3 count as 3.
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
    without_washout
        A second classifier for dynamic series that end before the wash-out can be measured; None: no answer for them.
    model_id, sha256, evaluation
        Where it was loaded from, the hash of its weights, and its ``evaluation.json``.
    """

    models: Mapping[Regime, LinearModel]
    calibration: Calibration
    settings_sha256: str
    training: dict[str, Any] = field(default_factory=dict)
    without_washout: "RadiomicsClassifier | None" = None
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
        serving, reason = self._serving(row, regime)
        if reason is not None:
            return Answer.unavailable(reason)
        return serving.calibration.answer(serving.models[regime].score(serving._values(row, regime)), regime)

    def contributions(self, row: FeatureRow, regime: Regime) -> tuple[Contribution, ...]:
        """What each feature adds, the largest first; with :meth:`starting_point` they sum to the calibrated log-odds.

        Raises
        ------
        ModelError
            If there is no answer to explain; :meth:`predict` says why.
        """
        serving, reason = self._serving(row, regime)
        if reason is not None:
            raise ModelError(f"there is no answer to explain: {reason}")
        model, slope = serving.models[regime], serving.calibration.line(regime)[0]
        values = serving._values(row, regime)
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

    def starting_point(self, row: FeatureRow, regime: Regime) -> float:
        """Calibrated log-odds of a lesion like `row` all of whose features lie at the training mean."""
        serving, _ = self._serving(row, regime)
        slope, intercept = serving.calibration.line(regime)
        return slope * serving.models[regime].intercept + intercept

    def unusual(self, row: FeatureRow, regime: Regime) -> tuple[str, ...]:
        """What about this row lies outside the training distribution; empty where nothing does or nothing is known."""
        serving, reason = self._serving(row, regime)
        if reason is not None:
            return ()
        domain = serving.models[regime].domain
        values = row.select(domain.names)
        missing = [feature_in_words(n) for n, v in zip(domain.names, values, strict=True) if not np.isfinite(v)]
        if missing:
            return (f"{len(missing)} features that every training case has are missing, the first is {missing[0]}",)
        return domain.unusual(values)

    def _values(self, row: FeatureRow, regime: Regime) -> NDArray[np.float64]:
        return row.select(self.models[regime].names)

    def _serving(self, row: FeatureRow, regime: Regime) -> tuple["RadiomicsClassifier", str | None]:
        """The classifier that can judge the row, or this one and why it cannot."""
        reason, other = self._why_not(row, regime), self.without_washout
        if reason is not None and other is not None and other._why_not(row, regime) is None:
            return other, None
        return self, reason

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
        section = {"kind": KIND, "format_version": FORMAT_VERSION, "settings_sha256": self.settings_sha256}
        other = self.without_washout
        return {
            "spinehub": section
            | self._parts()
            | {"without_washout": None if other is None else other._parts(), "training": self.training}
        }

    def _parts(self) -> dict[str, Any]:
        regimes = {regime: model.to_dict() for regime, model in self.models.items()}
        return {"regimes": regimes, "calibration": self.calibration.to_dict()}

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Arrays by name, float64: ``"<regime>.coefficients"``, ``"<regime>.mean"``, ..."""
        arrays: dict[str, NDArray[np.float64]] = {}
        for regime, model in self.models.items():
            arrays |= model.tensors(f"{regime}.")
        other = {} if self.without_washout is None else self.without_washout.tensors()
        return arrays | {f"{_OTHER}{name}": values for name, values in other.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of :meth:`to_config` and :meth:`tensors`.

        Raises
        ------
        ModelError
            If a part is missing, of another format version, or does not fit the others.
        """
        section = config.get("spinehub", {})
        if section.get("kind") != KIND or section.get("format_version") != FORMAT_VERSION:
            raise ModelError(
                f"config must be of kind {KIND!r} and format version {FORMAT_VERSION}, got {section.get('kind')!r} and "
                f"{section.get('format_version')!r}; update spinehub or fetch the model again"
            )
        try:
            settings = str(section["settings_sha256"])
            other = section["without_washout"]
            return cls(
                *_read_parts(section, tensors, ""),
                settings,
                dict(section.get("training", {})),
                None if other is None else cls(*_read_parts(other, tensors, _OTHER), settings),
            )
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


def _read_parts(
    parts: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], prefix: str
) -> tuple[dict[Regime, LinearModel], Calibration]:
    models = {
        regime: LinearModel.from_parts(part, tensors, f"{prefix}{regime}.") for regime, part in parts["regimes"].items()
    }
    return models, Calibration.from_dict(parts["calibration"])
