"""Fit a linear repair, and apply one."""

import sys
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from conceptbind.commands.captioned import (
    Pairing,
    coco_pairs,
    coco_retrieval,
    open_model,
    pairs_of_arrays,
)
from conceptbind.commands.command import Command, function_of
from conceptbind.commands.common import drawn, rows_with_bar
from conceptbind.commands.laboratory import (
    compare_methods,
    entrants,
    require_plain,
    write_laboratory,
)
from conceptbind.commands.querying import FAILURES, Asked, for_queries, repair_queries
from conceptbind.commands.shared import (
    GivenAdapter,
    GivenCaptions,
    GivenEncoder,
    GivenPath,
    GivenRows,
    GivenScenes,
)
from conceptbind.core.names import Control
from conceptbind.core.ownership import refuse_in_use
from conceptbind.core.records import Records
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Shown
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.commands.captioned import Given
    from conceptbind.core.findings import Verdict
    from conceptbind.crossmodal.study import CaptionBank
    from conceptbind.repairs.arrays import ArrayRepair
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.study import RepairStudy
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.rows.source import Source
    from conceptbind.scenes.table import Scenes


Method = Literal[
    "HNB",
    "SB",
    "ridge",
    "procrustes",
    "cca",
    "low_rank",
    "diagonal",
    "erasure",
    "laboratory",
]
DROPPED = "dropped.csv"


@dataclass(frozen=True, eq=False, repr=False)
class Repaired(Shown):
    """What `repair` fitted, and where it wrote it."""

    folder: Path
    """The adapter folder, which is a run folder as well."""
    adapter: "Adapter"
    records: Records
    sentence: str
    """The verdict in words."""
    retrieval: Records = field(default_factory=Records)
    """Retrieval on the test pictures before and after, with --coco."""
    summary: str = ""
    """The comparisons that were turned, which map was scored and which is written, and the
    sentence."""
    verdicts: "tuple[Verdict, ...]" = ()
    """The verdict of the repair."""

    @property
    def said(self) -> tuple[str, ...]:
        """The verdict in words."""
        return (self.sentence,)

    def text(self, width: int | None = None) -> str:  # noqa: D102
        from conceptbind.benchmarks.section import benchmark_table
        from conceptbind.repairs.laboratory.section import laboratory_table
        from conceptbind.repairs.section import repair_table

        shown = repair_table(self.records, width)
        if self.records.first(study="laboratory"):
            shown = laboratory_table(self.records, width)
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


