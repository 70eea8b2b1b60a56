"""The commands as Python functions: the same names, the same parameters. Nothing heavy is imported before one runs."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.typing import Modalities, Precision

if TYPE_CHECKING:
    from conceptbind.report import Verdict
    from conceptbind.results import Record
    from conceptbind.scenes import Scenes
    from conceptbind.studies import CrossmodalStudy, ProbeStudy
    from conceptbind.typing import Encoder
else:
    # The command line reads the signatures below; it knows names only, and importing these would make --help slow.
    Encoder = Scenes = str


@dataclass(frozen=True, eq=False)
class Measurement:
    """What `measure` found, and where it wrote it."""

    folder: Path
    """The run folder: results.json, results.csv, report.html, config.yaml, embeddings."""
    studies: "tuple[ProbeStudy, ...]"
    """One for each modality."""
    attributes: "tuple[Record, ...]"
    """Attribute-of-noun probes of each modality, and search probes where pictures are drawn."""
    crossmodal: "CrossmodalStudy | None"
    """Pictures against captions, where the encoder and the scenes have both."""
    verdicts: "tuple[Verdict, ...]"

    @property
    def records(self) -> "tuple[Record, ...]":
        """All records of `results.json`."""
        across = () if self.crossmodal is None else self.crossmodal.records
        return (*(record for study in self.studies for record in study.records), *self.attributes, *across)

    def __str__(self) -> str:
        from conceptbind.report import summary_table

        sentences = "\n".join(verdict.sentence for verdict in self.verdicts)
        return f"{summary_table(self.records)}\n\n{sentences}\nReport: {self.folder / 'report.html'}"


def measure(
    encoder: str | Encoder = "tiny",
    *,
    scenes: str | Scenes = "clevr2d",
    modality: Modalities = "auto",
    out: str | None = None,
    seed: int = 0,
    template: str | None = None,
    controls: bool = True,
    precision: Precision = "float32",
    device: str = "auto",
) -> Measurement:
    """Tell whether an encoder binds concepts, and write a report.

    Embeds every scene, fits linear probes, scores unseen scenes once, compares pictures with captions, and writes a run folder with
    `report.html`, `results.json`, `results.csv`, `config.yaml` and the embeddings. A killed run continues when it is started again.

    Args:
        encoder: tiny, tiny-bound, minilm, hf:NAME or hf:FOLDER, st:NAME or st:FOLDER, open_clip:ARCH@TAG, timm:NAME, file:PATH (.npy, .npz,
            .safetensors, or a folder written by embed), or py:module:factory.
        scenes: clevr2d (rendered; clevr2d:3 has three objects), text20, text20:10x10 (its first adjectives x nouns), clevr,
            clevr:PATH (a label table, LABCLIP's output_2obj.csv, or a
            scene file, whose scenes with 3 objects are clevr:FILE.json:3), pug-spar:PATH or pug-spare:PATH (with a world:
            pug-spare:PATH:Desert), or a CSV of your own.
        modality: text, image or both; auto takes all that the encoder and the scenes can do.
        out: run folder; runs/ENCODER-SCENES by default.
        seed: seed of the split.
        template: how a caption names an object, for example "{a} {object}" or "a photo of [{a} {color} {shape}]".
        controls: also measure the same architecture with random weights, where the encoder offers it; about doubles the time.
        precision: of the encoder's weights: float32, or bf16 where the processor is fast at it.
        device: where torch computes: cpu, cuda, ... or auto.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    from conceptbind.encoders import torch_device
    from conceptbind.report import verdicts, write_report
    from conceptbind.runs import RunFolder, provenance
    from conceptbind.scenes import split_scenes
    from conceptbind.sources import bag_twin, check_rows, choose_modalities, open_inputs, untrained
    from conceptbind.studies import attribute_records, probe_study, search_records

    source, table = open_inputs(encoder, scenes, template, precision, device)
    modalities = choose_modalities(source, table, modality)
    config = {
        "encoder": encoder if isinstance(encoder, str) else encoder.id,
        "scenes": scenes if isinstance(scenes, str) else f"{scenes.name} ({scenes.content_hash})",
        "modality": modality,
        "out": out,
        "seed": seed,
        "template": template,
        "controls": controls,
        "precision": precision,
        "device": device,
    }
    split = split_scenes(table, "pair", seed=seed)
    for part in modalities:
        check_rows(source, table, part)
    folder = RunFolder.open(Path(out).expanduser() if out else _default_folder(config), config)
    table = _drawn(table, modalities, folder.path / "pictures", seed)
    twins = {"random_weights": untrained(source), "bag_twin": bag_twin(source, device)} if controls else {}
    studies, noun_records, rows = [], [], {}
    for part in modalities:
        rows[part] = _rows(source, table, part, folder.path / "embeddings" / part)
        beside = {
            name: _rows(twin, table, part, folder.path / "embeddings" / f"{part}-{name}", f"{part}, {name}")
            for name, twin in twins.items()
            if twin is not None
        }
        with _progress(total=len(table.space.concepts) + 4 + len(beside), desc=f"studying {part}", unit="step") as bar:

            def step(name: str, bar: Any = bar) -> None:
                bar.set_postfix_str(name)
                bar.update()

            kept = folder.path / f"probes-{part}.safetensors"
            noun_records += attribute_records(rows[part], table, controls=beside, seed=seed)
            step("attributes of nouns")
            studies.append(
                probe_study(rows[part], table, split, controls=beside, keep=kept, device=torch_device(device), on_step=step)
            )
    if "image" in modalities and table.drawing == "flat" and hasattr(source, "encode_images"):
        given = {name: twin for name, twin in twins.items() if twin is not None}
        noun_records += search_records(source, controls=given, scenes_name=f"{table.name} search", seed=seed)  # type: ignore[arg-type]
    crossmodal = _crossmodal(source, table, rows, folder.path / "embeddings", seed)
    facts = provenance(config, table, split, list(rows.values()), sys.argv)
    found = Measurement(folder.path, tuple(studies), tuple(noun_records), crossmodal, tuple(verdicts(studies, crossmodal)))
    folder.write_results(facts, found.records)
    write_report(folder.path / "report.html", studies, noun_records, crossmodal, table, facts)
    return found


