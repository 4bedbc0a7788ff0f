"""Curves and ratios of the reference regions, beside the lesion or without one."""

from collections.abc import Mapping, Sequence

from spinehub.demo.cases import LoadedCase
from spinehub.demo.definitions import what
from spinehub.demo.markup import Markup, element, join
from spinehub.demo.plots import curve_plot
from spinehub.perfusion import Comparison, compare
from spinehub.render.prose import number
from spinehub.render.wording import TISSUE_NAMES
from spinehub.series import Curve, DynamicSeries

__all__ = [
    "comparisons",
    "crosshair_key",
    "crosshair_said",
    "reference_curves",
    "reference_keys",
    "reference_table",
    "without_lesion",
]

_NO_LESION = "The enhancement curve appears once a lesion is marked."
_HINT = "To compare with normal tissue, press Reference above the image and click marrow, muscle or a vessel."


def comparisons(case: LoadedCase) -> tuple[Comparison, ...]:
    """The lesion of the last analysis beside each reference region; the reference alone where nothing is marked."""
    lesion = case.outcome.curve.region if case.outcome is not None and case.outcome.curve is not None else None
    return tuple(compare(case.image, lesion, reference, case.timing) for reference in case.references)


def reference_curves(compared: Sequence[Comparison]) -> Mapping[str, Curve]:
    """Curves by tissue, for the drawing."""
    return {one.reference.tissue: one.curve for one in compared if one.curve is not None}


def reference_keys(compared: Sequence[Comparison]) -> list[Markup]:
    """Entries of the legend."""
    return [
        element("span", element("i", class_=f"sh-key sh-key-{tissue}"), TISSUE_NAMES[tissue])
        for tissue in reference_curves(compared)
    ]


def crosshair_key() -> Markup:
    """Entry of the legend for the voxel under the crosshair."""
    return element("span", element("i", class_="sh-key sh-key-crosshair"), "voxel under the crosshair")


def crosshair_said() -> Markup:
    """Line in which the browser writes the numbers of that voxel."""
    return element("div", id="sh-crosshair-said", class_="sh-small")


def without_lesion(case: LoadedCase, compared: Sequence[Comparison]) -> list[Markup]:
    """The panel where no lesion is marked: the curves of the references, or how to place one."""
    curves = reference_curves(compared)
    parts = [element("div", _NO_LESION, class_="sh-small")]
    if isinstance(case.image, DynamicSeries):
        # As high as the map of peaks is coloured: most voxels of the body fit.
        highs = [told["high"] for told in case.info.get("maps", ()) if told["name"] == "peak_enhancement"]
        plot = curve_plot(case.image, None, case.timing, None, curves, least_high=max([10.0, *highs]))
        parts += [
            plot,
            element("div", *reference_keys(compared), crosshair_key(), class_="sh-legend"),
            crosshair_said(),
        ]
    return [*parts, reference_table(case, compared)]


def reference_table(case: LoadedCase, compared: Sequence[Comparison]) -> Markup:
    """Ratios of the lesion to each reference region."""
    if not compared:
        return element("p", _HINT, class_="sh-small")
    series = isinstance(case.image, DynamicSeries)
    names = (f"early, {compared[0].early_at}", "peak") if series else ("signal",)
    heads = [element("th", text, scope="col") for text in ("Lesion over", *names, "voxels", "")]
    head = element("thead", element("tr", *heads))
    table = element("table", head, element("tbody", *[_row(one, series) for one in compared]), class_="sh-table")
    note = element("div", "Ratio of enhancement, mean of the lesion over mean of the circle. ", what("reference"))
    reasons = {f"{TISSUE_NAMES[one.reference.tissue].capitalize()}: {one.reason}" for one in compared if one.reason}
    lines = [element("div", reason, class_="sh-small") for reason in sorted(reasons)]
    return join(table, element("div", note, class_="sh-small"), *lines)


def _row(one: Comparison, series: bool) -> Markup:
    tissue = one.reference.tissue
    ratios = (one.early_ratio, one.peak_ratio) if series else (one.signal_ratio,)
    cells = [element("td", "not available" if ratio is None else number(ratio, 2)) for ratio in ratios]
    label = f"Remove the reference region in {TISSUE_NAMES[tissue]}"
    remove = element(
        "button", "\N{MULTIPLICATION SIGN}", type="button", class_="sh-remove", aria_label=label, title=label,
        data_unreference=tissue,
    )  # fmt: skip
    name = element("th", TISSUE_NAMES[tissue], scope="row")
    return element("tr", name, *cells, element("td", str(one.mask.count)), element("td", remove))