@dataclass(frozen=True)
class Repair(Opening, Command[Repaired]):
    """Fit a linear map of captions (LABCLIP) that makes binding usable across modalities; pictures
    stay as they are.

    Give an encoder and scenes; or arrays of pictures, captions and hard negatives; or an encoder,
    an array of pictures and a file of their captions, whose negatives are made by exchanging nouns
    and adjectives. For an encoder of captions alone, the map is one of queries. Writes an adapter
    folder with a report. Scores are of combinations, or pictures, that the map was not fitted on.
    """

    HELD = frozenset(("images", "texts", "negatives", "image_of", "captions"))

    encoder: GivenEncoder | None = None
    """Model to repair: tiny, hf:NAME or hf:FOLDER, open_clip:ARCH@TAG, or py:module:factory; none
    with three arrays.
    """
    _: KW_ONLY
    out: GivenPath
    """Adapter folder to write."""
    scenes: GivenScenes = "clevr2d"
    """Scenes to fit on: clevr2d, pug-spare:PATH, or another table with pictures; see conceptbind
    measure --help.
    """
    images: GivenRows | None = None
    """.npy file of picture embeddings (p, d), instead of scenes."""
    texts: GivenRows | None = None
    """.npy file of caption embeddings (n, d), for --images."""
    negatives: GivenRows | None = None
    """.npy file of embeddings (n, d) of each caption with its attributes exchanged, or (n, k, d) of
    1 to 8 wrong captions of each. Without it the map is fitted on captions and pictures alone (SB).
    """
    image_of: GivenRows | None = None
    """.npy file of n row numbers, the picture of each caption, where a picture has several."""
    captions: GivenCaptions | None = None
    """Text file with the caption of each row of --images, one per line, instead of --texts; needs
    an encoder, which embeds them and their negatives. For queries a file with the columns caption,
    paraphrase and negative.
    """
    coco: GivenPath | None = None
    """Folder with coco_karpathy_train.json or dataset_coco.json and the pictures that it names:
    negatives are made, everything is embedded (float16 on disk) and fitted. Where the test pictures
    are there too, retrieval is scored before and after.
    """
    tagger: str = "auto"
    """Program that finds nouns and adjectives in captions: spacy, spacy:MODEL, hanta, or auto."""
    method: Method = "HNB"
    """What is fitted: HNB (LABCLIP with hard negatives), SB (without), ridge, procrustes, cca,
    low_rank, diagonal or erasure. laboratory compares all of them, maps of pictures and a small
    network too, and writes the one that is recommended.
    """
    solver: Literal["quick", "published"] = "quick"
    """How the map is fitted: quick (Adam along the principal axes), or published (Adam as in the
    paper).
    """
    rate: float | None = None
    """Learning rate; by default the solver's own."""
    batch: int = 1024
    """Pairs per step of fitting."""
    epochs: int | None = None
    """Passes over the pairs; by default the solver's own."""
    pull: float | None = None
    """Share of the way from no repair (0) to the fitted map (1); by default what validation
    recommends.
    """
    side: Literal["auto", "text", "query"] = "auto"
    """What the map is for: captions beside pictures (text), or queries among captions (query).
    The index stays as it is. auto takes query for encoders of captions alone.
    """
    paraphrased: int = 3200
    """Scenes whose captions are put in other words, at most; 0 for all. For queries alone."""
    retrieval: GivenPath | None = None
    """File of captions that people wrote (caption, paraphrase, negative), on which the cost is
    told. For queries alone.
    """
    seed: int = 0
    """Random seed; it decides what is for fitting and what for scoring, the batches and the
    negatives.
    """
    template: str | None = None
    """How a scene's caption names an object, for example "{a} {object}"."""

    def work(self) -> Repaired:
        """Fit, score and write the map."""
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.core.files import user_path
        from conceptbind.encoders.registry import torch_device
        from conceptbind.repairs.arrays import require_repairable
        from conceptbind.run.folder import RunFolder

        if self.pull is not None and not 0 <= self.pull <= 1:
            raise ValueRangeError(
                f"--pull must lie between 0 (no repair) and 1 (the fitted map); got {self.pull}"
            )
        if self.seed < 0:
            raise ValueRangeError(f"--seed must not be negative; got {self.seed}")
        options = {
            "solver": self.solver,
            "rate": self.rate,
            "batch": self.batch,
            "epochs": self.epochs,
            "device": torch_device(self.device),
        }
        if self.method != "HNB":
            require_plain(self.method, options)
        config, folder = self.configuration(), user_path(self.out)
        refuse_in_use(folder)
        by = Pairing(self.tagger, self, self.seed, folder, config)
        given: Any = None
        encoder: Any = self.encoder
        given_rows = (self.images, self.texts, self.negatives, self.image_of, self.coco)
        arrays = any(rows is not None for rows in given_rows)
        source = for_queries(encoder, self.side, self, arrays=arrays)
        if source is not None:
            return _of_queries(self, source, folder, config)
        if self.coco is not None:
            rows = (self.images, self.texts, self.negatives, self.image_of, self.captions)
            if encoder is None or any(rows):
                raise ValueRangeError(
                    "--coco needs an encoder, and none of --images, --texts, --negatives, "
                    "--image_of and --captions"
                )
            encoder = open_model(encoder, self, ("text", "image"))
            given = coco_pairs(encoder, self.coco, by)
        elif self.images is None:
            if self.method != "HNB":
                return _laboratory_on_scenes(self, folder, config)
            found, facts = _on_scenes(self, folder, config, options)
            return _written(folder, config, found, facts, None, (encoder, self.coco))
        else:
            given = pairs_of_arrays(
                encoder,
                self.images,
                self.texts,
                self.negatives,
                self.image_of,
                self.captions,
                by,
            )
            require_repairable(given.pairs, self.seed)
            if self.method != "HNB":
                entrants(self.method, given.pairs.n_negatives)
            RunFolder.open(folder, config)
        if self.method != "HNB":
            return _laboratory_on_arrays(self, folder, config, given, encoder)
        found, facts = _on_arrays(given, config, options, self.pull, self.seed)
        return _written(folder, config, found, facts, given, (encoder, self.coco))


