"""Training, validation and calibration cases: split by patient, balanced by class."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from spinehub.errors import InvalidArgumentError

__all__ = ["PARTS", "Part", "split_patients"]

Part: TypeAlias = Literal["training", "validation", "calibration"]
PARTS: tuple[Part, Part, Part] = ("training", "validation", "calibration")

SHARES: Mapping[Part, float] = {"training": 0.7, "validation": 0.1, "calibration": 0.2}


def split_patients(
    patients: Sequence[str], labels: Sequence[Hashable], seed: int, *, shares: Mapping[Part, float] = SHARES
) -> tuple[Part, ...]:
    """Assign each case to a part; all cases of a patient go to the same one.

    Parameters
    ----------
    patients, labels
        Patient and class of each case.
    seed
        Same seed, same split, whatever the order of the cases.
    shares
        Share of the patients of each class per part.

    Returns
    -------
    tuple of str
        Part of each case.

    Raises
    ------
    InvalidArgumentError
        If the lists differ in length, or a class has fewer patients than there are parts.
    """
    if len(patients) != len(labels):
        raise InvalidArgumentError(f"labels must hold one entry per case, got {len(labels)} for {len(patients)} cases")
    label_of = dict(zip(reversed(patients), reversed(labels), strict=True))
    parts: dict[str, Part] = {}
    for label in sorted({str(value) for value in label_of.values()}):
        members = sorted(patient for patient, value in label_of.items() if str(value) == label)
        if len(members) < len(PARTS):
            raise InvalidArgumentError(
                f"class {label} must have at least {len(PARTS)} patients to be split, got {len(members)}; add cases"
            )
        np.random.default_rng(seed).shuffle(members)
        held_out: list[Part] = []
        for part in PARTS[1:]:
            held_out += [part] * max(1, round(shares[part] * len(members)))
        drawn: list[Part] = [*held_out, *([PARTS[0]] * len(members))]
        # Few patients: one for each held-out part, the rest is trained on.
        if len(held_out) >= len(members):
            drawn = [PARTS[1], PARTS[2], *([PARTS[0]] * len(members))]
        parts |= dict(zip(members, drawn, strict=False))
    return tuple(parts[patient] for patient in patients)
