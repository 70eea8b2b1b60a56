"""Results as words, tables, figures and one HTML file; the only room that draws."""

from conceptbind.report.benchmarks import (
    benchmark_sentence,
    benchmark_table,
    check_table,
    paired_tables,
    write_benchmark_report,
)
from conceptbind.report.controlled import (
    controlled_sentence,
    history_figure,
    probe_figure,
    rank_correlation,
    sweep_sentence,
    transition_figure,
    transition_table,
    write_controlled_report,
)
from conceptbind.report.differences import difference_tables
from conceptbind.report.elsewhere import write_elsewhere
from conceptbind.report.generalisation import complexity_sentence
from conceptbind.report.geometry import geometry_sentence, scaling_picture
from conceptbind.report.page import write_report
from conceptbind.report.repair import repair_card, repair_summary, repair_table, write_repair_report
from conceptbind.report.repair_words import repair_sentence
from conceptbind.report.tables import PaperTable, paper_tables
from conceptbind.report.verdict import Verdict, summary_table, verdict, verdicts

__all__ = [
    "PaperTable",
    "Verdict",
    "benchmark_sentence",
    "benchmark_table",
    "check_table",
    "complexity_sentence",
    "controlled_sentence",
    "difference_tables",
    "geometry_sentence",
    "history_figure",
    "paired_tables",
    "paper_tables",
    "probe_figure",
    "rank_correlation",
    "repair_card",
    "repair_sentence",
    "repair_summary",
    "repair_table",
    "scaling_picture",
    "summary_table",
    "sweep_sentence",
    "transition_figure",
    "transition_table",
    "verdict",
    "verdicts",
    "write_benchmark_report",
    "write_controlled_report",
    "write_elsewhere",
    "write_repair_report",
    "write_report",
]
