"""Train an encoder further, with hard negatives."""

import sys
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.captioned import make_negatives, open_model, without_negative
from conceptbind.commands.command import Command, function_of
from conceptbind.commands.common import drawn, try_captions
from conceptbind.commands.repaired import DROPPED
from conceptbind.commands.shared import GivenEncoder, GivenPath, GivenScenes
from conceptbind.core.errors import counted
from conceptbind.core.ownership import refuse_in_use
from conceptbind.core.records import Records
from conceptbind.encoders.options import Opening, Reading
from conceptbind.report.advice import RUN, Answer, answer_at
from conceptbind.report.shown import Shown
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.typing import Encoder
    from conceptbind.repairs.finetune.examples import Examples
    from conceptbind.repairs.finetune.judge import Checkpoint
    from conceptbind.repairs.finetune.result import FineTuned

MODEL = "model"
WHAT = "the fine-tuned model"


@dataclass(frozen=True, eq=False, repr=False)
class FineTuning(Shown):
    """What `finetune` trained, and where it wrote it."""

    folder: Path
    """The run folder: model, results.json, results.csv, config.yaml."""
    encoder: "Encoder"
    """The trained model."""
    records: Records
    """Binding accuracy before and after, and the difference."""
    sentence: str
    candidates: "tuple[Checkpoint, ...]" = ()
    """The encoder as it was, then each epoch, with what validation said of it."""
    chosen: "Checkpoint | None" = None
    """The one that validation chose."""
    tuned: "FineTuned | None" = None
    """What can be trained further; None of a run that was finished before."""
    verdicts: "tuple[Verdict, ...]" = ()
    """None: this command judges no level of binding."""

    @property
    def said(self) -> tuple[str, ...]:
        """Its sentence."""
        return (self.sentence,)

    @property
    def advice(self) -> tuple[str, str]:
        """The command to run next, and what it is for."""
        answer = _answer(self.folder, self.sentence)
        return answer.why, answer.next

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.folder / MODEL

    def text(self, width: int | None = None) -> str:  # noqa: D102
        why, command = self.advice
        where = f"Model: {self.model}, an encoder: hf:{self.model}"
        return f"{self.sentence}\n\n{why}\n  {command}\n\n{where}"


@dataclass(frozen=True)
class Finetune(Reading, Command[FineTuning]):
    """Train both towers of an encoder further with hard negatives, and write it as a model.

    Give scenes; or a folder of pictures with a file of their captions, whose negatives are made by
    exchanging nouns and adjectives where none are given. 70 % are trained on, 10 % choose the
    epoch, and 20 % are scored before and after. What is trained is not kept on the way: a killed
    run starts over when it is started again. A finished one is read.
    """

    AGAIN = "starts over"

    encoder: GivenEncoder
    """Model to train further, which stays as it is: tiny, tiny-bound, tiny-bag, hf:NAME or
    hf:FOLDER with a tower for pictures and one for captions (CLIP, SigLIP), or py:module:factory.
    """
    _: KW_ONLY
    out: GivenPath
    """Folder to write: the model in its subfolder model, and what it does in results.json."""
    scenes: GivenScenes = "clevr2d"
    """Scenes to train on: clevr2d, pug-spare:PATH, or another table with pictures; see conceptbind
    measure --help.
    """
    images: GivenPath | None = None
    """Folder of pictures to train on, instead of scenes; needs --captions."""
    captions: GivenPath | None = None
    """Text file for --images: in each line a picture's name below the folder, a tab, and a caption.
    A picture may have several lines.
    """
    negatives: GivenPath | None = None
    """Text file for --captions: in each line a text that is false of the picture in the same line
    there. Without it negatives are made from the captions.
    """
    tagger: str = "auto"
    """Program that finds nouns and adjectives in captions: spacy, spacy:MODEL, hanta, or auto."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """Optimiser: adamw, or sgd with momentum as published."""
    rate: float | None = None
    """Highest learning rate of a step; by default 3e-4 for adamw, 3e-2 for sgd."""
    epochs: int = 10
    """Passes over the training captions; validation chooses the best one."""
    batch: int = 64
    """Captions per training step."""
    flip: bool = False
    """Mirror pictures left to right by chance while training; refused where captions speak of
    sides.
    """
    seed: int = 0
    """Random seed; it decides what is for training, choosing and scoring, the batches and the
    negatives.
    """
    template: str | None = None
    """How a scene's caption names an object, for example "{a} {object}"."""

    def work(self) -> FineTuning:
        """Train, score and write."""
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.core.files import require_empty, user_path
        from conceptbind.core.results import RESULTS
        from conceptbind.encoders.registry import torch_device
        from conceptbind.repairs.finetune.training import settled_rate

        settled_rate(self.optimiser, self.rate, self.batch, self.epochs)
        if (self.images is None) != (self.captions is None) or (
            self.negatives is not None and self.captions is None
        ):
            raise ValueRangeError(
                "--images, --captions and --negatives go together: a folder of pictures, a file "
                "with their captions and, if you have them, a file of texts that are false of them"
            )
        if self.images is not None:
            self.refuse(("scenes", "template"), "training on scenes, and --images was given")
        folder = user_path(self.out)
        refuse_in_use(folder)
        if not (folder / RESULTS).is_file():
            require_empty(folder / MODEL, WHAT)
        torch_device(self.device)
        if self.images is None:
            return _trained(self, folder, *_of_scenes(self, folder))
        return _trained(self, folder, *_of_pictures(self, folder))


