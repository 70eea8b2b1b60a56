"""The main job."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.common import default_folder, drawn, progress, rows_with_bar, try_captions
from conceptbind.core.ownership import command, own, refuse_in_use
from conceptbind.core.typing import Effort, Executor, LongCaptions, Modalities, Precision

if TYPE_CHECKING:
    from conceptbind.complexity.study import ComplexityStudy
    from conceptbind.core.records import Record
    from conceptbind.core.typing import Encoder
    from conceptbind.crossmodal.study import CrossmodalStudy
    from conceptbind.geometry.study import GeometryStudy
    from conceptbind.probes.study import ProbeStudy
    from conceptbind.repairs.study import RepairStudy
    from conceptbind.report.verdicts import Verdict
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.table import Scenes
else:
    # The command line reads the signatures below; it knows names only, and importing these would
    # make --help slow.
    Encoder = Scenes = str


KEPT = ("embeddings", "pictures")
"""Folders of a run whose files others read, so that a finished run is one only where they are as
they were written."""


@dataclass(frozen=True, eq=False)
class Studies:
    """All studies of one measurement, with what they are made of."""

    table: "Scenes"
    rows: "dict[str, Embeddings]"
    probes: "tuple[ProbeStudy, ...]"
    attributes: "tuple[Record, ...]"
    crossmodal: "CrossmodalStudy | None"
    geometry: "tuple[GeometryStudy, ...]"
    complexity: "tuple[ComplexityStudy, ...]"
    repair: "RepairStudy | None"

    @property
    def records(self) -> "tuple[Record, ...]":
        """All records, in the order of `results.json`."""
        across = () if self.crossmodal is None else self.crossmodal.records
        mended = () if self.repair is None else self.repair.records
        many = (self.probes, self.geometry, self.complexity)
        own, made_of, simple = (
            [record for study in studies for record in study.records] for studies in many
        )
        return (*own, *self.attributes, *across, *made_of, *simple, *mended)


@dataclass(frozen=True, eq=False)
class Measurement:
    """What `measure` found, and where it wrote it.

    Of a run that was finished before, records and verdicts are read from its folder; the studies
    themselves are computed when they are first asked for.
    """

    folder: Path
    """The run folder: results.json, results.csv, report.html, config.yaml, embeddings."""
    records: "tuple[Record, ...]"
    """All records of `results.json`."""
    verdicts: "tuple[Verdict, ...]"
    sentences: tuple[str, ...]
    """The verdicts and what else is said, in words."""
    compute: Callable[[], Studies] = field(repr=False)
    """Makes the studies."""

    @cached_property
    def found(self) -> Studies:
        """All studies."""
        return self.compute()

    @property
    def studies(self) -> "tuple[ProbeStudy, ...]":
        """One for each modality."""
        return self.found.probes

    @property
    def attributes(self) -> "tuple[Record, ...]":
        """Attribute-of-noun probes of each modality, and search probes where pictures are drawn."""
        return self.found.attributes

    @property
    def crossmodal(self) -> "CrossmodalStudy | None":
        """Pictures against captions, where the encoder and the scenes have both."""
        return self.found.crossmodal

    @property
    def geometry(self) -> "tuple[GeometryStudy, ...]":
        """What the embeddings of each modality are made of."""
        return self.found.geometry

    @property
    def complexity(self) -> "tuple[ComplexityStudy, ...]":
        """How simple the rule behind the embeddings of each modality is."""
        return self.found.complexity

    @property
    def repair(self) -> "RepairStudy | None":
        """A linear repair of the captions, where they can be compared with pictures and swapped."""
        return self.found.repair

    def __str__(self) -> str:
        from conceptbind.report.verdicts import summary_table

        said = "\n".join(self.sentences)
        return f"{summary_table(self.records)}\n\n{said}\nReport: {self.folder / 'report.html'}"


@command
def measure(
    encoder: str | Encoder = "tiny",
    *,
    scenes: str | Scenes = "clevr2d",
    modality: Modalities = "auto",
    out: str | None = None,
    seed: int = 0,
    template: str | None = None,
    controls: bool = True,
    geometry: bool = True,
    complexity: Effort = "short",
    executor: Executor = "local",
    address: str | None = None,
    jobs: int | None = None,
    precision: Precision = "float32",
    device: str = "auto",
    long_captions: LongCaptions = "truncate",
    trust_remote_code: bool = False,
) -> Measurement:
    """Tell whether an encoder binds concepts, and write a report.

    Embeds every scene, fits linear probes, scores unseen scenes once, compares pictures with
    captions, and writes a run folder with `report.html`, `results.json`, `results.csv`,
    `config.yaml` and the embeddings. A killed run continues when it is started again.

    Args:
        encoder: tiny, tiny-bound, minilm, hf:NAME or hf:FOLDER, st:NAME or st:FOLDER,
            open_clip:ARCH@TAG, timm:NAME, controlled:DIR (made by train), file:PATH (.npy, .npz,
            .safetensors, or a folder written by embed), or py:module:factory.
        scenes: clevr2d (rendered; clevr2d:3 has three objects), text20, text20:10x10 (its first
            adjectives x nouns), clevr, clevr:PATH (a label table, LABCLIP's output_2obj.csv, or a
            scene file, whose scenes with 3 objects are clevr:FILE.json:3), pug-spar:PATH or
            pug-spare:PATH (with a world: pug-spare:PATH:Desert), or a table of your own (FILE.csv,
            or anywhere:FILE.csv for pictures outside its folder).
        modality: text, image or both; auto takes all that the encoder and the scenes can do.
        out: run folder; by default runs/ENCODER-SCENES and what differs from the defaults, as
            runs/tiny-clevr2d-seed1.
        seed: seed of the split.
        template: how a caption names an object, for example "{a} {object}" or "a photo of [{a}
            {color} {shape}]".
        controls: also measure the same architecture with random weights, where the encoder offers
            it; about doubles the time.
        geometry: also study what the embeddings are made of: sums of objects and concepts, edits.
        complexity: none, a short sweep over approximators of the rule from labels to embeddings, or
            the full one, which takes minutes to hours.
        executor: what runs the sweep: local (processes of this machine), ray or dask.
        address: of a running Ray or Dask cluster; a local one is started without it.
        jobs: processes or workers of the sweep; one for each core by default.
        precision: of the encoder's weights: float32, or bf16 where the processor is fast at it.
        device: where torch computes: cpu, cuda, ... or auto.
        long_captions: what becomes of captions that are longer than the model reads: truncate
            (their ends are cut off, counted and said) or refuse.
        trust_remote_code: run Python code that the model brings. Without it no code of a model is
            run.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    from dataclasses import asdict

    from conceptbind.commands.measured import verdicts, write_report
    from conceptbind.complexity.words import complexity_sentence
    from conceptbind.core.files import tree_hash, user_path, write_whole
    from conceptbind.encoders.registry import Opening
    from conceptbind.geometry.section import geometry_sentence, scaling_picture
    from conceptbind.rows.source import check_rows, choose_modalities, open_inputs
    from conceptbind.run.executors import check_executor
    from conceptbind.run.facts import provenance
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.split import split_scenes

    config = {
        "encoder": encoder if isinstance(encoder, str) else encoder.id,
        "scenes": scenes if isinstance(scenes, str) else f"{scenes.name} ({scenes.content_hash})",
        "modality": modality,
        "out": out,
        "seed": seed,
        "template": template,
        "controls": controls,
        "geometry": geometry,
        "complexity": complexity,
        "executor": executor,
        "address": address,
        "jobs": jobs,
        "precision": precision,
        "device": device,
        "long_captions": long_captions,
        "trust_remote_code": trust_remote_code,
    }
    base = str(config["encoder"]), str(config["scenes"])
    place = user_path(out) if out else default_folder(base, config, measure, ("encoder", "scenes"))
    refuse_in_use(place)
    check_executor(executor, address, jobs)
    source, table = open_inputs(
        encoder, scenes, template, Opening(precision, device, long_captions, trust_remote_code)
    )
    modalities = choose_modalities(source, table, modality)
    split = split_scenes(table, "pair", seed=seed)
    for part in modalities:
        check_rows(source, table, part)
    if "text" in modalities and hasattr(source, "encode_texts"):
        try_captions(source, table)
    folder = RunFolder.open(place, config)
    compute = partial(_studies, source, table, split, modalities, folder.path, config)
    asked = _asked(source, table, split)  # before pictures are drawn, which makes another table
    kept = _finished(folder, asked)
    if kept is not None:
        records, judged, sentences = kept
        return Measurement(folder.path, records, judged, sentences, command(compute))
    found = compute()
    judged = verdicts(found.probes, found.crossmodal, found.repair)
    made_of = (sentence for study in found.geometry if (sentence := geometry_sentence(study)))
    simple = (sentence for study in found.complexity if (sentence := complexity_sentence(study)))
    sentences = (*(verdict.sentence for verdict in judged), *made_of, *simple)
    facts = provenance(config, found.table, split, list(found.rows.values()), sys.argv)
    write_report(
        folder.path / "report.html",
        found.probes,
        found.attributes,
        found.crossmodal,
        found.table,
        facts,
        found.repair,
        found.geometry,
        found.complexity,
    )
    for study in found.geometry:
        if study.scaling is not None:
            write_whole(
                folder.path / f"scaling-{study.modality}.svg", scaling_picture(study.scaling)
            )
    shown = sorted(
        (
            folder.path / "report.html",
            *folder.path.glob("scaling-*.svg"),
            *(folder.path / name for name in KEPT),
        )
    )
    files = {path.name: tree_hash(path) for path in shown if path.exists()}
    told = {
        "asked": asked,
        "files": files,
        "verdicts": [asdict(verdict) for verdict in judged],
        "sentences": list(sentences),
    }
    folder.write_results(facts, found.records, told)
    return Measurement(folder.path, found.records, tuple(judged), sentences, lambda: found)


