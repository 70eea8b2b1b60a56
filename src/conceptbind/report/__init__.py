"""Results as words, tables, figures and one HTML file; the only room that draws."""

from conceptbind.report.page import write_report
from conceptbind.report.verdict import Verdict, summary_table, verdict, verdicts

__all__ = ["Verdict", "summary_table", "verdict", "verdicts", "write_report"]