repair = function_of(Repair)


def _of_queries(
    asked: Repair, source: "Source", folder: Path, config: "dict[str, Any]"
) -> Repaired:
    """A map of queries."""
    from conceptbind.core.errors import ValueRangeError

    if asked.pull is not None:
        raise ValueRangeError(
            "--pull is of repairs beside pictures; for queries validation chooses the penalty"
        )
    if asked.method != "HNB":
        raise ValueRangeError(
            f"--method {asked.method} is of repairs beside pictures; for queries there is one "
            "method; leave --method out"
        )
    wanted = Asked(
        asked.scenes,
        asked.template,
        asked.captions,
        asked.retrieval,
        asked.paraphrased,
        asked.seed,
    )
    found = repair_queries(wanted, source, folder, config)
    records, sentence = found.study.records, found.verdict.sentence
    return Repaired(folder, found.adapter, records, sentence, verdicts=(found.verdict,))


def _written(
    folder: Path,
    config: "dict[str, Any]",
    found: "RepairStudy | ArrayRepair",
    facts: "dict[str, Any]",
    given: "Given | None",
    coco: tuple[Any, str | Path | None],
) -> Repaired:
    """Write all files of a repair; with pictures of COCO, score retrieval before and after."""
    from conceptbind.repairs.card import described, repair_card
    from conceptbind.repairs.labclip.adapter import save_adapter
    from conceptbind.repairs.section import repair_summary, write_repair_report
    from conceptbind.repairs.words import repair_verdict
    from conceptbind.run.folder import RunFolder

    run, verdict = RunFolder.open(folder, config), repair_verdict(found)
    sentence = verdict.sentence
    run.write_table(FAILURES, *_failures(found, given))
    if given is not None and given.dropped:
        run.write_table(DROPPED, ("row", "reason", "caption"), given.dropped)
    write_repair_report(folder / "report.html", found, verdict, facts)
    adapter = described(found, **_fitted_on(facts))
    save_adapter(adapter, folder, repair_card(adapter, found, sentence))
    encoder, pictures = coco
    retrieval = Records()
    if pictures is not None:
        retrieval = coco_retrieval(encoder, pictures, adapter, folder)
    records = found.records + retrieval
    run.write_results(facts, records, verdicts=[verdict], sentences=[sentence])
    summary = repair_summary(found, sentence)
    return Repaired(folder, adapter, found.records, sentence, retrieval, summary, (verdict,))


