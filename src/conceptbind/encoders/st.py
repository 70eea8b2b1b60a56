"""`st:` any sentence-transformers model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.encoders.batching import BATCH, equal_length_batches
from conceptbind.encoders.weights import folder_revision, quiet_loading, to_precision
from conceptbind.errors import FileError, MissingExtraError, ModalityError, UnsafeFileError
from conceptbind.files import read_json

if TYPE_CHECKING:
    from PIL.Image import Image

    from conceptbind.typing import Floats, Modality, Precision


class SentenceTransformerEncoder:
    """A sentence-transformers pipeline as it stands, its own pooling and normalisation included.

    Args:
        name: a folder, or `ORG/NAME` on the hub.
        precision: of the weights.
        device: where torch computes.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        FileError: the model cannot be loaded.
    """

    def __init__(self, name: str, precision: Precision = "float32", device: str = "cpu") -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError("sentence-transformers", "st", f"the encoder 'st:{name}'") from error
        self.id = f"st:{name}"
        folder = Path(name).expanduser()
        local = folder.is_dir()
        if not local and (folder.is_absolute() or name.startswith(".")):
            raise FileError(f"no model folder at {folder}; expected a sentence-transformers folder with modules.json")
        if local:
            _refuse_own_code(folder)
        try:
            with quiet_loading():
                model = SentenceTransformer(str(folder) if local else name, device=device, local_files_only=local)
        except (OSError, ValueError) as error:
            raise FileError(f"could not load '{self.id}': {str(error).splitlines()[0]}") from error
        config = getattr(model[0], "auto_model", None)
        commit = getattr(getattr(config, "config", None), "_commit_hash", None)
        self.revision = folder_revision(folder) if local else commit or "unknown"
        self.modalities: tuple[Modality, ...] = ("text",)
        self.dimension = int(_dimension(model))
        self.details: dict[str, str] = {"precision": precision}
        self._model: Any = to_precision(model, precision)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Features (n, d), normalised if the pipeline normalises."""
        texts = list(texts)
        tokens = self._model.tokenizer(texts)["input_ids"]
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch in equal_length_batches([len(ids) for ids in tokens]):
            rows[batch] = self._model.encode([texts[i] for i in batch], batch_size=BATCH, show_progress_bar=False)
        return rows

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Refused: st: reads captions only.

        Raises:
            ModalityError: always.
        """
        raise ModalityError(f"'{self.id}' encodes text, not images; for pictures load the model as hf: or open_clip:")


def _refuse_own_code(folder: Path) -> None:
    """Raise UnsafeFileError where a folder asks for modules other than sentence-transformers' own; some versions would run them."""
    path = folder / "modules.json"
    if not path.is_file():
        return
    modules = read_json(path)
    types = [str(module.get("type", "")) for module in modules if isinstance(module, dict)] if isinstance(modules, list) else []
    foreign = [name for name in types if not name.startswith("sentence_transformers.")]
    if foreign:
        raise UnsafeFileError(
            f"{path} asks for code of its own ({', '.join(foreign)}), which is not run; wrap the model as py:module:factory"
        )


def _dimension(model: Any) -> int:
    """Renamed in sentence-transformers 5.3."""
    read = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return int(read())
