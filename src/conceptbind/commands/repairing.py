"""Fit a linear repair, and apply one."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.captioned import coco_pairs, coco_retrieval, open_model, pairs_of_arrays
from conceptbind.commands.common import drawn, rows_with_bar
from conceptbind.core.ownership import command, refuse_in_use
from conceptbind.core.typing import LongCaptions, Precision
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.core.records import Record
    from conceptbind.core.typing import Encoder
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.scenes.table import Scenes
else:
    # The command line reads the signatures below; it knows names only, and importing these would
    # make --help slow.
    Encoder = Scenes = str


FAILURES, DROPPED = "failures.csv", "dropped.csv"


@dataclass(frozen=True, eq=False)
class Repair:
    """What `repair` fitted, and where it wrote it."""

    folder: Path
    """The adapter folder, which is a run folder as well."""
    adapter: "Adapter"
    records: "tuple[Record, ...]"
    sentence: str
    """The verdict in words."""
    retrieval: "tuple[Record, ...]" = ()
    """With --coco: retrieval on the test pictures, before and after."""
    summary: str = ""
    """The comparisons that were turned, which map was scored and which is written, and the
    sentence."""

    def __str__(self) -> str:
        from conceptbind.benchmarks.section import benchmark_table
        from conceptbind.repairs.section import repair_table

        tables = [
            repair_table(self.records),
            *([benchmark_table(self.retrieval)] if self.retrieval else []),
        ]
        places = [
            ("Adapter", self.folder),
            ("Report", self.folder / "report.html"),
            ("Failures", self.folder / FAILURES),
        ]
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


@command
def repair(
    encoder: str | Encoder | None = None,
    *,
    out: str,
    scenes: str | Scenes = "clevr2d",
    images: str | None = None,
    texts: str | None = None,
    negatives: str | None = None,
    image_of: str | None = None,
    captions: str | None = None,
    coco: str | None = None,
    tagger: str = "auto",
    solver: Literal["quick", "published"] = "quick",
    rate: float | None = None,
    batch: int = 1024,
    epochs: int | None = None,
    pull: float | None = None,
    seed: int = 0,
    template: str | None = None,
    precision: Precision = "float32",
    device: str = "auto",
    long_captions: LongCaptions = "truncate",
    trust_remote_code: bool = False,
) -> Repair:
    """Fit a linear map of captions (LABCLIP) that makes binding usable across modalities; pictures
    stay as they are.

    Give an encoder and scenes; or arrays of pictures, captions and hard negatives; or an encoder,
    an array of pictures and a file of their captions, whose negatives are made by exchanging nouns
    and adjectives. Writes an adapter folder with a report. Scores are of combinations, or pictures,
    that the map was not fitted on.

    Args:
        encoder: tiny, hf:NAME or hf:FOLDER, open_clip:ARCH@TAG, or py:module:factory; none with
            three arrays.
        out: adapter folder to write.
        scenes: clevr2d, pug-spare:PATH, or another table with pictures; see conceptbind measure
            --help.
        images: .npy of picture embeddings (p, d).
        texts: .npy of caption embeddings (n, d).
        negatives: .npy of embeddings (n, d) of each caption with its attributes exchanged; without
            it the map is fitted on captions and pictures alone (SB), which repairs less.
        image_of: .npy of n row numbers, the picture of each caption, where a picture has several.
        captions: text file with the caption of each row, one a line; needs an encoder, which embeds
            them and their negatives.
        coco: folder with coco_karpathy_train.json or dataset_coco.json and the pictures that it
            names: negatives are made, everything is embedded (float16 on disk) and fitted. Where
                the test pictures are there too, retrieval is scored before and after.
        tagger: what tells nouns and adjectives in captions: spacy, spacy:MODEL, hanta, or auto.
        solver: quick (Adam along the principal axes), or published (Adam as in the paper).
        rate: of the steps; by default the solver's own.
        batch: pairs of a step.
        epochs: passes over the pairs; by default the solver's own.
        pull: share of the way from no repair (0) to the fitted map (1); by default what validation
            recommends.
        seed: of parts, batches and negatives.
        template: how a scene's caption names an object, for example "{a} {object}".
        precision: of the encoder's weights: float32, or bf16 where the processor is fast at it.
        device: where torch computes: cpu, cuda, ... or auto.
        long_captions: what becomes of captions that are longer than the model reads: truncate
            (their ends are cut off, counted and said) or refuse.
        trust_remote_code: run Python code that the model brings. Without it no code of a model is
            run.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    from conceptbind.core.errors import ValueRangeError
    from conceptbind.core.files import user_path
    from conceptbind.encoders.registry import Opening, torch_device
    from conceptbind.repairs.arrays import require_repairable
    from conceptbind.repairs.labclip.adapter import save_adapter
    from conceptbind.repairs.section import repair_card, repair_summary, write_repair_report
    from conceptbind.repairs.words import repair_verdict
    from conceptbind.run.folder import RunFolder

    config = {
        "encoder": encoder if isinstance(encoder, str | None) else encoder.id,
        "scenes": scenes if isinstance(scenes, str) else f"{scenes.name} ({scenes.content_hash})",
        "images": images,
        "texts": texts,
        "negatives": negatives,
        "image_of": image_of,
        "captions": captions,
        "coco": coco,
        "tagger": tagger,
        "solver": solver,
        "rate": rate,
        "batch": batch,
        "epochs": epochs,
        "pull": pull,
        "seed": seed,
        "template": template,
        "precision": precision,
        "device": device,
        "long_captions": long_captions,
        "trust_remote_code": trust_remote_code,
        "out": out,
    }
    if pull is not None and not 0 <= pull <= 1:
        raise ValueRangeError(
            f"--pull must lie between 0 (no repair) and 1 (the fitted map); got {pull}"
        )
    if seed < 0:
        raise ValueRangeError(f"--seed must not be negative; got {seed}")
    options = {
        "solver": solver,
        "rate": rate,
        "batch": batch,
        "epochs": epochs,
        "device": torch_device(device),
    }
    folder, how = user_path(out), Opening(precision, device, long_captions, trust_remote_code)
    refuse_in_use(folder)
    given: Any = None
    if coco is not None:
        if encoder is None or any((images, texts, negatives, image_of, captions)):
            raise ValueRangeError(
                "--coco needs an encoder, and none of --images, --texts, --negatives, --image_of "
                "and --captions"
            )
        encoder = open_model(encoder, how, ("text", "image"))
        given = coco_pairs(encoder, coco, tagger, how, seed, folder, config)
        found, facts = _on_arrays(given, config, options, pull, seed)
    elif images is None:
        found, facts = _on_scenes(
            encoder,
            scenes,
            texts,
            negatives,
            captions,
            template,
            how,
            folder,
            config,
            options,
            pull,
            seed,
        )
    else:
        given = pairs_of_arrays(
            encoder, images, texts, negatives, image_of, captions, tagger, how, seed, folder, config
        )
        require_repairable(given.pairs, seed)
        RunFolder.open(folder, config)
        found, facts = _on_arrays(given, config, options, pull, seed)
    run, verdict = RunFolder.open(folder, config), repair_verdict(found)
    sentence = verdict.sentence
    run.write_table(FAILURES, *_failures(found, given))
    if given is not None and given.dropped:
        run.write_table(DROPPED, ("row", "reason", "caption"), given.dropped)
    write_repair_report(folder / "report.html", found, verdict, facts)
    adapter = _described(found, facts)
    save_adapter(adapter, folder, repair_card(adapter, found, sentence))
    retrieval = () if coco is None else coco_retrieval(encoder, coco, adapter, folder)
    told = {"verdicts": [asdict(verdict)], "sentences": [sentence]}
    run.write_results(facts, (*found.records, *retrieval), told)
    return Repair(
        folder, adapter, found.records, sentence, retrieval, repair_summary(found, sentence)
    )


