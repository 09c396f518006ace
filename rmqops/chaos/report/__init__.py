"""From the result and the history of a run to one HTML file and to JUnit XML."""

from rmqops.chaos.report.writing import ReportPaths, write_reports

__all__ = ["ReportPaths", "write_reports"]
