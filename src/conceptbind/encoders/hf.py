"""`hf:` any transformers model that embeds texts, pictures, or both (transformers 4 and 5, without torchvision)."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.encoders.batching import equal_length_batches
from conceptbind.encoders.weights import folder_revision, quiet_loading, to_precision
from conceptbind.errors import FileError, MissingExtraError, ModalityError, ValueRangeError
from conceptbind.files import read_json

if TYPE_CHECKING:
    from PIL.Image import Image

    from conceptbind.typing import Floats, Modality, Precision


class HuggingFaceEncoder:
    """A transformers model as an encoder of raw features.

    Dual models (CLIP, SigLIP) give their projected features. Text models are pooled as their `1_Pooling/config.json` says, by the mean
    over tokens where there is none. Vision transformers give their class token.

    Args:
        name: a folder written by `save_pretrained`, or `ORG/NAME` or `ORG/NAME@REVISION` on the hub.
        precision: of the weights.
        device: where torch computes.

    Raises:
        MissingExtraError: transformers is not installed.
        FileError: the folder or the model cannot be loaded.
    """

    def __init__(self, name: str, precision: Precision = "float32", device: str = "cpu") -> None:
        try:
            import transformers
        except ImportError as error:
            raise MissingExtraError("transformers", "hf", f"the encoder 'hf:{name}'") from error
        self.id = f"hf:{name}"
        folder = Path(name).expanduser()
        if not folder.is_dir() and (folder.is_absolute() or name.startswith(".")):
            raise FileError(f"no model folder at {folder}; expected one written by save_pretrained, with config.json and weights")
        source, _, revision = (str(folder), "", "") if folder.is_dir() else name.partition("@")
        options: dict[str, Any] = {"local_files_only": folder.is_dir()} | ({"revision": revision} if revision else {})
        try:
            with quiet_loading():
                config = transformers.AutoConfig.from_pretrained(source, **options)
                model = transformers.AutoModel.from_pretrained(source, use_safetensors=True, **options)
        except (OSError, ValueError) as error:
            raise FileError(f"could not load '{self.id}': {str(error).splitlines()[0]}") from error
        self.revision = folder_revision(folder) if folder.is_dir() else getattr(config, "_commit_hash", None) or "unknown"
        self._dual = hasattr(model, "get_text_features") and hasattr(model, "get_image_features")
        reads_text = self._dual or model.main_input_name == "input_ids"
        self.modalities: tuple[Modality, ...] = ("text", "image") if self._dual else ("text",) if reads_text else ("image",)
        self.details: dict[str, str] = {"precision": precision, "architecture": type(model).__name__}
        self._device = device
        if "text" in self.modalities:
            self._tokenizer = self._load_tokenizer(transformers, source, options)
        with quiet_loading():
            if "text" in self.modalities:
                text_config = getattr(config, "text_config", config)
                self._longest = int(getattr(text_config, "max_position_embeddings", 512))
                self._padded = config.model_type.startswith("siglip")  # trained on captions padded to full length
            if "image" in self.modalities:
                # The slow processors need Pillow and numpy only; newer ones default to torchvision.
                self._processor = _image_processor(transformers, source, options)
        if not self._dual and reads_text:
            self.details["pooling"] = _pooling(transformers, source, options)
        activation = getattr(getattr(config, "text_config", config), "hidden_act", None)
        if activation:
            self.details["activation"] = str(activation)
        width = getattr(config, "projection_dim", None) if self._dual else None
        text_width = getattr(getattr(config, "text_config", config), "hidden_size", 0)
        self.dimension = int(width or text_width)
        self._model = to_precision(model, precision).to(device).eval()

    def _load_tokenizer(self, transformers: Any, source: str, options: dict[str, Any]) -> Any:
        """The model's tokenizer. transformers 5 makes an empty one up where a folder has none, which would give every caption one vector."""
        try:
            with quiet_loading():
                tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
        except (OSError, ValueError, TypeError) as error:
            raise FileError(f"could not load the tokenizer of '{self.id}': {str(error).splitlines()[0]}") from error
        if len(tokenizer) <= len(tokenizer.all_special_ids):
            raise FileError(
                f"'{self.id}' has no tokenizer: its vocabulary holds only special tokens; save the tokenizer beside the model (tokenizer.json)"
            )
        return tokenizer

    def untrained(self, seed: int = 0) -> HuggingFaceEncoder:
        """The same architecture with random weights, as transformers draws them: what probes find there owes nothing to training."""
        import torch
        import transformers

        twin = copy.copy(self)
        with quiet_loading(), torch.random.fork_rng():
            torch.manual_seed(seed)
            model = transformers.AutoModel.from_config(self._model.config)
        twin._model = to_precision(model, self.details["precision"]).to(self._device).eval()  # type: ignore[arg-type]
        twin.id, twin.revision = f"{self.id} (random weights)", f"random:{seed}"
        return twin

    def trainable(self) -> HuggingFaceEncoder:
        """A copy with weights of its own in float32, for `finetune`; training it leaves this encoder as it is.

        Raises:
            ModalityError: the model has one tower only.
        """
        if not self._dual:
            raise ModalityError(
                f"'{self.id}' encodes {' and '.join(self.modalities)} only, so it cannot be fine-tuned on pictures with captions; "
                "use tiny, tiny-bound, tiny-bag, or hf:NAME with a picture and a caption tower (CLIP, SigLIP)"
            )
        twin = copy.copy(self)
        twin._model = copy.deepcopy(self._model).float()
        twin.details = {**self.details, "precision": "float32"}
        return twin

    @property
    def module(self) -> Any:
        """Both towers."""
        return self._model

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each caption; raises as `encode_texts` does."""
        padding: dict[str, Any] = {"padding": "max_length", "max_length": self._longest} if self._padded else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: list[list[int]] = self._tokenizer(list(texts), **padding)["input_ids"]
        for text, ids in zip(texts, found, strict=True):
            if len(ids) > self._longest:
                raise ValueRangeError(f"a caption has {len(ids)} tokens, but '{self.id}' reads {self._longest}: {text!r}")
        return found

    def pixels(self, images: Sequence[Image]) -> Any:
        """(n, 3, s, s) prepared RGB pictures."""
        return self._processor(images=list(images), return_tensors="pt")["pixel_values"]

    def text_features(self, ids: Any) -> Any:
        """(b, t) -> (b, d), with gradients."""
        return self._text_features(ids)

    def image_features(self, pixels: Any) -> Any:
        """(b, 3, s, s) -> (b, d), with gradients."""
        return _tensor(self._model.get_image_features(pixel_values=pixels))

    def write(self, folder: Path) -> None:
        """A folder with these weights as safetensors, that `hf:` and transformers read."""
        with quiet_loading():
            for part in (self._model, self._tokenizer, self._processor):
                part.save_pretrained(folder)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Raw features (n, d).

        Raises:
            ModalityError: the model reads no text.
            ValueRangeError: a caption is longer than the model reads.
        """
        import torch

        if "text" not in self.modalities:
            raise ModalityError(f"'{self.id}' encodes {' and '.join(self.modalities)}, not text")
        padding: dict[str, Any] = {"padding": "max_length", "max_length": self._longest} if self._padded else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokens = self._tokenizer(list(texts), **padding)["input_ids"]
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch in equal_length_batches([len(ids) for ids in tokens]):
            if len(tokens[batch[0]]) > self._longest:
                raise ValueRangeError(
                    f"a caption has {len(tokens[batch[0]])} tokens, but '{self.id}' reads {self._longest}: "
                    f"{texts[batch[0]]!r}; use a shorter template or fewer objects"
                )
            ids = torch.tensor([tokens[i] for i in batch], device=self._device)
            with torch.inference_mode():
                features = self._text_features(ids)
            rows[batch] = features.float().cpu().numpy()
        return rows

    def _text_features(self, ids: Any) -> Any:
        if self._dual:
            return _tensor(self._model.get_text_features(input_ids=ids))
        hidden = self._model(input_ids=ids).last_hidden_state  # (b, t, d); batches of one length need no mask
        return hidden[:, 0] if self.details["pooling"] == "cls" else hidden.mean(dim=1)

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Raw features (n, d) of RGB pictures.

        Raises:
            ModalityError: the model reads no pictures.
        """
        import torch

        if "image" not in self.modalities:
            raise ModalityError(f"'{self.id}' encodes {' and '.join(self.modalities)}, not images")
        rows = []
        for start in range(0, len(images), 32):
            pixels = self._processor(images=list(images[start : start + 32]), return_tensors="pt")["pixel_values"]
            with torch.inference_mode():
                pixels = pixels.to(self._device, self._model.dtype)
                if self._dual:
                    features = _tensor(self._model.get_image_features(pixel_values=pixels))
                else:
                    output = self._model(pixel_values=pixels)
                    hidden = output.last_hidden_state
                    features = hidden[:, 0] if hidden.ndim == 3 else output.pooler_output.flatten(1)
            rows.append(features.float().cpu().numpy())
        return np.concatenate(rows)


def _tensor(output: Any) -> Any:
    """Transformers 4 returns the projected features, version 5 an object that holds them."""
    return getattr(output, "pooler_output", output)


def _image_processor(transformers: Any, source: str, options: dict[str, Any]) -> Any:
    try:
        return transformers.AutoImageProcessor.from_pretrained(source, backend="pil", **options)
    except TypeError:  # transformers 4
        return transformers.AutoImageProcessor.from_pretrained(source, use_fast=False, **options)


def _pooling(transformers: Any, source: str, options: dict[str, Any]) -> str:
    """How token vectors become one, as `1_Pooling/config.json` says, in a folder or on the hub; the mean where there is none."""
    found = transformers.utils.cached_file(
        source, "1_Pooling/config.json", _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False,
        **options,
    )  # fmt: skip
    if found is None:
        return "mean"
    path = Path(found)
    config = read_json(path)
    chosen = config.get("pooling_mode") or next(
        (key for key, on in config.items() if key.startswith("pooling_mode") and on is True), ""
    )
    modes = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "mean": "mean", "cls": "cls", "": "mean"}
    if chosen not in modes:
        raise FileError(f"{path} asks for the pooling '{chosen}', which hf: does not know; load the model as st:{source}")
    return modes[chosen]
