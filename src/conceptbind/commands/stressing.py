"""Stress curves: every level of binding while scenes get harder in one way at a time."""

import sys
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.shared import GivenEncoder, GivenPath, GivenScenes
from conceptbind.core.records import Records
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Answered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.core.findings import Verdict
    from conceptbind.core.typing import Modality
    from conceptbind.report.advice import Answer
    from conceptbind.rows.source import Source
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.table import Scenes
    from conceptbind.stresses.factors import Factor
    from conceptbind.stresses.stock import Stock
    from conceptbind.stresses.study import StressStudy

FEWEST = 60
"""Scenes that a run needs."""


LARGE = {"text20": "text20:10x10"}
"""Scenes that are too many to be measured whole, and what is measured in their place."""


@dataclass(frozen=True, eq=False, repr=False)
class Stressed(Answered):
    """What `stress` found, and where it wrote it."""

    folder: Path
    """The run folder: results.json, results.csv, report.html, config.yaml, pictures and rows."""
    records: Records
    sentences: tuple[str, ...]
    """The answer, then what is said of each curve."""
    table: str
    """The base and the hardest value of every curve: lines, and tabs between cells."""
    main: int = 1
    """How many of the sentences the command prints: the answer, whether the repair carries over,
    and what was left out."""
    verdicts: "tuple[Verdict, ...]" = ()
    """None: levels are judged by `measure`, which has the whole table."""
    answer: "Answer | None" = None
    """The answer, and the command to run next."""

    @property
    def said(self) -> tuple[str, ...]:
        """The answer, then what is said of each curve."""
        return self.sentences

    def _short(self) -> tuple[str, ...]:
        return self.sentences[:1]

    def text(self, width: int | None = None) -> str:  # noqa: D102
        from conceptbind.report.terminal import terminal_table

        lines = [tuple(line.split("\t")) for line in self.table.splitlines()]
        said = self.sentences[1 : self.main]
        top = self.sentences[0] if self.answer is None else str(self.answer)
        parts = (top, terminal_table(lines, 3, width), *said)
        return "\n\n".join((*parts, f"Report: {self.folder / 'report.html'}"))


@dataclass(frozen=True)
class Stress(Opening, Command[Stressed]):
    """Tell how far binding carries: vary one thing about the scenes at a time, and measure every
    level before and after a linear repair.

    Varied are the number, size and distance of objects, clutter, the order of mention, repeated
    values and the background. A killed run continues when it is started again.
    """

    encoder: GivenEncoder = "tiny"
    """Model to measure, of pictures, captions or both; the names are those of conceptbind measure.
    """
    _: KW_ONLY
    scenes: GivenScenes = "clevr2d"
    """Scenes whose concepts are used and which are drawn: clevr2d, clevr3d (slow), or text20 and
    other tables for captions alone.
    """
    factors: str = "all"
    """Factors to vary: all, or names separated by commas: objects, size, distance, clutter, order,
    repeat, background.
    """
    drawn: int = 300
    """Scenes that are drawn at each value of a factor; half of them are scored."""
    out: GivenPath | None = None
    """Run folder to write; by default runs/ENCODER-SCENES-stress, followed by options that differ
    from their defaults.
    """
    seed: int = 0
    """Random seed; it decides the scenes, the pictures and the split."""
    template: str | None = None
    """How a caption names an object, for example "{a} {object}"."""
    controls: bool = True
    """Also measure the same architecture with random weights, where the encoder offers it; about
    doubles the time.
    """

    def work(self) -> Stressed:
        """Measure, or read what was measured before."""
        from conceptbind.commands.common import default_folder
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.core.files import user_path
        from conceptbind.core.ownership import refuse_in_use
        from conceptbind.rows.source import open_inputs
        from conceptbind.run.folder import RunFolder
        from conceptbind.stresses.factors import known_factors
        from conceptbind.stresses.stock import stock_of

        if self.drawn < FEWEST:
            raise ValueRangeError(f"--drawn must be at least {FEWEST} scenes; got {self.drawn}")
        factors = known_factors(self.factors)
        config = self.configuration()
        base = str(config["encoder"]), str(config["scenes"]), "stress"
        place = user_path(self.out or default_folder(base, self, ("encoder", "scenes")))
        refuse_in_use(place)
        source, table = open_inputs(self.encoder, self.scenes, self.template, self)
        modalities = _able(source, table)
        stock = stock_of(table, self.drawn, self.seed)
        _require_one(factors, stock, modalities)
        folder = RunFolder.open(place, config)
        decided = _decided(source, stock)
        kept = folder.finished()
        if kept is not None and kept.told.get("asked") == decided:
            told, main = str(kept.told["table"]), int(kept.told["main"])
            answer = _answer(self, source, folder.path, kept.sentences[0])
            return Stressed(folder.path, kept.records, kept.sentences, told, main, answer=answer)
        study = _measured(self, source, stock, factors, modalities, folder.path)
        return _written(self, folder, study, source, config, decided)


stress = function_of(Stress)


