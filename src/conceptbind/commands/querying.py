"""Repair within captions: a map of the query, fitted on scenes or on captions that people wrote."""

import sys
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from conceptbind.commands.repaired import DROPPED, FAILURES, answer_of
from conceptbind.core.errors import ModalityError, ValueRangeError
from conceptbind.run.bars import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Records
    from conceptbind.core.typing import Encoder, Floats, Ints
    from conceptbind.encoders.options import Opening
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.laboratory.contest import Laboratory
    from conceptbind.repairs.queries.groups import Groups
    from conceptbind.repairs.queries.study import QueryRepair, Search
    from conceptbind.rows.source import Source
    from conceptbind.scenes.table import Scenes
    from conceptbind.within.triplets import Triplets

FAILED = ("setting", "item", "caption", "right before", "right after")


@dataclass(frozen=True)
class Asked:
    """What a map of queries is fitted on."""

    scenes: Any
    template: str | None
    captions: Any
    """A file of caption, paraphrase and negative, in place of scenes."""
    retrieval: str | Path | None
    """Such a file, on which the cost is told."""
    paraphrased: int
    """Scenes at most; 0 for all."""
    seed: int


CLOSED = ("ridge", "procrustes", "low_rank", "diagonal")
"""Maps that are compared where the convex comparison is not chosen: they take seconds."""
INSTEAD = "On validation the convex comparison of captions does no better than no map. "
"""What stands before the verdict on the others."""


@dataclass(frozen=True, eq=False)
class Written:
    """What was written."""

    adapter: "Adapter"
    records: "Records"
    verdict: "Verdict"


@dataclass(frozen=True, eq=False)
class _Material:
    """What is fitted on and scored."""

    name: str
    """Name of the table, or of the captions."""
    groups: "Groups"
    settings: "Sequence[Triplets]"
    draws: "Ints"
    searches: "list[Search]"
    by_scenes: bool
    """Whether the draws are combinations of a table."""
    caption_of: "Callable[[int], tuple[str, str]]"
    """Name and caption of an item."""
    words: "Ints | None" = None
    """Half of the words that each item has; see `halves_of_words`."""
    untrained: "Callable[[], Floats | None]" = lambda: None
    """Unit rows of the same captions by the encoder with random weights, embedded when asked."""


def for_queries(encoder: Any, side: str, how: "Opening", *, arrays: bool) -> "Source | None":
    """The encoder where a repair is one of queries: it was asked for, or the encoder has captions
    alone; else None.

    Args:
        encoder: as it was given; None where none was.
        side: `auto`, `text` or `query`.
        how: opens it.
        arrays: whether rows or pictures are given beside it.

    Raises:
        ConceptBindError: the encoder cannot be opened.
    """
    from conceptbind.rows.source import source_of

    if side == "text" or (side == "auto" and (arrays or encoder is None)):
        return None
    if arrays or encoder is None:
        raise ValueRangeError(
            "a map of the query needs an encoder, and --scenes or --captions with a file of "
            "caption, paraphrase and negative; it takes no arrays and no pictures"
        )
    source = source_of(encoder, how)
    alone = source.encoder is not None and set(source.modalities) == {"text"}
    return source if alone or side == "query" else None


def _material(asked: Asked, source: "Source", folder: Path, config: dict[str, Any]) -> _Material:
    """Captions, embedded.

    Raises:
        ConceptBindError: there is nothing to fit on; the message says what to do.
    """
    if asked.paraphrased < 0:
        raise ValueRangeError(
            f"--paraphrased must be a number of scenes, or 0 for all; got {asked.paraphrased}"
        )
    if source.encoder is None or "text" not in source.modalities:
        raise ModalityError(
            f"a map of the query needs an encoder of captions; '{source.id}' has "
            f"{' and '.join(source.modalities) or 'rows'}"
        )
    if asked.captions is None:
        return _of_scenes(asked, source, folder, config)
    return _of_captions(asked, source, folder, config)