def _asked(source: Any, table: Any, split: Any) -> dict[str, Any]:
    """What decides the results besides the options."""
    from conceptbind import __version__
    from conceptbind.run.facts import scenes_facts, split_facts

    who = {"encoder": getattr(source, "encoder", None) or source.id, "revision": source.revision}
    return {
        "conceptbind": __version__,
        **who,
        "scenes": scenes_facts(table),
        "split": split_facts(split),
    }


def _finished(folder: Any, asked: dict[str, Any]) -> Any:
    """Records, verdicts and sentences of this very run where it was finished before; else None."""
    from conceptbind.core.errors import FileError
    from conceptbind.core.files import tree_hash
    from conceptbind.core.records import Record
    from conceptbind.report.verdicts import Verdict

    kept = folder.finished()
    try:
        files = {folder.path / name: wanted for name, wanted in kept["files"].items()}
        if kept["asked"] != asked or any(
            tree_hash(path) != wanted for path, wanted in files.items()
        ):
            return None
        records = tuple(Record.read(row) for row in kept["records"])
        return (
            records,
            tuple(Verdict(**verdict) for verdict in kept["verdicts"]),
            tuple(kept["sentences"]),
        )
    # not finished, of another form, or a file is gone
    except (
        KeyError,
        TypeError,
        AttributeError,
        FileError,
    ):
        return None


