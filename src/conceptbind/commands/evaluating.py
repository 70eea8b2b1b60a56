"""Benchmarks on real pictures and captions."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.common import progress
from conceptbind.typing import Precision

if TYPE_CHECKING:
    from conceptbind.benchmarks import Found
    from conceptbind.results import Record
    from conceptbind.typing import Encoder
else:
    # The command line reads the signature below; it knows names only, and importing these would make --help slow.
    Encoder = str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found, and where it wrote it."""

    folder: Path | None
    """The run folder: results.json, results.csv, config.yaml and the embeddings; None for a check."""
    records: "tuple[Record, ...]"
    notes: tuple[str, ...]
    checked: "dict[str, list[Found]]"
    """For a check: the files of each benchmark."""

    def __str__(self) -> str:
        from conceptbind.report import benchmark_table, check_table

        if self.folder is None:
            return check_table(self.checked)
        lines = [benchmark_table(self.records), *(f"Note: {note}" for note in self.notes)]
        return "\n".join((*lines, f"Results: {self.folder / 'results.json'}"))


def evaluate(
    encoder: str | Encoder = "tiny",
    *,
    benchmark: str,
    data: str,
    adapter: str | None = None,
    check: bool = False,
    allow_missing: bool = False,
    out: str | None = None,
    precision: Precision = "float32",
    device: str = "auto",
) -> Evaluation:
    """Score an encoder on published benchmarks whose files you have. Nothing is downloaded.

    Every distinct picture and caption is embedded once and kept; a killed run continues when it is started again.

    Args:
        encoder: an encoder of pictures and captions, as for measure.
        benchmark: sugarcrepe, vg_attribution, vg_relation, winoground, colorswap, coco or flickr30k, or several: sugarcrepe,coco.
        data: folder in the published layout; with several benchmarks, the folder of their folders (DATA/sugarcrepe, ...).
        adapter: folder written by conceptbind repair, or a published LABCLIP .pt: results before and after, with paired differences.
        check: only say what is there, what is missing, where it is published and under what licence.
        allow_missing: leave out items whose pictures are missing instead of refusing.
        out: run folder; runs/ENCODER-BENCHMARK by default.
        precision: of the encoder's weights: float32, or bf16 where the processor is fast at it.
        device: where torch computes: cpu, cuda, ... or auto.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    from conceptbind.benchmarks import benchmark_named, evaluate_benchmark, read_benchmark
    from conceptbind.commands.common import default_folder
    from conceptbind.embeddings import open_source
    from conceptbind.encoders.factory import checked
    from conceptbind.errors import FileError, ModalityError
    from conceptbind.labclip import load_adapter
    from conceptbind.runs import RunFolder, plain_provenance

    names = [name.strip() for name in benchmark.split(",") if name.strip()]
    top = Path(data).expanduser()
    if not top.is_dir():
        raise FileError(f"--data must be a folder in the published layout; {top} is none")
    places = {name: top / name if (top / name).is_dir() else top for name in names}
    layouts = {name: benchmark_named(name).layout(place) for name, place in places.items()}
    if check:
        return Evaluation(None, (), (), layouts)
    read = {name: read_benchmark(name, place, allow_missing=allow_missing) for name, place in places.items()}
    linear = None if adapter is None else load_adapter(adapter)
    source: Any = open_source(encoder, precision, device) if isinstance(encoder, str) else checked(encoder, repr(encoder))
    if not hasattr(source, "encode_texts"):
        raise ModalityError(f"a benchmark needs an encoder that embeds new captions and pictures; {source} is a table of rows")
    config = {
        "encoder": encoder if isinstance(encoder, str) else encoder.id, "benchmark": benchmark, "data": data, "adapter": adapter,
        "check": False, "allow_missing": allow_missing, "out": out, "precision": precision, "device": device,
    }  # fmt: skip
    place = Path(out).expanduser() if out else default_folder({"encoder": config["encoder"], "scenes": benchmark})
    folder = RunFolder.open(place, config)
    records: list[Record] = []
    for name, items in read.items():
        total = len(items.pictures) + len(items.captions)
        with progress(total=total, desc=f"embedding {name}", unit="row") as bar:
            kept = folder.path / "embeddings" / name

            def done(_: str, n: int, bar: Any = bar) -> None:
                bar.update(n)

            records += evaluate_benchmark(source, name, items, kept, adapter=linear, on_rows=done)
    notes = tuple(f"{name}: {note}" for name, items in read.items() for note in items.notes)
    folder.write_results(plain_provenance({**config, "seed": 0}, sys.argv) | {"notes": list(notes)}, records)
    return Evaluation(folder.path, tuple(records), notes, layouts)
