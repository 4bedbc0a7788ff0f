"""The result of one analysis: records, report.json, and the folder of files written from it."""

from spinehub.report.deepest import deepest_voxel
from spinehub.report.document import FORMAT, report_document, strict_json, versions
from spinehub.report.files import OUTPUT_FILES, curve_rows, save_report
from spinehub.report.measures import Measures, measure
from spinehub.report.records import (
    ROUTES,
    WARNING_CODES,
    Decision,
    Finding,
    Report,
    ReportWarning,
    RouteAnswer,
    RouteName,
)

__all__ = [
    "FORMAT",
    "OUTPUT_FILES",
    "ROUTES",
    "WARNING_CODES",
    "Decision",
    "Finding",
    "Measures",
    "Report",
    "ReportWarning",
    "RouteAnswer",
    "RouteName",
    "curve_rows",
    "deepest_voxel",
    "measure",
    "report_document",
    "save_report",
    "strict_json",
    "versions",
]