def repair_queries(asked: Asked, source: "Source", folder: Path, config: dict[str, Any]) -> Written:
    """Embed captions, fit, score and write. Where the convex comparison is not chosen, closed forms
    are compared, and what they recommend is written.

    Raises:
        ConceptBindError: there is nothing to fit on; the message says what to do.
    """
    from conceptbind.repairs.queries.study import query_repair

    found = _material(asked, source, folder, config)
    with steps("fitting") as step:
        study = query_repair(
            found.groups,
            found.settings,
            found.draws,
            searches=found.searches,
            scenes=found.name,
            encoder=source.id,
            by_scenes=found.by_scenes,
            words=found.words,
            untrained=found.untrained(),
            seed=asked.seed,
            on_step=step,
        )
    assert source.encoder is not None
    if study.unchanged:
        others = _compared(found, CLOSED, None, source, asked.seed)
        if others.recommended:
            return Written(*_kept(found, others, source, folder, config, INSTEAD))
    return _written(study, found.caption_of, source.encoder, folder, config, found.name)


def laboratory_of_queries(
    asked: Asked,
    method: str,
    pull: float | None,
    source: "Source",
    folder: Path,
    config: dict[str, Any],
) -> "tuple[Adapter, Records, Verdict]":
    """Embed captions, and fit and score one method or all.

    Raises:
        ConceptBindError: there is nothing to fit on; the message says what to do.
    """
    found = _material(asked, source, folder, config)
    result = _compared(found, method, pull, source, asked.seed)
    return _kept(found, result, source, folder, config)


def _compared(
    found: _Material,
    method: "str | tuple[str, ...]",
    pull: float | None,
    source: "Source",
    seed: int,
) -> "Laboratory":
    """Fit and score methods on captions."""
    from conceptbind.commands.laboratory import compare_methods
    from conceptbind.repairs.laboratory.captions import QueryGround

    about = {"scenes": found.name, "encoder": source.id, "modality": "text", "level": 2}
    told = found.groups.rows, found.settings, found.draws, about, seed
    ground = QueryGround(*told, searches=found.searches, groups=found.groups)
    return compare_methods(method, ground, None, pull, seed)


def _kept(
    found: _Material,
    result: "Laboratory",
    source: "Source",
    folder: Path,
    config: dict[str, Any],
    before: str = "",
) -> "tuple[Adapter, Records, Verdict]":
    """Write what was compared."""
    from conceptbind.commands.laboratory import write_laboratory
    from conceptbind.run.facts import plain_provenance

    facts = plain_provenance(config, sys.argv) | {"data": {"scenes": found.name}}
    who = {"encoder": source.id, "revision": source.revision, "scenes": found.name}
    unseen = "combinations" if found.by_scenes else "captions"
    return write_laboratory(folder, config, result, facts, {**who, "side": "query"}, unseen, before)


def _of_scenes(asked: Asked, source: "Source", folder: Path, config: dict[str, Any]) -> _Material:
    """The captions of a table, in several wordings."""
    import numpy as np

    from conceptbind.commands.common import rows_with_bar
    from conceptbind.repairs.queries.groups import groups_of_bank
    from conceptbind.repairs.queries.study import Search
    from conceptbind.rows.source import table_of
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.paraphrases import paraphrase_bank, read_by
    from conceptbind.scenes.split import halves_of_words
    from conceptbind.scenes.swaps import orbit_ids, pair_ids
    from conceptbind.within.triplets import text_triplets

    encoder = source.encoder
    assert encoder is not None
    table = table_of(asked.scenes, asked.template)
    bank = paraphrase_bank(
        table, most=asked.paraphrased or None, reads=read_by(encoder), seed=asked.seed
    )
    others = _others(asked)
    RunFolder.open(folder, config)
    place = folder / "embeddings" / "paraphrases"
    embedded = rows_with_bar(source, bank.captions, "text", place, "paraphrases")
    rows = embedded.unit().values
    orbit = orbit_ids(table)[bank.scene]
    worded = np.random.default_rng(asked.seed).integers(0, len(bank.wordings), len(bank))
    told = bank.paraphrase[np.arange(len(bank)), worded, 1]
    # both orders of a scene mean the same: one of them asks
    first = np.unique(pair_ids(table)[bank.scene], return_index=True)[1]
    own = Search(table.name, rows, bank.anchor[first], told[first], orbit[first])

    def caption_of(item: int) -> tuple[str, str]:
        row = int(bank.scene[item])
        return table.ids[row], table.caption(row)

    groups = groups_of_bank(rows, bank, table, asked.seed)
    alone = _single(table, source, folder, asked.seed)
    searches = [own, *alone, *_embedded(others, source, folder)]
    words = halves_of_words(table, asked.seed)[bank.scene]
    fitted_on = groups, text_triplets(bank), orbit, searches
    twin = partial(_untrained, source, bank.captions, folder)
    return _Material(table.name, *fitted_on, True, caption_of, words, twin)


