"""Benchmarks on real pictures and captions."""

import sys
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import function_of
from conceptbind.commands.gating import Gated, refuse_unscored
from conceptbind.commands.shared import GivenAdapter, GivenEncoder, GivenPath
from conceptbind.core.findings import Verdicts
from conceptbind.core.ownership import refuse_in_use
from conceptbind.core.records import Records
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Answered
from conceptbind.run.bars import Bar, progress
from conceptbind.run.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conceptbind.benchmarks.base import Data, Found, Making
    from conceptbind.benchmarks.traps import Trap
    from conceptbind.core.findings import Verdict
    from conceptbind.core.typing import Encoder
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.report.advice import Answer
    from conceptbind.report.gates import Gate
    from conceptbind.run.folder import RunFolder


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Answered):
    """What `evaluate` found, and where it wrote it."""

    folder: Path | None
    """The run folder: results.json, results.csv, config.yaml and the embeddings; None for a
    check."""
    records: Records
    notes: tuple[str, ...]
    checked: "dict[str, list[Found]]"
    """The files of each benchmark, where they were only checked."""
    verdicts: "tuple[Verdict, ...]" = ()
    """Level 2 of each benchmark of captions alone; other benchmarks judge no level of binding."""
    gate: "Gate | None" = None
    """What became of the requirements; None where there are none."""
    answer: "Answer | None" = None
    """The plain sentence, and the command to run next; None of a check."""

    @property
    def said(self) -> tuple[str, ...]:
        """What the scores say, and what was left out; nothing of a check."""
        from conceptbind.benchmarks.words import benchmark_sentence

        if not self.records:
            return ()
        first = () if self.answer is None else (self.answer.sentence,)
        judged = (verdict.sentence for verdict in self.verdicts)
        return (*first, benchmark_sentence(self.records), *judged, *self.notes)

    def _short(self) -> tuple[str, ...]:
        """A table says the verdicts."""
        told = {verdict.sentence for verdict in self.verdicts}
        return tuple(sentence for sentence in self.said if sentence not in told)

    def __str__(self) -> str:
        return super().__str__() if self.records else self.text()

    def text(self, width: int | None = None) -> str:  # noqa: D102
        from conceptbind.benchmarks.section import benchmark_table, check_table, overview

        if self.folder is None:
            return check_table(self.checked)
        lines = [] if self.answer is None else [f"{self.answer}\n"]
        lines.append(benchmark_table(self.records, width))
        lines += [f"{table}\n" for table in overview(self.records, width)]
        lines += [verdict.sentence for verdict in self.verdicts]
        lines += [f"Note: {note}" for note in self.notes]
        return "\n".join(
            (
                *lines,
                f"Results: {self.folder / 'results.json'}",
                f"Report: {self.folder / 'report.html'}",
                *(() if self.gate is None else (f"\n{self.gate}",)),
            )
        )