def _drawn(table: Any, modalities: Any, folder: Path, seed: int) -> Any:
    """The table with pictures, drawn where it has none of its own."""
    if table.drawing is None or table.images is not None or "image" not in modalities:
        return table
    from conceptbind.drawing import draw_pictures

    with _progress(total=len(table), desc="drawing pictures", unit="picture") as bar:
        return draw_pictures(table, folder, seed=seed, on_picture=bar.update)


def _crossmodal(source: Any, table: Any, rows: Any, folder: Path, seed: int) -> Any:
    """The study across modalities, where an encoder embeds pictures and captions that can be swapped."""
    from conceptbind.studies import caption_bank, crossmodal_study, query_record, query_texts

    if len(rows) < 2 or not hasattr(source, "encode_texts") or table.written_captions is not None:
        return None
    bank = caption_bank(table, seed)
    captions = _rows(source, bank.scenes, "text", folder / "captions", "captions and their swaps")
    concepts = (*range(len(table.space.concepts)), None)
    queries = {concept: source.encode_texts(query_texts(table, concept)) for concept in concepts}
    extra = [query_record(rows[part], queries[concept], table, concept) for part in rows for concept in concepts]
    return crossmodal_study(rows["image"], captions, table, bank, extra=extra, seed=seed)


def embed(
    encoder: str | Encoder,
    *,
    out: str,
    scenes: str | Scenes = "clevr2d",
    modality: Modalities = "auto",
    template: str | None = None,
    precision: Precision = "float32",
    device: str = "auto",
) -> list[Path]:
    """Embed scenes into a folder that file:FOLDER reads again. A killed run continues when it is started again.

    Args:
        encoder: tiny, tiny-bound, minilm, hf:NAME or hf:FOLDER, st:NAME or st:FOLDER, open_clip:ARCH@TAG, timm:NAME, or py:module:factory.
        out: folder to write; with two modalities, its subfolders text and image.
        scenes: clevr2d (rendered; clevr2d:3 has three objects), text20, text20:10x10 (its first adjectives x nouns), clevr,
            clevr:PATH (a label table, LABCLIP's output_2obj.csv, or a
            scene file, whose scenes with 3 objects are clevr:FILE.json:3), pug-spar:PATH or pug-spare:PATH (with a world:
            pug-spare:PATH:Desert), or a CSV of your own.
        modality: text, image or both; auto takes all that the encoder and the scenes can do.
        template: how a caption names an object, for example "{a} {object}" or "a photo of [{a} {color} {shape}]".
        precision: of the encoder's weights: float32, or bf16 where the processor is fast at it.
        device: where torch computes: cpu, cuda, ... or auto.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    from conceptbind.sources import choose_modalities, open_inputs

    source, table = open_inputs(encoder, scenes, template, precision, device)
    modalities = choose_modalities(source, table, modality)
    out = str(Path(out).expanduser())
    folders = [Path(out) / part if len(modalities) > 1 else Path(out) for part in modalities]
    table = _drawn(table, modalities, Path(out) / "pictures", 0)
    for part, folder in zip(modalities, folders, strict=True):
        _rows(source, table, part, folder)
    return folders


def render(
    *,
    out: str,
    scenes: str | Scenes = "clevr2d",
    kind: Literal["auto", "flat", "solid"] = "auto",
    size: int = 224,
    position_jitter: float = 0.5,
    size_jitter: float = 0.15,
    background_jitter: float = 0.0,
    seed: int = 0,
    processes: int = 1,
) -> Path:
    """Draw scenes as pictures, with a table `scenes.csv` that --scenes reads. A killed run continues when it is started again.

    Args:
        out: folder to write.
        scenes: clevr2d, clevr2d:3 (three objects), clevr3d, or a CSV of your own vocabulary of colours and shapes.
        kind: flat shapes, or solid ones (extra [render3d]); auto is what the scenes say, flat for a table of your own.
        size: width and height in pixels.
        position_jitter: share of the free space around an object that it may use, 0 to 1.
        size_jitter: objects are up to this share smaller.
        background_jitter: largest change of the ground's colour, as a share of 255; flat scenes only.
        seed: of all jitter.
        processes: how many draw at once.

    Raises:
        ConceptBindError: the scenes cannot be drawn; the message says what the renderer knows.
    """
    from conceptbind.drawing import FlatStyle, SolidStyle, draw_pictures
    from conceptbind.errors import ValueRangeError
    from conceptbind.scenes import load_scenes

    for name, value, least, most in (
        ("size", size, 16, 4096), ("seed", seed, 0, 2**63), ("processes", processes, 1, 1024),
        ("position_jitter", position_jitter, 0, 1), ("size_jitter", size_jitter, 0, 0.99), ("background_jitter", background_jitter, 0, 1),
    ):  # fmt: skip
        if not least <= value <= most:
            raise ValueRangeError(f"--{name} must lie between {least} and {most}; got {value}")
    table = load_scenes(scenes) if isinstance(scenes, str) else scenes
    chosen = (table.drawing or "flat") if kind == "auto" else kind
    common = {"size": size, "position_jitter": position_jitter, "size_jitter": size_jitter}
    style = FlatStyle(background_jitter=background_jitter, **common) if chosen == "flat" else SolidStyle(**common)  # type: ignore[arg-type]
    folder = Path(out).expanduser()
    with _progress(total=len(table), desc="drawing pictures", unit="picture") as bar:
        draw_pictures(table, folder, style=style, seed=seed, processes=processes, on_picture=bar.update)
    return folder / "scenes.csv"


def _rows(source: Any, table: Any, modality: Any, folder: Path, what: str = "") -> Any:
    """Embeddings of one modality, with a progress bar where they have to be computed."""
    from conceptbind.sources import rows_of

    with _progress(total=len(table), desc=f"embedding {what or modality}", unit="scene") as bar:
        return rows_of(source, table, modality, folder, bar.update)


def _progress(**options: Any) -> Any:
    from tqdm import tqdm

    return tqdm(dynamic_ncols=True, file=sys.stderr, mininterval=0.5, **options)


def _default_folder(config: dict[str, Any]) -> Path:
    """runs/ENCODER-SCENES, with what a file name cannot hold replaced."""
    names = (str(config[part]).rstrip("/") for part in ("encoder", "scenes"))
    slug = "-".join(
        re.sub(r"[^A-Za-z0-9._]+", "-", name.split("/")[-1] if name.count("/") > 1 else name).strip("-") for name in names
    )
    return Path("runs") / slug
