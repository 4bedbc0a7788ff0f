"""The result of one analysis: records, report.json, and the folder of files written from it."""

from spinehub.report.deepest import deepest_voxel
from spinehub.report.document import FORMAT, report_document, strict_json, versions
from spinehub.report.files import OUTPUT_FILES, curve_rows, save_report, write_reader_notes
from spinehub.report.measures import Measures, measure
from spinehub.report.reader import BILSKY_GRADES, CANAL_STATES, COMPARTMENTS, SINS_RANGE, ReaderNotes
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
    "BILSKY_GRADES",
    "CANAL_STATES",
    "COMPARTMENTS",
    "FORMAT",
    "OUTPUT_FILES",
    "ROUTES",
    "SINS_RANGE",
    "WARNING_CODES",
    "Decision",
    "Finding",
    "Measures",
    "ReaderNotes",
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
    "write_reader_notes",
]