def _studies(
    source: Any, table: Any, split: Any, modalities: Any, folder: Path, config: dict[str, Any]
) -> Studies:
    """All studies of a run, from what is kept in its folder where it is there."""
    from conceptbind.encoders.registry import torch_device
    from conceptbind.probes.study import own_probes, probe_study
    from conceptbind.repairs.study import single_objects
    from conceptbind.rows.source import bag_twin, untrained
    from conceptbind.within.attributes import attribute_records
    from conceptbind.within.search import search_records

    own(folder)
    seed, device = config["seed"], torch_device(config["device"])
    table = drawn(table, modalities, folder / "pictures", seed)
    mine = own_probes(source, table)
    twins = (
        {"random_weights": untrained(source), "bag_twin": bag_twin(source, device)}
        if config["controls"]
        else {}
    )
    studies, noun_records, rows, heads = [], [], {}, {}
    pictures = "image" in modalities and hasattr(source, "encode_images")
    # an encoder of pictures alone has no captions of single objects
    both = pictures and "text" in source.modalities
    singles = single_objects(source, table, seed) if both else None
    geometries = []
    for part in modalities:
        rows[part] = rows_with_bar(source, table, part, folder / "embeddings" / part)
        beside = {
            name: rows_with_bar(
                twin, table, part, folder / "embeddings" / f"{part}-{name}", f"{part}, {name}"
            )
            for name, twin in twins.items()
            if twin is not None
        }
        with progress(
            total=len(table.space.concepts) + 4 + len(beside), desc=f"studying {part}", unit="step"
        ) as bar:

            def step(name: str, bar: Any = bar) -> None:
                bar.set_postfix_str(name)
                bar.update()

            noun_records += [
                *attribute_records(rows[part], table, controls=beside, seed=seed),
                *_own_records(rows[part], mine, table),
            ]
            step("attributes of nouns")
            kept = folder / f"probes-{part}.safetensors"
            studies.append(
                probe_study(
                    rows[part],
                    table,
                    split,
                    controls=beside,
                    keep=kept,
                    device=device,
                    on_step=step,
                )
            )
        heads[part] = mine or studies[-1].probes
        if config["geometry"]:
            alone = _alone(part, source, table, singles)
            geometries.append(
                _geometry(rows[part], table, split, heads[part], alone, beside, seed, device)
            )
    if pictures and table.drawing == "flat":
        given = {name: twin for name, twin in twins.items() if twin is not None}
        noun_records += search_records(
            source, controls=given, scenes_name=f"{table.name} search", seed=seed
        )
    crossmodal, mended = _crossmodal(
        source, table, rows, twins, singles, folder / "embeddings", seed
    )
    options: dict[str, Any] = {name: config[name] for name in ("executor", "address", "jobs")} | {
        "device": device
    }
    sweeps = [
        _complexity(
            rows[study.modality],
            table,
            split,
            study.probes,
            mine,
            config["complexity"],
            folder,
            options,
        )
        for study in studies
    ]
    return Studies(
        table,
        rows,
        tuple(studies),
        tuple(noun_records),
        crossmodal,
        tuple(geometries),
        tuple(sweep for sweep in sweeps if sweep is not None),
        mended,
    )


