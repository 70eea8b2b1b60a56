"""Hold an encoder against the tables of both papers."""

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.common import slug
from conceptbind.commands.evaluating import Evaluate
from conceptbind.commands.finetuning import Finetune
from conceptbind.commands.measuring import Measure
from conceptbind.commands.shared import GivenAdapter, GivenEncoder, GivenPath, GivenScenes
from conceptbind.core.errors import (
    ConceptBindError,
    NothingAppliesError,
    UnknownNameError,
    nearest,
)
from conceptbind.core.records import Records
from conceptbind.core.typing import Modalities
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Shown

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.typing import Modality
    from conceptbind.report.tables import PaperTable
    from conceptbind.reproductions.fill import Filled, Place
    from conceptbind.reproductions.tables import Table
    from conceptbind.run.folder import RunFolder

PUBLISHED = {
    "CLEVR": "https://github.com/kdariina/CLIP-not-BoW-unimodally",
    "PUG_SPARE": "https://github.com/kdariina/CLIP-not-BoW-unimodally",
    "PUG_SPAR": "https://pug.metademolab.com",
}
"""Folder of `--data`, and where its files are published."""
DEFAULT_SCENES = "clevr2d"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files of a model that has been fetched."""


@dataclass(frozen=True, eq=False, repr=False)
class Reproduction(Shown):
    """A paper's tables with our figures, and where they were written."""

    folder: Path
    """reproduce.html, every table as .csv, .md and .tex, results.json, and a run for each encoder
    and scenes below runs/."""
    tables: "tuple[PaperTable, ...]"
    """As the paper has them."""
    records: Records
    """All records of the runs behind them."""
    sentences: tuple[str, ...]
    """How many figures agree."""
    verdicts: "tuple[Verdict, ...]" = ()
    """None: a reproduction judges no level."""

    @property
    def said(self) -> tuple[str, ...]:
        """How many figures agree."""
        return self.sentences

    def text(self, width: int | None = None) -> str:  # noqa: D102
        from conceptbind.report.terminal import terminal_table

        shown = [
            f"{one.title}\n{terminal_table([one.columns, *one.rows], 1, width)}"
            for one in self.tables
        ]
        return "\n\n".join((*shown, *self.said, f"Report: {self.folder / 'report.html'}"))


@dataclass(frozen=True)
class Reproduce(Opening, Command[Reproduction]):
    """Lay the tables of a paper out, the published figure beside ours, with one word: agrees,
    differs, cannot be judged, or not run.

    Without an encoder these are the paper's own encoders and scenes, where they are on this
    machine; nothing is downloaded. With one, it is held against the paper's rows. A killed run
    continues when it is started again.
    """

    paper: Literal["binding", "labclip"]
    """Paper: binding (arXiv 2605.31503) or labclip (arXiv 2502.03566)."""
    tables: Sequence[str] = ()
    """Tables, by name; all by default."""
    _: KW_ONLY
    out: GivenPath
    """Folder to write."""
    encoder: GivenEncoder | None = None
    """Model to hold against the tables; the names are those of conceptbind measure. By default the
    paper's own.
    """
    scenes: GivenScenes = DEFAULT_SCENES
    """Scenes for --encoder; see conceptbind measure --help."""
    modality: Modalities = "auto"
    """What of --encoder is held against the tables: text, image, both, or auto. Rows of an array
    file (file:ROWS.npy) do not say what they are of.
    """
    data: GivenPath | None = None
    """Folder with published files: scenes in its folders CLEVR, PUG_SPAR and PUG_SPARE, benchmarks
    in those of their names (vg_attribution, vg_relation, sugarcrepe, coco).
    """
    adapter: GivenAdapter | None = None
    """Repair of captions for the column LABCLIP of the table of benchmarks: a folder written by
    conceptbind repair, or a published .pt.
    """
    models: Literal["none", "small", "published"] = "small"
    """Controlled models to train for the table transition: none; two small ones, minutes on two
    cores; or also those of the published sizes, hours on a GPU.
    """
    seed: int = 0
    """Random seed."""

    def work(self) -> Reproduction:
        """Run what is missing, and write the tables."""
        from conceptbind.core.files import user_path
        from conceptbind.core.ownership import refuse_in_use
        from conceptbind.reproductions.fill import Place, filled
        from conceptbind.rows.source import open_inputs
        from conceptbind.run.folder import RunFolder

        tables = _chosen(self.paper, self.tables)
        folder = user_path(self.out)
        refuse_in_use(folder)
        given: Place | None = None
        modalities: tuple[Modality, ...] = ()
        if self.encoder is None:
            self.refuse(("scenes", "modality"), "an encoder of yours (--encoder)")
        else:
            source, scenes = open_inputs(self.encoder, self.scenes, None, self)
            modalities = source.able(scenes, self.modality)
            config = self.configuration()
            given = Place(str(config["encoder"]), str(config["scenes"]))
        run = RunFolder.open(folder, self.configuration())
        runs = _Runs(self, folder, tables, given)
        found = {table.name: filled(table, runs, given, modalities) for table in tables}
        return _written(self, run, tables, found, runs)