def apply(adapter: str, *, texts: str, out: str) -> Path:
    """Map caption embeddings with an adapter: out = normalised texts @ weight.T. The pictures'
    index answers them as it is.

    Args:
        adapter: adapter folder written by conceptbind repair, or a published LABCLIP .pt file.
        texts: .npy of caption embeddings (n, d), or a folder written by conceptbind embed.
        out: .npy to write: (n, d) rows of unit length.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    import io

    import numpy as np

    from conceptbind.core.errors import ModalityError, ShapeError
    from conceptbind.core.files import clear_asides, user_path, write_whole
    from conceptbind.repairs.labclip.adapter import load_adapter
    from conceptbind.repairs.labclip.pairs import open_rows
    from conceptbind.rows.embeddings import load

    linear, source, target = (
        load_adapter(adapter),
        user_path(texts),
        _array_to_write(user_path(out), user_path(texts)),
    )
    if source.is_dir():
        rows = load(source)
        if rows.modality != "text":
            raise ModalityError(
                f"{source} holds {rows.modality} embeddings; only captions are mapped, pictures "
                "stay as they are"
            )
        linear.require(rows.encoder, rows.revision)
        mapped = linear(rows.values)
    else:
        mapped = linear(open_rows(source))
    if len(mapped) == 0:
        raise ShapeError(
            f"{source} has no rows, so there is nothing to map; give the embeddings of at least "
            "one caption"
        )
    content = io.BytesIO()
    np.save(content, mapped)
    clear_asides(target.parent, [target.name])
    write_whole(target, content.getvalue())
    return target


def _array_to_write(target: Path, source: Path) -> Path:
    """Where an array goes: behind a link, which stays.

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
        same = place.exists() and source.exists() and place.samefile(source)
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


