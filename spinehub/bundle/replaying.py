"""Doing a bundled case again: the same image, clicks and settings must give the same mask and the same numbers."""

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spinehub.bundle.archive import Bundle, read_bundle
from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.growing import Limits
from spinehub.io import Source, describe_source, read_mask, read_series
from spinehub.pipeline import DEFAULT_MODELS, analyse
from spinehub.report import Report
from spinehub.series import DynamicSeries, Protocol
from spinehub.volume import Mask, Seed, Volume

__all__ = ["RELATIVE_TOLERANCE", "Replay", "replay_bundle", "replay_in_words"]

RELATIVE_TOLERANCE = 1e-4
"""Numbers of two machines count as the same within this: the networks' arithmetic differs in the last digits."""
_COMPARED = ("timing", "growing", "lesion", "hot_spot", "parameters")


@dataclass(frozen=True, eq=False)
class Replay:
    """What came out of doing a case again.

    Parameters
    ----------
    report
        The new report.
    mask_voxels
        Voxels of the new mask; None where the case has no lesion.
    numbers
        How many numbers were compared.
    differences
        One sentence per difference; empty: the case was reproduced.
    """

    report: Report
    mask_voxels: int | None
    numbers: int
    differences: tuple[str, ...]


def replay_bundle(
    bundle: str | Path, inputs: Sequence[str | Path] = (), *, models: Mapping[str, Any] | None = None
) -> Replay:
    """Do the case of a bundle again and compare.

    Parameters
    ----------
    bundle
        Zip file of :func:`spinehub.bundle.write_bundle`.
    inputs
        The image files, in the order they were read then; none: those inside the bundle, where it has any.
    models
        Route name to model, for routes that were asked with other weights than the embedded ones.

    Raises
    ------
    InputRefusedError
        If the bundle is refused, or the files are not those it was made from.
    """
    read = read_bundle(bundle)
    try:
        return _replay(read, [Path(file) for file in inputs], models or {})
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputRefusedError(f"the settings of the bundle are not as they were written ({error!r:.80})") from error


def replay_in_words(bundle: Path, inputs: Sequence[Path], models: Mapping[str, Any], output: Path | None) -> str:
    """Do a bundled case again, save it where `output` is given, and say that it is the same.

    Raises
    ------
    InvalidArgumentError
        If it is not the same, with every difference.
    """
    replay = replay_bundle(bundle, inputs, models=models)
    if output is not None:
        replay.report.save(output)
    if replay.differences:
        raise InvalidArgumentError(f"the case was not reproduced: {'; '.join(replay.differences)}")
    mask = "no mask" if replay.mask_voxels is None else f"the same mask ({replay.mask_voxels} voxels)"
    return f"Reproduced: {mask}, the same {replay.numbers} numbers, the same decisions and weights"


def _replay(read: Bundle, inputs: list[Path], models: Mapping[str, Any]) -> Replay:
    with tempfile.TemporaryDirectory(prefix="spinehub-replay-") as work:
        files = inputs or _bundled_inputs(read, Path(work))
        source = _same_source(read, files)
        image = _image(read, files)
        stored = _stored_mask(read, image, Path(work))
        report = analyse(image, source=source, models=_models(read.document, models), **_region(read.document, stored))
    fresh = report.to_dict()
    found = report.findings[0].mask if report.findings else None
    numbers = list(_numbers(read.document, fresh))
    differences = [*_mask_differences(stored, found), *_model_differences(read.document, fresh)]
    differences += [f"{name} was {_shown(old)}, now {_shown(new)}" for name, old, new in numbers if not _same(old, new)]
    return Replay(report, None if found is None else found.count, len(numbers), tuple(differences))


def _bundled_inputs(bundle: Bundle, work: Path) -> list[Path]:
    names = sorted(name for name in bundle.members if name.startswith("input/"))
    if not names:
        raise InputRefusedError("this bundle holds no image; give the path of the image it was made from")
    folder = work / "input"
    folder.mkdir()
    for name in names:
        (folder / Path(name).name).write_bytes(bundle.members[name])
    return [folder / Path(name).name for name in names]


