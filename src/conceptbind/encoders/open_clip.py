"""`open_clip:` any open_clip model and pretrained tag."""

from __future__ import annotations

import logging
import pickle
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.encoders.weights import to_precision
from conceptbind.errors import FileError, MissingExtraError, UnknownNameError, UnsafeFileError, ValueRangeError, nearest
from conceptbind.files import file_hash
from conceptbind.limits import require_tensors

if TYPE_CHECKING:
    from PIL.Image import Image

    from conceptbind.typing import Floats, Modality, Precision


class OpenClipEncoder:
    """An open_clip model as an encoder of raw projected features.

    Args:
        name: `ARCH@TAG`, where TAG is a pretrained tag or a weight file (a state_dict as .safetensors or .pt); `ARCH` alone has random
            weights. Where a file is named like a tag, the tag is meant.
        precision: of the weights.
        device: where torch computes.

    Raises:
        MissingExtraError: open_clip is not installed.
        UnknownNameError: no such architecture or tag.
        UnsafeFileError: the weight file holds more than tensors.
        FileError: the weights or the tokenizer cannot be loaded.
    """

    modalities: tuple[Modality, ...] = ("text", "image")

    def __init__(self, name: str, precision: Precision = "float32", device: str = "cpu") -> None:
        try:
            import open_clip
        except ImportError as error:
            raise MissingExtraError("open_clip_torch", "open-clip", f"the encoder 'open_clip:{name}'") from error
        except Exception as error:  # a torchvision that was built for another torch fails with errors of its own
            raise FileError(
                f"'open_clip' is installed but cannot be imported: {error}; install the torchvision that fits torch"
            ) from error
        import torch

        arch, _, tag = name.partition("@")
        if arch not in open_clip.list_models():
            raise UnknownNameError(f"unknown open_clip architecture '{arch}'; {nearest(arch, open_clip.list_models())}")
        tags = open_clip.list_pretrained_tags_by_model(arch)
        file = Path(tag).expanduser().resolve() if tag and tag not in tags else None
        if file and not file.is_file():
            hint = nearest(tag, tags) if tags else f"{arch} has no pretrained tags"
            raise UnknownNameError(f"'{tag}' is neither a file nor a pretrained tag of {arch}; {hint}")
        if file and file.suffix != ".safetensors":
            require_tensors(file)
        quick = bool((open_clip.get_model_config(arch) or {}).get("quick_gelu", False))
        warning = quickgelu_warning(arch, tag, quick, None if file else _trained_with_quickgelu(open_clip, arch, tag))
        if warning:
            warnings.warn(warning, stacklevel=2)
        try:
            with _quiet(), torch.random.fork_rng():
                torch.manual_seed(0)  # random weights are the same in every run
                model, _, self._preprocess = open_clip.create_model_and_transforms(
                    arch,
                    pretrained=str(file) if file else tag or None,
                    force_quick_gelu=quick,
                    pretrained_hf=False,  # no download of a text tower that the weights replace, or that is to be random
                    **(_preprocessing(open_clip, arch, tags) if file else {}),
                )
                self._tokenizer = open_clip.get_tokenizer(arch)
        except pickle.UnpicklingError as error:
            raise UnsafeFileError(
                f"{file or tag} is no plain file of tensors, and reading more could execute code; save its state_dict as .safetensors"
            ) from error
        except Exception as error:  # open_clip, torch, safetensors and the hub raise what they like for a wrong file or no network
            reason = textwrap.shorten(f"{type(error).__name__}: {error}", 300, placeholder=" ...").rstrip(":")
            expected = f"; expected a state_dict of {arch} as .safetensors or .pt" if file else ""
            raise FileError(f"could not load 'open_clip:{name}': {reason}{expected}") from error
        self.id = f"open_clip:{name}"
        self.revision = file_hash(file)[:16] if file else f"{open_clip.__version__}:{tag or 'random'}"
        self.details = {"precision": precision, "activation": "quick_gelu" if quick else "gelu"}
        self._model: Any = to_precision(model, precision).to(device).eval()
        self._device = device
        self.dimension = int(self.encode_texts(["a"]).shape[1])

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Raw features (n, d).

        Raises:
            ValueRangeError: a caption fills the context, so that its end may be cut off.
        """
        import torch

        rows = []
        for start in range(0, len(texts), 64):
            batch = list(texts[start : start + 64])
            ids = self._tokenizer(batch)
            cut = cut_off(self._tokenizer, batch, ids.shape[1])
            if cut:
                raise ValueRangeError(f"a caption fills the {ids.shape[1]} tokens that '{self.id}' reads: {cut[0]!r}; shorten it")
            with torch.inference_mode():
                rows.append(self._model.encode_text(ids.to(self._device)).float().cpu().numpy())
        return np.concatenate(rows)

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Raw features (n, d) of RGB pictures."""
        import torch

        rows = []
        for start in range(0, len(images), 32):
            pixels = torch.stack([self._preprocess(image) for image in images[start : start + 32]])
            with torch.inference_mode():
                weight = next(self._model.parameters())
                rows.append(self._model.encode_image(pixels.to(self._device, weight.dtype)).float().cpu().numpy())
        return np.concatenate(rows)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence open_clip's notices while a model loads: what the user has to know, this module says itself."""
    # open_clip logs with `logging.warning`, which installs a handler for all of the user's program where there is none.
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger().removeHandler(handler)