finetune = function_of(Finetune)


def _answer(folder: Path, sentence: str) -> Answer:
    """What training reached, and how to measure the model."""
    form = f"conceptbind measure hf:{RUN}/{MODEL}"
    return answer_at(folder, sentence, "To measure the trained model:", form)


def _how(asked: Finetune) -> Opening:
    return Opening(
        device=asked.device,
        long_captions=asked.long_captions,
        trust_remote_code=asked.trust_remote_code,
    )


def _of_scenes(asked: Finetune, folder: Path) -> "tuple[Encoder, Examples, dict[str, Any]]":
    """The encoder, the examples of a table, and what names them in the provenance."""
    from dataclasses import replace

    from conceptbind.core.errors import ModalityError
    from conceptbind.repairs.finetune.examples import of_scenes
    from conceptbind.repairs.finetune.mirrors import refuse_sided_scenes
    from conceptbind.repairs.finetune.towers import trainable_copy
    from conceptbind.rows.source import open_inputs
    from conceptbind.run.facts import scenes_facts
    from conceptbind.run.folder import RunFolder

    source, table = open_inputs(asked.encoder, asked.scenes, asked.template, _how(asked))
    if source.encoder is None:
        raise ModalityError(
            f"'{source.id}' is a table of rows, which cannot be trained; give an encoder"
        )
    trainable_copy(source.encoder)
    source.able(table, "both")
    try_captions(source.encoder, table)
    if asked.flip:
        refuse_sided_scenes(table)
    examples = of_scenes(table, asked.seed)
    RunFolder.open(folder, asked.configuration())
    table = drawn(table, ("image",), folder / "pictures", asked.seed)
    place = table.image_folder or Path()
    pictures = [place / name for name in table.images or ()]
    return source.encoder, replace(examples, pictures=pictures), {"scenes": scenes_facts(table)}


def _of_pictures(asked: Finetune, folder: Path) -> "tuple[Encoder, Examples, dict[str, Any]]":
    """The encoder, the examples of pictures and their captions, and what names them."""
    import numpy as np

    from conceptbind.core.escape import csv_text
    from conceptbind.core.files import user_path, write_whole
    from conceptbind.repairs.finetune.examples import of_pictures
    from conceptbind.repairs.finetune.mirrors import refuse_sides
    from conceptbind.repairs.finetune.towers import trainable_copy
    from conceptbind.run.folder import RunFolder

    place = user_path(str(asked.images))
    pictures, of, captions = read_captioned(place, user_path(str(asked.captions)))
    false = None
    if asked.negatives is not None:
        false = read_negatives(user_path(asked.negatives), captions)
    encoder: Encoder = open_model(asked.encoder, _how(asked), ("text", "image"))
    trainable_copy(encoder)
    dropped: tuple[tuple[int, str, str], ...] = ()
    told: dict[str, Any] = {"captions": len(captions)}
    if false is None:
        made = make_negatives(captions, of, str(asked.captions), asked.tagger, asked.seed)
        dropped = without_negative(captions, made)
        kept = list(made.rows)
        false = [str(made.texts[row]) for row in kept]
        captions, of = [captions[row] for row in kept], [of[row] for row in kept]
        told |= {"tagger": made.tagger, "tagger_version": made.tagger_version}
    examples = of_pictures(
        str(asked.captions), pictures, np.asarray(of), captions, false, asked.seed
    )
    if asked.flip:
        refuse_sides(examples.texts)
    RunFolder.open(folder, asked.configuration())
    if dropped:
        write_whole(folder / DROPPED, csv_text([("row", "reason", "caption"), *dropped]))
    return encoder, examples, {"data": told | {"pairs": len(captions)}}


def _trained(
    asked: Finetune,
    folder: Path,
    encoder: "Encoder",
    examples: "Examples",
    named: dict[str, Any],
) -> FineTuning:
    """Train, score and write: the model last, since a folder that holds one is finished."""
    kept = _finished(asked, folder, encoder, examples)
    if kept is not None:
        return kept
    from conceptbind.repairs.finetune.study import before_and_after, finetune_sentence
    from conceptbind.repairs.finetune.training import finetune as fit
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    with progress(desc="training", unit="step") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        tuned = fit(
            encoder,
            **examples.arguments(),
            optimiser=asked.optimiser,
            rate=asked.rate,
            epochs=asked.epochs,
            batch=asked.batch,
            flip=asked.flip,
            seed=asked.seed,
            on_step=step,
        )
    records = before_and_after(encoder, tuned, examples)
    sentence = finetune_sentence(records, tuned, examples)
    config = asked.configuration()
    facts = plain_provenance(config, sys.argv) | named
    facts["encoders"] = [
        {
            "modality": "both",
            "encoder": encoder.id,
            "revision": encoder.revision,
            "dimension": encoder.dimension,
            **getattr(encoder, "details", {}),
        }
    ]
    facts["split"] = {
        "seed": asked.seed,
        "train": len(examples.train),
        "validation": len(examples.validation),
        "test": len(examples.scored),
    }
    facts["finetune"] = dict(tuned.config) | {
        "candidates": [asdict(one) for one in tuned.candidates],
        "chosen": tuned.chosen.epoch,
    }
    facts["model"] = {"encoder": tuned.encoder.id, "revision": tuned.encoder.revision}
    told = {"answer": _answer(folder, sentence).as_json()}
    RunFolder.open(folder, config).write_results(facts, records, told, sentences=[sentence])
    tuned.save(folder / MODEL)
    judged = tuned.candidates, tuned.chosen
    return FineTuning(folder, tuned.encoder, records, sentence, *judged, tuned)


