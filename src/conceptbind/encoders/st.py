"""`st:` any sentence-transformers model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, ModalityError, UnsafeFileError
from conceptbind.core.limits import require_plain_files
from conceptbind.encoders.batching import BATCH, equal_length_batches
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.captions import settle, too_long
from conceptbind.encoders.options import CPU, Opening
from conceptbind.encoders.weights import (
    folder_revision,
    hub_or_folder_json,
    importing,
    loading,
    one_line,
    quiet_loading,
    to_precision,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image
    from sentence_transformers import SentenceTransformer

    from conceptbind.core.typing import Floats, Modality


class SentenceTransformerEncoder(Brief):
    """A sentence-transformers pipeline as it stands, its own pooling, prompt and normalisation
    included.

    Args:
        name: a folder, or `ORG/NAME` on the hub.
        how: see `Opening`; its device is one of torch.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        FileError: the model cannot be loaded.
        UnsafeFileError: it asks for code of its own, or its weights are a pickle of more than
            tensors.
    """

    def __init__(self, name: str, how: Opening = CPU) -> None:
        what = f"the encoder 'st:{name}'"
        with importing("sentence_transformers", "sentence-transformers", "st", what):
            from sentence_transformers import SentenceTransformer
        self.id, self.long_captions = f"st:{name}", how.long_captions
        folder = Path(name).expanduser()
        local = folder.is_dir()
        if not local and (folder.is_absolute() or name.startswith((".", "~"))):
            raise FileError(
                f"no model folder at {folder}; expected a sentence-transformers folder with "
                "modules.json"
            )
        source = str(require_plain_files(folder)) if local else name
        if not how.trust_remote_code:
            _refuse_own_code(source, local)
        with loading(f"'{self.id}'"):
            model = SentenceTransformer(
                source,
                device=how.device,
                local_files_only=local,
                trust_remote_code=how.trust_remote_code,
            )
            self.dimension = int(_dimension(model))
        config = getattr(model[0], "auto_model", None)
        commit = getattr(getattr(config, "config", None), "_commit_hash", None)
        trusted = how.trust_remote_code
        self.revision = folder_revision(folder, trusted) if local else commit or "unknown"
        self.modalities: tuple[Modality, ...] = ("text",)
        self.details: dict[str, str] = {"precision": how.precision}
        self.longest: int | None = getattr(model, "max_seq_length", None)
        self._prompt = (getattr(model, "prompts", None) or {}).get(
            getattr(model, "default_prompt_name", None) or "", ""
        )
        if self._prompt:
            self.details["text"] = f"after the prompt {self._prompt!r}"
        self._precision = how.precision
        self._model: Any = to_precision(model, how.precision)
        tokenizer = getattr(model, "tokenizer", None)
        # Some pipelines (static vectors, bags of words) have tokenizers of another kind, and pad
        # nothing.
        self._tokenizer = (
            tokenizer if callable(tokenizer) and hasattr(tokenizer, "pad_token") else None
        )
        if self._tokenizer is not None and self._tokenizer.pad_token is None:
            # Captions are read in batches of one length, so that nothing is padded; the library
            # asks for the token all the same.
            self._tokenizer.pad_token = self._tokenizer.eos_token or self._tokenizer.unk_token

    def untrained(self, seed: int = 0) -> SentenceTransformerEncoder | None:
        """The same pipeline with random weights, as its libraries draw them: what probes find there
        owes nothing to training.

        Returns:
            None where a module has weights and no way to draw them.
        """
        import torch

        model = copy.deepcopy(self._model).float()
        with quiet_loading(), torch.random.fork_rng():
            torch.manual_seed(seed)
            if not all(_drawn_again(module) for module in model):
                return None
        twin = copy.copy(self)
        twin._model = to_precision(model, self._precision).eval()
        twin.id, twin.revision = f"{self.id} (random weights)", f"random:{seed}"
        return twin

    def find_long(self, texts: Sequence[str]) -> list[int]:
        """Positions of the captions that are longer than the model reads."""
        if self._tokenizer is None:
            return []
        return too_long([self._prompt + text for text in texts], self.longest, self._lengths)

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, before any is cut off."""
        if self._tokenizer is None:
            return [0] * len(texts)
        return [len(ids) for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Features (n, d), normalised if the pipeline normalises.

        Raises:
            ValueRangeError: a caption is longer than the model reads, and those are to be refused.
        """
        texts = list(texts)
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return rows
        with one_line(f"could not read captions with '{self.id}'"):
            lengths = self._lengths(texts)
        settle(texts, self.find_long(texts), self.longest, self.id, self.long_captions)
        for batch in equal_length_batches(lengths):
            with one_line(f"could not embed captions with '{self.id}'"):
                rows[batch] = self._model.encode(
                    [texts[i] for i in batch], batch_size=BATCH, show_progress_bar=False
                )
        return rows

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Refused: st: reads captions only.

        Raises:
            ModalityError: always.
        """
        raise ModalityError(
            f"'{self.id}' encodes text, not images; for pictures load the model as hf: or "
            "open_clip:"
        )


def _refuse_own_code(source: str, local: bool) -> None:
    """Raise UnsafeFileError where a model asks for modules other than sentence-transformers' own;
    some versions would import them.
    """
    modules = hub_or_folder_json(source, "modules.json", {"local_files_only": local})
    types = (
        [str(module.get("type", "")) for module in modules if isinstance(module, dict)]
        if isinstance(modules, list)
        else []
    )
    foreign = [name for name in types if not name.startswith("sentence_transformers.")]
    if foreign:
        raise UnsafeFileError(
            f"'st:{source}' asks in modules.json for code of its own ({', '.join(foreign)}), which "
            "is not run; if you trust its author, "
            "add --trust-remote-code"
        )


def _drawn_again(module: Any) -> bool:
    """Draw the weights of one module of a pipeline; False where it has some and no way to."""
    towers = [(name, part) for name, part in module.named_children() if hasattr(part, "config")]
    for name, tower in towers:
        fresh = type(tower)(copy.deepcopy(tower.config))
        setattr(module, name, fresh.to(tower.device).eval())
    within = tuple(f"{name}." for name, _ in towers)
    drawn: set[str] = set()
    for path, part in module.named_modules():
        own = {
            f"{path}.{name}" if path else name for name, _ in part.named_parameters(recurse=False)
        }
        if hasattr(part, "reset_parameters") and not f"{path}.".startswith(within):
            part.reset_parameters()
            drawn |= own
    others = (name for name, _ in module.named_parameters() if not name.startswith(within))
    return all(name in drawn for name in others)


def _dimension(model: SentenceTransformer) -> int:
    """Renamed in sentence-transformers 5.3."""
    read = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return int(read())