def _same_source(bundle: Bundle, files: Sequence[Path]) -> Source:
    wanted = bundle.document["input"]["sha256"]
    source = describe_source(*files)
    if list(source.sha256) != list(wanted):
        raise InputRefusedError(
            "the image is not the one this bundle was made from (SHA-256 "
            f"{', '.join(value[:12] for value in source.sha256)} against {', '.join(value[:12] for value in wanted)}); "
            "give the original files in their order"
        )
    return source


def _image(bundle: Bundle, files: Sequence[Path]) -> DynamicSeries | Volume:
    """The image with the times and the protocol it had then, whatever lies beside it now."""
    settings = bundle.manifest["settings"]
    image = read_series(*files, times_s=settings["times_s"], baseline_frames=settings["baseline_frames"])
    if isinstance(image, Volume):
        return image
    times = None if settings["times_s"] is None else image.times_s
    return replace(image, times_s=times, protocol=Protocol(**settings["protocol"]))


def _stored_mask(bundle: Bundle, image: DynamicSeries | Volume, work: Path) -> Mask | None:
    data = bundle.members.get("outputs/mask.nii.gz")
    if data is None:
        return None
    path = work / "mask.nii.gz"
    path.write_bytes(data)
    return read_mask(path, image.grid)


def _region(document: Mapping[str, Any], stored: Mask | None) -> dict[str, Any]:
    """Seeds and settings of the region; a lesion that was not grown is the mask itself."""
    growing = document["growing"]
    if growing["seeds"]:
        seeds = [Seed.at_position(tuple(one["position_mm"]), background=one["background"]) for one in growing["seeds"]]
        repeated = growing.get("stability")
        tolerance = "auto" if repeated and repeated["automatic_tolerance"] else growing["tolerance"]
        return {
            "seeds": seeds,
            "tolerance": tolerance,
            "reach_mm": growing["reach_mm"],
            "limits": _limits(growing.get("limits")),
            "repeat": bool(repeated),
        }
    return {} if stored is None else {"mask": stored}


def _limits(stored: Mapping[str, Any] | None) -> Limits | None:
    """Limits of the growing; a mask not to enter is not in the bundle."""
    if stored is None:
        return None
    if stored["keep_out_voxels"] is not None:
        raise InputRefusedError(
            "this region was grown around a mask that it was not to enter, and a bundle does not hold that mask; "
            "analyse the image again with it"
        )
    ends = stored["intensity_range"]
    reach = (
        None if ends is None else (-math.inf if ends[0] is None else ends[0], math.inf if ends[1] is None else ends[1])
    )
    corners = stored["box"]
    return Limits(reach, None if corners is None else (tuple(corners[0]), tuple(corners[1])))


def _models(document: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Models of the case: embedded ones by name; a bundle nobody vouches for may not name a folder or a repository."""
    models: dict[str, Any] = dict(given)
    for route in document["routes"]:
        name, model = route["name"], (route["model"] or {}).get("id")
        if model is not None and model == DEFAULT_MODELS.get(name):
            models.setdefault(name, model)
    return models


def _mask_differences(stored: Mask | None, found: Mask | None) -> Iterator[str]:
    if stored is None or found is None:
        if stored is not found:
            yield f"the mask was {'missing' if stored is None else 'there'}, and now is not so"
        return
    odd = int(np.count_nonzero(stored.voxels != found.voxels))
    if odd:
        yield f"the mask differs in {odd} voxels ({stored.count} then, {found.count} now)"


def _model_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for old, new in zip(then["routes"], now["routes"], strict=True):
        hashes = [(route["model"] or {}).get("sha256") for route in (old, new)]
        if hashes[0] != hashes[1]:
            yield f"the weights of {old['name']} are others than then"
        if old["decision"] != new["decision"]:
            yield f"{old['name']} decided {old['decision']} then and {new['decision']} now"


def _numbers(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Name, old and new value of every number that describes the case."""
    for part in _COMPARED:
        yield from _leaves(part, then[part], now[part])
    for old, new in zip(then["routes"], now["routes"], strict=True):
        yield from _leaves(f"probabilities of {old['name']}", old["probabilities"], new["probabilities"])


def _leaves(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _leaves(f"{name}.{key}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, pair in enumerate(zip(old, new, strict=True)):
            yield from _leaves(f"{name}[{place}]", *pair)
    elif not (isinstance(old, str) and isinstance(new, str)):
        yield name, old, new


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        return math.isclose(old, new, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-6)
    return bool(old == new)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)[:60]
