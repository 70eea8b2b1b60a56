"""An audit of a search index: does it bind, where does it not, and does a linear repair help?"""

import sys
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.repaired import FAILURES
from conceptbind.commands.shared import GivenCaptions, GivenEncoder, GivenPath
from conceptbind.core.errors import counted
from conceptbind.core.records import Records
from conceptbind.core.rounding import percent
from conceptbind.core.typing import Modalities
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Shown
from conceptbind.run.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from conceptbind.audits.draw import Drawn
    from conceptbind.audits.given import GivenRows
    from conceptbind.audits.study import AuditStudy
    from conceptbind.core.findings import Verdict
    from conceptbind.core.typing import Encoder, Ints, Modality
    from conceptbind.rows.indexes.contract import Rows, Texts
    from conceptbind.rows.source import Source
    from conceptbind.run.folder import RunFolder

FAILED = (
    *("row", "caption", "swap", "attributes", "nouns"),
    *("swap wins", "score of caption", "score of swap", "picture"),
)
PAIRS = "pairs.csv"


@dataclass(frozen=True, eq=False, repr=False)
class Audited(Shown):
    """What `audit` found, and where it wrote it."""

    folder: Path
    """The run folder, which is the adapter folder as well where a repair was fitted."""
    records: Records
    verdicts: "tuple[Verdict, ...]"
    """Verdicts of the index, of its captions alone, and of a linear repair."""
    sentences: tuple[str, ...]
    """The verdicts in words, what the repair costs, and what was left out."""
    why: str
    """What to do next."""
    command: str
    """The command that does it."""

    @property
    def said(self) -> tuple[str, ...]:
        """The verdicts in words."""
        return self.sentences

    @property
    def advice(self) -> tuple[str, str]:
        """What to do next, and the command that does it."""
        return self.why, self.command

    def text(self, width: int | None = None) -> str:  # noqa: D102
        places = [("Report", "report.html"), ("Pairs of attributes", PAIRS), ("Failures", FAILURES)]
        found = [f"{name}: {self.folder / file}" for name, file in places]
        return "\n\n".join((*self.sentences, f"{self.why}:\n  {self.command}", "\n".join(found)))


@dataclass(frozen=True)
class Audit(Opening, Cluster, Command[Audited]):
    """Tell whether a search index binds: conceptbind audit ENCODER --index FOLDER.

    Draws captions of the index that name two things with an attribute each, exchanges the
    attributes, and embeds only these. Says how often the swapped caption wins, which attributes are
    worst, whether a linear repair helps and what it costs on the same index. Needs no labels.
    """

    encoder: GivenEncoder
    """Model that embeds captions for the index; the names are those of conceptbind measure. Or
    file:ROWS.npy, rows that another program makes of the captions that are written to ROWS.txt.
    """
    _: KW_ONLY
    index: GivenEncoder
    """Rows to audit: a folder of clip-retrieval, .npy shards by a pattern, parquet, lance, tar,
    faiss or DuckDB files, a folder written by embed or measure, or an array.
    """
    captions: GivenCaptions | None = None
    """Text file with the caption of each row, one per line; by default those of the index."""
    modality: Modalities = "auto"
    """What the rows are of: image or text; auto asks the index."""
    sample: int = 1000
    """Captions with two attribute-noun phrases to compare, at most."""
    searches: int = 500
    """Captions that search the whole index, for what a repair costs."""
    tagger: str = "auto"
    """Program that finds nouns and adjectives in captions: spacy, spacy:MODEL, hanta, or auto."""
    allow_missing: bool = False
    """Leave out rows without a caption, and rows that are all zeros or hold NaN, instead of
    refusing the index. They are counted.
    """
    out: GivenPath | None = None
    """Run folder to write, which holds the adapter too; by default runs/audit-ENCODER-INDEX,
    followed by options that differ from their defaults.
    """
    seed: int = 0
    """Random seed; it decides which captions are drawn and what is for fitting."""

    HELD = frozenset({"captions", "index"})

    def work(self) -> Audited:
        """Audit, or read what was found before."""
        from conceptbind.audits.given import given_rows
        from conceptbind.commands.common import default_folder
        from conceptbind.core.files import user_path
        from conceptbind.core.ownership import refuse_in_use
        from conceptbind.core.results import RESULTS
        from conceptbind.encoders.registry import torch_device
        from conceptbind.run.folder import RunFolder

        _require_options(self)
        config = self.configuration()
        base = "audit", str(config["encoder"]), Path(str(config["index"])).name
        place = user_path(self.out or default_folder(base, self, ("encoder", "index")))
        refuse_in_use(place)
        torch_device(self.device)
        index, given = _opened(self), given_rows(self.encoder)
        if self.allow_missing:
            index = index.without_dead()
        if given is not None and not given.there:
            raise given.ask_for(_texts(_drawn(self, index), index, None)[1])
        source = _source(self, given)
        if given is None:
            index.require(source)
        decided = index.decided(source) | _given_captions(self)
        folder = None
        if (place / RESULTS).is_file():  # captions need not be looked through again
            folder = RunFolder.open(place, config)
            kept = folder.finished()
            if kept is not None:
                _require_same(kept.told.get("asked"), decided, place)
                why, command = str(kept.told["why"]), str(kept.told["next"])
                found = kept.records, kept.verdicts, kept.sentences
                return Audited(folder.path, *found, why, command)
        drawn = _drawn(self, index)
        folder = folder or RunFolder.open(place, config)
        study = _studied(self, index, source, given, drawn, folder.path)
        return _written(self, study, index, source, folder, decided)