def _finished(
    asked: Finetune, folder: Path, encoder: "Encoder", examples: "Examples"
) -> FineTuning | None:
    """This very run where it was finished before.

    Raises:
        FileError: the folder holds the model of another version, encoder or data, or one that was
            changed since it was written.
    """
    from conceptbind.core.files import read_checked_json, require_empty
    from conceptbind.core.results import RESULTS, load_results
    from conceptbind.core.version import __version__
    from conceptbind.repairs.finetune.data import Captioned
    from conceptbind.repairs.finetune.judge import Checkpoint
    from conceptbind.repairs.finetune.result import require_as_written

    model = folder / MODEL
    if not model.is_dir() or not any(model.iterdir()):
        return None
    read_checked_json(folder / RESULTS, "choose a new folder")
    found = load_results(folder)
    made, data = found.provenance.get("finetune", {}), Captioned.of(**examples.captioned())
    version = found.provenance.get("conceptbind")
    then = version, made.get("encoder"), made.get("revision"), made.get("data_hash")
    if then != (__version__, encoder.id, encoder.revision, data.hash):
        require_empty(model, WHAT)
    require_as_written(model)
    trained: Encoder = open_model(f"hf:{model}", _how(asked), ("text", "image"))
    (sentence,) = found.sentences
    candidates = tuple(Checkpoint(**one) for one in made.get("candidates", ()))
    chosen = next((one for one in candidates if one.epoch == made["chosen"]), None)
    return FineTuning(folder, trained, found.records, sentence, candidates, chosen)


def read_captioned(folder: Path, file: Path) -> tuple[list[Path], list[int], list[str]]:
    """Pictures (p,), the picture of each caption (n,), and the captions (n,).

    Args:
        folder: of the pictures.
        file: its lines are a picture's name below the folder, a tab, and a caption.

    Raises:
        FileError: a file or a picture is missing.
        ValueRangeError: a line of another form; names it.
    """
    from conceptbind.core.errors import FileError, ValueRangeError
    from conceptbind.core.text import read_lines

    if not folder.is_dir():
        raise FileError(f"--images must be a folder of pictures; {folder} is not one")
    expected = "expected lines of a picture's name, a tab and a caption (UTF-8)"
    lines = read_lines(file, "the captions", expected)
    names: dict[str, int] = {}
    of, captions = [], []
    for number, line in enumerate(lines, 1):
        name, *more = (part.strip() for part in line.split("\t"))
        if len(more) != 1 or not name or not more[0]:
            raise ValueRangeError(
                f"line {number} of {file} is {line[:60]!r}; expected a picture's name, a tab and a "
                "caption"
            )
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueRangeError(
                f"line {number} of {file} names {name[:200]!r}; pictures lie below {folder}"
            )
        of.append(names.setdefault(name, len(names)))
        captions.append(more[0])
    pictures = [folder / name for name in names]
    missing = [path for path in pictures if not path.is_file()]
    if missing:
        raise FileError(
            f"{file} names the picture {missing[0]}, which is not there ({len(missing):,} of "
            f"{len(pictures):,} are missing)"
        )
    return pictures, of, captions


def read_negatives(file: Path, captions: list[str]) -> list[str]:
    """A text for each caption that is false of its picture.

    Raises:
        FileError: it cannot be read.
        ShapeError: it has another number of lines.
        ValueRangeError: a line is empty, or is its caption; names it.
    """
    from conceptbind.commands.captioned import read_captions
    from conceptbind.core.errors import ShapeError, ValueRangeError

    found = [line.strip() for line in read_captions(file)]
    if len(found) != len(captions):
        raise ShapeError(
            f"every caption needs its negative: {file} has {counted(len(found), 'line')}, "
            "--captions "
            f"{len(captions):,}"
        )
    equal = [
        number
        for number, (one, other) in enumerate(zip(found, captions, strict=True), 1)
        if one == other
    ]
    if equal:
        raise ValueRangeError(
            f"line {equal[0]} of {file} says what its caption says ({len(equal):,} of "
            f"{len(found):,} lines do); leave such lines out of both files"
        )
    return found
