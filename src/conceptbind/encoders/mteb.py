"""`mteb:NAME`, the models of mteb's own registry, asked as mteb asks them.

mteb decides the prompt: by the task, and by whether a text is a query or a document. Both are
options of the name and stand in the provenance, with the prompt where the model's wrapper tells it.
"""

from __future__ import annotations

import difflib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import (
    ModalityError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
    cut,
    nearest,
)
from conceptbind.encoders.asked import split_name
from conceptbind.encoders.batching import BATCH, PICTURES
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.options import CPU, Opening
from conceptbind.encoders.st import refuse_own_code
from conceptbind.encoders.weights import importing, loading, one_line
from conceptbind.encoders.width import asked_width

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

    from conceptbind.core.typing import Floats, Modality

TASK = "STSBenchmark"
"""Whose prompt is used where none is named: two texts are compared, neither of which is a query."""
NEAR = 5
"""Names that are told for one that is not known."""
PLAIN = frozenset(
    {
        "SentenceTransformerEncoderWrapper",
        "SentenceTransformerMultimodalEncoderWrapper",
        "InstructSentenceTransformerModel",
    }
)
"""mteb's loaders that hand everything to sentence-transformers, so that code of a model is run only
where they are told to trust it."""


class MtebEncoder(Brief):
    """A model of mteb's registry.

    Args:
        name: of the registry, such as `intfloat/multilingual-e5-small`; `?task=NAME` takes the
            prompt of another of mteb's tasks than `TASK`, `?prompt_type=query` (or `document`) that
            of queries or documents.
        how: see `Opening`; its device is one of torch. The precision is the loader's business.

    Raises:
        MissingExtraError: mteb is not installed.
        UnknownNameError: no such model, task or prompt type; names the nearest.
        ModalityError: the model does not give one vector for a caption or a picture.
        UnsafeFileError: its loader may run code that the model brings, and nobody consented.
        FileError: it cannot be loaded.
    """

    def __init__(self, name: str, how: Opening = CPU) -> None:
        with importing("mteb", "mteb", "mteb", f"the encoder 'mteb:{name}'"):
            import mteb
        self.id = f"mteb:{name}"
        _refuse_what_mteb_decides(how, self.id)
        name, asked = split_name(name, ("task", "prompt_type"), "mteb")
        meta = _registered(name)
        self.modalities: tuple[Modality, ...] = _modalities(meta, self.id)
        trusting = _trusting(meta)
        if not how.trust_remote_code:
            if trusting:
                raise UnsafeFileError(
                    f"'{self.id}' is loaded by mteb in a way that may run Python code which the "
                    "model brings; if you trust its author, add --trust-remote-code"
                )
            refuse_own_code(name, Path(name).is_dir())
        self._task = _task_of(asked.get("task", TASK))
        self._kind = _prompt_type(asked.get("prompt_type"))
        with loading(f"'{self.id}'"), _quiet():
            self._model: Any = meta.load_model(device=how.device)
        self.revision = str(meta.revision or f"unknown, mteb {mteb.__version__}")
        self.details: dict[str, str] = {
            "precision": _precision_of(self._model),
            "mteb": f"task {self._task.name}, prompt type {asked.get('prompt_type', 'none')}",
            "text": self._told_prompt(),
            "loader": type(self._model).__name__,
        }
        self.dimension = asked_width(
            lambda item, part: self._asked([item], part), self.modalities, self.id
        )

    def _told_prompt(self) -> str:
        """The prompt that the model's wrapper chooses, where it tells."""
        with _quiet():
            instruct = getattr(self._model, "get_task_instruction", None)
            if getattr(self._model, "instruction_template", None) is not None and instruct:
                said = instruct(self._task, self._kind)
                spared = not getattr(self._model, "apply_instruction_to_passages", True)
                document = self._kind is not None and self._kind.value == "document"
                said = "" if spared and document else said
            else:
                prompts = getattr(self._model, "model_prompts", None) or {}
                find = getattr(self._model, "get_prompt_name", None)
                said = prompts.get(find(self._task, self._kind) if find else None, "")
        return f"after the prompt {said!r}" if said else "without a prompt of mteb's"

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Rows (n, d) as mteb's own call gives them.

        Raises:
            ModalityError: the model reads no text.
        """
        return self._rows(list(texts), "text")

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Rows (n, d) of RGB pictures as mteb's own call gives them.

        Raises:
            ModalityError: the model reads no pictures.
        """
        return self._rows(list(images), "image")

    def _rows(self, items: list[Any], part: Modality) -> Floats:
        if part not in self.modalities:
            what = " and ".join(self.modalities)
            refused = "images" if part == "image" else "text"
            raise ModalityError(f"'{self.id}' encodes {what}, not {refused}")
        if not items:
            return np.empty((0, self.dimension), dtype=np.float32)
        rows: Floats = self._asked(items, part)
        return rows

    def _asked(self, items: list[Any], part: Modality) -> Any:
        """What mteb's call gives for n >= 1 items, as an array."""
        from torch.utils.data import DataLoader

        size = BATCH if part == "text" else PICTURES
        held: Any = _Items(items, part)
        batches: Any = DataLoader(held, batch_size=size, collate_fn=_joined)
        with one_line(f"could not embed with '{self.id}'"), _quiet():
            found = self._model.encode(
                batches,
                task_metadata=self._task,
                hf_split="test",
                hf_subset="default",
                prompt_type=self._kind,
                batch_size=size,
                show_progress_bar=False,
            )
            detach = getattr(found, "detach", None)
            return np.asarray(detach().float().cpu() if detach else found, dtype=np.float32)