audit = function_of(Audit)


@dataclass(frozen=True, eq=False)
class _Opened:
    """An index with the caption of each row."""

    name: str
    rows: "Rows"
    modality: "Modality"
    captions: "Texts"
    pictures: "Texts | None"
    picture_of: "Callable[[str], bytes] | None"
    folder: str
    made_by: tuple[str, str] | None
    revision: str
    failed: int = 0
    notes: tuple[str, ...] = ()
    kept: "Ints | None" = None
    """(n,) numbers that the rows have in the index, where some were left out."""

    def without_dead(self) -> "_Opened":
        """The same without rows that have no direction."""
        import numpy as np

        from conceptbind.core.errors import ValueRangeError
        from conceptbind.rows.indexes.kept import dead_rows, only_rows, only_texts

        dead = dead_rows(self.rows)
        if not len(dead):
            return self
        kept = np.setdiff1d(np.arange(len(self.rows)), dead)
        if not len(kept):
            raise ValueRangeError(f"all rows of {self.name} are zeros or hold NaN; embed it again")
        return replace(
            self,
            rows=only_rows(self.rows, kept),
            captions=only_texts(self.captions, kept),
            pictures=None if self.pictures is None else only_texts(self.pictures, kept),
            failed=self.failed + len(dead),
            kept=kept,
        )

    def number(self, row: int) -> int:
        """The number that a row has in the index."""
        return row if self.kept is None else int(self.kept[row])

    def require(self, source: "Source") -> None:
        """Raise MismatchError where another encoder than this one made the rows."""
        from conceptbind.core.errors import MismatchError
        from conceptbind.encoders.weights import same_encoder

        made = self.made_by
        if made is not None and not same_encoder(made, (source.id, source.revision)):
            raise MismatchError(
                f"the index was embedded by '{made[0]}' ({made[1]}), not by '{source.id}' "
                f"({source.revision}); give the encoder of the index"
            )

    def decided(self, source: "Source") -> dict[str, Any]:
        """What decides the results besides the options."""
        from conceptbind.core.version import __version__

        return {
            "index": self.revision,
            "rows": len(self.rows),
            "dimension": self.rows.width,
            "modality": self.modality,
            "failed": self.failed,
            "encoder": source.id,
            "revision": source.revision,
            "conceptbind": __version__,
        }

    def of_items(self, rows: Any) -> dict[int, str]:
        """Paths of the pictures of some rows, by place, where they are files or the index itself
        holds them.
        """
        if self.pictures is None or self.modality != "image":
            return {}
        found = {}
        for place, name in enumerate(self.pictures.at(rows)):
            path = Path(self.folder, str(name))
            if name and (self.picture_of or ("://" not in name and path.is_file())):
                found[place] = str(path)
        return found

    def thumbnail(self, path: str) -> str | None:
        """A picture of `of_items` as a data address."""
        from conceptbind.report.page import thumbnail

        if self.picture_of is None:
            return thumbnail(Path(path))
        name = Path(path).relative_to(self.folder).as_posix()
        return thumbnail(Path(path), self.picture_of(name))


