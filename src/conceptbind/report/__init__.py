"""Results as words, tables, figures and one HTML file; the only room that draws."""

from conceptbind.report.page import write_report
from conceptbind.report.verdict import Verdict, table, verdict

__all__ = ["Verdict", "table", "verdict", "write_report"]
