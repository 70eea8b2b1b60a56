"""What `conceptbind repair` gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.commands.querying import DROPPED, FAILURES
from conceptbind.core.records import Records
from conceptbind.report.shown import Shown

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.repairs.labclip.adapter import Adapter


@dataclass(frozen=True, eq=False, repr=False)
class Repaired(Shown):
    """What `repair` fitted, and where it wrote it."""

    folder: Path
    """The adapter folder, which is a run folder as well."""
    adapter: Adapter
    records: Records
    sentence: str
    """The verdict in words."""
    retrieval: Records = field(default_factory=Records)
    """Retrieval on the test pictures before and after, with --coco."""
    summary: str = ""
    """The comparisons that were turned, which map was scored and which is written, and the
    sentence."""
    verdicts: tuple[Verdict, ...] = ()
    """The verdict of the repair."""

    @property
    def said(self) -> tuple[str, ...]:
        """The verdict in words."""
        return (self.sentence,)

    def text(self, width: int | None = None) -> str:  # noqa: D102
        from conceptbind.benchmarks.section import benchmark_table
        from conceptbind.repairs.laboratory.section import laboratory_table
        from conceptbind.repairs.section import repair_table

        compared = self.records.first(study="laboratory") is not None
        shown = (laboratory_table if compared else repair_table)(self.records, width)
        tables = [
            shown,
            *([benchmark_table(self.retrieval, width)] if self.retrieval else []),
        ]
        places = [
            ("Adapter", self.folder),
            ("Report", self.folder / "report.html"),
        ]
        if (self.folder / FAILURES).is_file():
            places.append(("Failures", self.folder / FAILURES))
        if (self.folder / DROPPED).is_file():
            places.append(("Left out", self.folder / DROPPED))
        return "\n\n".join(
            (
                *tables,
                "\n".join(
                    (self.summary or self.sentence, *(f"{name}: {path}" for name, path in places))
                ),
            )
        )