def _require_options(asked: Audit) -> None:
    from conceptbind.core.errors import ValueRangeError

    for name, least in (("sample", 1), ("searches", 0)):
        value = getattr(asked, name)
        if value < least:
            raise ValueRangeError(f"--{name} must be at least {least}; got {value}")


def _source(asked: Audit, given: "GivenRows | None") -> "Source":
    """What embeds captions, or the rows of captions that stand in its place."""
    from conceptbind.core.errors import ModalityError
    from conceptbind.rows.source import source_of

    source = source_of(asked.encoder, asked)
    if given is None and not source.encodes("text"):
        raise ModalityError(
            f"an audit embeds captions and their swaps; '{source.id}' does not embed captions, so "
            "give an encoder that does, or file:ROWS.npy, rows that you make of the captions in "
            "ROWS.txt"
        )
    return source


def _opened(asked: Audit) -> _Opened:
    """The rows, what they are of, and the caption of each, of whatever lies at the index."""
    from conceptbind.commands.command import plain
    from conceptbind.querying.index import open_index
    from conceptbind.rows.held import HeldRows
    from conceptbind.rows.indexes.contract import ArrayRows, HeldTexts, Rows, Texts

    given: Any = asked.index
    index = open_index(given.values if isinstance(given, HeldRows) else given, asked.modality)
    name = _name(str(plain(asked.index)))
    if index.held is not None:
        held = index.held
        kind, rows = held.rows(asked.modality)
        return _Opened(
            *_required(name, rows, kind, _captions(asked, held.captions)),
            pictures=held.pictures,
            picture_of=held.picture_of,
            folder=held.folder,
            made_by=None,
            revision=held.revision,
            failed=held.failed,
            notes=held.notes,
        )
    told = index.modality or (asked.modality if asked.modality in ("image", "text") else None)
    names = None if index.names is None else Texts([HeldTexts(index.names)])
    array: Any = index.rows
    rows = Rows([ArrayRows(array, name)], name)
    return _Opened(
        *_required(name, rows, told, _captions(asked, names)),
        pictures=None,
        picture_of=None,
        folder="",
        made_by=None if index.encoder is None else (index.encoder, index.revision or ""),
        revision=_hash_of(array),
    )


