"""Results as words, tables, figures and one HTML file; the only room that draws."""

from conceptbind.report.complexity import complexity_sentence
from conceptbind.report.geometry import geometry_sentence, scaling_picture
from conceptbind.report.page import write_report
from conceptbind.report.repair import repair_card, repair_sentence, repair_table, write_repair_report
from conceptbind.report.tables import PaperTable, paper_tables
from conceptbind.report.verdict import Verdict, summary_table, verdict, verdicts

__all__ = [
    "PaperTable",
    "Verdict",
    "complexity_sentence",
    "geometry_sentence",
    "paper_tables",
    "repair_card",
    "repair_sentence",
    "repair_table",
    "scaling_picture",
    "summary_table",
    "verdict",
    "verdicts",
    "write_repair_report",
    "write_report",
]