def _answer(asked: Stress, source: "Source", folder: Path, sentence: str) -> "Answer":
    """The answer, and the command that keeps a repair or judges the levels."""
    from shlex import quote

    from conceptbind.encoders.registry import can_be_named
    from conceptbind.report.advice import RUN, answer_at

    why, form = "To draw its page again:", f"conceptbind report {RUN}"
    if can_be_named(str(asked.encoder)) and isinstance(asked.scenes, str):
        why = "To judge every level on the scenes themselves, with the repair that is kept:"
        scenes = LARGE.get(asked.scenes, asked.scenes)
        form = f"conceptbind measure {quote(str(asked.encoder))} --scenes {quote(scenes)}"
    return answer_at(folder, sentence, why, form)


def _require_one(
    factors: "Sequence[Factor]", stock: "Stock", modalities: "tuple[Modality, ...]"
) -> None:
    """Raise ValueRangeError unless one of the factors can be varied."""
    from conceptbind.core.errors import ValueRangeError
    from conceptbind.stresses.study import why_not

    reasons = {factor.name: why_not(factor, stock, modalities) for factor in factors}
    if all(reasons.values()):
        told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        raise ValueRangeError(
            f"none of these factors can be varied here ({told}); give others with --factors, or "
            "other --scenes"
        )


def _able(source: "Source", table: "Scenes") -> "tuple[Modality, ...]":
    """The modalities that can be measured.

    Raises:
        ModalityError: there are only rows, or nothing that can be varied.
        ValueRangeError: the captions came with the table.
    """
    from conceptbind.commands.common import try_captions
    from conceptbind.core.errors import ModalityError, ValueRangeError

    if source.encoder is None:
        raise ModalityError(
            f"stress needs an encoder that embeds new captions and pictures; '{source.id}' is a "
            "table of rows"
        )
    if table.written_captions is not None:
        raise ValueRangeError(
            f"the captions of '{table.name}' came with the table, so no others can be made; leave "
            "out the column 'caption' and give a --template"
        )
    able = source.modalities
    found = tuple(one for one in able if one == "text" or table.drawing is not None)
    if not found:
        raise ModalityError(
            f"'{source.id}' encodes pictures, and none can be drawn of '{table.name}'; use "
            "--scenes clevr2d"
        )
    if "text" in found:
        try_captions(source.encoder, table)
    return found


def _decided(source: "Source", stock: "Stock") -> dict[str, Any]:
    """What decides the results besides the options."""
    from conceptbind.core.version import __version__
    from conceptbind.run.facts import scenes_facts, split_facts

    return {
        "conceptbind": __version__,
        "encoder": source.id,
        "revision": source.revision,
        "scenes": scenes_facts(stock.given),
        "split": split_facts(stock.split),
    }


def _measured(
    asked: Stress,
    source: "Source",
    stock: "Stock",
    factors: "Sequence[Factor]",
    modalities: "tuple[Modality, ...]",
    folder: Path,
) -> "StressStudy":
    """Draw, embed and score every setting."""
    from conceptbind.core.names import Control
    from conceptbind.rows.source import source_of, untrained
    from conceptbind.run.bars import steps
    from conceptbind.scenes.paraphrases import read_by
    from conceptbind.stresses.rows import Shelf
    from conceptbind.stresses.study import stress_study

    assert source.encoder is not None
    shelf = Shelf(folder, asked.seed)
    readers = {str(Control.NONE): partial(shelf.rows, source, "encoder")}
    twin = untrained(source) if asked.controls else None
    if twin is not None:
        name = str(Control.RANDOM_WEIGHTS)
        readers[name] = partial(shelf.rows, source_of(twin), name)
    settings = sum(len(factor.values(stock)) for factor in factors)
    with steps("varying scenes", settings) as step:
        return stress_study(
            stock,
            factors,
            readers,
            modalities,
            encoder=source.id,
            reads=read_by(source.encoder),
            seed=asked.seed,
            on_step=step,
        )


def _written(
    asked: Stress,
    folder: "RunFolder",
    study: "StressStudy",
    source: "Source",
    config: dict[str, Any],
    decided: dict[str, Any],
) -> Stressed:
    """Write the page and, last, the results."""
    from conceptbind.report.page import render_page
    from conceptbind.run.facts import plain_provenance
    from conceptbind.stresses.section import carried, short_rows, stress_sections
    from conceptbind.stresses.words import answer, curves_of, fall

    curves = curves_of(study)
    told, over = answer(curves, source.id), carried(curves, study)
    said = (told, *over, *study.notes, *map(fall, curves))
    main = 1 + len(over) + len(study.notes)
    facts = plain_provenance(config, sys.argv) | decided
    facts |= {"pulls": dict(study.pulls), "notes": list(study.notes)}
    found = _answer(asked, source, folder.path, told)
    render_page(
        folder.path / "report.html",
        "stress.html.j2",
        title=f"How far does the binding of {source.id} carry?",
        answer=found.as_json(),
        notes=list(study.notes),
        sections=[vars(section) for section in stress_sections(study)],
        provenance=facts,
    )
    table = "\n".join("\t".join(row) for row in short_rows(study))
    kept = {"asked": decided, "table": table, "main": main, "answer": found.as_json()}
    folder.write_results(facts, study.records, kept, sentences=said)
    return Stressed(folder.path, study.records, said, table, main, answer=found)