@dataclass(frozen=True)
class Evaluate(Opening, Cluster, Gated[Evaluation]):
    """Score an encoder on published benchmarks whose files you have. Nothing is downloaded.

    Every distinct picture and caption is embedded once and kept; a killed run continues when it is
    started again.
    """

    encoder: GivenEncoder = "tiny"
    """Model to score, of pictures and captions or of captions alone; the names are those of
    conceptbind measure.
    """
    _: KW_ONLY
    benchmark: str
    """Benchmarks to score on, with commas between them. One picture and its captions: sugarcrepe,
    vg_attribution, vg_relation, coco_order, flickr_order, whatsup, valse, vl_checklist, crepe,
    spec, negbench_mcq. Two pictures: winoground, colorswap, bivlc, cola, vismin, eqben, mmvp,
    naturalbench; ten: imagecode. Retrieval: coco, flickr30k, negbench_retrieval. Labelled pictures:
    zeroshot. Captions alone: sugarcrepe_pp, abc6k, nevir, or triplets and paraphrases (your own
    files). aro means its four, all means everything that is there. A path of a YAML file is a
    benchmark that you describe yourself; it may stand beside all.
    """
    data: GivenPath
    """Folder in the published layout, or the file of triplets or paraphrases; with several
    benchmarks, the folder of their folders (DATA/sugarcrepe, ...).
    """
    adapter: GivenAdapter | None = None
    """Folder written by conceptbind repair, or a published LABCLIP .pt file: results before and
    after, with paired differences.
    """
    check: bool = False
    """Only list which files are there, which are missing, where they are published and under what
    licence."""
    allow_missing: bool = False
    """Skip missing pictures and benchmarks instead of stopping."""
    out: GivenPath | None = None
    """Run folder to write; by default runs/ENCODER-BENCHMARK, followed by options that differ from
    their defaults.
    """
    seed: int = 0
    """Random seed; it decides which negatives are drawn (coco_order, flickr_order, paraphrases)."""
    tagger: str = "auto"
    """Program that finds nouns and adjectives for these negatives: spacy, spacy:MODEL, hanta, or
    auto.
    """
    template: str | None = None
    """Caption of a class for zeroshot, {} for its name and {a} for its article: "a drawing of {a}
    {}". By default that of templates.txt. Without such a file it is "a photo of a {}.", or "{a} {}"
    for an encoder that does not know these words.
    """

    def work(self) -> Evaluation:
        """Score, or only look at the files."""
        from conceptbind.benchmarks.evaluate import check_benchmark
        from conceptbind.benchmarks.registry import (
            ALL,
            benchmark_folders,
            benchmarks_at_hand,
            own_description,
        )
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.core.files import user_path

        asked = [name.strip() for name in self.benchmark.split(",") if name.strip()]
        if not asked:
            raise ValueRangeError("--benchmark must name at least one benchmark")
        names = list(map(own_description, asked))
        if ALL in asked and (more := [name for name in asked if name != ALL and name in names]):
            raise ValueRangeError(
                f"--benchmark {ALL} takes everything that is there, and beside it only YAML files "
                f"of benchmarks of your own; leave '{more[0]:.60}' out"
            )
        if self.seed < 0:
            raise ValueRangeError(f"--seed must not be negative; got {self.seed}")
        missing: dict[str, str] = {}
        if ALL in names:
            folders, missing = benchmarks_at_hand(user_path(self.data))
            own = [name for name in names if name != ALL]
            folders |= benchmark_folders(own, user_path(self.data))
        else:
            folders = benchmark_folders(names, user_path(self.data))
            self._refuse_levels([*folders])
        if self.check:
            self._refuse_levels([])
            there = {**folders, **{name: user_path(self.data) / name for name in missing}}
            checked = {name: check_benchmark(name, place) for name, place in there.items()}
            return Evaluation(None, Records(), (), checked)
        if self.template is not None and "zeroshot" not in folders:
            raise ValueRangeError(
                f"--template is for zeroshot; {self.benchmark} has captions of its own"
            )
        return _evaluated(self, names, folders, missing)

    def _refuse_levels(self, names: list[str]) -> None:
        """Raise ValueRangeError for a requirement that benchmarks cannot meet."""
        from conceptbind.benchmarks.evaluate import needs_pictures
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.report.levels import LEVELS

        wanted = self.requirements()
        if wanted and self.check:
            raise ValueRangeError("--require needs scores; leave --check or --require out")
        judged = () if all(map(needs_pictures, names)) else ("within",)
        for one in wanted:
            if one.called in LEVELS and one.called not in judged:
                raise ValueRangeError(
                    f"--require '{one.text:.80}': these benchmarks do not judge the level "
                    f"'{one.name}' of binding; name a metric, for example accuracy.sugarcrepe>=60%"
                )
        other = next((one for one in wanted if one.study not in (None, "benchmark")), None)
        if other is not None:
            raise ValueRangeError(
                f"--require '{other.text:.80}': there is no level or metric '{other.study:.60}', "
                "and no such study in this run; name a metric, for example accuracy.sugarcrepe>=60%"
            )


evaluate = function_of(Evaluate)