def _untrained(source: "Source", captions: "Scenes", folder: Path) -> "Floats | None":
    """(c, d) unit rows of captions by the encoder with random weights, where it has them."""
    from conceptbind.commands.common import rows_with_bar
    from conceptbind.rows.source import source_of, untrained

    twin = untrained(source)
    if twin is None:
        return None
    place = folder / "embeddings" / "random_weights"
    rows = rows_with_bar(source_of(twin), captions, "text", place, "random weights")
    values: Floats = rows.unit().values
    return values


def _single(table: "Scenes", source: "Source", folder: Path, seed: int) -> "list[Search]":
    """Single objects, which nothing was fitted on: each is asked for in the table's wording, among
    all of them in another.
    """
    import numpy as np

    from conceptbind.commands.common import rows_with_bar
    from conceptbind.core.names import Metric
    from conceptbind.repairs.queries.study import Search
    from conceptbind.scenes.paraphrases import read_by, single_objects_said
    from conceptbind.scenes.table import Scenes

    assert source.encoder is not None
    said = single_objects_said(table, read_by(source.encoder))
    if said is None:
        return []
    own, others = said
    written = Scenes.unlabelled(table.name, captions=[*own, *others])
    place = folder / "embeddings" / "single"
    rows = rows_with_bar(source, written, "text", place, "single objects").unit().values
    objects = np.arange(len(own))
    # half of the objects choose among maps, the other half is scored
    chooses = np.random.default_rng(seed).permutation(len(own)) % 2 == 0
    metric = Metric.SINGLE_OBJECT_ACCURACY
    return [Search(table.name, rows, objects, len(own) + objects, objects, metric, chooses)]


def _of_captions(asked: Asked, source: "Source", folder: Path, config: dict[str, Any]) -> _Material:
    """Captions that people wrote, each with a paraphrase and a negative."""
    import numpy as np

    from conceptbind.commands.common import rows_with_bar
    from conceptbind.repairs.queries.groups import groups_of_triplets
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.table import Scenes
    from conceptbind.within.triplets import GIVEN, Triplets

    given, others = _triplets(asked.captions), _others(asked)
    run = RunFolder.open(folder, config)
    written = Scenes.unlabelled(given.name, captions=given.texts)
    place = folder / "embeddings" / "captions"
    rows = rows_with_bar(source, written, "text", place, "captions").unit().values
    dropped = _ties(given, rows)
    if dropped:
        run.write_table(DROPPED, ("row", "reason", "caption"), dropped)
    kept = np.setdiff1d(np.arange(len(given.numbers)), [row for row, *_ in dropped])
    numbers, draws = given.numbers[kept], given.draws[kept]
    groups = groups_of_triplets(rows, numbers, draws)
    anchor, paraphrase, negative = numbers.T
    settings = [Triplets(GIVEN, anchor, paraphrase, negative, np.arange(len(kept)))]
    own = _search(given.name, rows, given._replace(numbers=numbers, draws=draws))
    searches = [own, *_embedded(others, source, folder)]

    def caption_of(item: int) -> tuple[str, str]:
        return str(kept[item] + 1), given.texts[numbers[item, 0]]

    fitted_on = groups, settings, draws, searches
    twin = partial(_untrained, source, written, folder)
    return _Material(given.name, *fitted_on, False, caption_of, untrained=twin)


class _Told(NamedTuple):
    """A file of triplets."""

    name: str
    texts: list[str]
    """The different captions."""
    numbers: "Ints"
    """(n, 3) caption, paraphrase and negative of each row."""
    draws: "Ints"
    """(n,) rows that share a text have one number."""


def _ties(given: _Told, rows: "Floats") -> list[tuple[int, str, str]]:
    """Row, reason and caption of triplets whose negative is a true caption to the encoder; a
    warning says how many.

    Raises:
        ValueRangeError: none other is left.
    """
    caption, paraphrase, negative = given.numbers.T
    equal = (rows[negative] == rows[caption]).all(axis=1)
    equal |= (rows[negative] == rows[paraphrase]).all(axis=1)
    dropped = []
    for row in equal.nonzero()[0].tolist():
        same = negative[row] in (caption[row], paraphrase[row])
        why = f"its negative is its caption or paraphrase{'' if same else ' to this encoder'}"
        dropped.append((row, why, given.texts[caption[row]]))
    if len(dropped) == len(given.numbers):
        raise ValueRangeError(
            f"in every row of {given.name} the negative is a true caption to this encoder, so "
            "there is nothing to fit on; give negatives that say something else"
        )
    if dropped:
        warnings.warn(
            f"{len(dropped):,} of {len(given.numbers):,} rows are left out, whose negative is "
            f"their caption or paraphrase; {DROPPED} lists them",
            stacklevel=2,
        )
    return dropped