@dataclass(frozen=True)
class Apply(Command[Path]):
    """Map caption embeddings with an adapter: out = normalised texts @ weight.T. The pictures'
    index answers them as it is.
    """

    HELD = frozenset(("texts",))

    adapter: GivenAdapter
    """Adapter folder written by conceptbind repair, or a published LABCLIP .pt file."""
    _: KW_ONLY
    texts: GivenRows
    """Caption embeddings to map: an .npy file (n, d), or a folder written by conceptbind embed."""
    out: GivenPath
    """.npy file to write: (n, d) rows of unit length."""

    def work(self) -> Path:
        """Write the mapped rows."""
        import io

        import numpy as np

        from conceptbind.core.errors import ModalityError, ShapeError
        from conceptbind.core.files import clear_asides, user_path, write_whole
        from conceptbind.repairs.labclip.adapter import load_adapter
        from conceptbind.repairs.labclip.pairs import open_rows
        from conceptbind.rows.embeddings import load
        from conceptbind.rows.held import HeldRows

        linear, texts = load_adapter(self.adapter), self.texts
        source = user_path(texts) if isinstance(texts, str | Path) else None
        target = _array_to_write(user_path(self.out), source)
        if source is not None and source.is_dir():
            rows = load(source)
            if rows.modality != "text":
                raise ModalityError(
                    f"{source} holds {rows.modality} embeddings; only captions are mapped, "
                    "pictures stay as they are"
                )
            linear.require(rows.encoder, rows.revision)
            mapped = linear(rows.values)
        else:
            if isinstance(texts, HeldRows) and texts.encoder:
                linear.require(texts.encoder, texts.revision)
            mapped = linear(open_rows(texts))
        if len(mapped) == 0:
            raise ShapeError(
                f"{texts} has no rows, so there is nothing to map; give the embeddings of at "
                "least one caption"
            )
        content = io.BytesIO()
        np.save(content, mapped)
        clear_asides(target.parent, [target.name])
        write_whole(target, content.getvalue())
        return target


apply = function_of(Apply)


def _array_to_write(target: Path, source: Path | None) -> Path:
    """Where an array goes: behind a link, which stays.

    Args:
        target: what the user named.
        source: the file that is read, if one is.

    Raises:
        FileError: it is no .npy file, what is read, or a file of another kind, which would be lost.
    """
    from numpy.lib.format import MAGIC_PREFIX

    from conceptbind.core.errors import FileError
    from conceptbind.core.limits import require_regular

    if target.suffix != ".npy":
        raise FileError(f"--out must be a .npy file; got {target}")
    start = b""
    try:
        place = target.resolve() if target.is_symlink() else target
        if place.is_symlink():  # from Python 3.13 on nothing is raised for it
            raise OSError("its link leads in a circle")
        there = source is not None and source.exists() and place.exists()
        same = source is not None and there and place.samefile(source)
        if place.exists():
            with require_regular(place, "a .npy file to replace").open("rb") as file:
                start = file.read(len(MAGIC_PREFIX))
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        raise FileError(
            f"could not write {target}: {error}; choose another name with --out"
        ) from error
    if same:
        raise FileError(
            f"--out is what --texts reads ({target}), and would be mapped again by the next start; "
            "choose another name"
        )
    if start not in (b"", MAGIC_PREFIX):
        raise FileError(
            f"{target} is there and no .npy file, and would be lost; choose another name with --out"
        )
    return place


class _Scenes(NamedTuple):
    """A table, its captions, and rows of both."""

    source: "Source"
    table: "Scenes"
    bank: "CaptionBank"
    rows: "dict[str, tuple[Embeddings, Embeddings]]"
    """Pictures and captions, of the encoder and of controls, by name."""

    def facts(self, config: "dict[str, Any]", seed: int, folds: int) -> "dict[str, Any]":
        """What was scored, for the provenance."""
        from conceptbind.run.facts import provenance
        from conceptbind.scenes.split import split_scenes

        split = split_scenes(self.table, "orbit", fractions=(0.8, 0.1, 0.1), seed=seed)
        facts = provenance(config, self.table, split, list(self.rows[Control.NONE]), sys.argv)
        return facts | {"split": {"by": "orbit", "folds": folds, "seed": seed}}