def _on_scenes(
    encoder: Any,
    scenes: Any,
    texts: Any,
    negatives: Any,
    captions: Any,
    template: Any,
    how: Any,
    folder: Path,
    config: Any,
    options: Any,
    pull: float | None,
    seed: int,
) -> tuple[Any, Any]:
    """Embed a table, fit and score."""
    from conceptbind.core.errors import ModalityError, ValueRangeError
    from conceptbind.crossmodal.study import caption_bank
    from conceptbind.repairs.study import repair_study, require_swaps, single_objects
    from conceptbind.rows.source import bag_twin, open_inputs, source_of
    from conceptbind.run.facts import provenance
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.split import split_scenes

    if encoder is None or texts or negatives or captions:
        raise ValueRangeError(
            "a repair needs an encoder and --scenes; or --images, --texts and --negatives (.npy); "
            "or an encoder, --images and --captions"
        )
    source, table = open_inputs(encoder, scenes, template, how)
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
    rows, controls = {}, {}
    twin = bag_twin(source, how.device)
    models = {"none": source} | ({} if twin is None else {"bag_twin": source_of(twin)})
    for name, model in models.items():
        if model is not None:
            places = [
                folder / "embeddings" / (part if name == "none" else f"{part}-{name}")
                for part in ("image", "captions")
            ]
            rows[name] = (
                rows_with_bar(model, table, "image", places[0]),
                rows_with_bar(model, bank.scenes, "text", places[1], "captions and their swaps"),
            )
    controls = {name: found for name, found in rows.items() if name != "none"}
    with progress(desc="fitting", unit="step") as bar:

        def step(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        study = repair_study(
            *rows["none"],
            table,
            bank,
            singles=single_objects(source.encoder, table, seed),
            controls=controls,
            pull=pull,
            options=options,
            seed=seed,
            on_step=step,
        )
    study = require_swaps(study, table)
    facts = provenance(
        config,
        table,
        split_scenes(table, "orbit", fractions=(0.8, 0.1, 0.1), seed=seed),
        list(rows["none"]),
        sys.argv,
    )
    facts["split"] = {"by": "orbit", "folds": study.folds, "seed": seed}
    return study, facts


def _on_arrays(
    given: Any, config: Any, options: Any, pull: float | None, seed: int
) -> tuple[Any, Any]:
    """Fit and score pairs."""
    from conceptbind.repairs.arrays import array_repair
    from conceptbind.run.facts import plain_provenance

    with progress(desc="fitting", unit="step") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        labels = {key: given.names[key] for key in ("scenes", "encoder")}
        found = array_repair(
            given.pairs, pull=pull, options=options, seed=seed, names=labels, on_step=step
        )
    data = {
        "hash": given.pairs.hash,
        "pairs": len(given.pairs),
        "dropped": len(given.dropped),
        **given.names,
    }
    return found, plain_provenance(config, sys.argv) | {"data": data}


def _failures(found: Any, given: Any) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of what is wrong with the map that is written: a scene and its swap, or a
    row of the arrays.
    """
    written = int(found.recommended or found.asked)
    if given is None:
        columns = ("scene", "image", "caption", "swap", "right before", "right after", "of")
        wrong = [
            c for c in found.comparisons if (c.right_before, c.right_after)[written] < found.orders
        ]
        return columns, [
            (c.id, c.image or "", c.true, c.swap, c.right_before, c.right_after, found.orders)
            for c in wrong
        ]
    rows = []
    before, after = found.right
    for place in (~found.right[written]).nonzero()[0].tolist():
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


def _described(found: Any, facts: Any) -> Any:
    """The adapter with what it was fitted on and what it does."""
    from dataclasses import replace

    from conceptbind import __version__

    written = str(found.adapter.config["protocol"]) if found.recommended or found.asked else "none"
    scores = {
        when: {
            r.metric: r.value
            for r in found.records
            if r.extra.get("control") == "none"
            and r.extra["repair"] == name
            and r.ci_low is not None
        }
        for when, name in (("before", "none"), ("after", written))
    }
    encoder: dict[str, Any] = next((dict(e) for e in facts.get("encoders", ())), {})
    data = facts.get("data", {})
    config = {
        "encoder": encoder.get("encoder")
        or (data.get("encoder") if data.get("encoder") != "arrays" else None),
        "revision": encoder.get("revision") or data.get("revision"),
        "dimension": found.adapter.weight.shape[1],
        **found.adapter.config,
        "recommended": found.recommended,
        "pull_scored": found.pull,
        "folds": found.folds,
        "dropped": data.get("dropped", 0),
        "scenes": facts.get("scenes", {}).get("name") or data.get("scenes"),
        **scores,
        "conceptbind": __version__,
    }
    return replace(found.adapter, config=config)