def cut_off(tokenizer: Any, texts: Sequence[str], length: int) -> list[str]:
    """The texts that do not fit into `length` tokens, whatever the tokenizer pads with, and whatever it puts at the end.

    They are told by one token more: a text that fits leaves there what the empty text leaves. (The last token of `length` does not
    tell: SigLIP pads with the token that ends a text, and other tokenizers pad with a token that is not 0.)
    """
    tails = tokenizer(["", *texts], context_length=length + 1)[:, length - 1 :]  # (1 + n, 2)
    full = (tails[1:] != tails[:1]).any(dim=1)
    return [text for text, is_full in zip(texts, full.tolist(), strict=True) if is_full]


def _preprocessing(open_clip: Any, arch: str, tags: Sequence[str]) -> dict[str, Any]:
    """How to prepare pictures for a weight file, which does not say so: as for all tags of its architecture, if they agree."""
    names = ("mean", "std", "interpolation", "resize_mode")
    found = {tuple(open_clip.get_pretrained_cfg(arch, tag).get(name) for name in names) for tag in tags}
    if len(found) != 1:
        return {}
    return {f"image_{name}": value for name, value in zip(names, found.pop(), strict=True) if value is not None}


def _trained_with_quickgelu(open_clip: Any, arch: str, tag: str) -> bool | None:
    """Whether the weights of a tag were trained with QuickGELU; None where it is not known."""
    if not tag:
        return None
    config = open_clip.get_pretrained_cfg(arch.removesuffix("-quickgelu"), tag) or open_clip.get_pretrained_cfg(arch, tag) or {}
    return True if tag == "openai" else config.get("quick_gelu")


def quickgelu_warning(arch: str, tag: str, model_quick: bool, weights_quick: bool | None) -> str | None:
    """What to tell the user when an architecture's activation is not the one that its weights were trained with.

    OpenAI's weights, and files fine-tuned from them, need QuickGELU; with GELU every number is a little off.
    """
    if weights_quick is None or weights_quick == model_quick:
        return None
    better = f"{arch}-quickgelu@{tag}" if weights_quick else f"{arch.removesuffix('-quickgelu')}@{tag}"
    trained, used = ("QuickGELU", "GELU") if weights_quick else ("GELU", "QuickGELU")
    return f"the weights '{tag}' were trained with {trained}, but {arch} computes {used}: the embeddings will be wrong; use open_clip:{better}"
