"""An encoder trained together with one linear classifier for every noun (arXiv 2502.03566,
section 4): what its architecture can reach where it is trained for the very question.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ModalityError, ValueRangeError
from conceptbind.metrics.cosines import unit_rows
from conceptbind.pictures.files import read_picture
from conceptbind.repairs.finetune.mirrors import mirrored, refuse_sided_scenes
from conceptbind.repairs.finetune.pixels import Pixels
from conceptbind.repairs.finetune.towers import text_rows, trainable_copy
from conceptbind.repairs.finetune.training import (
    LONGEST_STEP,
    WEIGHT_DECAY,
    height,
    weights_now,
)
from conceptbind.repairs.labclip.solver import split_evenly
from conceptbind.rows.feeding import stored_picture
from conceptbind.within.attributes import holds, noun_probe, noun_recognition, values_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from PIL.Image import Image

    from conceptbind.core.typing import Encoder, Floats, Ints, Modality
    from conceptbind.repairs.finetune.towers import Trainable
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

EPOCHS, BATCH, RATE = 20, 16, 3e-4
HEAD_RATE = 10.0
"""How many times faster the classifiers learn, which start at zero."""
LENGTH = 16.0
"""Of the rows that the classifiers see; with unit rows their scores would stay near each other."""
READ = 256
"""Scenes encoded at once where nothing is learned."""
STORED_BYTES = 2**31
"""Memory for pictures that lie in an array file."""

Question = tuple[int, int]
"""A concept and a noun."""


@dataclass(frozen=True)
class Epoch:
    """What validation says after so many passes over the train scenes; 0 is the encoder as it was,
    with classifiers solved to their minimum.
    """

    epoch: int
    accuracy: float
    """Share of nouns in validation scenes whose attribute is recognised."""
    loss: float | None = None
    """Mean cross-entropy there; None for the encoder as it was, whose classifiers have another
    scale."""


@dataclass(frozen=True, eq=False)
class TrainedAlong:
    """An encoder and its classifiers, before and after training."""

    model: Trainable
    """The encoder with the weights that validation chose."""
    inputs: Inputs
    """The scenes as it reads them."""
    frozen: Mapping[Question, Float[Floats, "_ _"]]
    """(V_k, d + 1) the classifier of each concept and noun on the encoder as it was."""
    trained: Mapping[Question, Float[Floats, "_ _"]]
    """(V_k, d + 1) those that were trained along; the frozen ones where nothing was better."""
    epochs: tuple[Epoch, ...]
    chosen: Epoch
    config: Mapping[str, Any]

    @property
    def helps(self) -> bool:
        """Whether validation preferred training to leaving the encoder as it was."""
        return self.chosen.epoch > 0

    def rows(self, rows: Int[Ints, " rows"]) -> Float[Floats, "rows width"]:
        """(b, d) unit rows of some scenes by the chosen weights."""
        found = unit_of(self.model, self.inputs, rows)
        assert found is not None  # validation has judged these weights
        return found


class Inputs:
    """Scenes as an encoder reads them, by number, with gradients."""

    def __init__(
        self, model: Trainable, scenes: Scenes, modality: Modality, rows: Int[Ints, " rows"]
    ) -> None:
        nowhere = scenes.images is None and scenes.stored is None
        if modality == "image" and nowhere:
            raise ModalityError(
                f"the scenes '{scenes.name}' have no pictures; draw them, or take captions"
            )
        self._model, self._scenes = model, scenes
        self._arrays: dict[int, Image] = {}
        if modality == "image" and scenes.images is None:
            self._arrays = stored_pictures(scenes, rows)
        self._pixels = Pixels(model, self._open) if modality == "image" else None
        self._tokens = dict[int, list[int]]()

    def __call__(
        self, rows: Int[Ints, " rows"], random: np.random.Generator | None = None
    ) -> Float[torch.Tensor, "rows width"]:
        """(b, d) features; with `random` each picture is mirrored by chance."""
        if self._pixels is None:
            new = [int(row) for row in rows if int(row) not in self._tokens]
            read = self._model.tokens([self._scenes.caption(row) for row in new]) if new else []
            self._tokens |= dict(zip(new, read, strict=True))
            return text_rows(self._model, [self._tokens[int(row)] for row in rows])
        pixels = self._pixels(rows)
        return self._model.image_features(pixels if random is None else mirrored(pixels, random))

    def _open(self, row: int) -> Any:
        scenes = self._scenes
        if scenes.images is None:
            return self._arrays[row]
        return read_picture((scenes.image_folder or Path()) / scenes.images[row])


def stored_pictures(scenes: Scenes, rows: Int[Ints, " rows"]) -> dict[int, Image]:
    """The pictures of some scenes from their array file, by number, in one pass: an array that is
    packed cannot be read in another order.

    Args:
        scenes: a table with `stored` pictures.
        rows: (b,) which scenes.

    Raises:
        ValueRangeError: they take too much memory.
        FileError: the array is damaged.
    """
    assert scenes.stored is not None
    bytes_ = len(rows) * math.prod(scenes.stored.size)
    if bytes_ > STORED_BYTES:
        raise ValueRangeError(
            f"the pictures of {len(rows):,} scenes of '{scenes.name}' take {bytes_ / 2**30:.1f} "
            f"GiB, and at most {STORED_BYTES / 2**30:.0f} are kept in memory; take fewer scenes"
        )
    wanted = set(rows.tolist())
    found: dict[int, Image] = {}
    for row, values in enumerate(scenes.stored):
        if row in wanted:
            found[row] = stored_picture(values)
        if len(found) == len(wanted):
            break
    return found


@explains_arguments
def train_along(
    encoder: Encoder,
    embeddings: Embeddings,
    scenes: Scenes,
    split: Split,
    *,
    epochs: int = EPOCHS,
    rate: float = RATE,
    batch: int = BATCH,
    flip: bool = False,
    seed: int = 0,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> TrainedAlong | None:
    """Train a copy of an encoder together with a linear classifier for every noun and attribute.

    The classifiers see unit rows. Their loss is the cross-entropy to the attributes that the noun
    has in the scene. The epoch with the least validation loss is taken, if it recognises more on
    validation than the encoder as it was, with classifiers solved to their minimum. Where those
    are all right on validation, nothing is trained.

    Args:
        encoder: a shipped dual encoder, or `hf:`; it stays as it is.
        embeddings: its rows for all scenes, of the modality that is trained.
        scenes: the table, with pictures where those are trained on.
        split: rows to fit on and to choose with; the test rows are not read.
        epochs: passes over the train scenes.
        rate: highest rate of AdamW for the encoder; that of the classifiers is ten times it.
        batch: scenes of a step.
        flip: whether pictures are mirrored left to right by chance.
        seed: of the batches and mirrors.
        on_step: called with steps done and steps in all.

    Returns:
        None where no noun has enough scenes.

    Raises:
        ModalityError: an encoder that cannot be trained, or scenes without pictures.
        ValueRangeError: options out of range, or scenes that speak of sides with `flip`.
        MismatchError: the embeddings belong to another table.
    """
    embeddings.check(scenes)
    modality = embeddings.modality
    settle_options(scenes, epochs=epochs, rate=rate, batch=batch, flip=flip, modality=modality)
    unit = embeddings.unit().values
    frozen = _frozen(unit, scenes, split)
    if not frozen:
        return None
    start = Epoch(0, accuracy(frozen, unit[split.validation], scenes, split.validation))
    model = trainable_copy(encoder, modality)
    used = np.concatenate([split.train, split.validation, split.test])
    inputs = Inputs(model, scenes, modality, used)
    tried: tuple[Epoch, ...] = (start,)
    chosen, trained = start, None
    if start.accuracy < 1:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            training = _Training(model, inputs, scenes, split, frozen, rate, flip=flip)
            tried, chosen, trained = training.run(start, epochs, batch, seed, on_step)
    config = {
        **{"encoder": encoder.id, "revision": encoder.revision, "scenes": scenes.name},
        **{"modality": str(modality), "epochs": epochs, "rate": rate, "batch": batch},
        **{"flip": flip, "seed": seed, "chosen_epoch": chosen.epoch},
    }
    return TrainedAlong(model, inputs, frozen, trained or frozen, tried, chosen, config)


def settle_options(
    scenes: Scenes,
    *,
    epochs: int,
    rate: float,
    batch: int,
    flip: bool,
    modality: Modality,
    prefix: str = "",
) -> None:
    """Raise where an option cannot be used.

    Args:
        scenes: the table.
        epochs: at least 1.
        rate: above 0.
        batch: at least 2.
        flip: only for pictures of scenes that do not speak of sides.
        modality: that is trained.
        prefix: stands before the name of an option, as the user wrote it.

    Raises:
        ValueRangeError: one cannot be used.
    """
    for name, value, least in (("epochs", epochs, 1), ("batch", batch, 2)):
        if value < least:
            raise ValueRangeError(f"{prefix}{name} must be at least {least}; got {value}")
    if not 0 < rate < math.inf:
        raise ValueRangeError(f"{prefix}rate must be above 0 and finite; got {rate}")
    if flip and modality == "image":
        refuse_sided_scenes(scenes)


def accuracy(
    classifiers: Mapping[Question, Float[Floats, "_ _"]],
    unit: Float[Floats, "rows width"],
    scenes: Scenes,
    rows: Int[Ints, " rows"],
) -> float:
    """Share of nouns in some scenes whose attribute is recognised, all concepts together.

    Args:
        classifiers: by concept and noun.
        unit: (b, d) unit rows of these scenes.
        scenes: the table.
        rows: (b,) the scenes.
    """
    hits = n = 0
    for (k, noun), weight in classifiers.items():
        here = holds(scenes, rows, noun)
        found = noun_recognition(weight, unit[here], scenes, rows[here], k, noun)
        hits, n = hits + found.hits, n + found.n
    return hits / n if n else 1.0


def _frozen(unit: Floats, scenes: Scenes, split: Split) -> dict[Question, Floats]:
    """The classifiers of the encoder as it is."""
    found = {}
    for k in range(len(scenes.space.concepts) - 1):
        if scenes.space.sizes[k] < 2:  # nothing to recognise
            continue
        for noun in range(scenes.space.sizes[-1]):
            probe = noun_probe(unit, scenes, split, k, noun)
            if probe is not None:
                found[k, noun] = probe.weight
    return found


class _Training:
    """A model, its classifiers and their optimiser."""

    def __init__(
        self,
        model: Trainable,
        inputs: Inputs,
        scenes: Scenes,
        split: Split,
        asked: Mapping[Question, Floats],
        rate: float,
        *,
        flip: bool,
    ) -> None:
        self.model, self.inputs, self.scenes, self.split = model, inputs, scenes, split
        self.asked, self.flip = tuple(asked), flip
        self.device = next(model.module.parameters()).device
        width = next(iter(asked.values())).shape[1] - 1
        self.heads = [
            torch.nn.Linear(width, scenes.space.sizes[k], device=self.device) for k, _ in self.asked
        ]
        towers = list(model.module.parameters())
        heads = [parameter for head in self.heads for parameter in head.parameters()]
        for parameter in heads:
            torch.nn.init.zeros_(parameter)
        self.parameters = [*towers, *heads]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in towers if p.ndim > 1], "lr": rate, "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in towers if p.ndim <= 1], "lr": rate, "weight_decay": 0.0},
            {"params": heads, "lr": HEAD_RATE * rate, "weight_decay": WEIGHT_DECAY},
        ]
        self.optimiser = torch.optim.AdamW(groups)

    def run(
        self,
        start: Epoch,
        epochs: int,
        batch: int,
        seed: int,
        on_step: Callable[[int, int], None],
    ) -> tuple[tuple[Epoch, ...], Epoch, Mapping[Question, Floats] | None]:
        """All epochs, the one that validation chose, and its classifiers, None for the encoder as
        it was. The model is left with its weights of then.
        """
        random, train = np.random.default_rng(seed), self.split.train
        total = epochs * len(split_evenly(train, batch))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda done: height(done, total)
        )
        was, tried, best, done = weights_now(self.model), [start], start, 0
        weights: Mapping[str, torch.Tensor] = was
        heads: Mapping[Question, Floats] | None = None
        for epoch in range(1, epochs + 1):
            self.model.module.train()
            for rows in split_evenly(random.permutation(train), batch):
                self._step(rows, random)
                schedule.step()
                done += 1
                on_step(done, total)
            found = self._judged(epoch)
            if found is None:  # run away: further steps would only spread NaN
                break
            tried.append(found)
            if best.loss is None or (found.loss is not None and found.loss < best.loss):
                best, weights, heads = found, weights_now(self.model), self._classifiers()
        on_step(total, total)
        if best.accuracy <= start.accuracy:
            best, weights, heads = start, was, None
        self.model.module.load_state_dict(weights)
        self.model.module.eval()
        return tuple(tried), best, heads

    def _step(self, rows: Ints, random: np.random.Generator) -> None:
        """One step down the mean cross-entropy of all nouns in these scenes."""
        loss = self._loss(self.inputs(rows, random if self.flip else None), rows)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, LONGEST_STEP)
        self.optimiser.step()

    def _loss(self, features: torch.Tensor, rows: Ints) -> torch.Tensor:
        """The mean cross-entropy of all nouns in these scenes; 0 where none is asked for."""
        unit = functional.normalize(features, dim=1) * LENGTH
        losses = [unit.sum(dim=1)[:0]]
        for (k, noun), head in zip(self.asked, self.heads, strict=True):
            here = holds(self.scenes, rows, noun)
            if here.any():
                counts = values_of(self.scenes, rows[here], k, noun)
                target = torch.from_numpy(counts / counts.sum(axis=1, keepdims=True))
                scores = head(unit[torch.from_numpy(here).to(self.device)])
                wanted = target.to(self.device, scores.dtype)
                losses.append(functional.cross_entropy(scores, wanted, reduction="none"))
        found = torch.cat(losses)
        return found.sum() / max(1, len(found))

    def _judged(self, epoch: int) -> Epoch | None:
        rows = self.split.validation
        unit = unit_of(self.model, self.inputs, rows)
        if unit is None:
            return None
        with torch.no_grad():
            loss = float(self._loss(torch.from_numpy(unit).to(self.device), rows))
        return Epoch(epoch, accuracy(self._classifiers(), unit, self.scenes, rows), loss)

    def _classifiers(self) -> dict[Question, Floats]:
        """(V_k, d + 1) each, for unit rows with a last column of ones."""
        found = {}
        for asked, head in zip(self.asked, self.heads, strict=True):
            weight = torch.cat([head.weight * LENGTH, head.bias[:, None]], dim=1)
            found[asked] = weight.detach().cpu().numpy().copy()
        return found


def unit_of(
    model: Trainable, inputs: Inputs, rows: Int[Ints, " rows"]
) -> Float[Floats, "rows width"] | None:
    """(b, d) unit rows of some scenes; None where they are no numbers any more.

    Args:
        model: the encoder.
        inputs: the scenes.
        rows: (b,) some of them.
    """
    model.module.eval()
    with torch.no_grad():
        parts = [inputs(part).float().cpu().numpy() for part in split_evenly(rows, READ)]
    found: Floats = np.concatenate(parts)
    if not np.isfinite(found).all() or not found.any(axis=1).all():
        return None
    return unit_rows(found)