def _evaluated(
    asked: Evaluate, names: list[str], folders: dict[str, Path], missing: dict[str, str]
) -> Evaluation:
    """Score an encoder on benchmarks, each with its folder.

    Args:
        asked: the command.
        names: benchmarks and groups of them that were asked for by name.
        folders: of all benchmarks.
        missing: of those that are not there why, where everything was asked for.
    """
    from conceptbind.benchmarks.base import Making
    from conceptbind.benchmarks.declared import published_rule
    from conceptbind.benchmarks.registry import ALL, benchmark_named, is_there
    from conceptbind.commands.common import default_folder
    from conceptbind.commands.everything import (
        Missing,
        looked_at,
        readable,
        refuse_nothing,
        told_missing,
    )
    from conceptbind.core.files import user_path
    from conceptbind.repairs.labclip.adapter import load_adapter
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    layouts = {name: benchmark_named(name).layout(place) for name, place in folders.items()}
    absent = [
        name
        for name in folders
        if asked.allow_missing and name not in names and not is_there(layouts[name])
    ]
    if len(absent) < len(folders):  # a group stands for those of its benchmarks that are there
        folders = {name: place for name, place in folders.items() if name not in absent}
    config = asked.configuration()
    base, named = (str(config["encoder"]), ",".join(names)), ("encoder", "benchmark", "data")
    place = user_path(asked.out or default_folder(base, asked, named))
    refuse_in_use(place)
    linear = None if asked.adapter is None else load_adapter(asked.adapter)
    everything = ALL in names
    own = [name for name in names if name != ALL]
    source = _able(asked.encoder, asked, own if everything else [*folders])
    if everything:
        folders, found = readable(source, folders, missing, user_path(asked.data))
        missing = Missing(found, own)
        asked._refuse_levels([*folders])
    if linear is not None:
        linear.require(source.id, source.revision)
    making = Making(
        place / "made",
        asked.seed,
        asked.tagger,
        template=asked.template,
        unreadable=lambda texts: _unreadable(source, texts),
        pictures="image" in source.modalities,
    )
    refused = missing if everything else None
    looked = looked_at(folders, making, refused, asked.allow_missing)
    folders = {name: folders[name] for name in looked}
    refuse_unscored(asked.requirements(), source, {n: (looked[n], folders[n]) for n in folders})
    # only now: what is refused above leaves no folder behind
    folder = RunFolder.open(place, config)
    read = _read(asked, folders, looked, making, refused)
    # once more: of some benchmarks only the items say which subsets there are
    refuse_unscored(asked.requirements(), source, {n: (read[n], folders[n]) for n in read})
    records, traps = _scored(source, read, folder.path / "embeddings", linear, refused)
    read = {name: items for name, items in read.items() if name not in missing}
    refuse_nothing(read, refused)
    left_out = tuple(
        f"{name}: left out, its files are not there." for name in absent if name not in folders
    ) + told_missing(missing)
    notes = (
        tuple(f"{name}: {note}" for name, items in read.items() for note in items.notes) + left_out
    )
    facts = plain_provenance(config, sys.argv) | {
        "notes": list(notes),
        "benchmarks": {
            name: {
                "title": benchmark_named(name).title,
                "published": benchmark_named(name).published,
                "items": items.hash,
                "pictures": len(items.pictures),
                "captions": len(items.captions),
                **published_rule(benchmark_named(name)),
                **items.facts,
            }
            for name, items in read.items()
        },
    }
    judged, answer = _written(folder, records, notes, facts, traps, config)
    return Evaluation(folder.path, records, notes, layouts, judged, answer=answer)


def _read(
    asked: Evaluate,
    folders: dict[str, Path],
    looked: "dict[str, Data | None]",
    making: "Making",
    missing: dict[str, str] | None,
) -> "dict[str, Data]":
    """The items of all benchmarks, with what has to be made for them. Of a refused run nothing that
    was made stays, so that a corrected one may begin in its folder.
    """
    from conceptbind.commands.everything import refuse_nothing
    from conceptbind.core.errors import ConceptBindError

    ours = not making.folder.exists()
    try:
        read = _made(asked, folders, looked, making, missing)
        refuse_nothing(read, missing)
    except ConceptBindError:
        if ours:
            rmtree(making.folder, ignore_errors=True)
        raise
    return read


def _made(
    asked: Evaluate,
    folders: dict[str, Path],
    looked: "dict[str, Data | None]",
    making: "Making",
    missing: dict[str, str] | None,
) -> "dict[str, Data]":
    from conceptbind.benchmarks.evaluate import read_benchmark
    from conceptbind.commands.everything import left_out

    read = {}
    for name, files in folders.items():
        with left_out(name, missing), progress(desc=f"reading {name}", unit="item") as bar:
            told = replace(making, on_item=bar.update)
            read[name] = looked[name] or read_benchmark(
                name, files, told, allow_missing=asked.allow_missing
            )
    return read


