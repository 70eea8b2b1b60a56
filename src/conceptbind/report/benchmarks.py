"""Benchmark results as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conceptbind.benchmarks import Found
    from conceptbind.results import Record


def benchmark_table(records: Sequence[Record]) -> str:
    """One line a score: value with its interval, after a repair with the paired difference, and the better of the blind baselines."""
    main = [r for r in records if (r.extra["repair"], r.extra["control"]) == ("none", "none")]
    repaired = any(r.extra["repair"] == "adapter" for r in records)
    head = ["benchmark", "subset", "metric", "protocol", "value", "95 % interval", "blind", "ties", "n"]
    lines = [[*head[:6], *(["repaired", "difference"] if repaired else []), *head[6:]]]
    for record in main:
        same = [
            r for r in records
            if (r.scenes, r.split, r.metric, r.extra["protocol"]) == (record.scenes, record.split, record.metric, record.extra["protocol"])
        ]  # fmt: skip
        blind = max((r.value or 0.0 for r in same if str(r.extra["control"]).startswith("blind")), default=0.0)
        line = [
            record.scenes, record.split, record.metric.replace("_", " "), f"{record.extra['protocol']}, {record.extra['average']}",
            f"{record.value:.4f}", f"{record.ci_low:.4f} to {record.ci_high:.4f}",
        ]  # fmt: skip
        if repaired:
            after = next(r for r in same if r.extra["repair"] == "adapter")
            change = next(r for r in same if r.extra["repair"] == "difference")
            line += [f"{after.value:.4f}", f"{change.value:+.4f} ({change.ci_low:+.4f} to {change.ci_high:+.4f})"]
        lines.append([*line, f"{blind:.4f}", f"{record.ties:,}", f"{record.n:,}"])
    return aligned(lines, 4)


def check_table(checked: Mapping[str, Sequence[Found]]) -> str:
    """What is there of each benchmark, and where the rest is published."""
    from conceptbind.benchmarks import benchmark_named

    lines = []
    for name, files in checked.items():
        benchmark = benchmark_named(name)
        lines += [f"{benchmark.title}: {benchmark.published}; licence: {benchmark.licence}"]
        lines += [f"  {'there  ' if found.there else 'missing'}  {found.path}  ({found.what})" for found in files]
    return "\n".join(lines)


def aligned(lines: Sequence[Sequence[str]], text_columns: int) -> str:
    """Lines in columns, the first ones to the left."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
