"""A trained model as a folder, and as an encoder of captions of symbols: "a p07 q12 and a p03
q01".
"""

from __future__ import annotations

import csv
import io
import string
from collections.abc import Sequence
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from conceptbind.controlled.model import ControlledModel
from conceptbind.controlled.recipe import Recipe
from conceptbind.controlled.scoring import all_queries
from conceptbind.controlled.training import Look, Trained
from conceptbind.core.errors import (
    FileError,
    ModalityError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
    quoted,
)
from conceptbind.core.files import (
    CHECKSUM,
    content_hash,
    file_hash,
    read_json,
    require_unchanged,
    user_path,
    write_checked_json,
    write_whole,
)
from conceptbind.core.kept import require_content
from conceptbind.core.limits import require_regular
from conceptbind.encoders.brief import Brief
from conceptbind.scenes.space import ConceptSpace

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

    from conceptbind.core.typing import Floats, Modality

WEIGHTS, CONFIG, HISTORY, VOCABULARY = (
    "model.safetensors",
    "config.json",
    "history.csv",
    "words.csv",
)
KIND = "conceptbind controlled model"
WEIGHTS_HASH, FILES_HASH = "weights", "files"
"""The keys of the checksums in `config.json`: of the weights, and of the other files by name."""
BATCH = 1024
"""Captions encoded at once."""
MOST_SCENES = 10_000
"""Pairs of objects that the words in `words.csv` span, about."""


def vocabulary(sizes: tuple[int, ...]) -> ConceptSpace:
    """Names for the symbols: concepts p, q, r, ... with values p0, p1, ..., of equal length.

    Args:
        sizes: number of values of each concept.
    """
    letters = (string.ascii_lowercase[15:] + string.ascii_lowercase[1:15])[: len(sizes)]
    values = [_symbols(letter, size) for letter, size in zip(letters, sizes, strict=True)]
    return ConceptSpace(tuple(letters), tuple(values))


def _symbols(letter: str, size: int) -> tuple[str, ...]:
    digits = len(str(size - 1))
    return tuple(f"{letter}{value:0{digits}d}" for value in range(size))


def write_model(trained: Trained, folder: Path) -> None:
    """Write `model.safetensors`, `config.json`, `history.csv` and `words.csv`, a small vocabulary
    to measure the model on.

    Args:
        trained: the model with its recipe and history.
        folder: an existing folder.
    """
    from safetensors.torch import save

    recipe, shape = trained.recipe, trained.recipe.shape
    own = trained.model.without_twin(trained.model.state_dict())
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in own.items()}
    text = io.StringIO()
    table = csv.DictWriter(text, [item.name for item in fields(Look)], lineterminator="\n")
    table.writeheader()
    table.writerows(vars(look) for look in trained.history)
    space = vocabulary(shape.sizes)
    side = max(2, int(MOST_SCENES ** (0.5 / len(shape.sizes))))
    columns = [values[:side] for values in space.values]
    lines = [",".join(space.concepts)]
    lines += map(",".join, zip_longest(*columns, fillvalue=""))
    content = save(weights, metadata={"format": "pt"})
    others = {HISTORY: text.getvalue(), VOCABULARY: "\n".join(lines) + "\n"}
    for name, written in {**others, WEIGHTS: content}.items():
        write_whole(folder / name, written)
    hashes = {name: content_hash(written.encode()) for name, written in others.items()}
    told = {"kind": KIND, "recipe": recipe.flat(), "best": vars(trained.best)}
    write_checked_json(
        folder / CONFIG, {**told, WEIGHTS_HASH: content_hash(content), FILES_HASH: hashes}
    )


