"""Pictures and pages: slices as a radiologist expects them, the figure of a case, the self-contained report.

Figures live in :mod:`spinehub.render.figure`, which is imported where one is drawn, since it loads matplotlib.
"""

from spinehub.render.html import report_page
from spinehub.render.planes import OUTLINE_RGB, PLANES, PlaneView, display_window, plane_letters, render_slice
from spinehub.render.reader import replace_reader_block
from spinehub.render.scene import Scene

__all__ = [
    "OUTLINE_RGB",
    "PLANES",
    "PlaneView",
    "Scene",
    "display_window",
    "plane_letters",
    "render_slice",
    "replace_reader_block",
    "report_page",
]