def _search(name: str, rows: "Floats", given: _Told) -> "Search":
    """Every caption asks for its paraphrase, among all captions of its draws but itself."""
    import numpy as np

    from conceptbind.repairs.queries.study import Search

    caption, paraphrase, _ = given.numbers.T
    every, first = np.unique(given.numbers, return_index=True)
    draws = np.repeat(given.draws, 3)[first]
    return Search(name, rows, caption, paraphrase, given.draws, others=every, other_draws=draws)


def _triplets(given: Any) -> _Told:
    """A file of triplets, read."""
    import numpy as np

    from conceptbind.benchmarks.base import Distinct
    from conceptbind.benchmarks.triplets import read_triplets
    from conceptbind.core.files import user_path
    from conceptbind.repairs.labclip.estimator import linked

    if not isinstance(given, str | Path):
        raise ValueRangeError(
            "--captions of a map of the query must be a file with the columns caption, paraphrase "
            "and negative (.csv, .tsv, .json, .jsonl)"
        )
    path = user_path(given)
    captions = Distinct()
    told = [captions(text) for triplet in read_triplets(path) for text in triplet]
    numbers = np.array(told, dtype=np.int64).reshape(-1, 3)
    # triplets that share a caption, a paraphrase or a negative are on one side of a split
    draws = linked(np.arange(len(numbers)), numbers[:, 0], numbers[:, 1:].T.ravel())
    return _Told(path.stem, list(captions.all()), numbers, draws)


def _others(asked: Asked) -> list[_Told]:
    """Captions that people wrote, on which the cost is told."""
    return [] if asked.retrieval is None else [_triplets(asked.retrieval)]


def _embedded(others: "Sequence[_Told]", source: "Source", folder: Path) -> "list[Search]":
    from conceptbind.commands.common import rows_with_bar
    from conceptbind.scenes.table import Scenes

    found = []
    for given in others:
        table = Scenes.unlabelled(given.name, captions=given.texts)
        place = folder / "embeddings" / "retrieval"
        rows = rows_with_bar(source, table, "text", place, "captions of --retrieval")
        unit = rows.unit().values
        found.append(_search(f"{given.name} (retrieval)", unit, given))
    return found


def _written(
    study: "QueryRepair",
    caption_of: Any,
    encoder: "Encoder",
    folder: Path,
    config: dict[str, Any],
    name: str,
) -> Written:
    """Write the adapter, its card, the page, the failures and, last, the results."""
    from dataclasses import replace

    from conceptbind.core.version import __version__
    from conceptbind.repairs.labclip.adapter import save_adapter
    from conceptbind.repairs.queries.section import query_card, query_section
    from conceptbind.repairs.queries.words import query_verdict
    from conceptbind.report.page import render_page
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    run, verdict = RunFolder.open(folder, config), query_verdict(study)
    facts = plain_provenance(config, sys.argv) | {"data": {"scenes": name}}
    told = {
        "encoder": encoder.id,
        "revision": encoder.revision,
        "dimension": int(study.adapter.weight.shape[1]),
        "scenes": name,
        "recommended": study.recommended,
        "folds": study.folds,
        "conceptbind": __version__,
    }
    adapter = replace(study.adapter, config={**study.adapter.config, **told})
    failed = [
        (setting, *caption_of(int(item)), bool(before), bool(after))
        for setting, (items, *rights) in study.missed.items()
        for item, before, after in zip(items.tolist(), *rights, strict=True)
        if not (after if study.recommended else before)
    ]
    run.write_table(FAILURES, FAILED, failed)
    answer = answer_of(folder, config, verdict)
    render_page(
        folder / "report.html",
        "repair.html.j2",
        answer=answer.as_json(),
        title=f"Can a map of the query repair the captions of {encoder.id}?",
        verdict=vars(verdict),
        sections=[vars(query_section(study))],
        provenance=facts,
    )
    save_adapter(adapter, folder, query_card(adapter, study, verdict.sentence))
    kept, sentences = {"answer": answer.as_json()}, [verdict.sentence]
    run.write_results(facts, study.records, kept, verdicts=[verdict], sentences=sentences)
    return Written(adapter, study.records, verdict)
