"""`hf:` transformers models that embed captions, pictures, or both (transformers 4 and 5, without
torchvision).
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, ModalityError, ValueRangeError, quoted
from conceptbind.core.limits import require_plain_files, require_tensors
from conceptbind.encoders.asked import chosen_prompt, split_name
from conceptbind.encoders.batching import InBatches, equal_length_batches
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.captions import known_words, settle, too_long
from conceptbind.encoders.families import (
    BY_SIGHT,
    POOLINGS,
    SIGLIP,
    family_of,
    sees_what_follows,
    unknown_family,
)
from conceptbind.encoders.options import CPU, Opening
from conceptbind.encoders.told import pictures_told
from conceptbind.encoders.weights import (
    computing,
    folder_revision,
    hub_or_folder_json,
    importing,
    loading,
    one_line,
    quiet_loading,
    to_precision,
)

if TYPE_CHECKING:
    from types import ModuleType

    from jaxtyping import Float, Int, Shaped
    from PIL.Image import Image
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from transformers.utils import ModelOutput

    from conceptbind.core.typing import Floats, Modality

ENDLESS = 1_000_000
"""A tokenizer's `model_max_length` above this is transformers' way to say that it knows none."""


class HuggingFaceEncoder(InBatches, Brief):
    """A transformers model as an encoder of raw features: what the model's author calls its
    embedding, see `families`.

    Dual models (CLIP, SigLIP) give their projected features. Text models are pooled as their
    `1_Pooling/config.json` says; where there is none, by the mean over tokens, or by the last token
    where tokens see only those before them. Picture models give what they pool, or their class
    token where that is their representation.

    Args:
        name: a folder written by `save_pretrained`, or `ORG/NAME` or `ORG/NAME@REVISION` on the
            hub; `?prompt=TEXT` puts a text before every caption, and `?prompt_name=NAME` one of
            its sentence-transformers files.
        how: see `Opening`; its device is one of torch.

    Raises:
        MissingExtraError: transformers is not installed.
        FileError: the folder or the model cannot be loaded, or lacks weights that its features
            need.
        UnsafeFileError: the weights are a pickle of more than tensors.
        ModalityError: its family has no embedding that is known here.
    """

    def __init__(self, name: str, how: Opening = CPU) -> None:
        with importing("transformers", "transformers", "hf", f"the encoder 'hf:{name}'"):
            import transformers
        self.id, self.long_captions, self._device = f"hf:{name}", how.long_captions, how.device
        name, asked = split_name(name, ("prompt", "prompt_name"), "hf")
        source, options = _source(name)
        options["trust_remote_code"] = how.trust_remote_code
        with loading(f"'{self.id}'"):
            config = transformers.AutoConfig.from_pretrained(source, **options)
        with one_line(f"could not read the sentence-transformers files of '{self.id}'"):
            pipeline = _Pipeline.of(source, options, self.id, asked)
        foreign = how.trust_remote_code and bool(getattr(config, "auto_map", None))
        self._family = family_of(config, pipeline.pooling, self.id, foreign)
        if config.model_type == "vit_mae":
            config.mask_ratio = (
                0.0  # pre-training hides three quarters of each picture, others every time
            )
        with loading(f"'{self.id}'"):
            model, missing = _load(
                getattr(transformers, self._family.loader), config, source, options
            )
        # sound, in families that some versions mix
        if self._family.modalities == ("text",) and model.main_input_name != "input_ids":
            raise unknown_family(self.id, config.model_type)
        self.modalities: tuple[Modality, ...] = self._family.modalities
        self.details: dict[str, str] = {
            "precision": how.precision,
            "architecture": type(model).__name__,
        }
        self._model = to_precision(model, how.precision).to(how.device).eval()
        self.longest: int | None = None
        names = (
            self._open_text(transformers, config, source, options, pipeline)
            if "text" in self.modalities
            else ()
        )
        if self._family.pooling == BY_SIGHT:
            self._family = replace(self._family, pooling=self._pooling_by_sight())
        if "image" in self.modalities:
            self._open_image(transformers, config, source, options)
            if "pixel_mask" in self._reads("image"):  # a picture is padded to others of its batch
                self.picture_batch = 0
        if self._family.pooling != "features":
            self.details["pooling"] = self._family.pooling
        activation = getattr(getattr(config, "text_config", config), "hidden_act", None)
        if activation:
            self.details["activation"] = str(activation)
        local = options["local_files_only"]
        self.revision = (
            folder_revision(Path(source), how.trust_remote_code, names)
            if local
            else getattr(config, "_commit_hash", None) or "unknown"
        )
        self.dimension = self._asked_dimension(missing)

    def _open_text(
        self,
        transformers: ModuleType,
        config: PretrainedConfig,
        source: str,
        options: dict[str, Any],
        pipeline: _Pipeline,
    ) -> tuple[str, ...]:
        """Load the tokenizer and settle what is done to captions; returns the names of the
        tokenizer's files.
        """
        self._tokenizer = self._load_tokenizer(transformers, source, options)
        self.longest = _longest(self._model, config, self._tokenizer, pipeline.longest)
        self._padded = config.model_type in SIGLIP and self.longest is not None
        self._lower = pipeline.lower or _needs_lower_case(config, self._tokenizer)
        self._prompt = pipeline.prompt
        done = [f"after the prompt {self._prompt!r}"] if self._prompt else []
        done += ["lower case"] if self._lower else []
        if self.longest is not None:
            how = "padded to" if self._padded else "at most"
            done.append(f"{how} {self.longest} tokens")
        self.details |= {"text": ", ".join(done)} if done else {}
        return tuple((getattr(self._tokenizer, "vocab_files_names", None) or {}).values())

    def _pooling_by_sight(self) -> str:
        ids = self._tokenize(["a red circle and a blue square"])["input_ids"][0]
        with one_line(f"could not embed captions with '{self.id}'"):
            return "mean" if sees_what_follows(self._model, ids) else "lasttoken"

    def _open_image(
        self,
        transformers: ModuleType,
        config: PretrainedConfig,
        source: str,
        options: dict[str, Any],
    ) -> None:
        """Load the picture processor.

        Raises:
            FileError: there is none, or it is empty.
        """
        if (
            options["local_files_only"]
            and hub_or_folder_json(source, "preprocessor_config.json", options) == {}
        ):
            raise FileError(
                f"{Path(source) / 'preprocessor_config.json'} is empty; save the image processor "
                "beside the model"
            )
        with loading(f"the picture processor of '{self.id}'"):
            # The slow processors need Pillow and numpy only; newer ones default to torchvision.
            self._processor = _image_processor(transformers, source, options)
        done = [pictures_told(self._processor.to_dict())]
        if config.model_type == "xclip":
            done.append(f"each as a video of {_frames(config)} equal frames")
        self.details["pictures"] = ", ".join(part for part in done if part) or "not told"

    def _load_tokenizer(
        self, transformers: ModuleType, source: str, options: dict[str, Any]
    ) -> Any:
        """The model's tokenizer. transformers 5 makes an empty one up where a folder has none,
        which would give every caption one vector.
        """
        with loading(f"the tokenizer of '{self.id}'"):
            tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
            if not callable(tokenizer):
                raise FileError(
                    f"'{self.id}' has no tokenizer that can be called: transformers gives a "
                    f"{type(tokenizer).__name__}"
                )
            empty = len(tokenizer) <= len(tokenizer.all_special_ids)
        if empty:
            raise FileError(
                f"'{self.id}' has no tokenizer: its vocabulary holds only special tokens; save the "
                "tokenizer beside the model (tokenizer.json)"
            )
        return tokenizer

    def _asked_dimension(self, missing: Sequence[str]) -> int:
        """The width of a row, from a caption and a picture; and whether every weight that makes it
        was in the checkpoint.

        Raises:
            FileError: weights are missing, so that the features would be random.
            ModalityError: captions and pictures have different widths.
        """
        import torch
        from PIL import Image as Pillow

        made = {}
        with loading(f"'{self.id}'"), torch.set_grad_enabled(bool(missing)):
            if "text" in self.modalities:
                ids = self._tokenize(["a red circle"])
                made["text"] = self._text_vectors(
                    {key: torch.tensor(rows, device=self._device) for key, rows in ids.items()}
                )
            if "image" in self.modalities:
                picture = Pillow.effect_noise((64, 64), 64).convert("RGB")
                made["image"] = self._image_vectors(self.prepare_images([picture]), 1)
            absent = _absent(self._model, missing, list(made.values())) if missing else []
        if absent:
            more = f" and {len(absent) - 1} others" if len(absent) > 1 else ""
            raise FileError(
                f"'{self.id}' lacks weights that its features need ({absent[0]}{more}), so they "
                "would be random; use a checkpoint of the whole model, or one of this tower alone"
            )
        widths = {part: tuple(rows.shape[1:]) for part, rows in made.items()}
        if len(set(widths.values())) != 1 or len(next(iter(widths.values()))) != 1:
            shapes = ", ".join(
                f"{part} {'x'.join(map(str, shape))}" for part, shape in widths.items()
            )
            raise ModalityError(
                f"'{self.id}' does not give one vector of one width for each caption and picture "
                f"({shapes})"
            )
        return int(next(iter(widths.values()))[0])

    def untrained(self, seed: int = 0) -> HuggingFaceEncoder:
        """The same architecture with random weights, as transformers draws them: what probes find
        there owes nothing to training.
        """
        import torch

        twin = copy.copy(self)
        with quiet_loading(), torch.random.fork_rng():
            torch.manual_seed(seed)
            model = type(self._model)(copy.deepcopy(self._model.config))
        twin._model = to_precision(model, self.details["precision"]).to(self._device).eval()  # type: ignore[arg-type]
        twin.id, twin.revision = f"{self.id} (random weights)", f"random:{seed}"
        return twin

    def trainable(self, modality: Modality | None = None) -> HuggingFaceEncoder:
        """A copy with weights of its own in float32; training it leaves this encoder as it is.

        Args:
            modality: the tower that will be trained; None for both.

        Raises:
            ModalityError: the model has no such tower, or its pictures are more than one tensor.
        """
        if modality is None and self.modalities != ("text", "image"):
            raise ModalityError(
                f"'{self.id}' encodes {' and '.join(self.modalities)} only, so it cannot be "
                "fine-tuned on pictures with captions; "
                "use tiny, tiny-bound, tiny-bag, or hf:NAME with a picture and a caption tower "
                "(CLIP, SigLIP)"
            )
        if self._model.config.model_type in ("siglip2", "xclip"):
            raise ModalityError(
                f"'{self.id}' cannot be fine-tuned here: its pictures are prepared as more than "
                "one square tensor; use a CLIP or SigLIP of a fixed size"
            )
        twin = self.with_module(copy.deepcopy(self._model).float())
        twin.details = {**self.details, "precision": "float32"}
        return twin

    def with_module(self, module: Any) -> HuggingFaceEncoder:
        """The same encoder with a module of the same architecture and other weights."""
        twin = copy.copy(self)
        twin._model = module
        return twin

    @property
    def module(self) -> Any:
        """Both towers."""
        return self._model

    def find_long(self, texts: Sequence[str]) -> list[int]:
        """Positions of the captions that are longer than the model reads."""
        return too_long(
            self._as_read(texts),
            self.longest,
            lambda some: [len(ids) for ids in self._tokenizer(some, verbose=False)["input_ids"]],
        )

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Whether the vocabulary has every word of each caption."""
        return known_words(self._tokenizer, self._as_read(texts))

    def _as_read(self, texts: Sequence[str]) -> list[str]:
        """Captions with the prompt before them, in lower case where the model was trained so."""
        whole = [self._prompt + text for text in texts]
        return [text.lower() for text in whole] if self._lower else whole

    def _tokenize(self, texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """What the model reads of each caption, by the names of its inputs."""
        options: dict[str, Any] = (
            {} if self.longest is None else {"truncation": True, "max_length": self.longest}
        )
        options |= {"padding": "max_length"} if self._padded else {}
        with one_line(f"could not read captions with '{self.id}'"):
            found = self._tokenizer(self._as_read(texts), **options)
        return {
            key: found[key]
            for key in found
            if key == "input_ids" or (key in self._reads("text") and not self._padded)
        }

    def _reads(self, modality: Modality) -> frozenset[str]:
        """The inputs that the model takes."""
        call = (
            self._model.forward
            if self._family.pooling != "features"
            else _features(self._model, modality)
        )
        return frozenset(inspect.signature(call).parameters)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each caption; long ones are cut or refused as in `encode_texts`."""
        settle(texts, self.find_long(texts), self.longest, self.id, self.long_captions)
        return self._tokenize(texts)["input_ids"]

    def pixels(self, images: Sequence[Image]) -> Float[Tensor, "pictures ..."]:
        """(n, 3, s, s) prepared RGB pictures."""
        return self.prepare_images(images)["pixel_values"]

    def text_features(self, ids: Int[Tensor, "captions tokens"]) -> Float[Tensor, "captions width"]:
        """(b, t) -> (b, d), with gradients."""
        return self._text_vectors({"input_ids": ids})

    def image_features(
        self, pixels: Float[Tensor, "pictures ..."]
    ) -> Float[Tensor, "pictures width"]:
        """(b, 3, s, s) -> (b, d), with gradients."""
        return self._image_vectors({"pixel_values": pixels}, len(pixels))

    def write(self, folder: Path) -> None:
        """A folder with these weights as safetensors, that `hf:` and transformers read."""
        with quiet_loading():
            self._model.save_pretrained(folder)
            if "text" in self.modalities:
                self._tokenizer.save_pretrained(folder)
            if "image" in self.modalities:
                self._processor.save_pretrained(folder)

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Raw features (n, d).

        Raises:
            ModalityError: the model reads no text.
            ValueRangeError: a caption is longer than the model reads, and those are to be refused.
        """
        import torch

        if "text" not in self.modalities:
            raise ModalityError(f"'{self.id}' encodes {' and '.join(self.modalities)}, not text")
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        if not len(texts):
            return rows
        settle(texts, self.find_long(texts), self.longest, self.id, self.long_captions)
        tokens = self._tokenize(texts)
        for batch in equal_length_batches([len(ids) for ids in tokens["input_ids"]]):
            inputs = {}
            for key, values in tokens.items():
                inputs[key] = torch.tensor([values[i] for i in batch], device=self._device)
            if inputs["input_ids"].shape[1] == 0:
                raise ValueRangeError(
                    f"the caption {quoted(texts[batch[0]])} has no token that '{self.id}' knows"
                )
            with one_line(f"could not embed captions with '{self.id}'"), self._computing():
                rows[batch] = self._text_vectors(inputs).float().cpu().numpy()
        return rows

    def _text_vectors(self, inputs: dict[str, Any]) -> Any:
        """(b, d) of captions of one length, so that none is padded (SigLIP's are, as in its
        training).
        """
        if self._family.pooling == "features":
            return self._common(_features(self._model, "text")(**inputs))
        return self._family.vector(self._model(**inputs))

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Raw features (n, d) of RGB pictures.

        Raises:
            ModalityError: the model reads no pictures.
        """
        if "image" not in self.modalities:
            raise ModalityError(f"'{self.id}' encodes {' and '.join(self.modalities)}, not images")
        return super().encode_images(images)

    def encode_prepared(
        self, prepared: dict[str, Shaped[Tensor, "pictures ..."]]
    ) -> Float[Floats, "pictures width"]:
        """See `typing.Prepares`."""
        n = len(next(iter(prepared.values())))
        with one_line(f"could not embed pictures with '{self.id}'"), self._computing():
            found: Floats = self._image_vectors(prepared, n).float().cpu().numpy()
            return found

    def _computing(self) -> AbstractContextManager[None]:
        return computing(self.details["precision"], self._device)

    def prepare_images(self, images: Sequence[Image]) -> dict[str, Shaped[Tensor, "pictures ..."]]:
        """All that the processor returns and the model takes: of NaFlex models also the mask and
        the shapes of the patches.
        """
        with one_line(f"could not prepare pictures for '{self.id}'"):
            found = self._processor(images=list(images), return_tensors="pt")
        return {
            key: found[key] for key in found if key == "pixel_values" or key in self._reads("image")
        }

    def _image_vectors(self, inputs: dict[str, Any], n: int) -> Any:
        """(n, d) of prepared pictures."""
        inputs = {key: part.to(self._device, non_blocking=True) for key, part in inputs.items()}
        inputs = {
            key: part.to(self._model.dtype) if part.is_floating_point() else part
            for key, part in inputs.items()
        }
        kind = self._model.config.model_type
        if kind == "xclip":  # a still picture is a video of equal frames
            frames = inputs["pixel_values"].reshape(n, 1, *inputs["pixel_values"].shape[-3:])
            inputs = {"pixel_values": frames.expand(-1, _frames(self._model.config), -1, -1, -1)}
        if self._family.pooling == "features":
            return self._common(_features(self._model, "image")(**inputs))
        if kind == "vit_mae":
            inputs["noise"] = _in_order(self._model, inputs["pixel_values"])
        return self._family.vector(self._model(**inputs))

    def _common(self, output: ModelOutput) -> Any:
        """(b, d) in the space of both towers. transformers 4 returns the features, version 5 an
        object that holds them.
        """
        found = getattr(output, "pooler_output", output)
        # FLAVA projects every token; the first is compared
        return found[:, 0] if self._model.config.model_type == "flava" else found


def _source(name: str) -> tuple[str, dict[str, Any]]:
    """A folder or a repository of the hub, and where `from_pretrained` is to look.

    Raises:
        FileError: there is no such folder, or transformers cannot read it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        require_plain_files(folder)
        if not (folder / "config.json").is_file():
            raise FileError(_no_config(folder))
        return str(folder), {"local_files_only": True}
    if folder.is_absolute() or name.startswith((".", "~")):
        raise FileError(
            f"no model folder at {folder}; expected one written by save_pretrained, with "
            "config.json and weights"
        )
    source, _, revision = name.partition("@")
    return source, {"local_files_only": False} | ({"revision": revision} if revision else {})


def _features(model: PreTrainedModel, modality: Modality) -> Any:
    """The method of a dual model that gives projected features.

    Raises:
        ModalityError: there is none.
    """
    names = (
        ("get_text_features",)
        if modality == "text"
        else ("get_image_features", "get_video_features")
    )
    found = next((getattr(model, name) for name in names if hasattr(model, name)), None)
    if found is None:
        raise ModalityError(
            f"{type(model).__name__} has no {names[0]}; wrap the model as py:module:factory"
        )
    return found


def _frames(config: PretrainedConfig) -> int:
    return int(config.vision_config.num_frames)


def _in_order(model: PreTrainedModel, pixels: Tensor) -> Any:
    """The noise (b, patches) by which ViTMAE shuffles patches, so that it leaves them in their
    order.
    """
    import torch

    size = model.config.patch_size
    patches = (pixels.shape[-2] // size) * (pixels.shape[-1] // size)
    return (
        torch.arange(patches, dtype=torch.float32, device=pixels.device).expand(len(pixels), -1)
        / patches
    )


def _load(
    loader: Any, config: PretrainedConfig, source: str, options: dict[str, Any]
) -> tuple[Any, list[str]]:
    """The model and the names of weights that its files lack. Safetensors are preferred; `.bin`
    files are read as tensors only.
    """
    folder = Path(source)
    wanted = [True, False]
    if folder.is_dir():
        kinds = {suffix: any(folder.glob(f"*{suffix}*")) for suffix in (".safetensors", ".bin")}
        if not any(kinds.values()):
            raise FileError(
                f"{folder} holds no weights: expected model.safetensors, its shards with their "
                "index, or pytorch_model.bin"
            )
        wanted = [
            safe for safe, suffix in ((True, ".safetensors"), (False, ".bin")) if kinds[suffix]
        ]
        for path in folder.glob("pytorch_model*.bin") if wanted == [False] else ():
            require_tensors(path)
    for at, safe in enumerate(wanted):
        try:
            model, found = loader.from_pretrained(
                source,
                config=config,
                use_safetensors=safe,
                weights_only=True,
                output_loading_info=True,
                **options,
            )
        except OSError as error:
            if at + 1 < len(wanted) and "safetensors" in str(error):
                continue  # a repository of the hub that holds .bin files only
            raise
        return model, sorted(_own_names(model, map(str, found["missing_keys"])))
    raise AssertionError  # the last try returns or raises


def _own_names(model: PreTrainedModel, keys: Iterable[str]) -> list[str]:
    """Names of weights in the model: transformers 4 puts the family's before them where the
    checkpoint is of a model around this one.
    """
    prefix, known = f"{getattr(model, 'base_model_prefix', '')}.", model.state_dict().keys()
    return [
        own if (own := key.removeprefix(prefix)) in known and key not in known else key
        for key in keys
    ]


def _absent(model: PreTrainedModel, missing: Sequence[str], rows: Sequence[Any]) -> list[str]:
    """Which of the missing weights reach the rows: those through which a gradient flows. A head
    that is not used does not.
    """
    import torch

    # a plain sum would hide weights before a normalisation
    generator = torch.Generator().manual_seed(0)
    total = sum(
        (part * torch.randn(part.shape, generator=generator).to(part)).sum() for part in rows
    )
    weights = {name: weight for name, weight in model.named_parameters() if name in set(missing)}
    grads = torch.autograd.grad(total, list(weights.values()), allow_unused=True) if weights else []
    reached = [
        name
        for name, grad in zip(weights, grads, strict=True)
        if grad is not None and bool(grad.abs().any())
    ]
    return [*reached, *(name for name in missing if name.endswith(("running_mean", "running_var")))]


def _longest(
    model: PreTrainedModel,
    config: PretrainedConfig,
    tokenizer: PreTrainedTokenizerBase,
    said: int | None,
) -> int | None:
    """Tokens of the longest caption that the model reads: its positions, less those that RoBERTa
    and its kin keep for padding.
    """
    limits = [said, getattr(tokenizer, "model_max_length", None)]
    text = getattr(config, "text_config", None) or config
    tower = next(
        (getattr(model, name) for name in ("text_model", "text_encoder") if hasattr(model, name)),
        model,
    )
    found = next(
        (
            part
            for name, part in tower.named_modules()
            if name.rpartition(".")[2] in POSITIONS and hasattr(part, "num_embeddings")
        ),
        None,
    )
    if found is not None:
        padding = getattr(found, "padding_idx", None)
        limits.append(
            found.num_embeddings
            - (0 if padding is None else padding + 1)
            - int(getattr(found, "offset", 0))
        )
    else:
        limits.append(getattr(text, "max_position_embeddings", None))
    known = [
        int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < ENDLESS
    ]
    return min(known, default=None)


POSITIONS = ("position_embedding", "position_embeddings", "embed_positions", "wpe")
"""What transformers calls the table of positions."""


def _needs_lower_case(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> bool:
    """SigLIP 2 was trained on lower case, but the Gemma tokenizer that its files name keeps
    capitals; SigLIP's own tokenizer lowers them.
    """
    return config.model_type in SIGLIP and not type(tokenizer).__name__.startswith(
        "SiglipTokenizer"
    )


def _image_processor(transformers: ModuleType, source: str, options: dict[str, Any]) -> Any:
    try:
        return transformers.AutoImageProcessor.from_pretrained(source, backend="pil", **options)
    except TypeError:  # transformers 4
        return transformers.AutoImageProcessor.from_pretrained(source, use_fast=False, **options)


def _no_config(folder: Path) -> str:
    """What to say of a folder that transformers cannot read."""
    if (folder / "modules.json").is_file():
        return (
            f"{folder} is a sentence-transformers model whose parts lie in folders of their "
            f"own; use st:{folder}"
        )
    if (folder / "open_clip_config.json").is_file():
        return f"{folder} is an open_clip model; use open_clip:local-dir:{folder}"
    return (
        f"could not load the folder {folder}: there is no config.json; expected a folder "
        "written by save_pretrained"
    )


@dataclass(frozen=True)
class _Pipeline:
    """What sentence-transformers' files beside a model say of how its tokens become one vector."""

    pooling: str | None = None
    longest: int | None = None
    lower: bool = False
    prompt: str = ""

    @classmethod
    def of(
        cls, source: str, options: dict[str, Any], name: str, asked: dict[str, str]
    ) -> _Pipeline:
        """Read from a folder or the hub; empty where there are no such files.

        Args:
            source: a folder or a repository of the hub.
            options: how `from_pretrained` reads it.
            name: of the encoder, for messages.
            asked: `prompt` or `prompt_name`, where the user wants one.

        Raises:
            UnknownNameError, ValueRangeError: there is no such prompt, or two are asked for.
            ModalityError: the pipeline does what hf: does not: another module, a prompt, a pooling
                that is not known; names st:.
        """
        modules = hub_or_folder_json(source, "modules.json", options) or []
        if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
            raise FileError(
                f"modules.json of '{name}' must be a list of parts; save the model again"
            )
        kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
        use = f"use st:{name.removeprefix('hf:')}"
        other = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
        if other:
            raise ModalityError(
                f"'{name}' is a sentence-transformers model with a part that hf: leaves out "
                f"({', '.join(other)}); {use}"
            )
        settings = hub_or_folder_json(source, "config_sentence_transformers.json", options) or {}
        prompts = settings.get("prompts") or {}
        default = settings.get("default_prompt_name")
        if not asked and default and prompts.get(default):
            raise ModalityError(
                f"'{name}' is a sentence-transformers model that puts the prompt "
                f"{prompts[default]!r} before every caption, "
                f"which hf: does not; {use}"
            )
        prompt = chosen_prompt(asked, prompts, name)
        if settings.get("truncate_dim"):
            raise ModalityError(
                f"'{name}' is a sentence-transformers model that keeps {settings['truncate_dim']} "
                f"dimensions only, which hf: does not; {use}"
            )
        place = next(
            (m.get("path") for m, kind in zip(modules, kinds, strict=False) if kind == "Pooling"),
            "1_Pooling",
        )
        pooling = hub_or_folder_json(source, f"{place}/config.json", options)
        if prompt and (pooling or {}).get("include_prompt") is False:
            raise ModalityError(
                f"'{name}' leaves the tokens of its prompt out of the mean, which hf: does not; "
                f"{use}"
            )
        bert = hub_or_folder_json(source, "sentence_bert_config.json", options) or {}
        longest = bert.get("max_seq_length")
        mode = None if pooling is None else _pooling_mode(pooling, name, use)
        return cls(
            mode,
            longest if isinstance(longest, int) else None,
            bool(bert.get("do_lower_case", False)),
            prompt,
        )


def _pooling_mode(config: dict[str, Any], name: str, use: str) -> str:
    """The one pooling that a `1_Pooling/config.json` asks for, by sentence-transformers' name of
    today.
    """
    said = config.get("pooling_mode")
    old = {
        "mean_tokens": "mean",
        "cls_token": "cls",
        "max_tokens": "max",
        "weightedmean_tokens": "weightedmean",
    }
    if said is None:
        keys = [
            key.removeprefix("pooling_mode_")
            for key, on in config.items()
            if key.startswith("pooling_mode_") and on is True
        ]
        said = [old.get(key, key) for key in keys] or ["mean"]
    modes = [said] if isinstance(said, str) else list(said)
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ModalityError(
            f"'{name}' asks for the pooling '{', '.join(map(str, modes))}', which hf: does not "
            f"know; {use}"
        )
    return str(modes[0])