def _own_records(rows: Any, own: Any, table: Any) -> "list[Record]":
    """Recognition by an encoder's own queries, where it has any."""
    from conceptbind.crossmodal.study import query_record

    concepts = () if own is None else (*range(len(table.space.concepts)), None)
    return [
        query_record(rows, own.head(concept).weight, table, concept, "own") for concept in concepts
    ]


def _geometry(
    rows: Any, table: Any, split: Any, probes: Any, alone: Any, beside: Any, seed: int, device: str
) -> Any:
    """The study of what one modality's embeddings are made of, with a progress bar."""
    from conceptbind.geometry.study import STEPS, geometry_study

    random = {name: found for name, found in beside.items() if name == "random_weights"}
    with progress(total=len(STEPS), desc=f"geometry of {rows.modality}", unit="step") as bar:

        def step(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        return geometry_study(
            rows,
            table,
            split,
            probes,
            singles=alone,
            controls=random,
            seed=seed,
            device=device,
            on_step=step,
        )


def _complexity(
    rows: Any,
    table: Any,
    split: Any,
    probes: Any,
    own: Any,
    effort: Effort,
    folder: Path,
    options: dict[str, Any],
) -> Any:
    """The sweep over approximators of one modality, with a progress bar; None where none is asked
    for.
    """
    from conceptbind.complexity.study import FULL, SHORT, complexity_study

    if effort == "none":
        return None
    sweep, kept = FULL if effort == "full" else SHORT, folder / f"complexity-{rows.modality}"
    with progress(total=sweep.n_fits, desc=f"complexity of {rows.modality}", unit="fit") as bar:
        return complexity_study(
            rows,
            table,
            split,
            probes,
            own=own,
            sweep=sweep,
            keep=kept,
            on_cell=bar.update,
            **options,
        )


def _alone(part: Any, source: Any, table: Any, singles: Any) -> Any:
    """(|O|, d) embeddings of scenes of one object: captions, or the mean of pictures that were
    drawn; None where there are none.
    """
    import numpy as np

    from conceptbind.crossmodal.study import query_texts

    if part == "text":
        asked = table.written_captions is None and hasattr(source, "encode_texts")
        return (
            np.asarray(source.encode_texts(query_texts(table, None)), dtype=np.float32)
            if asked
            else None
        )
    if singles is None:
        return None
    return np.stack(
        [
            singles.images[singles.objects == item].mean(axis=0)
            for item in range(table.space.n_objects)
        ]
    )


def _crossmodal(
    source: Any, table: Any, rows: Any, twins: Any, singles: Any, folder: Path, seed: int
) -> Any:
    """The study across modalities and its repair, where an encoder embeds pictures and captions
    that can be swapped.
    """
    from conceptbind.crossmodal.study import (
        caption_bank,
        crossmodal_study,
        query_record,
        query_texts,
    )
    from conceptbind.repairs.study import repair_study

    if len(rows) < 2 or not hasattr(source, "encode_texts") or table.written_captions is not None:
        return None, None
    bank = caption_bank(table, seed)
    captions = rows_with_bar(
        source, bank.scenes, "text", folder / "captions", "captions and their swaps"
    )
    concepts = (*range(len(table.space.concepts)), None)
    queries = {concept: source.encode_texts(query_texts(table, concept)) for concept in concepts}
    extra = [
        query_record(rows[part], queries[concept], table, concept)
        for part in rows
        for concept in concepts
    ]
    study = crossmodal_study(rows["image"], captions, table, bank, extra=extra, seed=seed)
    twin = twins.get("bag_twin")
    controls = {}
    if twin is not None:
        controls["bag_twin"] = (
            rows_with_bar(twin, table, "image", folder / "image-bag_twin", "image, bag_twin"),
            rows_with_bar(
                twin, bank.scenes, "text", folder / "captions-bag_twin", "captions, bag_twin"
            ),
        )
    with progress(desc="repairing", unit="step") as bar:

        def step(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        mended = repair_study(
            rows["image"],
            captions,
            table,
            bank,
            singles=singles,
            controls=controls,
            seed=seed,
            on_step=step,
        )
    return study, mended