reproduce = function_of(Reproduce)


def _chosen(paper: str, names: Sequence[str]) -> "list[Table]":
    """The tables that were asked for, in the order of the paper.

    Raises:
        UnknownNameError: the paper has no such table.
    """
    from conceptbind.reproductions.binding import BINDING
    from conceptbind.reproductions.labclip import LABCLIP

    every = {table.name: table for table in (BINDING if paper == "binding" else LABCLIP)}
    for name in names:
        if name not in every:
            raise UnknownNameError(
                f"the paper {paper} has no table '{name}' here; {nearest(name, list(every))}"
            )
    return [table for name, table in every.items() if not names or name in names]


class _Runs:
    """Runs behind the tables: each encoder on each scenes is measured once, with all studies that
    the tables need of it.
    """

    def __init__(
        self, asked: Reproduce, folder: Path, tables: "Sequence[Table]", given: "Place | None"
    ) -> None:
        self.asked, self.folder, self.tables, self.given = asked, folder, tables, given
        self.found: dict[str, Records] = {}
        """Records by the name of their run."""
        self._once = cache(self._records)

    def __call__(self, place: "Place", command: str) -> Records | str:
        """Records of a command, or why there are none."""
        return self._once(place, command)

    def _records(self, place: "Place", command: str) -> Records | str:
        if command == "sweep":
            return self._swept(place)
        if command in ("evaluate", "adapted"):
            return self._scored(place, command)
        missing = self._missing(place)
        if missing:
            return missing
        data = "" if self.asked.data is None else str(self.asked.data)
        scenes: Any = place.scenes.format(data=data)
        encoder: Any = place.encoder
        if self.given is not None:
            encoder = self.asked.encoder
            scenes = self.asked.scenes if place.scenes == self.given.scenes else scenes
        name = "-".join((slug(place.encoder), slug(place.scenes), command))
        how = {
            name: getattr(self.asked, name)
            for name in Opening.__dataclass_fields__
            if hasattr(Finetune if command == "finetune" else Measure, name)
        }
        out = self.folder / "runs" / name
        try:
            if command == "finetune":
                told = {"scenes": scenes, "out": out, "seed": self.asked.seed, **how}
                self.found[name] = Finetune(encoder, **told).run().records
            else:
                studies = self._studies(place)
                told = {"scenes": scenes, "out": out, "seed": self.asked.seed, **how}
                told["modality"] = self.asked.modality
                if "geometry" in studies:
                    told["edit_protocol"] = "paper"
                self.found[name] = Measure(encoder, studies=studies, **told).run().records
        except NothingAppliesError as error:
            return str(error)
        except ConceptBindError as error:
            if self.given is not None and place.scenes == self.given.scenes:
                raise
            return str(error)
        return self.found[name]

    def _swept(self, place: "Place") -> Records | str:
        """Records of controlled models of a setting, or why there are none."""
        from conceptbind.commands.training import Sweep
        from conceptbind.reproductions import controlled as room

        if self.asked.models == "none":
            return "left out by --models none"
        if place.encoder == room.PUBLISHED and self.asked.models != "published":
            return room.NEEDS
        run = "-".join((slug(place.encoder), slug(place.scenes), "sweep"))
        told: dict[str, Any] = dict(room.SETTINGS[place.encoder])
        told |= {
            "spaces": (place.scenes,),
            "coverages": room.COVERAGES[place.encoder, place.scenes],
        }
        told |= {"seeds": 1, "first_seed": self.asked.seed}
        told |= {"probes": (room.PROBE,), "device": self.asked.device}
        self.found[run] = Sweep(out=self.folder / "runs" / run, **told).run().records
        return self.found[run]

    def _scored(self, place: "Place", command: str) -> Records | str:
        """Records of a benchmark, or why there are none."""
        from conceptbind.benchmarks.registry import benchmark_named

        name = place.scenes
        if command == "adapted":
            if self.asked.adapter is None:
                return "needs --adapter with a map of captions: conceptbind repair --coco makes one"
            return self(place, "evaluate")
        folder = None if self.asked.data is None else Path(self.asked.data) / name
        if folder is None or not folder.is_dir():
            where = benchmark_named(name).published
            return f"needs --data with the folder {name}, published at {where}"
        if self.given is None and not _is_here(place.encoder):
            return self._missing(place)
        encoder: Any = place.encoder if self.given is None else self.asked.encoder
        run = "-".join((slug(place.encoder), slug(name), command))
        told: dict[str, Any] = {"benchmark": name, "data": folder}
        told |= {"adapter": self.asked.adapter}
        told |= {"out": self.folder / "runs" / run, "seed": self.asked.seed}
        told |= {name: getattr(self.asked, name) for name in Opening.__dataclass_fields__}
        try:
            self.found[run] = Evaluate(encoder, **told).run().records
        except ConceptBindError as error:
            return str(error)
        return self.found[run]

    def _studies(self, place: "Place") -> str:
        """All studies that tables need of an encoder on scenes, with commas between."""
        from conceptbind.reproductions.fill import Place, rows_of

        wanted: list[str] = []
        for table in self.tables:
            rows = rows_of(table, self.given, ("text", "image"))
            if any(Place(row.encoder, row.scenes) == place for row in rows):
                wanted += table.studies
        return ",".join(dict.fromkeys(wanted))

    def _missing(self, place: "Place") -> str:
        """What of the paper's own is not on this machine."""
        if self.given is not None:
            return ""
        for name, where in PUBLISHED.items():
            if f"{{data}}/{name}" in place.scenes:
                folder = None if self.asked.data is None else Path(self.asked.data) / name
                if folder is None or not folder.is_dir():
                    return f"needs --data with the folder {name}, published at {where}"
        if not _is_here(place.encoder):
            model = place.encoder.removeprefix("hf:")
            return (
                f"{place.encoder} is not on this machine: --encoder {place.encoder} fetches it "
                f"from https://huggingface.co/{model}"
            )
        return ""


