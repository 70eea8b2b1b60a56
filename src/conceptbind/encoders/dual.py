"""The shipped dual encoders: a small CLIP (vision transformer, causal text transformer) in one
file, on torch alone.

Folders are in transformers' CLIP format, so `hf:FOLDER` loads the same weights and gives the same
rows; parameters are therefore named as transformers names them. Learning Transferable Visual Models
From Natural Language Supervision, arXiv 2103.00020, section 2.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from conceptbind.core.errors import FileError, UnknownNameError, cut, nearest, quoted
from conceptbind.core.files import read_json
from conceptbind.encoders.batching import InBatches, equal_length_batches
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.captions import settle, too_long
from conceptbind.encoders.weights import folder_revision

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped
    from PIL.Image import Image

    from conceptbind.core.typing import Floats, LongCaptions, Modality

IMAGE_BATCH = 64
MOST_ENLARGED = 16
"""Squares of the model's side that an enlarged picture may fill; of a larger one only the middle is
made."""
NEIGHBOURS = 4
"""Pixels around that middle which may have a part in its own."""


class Attention(nn.Module):
    """Multi-head self-attention over (b, t, w)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(width, width) for _ in range(4)
        )

    def forward(
        self, x: Float[Tensor, "rows tokens width"], causal: bool
    ) -> Float[Tensor, "rows tokens width"]:
        """(b, t, w) -> (b, t, w); a causal token sees only itself and those before it."""
        b, t, w = x.shape
        q, k, v = (
            part(x).view(b, t, self.heads, -1).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        # (b, heads, t, w / heads)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(b, t, w))
        return out


class Layer(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )

    def forward(
        self, x: Float[Tensor, "rows tokens width"], causal: bool
    ) -> Float[Tensor, "rows tokens width"]:
        """(b, t, w) -> (b, t, w)."""
        x = x + self.self_attn(self.layer_norm1(x), causal)
        hidden = self.mlp["fc1"](self.layer_norm2(x))
        out: Tensor = x + self.mlp["fc2"](functional.gelu(hidden))
        return out


class Layers(nn.Module):
    """Layers one after the other."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, heads = config["hidden_size"], config["num_attention_heads"]
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(config["num_hidden_layers"]))

    def forward(
        self, x: Float[Tensor, "rows tokens width"], causal: bool
    ) -> Float[Tensor, "rows tokens width"]:
        """(b, t, w) -> (b, t, w)."""
        for layer in self.layers:
            x = layer(x, causal)
        return x


class VisionTower(nn.Module):
    """Patches and a class token; the class token is read."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, patch = config["hidden_size"], config["patch_size"]
        n_tokens = (config["image_size"] // patch) ** 2 + 1
        self.embeddings = nn.ParameterDict(
            {"class_embedding": nn.Parameter(torch.randn(width) * 0.02)}
        )
        self.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding(n_tokens, width)
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.encoder = Layers(config)

    def forward(
        self, pixels: Float[Tensor, "pictures 3 side side"]
    ) -> Float[Tensor, "pictures width"]:
        """(b, 3, s, s) -> (b, w)."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)  # (b, p, w)
        first = self.embeddings["class_embedding"].expand(len(patches), 1, -1)
        x = self.pre_layrnorm(torch.cat([first, patches], dim=1) + self.position_embedding.weight)
        x = self.encoder(x, causal=False)
        out: Tensor = self.post_layernorm(x[:, 0])
        return out


class TextTower(nn.Module):
    """Tokens, each seeing those before it; the end token is read."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.token_embedding = nn.Embedding(config["vocab_size"], width)
        self.position_embedding = nn.Embedding(config["max_position_embeddings"], width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.encoder = Layers(config)

    def forward(self, ids: Int[Tensor, "captions tokens"]) -> Float[Tensor, "captions width"]:
        """(b, t), every row ending in the end token -> (b, w)."""
        x = self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]
        x = self.encoder(x, causal=True)
        out: Tensor = self.final_layer_norm(x[:, -1])
        return out


class DualModel(nn.Module):
    """Both towers and the projections into the common space."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.vision_model = VisionTower(config["vision_config"])
        self.text_model = TextTower(config["text_config"])
        self.visual_projection = nn.Linear(
            config["vision_config"]["hidden_size"], config["projection_dim"], bias=False
        )
        self.text_projection = nn.Linear(
            config["text_config"]["hidden_size"], config["projection_dim"], bias=False
        )
        self.logit_scale = nn.Parameter(torch.tensor(float(config["logit_scale_init_value"])))
        for name, parameter in self.named_parameters():
            if "embedding" in name:
                nn.init.normal_(parameter, std=0.02)

    def image_features(
        self, pixels: Float[Tensor, "pictures 3 side side"]
    ) -> Float[Tensor, "pictures width"]:
        """(b, 3, s, s) -> (b, d)."""
        out: Tensor = self.visual_projection(self.vision_model(pixels))
        return out

    def text_features(self, ids: Int[Tensor, "captions tokens"]) -> Float[Tensor, "captions width"]:
        """(b, t) -> (b, d)."""
        out: Tensor = self.text_projection(self.text_model(ids))
        return out


_MOVED = (
    ("vision_model.embeddings.patch_embedding", "vision_model.patch_embedding"),
    ("vision_model.embeddings.position_embedding", "vision_model.position_embedding"),
    ("text_model.embeddings.position_embedding", "text_model.position_embedding"),
    ("text_model.embeddings.token_embedding", "text_model.token_embedding"),
)
"""(transformers' name, ours) where transformers groups parameters one level deeper."""


def rename(name: str, *, to_transformers: bool) -> str:
    """A parameter's name there, or here."""
    for theirs, ours in _MOVED:
        old, new = (ours, theirs) if to_transformers else (theirs, ours)
        if name.startswith(old + "."):
            return new + name[len(old) :]
    return name


class Words:
    """A vocabulary of whole words: lower case, split at spaces and punctuation."""

    def __init__(self, ids: dict[str, int]) -> None:
        self.ids = ids

    def __call__(self, text: str) -> list[int]:
        """Token ids with the start and the end token.

        Raises:
            UnknownNameError: a word that the model never saw; names the nearest.
        """
        words = re.findall(r"\w+|[^\w\s]+", text.lower())
        for word in words:
            if word not in self.ids:
                known = [word for word in self.ids if word[0] not in "<,."]
                raise UnknownNameError(
                    f"the word '{cut(word)}' of {quoted(text)} is not in the model's vocabulary; "
                    f"{nearest(word, known)}"
                )
        return [self.ids["<start>"], *(self.ids[word] for word in words), self.ids["<end>"]]


class DualEncoder(InBatches, Brief):
    """A folder with a small CLIP, as an encoder.

    Args:
        folder: config.json, model.safetensors, tokenizer.json, preprocessor_config.json.
        name: what it is called in results.
        device: where torch computes.
        random_weights: the same architecture untrained, from this seed: a control.
        long_captions: what becomes of captions that are longer than the model reads.

    Raises:
        FileError: a file is missing or broken, or the weights do not fit the configuration.
    """

    modalities: tuple[Modality, ...] = ("text", "image")
    picture_batch: int = IMAGE_BATCH

    def __init__(
        self,
        folder: Path,
        name: str,
        device: str = "cpu",
        random_weights: int | None = None,
        *,
        long_captions: LongCaptions = "truncate",
    ) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        config = read_json(folder / "config.json")
        prepare = read_json(folder / "preprocessor_config.json")
        self._words = Words(read_json(folder / "tokenizer.json")["model"]["vocab"])
        self.longest, self.long_captions = (
            int(config["text_config"]["max_position_embeddings"]),
            long_captions,
        )
        self._size = int(config["vision_config"]["image_size"])
        self._mean, self._std = (
            np.asarray(prepare[key], dtype=np.float32) for key in ("image_mean", "image_std")
        )
        with torch.random.fork_rng():
            torch.manual_seed(random_weights or 0)
            self._model = DualModel(config).to(device).eval()
        if random_weights is None:
            try:
                weights = load_file(folder / "model.safetensors")
                named = {
                    rename(key, to_transformers=False): value.float()
                    for key, value in weights.items()
                }
                self._model.load_state_dict(named)
            except (SafetensorError, OSError, RuntimeError) as error:
                raise FileError(f"could not load the weights in {folder}: {error}") from error
        self._device, self._folder = device, folder
        self.id = name
        self.revision = (
            folder_revision(folder) if random_weights is None else f"random:{random_weights}"
        )
        self.dimension = int(config["projection_dim"])
        self.details = {"precision": "float32", "activation": "gelu"}

    def untrained(self, seed: int = 0) -> DualEncoder:
        """The same architecture with random weights: what probes find there owes nothing to
        training.
        """
        return DualEncoder(
            self._folder,
            f"{self.id} (random weights)",
            self._device,
            seed,
            long_captions=self.long_captions,
        )

    def trainable(self, modality: Modality | None = None) -> DualEncoder:
        """A copy with weights of its own; training it leaves this encoder as it is.

        Args:
            modality: the tower that will be trained; None for both.
        """
        return self.with_module(copy.deepcopy(self._model))

    def with_module(self, module: DualModel) -> DualEncoder:
        """The same encoder with a module of the same architecture and other weights."""
        twin = copy.copy(self)
        twin._model = module
        return twin

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self._folder

    @property
    def module(self) -> nn.Module:
        """Both towers."""
        return self._model

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each caption; raises as `encode_texts` does. Long captions keep their end
        token when they are cut.
        """
        found = [self._words(text) for text in texts]
        long = [i for i, ids in enumerate(found) if len(ids) > self.longest]
        settle(texts, long, self.longest, self.id, self.long_captions)
        return [
            ids if len(ids) <= self.longest else [*ids[: self.longest - 1], ids[-1]]
            for ids in found
        ]

    def find_long(self, texts: Sequence[str]) -> list[int]:
        """Positions of the captions that are longer than the model reads."""
        return too_long(texts, self.longest, lambda some: [len(self._words(text)) for text in some])

    def pixels(self, images: Sequence[Image]) -> Float[Tensor, "pictures 3 side side"]:
        """(n, 3, s, s) prepared RGB pictures."""
        return torch.from_numpy(np.stack([self._pixels(image) for image in images]))

    def text_features(self, ids: Int[Tensor, "captions tokens"]) -> Float[Tensor, "captions width"]:
        """(b, t) -> (b, d), with gradients."""
        return self._model.text_features(ids)

    def image_features(
        self, pixels: Float[Tensor, "pictures 3 side side"]
    ) -> Float[Tensor, "pictures width"]:
        """(b, 3, s, s) -> (b, d), with gradients."""
        return self._model.image_features(pixels)

    def write(self, folder: Path) -> None:
        """A folder with these weights in full precision, that `DualEncoder` and transformers read;
        the rest is copied from this one's.
        """
        from safetensors.torch import save

        from conceptbind.core.files import write_whole

        for name in (
            "config.json",
            "preprocessor_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ):
            write_whole(folder / name, (self._folder / name).read_bytes())
        weights = {
            rename(name, to_transformers=True): value.cpu().contiguous()
            for name, value in self._model.state_dict().items()
        }
        write_whole(folder / "model.safetensors", save(weights, metadata={"format": "pt"}))

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Raw features (n, d).

        Raises:
            UnknownNameError: a word that the model never saw.
            ValueRangeError: a caption is longer than the model reads, and those are to be refused.
        """
        tokens = self.tokens(texts)
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch in equal_length_batches([len(ids) for ids in tokens], 256):
            with torch.inference_mode():
                rows[batch] = (
                    self._model.text_features(
                        torch.tensor([tokens[i] for i in batch], device=self._device)
                    )
                    .cpu()
                    .numpy()
                )
        return rows

    def prepare_images(self, images: Sequence[Image]) -> dict[str, Shaped[Tensor, "pictures ..."]]:
        """Their shorter side is scaled to the model's, and the middle is cut out."""
        return {"pixels": self.pixels(images)}

    def encode_prepared(
        self, prepared: dict[str, Shaped[Tensor, "pictures ..."]]
    ) -> Float[Floats, "pictures width"]:
        """See `typing.Prepares`."""
        with torch.inference_mode():
            there = prepared["pixels"].to(self._device, non_blocking=True)
            found: Floats = self._model.image_features(there).cpu().numpy()
            return found

    def _pixels(self, image: Image) -> Floats:
        """(3, s, s), as transformers' CLIP processor prepares a picture."""
        from PIL import Image as Pillow

        size, (width, height) = self._size, image.size
        short = min(width, height)
        scaled = int(size * width / short), int(size * height / short)
        left, top = ((side - size) // 2 for side in scaled)
        middle = (left, top, left + size, top + size)
        if math.prod(scaled) > max(width * height, MOST_ENLARGED * size * size):
            image = _enlarged(image, scaled, middle)
        elif short != size:
            image = image.resize(scaled, Pillow.Resampling.BICUBIC).crop(middle)
        else:
            image = image.crop(middle)
        values = np.asarray(image, dtype=np.float32) / 255
        pixels: Floats = ((values - self._mean) / self._std).transpose(2, 0, 1)
        return pixels


def _enlarged(image: Image, scaled: tuple[int, int], middle: tuple[int, int, int, int]) -> Image:
    """The middle of an enlarged picture, without enlarging the rest: of a long and thin picture
    that would fill the memory.

    Args:
        image: RGB.
        scaled: width and height of the whole, enlarged.
        middle: left, top, right and bottom of what is wanted there.
    """
    from PIL import Image as Pillow

    x, y = (own / whole for own, whole in zip(image.size, scaled, strict=True))
    left, top, right, bottom = middle[0] * x, middle[1] * y, middle[2] * x, middle[3] * y
    over, above = max(0, int(left) - NEIGHBOURS), max(0, int(top) - NEIGHBOURS)
    until = min(image.width, math.ceil(right) + NEIGHBOURS)
    below = min(image.height, math.ceil(bottom) + NEIGHBOURS)
    seen = image.crop((over, above, until, below))
    box = (
        left - over,
        top - above,
        min(right - over, seen.width),
        min(bottom - above, seen.height),
    )
    wanted = (middle[2] - middle[0], middle[3] - middle[1])
    return seen.resize(wanted, Pillow.Resampling.BICUBIC, box=box)


def save_dual(
    model: DualModel, config: dict[str, Any], vocabulary: dict[str, int], folder: Path
) -> None:
    """Write a folder that `DualEncoder` and transformers read; weights in half precision."""
    from safetensors.torch import save

    from conceptbind.core.files import write_json, write_whole

    weights = {
        rename(name, to_transformers=True): value.half().contiguous()
        for name, value in model.state_dict().items()
    }
    write_whole(folder / "model.safetensors", save(weights, metadata={"format": "pt"}))
    write_json(folder / "config.json", config)
    size = config["vision_config"]["image_size"]
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": size},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": size, "width": size},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.25, 0.25, 0.25],
            "do_convert_rgb": True,
        },
    )
    start, end = vocabulary["<start>"], vocabulary["<end>"]
    write_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": vocabulary[token],
                    "content": token,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for token in ("<pad>", "<start>", "<unk>", "<end>")
            ],
            "normalizer": {"type": "Lowercase"},
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [
                    {"SpecialToken": {"id": "<start>", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": "<end>", "type_id": 0}},
                ],
                "pair": [
                    {"Sequence": {"id": "A", "type_id": 0}},
                    {"Sequence": {"id": "B", "type_id": 1}},
                ],
                "special_tokens": {
                    "<start>": {"id": "<start>", "ids": [start], "tokens": ["<start>"]},
                    "<end>": {"id": "<end>", "ids": [end], "tokens": ["<end>"]},
                },
            },
            "decoder": None,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
        },
    )
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<start>",
            "eos_token": "<end>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "model_max_length": config["text_config"]["max_position_embeddings"],
        },
    )


def dual_config(
    vocabulary: dict[str, int],
    *,
    width: int,
    depth: int,
    heads: int,
    dimension: int,
    image_size: int,
    patch_size: int,
) -> dict[str, Any]:
    """The configuration of a model, as transformers' CLIP reads it."""
    tower = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "attention_dropout": 0.0,
        "projection_dim": dimension,
    }
    special = {
        "pad_token_id": vocabulary["<pad>"],
        "bos_token_id": vocabulary["<start>"],
        "eos_token_id": vocabulary["<end>"],
    }
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": dimension,
        "logit_scale_init_value": 2.6592,
        "text_config": tower
        | special
        | {
            "model_type": "clip_text_model",
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 64,
        },
        "vision_config": tower
        | {
            "model_type": "clip_vision_model",
            "image_size": image_size,
            "patch_size": patch_size,
            "num_channels": 3,
        },
    }