def _scored(
    source: "Encoder",
    read: "dict[str, Data]",
    place: Path,
    adapter: "Adapter | None",
    missing: dict[str, str] | None,
) -> "tuple[Records, dict[str, Sequence[Trap]]]":
    """Records of all benchmarks, and the traps of those of captions alone."""
    from conceptbind.benchmarks.evaluate import (
        evaluate_benchmark,
        kept_distances,
        needs_pictures,
        rows_to_embed,
    )
    from conceptbind.benchmarks.traps import kept_traps
    from conceptbind.commands.everything import left_out

    records = Records()
    traps: dict[str, Sequence[Trap]] = {}
    for name, items in read.items():
        total, kept = rows_to_embed(source, name, items), place / name
        with left_out(name, missing):
            with progress(total=total, desc=f"embedding {name}", unit="row") as bar:

                def done(_: str, n: int, bar: Bar = bar) -> None:
                    bar.update(n)

                found = evaluate_benchmark(source, name, items, kept, adapter=adapter, on_rows=done)
            found += kept_distances(source, name, items, kept, adapter)
            if not needs_pictures(name):
                traps[name] = kept_traps(items, kept)
            records += found
    return records, traps


def _written(
    folder: "RunFolder",
    records: Records,
    notes: tuple[str, ...],
    facts: dict[str, Any],
    traps: "Mapping[str, Sequence[Trap]]",
    config: dict[str, Any],
) -> "tuple[Verdicts, Answer]":
    """Judge, and write the results and the page."""
    from conceptbind.benchmarks.judged import benchmark_verdicts
    from conceptbind.benchmarks.section import write_benchmark_report
    from conceptbind.benchmarks.words import benchmark_answer, benchmark_sentence
    from conceptbind.report.advice import answer_at
    from conceptbind.report.elsewhere import write_elsewhere

    judged = Verdicts(benchmark_verdicts(records))
    answer = answer_at(folder.path, benchmark_answer(records, judged), *_next(config))
    sentences = [benchmark_sentence(records), *(verdict.sentence for verdict in judged)]
    told = {"answer": answer.as_json()}
    before = _written_before(folder.path)
    folder.write_results(facts, records, told, verdicts=judged, sentences=sentences)
    write_elsewhere(folder.path, records, before)
    page = folder.path / "report.html"
    write_benchmark_report(page, records, notes, facts, traps, judged, answer.as_json())
    return judged, answer


def _written_before(folder: Path) -> Records | None:
    """The records of an earlier run in a folder; None where there was none that can be read."""
    from conceptbind.core.errors import ConceptBindError
    from conceptbind.core.results import load_results

    try:
        return load_results(folder).records
    except ConceptBindError:
        return None


def _next(config: dict[str, Any]) -> tuple[str, str]:
    """What to do next, and the command that does it."""
    from shlex import quote

    from conceptbind.encoders.registry import can_be_named
    from conceptbind.report.advice import RUN

    encoder = str(config["encoder"])
    if config["adapter"] is None and can_be_named(encoder):
        why = "To see on scenes where it goes wrong, and what a linear repair does:"
        return why, f"conceptbind measure {quote(encoder)}"
    return "To see its numbers as tables, or beside other runs:", f"conceptbind compare {RUN}"


def _able(encoder: "GivenEncoder", how: Opening, names: list[str]) -> Any:
    """The encoder that was named or given, if it embeds what these benchmarks need."""
    from conceptbind.benchmarks.evaluate import require_modalities
    from conceptbind.core.errors import ModalityError
    from conceptbind.rows.source import source_of

    source = source_of(encoder, how)
    if source.encoder is None:
        raise ModalityError(
            f"a benchmark needs an encoder that embeds new captions and pictures; '{encoder}' is a "
            "table of rows"
        )
    require_modalities(names, source.id, source.modalities)
    return source.encoder


def _unreadable(source: "Encoder", texts: "Sequence[str]") -> str | None:
    """What an encoder with a vocabulary of its own says against captions; None where it reads them,
    as all others do.
    """
    import warnings

    from conceptbind.core.errors import ConceptBindError, CutCaptionWarning
    from conceptbind.encoders.dual import DualEncoder

    if isinstance(source, DualEncoder):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CutCaptionWarning)  # said when they are embedded
                source.tokens(texts)
        except ConceptBindError as error:
            return str(error)
    return None