def _hash_of(array: Any) -> str:
    """A hash of an array: of all rows, or of some at equal distances where they are many."""
    import numpy as np

    from conceptbind.core.files import content_hash
    from conceptbind.rows.indexes.places import WHOLE

    every = max(array.size * array.itemsize // WHOLE, 1)
    return content_hash(str(array.shape), np.ascontiguousarray(array[::every]).tobytes())[:16]


def _required(
    name: str, rows: "Rows", modality: Any, captions: "Texts | None"
) -> "tuple[str, Rows, Modality, Texts]":
    """The same, where all of it is there and there is a caption for each row."""
    from conceptbind.core.errors import MismatchError, ModalityError, ValueRangeError

    if modality is None:
        raise ModalityError(
            f"{name} does not say what its rows are of; add --modality image or --modality text"
        )
    if captions is None:
        raise ValueRangeError(
            f"{name} has no captions; add --captions FILE with one line for each of "
            f"{len(rows):,} rows"
        )
    if len(captions) != len(rows):
        raise MismatchError(
            f"there are {len(captions):,} captions and {name} has {len(rows):,} rows; give one "
            "caption for each row, in the order of the index"
        )
    return name, rows, modality, captions


def _name(index: str) -> str:
    """What an index is called: its last folder or file, of a folder of rows with the one above."""
    parts = Path(index.partition("::")[0]).parts
    common = parts[-1] in ("image", "text", "embeddings")
    return "/".join(parts[-2:]) if common else parts[-1]


def _captions(asked: Audit, own: "Texts | None") -> "Texts | None":
    """The captions that are given, or those of the index."""
    from conceptbind.core.files import user_path
    from conceptbind.rows.held import HeldCaptions
    from conceptbind.rows.indexes.contract import HeldTexts, Texts
    from conceptbind.rows.indexes.lines import open_lines

    if asked.captions is None:
        return own
    if isinstance(asked.captions, HeldCaptions):
        return Texts([HeldTexts(asked.captions.lines)])
    return open_lines(user_path(str(asked.captions)))


def _require_same(then: Any, now: dict[str, Any], place: Path) -> None:
    """Raise MismatchError where a finished audit is of other rows, captions or weights."""
    from conceptbind.core.errors import MismatchError

    known = then if isinstance(then, dict) else {}
    changed = [name for name in now if known.get(name) != now[name]]
    if changed:
        raise MismatchError(
            f"{place} holds an audit that was made before the {' and the '.join(changed)} changed; "
            "give another folder with --out"
        )


def _given_captions(asked: Audit) -> dict[str, str]:
    """What the captions that are given hold, so that others under the same name are not taken for
    them.
    """
    from conceptbind.core.files import content_hash, file_hash, user_path
    from conceptbind.rows.held import HeldCaptions

    if asked.captions is None:
        return {}
    if isinstance(asked.captions, HeldCaptions):
        return {"captions": content_hash(*asked.captions.lines)}
    return {"captions": file_hash(user_path(str(asked.captions)))}


def _drawn(asked: Audit, index: _Opened) -> "Drawn":
    from conceptbind.audits.draw import draw_items
    from conceptbind.repairs.negatives.taggers import load_tagger
    from conceptbind.run.bars import progress

    tagger = load_tagger(asked.tagger)
    with progress(desc="looking for attributes", unit="caption") as bar:
        return draw_items(
            index.captions,
            tagger,
            most=asked.sample,
            searches=asked.searches,
            seed=asked.seed,
            allow_missing=asked.allow_missing,
            on_captions=bar.update,
        )


def _texts(
    drawn: "Drawn", index: _Opened, encoder: "Encoder | None"
) -> "tuple[Drawn, tuple[str, ...], Any]":
    """What was drawn in the wordings that an encoder reads, all its texts, and their numbers."""
    from conceptbind.audits.study import numbered
    from conceptbind.scenes.paraphrases import read_by

    if encoder is not None:
        drawn = drawn.read(read_by(encoder), reworded=index.modality == "text")
    return drawn, *numbered(drawn.items, drawn.searches)


def _studied(
    asked: Audit,
    index: _Opened,
    source: "Source",
    given: "GivenRows | None",
    drawn: "Drawn",
    folder: Path,
) -> "AuditStudy":
    """Embed the captions that were drawn, and study them."""
    from conceptbind.audits import study
    from conceptbind.commands.common import rows_with_bar
    from conceptbind.encoders.registry import torch_device
    from conceptbind.rows.source import ArraySource
    from conceptbind.run.bars import progress
    from conceptbind.scenes.table import Scenes

    drawn, texts, numbers = _texts(drawn, index, source.encoder)
    if given is not None and isinstance(source, ArraySource):
        rows = given.rows(source.arrays, texts)
    else:
        table = Scenes.unlabelled("audit", captions=texts)
        place = folder / "embeddings" / "captions"
        rows = rows_with_bar(source, table, "text", place, "captions and swaps").unit().values
    what = study.Audit(
        *(drawn, numbers, texts, rows, index.rows, index.modality, index.name, source.id),
        captions=index.captions,
    )
    with progress(total=len(index.rows), desc="auditing", unit="row") as bar:
        return study.audit_study(
            what,
            seed=asked.seed,
            options={"device": torch_device(asked.device)},
            on_step=bar.note,
            on_rows=bar.update,
        )


def _written(
    asked: Audit,
    study: "AuditStudy",
    index: _Opened,
    source: "Source",
    folder: "RunFolder",
    decided: dict[str, Any],
) -> Audited:
    """Write the adapter, the tables, the page and, last, the results."""
    from shlex import quote

    from conceptbind.audits import section, words
    from conceptbind.commands.command import plain
    from conceptbind.core.findings import Verdicts
    from conceptbind.report.advice import RUN, at
    from conceptbind.report.page import render_page
    from conceptbind.run.facts import plain_provenance

    verdict = words.audit_verdict(study)
    verdicts = Verdicts((verdict, words.text_verdict(study), words.mend_verdict(study)))
    notes = _notes(study, index)
    told = tuple(filter(None, (*(one.sentence for one in verdicts), words.cost_sentence(study))))
    why, form = words.next_step(study, verdict, embeds=source.encoder is not None)
    given = asked.encoder if isinstance(asked.encoder, str) else source.id
    names = {"index": quote(str(plain(asked.index))), "encoder": quote(given), "out": RUN}
    form = form.format(**names)
    command = at(form, folder.path)
    config = asked.configuration()
    facts = plain_provenance(config, sys.argv) | {"data": decided, "notes": list(notes)}
    pictures = index.of_items(study.audit.drawn.rows)
    _save_adapter(study, source, folder.path, told)
    folder.write_table(PAIRS, section.PAIRS, section.pair_rows(study))
    folder.write_table(FAILURES, FAILED, _failures(study, pictures, index.number))
    shown = zip(("index", "captions", "repair"), verdicts, strict=True)
    render_page(
        folder.path / "report.html",
        "audit.html.j2",
        title=f"Does the index {index.name} bind?",
        index=f"{len(index.rows):,} rows of {index.rows.width:,} dimensions, {source.id}",
        answer={"sentence": verdict.sentence, "why": why, "next": command, "form": form},
        verdicts=[{"id": name, **vars(one)} for name, one in shown if one is not verdict],
        notes=[*told[len(verdicts) :], *notes],
        sections=[vars(one) for one in section.audit_sections(study, pictures, index.thumbnail)],
        provenance=facts,
    )
    kept = {"asked": decided, "why": why, "next": command}
    said = (*told, *notes)
    folder.write_results(facts, study.records, kept, verdicts=verdicts, sentences=said)
    return Audited(folder.path, study.records, verdicts, said, why, command)


def _notes(study: "AuditStudy", index: _Opened) -> tuple[str, ...]:
    """What was left out, and what a reader should know of the rows."""
    from conceptbind.report.words import first

    notes = [f"{first(note)}." for note in index.notes]
    if index.failed:
        rows = counted(index.failed, "row")
        notes.append(f"The index has {rows} without an embedding that can be used; left out.")
    fit = study.fit
    notes.append(
        f"A row is nearer to its own caption than to another one in {percent(fit.share)} of the "
        f"comparisons of {counted(fit.n, 'row')} with each other. Chance: 50 %."
    )
    if study.audit.drawn.missing:
        notes.append(f"{study.audit.drawn.missing:,} rows have no caption; left out.")
    return tuple(notes)


def _save_adapter(
    study: "AuditStudy", source: "Source", folder: Path, told: tuple[str, ...]
) -> None:
    """The map with what it was fitted on, where one was fitted."""
    from dataclasses import replace

    from conceptbind.core.version import __version__
    from conceptbind.repairs.arrays import ArrayRepair
    from conceptbind.repairs.card import described, repair_card
    from conceptbind.repairs.labclip.adapter import save_adapter
    from conceptbind.repairs.queries.section import query_card

    found, name = study.repair, study.audit.name
    if found is None or study.adapter is None:
        return
    sentence = told[2]
    if isinstance(found, ArrayRepair):
        adapter = described(found, encoder=source.id, revision=source.revision, scenes=name)
        save_adapter(adapter, folder, repair_card(adapter, found, sentence))
        return
    config = {
        **found.adapter.config,
        "encoder": source.id,
        "revision": source.revision,
        "dimension": int(found.adapter.weight.shape[1]),
        "scenes": name,
        "recommended": found.recommended,
        "folds": found.folds,
        "conceptbind": __version__,
    }
    adapter = replace(found.adapter, config=config)
    save_adapter(adapter, folder, query_card(adapter, found, sentence))


def _failures(
    study: "AuditStudy", pictures: dict[int, str], number: "Callable[[int], int]"
) -> list[tuple[Any, ...]]:
    """Items whose caption does not win every comparison."""
    rows = []
    for place, item in enumerate(study.audit.drawn.items):
        if study.right[place] == 1:
            continue
        true, false = study.scores[place].tolist()
        told = item.caption, item.swap, " / ".join(item.attributes), " / ".join(item.nouns)
        scores = float(study.swapped[place]), round(true, 4), round(false, 4)
        row = number(int(study.audit.drawn.rows[place]))
        rows.append((row, *told, *scores, pictures.get(place, "")))
    return sorted(rows)
