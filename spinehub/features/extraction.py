"""One row of features from an image and a mask; the only file that knows pyradiomics and its axis order (z, y, x)."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinehub._version import __version__
from spinehub.features.lattice import HALF, Lattice
from spinehub.features.settings import feature_names, settings, settings_sha256
from spinehub.perfusion import Timing, assess_timing, body_signal, compute_maps
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Mask, Volume

__all__ = ["FeatureRow", "extract_features"]


@dataclass(frozen=True)
class FeatureRow:
    """Features of one lesion.

    Parameters
    ----------
    names
        Columns: ``"shape__<feature>"`` or ``"<image>__<class>_<feature>"``; always all of them.
    values
        One number per column, NaN where it could not be computed.
    provenance
        Versions, settings and their SHA-256, regime, voxels used, and under ``not_computed`` why columns are NaN.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    provenance: dict[str, str]

    def select(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Values of some columns, ``(len(names),)`` float64, found by name; NaN for a column the row does not have."""
        known = dict(zip(self.names, self.values, strict=True))
        return np.array([known.get(name, np.nan) for name in names], dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """JSON form; None stands for NaN."""
        values = {n: None if np.isnan(v) else v for n, v in zip(self.names, self.values, strict=True)}
        return {"features": values, "provenance": dict(self.provenance)}


def extract_features(
    image: DynamicSeries | Volume,
    mask: Mask,
    timing: Timing | None = None,
    maps: Mapping[str, ParametricMap] | None = None,
) -> FeatureRow:
    """Compute the radiomics row of one lesion.

    The row does not depend on the order or direction of the file's axes: arrays first run to right, front and head.

    Parameters
    ----------
    image
        Series or single volume the mask was made on.
    mask
        The lesion; voxels where an image has no valid value are left out for that image.
    timing
        Result of :func:`spinehub.perfusion.assess_timing`; computed where None.
    maps
        Result of :func:`spinehub.perfusion.compute_maps`; computed where None.

    Returns
    -------
    FeatureRow
        All columns of :func:`feature_names` for ``"dynamic"``; NaN for what the regime, the scan or a small mask does
        not allow, with the reason in ``provenance["not_computed"]``.

    Raises
    ------
    GridMismatchError
        If the mask lies on another grid than the image.
    InvalidArgumentError
        If the image holds no signal above 0.
    """
    image.grid.require_match(mask.grid, "mask")
    timing = assess_timing(image) if timing is None else timing
    images, notes = _images(image, mask, timing, maps)
    values = dict.fromkeys(feature_names("dynamic"), float("nan"))
    reasons: dict[str, str] = {}
    lattice = Lattice.around(mask, settings()["in_plane_spacing_mm"])
    inside = np.zeros((1, 1, 1), dtype=bool) if lattice is None else lattice.resample_mask(mask)
    if lattice is None or np.count_nonzero(inside) < settings()["minimum_voxels"]:
        reasons["all"] = f"the mask holds fewer than {settings()['minimum_voxels']} voxels after resampling"
    else:
        shape = _compute("shape", _pair(np.zeros(inside.shape), inside, lattice), lattice, 1.0)
        values.update({f"shape__{feature}": value for feature, value in shape.items()})
        for name in settings()["images"]:
            found, reason = _intensity(name, images.get(name), inside, lattice)
            values.update(found)
            if reason is not None:
                reasons[name] = reason
    notes["voxels"] = str(np.count_nonzero(inside))
    notes["not_computed"] = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return FeatureRow(tuple(values), tuple(values.values()), _versions() | notes)


def _images(
    image: DynamicSeries | Volume, mask: Mask, timing: Timing, maps: Mapping[str, ParametricMap] | None
) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """Images on the input's grid by name, NaN where not valid, and what to note about them."""
    notes: dict[str, str] = {"regime": timing.regime}
    images: dict[str, NDArray[np.float32]] = {}
    if isinstance(image, Volume):
        peak = image.voxels
    else:
        maps = compute_maps(image, timing) if maps is None else maps
        images = {name: maps[name].values for name in settings()["regimes"][timing.regime] if name in maps}
        index = _peak_frame(image, mask, timing)
        notes["peak_frame"] = str(index)
        peak = image.frames[..., index]
    images["peak_frame"] = peak / np.float32(body_signal(image, timing))
    return images, notes


def _peak_frame(series: DynamicSeries, mask: Mask, timing: Timing) -> int:
    """Frame after the baseline in which the mask's mean signal, hence its mean enhancement, is highest."""
    if mask.is_empty:
        return timing.baseline_frames
    after = series.frames[mask.voxels][:, timing.baseline_frames :].astype(np.float64)
    usable = np.isfinite(after).all(axis=1)
    return timing.baseline_frames + (int(after[usable].mean(axis=0).argmax()) if usable.any() else 0)


def _versions() -> dict[str, str]:
    return {
        "spinehub": __version__,
        "pyradiomics": metadata.version("pyradiomics-bhklab"),
        "SimpleITK": metadata.version("SimpleITK"),
        "numpy": np.__version__,
        "settings_version": str(settings()["version"]),
        "settings_sha256": settings_sha256(),
    }


def _intensity(
    name: str, values: NDArray[np.float32] | None, inside: NDArray[np.bool_], lattice: Lattice
) -> tuple[dict[str, float], str | None]:
    """First-order and texture columns of one image, and why some or all of them are missing."""
    if values is None:
        return {}, "not available in this regime or scan"
    rule = settings()["images"][name]
    resampled, share = lattice.resample(values)
    inside = inside & (share >= HALF)
    if np.count_nonzero(inside) < settings()["minimum_voxels"]:
        return {}, f"fewer than {settings()['minimum_voxels']} voxels have a valid value"
    clipped = np.where(inside, np.clip(resampled, *rule["range"]), 0.0)
    levels = np.unique(np.floor(clipped[inside] / rule["bin_width"])).size
    classes = [c for c in settings()["features"] if c != "shape"] if levels > 1 else ["firstorder"]
    pair = _pair(clipped, inside, lattice)
    found = {
        f"{name}__{group}_{feature}": value
        for group in classes
        for feature, value in _compute(group, pair, lattice, rule["bin_width"]).items()
    }
    if levels > 1:
        return found, None
    # pyradiomics puts constants (0, 1, 10^6) where these are 0 / 0.
    undefined = {f"{name}__firstorder_{feature}": float("nan") for feature in ("Skewness", "Kurtosis")}
    return found | undefined, "one grey level only, so no texture"


def _pair(values: NDArray[np.float64], inside: NDArray[np.bool_], lattice: Lattice) -> tuple[Any, Any]:
    """Image and mask as pyradiomics takes them, from canonical ``(x, y, z)`` arrays; it changes neither."""
    import SimpleITK as sitk

    images = []
    for array in (values, inside.astype(np.uint8)):
        image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
        image.SetSpacing(lattice.spacing_mm.tolist())
        images.append(image)
    return images[0], images[1]


def _compute(group: str, pair: tuple[Any, Any], lattice: Lattice, bin_width: float) -> dict[str, float]:
    """Features of one pyradiomics class; NaN where it gives no finite value."""
    wanted: list[str] = settings()["features"][group]
    within_slices = settings()["texture_within_slices"]
    calculator = _radiomics_classes()[group]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        computed = calculator(
            *pair, binWidth=bin_width, force2D=within_slices, force2Ddimension=2 - lattice.slice_axis
        ).execute()
    numbers = {feature: float(computed.get(feature, np.nan)) for feature in wanted}
    return {feature: value if np.isfinite(value) else float("nan") for feature, value in numbers.items()}


@cache
def _radiomics_classes() -> dict[str, Any]:
    """Class of pyradiomics behind each group; its log, which repeats what the row says, is switched off, once."""
    from radiomics import firstorder, glcm, gldm, glrlm, glszm, ngtdm, shape

    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    return {
        "shape": shape.RadiomicsShape,
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glrlm": glrlm.RadiomicsGLRLM,
        "glszm": glszm.RadiomicsGLSZM,
        "gldm": gldm.RadiomicsGLDM,
        "ngtdm": ngtdm.RadiomicsNGTDM,
    }