class _Items:
    """Captions or pictures as a data set: mteb's wrappers look at its columns."""

    def __init__(self, items: list[Any], part: Modality) -> None:
        self._items, self._part = items, part
        self.features = {part: None}
        self.column_names = [part]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, at: int) -> dict[str, Any]:
        return {self._part: self._items[at]}


def _joined(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: list(map(itemgetter(key), rows)) for key in rows[0]}


def _refuse_what_mteb_decides(how: Opening, name: str) -> None:
    """Raise ValueRangeError for options that cannot be kept."""
    if how.precision != "float32":
        raise ValueRangeError(
            f"the precision of '{cut(name)}' is what mteb's loader chooses; leave --precision out, "
            "or load the model as st: or hf:"
        )
    if how.long_captions == "refuse":
        raise ValueRangeError(
            f"--long-captions refuse cannot be kept with '{cut(name)}': mteb does not tell how "
            "many tokens are read; load the model as st: or hf:"
        )


def _registered(name: str) -> Any:
    """What mteb's registry knows of a model; the hub is not asked."""
    import mteb

    try:
        with _quiet():
            return mteb.get_model_meta(name, fetch_from_hf=False)
    except KeyError as error:
        known = {str(meta.name) for meta in mteb.get_model_metas()}
        # thousands of models, many of which begin alike
        near = difflib.get_close_matches(name[:200], sorted(known), n=NEAR, cutoff=0)
        raise UnknownNameError(
            f"mteb's registry has no model '{cut(name)}'; its nearest names are {', '.join(near)}"
        ) from error


def _modalities(meta: Any, name: str) -> tuple[Modality, ...]:
    """Which of captions and pictures a model of the registry embeds, a vector each.

    Raises:
        ModalityError: neither, or it is no such model.
    """
    kinds = list(getattr(meta, "model_type", None) or ["dense"])
    known: tuple[Modality, ...] = ("text", "image")
    found = tuple(part for part in known if part in meta.modalities)
    if "dense" not in kinds or not found:
        raise ModalityError(
            f"'{cut(name)}' is in mteb's registry as {', '.join(kinds)} for "
            f"{', '.join(meta.modalities)}; expected a dense model of text or images"
        )
    return found


def _trusting(meta: Any) -> bool:
    """Whether loading may run code that a model brings: its loader is told to trust it, or is one
    of its own, which may do anything.
    """
    loader = getattr(meta.loader, "__name__", "")
    own = not str(getattr(meta.loader, "__module__", "")).startswith("mteb.models.")
    told = dict(meta.loader_kwargs or {}).get("trust_remote_code", False)
    return bool(told) or own or loader not in PLAIN


def _task_of(name: str) -> Any:
    """What mteb knows of one of its tasks; none of its data is loaded."""
    import mteb

    try:
        with _quiet():
            return mteb.get_task(name).metadata
    except KeyError as error:
        raise UnknownNameError(
            f"mteb has no task '{cut(name)}'; expected one of its names, such as {TASK}"
        ) from error


def _prompt_type(name: str | None) -> Any:
    """The word of mteb for queries or documents."""
    from mteb.types import PromptType

    if name is None:
        return None
    known = [part.value for part in PromptType]
    if name not in known:
        raise UnknownNameError(f"mteb has no prompt type '{cut(name)}'; {nearest(name, known)}")
    return PromptType(name)


def _precision_of(model: Any) -> str:
    """The number format of the loaded weights, where the wrapper shows them."""
    inner = getattr(model, "model", None)
    parameters = getattr(inner, "parameters", None)
    first = next(iter(parameters()), None) if callable(parameters) else None
    return "as its loader chooses" if first is None else str(first.dtype).removeprefix("torch.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without mteb's notices of the prompts that it takes: the provenance says so."""
    logger = logging.getLogger("mteb")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
