"""The files and numbers the viewer needs, written once per case and once per region into the visitor's folder."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gradio.data_classes import FileData
from numpy.typing import NDArray

from spinehub.demo.cases import LoadedCase
from spinehub.demo.session import Session
from spinehub.demo.viewer import ViewerValue
from spinehub.growing import Growth
from spinehub.io import write_map, write_series, write_volume
from spinehub.perfusion import Timing, baseline, body_mask
from spinehub.render import display_window
from spinehub.render.wording import MAP_NAMES, ROUTE_NAMES
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Volume

__all__ = [
    "MAP_LEVELS",
    "case_info",
    "given_arrival",
    "inverted_arrival",
    "map_levels",
    "region_layers",
    "shown_frames",
    "viewer_value",
]

MAP_LEVELS = 32767
"""Steps a map is sent in: 1 to this; 0 where the map is not defined."""
OUT_OF_REACH = np.float32(-3e38)
"""Stands for minus infinity in the browser: finite, and below every tolerance."""
_BROWSER_VOXELS = 75_000_000
"""Voxels of a series the browser is given (150 MB as int16); of a longer series every n-th frame is shown."""
_LATE_S = 60.0
_HERE = ["", "lesion"]


@dataclass(frozen=True)
class _Range:
    """How a map is coloured: fixed limits, or up to the 99th percentile."""

    colormap: str
    low: float = 0.0
    high: float | None = None
    least_high: float = 1.0


_RANGES = {
    "peak_enhancement": _Range("inferno", least_high=100.0),
    "early_enhancement": _Range("inferno", least_high=100.0),
    "washout": _Range("spinehub-diverging", -40.0, 40.0),
    "washin_ratio": _Range("inferno", least_high=50.0),
    "time_to_peak": _Range("viridis", least_high=60.0),
    "iauc90": _Range("inferno", least_high=1000.0),
    "curve_type": _Range("viridis", 0.0, 3.0),
    "percent_enhancement": _Range("inferno", least_high=100.0),
    "signal_enhancement_ratio": _Range("viridis", 0.0, 2.0),
}


def viewer_value(case: LoadedCase, session: Session, case_folder: Path, folder: Path) -> ViewerValue:
    """Everything the viewer shows for a session; files that exist already are not written again.

    Parameters
    ----------
    case, session
        What is loaded, and the region in it.
    case_folder, folder
        Where the files of the case and of the region go.
    """
    image_file, maps_file = _case_files(case, session, case_folder)
    layers = region_layers(case)
    arrival_file = None
    if case.given is not None:
        arrival_file = folder / f"mask-{_name(session.wanted[:-1])}.nii.gz"
        if not arrival_file.exists():
            write_map(given_arrival(case.given), arrival_file)
    elif case.growth is not None and session.seeds:
        arrival_file = (
            folder / f"arrival-{_name(session.case_key[1:], session.seeds, session.reach_mm, session.cuts)}.nii.gz"
        )
        if not arrival_file.exists():
            write_map(inverted_arrival(case.growth), arrival_file)
    return ViewerValue(
        image=FileData(path=str(image_file)),
        maps=FileData(path=str(maps_file)) if maps_file else None,
        layers=_layers_file(layers, folder / f"layers-{_layers_name(session, layers)}.nii.gz"),
        arrival=FileData(path=str(arrival_file)) if arrival_file else None,
        info={**case.info, **_region_info(case, session), "layers": [told for _, told in layers]},
    )


def _layers_name(session: Session, layers: list[tuple[ParametricMap, dict[str, Any]]]) -> str:
    return _name(session.case_key[1:], *session.wanted[1:], *(told["name"] for _, told in layers))


def region_layers(case: LoadedCase) -> list[tuple[ParametricMap, dict[str, Any]]]:
    """Maps that belong to the analysed region, and what the browser is told about each: agreement and class maps."""
    layers = []
    if case.outcome is not None and case.outcome.agreement is not None:
        told = {"name": "agreement", "label": "Agreement when the click moves", "unit": "", "low": 0.0, "high": 1.0}
        values = case.outcome.agreement.values
        held = np.where(values > 0, values, np.nan).astype(np.float32)  # the rest of the body stays uncoloured
        agreement = ParametricMap("agreement", "", held, case.outcome.agreement.grid)
        layers.append((agreement, told | {"colormap": "viridis", "ends": ["never", "always"]}))
    for name, explanation in (case.outcome.explanations if case.outcome else {}).items():
        if "class_map" in explanation:
            values = np.asarray(explanation["class_map"], dtype=np.float32)
            class_map = ParametricMap(f"class_map_{name}", "", values, case.image.grid)
            told = {"name": class_map.name, "label": f"{ROUTE_NAMES[name]} class map", "unit": "", "low": 0.0}
            told |= {"high": 1.0, "colormap": "spinehub-classes", "ends": ["metastasis", "primary"]}
            layers.append((class_map, told))
        if "occlusion" in explanation:
            values = np.asarray(explanation["occlusion"], dtype=np.float32)
            most = max(float(np.nanmax(np.abs(values))), 1e-6)
            occlusion = ParametricMap(f"occlusion_{name}", "log-odds", values, case.image.grid)
            told = {"name": occlusion.name, "label": f"{ROUTE_NAMES[name]}: what covering a place changes"}
            told |= {"unit": "log-odds", "low": -most, "high": most, "colormap": "spinehub-classes"}
            layers.append((occlusion, told))
    if case.truth is not None:
        told = {"name": "truth", "label": "True lesion (simulated)", "unit": "", "low": 0.0, "high": 1.0}
        inside = np.where(case.truth.voxels, 1.0, np.nan).astype(np.float32)
        layers.append(
            (ParametricMap("truth", "", inside, case.truth.grid), told | {"colormap": "green", "ends": _HERE})
        )
    return layers


def _layers_file(layers: list[tuple[ParametricMap, dict[str, Any]]], path: Path) -> FileData | None:
    if not layers:
        return None
    if not path.exists():
        _write_levels([map_levels(layer, told["low"], told["high"]) for layer, told in layers], layers[0][0].grid, path)
    return FileData(path=str(path))


def _write_levels(levels: list[NDArray[np.float32]], grid: Grid, path: Path) -> None:
    """Levels of one or more maps as frames; a file of one map holds it twice, since a series has two frames."""
    frames = np.stack(levels if len(levels) > 1 else levels * 2, axis=-1)
    write_series(DynamicSeries(frames, grid), path, dtype="int16")


def inverted_arrival(growth: Growth) -> ParametricMap:
    """Arrival turned round and made finite, so that a mask is what lies at or above ``-tolerance``."""
    values = growth.arrival.values
    inverted = np.where(np.isfinite(values), -values, OUT_OF_REACH).astype(np.float32)
    return ParametricMap("arrival_inverted", growth.arrival.unit, inverted, growth.arrival.grid)


def given_arrival(mask: Mask) -> ParametricMap:
    """A mask that was not grown in the same form: inside at the tolerance 0, and nothing ever joins it."""
    values = np.where(mask.voxels, np.float32(0), OUT_OF_REACH)
    return ParametricMap("arrival_inverted", "", values, mask.grid)


def map_levels(parametric_map: ParametricMap, low: float, high: float) -> NDArray[np.float32]:
    """Levels of a map for the browser.

    Parameters
    ----------
    parametric_map
        The map.
    low, high
        Values at level 1 and at the highest level; values beyond are shown as these.

    Returns
    -------
    ndarray
        ``(I, J, K)`` float32, whole numbers: 1 to :data:`MAP_LEVELS`, 0 where the map is not defined.
    """
    values, valid = parametric_map.values, parametric_map.valid
    share = np.clip((np.where(valid, values, 0.0) - low) / (high - low), 0.0, 1.0)
    return np.where(valid, np.rint(1 + share * (MAP_LEVELS - 1)), 0).astype(np.float32)


def _limits(parametric_map: ParametricMap, body: NDArray[np.bool_]) -> tuple[float, float]:
    """Values the colours span: fixed, or up to the 99th percentile inside the body, since air holds noise alone."""
    chosen = _RANGES.get(parametric_map.name, _Range("viridis"))
    if chosen.high is not None:
        return chosen.low, chosen.high
    inside = parametric_map.values[parametric_map.valid & body]
    return chosen.low, max(chosen.least_high, float(np.percentile(inside, 99.0)) if inside.size else 0.0)


def shown_frames(series: DynamicSeries) -> NDArray[np.intp]:
    """Frames the browser is given: all, or evenly spread ones with the first and the last where they are too many."""
    most = max(2, int(_BROWSER_VOXELS // np.prod(series.grid.shape)))
    count = series.frame_count
    return np.arange(count) if count <= most else np.unique(np.linspace(0, count - 1, most).round().astype(np.intp))


def _name(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _case_files(case: LoadedCase, session: Session, folder: Path) -> tuple[Path, Path | None]:
    name = _name(session.case_key[1:])
    image_file, maps_file = folder / f"image-{name}.nii.gz", folder / f"maps-{name}.nii.gz"
    if not image_file.exists():
        _write_image(case.image, image_file)
    if case.maps and not maps_file.exists():
        levels = [map_levels(case.maps[told["name"]], told["low"], told["high"]) for told in case.info["maps"]]
        _write_levels(levels, case.image.grid, maps_file)
    return image_file, maps_file if case.maps else None


def _write_image(image: DynamicSeries | Volume, path: Path) -> None:
    if isinstance(image, Volume):
        write_volume(Volume(np.nan_to_num(image.voxels), image.grid), path)
        return
    frames = np.nan_to_num(image.frames[..., shown_frames(image)])
    write_series(DynamicSeries(frames, image.grid), path, dtype="int16")


def case_info(image: DynamicSeries | Volume, timing: Timing, maps: Mapping[str, ParametricMap]) -> dict[str, Any]:
    """What the browser is told about a case, whatever region is grown in it; worked out once."""
    grid = image.grid
    body = body_mask(image)
    return {
        "shape": list(grid.shape),
        "inverse": grid.inverse.tolist(),
        "acquired": grid.acquired_plane,
        "array_axis": {plane: grid.array_axis(plane) for plane in ("sagittal", "coronal", "axial")},
        "voxel_ml": grid.voxel_volume_ml,
        **_frames_info(image, timing),
        "maps": [_map_info(parametric_map, body) for parametric_map in maps.values()],
        "map_levels": MAP_LEVELS,
    }


def _region_info(case: LoadedCase, session: Session) -> dict[str, Any]:
    grid = case.image.grid
    seeds = [{"mm": grid.position_of(seed.index_on(grid)), "background": seed.background} for seed in session.seeds]
    return {
        "seeds": seeds,
        "tolerance": session.tolerance or 0.0,
        "revision": session.revision,
        "reach_mm": session.reach_mm,
        "teaching": session.teaching,
        "mask_source": session.mask_source,
        "references": [
            {"mm": list(one.center_mm), "tissue": one.tissue, "radius_mm": one.radius_mm} for one in case.references
        ],
        "own_image": not session.is_example,
        "focus": seeds[-1]["mm"] if seeds else None,
    }


def _frames_info(image: DynamicSeries | Volume, timing: Timing) -> dict[str, Any]:
    if isinstance(image, Volume):
        window = display_window(image.voxels)
        empty: dict[str, Any] = {
            "times_s": None,
            "arrival_s": None,
            "baseline_frames": 0,
            "first_frame": 0,
            "shown_frames": [0],
            "plain_frame": 0,
        }
        return {**empty, "window": list(window), "subtraction_window": list(window)}
    kept = shown_frames(image)
    late = _late_frame(image, timing.arrival_s)
    difference = image.frames[..., late] - baseline(image, timing)
    return {
        "times_s": None if image.times_s is None else image.times_s[kept].tolist(),
        "arrival_s": timing.arrival_s,
        "baseline_frames": int(np.count_nonzero(kept < timing.baseline_frames)) or 1,
        "first_frame": int(np.searchsorted(kept, late)),
        "shown_frames": kept.tolist(),
        "plain_frame": late,
        "window": list(display_window(image.frames[..., late])),
        "subtraction_window": [0.0, max(display_window(difference)[1], 1e-6)],
    }


def _late_frame(series: DynamicSeries, arrival_s: float | None) -> int:
    """Frame shown first: one minute after arrival, where tumours have taken up contrast; else the last frame."""
    if series.times_s is None or arrival_s is None:
        return series.frame_count - 1
    return int(np.argmin(np.abs(series.times_s - arrival_s - _LATE_S)))


def _map_info(parametric_map: ParametricMap, body: NDArray[np.bool_]) -> dict[str, Any]:
    low, high = _limits(parametric_map, body)
    return {
        "name": parametric_map.name,
        "label": MAP_NAMES.get(parametric_map.name, parametric_map.name),
        "unit": parametric_map.unit,
        "low": low,
        "high": high,
        "colormap": _RANGES.get(parametric_map.name, _Range("viridis")).colormap,
    }
