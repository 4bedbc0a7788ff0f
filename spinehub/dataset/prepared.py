"""Prepared cases on disk, read without copying."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub.case import DIAGNOSES, Diagnosis
from spinehub.dataset.preparation import CASE_FILE, TABULAR
from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.series import Regime

__all__ = ["PreparedCase", "PreparedStack", "read_prepared"]

_LABEL_SMOOTHING = 0.05


@dataclass(frozen=True, eq=False)
class PreparedStack:
    """Input of a network for one case in one regime.

    Parameters
    ----------
    spec
        How it was made.
    channels
        Channels that are stored; the others are 0.
    lesion_pixels, grown_pixels
        ``(N,)`` area of all lesions and of the grown region in each slice, in pixels.
    path
        File of the values, without its suffix.
    """

    spec: PreprocessingSpec
    channels: tuple[int, ...]
    lesion_pixels: NDArray[np.float64]
    grown_pixels: NDArray[np.float64]
    path: Path

    @cached_property
    def stored(self) -> NDArray[np.float16]:
        """``(N, stored channels, H, W)``, mapped into memory, not read."""
        values: NDArray[np.float16] = np.load(self.path.with_suffix(".npy"), mmap_mode="r")
        return values

    @cached_property
    def _masks(self) -> NDArray[np.uint8]:
        masks: NDArray[np.uint8] = np.load(self.path.with_name(f"{self.path.name}-masks.npy"), mmap_mode="r")
        return masks

    @property
    def slice_count(self) -> int:
        """Number of slices N."""
        return len(self.lesion_pixels)

    def values(self, slices: NDArray[np.intp]) -> NDArray[np.float32]:
        """``(n, C, H, W)`` float32 of some slices, every channel of the specification."""
        size = self.spec.size
        values = np.zeros((len(slices), len(self.spec.channel_names), size, size), np.float32)
        values[:, list(self.channels)] = self.stored[slices]
        return values

    def labels(self, slices: NDArray[np.intp]) -> NDArray[np.uint8]:
        """``(n, H, W)``: 0 background, 1 metastasis, 2 primary malignant."""
        return np.asarray(self._masks[slices, 0])

    def inside(self, slices: NDArray[np.intp]) -> NDArray[np.float32]:
        """``(n, H, W)`` share of each pixel in the grown region."""
        return np.asarray(self._masks[slices, 1], dtype=np.float32) / np.float32(255.0)


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """One prepared case.

    Parameters
    ----------
    folder
        Where it lies.
    facts
        Patient, diagnosis, grid and protocol.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def case_id(self) -> str:
        """Of the cohort."""
        return str(self.facts["case_id"])

    @property
    def patient_id(self) -> str:
        """Splits are made on this."""
        return str(self.facts["patient_id"])

    @property
    def diagnosis(self) -> Diagnosis:
        """Truth."""
        diagnosis: Diagnosis = self.facts["diagnosis"]
        return diagnosis

    @property
    def label(self) -> int:
        """Index of the diagnosis: 0 metastasis, 1 primary malignant."""
        return DIAGNOSES.index(self.diagnosis)

    @property
    def posterior(self) -> float | None:
        """The simulator's exact probability of ``primary_malignant`` given the drawn signs; None for other cases."""
        teacher = self.facts.get("teacher")
        return None if teacher is None else float(teacher["posterior"])

    @property
    def signs(self) -> dict[str, Any] | None:
        """The signs the simulator drew for the index lesion, by name; None for other cases."""
        teacher = self.facts.get("teacher")
        return None if teacher is None else dict(teacher["signs"])

    @property
    def target(self) -> float:
        """What a network is asked for: the posterior where it is known, else 0 or 1 by the label, drawn in a little.

        A simulated lesion often looks like the other class, and no network should be told that it does not: the exact
        posterior teaches the same as many more cases with labels alone (Lopez-Paz et al. 2016, privileged information).
        """
        if self.posterior is not None:
            return self.posterior
        return abs(self.label - 0.5 * _LABEL_SMOOTHING)

    def stacks(self, name: str) -> dict[Regime, PreparedStack]:
        """Inputs of one network, by regime; a regime that shows none of its channels is left out.

        Raises
        ------
        InvalidArgumentError
            If that network was not prepared for.
        """
        path = self.folder / name / "stacks.json"
        if not path.is_file():
            raise InvalidArgumentError(f"case {self.case_id} was not prepared for {name!r}; prepare it first")
        content = json.loads(path.read_text(encoding="utf-8"))
        spec = PreprocessingSpec.from_dict(content["spec"])
        return {
            regime: PreparedStack(
                spec,
                tuple(notes["channels"]),
                np.asarray(notes["lesion_pixels"], dtype=np.float64),
                np.asarray(notes["grown_pixels"], dtype=np.float64),
                self.folder / name / regime,
            )
            for regime, notes in content["regimes"].items()
            if notes["channels"]
        }

    @cached_property
    def tables(self) -> dict[Regime, Any]:
        """Hot-spot parameters and features by regime."""
        path = self.folder / TABULAR / "table.json"
        if not path.is_file():
            raise InvalidArgumentError(f"case {self.case_id} was not prepared with features; prepare it first")
        tables: dict[Regime, Any] = json.loads(path.read_text(encoding="utf-8"))
        return tables


def read_prepared(folder: str | Path, case_ids: list[str]) -> list[PreparedCase]:
    """Open prepared cases.

    Raises
    ------
    InvalidArgumentError
        If a case was not prepared.
    """
    cases = []
    for case_id in case_ids:
        path = Path(folder) / case_id / CASE_FILE
        if not path.is_file():
            raise InvalidArgumentError(f"case {case_id} was not prepared; prepare it first")
        cases.append(PreparedCase(path.parent, json.loads(path.read_text(encoding="utf-8"))))
    return cases
