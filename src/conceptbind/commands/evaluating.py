"""Benchmarks on real pictures and captions."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.ownership import command, refuse_in_use
from conceptbind.core.typing import LongCaptions, Precision
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.benchmarks.base import Found
    from conceptbind.core.records import Record
    from conceptbind.core.typing import Encoder
else:
    # The command line reads the signature below; it knows names only, and importing these would
    # make --help slow.
    Encoder = str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found, and where it wrote it."""

    folder: Path | None
    """The run folder: results.json, results.csv, config.yaml and the embeddings; None for a
    check."""
    records: "tuple[Record, ...]"
    notes: tuple[str, ...]
    checked: "dict[str, list[Found]]"
    """For a check: the files of each benchmark."""

    def __str__(self) -> str:
        from conceptbind.benchmarks.section import benchmark_table, check_table

        if self.folder is None:
            return check_table(self.checked)
        lines = [benchmark_table(self.records), *(f"Note: {note}" for note in self.notes)]
        return "\n".join(
            (
                *lines,
                f"Results: {self.folder / 'results.json'}",
                f"Report: {self.folder / 'report.html'}",
            )
        )


@command
def evaluate(  # noqa: PLR0915
    encoder: str | Encoder = "tiny",
    *,
    benchmark: str,
    data: str,
    adapter: str | None = None,
    check: bool = False,
    allow_missing: bool = False,
    out: str | None = None,
    seed: int = 0,
    tagger: str = "auto",
    template: str | None = None,
    precision: Precision = "float32",
    device: str = "auto",
    long_captions: LongCaptions = "truncate",
    trust_remote_code: bool = False,
) -> Evaluation:
    """Score an encoder on published benchmarks whose files you have. Nothing is downloaded.

    Every distinct picture and caption is embedded once and kept; a killed run continues when it is
    started again.

    Args:
        encoder: an encoder of pictures and captions, as for measure.
        benchmark: sugarcrepe, vg_attribution, vg_relation, coco_order, flickr_order, winoground,
            colorswap, whatsup, coco, flickr30k, or zeroshot (a folder of labelled pictures); aro
            for its four; or several: aro,sugarcrepe,coco.
        data: folder in the published layout; with several benchmarks, the folder of their folders
            (DATA/sugarcrepe, ...).
        adapter: folder written by conceptbind repair, or a published LABCLIP .pt: results before
            and after, with paired differences.
        check: only say what is there, what is missing, where it is published and under what
            licence.
        allow_missing: skip missing pictures and benchmarks instead of stopping.
        out: run folder; by default runs/ENCODER-BENCHMARK and what differs from the defaults.
        seed: of negatives that are drawn (coco_order, flickr_order).
        tagger: what tells nouns and adjectives there: spacy, spacy:MODEL, hanta, or auto.
        template: caption of a class for zeroshot, {} for its name and {a} for its article: "a
            drawing of {a} {}"; by default that of templates.txt, else "a photo of a {}.", or "{a}
            {}" for an encoder that does not know these words.
        precision: of the encoder's weights: float32, or bf16 where the processor is fast at it.
        device: where torch computes: cpu, cuda, ... or auto.
        long_captions: what becomes of captions that are longer than the model reads: truncate
            (their ends are cut off, counted and said) or refuse.
        trust_remote_code: run Python code that the model brings. Without it no code of a model is
            run.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    from conceptbind.benchmarks.base import Making
    from conceptbind.benchmarks.evaluate import (
        benchmark_folders,
        benchmark_named,
        check_benchmark,
        evaluate_benchmark,
        look_at_benchmark,
        read_benchmark,
    )
    from conceptbind.benchmarks.section import write_benchmark_report
    from conceptbind.commands.common import default_folder
    from conceptbind.core.errors import FileError, ValueRangeError
    from conceptbind.core.files import user_path
    from conceptbind.repairs.labclip.adapter import load_adapter
    from conceptbind.report.elsewhere import write_elsewhere
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    names = [name.strip() for name in benchmark.split(",") if name.strip()]
    top = user_path(data)
    if not top.is_dir():
        raise FileError(f"--data must be a folder in the published layout; {top} is none")
    if not names or seed < 0:
        raise ValueRangeError(
            "--benchmark must name at least one benchmark"
            if not names
            else f"--seed must not be negative; got {seed}"
        )
    folders = benchmark_folders(names, top)
    if check:
        return Evaluation(
            None, (), (), {name: check_benchmark(name, place) for name, place in folders.items()}
        )
    if template is not None and "zeroshot" not in folders:
        raise ValueRangeError(f"--template is for zeroshot; {benchmark} has captions of its own")
    layouts = {name: benchmark_named(name).layout(place) for name, place in folders.items()}
    absent = [
        name
        for name in folders
        if allow_missing and name not in names and not layouts[name][0].there
    ]
    if len(absent) < len(folders):  # a group stands for those of its benchmarks that are there
        folders = {name: place for name, place in folders.items() if name not in absent}
    config = {
        "encoder": encoder if isinstance(encoder, str) else encoder.id,
        "benchmark": benchmark,
        "data": data,
        "adapter": adapter,
        "check": False,
        "allow_missing": allow_missing,
        "out": out,
        "seed": seed,
        "tagger": tagger,
        "template": template,
        "precision": precision,
        "device": device,
        "long_captions": long_captions,
        "trust_remote_code": trust_remote_code,
    }
    base = str(config["encoder"]), benchmark
    place = (
        user_path(out)
        if out
        else default_folder(base, config, evaluate, ("encoder", "benchmark", "data", "check"))
    )
    refuse_in_use(place)
    linear = None if adapter is None else load_adapter(adapter)
    source = _of_both(encoder, precision, device, long_captions, trust_remote_code)
    if linear is not None:
        linear.require(source.id, source.revision)
    making = Making(
        place / "made",
        seed,
        tagger,
        template=template,
        unreadable=lambda texts: _unreadable(source, texts),
    )
    looked = {
        name: look_at_benchmark(name, files, making, allow_missing=allow_missing)
        for name, files in folders.items()
    }
    # only now: what is refused above leaves no folder behind
    folder = RunFolder.open(place, config)
    read = {}
    for name, files in folders.items():
        with progress(desc=f"reading {name}", unit="item") as bar:
            told = replace(making, on_item=bar.update)
            read[name] = looked[name] or read_benchmark(
                name, files, told, allow_missing=allow_missing
            )
    records: list[Record] = []
    for name, items in read.items():
        total = len(items.pictures) + len(items.captions)
        with progress(total=total, desc=f"embedding {name}", unit="row") as bar:
            kept = folder.path / "embeddings" / name

            def done(_: str, n: int, bar: Any = bar) -> None:
                bar.update(n)

            records += evaluate_benchmark(source, name, items, kept, adapter=linear, on_rows=done)
    left_out = tuple(
        f"{name}: left out, its files are not there." for name in absent if name not in folders
    )
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
                **items.facts,
            }
            for name, items in read.items()
        },
    }
    folder.write_results(facts, records)
    write_elsewhere(folder.path, records)
    write_benchmark_report(folder.path / "report.html", records, notes, facts)
    return Evaluation(folder.path, tuple(records), notes, layouts)


def _of_both(
    encoder: Any, precision: Any, device: str, long_captions: Any, trust_remote_code: bool
) -> Any:
    """The encoder that was named or given, if it embeds pictures and captions."""
    from conceptbind.core.errors import ModalityError
    from conceptbind.encoders.registry import Opening
    from conceptbind.rows.source import source_of

    how = Opening(precision, device, long_captions, trust_remote_code)
    source = source_of(encoder, how)
    if source.encoder is None:
        raise ModalityError(
            f"a benchmark needs an encoder that embeds new captions and pictures; '{encoder}' is a "
            "table of rows"
        )
    if not source.encodes("text", "image"):
        raise ModalityError(
            f"a benchmark needs an encoder of pictures and captions; '{source.id}' encodes "
            f"{' and '.join(source.modalities)}"
        )
    return source.encoder


def _unreadable(source: Any, texts: Any) -> str | None:
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