def _embedded(asked: Repair, folder: Path, config: "dict[str, Any]") -> _Scenes:
    """Embed a table."""
    from conceptbind.core.errors import ModalityError, ValueRangeError
    from conceptbind.crossmodal.study import caption_bank
    from conceptbind.repairs.study import require_swaps
    from conceptbind.rows.source import bag_twin, open_inputs, source_of
    from conceptbind.run.folder import RunFolder

    if asked.encoder is None or asked.texts or asked.negatives or asked.captions:
        raise ValueRangeError(
            "a repair needs an encoder and --scenes; or --images, --texts and --negatives (.npy); "
            "or an encoder, --images and --captions"
        )
    source, table = open_inputs(asked.encoder, asked.scenes, asked.template, asked)
    seed = asked.seed
    if source.encoder is None or len(source.able(table, "both")) < 2:
        raise ModalityError(
            f"a repair needs an encoder of pictures and captions; '{source.id}' embeds "
            f"{' and '.join(source.modalities)}"
        )
    bank = caption_bank(table, seed)
    if len(bank.swap_of) == 0:
        require_swaps(None, table)
    RunFolder.open(folder, config)
    table = drawn(table, ("image",), folder / "pictures", seed)
    rows = {}
    twin = bag_twin(source, asked.device)
    models: dict[str, Any] = {Control.NONE: source}
    if twin is not None:
        models[Control.BAG_TWIN] = source_of(twin)
    for name, model in models.items():
        if model is not None:
            places = [
                folder / "embeddings" / (part if name == Control.NONE else f"{part}-{name}")
                for part in ("image", "captions")
            ]
            rows[name] = (
                rows_with_bar(model, table, "image", places[0]),
                rows_with_bar(model, bank.scenes, "text", places[1], "captions and their swaps"),
            )
    return _Scenes(source, table, bank, rows)


def _on_scenes(
    asked: Repair, folder: Path, config: "dict[str, Any]", options: "dict[str, Any]"
) -> tuple[Any, Any]:
    """Embed a table, fit and score."""
    from conceptbind.repairs.study import repair_study, require_swaps, single_objects

    found = _embedded(asked, folder, config)
    assert found.source.encoder is not None
    controls = {name: rows for name, rows in found.rows.items() if name != Control.NONE}
    with progress(desc="fitting", unit="step") as bar:

        def step(name: str) -> None:
            bar.note(name)
            bar.update()

        study = repair_study(
            *found.rows[Control.NONE],
            found.table,
            found.bank,
            singles=single_objects(found.source.encoder, found.table, asked.seed),
            controls=controls,
            pull=asked.pull,
            options=options,
            seed=asked.seed,
            on_step=step,
        )
    study = require_swaps(study, found.table)
    return study, found.facts(config, asked.seed, study.folds)


def _laboratory_on_scenes(asked: Repair, folder: Path, config: "dict[str, Any]") -> Repaired:
    """Embed a table, and fit and score one method or all."""
    from conceptbind.repairs.held_scenes import HeldScenes
    from conceptbind.repairs.laboratory.grounds import SceneGround, require_folds
    from conceptbind.repairs.study import single_objects

    found = _embedded(asked, folder, config)
    assert found.source.encoder is not None
    require_folds(found.table, found.bank)
    singles = single_objects(found.source.encoder, found.table, asked.seed)
    grounds = {}
    for name, (images, captions) in found.rows.items():
        rows = images.unit().values, captions.unit().values
        own = singles if name == Control.NONE else None
        held = HeldScenes(*rows, found.table, found.bank, own)
        names = {"scenes": found.table.name, "encoder": images.encoder}
        grounds[name] = SceneGround(held, names, asked.seed)
    ground, twin = grounds[Control.NONE], grounds.get(Control.BAG_TWIN)
    result = compare_methods(asked.method, ground, twin, asked.pull, asked.seed)
    facts = found.facts(config, asked.seed, result.folds)
    on = _fitted_on(facts)
    adapter, records, verdict = write_laboratory(folder, config, result, facts, on, "combinations")
    return Repaired(folder, adapter, records, verdict.sentence, verdicts=(verdict,))