def read_model(folder: str | Path, device: str = "cpu") -> tuple[ControlledModel, Recipe]:
    """A trained model.

    Args:
        folder: a folder that `write_model` wrote.
        device: a device of torch.

    Raises:
        FileError: a file is missing or broken, or the weights are those of another configuration.
    """
    folder = user_path(folder)
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not (folder / CONFIG).is_file():
        raise FileError(
            f"{folder} holds no controlled model (no {CONFIG}); make one with: conceptbind train "
            f"--out {folder}"
        )
    config = _read_config(folder)
    recipe = Recipe.read(config.get("recipe"), str(folder / CONFIG))
    held = require_regular(folder / WEIGHTS, "the weights of a controlled model").stat().st_size
    if 2 * recipe.shape.n_weights > held:  # before so much memory is taken
        raise FileError(
            f"could not load {folder / WEIGHTS}, which is truncated or of another configuration: "
            f"it has {held:,} bytes, and "
            f"{CONFIG} describes {recipe.shape.n_weights:,} weights"
        )
    with torch.random.fork_rng():
        model = ControlledModel(recipe.shape, recipe.hottest)
    try:
        content = (folder / WEIGHTS).read_bytes()
        model.load_state_dict(model.with_twin(load(content)))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise FileError(
            f"could not load {folder / WEIGHTS}, which is truncated or of another configuration: "
            f"{shorten(str(error), 200)}"
        ) from error
    if (expected := config.get(WEIGHTS_HASH)) is not None:  # models of earlier versions have none
        require_content(folder / WEIGHTS, expected, "copy it again, or train again", _hash)
    return model.to(device).eval(), recipe


def _read_config(folder: Path) -> dict[str, Any]:
    """What `config.json` of a model says; raises FileError where it is of something else, or was
    changed since.
    """
    config = read_json(folder / CONFIG, "train the model again")
    if not isinstance(config, dict) or config.get("kind") != KIND:
        raise FileError(
            f"{folder / CONFIG} is not the configuration of a controlled model; make one with "
            "conceptbind train"
        )
    if CHECKSUM in config:  # models of earlier versions have none
        return require_unchanged(config, folder / CONFIG, "copy it again, or train the model again")
    return config


def require_whole_model(folder: Path) -> None:
    """See that every file of a model is the one that was written, without building the model.

    Args:
        folder: a folder that `write_model` wrote.

    Raises:
        FileError: one is missing, or was changed or damaged since; names it.
    """
    config = _read_config(folder)
    others = config.get(FILES_HASH)
    wanted = {**(others if isinstance(others, dict) else {}), WEIGHTS: config.get(WEIGHTS_HASH)}
    for name, expected in wanted.items():
        require_regular(folder / name, "a file of a controlled model")
        if expected is not None:
            advice = f"copy it again, or delete {folder} and run the same command again"
            require_content(folder / name, expected, advice, _hash)


def _hash(path: Path) -> str:
    return content_hash(path.read_bytes())


def read_trained(folder: str | Path, device: str = "cpu") -> Trained:
    """A trained model with what was seen while it was trained.

    Args:
        folder: a folder that `write_model` wrote.
        device: a device of torch.

    Raises:
        FileError: see `read_model` and `require_whole_model`.
    """
    folder = user_path(folder)
    require_whole_model(folder)
    model, recipe = read_model(folder, device)
    try:
        with (folder / HISTORY).open(encoding="utf-8", newline="") as file:
            rows = msgspec.convert([*csv.DictReader(file)], list[Look], strict=False)
        best = msgspec.convert(_read_config(folder)["best"], Look)
    except (OSError, KeyError, ValueError, msgspec.ValidationError) as error:
        raise FileError(
            f"{folder} does not tell how its model was trained ({error}); train it again"
        ) from error
    return Trained(recipe, model, tuple(rows), best)


