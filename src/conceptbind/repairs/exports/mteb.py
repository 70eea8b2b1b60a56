"""Encoders of this package as models of mteb, and scene tables as tasks of mteb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import MissingExtraError, ModalityError, ValueRangeError
from conceptbind.encoders.registry import resolve
from conceptbind.pictures.files import as_seen
from conceptbind.scenes.swaps import attribute_swaps
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder, Floats
    from conceptbind.repairs.labclip.adapter import Adapter


OURS, REPAIRED = "conceptbind/", "-repaired"
"""How the names of our models begin in mteb, and end with an adapter."""


@explains_arguments
def mteb_model(encoder: str | Encoder, adapter: Adapter | None = None) -> Any:
    """An encoder as a model that `mteb.evaluate` takes.

    Captions go through the adapter. Pictures are seen as every command sees them
    (`encoders.pictures.as_seen`), as long as a task hands over what its files hold. The pair tasks
    that come with mteb convert to RGB before the model sees anything. A batch with both a caption
    and a picture in one item has no meaning for a model of two towers and is refused.

    Args:
        encoder: a name as for `conceptbind measure`, or an object with the contract of
            `typing.Encoder`.
        adapter: a linear repair of captions.

    Raises:
        MissingExtraError: mteb is not installed.
        MismatchError: the adapter was fitted on another encoder.
    """
    try:
        from mteb.models import ModelMeta
        from mteb.models.abs_encoder import AbsEncoder
    except ImportError as error:
        raise MissingExtraError("mteb", "mteb", "a model for mteb") from error
    source: Any = resolve(encoder) if isinstance(encoder, str) else encoder
    if adapter is not None:
        adapter.require(source.id, source.revision)

    class Model(AbsEncoder):  # type: ignore[misc]
        """A batch of mteb to rows of the encoder."""

        mteb_model_meta = ModelMeta.create_empty(
            overwrites={
                "name": mteb_name(source.id, repaired=adapter is not None),
                "revision": str(source.revision),
                "embed_dim": int(source.dimension),
                "modalities": sorted(source.modalities),
                "similarity_fn_name": "cosine",
                "framework": ["PyTorch"],
            }
        )

        def __init__(self) -> None:
            self.model = source

        def encode(self, inputs: Any, *, task_metadata: Any, **_: Any) -> Floats:
            """(n, d) rows of the captions, or of the pictures, of all batches."""
            del task_metadata
            rows = [_rows(source, adapter, batch) for batch in inputs]
            return (
                np.concatenate(rows) if rows else np.zeros((0, source.dimension), dtype=np.float32)
            )

    return Model()


def _rows(encoder: Any, adapter: Adapter | None, batch: Any) -> Floats:
    """Rows of one batch."""
    texts, pictures = batch.get("text"), batch.get("image")
    if texts is not None and pictures is not None:
        raise ModalityError(
            f"an item has both a caption and a picture; '{encoder.id}' encodes them apart, so it "
            "has no row for it"
        )
    part = "text" if texts is not None else "image"
    if (texts is None and pictures is None) or part not in encoder.modalities:
        raise ModalityError(
            f"'{encoder.id}' encodes {' and '.join(encoder.modalities)}; the task gives "
            f"{', '.join(batch)}"
        )
    if texts is None:
        seen = [as_seen(picture, f"picture {i} of a batch") for i, picture in enumerate(pictures)]
        return np.asarray(encoder.encode_images(seen), dtype=np.float32)
    values = np.asarray(encoder.encode_texts(list(texts)), dtype=np.float32)
    if adapter is None:
        return values
    return np.asarray(
        adapter(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-30)),
        dtype=np.float32,
    )


@explains_arguments
def mteb_task(scenes: Scenes, name: str | None = None) -> Any:
    """A scene table with pictures as a task of mteb: each picture's caption against the one with
    attributes exchanged.

    Main score `text_acc`, the binding accuracy of arXiv 2502.03566, section 4. mteb lets the true
    caption win a tie; `conceptbind measure` counts a tie as a miss, so a bag of concepts scores 1
    there and 0 here.

    Args:
        scenes: a table whose pictures are there (see `drawing.draw_pictures`), without captions of
            its own.
        name: of the task; made from the table's name by default.

    Raises:
        MissingExtraError: mteb is not installed.
        ModalityError: the scenes have no pictures.
        ValueRangeError: no scene has a swap, or captions came with the table.
    """
    try:
        from datasets import Dataset, DatasetDict, Image
        from mteb import TaskMetadata
        from mteb.abstasks.image.image_text_pair_classification import (
            AbsTaskImageTextPairClassification,
        )
    except ImportError as error:
        raise MissingExtraError("mteb", "mteb", "a task for mteb") from error
    if scenes.images is None:
        raise ModalityError(
            f"the scenes '{scenes.name}' have no pictures; draw them first: conceptbind render "
            f"--scenes {scenes.name}"
        )
    if scenes.written_captions is not None:
        raise ValueRangeError(
            f"the captions of '{scenes.name}' came with the table, so their attributes cannot be "
            "exchanged"
        )
    folder = scenes.image_folder or Path()
    rows: dict[str, list[str]] = {"image": [], "caption": [], "swapped": []}
    for concept in scenes.space.concepts[:-1] or scenes.space.concepts:
        of, tables = attribute_swaps(scenes, concept)
        for row, table in zip(of.tolist(), tables, strict=True):
            rows["image"].append(str(folder / scenes.images[row]))
            rows["caption"].append(scenes.caption(row))
            rows["swapped"].append(
                Scenes(scenes.space, table[None], template=scenes.template).caption(0)
            )
    if not rows["image"]:
        raise ValueRangeError(
            f"no scene of '{scenes.name}' changes when two attributes are exchanged; use scenes of "
            "two different objects"
        )
    title = name or "Binding" + "".join(
        part.capitalize() for part in _slug(scenes.name).replace(".", "-").split("-")
    )

    class Task(AbsTaskImageTextPairClassification):  # type: ignore[misc]
        """Binding on one table."""

        images_column_names = ("image",)
        texts_column_names = ("caption", "swapped")
        metadata = TaskMetadata(
            name=title,
            description="Which colour belongs to which shape? A picture, its caption, and the "
            "caption with attributes exchanged.",
            reference="https://arxiv.org/abs/2502.03566",
            dataset={
                "path": f"conceptbind/{_slug(scenes.name)}",
                "revision": scenes.content_hash[:40],
            },
            type="Compositionality",
            category="i2t",
            modalities=["text", "image"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="text_acc",
            task_subtypes=["Caption Pairing"],
        )

        def load_data(self, num_proc: int | None = None, **_: Any) -> None:
            """The table as a dataset; pictures are opened one by one. Nothing is downloaded."""
            del num_proc
            table = Dataset.from_dict(rows).cast_column("image", Image())
            # mteb would show what hides behind transparency
            self.dataset = DatasetDict({"test": table.with_transform(_seen)})
            self.data_loaded = True

    return Task()


def _seen(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """A batch of a data set with its pictures as every command sees them."""
    seen = dict(batch)
    if "image" in batch:
        seen["image"] = list(map(as_seen, batch["image"]))
    return seen


def mteb_name(encoder: str, *, repaired: bool = False) -> str:
    """What an encoder of this package is called in mteb's results.

    Args:
        encoder: its id.
        repaired: whether captions go through an adapter.
    """
    return f"{OURS}{_slug(encoder)}{REPAIRED if repaired else ''}"


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in name).strip(
        "-"
    )
