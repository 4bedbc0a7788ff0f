"""Image panels of a figure: slices with outline, letters, ruler and seeds; class maps over slices."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from spinehub.render.planes import (
    OUTLINE_RGB,
    PLANES,
    PlaneView,
    display_window,
    outline_pixels,
    plane_letters,
    render_slice,
)
from spinehub.render.scene import Scene
from spinehub.render.wording import CLASS_COLOURS, MAP_NAMES
from spinehub.volume import Index, Mask, Seed, Volume

__all__ = ["draw_class_map", "draw_planes", "planes_height", "shown_volume"]

INK = "#1f2933"
ON_BLACK = "#dfe6ee"
RULERS_MM = (5, 10, 20, 50)
CLASS_MAP_SLICES = 3
SMALLEST_CROP_MM = 40.0
NARROWEST = 0.3
HEIGHT_INCHES = (3.0, 5.0)
"""A row of panels is never lower or higher than this."""


def shown_volume(scene: Scene) -> tuple[Volume, str]:
    """Volume that shows the lesion best, and what it is.

    For a series: the frame where the hot spot (else the lesion) is brightest, else the first frame after the
    baseline.
    """
    image, timing = scene.image, scene.timing
    if isinstance(image, Volume):
        return image, "single volume"
    frame_index = min(timing.baseline_frames, image.frame_count - 1)
    curve = scene.hot_spot.curve if scene.hot_spot is not None else scene.curve
    if curve is not None and np.isfinite(curve.enhancement).any():
        frame_index = int(np.nanargmax(curve.enhancement))
    text = f"frame {frame_index + 1} of {image.frame_count}"
    if image.times_s is not None and timing.arrival_s is not None:
        text += f", {image.times_s[frame_index] - timing.arrival_s:.0f} s from contrast arrival"
    return image.frame(frame_index), text


def planes_height(scene: Scene, width: float) -> float:
    """Height in inches of a row of panels that fills `width` inches, so that thin slabs leave no gaps."""
    low, high = HEIGHT_INCHES
    return float(np.clip(width / sum(_widths(scene)), low, high))


def draw_planes(figure: Figure | SubFigure, scene: Scene) -> None:
    """Draw the three planes through the lesion, the acquired plane first, and the map beside them."""
    volume, caption = shown_volume(scene)
    centre = _centre(volume, scene.mask, scene.seeds)
    window = display_window(volume.voxels)
    views, widths = _views(scene), _widths(scene)
    axes = figure.subplots(1, len(widths), width_ratios=widths)
    figure.subplots_adjust(left=0.012, right=0.988, bottom=0.03, top=0.88, wspace=0.04)
    for ax, view in zip(axes, views, strict=False):
        slice_index, pixel_mm = centre[view.slice_axis], _pixel_mm(view)
        picture = render_slice(volume, view.plane, slice_index, mask=scene.mask, window=window, pixel_mm=pixel_mm)
        _draw_slice(ax, picture, view, slice_index)
        _draw_ruler(ax, pixel_mm)
        _draw_seeds(ax, view, slice_index, scene.seeds, volume, pixel_mm)
    if scene.shown_map is not None:
        _draw_map(axes[-1], scene, views[0], centre)
    outline = "; outline: lesion" if scene.mask is not None else ""
    _headline(figure, f"Signal, {caption}{outline}")


def _views(scene: Scene) -> list[PlaneView]:
    """Views of the three planes, the acquired plane first."""
    grid = scene.image.grid
    order = (grid.acquired_plane, *(plane for plane in PLANES if plane != grid.acquired_plane))
    return [PlaneView.of(grid, plane) for plane in order]


def _widths(scene: Scene) -> list[float]:
    """Width of each panel per unit of height; a thin slab still gets room for its title."""
    extents = [view.extent_mm for view in _views(scene)]
    widths = [max(width / height, NARROWEST) for height, width in extents]
    return [*widths, 1.0] if scene.shown_map is not None else widths


def _draw_map(ax: Axes, scene: Scene, view: PlaneView, centre: Index) -> None:
    """Draw the map in colour, enlarged around the lesion; the whole slice where none is marked."""
    shown = scene.shown_map
    if shown is None:
        return
    slice_index, pixel_mm = centre[view.slice_axis], _pixel_mm(view)
    values = view.cut(shown.values, slice_index)
    height, width = view.screen_size(pixel_mm)
    inside = view.cut(scene.mask.voxels, slice_index) if scene.mask is not None else np.isfinite(values)
    known = values[inside & np.isfinite(values)]
    top = float(np.percentile(known, 98)) if known.size else 1.0
    frame = (-0.5, width - 0.5, height - 0.5, -0.5)
    picture = ax.imshow(values, cmap="viridis", vmin=0.0, vmax=max(top, 1.0), extent=frame, interpolation="nearest")
    if scene.mask is not None:
        _draw_outline(ax, scene.mask, view, slice_index, pixel_mm)
    ax.set_facecolor("black")
    _zoom(ax, scene.mask, view, pixel_mm)
    _no_frame(ax)
    ax.set_title(f"{MAP_NAMES[shown.name]}, {shown.unit}", fontsize=9, color=INK, pad=3)
    scale = ax.inset_axes((0.05, 0.05, 0.035, 0.4))
    ax.figure.colorbar(picture, cax=scale)
    scale.tick_params(labelsize=7, colors=ON_BLACK, length=2)
    for label in scale.get_yticklabels():
        label.set_path_effects([Stroke(linewidth=1.6, foreground="black"), Normal()])


def _draw_outline(ax: Axes, mask: Mask, view: PlaneView, slice_index: int, pixel_mm: float) -> None:
    """Draw a white outline, which no colour scale holds."""
    border = outline_pixels(mask, view, slice_index, pixel_mm)
    ax.imshow(np.where(border[..., None], (1.0, 1.0, 1.0, 1.0), 0.0), interpolation="nearest")


def _zoom(ax: Axes, mask: Mask | None, view: PlaneView, pixel_mm: float) -> None:
    """Show a square around a mask, twice its larger extent and at least 40 mm wide; all there is without a mask."""
    if mask is None or mask.is_empty:
        return
    voxels = np.argwhere(mask.voxels)
    corners = [tuple(int(n) for n in edge) for edge in (voxels.min(axis=0), voxels.max(axis=0))]
    (_, x0, y0), (_, x1, y1) = (view.screen_point_of((i, j, k), pixel_mm) for i, j, k in corners)
    half = max(SMALLEST_CROP_MM / pixel_mm / 2, abs(x1 - x0), abs(y1 - y0))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    ax.set(xlim=(x - half, x + half), ylim=(y + half, y - half))


def draw_class_map(figure: Figure | SubFigure, scene: Scene, class_map: NDArray[np.float32]) -> None:
    """Draw the acquired slices that hold most of the map, coloured from metastasis to primary tumour.

    `class_map` is ``(I, J, K)``: probability of a primary malignant tumour where a voxel is lesion, NaN elsewhere.
    """
    volume, caption = shown_volume(scene)
    view = PlaneView.of(volume.grid, volume.grid.acquired_plane)
    other = tuple(axis for axis in range(3) if axis != view.slice_axis)
    areas = np.isfinite(class_map).sum(axis=other)
    largest = sorted(int(n) for n in np.argsort(-areas, kind="stable")[:CLASS_MAP_SLICES] if areas[n] > 0)
    window, pixel_mm = display_window(volume.voxels), _pixel_mm(view)
    axes = figure.subplots(1, CLASS_MAP_SLICES)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.03, top=0.86, wspace=0.03)
    for ax in axes[len(largest) :]:
        ax.set_axis_off()
    for ax, slice_index in zip(axes, largest, strict=False):
        picture = render_slice(volume, view.plane, slice_index, window=window, pixel_mm=pixel_mm)
        _draw_slice(ax, picture, view, slice_index)
        colours = _class_colours(view.cut(class_map, slice_index))
        height, width = picture.shape[:2]
        ax.imshow(colours, interpolation="nearest", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
        if scene.mask is not None:
            _draw_outline(ax, scene.mask, view, slice_index, pixel_mm)
        _zoom(ax, scene.mask, view, pixel_mm)
        _draw_ruler(ax, pixel_mm)
    _headline(figure, f"Class map over signal, {caption}")


def _class_colours(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Blend the two class colours by probability; transparent where there is none."""
    share = np.nan_to_num(values.astype(np.float64))[..., None]
    blue, orange = (np.array(to_rgb(CLASS_COLOURS[name])) for name in ("metastasis", "primary_malignant"))
    alpha = np.where(np.isfinite(values), 0.55, 0.0)[..., None]
    return np.concatenate([(1 - share) * blue + share * orange, alpha], axis=-1)


