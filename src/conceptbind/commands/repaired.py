"""What `conceptbind repair` gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from conceptbind.core.records import Records
from conceptbind.report.advice import RUN, Answer, answer_at
from conceptbind.report.shown import Answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conceptbind.core.findings import Verdict
    from conceptbind.repairs.labclip.adapter import Adapter


FAILURES, DROPPED = "failures.csv", "dropped.csv"


@dataclass(frozen=True, eq=False, repr=False)
class Repaired(Answered):
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
    """The comparisons that were turned, which map was scored and which is written."""
    verdicts: tuple[Verdict, ...] = ()
    """The verdict of the repair."""
    answer: Answer | None = None
    """The verdict in words, and the command to run next."""

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
        files = "\n".join(f"{name}: {path}" for name, path in places)
        first = self.sentence if self.answer is None else str(self.answer)
        return "\n\n".join(filter(None, (first, *tables, self.summary, files)))


SCENES = ("captions", "paraphrases")
"""Folders of kept captions, of which the first that is there is mapped."""


def answer_of(folder: Path, config: Mapping[str, Any], verdict: Verdict) -> Answer:
    """The verdict of a repair, and the command to run next.

    Args:
        folder: the adapter folder.
        config: the options of the command.
        verdict: of the repair.
    """
    from conceptbind.encoders.registry import can_be_named

    kept = next((name for name in SCENES if (folder / "embeddings" / name).is_dir()), None)
    encoder, scenes = str(config["encoder"]), str(config["scenes"])
    why, form = "To see its numbers as tables, or beside other runs:", f"conceptbind compare {RUN}"
    if verdict.repairs and kept is not None:
        why = "To map these captions (give yours with --texts; the index stays as it is):"
        form = f"conceptbind apply {RUN} --texts {RUN}/embeddings/{kept} --out {RUN}/mapped.npy"
    elif verdict.repairs:
        why = "To use the map in other programs (the index stays as it is):"
        form = f"conceptbind export {RUN} --to onnx --out {RUN}-onnx"
    elif _may_do_better(config, verdict) and kept is not None and can_be_named(encoder):
        why = "To see whether another method does better:"
        given = config.get("captions")
        of = f"--captions {quote(str(given))}" if given else f"--scenes {quote(scenes)}"
        side = " --side query" if config.get("side") == "query" else ""
        named = f"{quote(encoder)} {of}{side}"
        form = f"conceptbind repair {named} --method laboratory --out {RUN}-laboratory"
    return answer_at(folder, verdict.sentence, why, form)


def _may_do_better(config: Mapping[str, Any], verdict: Verdict) -> bool:
    """Whether another method is worth a try: one was fitted, and there is something to mend."""
    return config["method"] == "HNB" and (verdict.score is None or verdict.score < 1)