def _is_here(encoder: str) -> bool:
    """Whether the weights of a model of the hub lie in its cache on this machine."""
    from contextlib import suppress

    for file in WEIGHTS:
        with suppress(ImportError, OSError):
            from transformers.utils import cached_file

            if cached_file(encoder.removeprefix("hf:"), file, local_files_only=True):
                return True
    return False


def _written(
    asked: Reproduce,
    run: "RunFolder",
    tables: "Sequence[Table]",
    found: "dict[str, list[Filled]]",
    runs: _Runs,
) -> Reproduction:
    """Write the tables, the page and, last, the results."""
    from conceptbind.core.files import write_whole
    from conceptbind.report.page import render_page
    from conceptbind.reproductions.section import figures, laid_out, sentence, table_section
    from conceptbind.run.facts import plain_provenance

    config, folder = asked.configuration(), run.path
    encoder = None if asked.encoder is None else str(config["encoder"])
    said = sentence(asked.paper, found, encoder)
    whole = [laid_out(table, found[table.name]) for table in tables]
    every = [figures(table, found[table.name]) for table in tables]
    for one in (*whole, *every):
        forms = {"csv": one.csv(), "md": one.markdown() + "\n", "tex": one.latex()}
        for suffix, text in forms.items():
            write_whole(folder / f"{one.name}.{suffix}", text)
    facts = plain_provenance(config, sys.argv)
    render_page(
        folder / "report.html",
        "stress.html.j2",
        title=f"The tables of {asked.paper}, beside ours",
        sentence=said,
        notes=[],
        sections=[vars(table_section(table, found[table.name])) for table in tables],
        provenance=facts,
    )
    records = Records(record for part in runs.found.values() for record in part)
    run.write_results(facts, records, sentences=[said])
    shown = [one for one, table in zip(whole, tables, strict=True) if _has_ours(found[table.name])]
    return Reproduction(folder, tuple(shown), records, (said,))


def _has_ours(rows: "Sequence[Filled]") -> bool:
    return any(entry.value is not None for filled in rows for entry in filled.entries)