class ControlledEncoder(Brief):
    """A trained model, as an encoder of captions.

    Words that are not values ("a", "and") are passed over; every C values, one of each concept in
    order, are an object.

    Args:
        folder: written by `conceptbind train`.
        device: where torch computes.

    Raises:
        FileError: see `read_model`.
    """

    modalities: tuple[Modality, ...] = ("text",)

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self._take(*read_model(folder, device), folder, device)
        self.revision = file_hash(folder / WEIGHTS)

    @classmethod
    def of(cls, model: ControlledModel, recipe: Recipe, name: str) -> ControlledEncoder:
        """A model in memory as an encoder, such as one in training.

        Args:
            model: the encoders.
            recipe: that made it.
            name: what it is called in results.
        """
        found = object.__new__(cls)
        found._take(model, recipe, Path(name), str(model.log_scale.device))
        found.revision = "in memory"
        return found

    def _take(self, model: ControlledModel, recipe: Recipe, folder: Path, device: str) -> None:
        self._model, self.recipe = model, recipe
        self._folder, self._device = folder, device
        self.space = vocabulary(recipe.shape.sizes)
        self._ids = {
            word: (k, v)
            for k, values in enumerate(self.space.values)
            for v, word in enumerate(values)
        }
        self.id = f"controlled:{folder.name}"
        self.dimension = recipe.shape.entries
        self.details = {
            "precision": "float32",
            "coverage": recipe.coverage,
            "objective": recipe.objective,
        }

    def untrained(self, seed: int = 0) -> ControlledEncoder:
        """The same architecture with random weights."""
        twin = object.__new__(ControlledEncoder)
        twin.__dict__.update(self.__dict__)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            twin._model = (
                ControlledModel(self.recipe.shape, self.recipe.hottest).to(self._device).eval()
            )
        twin.id, twin.revision = f"{self.id} (random weights)", f"random:{seed}"
        return twin

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Rows (n, d), of length 1 unless the model compares by dot products.

        Raises:
            UnknownNameError: a caption has a word that looks like a value but is none.
            ValueRangeError: values that do not make objects, or more objects than the model reads.
        """
        read = [self._objects(text) for text in texts]
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for m in sorted({len(objects) for objects in read}):
            mine = [i for i, objects in enumerate(read) if len(objects) == m]
            for start in range(0, len(mine), BATCH):
                part = mine[start : start + BATCH]
                with torch.inference_mode():
                    rows[part] = (
                        self._model.scenes(
                            torch.tensor([read[i] for i in part], device=self._device)
                        )
                        .cpu()
                        .numpy()
                    )
        return rows

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """A model of symbols has no pictures."""
        raise ModalityError(f"'{self.id}' encodes symbols, not pictures; use --modality text")

    def query_rows(
        self, space: ConceptSpace, concept: int | None
    ) -> Float[Floats, "candidates width"]:
        """(V_k, d), or (|O|, d) for None: the model's own queries for the values or objects of a
        table, found by their names.

        Raises:
            UnknownNameError: a name is not among the model's.
        """
        split = self.recipe.split()
        queries = all_queries(self._model, split, self.recipe.objective == "queries")
        where = [self._values(names, k) for k, names in enumerate(space.values)]
        if concept is not None:
            rows: Floats = queries.concepts[concept].cpu().numpy()[where[concept]]
            return rows
        values = np.stack(
            [
                np.asarray(where[k])[column]
                for k, column in enumerate(space.object_values(np.arange(space.n_objects)).T)
            ]
        )
        found: Floats = queries.objects.cpu().numpy()[self.space.object_ids(values.T)]
        return found

    def _values(self, words: Sequence[str], concept: int) -> list[int]:
        return [self._value(word, concept) for word in words]

    def _value(self, word: str, concept: int) -> int:
        k, v = self._ids.get(word, (-1, -1))
        if k != concept:
            known = self.space.values[concept] if concept < len(self.space.values) else ()
            raise UnknownNameError(
                f"'{cut(word)}' is not a value of concept {concept + 1} of '{self.id}'; "
                f"{nearest(word, known)}; measure it on its own words: --scenes "
                f"{self._folder / VOCABULARY}"
            )
        return v

    def _objects(self, text: str) -> list[list[int]]:
        words = [word.strip(",.;") for word in text.split()]
        found = [self._ids[word] for word in words if word in self._ids]
        n_concepts, shape = len(self.space.concepts), self.recipe.shape
        unknown = [
            word for word in words if word not in self._ids and word not in ("a", "an", "and")
        ]
        if unknown:
            raise UnknownNameError(
                f"'{self.id}' does not know the word '{cut(unknown[0])}' in {quoted(text)}; "
                f"{nearest(unknown[0], self._ids)}; "
                f"measure it on its own words: --scenes {self._folder / VOCABULARY}"
            )
        if not found or [k for k, _ in found] != list(range(n_concepts)) * (
            len(found) // n_concepts
        ):
            raise ValueRangeError(
                f"every object needs one value of each of {counted(n_concepts, 'concept')}, in "
                "order; got "
                f"{quoted(text)}"
            )
        if len(found) > n_concepts * shape.most_objects:
            raise ValueRangeError(
                f"{quoted(text)} has {counted(len(found) // n_concepts, 'object')}, but "
                f"'{self.id}' "
                f"reads at most {shape.most_objects}"
            )
        values = [v for _, v in found]
        return [values[i : i + n_concepts] for i in range(0, len(values), n_concepts)]