def _headline(figure: Figure | SubFigure, text: str) -> None:
    figure.suptitle(text, x=0.012, y=0.985, ha="left", fontsize=10, color=INK)


def _pixel_mm(view: PlaneView) -> float:
    """Screen pixels fine enough that the outline looks like a line on coarse grids too."""
    return min(view.row_mm, view.column_mm, max(view.extent_mm) / 400)


def _centre(volume: Volume, mask: Mask | None, seeds: tuple[Seed, ...]) -> Index:
    """Voxel the three planes meet in: the widest slices of the mask, else the first seed, else the middle."""
    if mask is not None and not mask.is_empty:
        counts = [mask.voxels.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
        return int(np.argmax(counts[0])), int(np.argmax(counts[1])), int(np.argmax(counts[2]))
    if seeds:
        return seeds[0].index_on(volume.grid)
    i, j, k = (n // 2 for n in volume.grid.shape)
    return i, j, k


def _draw_slice(ax: Axes, picture: NDArray[np.uint8], view: PlaneView, slice_index: int) -> None:
    ax.set_facecolor("black")
    ax.imshow(picture, interpolation="nearest")
    _no_frame(ax)
    ax.set_title(f"{view.plane} {slice_index + 1}/{view.slice_count}", fontsize=9, color=INK, pad=3)
    style: dict[str, Any] = {"color": ON_BLACK, "fontsize": 8, "transform": ax.transAxes}
    places = (
        (0.015, 0.5, "left", "center"),
        (0.985, 0.5, "right", "center"),
        (0.5, 0.985, "center", "top"),
        (0.5, 0.015, "center", "bottom"),
    )
    for letter, (x, y, horizontal, vertical) in zip(plane_letters(view.plane), places, strict=True):
        ax.text(x, y, letter, ha=horizontal, va=vertical, **style)


def _draw_ruler(ax: Axes, pixel_mm: float) -> None:
    """Draw a ruler at the lower left, for the part of the slice that is shown."""
    left, right = ax.get_xlim()
    width_mm = (right - left) * pixel_mm
    ruler_mm = max((length for length in RULERS_MM if length < 0.4 * width_mm), default=RULERS_MM[0])
    end = 0.04 + ruler_mm / width_mm
    ax.plot([0.04, end], [0.045, 0.045], color=ON_BLACK, linewidth=1.6, transform=ax.transAxes)
    ax.text(0.04, 0.06, f"{ruler_mm} mm", color=ON_BLACK, fontsize=7, va="bottom", transform=ax.transAxes)


def _no_frame(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def _draw_seeds(
    ax: Axes, view: PlaneView, slice_index: int, seeds: tuple[Seed, ...], volume: Volume, pixel_mm: float
) -> None:
    for seed in seeds:
        at_slice, x, y = view.screen_point_of(seed.index_on(volume.grid), pixel_mm)
        if at_slice == slice_index:
            colour = "#9aa5b1" if seed.background else tuple(c / 255 for c in OUTLINE_RGB)
            ax.plot(x - 0.5, y - 0.5, marker="+", markersize=9, markeredgewidth=1.6, color=colour)