def _laboratory_on_arrays(
    asked: Repair, folder: Path, config: "dict[str, Any]", given: "Given", encoder: Any
) -> Repaired:
    """Fit and score one method or all on pairs."""
    from conceptbind.repairs.laboratory.grounds import PairGround
    from conceptbind.run.folder import RunFolder

    names = {key: given.names[key] for key in ("scenes", "encoder")}
    ground = PairGround(given.pairs, names, asked.seed)
    result = compare_methods(asked.method, ground, None, asked.pull, asked.seed)
    facts = _facts_of(given, config)
    if given.dropped:
        run = RunFolder.open(folder, config)
        run.write_table(DROPPED, ("row", "reason", "caption"), given.dropped)
    on = _fitted_on(facts)
    adapter, records, verdict = write_laboratory(folder, config, result, facts, on, "pairs")
    retrieval = Records()
    if asked.coco is not None:
        retrieval = coco_retrieval(encoder, asked.coco, adapter, folder)
    return Repaired(folder, adapter, records, verdict.sentence, retrieval, verdicts=(verdict,))


def _on_arrays(
    given: "Given",
    config: "dict[str, Any]",
    options: "dict[str, Any]",
    pull: float | None,
    seed: int,
) -> tuple[Any, Any]:
    """Fit and score pairs."""
    from conceptbind.repairs.arrays import array_repair

    with progress(desc="fitting", unit="step") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        labels = {key: given.names[key] for key in ("scenes", "encoder")}
        found = array_repair(
            given.pairs, pull=pull, options=options, seed=seed, names=labels, on_step=step
        )
    return found, _facts_of(given, config)


def _facts_of(given: "Given", config: "dict[str, Any]") -> "dict[str, Any]":
    """What was fitted on, for the provenance."""
    from conceptbind.run.facts import plain_provenance

    data = {
        "hash": given.pairs.hash,
        "pairs": len(given.pairs),
        "dropped": len(given.dropped),
        **given.names,
    }
    return plain_provenance(config, sys.argv) | {"data": data}


def _failures(
    found: "RepairStudy | ArrayRepair", given: "Given | None"
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of what is wrong with the map that is written: a scene and its swap, or a
    row of the arrays.
    """
    from conceptbind.repairs.arrays import ArrayRepair

    written = int(found.recommended or found.asked)
    if not isinstance(found, ArrayRepair) or given is None:
        assert not isinstance(found, ArrayRepair)
        columns = ("scene", "image", "caption", "swap", "right before", "right after", "of")
        wrong = [
            c for c in found.comparisons if (c.right_before, c.right_after)[written] < found.orders
        ]
        return columns, [
            (c.id, c.image or "", c.true, c.swap, c.right_before, c.right_after, found.orders)
            for c in wrong
        ]
    rows = []
    before, after = found.all_right
    for place in (~(before, after)[written]).nonzero()[0].tolist():
        pair = int(found.rows[place])
        texts = ("", "") if given.texts is None else (given.texts[0][pair], given.texts[1][pair])
        rows.append(
            (
                int(given.rows[pair]),
                int(given.pairs.image_of[pair]),
                *texts,
                bool(before[place]),
                bool(after[place]),
            )
        )
    return ("row", "image", "caption", "negative", "right before", "right after"), sorted(rows)


def _fitted_on(facts: "dict[str, Any]") -> "dict[str, Any]":
    """What a map was fitted on, from the provenance."""
    encoder: dict[str, Any] = next((dict(e) for e in facts.get("encoders", ())), {})
    data = facts.get("data", {})
    given = data.get("encoder") if data.get("encoder") != "arrays" else None
    return {
        "encoder": encoder.get("encoder") or given,
        "revision": encoder.get("revision") or data.get("revision"),
        "scenes": facts.get("scenes", {}).get("name") or data.get("scenes"),
        "dropped": data.get("dropped", 0),
    }
